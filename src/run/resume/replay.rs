//! Tells a recipe its recorded past again, without touching the instrument.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::measurement::TraceSummary;
use crate::run::resume::transcript::{Asked, Transcript, same};
use crate::step::{Fault, FaultKind, Host, Outcome, Step, TraceReader};

/// Tells a recipe again what it was told, in the same order; hands on what comes after that.
pub struct ReplayHost<'a> {
    live: &'a dyn Host,
    folder: PathBuf,
    held: Option<&'a Transcript>,
    tape: Mutex<Tape>,
}

#[derive(Debug, Default)]
struct Tape {
    asked: Vec<Asked>,
    next: usize,
    diverged: Option<Fault>,
    last_time_s: Option<f64>,
    /// What the recipe is held by, as far as it is on record.
    held_by: Option<String>,
    /// The recipe was told something that is not on record.
    is_over: bool,
    /// The recipe was told a time that is not on record.
    asked_for_time: bool,
}

impl<'a> ReplayHost<'a> {
    /// Replays `asked`, whose traces are in the run folder `folder`, and goes on with `live`.
    #[must_use]
    pub fn new(asked: Vec<Asked>, folder: PathBuf, live: &'a dyn Host) -> Self {
        Self { live, folder, held: None, tape: Mutex::new(Tape { asked, ..Tape::default() }) }
    }

    /// Also tells what steps gave that are not to be repeated, for whoever has no engine that knows them.
    #[must_use]
    pub(in crate::run) fn with_held(self, past: &'a Transcript) -> Self {
        Self { held: Some(past), ..self }
    }

    /// Where the recipe asked for something else than was recorded.
    #[must_use]
    pub fn diverged(&self) -> Option<Fault> {
        self.tape().diverged.clone()
    }

    /// Whether the recipe was told a time that is not on record: what follows may come out otherwise.
    pub(in crate::run) fn asked_for_time(&self) -> bool {
        self.tape().asked_for_time
    }

    /// The end of the record has come: a recipe that is held there is held from here on as well.
    fn hand_over(&self, mut tape: MutexGuard<'_, Tape>) -> Result<(), Fault> {
        let held_by = tape.held_by.take();
        drop(tape);
        held_by.map_or(Ok(()), |condition| self.live.suspend(Some(&condition)))
    }

    fn tape(&self) -> MutexGuard<'_, Tape> {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tape {
    /// The next thing on record; `None` behind its end.
    fn next(&mut self, asks: &str, fits: impl Fn(&Asked) -> bool) -> Option<Result<Asked, Fault>> {
        if let Some(fault) = &self.diverged {
            return Some(Err(fault.clone()));
        }
        let recorded = self.asked.get(self.next)?;
        if fits(recorded) {
            let recorded = recorded.clone();
            self.next += 1;
            return Some(Ok(recorded));
        }
        Some(Err(self.diverge(asks)))
    }

    /// Whether something is on record that the recipe has not been told yet.
    fn is_left(&self) -> bool {
        self.diverged.is_none() && self.next < self.asked.len()
    }

    fn diverge(&mut self, asks: &str) -> Fault {
        let recorded = self.asked.get(self.next).map_or_else(String::new, |asked| match asked {
            Asked::Step(step) => format!("`{}` at {}", step.step.operation, told_place(&step.step)),
            Asked::Now(_) => "`now()`".to_owned(),
        });
        let message = format!("the recipe goes another way than it went: recorded is {recorded}, now {asks}");
        // Not to be caught: a script that went on would measure something else under the same run.
        let fault = Fault::new(FaultKind::Stopped, message);
        self.diverged = Some(fault.clone());
        fault
    }
}

fn told_place(step: &Step) -> String {
    format!("{}{} ({})", step.place.turns(), step.place.path, step.place)
}

