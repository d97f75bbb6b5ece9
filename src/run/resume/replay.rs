//! Replays the recorded part of an interrupted run to its recipe, without using the instrument.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::measurement::TraceSummary;
use crate::run::resume::transcript::{Asked, Transcript, same};
use crate::step::align::begins_again;
use crate::step::{Fault, FaultKind, Forecast, Host, Now, Outcome, Step, Suspension, TraceReader};

/// A [`Host`] that returns the recorded outcomes to a recipe, in the recorded order. It passes all later calls on.
pub struct ReplayHost {
    next: Arc<dyn Host>,
    folder: PathBuf,
    held: Option<Arc<Transcript>>,
    tape: Mutex<Tape>,
}

/// The record, and how far it has been replayed.
#[derive(Debug, Default)]
struct Tape {
    asked: Vec<Asked>,
    /// The index of the next entry.
    next: usize,
    /// The recipe asked for something that does not match the record.
    diverged: Option<Fault>,
    /// The condition of the suspension that the recipe is in, according to the record.
    held_by: Option<String>,
    /// The recipe got a result that is not from the record.
    is_over: bool,
    /// The recipe got a time that is not from the record.
    asked_for_time: bool,
}

impl ReplayHost {
    /// Replays `asked`, whose traces are in the run folder `folder`, and passes all later calls to `next`.
    #[must_use]
    pub fn new(asked: Vec<Asked>, folder: PathBuf, next: Arc<dyn Host>) -> Self {
        Self { next, folder, held: None, tape: Mutex::new(Tape { asked, ..Tape::default() }) }
    }

    /// Also returns the recorded outcomes of later steps that must not be repeated. A forecast needs this, because only
    /// the engine knows these steps itself.
    #[must_use]
    pub(in crate::run) fn with_held(self, past: Arc<Transcript>) -> Self {
        Self { held: Some(past), ..self }
    }

    /// The fault, if the recipe asked for something that does not match the record.
    #[must_use]
    pub fn diverged(&self) -> Option<Fault> {
        self.tape().diverged.clone()
    }

    /// Whether the recipe got a time that is not from the record. If so, the rest may differ next time.
    pub(in crate::run) fn asked_for_time(&self) -> bool {
        self.tape().asked_for_time
    }

    /// Ends the replay. If the record ends within a suspension, the next host continues that suspension.
    fn hand_over(&self, mut tape: MutexGuard<'_, Tape>) -> Result<(), Fault> {
        let held_by = tape.held_by.take();
        drop(tape);
        held_by.map_or(Ok(()), |condition| self.suspend_next(Some(&condition)))
    }

    fn suspend_next(&self, condition: Option<&str>) -> Result<(), Fault> {
        self.next.suspension().map_or(Ok(()), |next| next.suspend(condition))
    }

