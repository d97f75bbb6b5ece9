//! Judges sweeps during a run. If the condition of `suspend_when` is true, the recipe is held and probed until it may
//! continue. A sweep that was not found good is repeated.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::super::Recipe;
use super::super::walk::Walk;
use super::SuspendRule;
use crate::measurement::{Detector, TraceSummary};
use crate::operation::{Operation, Wait};
use crate::step::{
    Fault, FaultKind, Forecast, Host, Now, Outcome, Place, RunTime, SUSPENSION, Step, StepOptions,
    Suspension, TraceReader, Values,
};
use crate::units::Seconds;

/// A host that judges the sweeps of everything that a recipe performs, its scripts and inner recipes included.
pub(in super::super) struct Suspender {
    rule: Arc<SuspendRule>,
    /// The parameters and detectors of the recipe, which the rule may use.
    parameters: Values,
    detectors: BTreeMap<String, Detector>,
    host: Arc<dyn Host>,
    in_finally: AtomicBool,
    /// The forecast has checked the probe.
    is_forecast_done: AtomicBool,
    judged: Mutex<Judged>,
}

/// The result of the judgements so far. It depends only on outcomes that are recorded, so a resumed run gets the same.
#[derive(Debug, Clone, Default)]
struct Judged {
    /// The place of the last sweep. Before the first sweep nothing is judged, because the lasers may not be set yet.
    sweep: Option<Place>,
    /// The last sweep has not been found good yet.
    is_pending: bool,
    /// The time of the last good judgement.
    good: Option<Now>,
}

impl Suspender {
    pub(in super::super) fn new(rule: Arc<SuspendRule>, recipe: &Recipe, host: Arc<dyn Host>) -> Self {
        let (parameters, detectors) = (recipe.parameters().clone(), recipe.header().detectors.clone());
        let (in_finally, is_forecast_done) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { rule, parameters, detectors, host, in_finally, is_forecast_done, judged: Mutex::default() }
    }

    /// Judges the last sweep if it is still pending when the steps have ended without a fault.
    pub(in super::super) fn judge_last(&self) -> Result<(), Fault> {
        match self.judged() {
            Judged { sweep: Some(place), is_pending: true, .. } if self.suspends() => self.judge(&place),
            _ => Ok(()),
        }
    }

    /// Whether the host obeys the rule at this point: a resumed run's forecast does so only within its record.
    fn suspends(&self) -> bool {
        self.host.suspension().is_some()
    }

    /// Lets a forecast check the probe and the conditions once, with the state after the first sweep.
    fn check_in_forecast(&self, place: &Place) {
        let Some(forecast) = self.host.forecast() else { return };
        if self.is_forecast_done.swap(true, Ordering::Relaxed) {
            return;
        }
        let SuspendRule { probe, condition, resume_when, .. } = &*self.rule;
        forecast.outside_plan(&mut || {
            let mut walk = self.walk(place);
            walk.probe(probe)?;
            walk.flag("condition", condition)?;
            resume_when.as_ref().map_or(Ok(()), |resume| walk.flag("resume_when", resume).map(drop))
        });
    }