impl Host for ReplayHost<'_> {
    fn perform(&self, step: Step) -> Result<Outcome, Fault> {
        let asks = format!("it asks for `{}` at {}", step.operation, told_place(&step));
        let mut tape = self.tape();
        let fits = |asked: &Asked| asked.step().is_some_and(|recorded| same(&recorded.step, &step));
        match tape.next(&asks, fits) {
            Some(Ok(Asked::Step(recorded))) => {
                drop(tape);
                self.live.was_performed(&step);
                recorded.told.unwrap_or_else(|| Err(Fault::new(FaultKind::Recipe, "a step has no end")))
            }
            Some(Ok(Asked::Now(_))) => Err(tape.diverge(&asks)),
            Some(Err(fault)) => Err(fault),
            None => {
                tape.is_over = true;
                self.hand_over(tape)?;
                self.held.and_then(|past| past.held(&step)).unwrap_or_else(|| self.live.perform(step))
            }
        }
    }

    fn open_trace(&self, trace: &TraceSummary) -> Result<Arc<dyn TraceReader>, Fault> {
        // By all that is known of it: whoever only looks ahead makes up traces that may have the same name.
        let is_it = |asked: &Asked| {
            let told = asked.step().and_then(|step| step.told.as_ref());
            matches!(told, Some(Ok(Outcome::Traces(traces))) if traces.contains(trace))
        };
        let replayed = self.tape().asked.iter().any(is_it);
        if replayed {
            return Ok(Arc::new(crate::store::open_trace(&self.folder, trace)?));
        }
        self.live.open_trace(trace)
    }

    fn now(&self) -> Result<f64, Fault> {
        let mut tape = self.tape();
        match tape.next("it asks for `now()`", |asked| matches!(asked, Asked::Now(_))) {
            Some(Ok(Asked::Now(time_s))) => {
                tape.last_time_s = Some(time_s);
                Ok(time_s)
            }
            Some(Ok(Asked::Step(_))) => Err(tape.diverge("it asks for `now()`")),
            Some(Err(fault)) => Err(fault),
            None => {
                let last = tape.last_time_s.filter(|_| self.held.is_some()).unwrap_or(0.0);
                (tape.asked_for_time, tape.is_over) = (true, true);
                self.hand_over(tape)?;
                // Whoever only looks ahead counts from 0: time goes on from where it was.
                self.live.now().map(|time_s| last + time_s)
            }
        }
    }

    fn stopping(&self) -> bool {
        self.tape().diverged.is_some() || self.live.stopping()
    }

    fn suspends(&self) -> bool {
        // What was judged is on record, and is told again; behind its end the other one decides.
        self.tape().is_left() || self.live.suspends()
    }

    fn suspend(&self, condition: Option<&str>) -> Result<(), Fault> {
        let mut tape = self.tape();
        if tape.is_left() {
            tape.held_by = condition.map(str::to_owned);
            return Ok(());
        }
        tape.held_by = None;
        drop(tape);
        self.live.suspend(condition)
    }

    fn repeat_sweep(&self) -> Result<(), Fault> {
        // What came of it on record is with the sweep itself.
        let is_left = self.tape().is_left();
        if is_left { Ok(()) } else { self.live.repeat_sweep() }
    }

    fn begin_finally(&self) {
        {
            let mut tape = self.tape();
            if tape.next < tape.asked.len() && tape.diverged.is_none() && !self.live.stopping() {
                tape.diverge("it ends");
            }
            tape.next = tape.asked.len();
        }
        self.live.begin_finally();
    }

    fn uses_measurement(&self) {
        // What is on record is known: nothing can come out differently by it.
        let is_over = self.tape().is_over;
        if is_over {
            self.live.uses_measurement();
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
        let recorder = Recorder::default();
        Recipe::from_text("a.yaml", text, None, &[]).unwrap().perform(&recorder).unwrap();
        let steps = recorder.steps.lock().unwrap().clone().into_iter().zip(1..).map(|(step, number)| {
            Asked::Step(Box::new(Performed {
                step,
                number,
                attempt: 1,
                open: false,
                told: Some(Ok(Outcome::Done)),
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
        let recorder = Recorder::default();
        let recipe = Recipe::from_text("elsewhere/a.yaml", text, None, &[]).unwrap();
        let ended = recipe.perform(&ReplayHost::new(past, PathBuf::new(), &recorder));
        (ended, recorder.told())
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
