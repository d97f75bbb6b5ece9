//! Does sweeps in the middle of a resumed run's past again, before the run goes on.

use std::time::Duration;

use crate::instrument::scpi::Action;
use crate::run::engine::Engine;
use crate::run::engine::policy::after_fault;
use crate::run::engine::session::Slot;
use crate::run::events::{AfterFault, RunEvent};
use crate::run::resume::repair::{Repair, Repairs};
use crate::run::resume::transcript::Performed;
use crate::run::state::configuration::Configuration;
use crate::step::{Fault, FaultKind, Outcome};
use crate::store::Durability;

impl Engine {
    /// Does what is damaged again, and leaves the instrument to be set as it was at the end of the past.
    ///
    /// # Errors
    /// When a step fails and may not be tried again, or when the run is being stopped.
    pub(in crate::run) async fn mend(&mut self, repairs: &Repairs) -> Result<(), Fault> {
        if repairs.list.is_empty() {
            return Ok(());
        }
        let present = self.session.configuration.clone();
        let unit = self.session.unit.take();
        let counts = (self.session.sweep_index, self.session.attempt, self.session.live_is_old, self.number);
        let mut stop = self.reins.stop_receiver();
        let mended = tokio::select! {
            biased;
            reason = stop.asked(false) => Err(Fault::new(FaultKind::Stopped, reason)),
            mended = self.mend_all(repairs) => mended,
        };
        if mended.is_err() {
            self.break_off().await;
        }
        (self.session.sweep_index, self.session.attempt, self.session.live_is_old, self.number) = counts;
        self.session.slots.clear();
        self.session.swept = None;
        self.session.unit = unit;
        if let Some(unit) = &mut self.session.unit {
            unit.stale = true;
        }
        let lit = self.session.configuration.lit();
        for laser in lit.difference(&present.lit()) {
            self.instrument.act(&Action::SetLaserOutput { laser: *laser, on: false }).await?;
        }
        self.session.unlit = present.lit();
        self.session.configuration = present;
        self.session.unsettled = true;
        mended
    }

    async fn mend_all(&mut self, repairs: &Repairs) -> Result<(), Fault> {
        for repair in &repairs.list {
            let sweep = repair.sweep.and_then(|number| self.performed(number));
            let mut tries =
                sweep.as_ref().and_then(|sweep| sweep.step.options.retry).map_or(0, |retry| retry.times);
            loop {
                let Err(fault) = self.mend_one(repair, sweep.as_ref()).await else { break };
                let Some(sweep) = &sweep else { return Err(fault) };
                if let Some(room) = self.shortage.wanted.take() {
                    self.wait_for_room(room).await?;
                    continue;
                }
                let retry = sweep.step.options.retry.filter(|_| tries > 0);
                let AfterFault::Retry { after_s } = after_fault(&sweep.step, &fault, retry) else {
                    return Err(fault);
                };
                self.pause(Duration::from_secs_f64(after_s)).await?;
                tries -= 1;
            }
        }
        for number in &repairs.after {
            self.repeat_recorded(*number).await?;
        }
        Ok(())
    }

    async fn mend_one(&mut self, repair: &Repair, sweep: Option<&Performed>) -> Result<(), Fault> {
        let files = repair.damaged.iter().map(|(file, _)| file.clone()).collect();
        let number = repair.sweep.unwrap_or(repair.turn);
        self.events.tell(RunEvent::SweepRepeated { number, files }, Durability::Now)?;
        let mut then = Configuration::default();
        for step in self.past.steps().take_while(|step| step.number < repair.turn) {
            if let Some(Ok(outcome)) = &step.told {
                then.note(&step.step.operation, outcome);
            }
        }
        self.session.configuration = then;
        self.session.unsettled = true;
        self.make_good().await?;
        for number in &repair.before {
            self.repeat_recorded(*number).await?;
        }
        self.session.unlit = self.session.configuration.lit();
        self.light().await?;
        let told = {
            let mut steps = self.past.steps();
            steps.find_map(|step| first_trace(step).filter(|_| repair.fetches.contains(&step.number)))
        };
        let (index, known) = told.unwrap_or((self.session.sweep_index, 0));
        let attempt = known.max(sweep.map_or(0, |sweep| sweep.attempt)) + 1;
        self.session.sweep_index = index;
        if let Some(sweep) = sweep {
            self.redo_step(sweep.number, &sweep.step, attempt).await?;
        }
        for number in &repair.fetches {
            let Some(fetch) = self.performed(*number) else { continue };
            self.session.live_is_old = false;
            self.session.slots = slots(&fetch);
            self.redo_step(*number, &fetch.step, attempt).await?;
        }
        Ok(())
    }

    /// Performs a step of the past once more.
    async fn repeat_recorded(&mut self, number: u64) -> Result<(), Fault> {
        let Some(known) = self.performed(number) else { return Ok(()) };
        if known.step.operation.traits().reference().is_some() {
            self.session.unlit = self.session.configuration.lit();
            self.light().await?;
        }
        let outcome = self.redo_step(number, &known.step, known.attempt + 1).await?;
        self.session.configuration.note(&known.step.operation, &outcome);
        Ok(())
    }

    fn performed(&self, number: u64) -> Option<Performed> {
        self.past.steps().find(|step| step.number == number).cloned()
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