    /// A walk through the steps of the rule, for the recipe's step at `place`.
    fn walk(&self, place: &Place) -> Walk<'_> {
        let names = (&self.parameters, &self.detectors);
        Walk::of_suspension(names, &self.rule.source, &self.host, place.loops.clone())
    }

    fn judged(&self) -> Judged {
        self.judged.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_judged(&self, judged: Judged) {
        *self.judged.lock().unwrap_or_else(PoisonError::into_inner) = judged;
    }

    /// Performs a sweep. With `after: sweep` it is judged at once, and performed again until it is good.
    fn sweep(&self, step: &Step) -> Result<Outcome, Fault> {
        let SuspendRule { after_sweep, every_s, .. } = &*self.rule;
        let mut since = None;
        loop {
            let outcome = self.host.perform(step.clone())?;
            if *after_sweep && self.hold(&step.place, &mut since)? {
                continue;
            }
            let is_pending = !*after_sweep && !matches!(outcome, Outcome::Failed(_));
            self.set_judged(Judged { sweep: Some(step.place.clone()), is_pending, ..self.judged() });
            if *after_sweep && every_s.is_some() {
                self.found_good()?;
            }
            return Ok(outcome);
        }
    }

    /// Judges before a step if `every_s` has passed, or if the step makes it impossible to repeat the pending sweep.
    fn judge_before(&self, step: &Step, every_s: f64) -> Result<(), Fault> {
        let judged = self.judged();
        if judged.sweep.is_none() {
            return Ok(());
        }
        let is_last_chance = judged.is_pending && step.operation.traits().unsettles_sweep();
        let is_due = is_last_chance
            || match judged.good {
                None => true,
                Some(good) => {
                    let now = self.host.now()?;
                    match now.run.without_gap_since(good.run) {
                        Some(passed) => passed >= every_s,
                        // Only the clock on the wall went on between two processes.
                        None => !(0.0..every_s).contains(&(now.wall.time_s - good.wall.time_s)),
                    }
                }
            };
        if is_due { self.judge(&step.place) } else { Ok(()) }
    }

    /// Divides a long wait into parts and judges after each part. The last part is the recipe's own step.
    fn wait_in_parts(&self, mut step: Step, seconds: f64, every_s: f64) -> Result<Outcome, Fault> {
        let mut left = seconds;
        while left > every_s && self.judged().sweep.is_some() && self.suspends() {
            self.wait(&step.place, every_s)?;
            self.judge(&step.place)?;
            // Rounding to a microsecond keeps the time readable in the journal.
            left = ((left - every_s) * 1e6).round() / 1e6;
            step.operation = wait_for(left)?;
        }
        self.host.perform(step)
    }

    /// Judges, and holds the recipe while the condition is true. A pending sweep is then repeated and judged again.
    fn judge(&self, place: &Place) -> Result<(), Fault> {
        let mut since = None;
        while self.hold(place, &mut since)? && self.judged().is_pending {
            if let Some(suspension) = self.host.suspension() {
                suspension.repeat_sweep()?;
            }
        }
        self.found_good()
    }

    fn found_good(&self) -> Result<(), Fault> {
        if self.suspends() {
            let good = Some(self.host.now()?);
            self.set_judged(Judged { is_pending: false, good, ..self.judged() });
        }
        Ok(())
    }

    /// Probes, and holds the recipe while the condition is true. Returns whether the recipe was held. `since` is the
    /// time of the first suspension because of the same sweep; `timeout_s` counts from there.
    fn hold(&self, place: &Place, since: &mut Option<RunTime>) -> Result<bool, Fault> {
        let SuspendRule { condition, for_s, probe_every_s, .. } = &*self.rule;
        if !self.suspends() {
            return Ok(false);
        }
        let mut walk = self.walk(place);
        let is_bad = |walk: &Walk| walk.flag("condition", condition);
        walk.probe(&self.rule.probe)?;
        if !is_bad(&walk)? {
            return Ok(false);
        }
        let mut began = self.run_time()?;
        while self.suspends() {
            let now = self.run_time()?;
            match now.without_gap_since(began) {
                Some(passed) if passed >= *for_s => break,
                Some(_) => {}
                // The condition was not watched between two processes, so its time begins again.
                None => began = now,
            }
            self.wait(place, *probe_every_s)?;
            walk.probe(&self.rule.probe)?;
            if !is_bad(&walk)? {
                return Ok(false);
            }
        }
        let since = *since.get_or_insert(began);
        self.report(Some(condition.written.text().unwrap_or_default()))?;
        self.wait_until_good(&mut walk, place, since)?;
        self.report(None)?;
        Ok(true)
    }

    /// The time by which durations are measured.
    fn run_time(&self) -> Result<RunTime, Fault> {
        Ok(self.host.now()?.run)
    }

    /// Reports the begin of a suspension with its condition, or its end.
    fn report(&self, condition: Option<&str>) -> Result<(), Fault> {
        self.host.suspension().map_or(Ok(()), |suspension| suspension.suspend(condition))
    }

    fn wait_until_good<'a>(
        &'a self,
        walk: &mut Walk<'a>,
        place: &Place,
        since: RunTime,
    ) -> Result<(), Fault> {
        let rule = &*self.rule;
        let mut good_since: Option<RunTime> = None;
        // The record of an interrupted run may end within a suspension. Its forecast leaves the suspension there.
        while self.suspends() {
            self.wait(place, rule.probe_every_s)?;
            walk.probe(&rule.probe)?;
            let is_good = match &rule.resume_when {
                Some(resume) => walk.flag("resume_when", resume)?,
                None => !walk.flag("condition", &rule.condition)?,
            };
            let now = self.run_time()?;
            // After a gap between two processes, the bench has to settle again.
            let watched = good_since.filter(|good| now.without_gap_since(*good).is_some());
            good_since = is_good.then(|| watched.unwrap_or(now));
            if good_since.is_some_and(|good| now.since(good) >= rule.settle_s) {
                return Ok(());
            }
            if now.since(since) >= rule.timeout_s {
                let message =
                    format!("suspended for {} s, and the run still cannot continue", rule.timeout_s);
                let fault = Fault::new(FaultKind::Timeout, message);
                return Err(fault.at(&rule.source.name, rule.at));
            }
        }
        Ok(())
    }

    fn wait(&self, place: &Place, seconds: f64) -> Result<(), Fault> {
        let place =
            Place { position: Some(self.rule.at), path: format!("{SUSPENSION}wait"), ..place.clone() };
        let step = Step { operation: wait_for(seconds)?, options: StepOptions::default(), place };
        self.host.perform(step).map(drop)
    }
}

