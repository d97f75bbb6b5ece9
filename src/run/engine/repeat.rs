//! A sweep and the fetches behind it, which are repeated as a whole: the instrument's memory holds one sweep.

use std::time::{Duration, Instant};

use crate::measurement::TraceSummary;
use crate::operation::Memory;
use crate::run::engine::Engine;
use crate::run::engine::policy::after_fault;
use crate::run::events::{AfterFault, RunEvent};
use crate::step::{Fault, FaultKind, Outcome, Step};
use crate::store::Durability;

/// A sweep with what has been fetched after it: what is repeated as a whole.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::run) struct Unit {
    number: u64,
    pub(in crate::run) sweep: Step,
    fetched: Vec<(u64, Step, Vec<TraceSummary>)>,
    /// What is in the instrument's memory need not be this sweep's any more.
    pub(in crate::run) stale: bool,
}

impl Unit {
    /// Takes a step into account that is done.
    pub(in crate::run) fn note(unit: &mut Option<Self>, number: u64, step: &Step, outcome: &Outcome) {
        let traits = step.operation.traits();
        match (traits.memory, outcome) {
            (Memory::ReplacesLive, Outcome::Failed(_)) | (Memory::ReplacesReference(_), _) => *unit = None,
            (Memory::ReplacesLive, _) => {
                *unit = Some(Self { number, sweep: step.clone(), fetched: Vec::new(), stale: false });
            }
            (Memory::Reads(_), Outcome::Traces(fetched)) if traits.reads_live() => {
                if let Some(unit) = unit {
                    unit.fetched.push((number, step.clone(), fetched.clone()));
                }
            }
            (Memory::Reads(_) | Memory::Keeps | Memory::Unknown, _) => {}
        }
    }
}

impl Engine {
    /// Does the last sweep again with what was fetched after it, as often as the sweep itself is tried.
    pub(in crate::run) async fn repeat_sweep(&mut self) -> Result<(), Fault> {
        self.prove_readings().await?;
        let Some(unit) = &self.session.unit else { return Ok(()) };
        let sweep = unit.sweep.clone();
        let mut tries = sweep.options.retry.map_or(0, |retry| retry.times);
        loop {
            self.hold_while_paused().await?;
            if let Some(reason) = self.stop_reason() {
                return Err(Fault::new(FaultKind::Stopped, reason));
            }
            if let Some(unit) = &mut self.session.unit {
                unit.stale = true;
            }
            let Err(fault) = self.settle_unless_stopped(&sweep, true).await else { return Ok(()) };
            if let Some(room) = self.shortage.wanted.take() {
                self.wait_for_room(room).await?;
                continue;
            }
            match after_fault(&sweep, &fault, sweep.options.retry.filter(|_| tries > 0)) {
                AfterFault::Retry { after_s } => {
                    self.pause(Duration::from_secs_f64(after_s)).await?;
                    tries -= 1;
                }
                AfterFault::Continue => {
                    self.failed_steps += 1;
                    return Ok(());
                }
                AfterFault::Raise => return Err(fault),
            }
        }
    }

    /// Does the last sweep again and brings anew what has been fetched after it, each trace in its old place.
    pub(in crate::run) async fn sweep_again(&mut self) -> Result<(), Fault> {
        let Some(mut unit) = self.session.unit.take() else { return Ok(()) };
        let present = (self.number, self.attempt, self.tries, self.place.clone());
        let slots = std::mem::take(&mut self.session.slots);
        let done = self.redo(&mut unit).await;
        self.session.slots = slots;
        (self.number, self.attempt, self.tries, self.place) = present;
        unit.stale = done.is_err();
        self.session.unit = Some(unit);
        done
    }

    async fn redo(&mut self, unit: &mut Unit) -> Result<(), Fault> {
        let attempt = self.session.attempt + 1;
        self.redo_step(unit.number, &unit.sweep, attempt).await?;
        for (number, step, traces) in &mut unit.fetched {
            self.session.slots = traces.iter().cloned().map(Into::into).collect();
            let fetched = self.redo_step(*number, step, attempt).await;
            *traces = self.session.slots.iter().filter_map(|slot| slot.stored.clone()).collect();
            fetched?;
        }
        Ok(())
    }

    /// Performs a step of the past once more, in its old place.
    pub(in crate::run) async fn redo_step(
        &mut self,
        number: u64,
        step: &Step,
        attempt: u32,
    ) -> Result<Outcome, Fault> {
        // What has been fetched from the sweep before this one is fetched again.
        self.shortage.fetched.clear();
        // Another try at a sweep that is counted already.
        (self.number, self.attempt, self.tries) = (number, attempt, 2);
        self.place = step.place.clone();
        let estimated_s = None;
        let started = RunEvent::StepStarted { number, attempt, step: step.clone(), estimated_s };
        self.events.tell(started, Durability::Now)?;
        let began = Instant::now();
        match self.perform_proved(step).await {
            Ok(outcome) => {
                let seconds = began.elapsed().as_secs_f64();
                self.events.say(RunEvent::StepFinished { number, outcome: outcome.clone(), seconds })?;
                Ok(outcome)
            }
            Err(fault) => {
                // What follows is decided by the step for whose sake this one was repeated.
                let then = AfterFault::Retry { after_s: 0.0 };
                self.events.say(RunEvent::StepFailed { number, fault: fault.clone(), then })?;
                Err(fault)
            }
        }
    }
}