    fn tape(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tape {
    /// The next entry of the record, which has to match; `None` after the end. `asks` describes what the recipe asks for;
    /// the description is made only for a fault, because it takes longer than the rest.
    fn next(
        &mut self,
        asks: impl FnOnce() -> String,
        matches: impl Fn(&Asked) -> bool,
    ) -> Option<Result<Asked, Fault>> {
        if let Some(fault) = &self.diverged {
            return Some(Err(fault.clone()));
        }
        let recorded = self.asked.get(self.next)?;
        if matches(recorded) {
            let recorded = recorded.clone();
            self.next += 1;
            return Some(Ok(recorded));
        }
        Some(Err(self.diverge(&asks())))
    }

    /// Whether the record has entries that have not been replayed.
    fn is_left(&self) -> bool {
        self.diverged.is_none() && self.next < self.asked.len()
    }

    fn diverge(&mut self, asks: &str) -> Fault {
        let recorded = self.asked.get(self.next).map_or_else(String::new, |asked| match asked {
            Asked::Step(step) => shown(&step.step),
            Asked::Now(_) => "`now()`".to_owned(),
        });
        let message = format!("the recipe no longer matches its journal: expected {recorded}, got {asks}");
        // A script must not catch this fault: it would measure something else under the same run.
        let fault = Fault::new(FaultKind::Stopped, message);
        self.diverged = Some(fault.clone());
        fault
    }
}

fn shown(step: &Step) -> String {
    let Step { operation, place, .. } = step;
    format!("`{operation}` at {}{} ({place})", place.turns(), place.path)
}

impl Host for ReplayHost {
    fn perform(&self, step: Step) -> Result<Outcome, Fault> {
        let asks = || shown(&step);
        let mut tape = self.tape();
        let matches = |asked: &Asked| asked.step().is_some_and(|recorded| same(&recorded.step, &step));
        match tape.next(asks, matches) {
            Some(Ok(Asked::Step(recorded))) => {
                drop(tape);
                if let Some(forecast) = self.next.forecast() {
                    forecast.assume_performed(&step);
                }
                recorded.told.unwrap_or_else(|| Err(Fault::new(FaultKind::Recipe, "a step without an end")))
            }
            Some(Ok(Asked::Now(_))) => Err(tape.diverge(&asks())),
            Some(Err(fault)) => Err(fault),
            None => {
                tape.is_over = true;
                self.hand_over(tape)?;
                self.held
                    .as_ref()
                    .and_then(|past| past.held(&step))
                    .unwrap_or_else(|| self.next.perform(step))
            }
        }
    }

    fn perform_later(&self, step: Step) -> Result<(), Fault> {
        let is_over = self.tape().is_over && self.held.is_none();
        if is_over { self.next.perform_later(step) } else { self.perform(step).map(drop) }
    }

    fn settle(&self) -> Result<(), Fault> {
        self.next.settle()
    }

    fn open_trace(&self, trace: &TraceSummary) -> Result<Arc<dyn TraceReader>, Fault> {
        // Compares the whole summary, because the traces that a forecast invents may have the same name.
        let is_it = |asked: &Asked| {
            let told = asked.step().and_then(|step| step.told.as_ref());
            matches!(told, Some(Ok(Outcome::Traces(traces))) if traces.contains(trace))
        };
        let replayed = self.tape().asked.iter().any(is_it);
        if replayed {
            return Ok(Arc::new(crate::store::open_trace(&self.folder, trace)?));
        }
        self.next.open_trace(trace)
    }

    fn now(&self) -> Result<Now, Fault> {
        let mut tape = self.tape();
        match tape.next(|| "`now()`".to_owned(), |asked| matches!(asked, Asked::Now(_))) {
            Some(Ok(Asked::Now(now))) => Ok(now),
            Some(Ok(Asked::Step(_))) => Err(tape.diverge("`now()`")),
            Some(Err(fault)) => Err(fault),
            None => {
                (tape.asked_for_time, tape.is_over) = (true, true);
                self.hand_over(tape)?;
                self.next.now()
            }
        }
    }

    fn stopping(&self) -> bool {
        self.tape().diverged.is_some() || self.next.stopping()
    }

    fn begin_finally(&self) {
        {
            let mut tape = self.tape();
            if tape.next < tape.asked.len() && tape.diverged.is_none() && !self.next.stopping() {
                tape.diverge("the end of the recipe");
            }
            tape.next = tape.asked.len();
        }
        self.next.begin_finally();
    }

    fn coupling_is_doubtful(&self) -> bool {
        let tape = self.tape();
        if tape.is_left() {
            // The record tells whether the alignment was made again here.
            let next = tape.asked.get(tape.next).and_then(Asked::step);
            return next.is_some_and(|recorded| begins_again(&recorded.step));
        }
        drop(tape);
        self.next.coupling_is_doubtful()
    }

    fn suspension(&self) -> Option<&dyn Suspension> {
        // The suspensions of the record are replayed. After its end, the next host decides.
        let is_left = self.tape().is_left();
        if is_left || self.next.suspension().is_some() { Some(self) } else { None }
    }

    fn forecast(&self) -> Option<&dyn Forecast> {
        // The recorded part is known, so there is nothing to predict before its end.
        let is_over = self.tape().is_over;
        self.next.forecast().filter(|_| is_over)
    }
}

impl Suspension for ReplayHost {
    fn suspend(&self, condition: Option<&str>) -> Result<(), Fault> {
        let mut tape = self.tape();
        if tape.is_left() {
            tape.held_by = condition.map(str::to_owned);
            return Ok(());
        }
        tape.held_by = None;
        drop(tape);
        self.suspend_next(condition)
    }

    fn repeat_sweep(&self) -> Result<(), Fault> {
        // The record has the result of the repetition as the outcome of the sweep itself.
        let is_left = self.tape().is_left();
        match self.next.suspension() {
            Some(next) if !is_left => next.repeat_sweep(),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recipe::Recipe;
    use crate::run::resume::transcript::Performed;
    use crate::step::recorder::Recorder;

    /// The steps of a recipe as a past in which each was done.
    fn recorded(text: &str) -> Vec<Asked> {
        let recorder = Recorder::shared();
        Recipe::from_text("a.yaml", text, None, &[]).unwrap().perform(recorder.clone()).unwrap();
        let steps = recorder.steps().into_iter().zip(1..).map(|(step, number)| {
            Asked::Step(Box::new(Performed {
                step: Arc::new(step),
                number,
                attempt: 1,
                open: false,
                told: Some(Ok(Outcome::Done)),
                repeated: None,
                is_stale: false,
                fault: None,
                until: None,
                traces: Vec::new(),
                settings_read: Vec::new(),
                settings_read_after: Vec::new(),
            }))
        });
        steps.collect()
    }

    fn replayed(past: Vec<Asked>, text: &str) -> (Result<(), Fault>, Vec<String>) {
        let recorder = Recorder::shared();
        let recipe = Recipe::from_text("elsewhere/a.yaml", text, None, &[]).unwrap();
        let ended = recipe.perform(Arc::new(ReplayHost::new(past, PathBuf::new(), recorder.clone())));
        (ended, recorder.performed())
    }

    const RECIPE: &str = "
name: a
steps:
  - log: one
  - repeat: { for: x, in: [1, 2], steps: [ { log: \"at ${x}\" } ] }
finally:
  - log: last
";

    #[test]
    fn a_recipe_is_told_its_past_and_performs_what_comes_after_it() {
        let mut past = recorded(RECIPE);
        past.truncate(2);
        let (ended, live) = replayed(past, RECIPE);
        assert_eq!((ended, live), (Ok(()), vec!["at 2".to_owned(), "last".to_owned()]));
    }

    #[test]
    fn a_recipe_that_goes_another_way_is_stopped_and_both_ways_are_named() {
        let mut past = recorded(RECIPE);
        past.truncate(3);
        let (ended, live) = replayed(past, &RECIPE.replace("[1, 2]", "[1, 3]"));
        let fault = ended.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Stopped);
        for part in ["`log { message: at 2 }`", "`log { message: at 3 }`", "(x=3) steps[1].repeat.steps[0]"] {
            assert!(fault.message.contains(part), "no {part} in {fault}");
        }
        assert!(!live.iter().any(|said| said.contains("at")), "{live:?}");
    }
}