fn wait_for(seconds: f64) -> Result<Operation, Fault> {
    let seconds = Seconds::new(seconds);
    let seconds = seconds.map_err(|error| Fault::new(FaultKind::Recipe, error.to_string()))?;
    Ok(Operation::Wait(Wait::Seconds(seconds)))
}

impl Host for Suspender {
    fn perform(&self, step: Step) -> Result<Outcome, Fault> {
        if self.in_finally.load(Ordering::Relaxed) {
            return self.host.perform(step);
        }
        if !self.suspends() {
            let swept = step.operation.traits().is_sweep().then(|| step.place.clone());
            let outcome = self.host.perform(step)?;
            swept.iter().for_each(|place| self.check_in_forecast(place));
            return Ok(outcome);
        }
        let every_s = self.rule.every_s;
        every_s.map_or(Ok(()), |every_s| self.judge_before(&step, every_s))?;
        let traits = step.operation.traits();
        if traits.is_sweep() {
            return self.sweep(&step);
        }
        match traits.pause_s().zip(every_s) {
            Some((seconds, every_s)) => self.wait_in_parts(step, seconds, every_s),
            None => self.host.perform(step),
        }
    }

    fn perform_later(&self, step: Step) -> Result<(), Fault> {
        if self.in_finally.load(Ordering::Relaxed) || !self.suspends() {
            return self.host.perform_later(step);
        }
        // The rule is judged between the steps.
        self.perform(step).map(drop)
    }

    fn settle(&self) -> Result<(), Fault> {
        self.host.settle()
    }

    fn open_trace(&self, trace: &TraceSummary) -> Result<Arc<dyn TraceReader>, Fault> {
        self.host.open_trace(trace)
    }

    fn now(&self) -> Result<Now, Fault> {
        self.host.now()
    }

    fn stopping(&self) -> bool {
        self.host.stopping()
    }

    fn begin_finally(&self) {
        self.in_finally.store(true, Ordering::Relaxed);
        self.host.begin_finally();
    }

    fn coupling_is_doubtful(&self) -> bool {
        self.host.coupling_is_doubtful()
    }

    fn suspension(&self) -> Option<&dyn Suspension> {
        // The recipe on this host is suspended here, so nothing above may suspend it a second time.
        None
    }

    fn forecast(&self) -> Option<&dyn Forecast> {
        self.host.forecast()
    }
}
