//! Going back: which steps of a run are performed again, and why. Pure. The engine performs the steps of a plan again on
//! the instrument; a resumed run cuts its transcript where a plan begins.

use std::sync::Arc;

use super::history::History;
use crate::step::Step;

/// Why steps are performed again.
#[derive(Debug, Clone)]
pub enum Cause {
    /// The traces of the last sweep cannot be used. A fetch has failed, a condition has rejected the sweep, a trace is
    /// damaged, or another process may have used the instrument.
    SweepLost,
    /// A verdict asks for another attempt. The analyses of the attempt before keep their traces.
    NotPassed,
    /// The replies of these readings could not be proved.
    ReadingsUnproved(Vec<Again>),
}

/// Steps that are performed again, in order. An empty plan: there is nothing to go back to.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// The steps.
    pub steps: Vec<Again>,
}

/// A step that is performed again, in its old place.
#[derive(Debug, Clone, PartialEq)]
pub struct Again {
    /// Its number within the run.
    pub number: u64,
    /// The attempt that is made now.
    pub attempt: u32,
    /// The step.
    pub step: Arc<Step>,
}

/// Plans which steps are performed again for a cause.
#[must_use]
pub fn rewind(history: &History, cause: Cause) -> Plan {
    match cause {
        // The instrument's memory holds one sweep: the fetches after it are repeated with it, and so are the analyses of
        // their traces.
        Cause::SweepLost | Cause::NotPassed => {
            let repeats_analyses = matches!(cause, Cause::SweepLost);
            let steps = history.repeatable_sweep().into_iter().flat_map(|sweep| {
                let attempt = sweep.attempt + 1;
                let again =
                    move |number: u64, step: &Arc<Step>| Again { number, attempt, step: Arc::clone(step) };
                let fetches = sweep.fetches.iter().map(move |fetch| again(fetch.number, &fetch.step));
                let analyses = sweep
                    .analyses
                    .iter()
                    .filter(move |_| repeats_analyses)
                    .map(move |(number, step)| again(*number, step));
                std::iter::once(again(sweep.number, &sweep.step)).chain(fetches).chain(analyses)
            });
            Plan { steps: steps.collect() }
        }
        Cause::ReadingsUnproved(readings) => Plan { steps: readings },
    }
}

impl Plan {
    /// The number of the first step: the run goes back to before it.
    #[must_use]
    pub fn first(&self) -> Option<u64> {
        self.steps.first().map(|again| again.number)
    }

    /// The sweep that the plan repeats.
    #[must_use]
    pub fn sweep(&self) -> Option<&Arc<Step>> {
        self.steps.first().map(|again| &again.step).filter(|step| step.operation.traits().is_sweep())
    }
}
