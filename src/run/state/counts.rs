//! What counts of a run: each step once, as it ended the last time, and each trace that is there. Steps that a resumed run
//! performs again do not count until they have ended again. Status, report and page count by this fold.

use std::collections::BTreeMap;

use crate::run::events::{AfterFault, RunEvent};
use crate::step::FaultKind;

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepEnd {
    /// It ended well.
    Done,
    /// It failed, and the run continued (`on_error: continue`).
    PassedOver,
    /// It failed, and the fault went to the recipe.
    Failed,
    /// The run was stopped within it.
    Stopped,
}

/// A step as it counts.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct StepCount {
    /// How it ended; `None` while it has not.
    pub ended: Option<StepEnd>,
    /// It ended well after more than one attempt.
    pub retried: bool,
    /// Its expected time, s.
    pub estimated_s: f64,
}

/// What an event changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Change {
    /// A step counts for the first time.
    Begun(u64),
    /// A step has ended, and counts in another way than before.
    Ended {
        /// Its number.
        number: u64,
        /// How it counted before.
        before: StepCount,
        /// How it counts now.
        now: StepCount,
    },
    /// A step does not count any more: a resumed run performs it again.
    Dropped {
        /// Its number.
        number: u64,
        /// How it counted before.
        before: StepCount,
    },
}

/// The counts of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Counts {
    /// Steps that have ended.
    pub ended: u64,
    /// Steps that failed and were passed over.
    pub passed_over: u64,
    /// Attempts that failed and were repeated.
    pub retries: u64,
    /// Traces that are there.
    pub traces: u64,
    /// Expected time of the steps that have ended, s.
    pub ended_estimate_s: f64,
    steps: BTreeMap<u64, StepCount>,
    /// The steps under way. Those before the last one wait while it is performed again for their sake.
    under_way: Vec<UnderWay>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct UnderWay {
    number: u64,
    attempt: u32,
    estimated_s: Option<f64>,
}

impl Counts {
    /// Takes one more event into account; gives what it changes.
    pub fn apply(&mut self, event: &RunEvent) -> Vec<Change> {
        match event {
            RunEvent::StepStarted { number, attempt, estimated_s, .. } => {
                self.begin(*number, *attempt, *estimated_s)
            }
            RunEvent::StepFinished { number, .. } => self.end(*number, StepEnd::Done),
            RunEvent::StepFailed { number, fault, then } => match then {
                AfterFault::Retry { .. } => {
                    self.retries += 1;
                    self.under_way.pop_if(|step| step.number == *number);
                    Vec::new()
                }
                _ if fault.kind == FaultKind::Stopped => self.end(*number, StepEnd::Stopped),
                AfterFault::Continue => self.end(*number, StepEnd::PassedOver),
                AfterFault::Raise => self.end(*number, StepEnd::Failed),
            },
            RunEvent::RunResumed { steps, .. } => self.drop_after(*steps),
            RunEvent::TraceStored { .. } => {
                self.traces += 1;
                Vec::new()
            }
            RunEvent::TraceWithdrawn { .. } => {
                self.traces = self.traces.saturating_sub(1);
                Vec::new()
            }
            RunEvent::Started { .. }
            | RunEvent::SweepRepeated { .. }
            | RunEvent::PowerStored { .. }
            | RunEvent::PowerWithdrawn { .. }
            | RunEvent::Decided { .. }
            | RunEvent::SettingsRead { .. }
            | RunEvent::ReferenceTaken { .. }
            | RunEvent::ReferenceUsed { .. }
            | RunEvent::WaitsUntil { .. }
            | RunEvent::Progress { .. }
            | RunEvent::ColumnsDecided { .. }
            | RunEvent::Question { .. }
            | RunEvent::Answered { .. }
            | RunEvent::Log { .. }
            | RunEvent::Warning { .. }
            | RunEvent::Now { .. }
            | RunEvent::LinkLost { .. }
            | RunEvent::LinkRegained { .. }
            | RunEvent::Paused
            | RunEvent::LasersPaused { .. }
            | RunEvent::PauseEnded { .. }
            | RunEvent::DiskFull { .. }
            | RunEvent::DiskSpaceAgain { .. }
            | RunEvent::Suspended { .. }
            | RunEvent::SuspensionOver
            | RunEvent::Stopping { .. }
            | RunEvent::Finally
            | RunEvent::LasersOff { .. }
            | RunEvent::InstrumentsSafe { .. }
            | RunEvent::Finished { .. } => Vec::new(),
        }
    }

    fn begin(&mut self, number: u64, attempt: u32, estimated_s: Option<f64>) -> Vec<Change> {
        // A step with a higher number waits while this one is performed again; one with a lower number has lost its end.
        self.under_way.retain(|outer| outer.number > number);
        self.under_way.push(UnderWay { number, attempt, estimated_s });
        if self.steps.contains_key(&number) {
            return Vec::new();
        }
        self.steps.insert(number, StepCount::default());
        vec![Change::Begun(number)]
    }

    fn end(&mut self, number: u64, ended: StepEnd) -> Vec<Change> {
        let known = self.under_way.pop_if(|step| step.number == number);
        // The repetition of a sweep may be given up before it begins: then the sweep counts as passed over.
        let given_up = Some(UnderWay { number, attempt: 1, estimated_s: None });
        let given_up = given_up.filter(|_| ended == StepEnd::PassedOver && self.steps.contains_key(&number));
        let Some(step) = known.or(given_up) else { return Vec::new() };
        // Performed again for the sake of a later step: it was done before, and counts so.
        if !self.under_way.is_empty() {
            return Vec::new();
        }
        let before = self.steps.get(&number).copied().unwrap_or_default();
        let retried = ended == StepEnd::Done && step.attempt > 1;
        let estimated_s = step.estimated_s.unwrap_or(before.estimated_s);
        let now = StepCount { ended: Some(ended), retried, estimated_s };
        self.steps.insert(number, now);
        self.remove(before);
        self.ended += 1;
        self.passed_over += u64::from(ended == StepEnd::PassedOver);
        self.ended_estimate_s += estimated_s;
        vec![Change::Ended { number, before, now }]
    }

    /// Another process continues after the first `steps` steps.
    fn drop_after(&mut self, steps: u64) -> Vec<Change> {
        self.under_way.clear();
        let dropped = self.steps.split_off(&(steps + 1));
        dropped.values().for_each(|before| self.remove(*before));
        dropped.into_iter().map(|(number, before)| Change::Dropped { number, before }).collect()
    }

    fn remove(&mut self, before: StepCount) {
        let Some(ended) = before.ended else { return };
        self.ended = self.ended.saturating_sub(1);
        self.passed_over = self.passed_over.saturating_sub(u64::from(ended == StepEnd::PassedOver));
        self.ended_estimate_s -= before.estimated_s;
    }
}
