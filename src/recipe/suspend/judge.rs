//! Judges what is measured while it is measured. Where the condition holds, the recipe is held and probed until it may go
//! on, and the sweep that was not found good is done again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::super::Recipe;
use super::super::walk::Walk;
use super::Suspension;
use crate::measurement::TraceSummary;
use crate::operation::{Operation, Wait};
use crate::step::{Fault, FaultKind, Host, Outcome, Place, SUSPENSION, Step, StepOptions, TraceReader};
use crate::units::Seconds;

/// A host that judges the sweeps of whatever is performed on it: steps, scripts among them, and recipes inside.
pub(in super::super) struct Suspender<'a> {
    recipe: &'a Recipe,
    suspension: &'a Suspension,
    host: &'a dyn Host,
    in_finally: AtomicBool,
    /// A forecast has looked at the probe.
    is_foreseen: AtomicBool,
    judged: Mutex<Judged>,
}

/// What has been judged so far. All of it follows from what the recipe was told, so that a run that is taken up stands
/// where it stood.
#[derive(Debug, Clone, Default)]
struct Judged {
    /// Where the last sweep stands; before the first, nothing is judged: the lasers may not even be set.
    sweep: Option<Place>,
    /// That sweep has not been found good yet.
    is_pending: bool,
    /// When things were found good, s since 1970.
    good_s: Option<f64>,
}

impl<'a> Suspender<'a> {
    pub(in super::super) fn new(recipe: &'a Recipe, suspension: &'a Suspension, host: &'a dyn Host) -> Self {
        let (in_finally, is_foreseen) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { recipe, suspension, host, in_finally, is_foreseen, judged: Mutex::default() }
    }

    /// The steps have ended well: what has not been judged yet is judged now.
    pub(in super::super) fn judge_last(&self) -> Result<(), Fault> {
        match self.judged() {
            Judged { sweep: Some(place), is_pending: true, .. } if self.host.suspends() => self.judge(&place),
            _ => Ok(()),
        }
    }

    /// Has a forecast look at the probe and the conditions once, as they stand behind the first sweep.
    fn foresee(&self, place: &Place) {
        if self.is_foreseen.swap(true, Ordering::Relaxed) {
            return;
        }
        let Suspension { source, probe, condition, resume_when, .. } = self.suspension;
        self.host.look_aside(&mut || {
            let mut walk = Walk::beside(self.recipe, source, self.host, place.loops.clone());
            walk.probe(probe)?;
            walk.flag("condition", condition)?;
            resume_when.as_ref().map_or(Ok(()), |resume| walk.flag("resume_when", resume).map(drop))
        });
    }

    fn judged(&self) -> Judged {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, judged: Judged) {
        *self.judged.lock().unwrap_or_else(PoisonError::into_inner) = judged;
    }

    /// A sweep that is judged right after it is asked for again, before anything of it is fetched.
    fn sweep(&self, step: &Step) -> Result<Outcome, Fault> {
        let Suspension { after_sweep, every_s, .. } = self.suspension;
        let mut since = None;
        loop {
            let outcome = self.host.perform(step.clone())?;
            if *after_sweep && self.hold(&step.place, &mut since)? {
                continue;
            }
            let is_pending = !*after_sweep && !matches!(outcome, Outcome::Failed(_));
            self.note(Judged { sweep: Some(step.place.clone()), is_pending, ..self.judged() });
            if *after_sweep && every_s.is_some() {
                self.found_good()?;
            }
            return Ok(outcome);
        }
    }

    /// Judges before a step when it is time, and at the latest while the last sweep can still be done again as it was.
    fn judge_before(&self, step: &Step, every_s: f64) -> Result<(), Fault> {
        let judged = self.judged();
        if judged.sweep.is_none() {
            return Ok(());
        }
        let is_last_chance = judged.is_pending && step.operation.traits().unsettles_sweep();
        let is_due = is_last_chance
            || match judged.good_s {
                None => true,
                // A clock that was set back must not put it off.
                Some(good_s) => !(0.0..every_s).contains(&(self.host.now()? - good_s)),
            };
        if is_due { self.judge(&step.place) } else { Ok(()) }
    }

    /// Waits in parts, with a judgement after each. The last part is the recipe's own step.
    fn wait_in_parts(&self, mut step: Step, seconds: f64, every_s: f64) -> Result<Outcome, Fault> {
        let mut left = seconds;
        while left > every_s && self.judged().sweep.is_some() && self.host.suspends() {
            self.wait(&step.place, every_s)?;
            self.judge(&step.place)?;
            // A millionth of a second less or more is nobody's, and reads badly.
            left = ((left - every_s) * 1e6).round() / 1e6;
            step.operation = wait_for(left)?;
        }
        self.host.perform(step)
    }

