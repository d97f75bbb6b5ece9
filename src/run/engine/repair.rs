//! Performs sweeps in the middle of a resumed run again, to replace damaged traces, before the run continues.

use std::collections::BTreeSet;
use std::time::Duration;

use super::Engine;
use super::policy::after_fault;
use crate::instrument::scpi::Action;
use crate::run::context::{RepairOf, StepContext};
use crate::run::events::{AfterFault, RunEvent};
use crate::run::resume::repair::{Repair, Repairs};
use crate::run::resume::transcript::Performed;
use crate::run::state::configuration::Configuration;
use crate::run::state::history::Slot;
use crate::step::{Fault, FaultKind, Outcome};

impl Engine {
    /// Performs what is damaged again, and leaves the instrument to be set as the run intends it now.
    ///
    /// # Errors
    /// When a step fails and may not be tried again, or when the run is being stopped.
    pub(in crate::run) async fn repair(&mut self, repairs: &Repairs) -> Result<(), Fault> {
        if !repairs.list.is_empty() {
            self.repair_traces(repairs).await?;
        }
        for number in &repairs.analyses {
            self.repeat_recorded(*number).await?;
        }
        Ok(())
    }

    async fn repair_traces(&mut self, repairs: &Repairs) -> Result<(), Fault> {
        let mut stop = self.control.stop_receiver();
        let repaired = tokio::select! {
            biased;
            reason = stop.asked(false) => Err(Fault::new(FaultKind::Stopped, reason)),
            repaired = self.repair_all(repairs) => repaired,
        };
        if repaired.is_err() {
            self.break_off().await;
        }
        self.bench.swept = None;
        self.bench.memory_is_doubtful = true;
        let of_earlier = self.bench.intended().lit();
        self.bench.intend_earlier(None);
        for laser in self.bench.relight(&of_earlier) {
            self.bench.act(&Action::SetLaserOutput { laser, on: false }).await?;
        }
        repaired
    }

    async fn repair_all(&mut self, repairs: &Repairs) -> Result<(), Fault> {
        for repair in &repairs.list {
            let sweep = repair.sweep.and_then(|number| self.performed(number));
            let mut attempts_left =
                sweep.as_ref().and_then(|sweep| sweep.step.options.retry).map_or(0, |retry| retry.times);
            loop {
                let Err(fault) = self.repair_one(repair, sweep.as_ref()).await else { break };
                let Some(sweep) = &sweep else { return Err(fault) };
                if let Some(bytes) = self.shortage.wanted.take() {
                    self.wait_for_disk_space(bytes).await?;
                    continue;
                }
                let retry = sweep.step.options.retry.filter(|_| attempts_left > 0);
                let AfterFault::Retry { after_s } = after_fault(&sweep.step, &fault, retry) else {
                    return Err(fault);
                };
                self.pause(Duration::from_secs_f64(after_s)).await?;
                attempts_left -= 1;
            }
        }
        for number in &repairs.after {
            self.repeat_recorded(*number).await?;
        }
        Ok(())
    }

    async fn repair_one(&mut self, repair: &Repair, sweep: Option<&Performed>) -> Result<(), Fault> {
        let files = repair.damaged.iter().map(|(file, _)| file.clone()).collect();
        let number = repair.sweep.unwrap_or(repair.turn);
        self.log.emit_durable(RunEvent::SweepRepeated { number, files }).await?;
        let mut of_earlier = Configuration::default();
        for step in self.earlier.steps().take_while(|step| step.number < repair.turn) {
            if let Some(Ok(outcome)) = &step.told {
                of_earlier.note(&step.step.operation, outcome);
            }
        }
        self.bench.intend_earlier(Some(of_earlier));
        self.bench.begin_attempt();
        self.bench.restore_if_forgotten(number).await?;
        for number in &repair.before {
            self.repeat_recorded(*number).await?;
        }
        self.bench.relight(&BTreeSet::new());
        self.bench.light().await?;
        let told = {
            let mut steps = self.earlier.steps();
            steps.find_map(|step| first_trace(step).filter(|_| repair.fetches.contains(&step.number)))
        };
        let last = self.log.history(|history| history.sweep.as_ref().map_or(0, |sweep| sweep.index));
        let (sweep_index, known) = told.unwrap_or((last, 0));
        let attempt = known.max(sweep.map_or(0, |sweep| sweep.attempt)) + 1;
        if let Some(sweep) = sweep {
            let ctx = StepContext::again(sweep.number, attempt, sweep.step.clone());
            let outcome = self.redo_step(&ctx).await?;
            self.bench.note_earlier(&ctx.step.operation, &outcome);
        }
        for number in &repair.fetches {
            let Some(fetch) = self.performed(*number) else { continue };
            let slots = slots(&fetch);
            let of = RepairOf { sweep_index, attempt, slots };
            let ctx = StepContext { repair: Some(of), ..StepContext::again(*number, attempt, fetch.step) };
            self.redo_step(&ctx).await?;
        }
        Ok(())
    }

    /// Performs a step of the transcript once more.
    async fn repeat_recorded(&mut self, number: u64) -> Result<(), Fault> {
        let Some(known) = self.performed(number) else { return Ok(()) };
        if known.step.operation.traits().reference().is_some() {
            self.bench.relight(&BTreeSet::new());
            self.bench.light().await?;
        }
        let ctx = StepContext::again(number, known.attempt + 1, known.step);
        let outcome = self.redo_step(&ctx).await?;
        self.bench.note_earlier(&ctx.step.operation, &outcome);
        Ok(())
    }

    fn performed(&self, number: u64) -> Option<Performed> {
        self.earlier.steps().find(|step| step.number == number).cloned()
    }
}

/// The sweep that the first trace of a fetch belongs to, and the attempt at it.
fn first_trace(step: &Performed) -> Option<(u64, u32)> {
    let Some(Ok(Outcome::Traces(told))) = &step.told else { return None };
    let attempt = step.traces.iter().chain(told).map(|trace| trace.attempt).max()?;
    Some((told.first()?.sweep_index, attempt))
}

/// The places of a fetch's traces, each with the file that is there.
fn slots(fetch: &Performed) -> Vec<Slot> {
    let Some(Ok(Outcome::Traces(told))) = &fetch.told else { return Vec::new() };
    let stored = |file: &str| fetch.traces.iter().rfind(|stored| stored.file == file).cloned();
    told.iter().map(|told| Slot { trace_index: told.trace_index, stored: stored(&told.file) }).collect()
}