    /// Judges; holds as long as things are bad. A sweep that was not found good before is done again, and judged again.
    fn judge(&self, place: &Place) -> Result<(), Fault> {
        let mut since = None;
        while self.hold(place, &mut since)? && self.judged().is_pending {
            self.host.repeat_sweep()?;
        }
        self.found_good()
    }

    fn found_good(&self) -> Result<(), Fault> {
        if self.host.suspends() {
            let good_s = Some(self.host.now()?);
            self.note(Judged { is_pending: false, good_s, ..self.judged() });
        }
        Ok(())
    }

    /// Probes and holds while things are bad; returns whether they were. `since` is when that began for the sweep in
    /// question.
    fn hold(&self, place: &Place, since: &mut Option<f64>) -> Result<bool, Fault> {
        let Suspension { condition, for_s, probe_every_s, .. } = self.suspension;
        if !self.host.suspends() {
            return Ok(false);
        }
        let mut walk = Walk::beside(self.recipe, &self.suspension.source, self.host, place.loops.clone());
        let holds = |walk: &Walk| walk.flag("condition", condition);
        walk.probe(&self.suspension.probe)?;
        if !holds(&walk)? {
            return Ok(false);
        }
        let began = self.host.now()?;
        while self.host.suspends() && self.host.now()? - began < *for_s {
            self.wait(place, *probe_every_s)?;
            walk.probe(&self.suspension.probe)?;
            if !holds(&walk)? {
                return Ok(false);
            }
        }
        let since = *since.get_or_insert(began);
        self.host.suspend(Some(condition.written.text().unwrap_or_default()))?;
        self.wait_until_good(&mut walk, place, since)?;
        self.host.suspend(None)?;
        Ok(true)
    }

    fn wait_until_good(&self, walk: &mut Walk<'a>, place: &Place, since: f64) -> Result<(), Fault> {
        let suspension = self.suspension;
        let mut good_since = None;
        // A forecast may begin in the middle of a suspension that is on record.
        while self.host.suspends() {
            self.wait(place, suspension.probe_every_s)?;
            walk.probe(&suspension.probe)?;
            let is_good = match &suspension.resume_when {
                Some(resume) => walk.flag("resume_when", resume)?,
                None => !walk.flag("condition", &suspension.condition)?,
            };
            let now = self.host.now()?;
            good_since = is_good.then(|| good_since.unwrap_or(now));
            if good_since.is_some_and(|good| now - good >= suspension.settle_s) {
                return Ok(());
            }
            if now - since >= suspension.timeout_s {
                let message = format!("suspended for {} s and still not good", suspension.timeout_s);
                let fault = Fault::new(FaultKind::Timeout, message);
                return Err(fault.at(&suspension.source.name, suspension.at));
            }
        }
        Ok(())
    }

    fn wait(&self, place: &Place, seconds: f64) -> Result<(), Fault> {
        let place =
            Place { position: Some(self.suspension.at), path: format!("{SUSPENSION}wait"), ..place.clone() };
        let step = Step { operation: wait_for(seconds)?, options: StepOptions::default(), place };
        self.host.perform(step).map(drop)
    }
}

fn wait_for(seconds: f64) -> Result<Operation, Fault> {
    let seconds = Seconds::new(seconds);
    let seconds = seconds.map_err(|error| Fault::new(FaultKind::Recipe, error.to_string()))?;
    Ok(Operation::Wait(Wait::Seconds(seconds)))
}

impl Host for Suspender<'_> {
    fn perform(&self, step: Step) -> Result<Outcome, Fault> {
        if self.in_finally.load(Ordering::Relaxed) {
            return self.host.perform(step);
        }
        if !self.host.suspends() {
            let swept = matches!(step.operation, Operation::Sweep(_)).then(|| step.place.clone());
            let outcome = self.host.perform(step)?;
            swept.iter().for_each(|place| self.foresee(place));
            return Ok(outcome);
        }
        let every_s = self.suspension.every_s;
        every_s.map_or(Ok(()), |every_s| self.judge_before(&step, every_s))?;
        match (&step.operation, every_s) {
            (Operation::Sweep(_), _) => self.sweep(&step),
            (Operation::Wait(Wait::Seconds(seconds)), Some(every_s)) => {
                let seconds = seconds.get();
                self.wait_in_parts(step, seconds, every_s)
            }
            _ => self.host.perform(step),
        }
    }
    fn open_trace(&self, trace: &TraceSummary) -> Result<Arc<dyn TraceReader>, Fault> {
        self.host.open_trace(trace)
    }
    fn now(&self) -> Result<f64, Fault> {
        self.host.now()
    }
    fn stopping(&self) -> bool {
        self.host.stopping()
    }
    fn begin_finally(&self) {
        self.in_finally.store(true, Ordering::Relaxed);
        self.host.begin_finally();
    }
    fn uses_measurement(&self) {
        self.host.uses_measurement();
    }
}
