//! Before each attempt: what the run has set is on the instrument, its lasers are on where light is needed, and what is
//! about to be fetched is what the run's own sweep has left in memory.
//!
//! After a loss of the link all this may be gone: the instrument may have been switched off and on. A run that is taken
//! up again stands at the same point.

use std::time::Duration;

use crate::instrument::scpi::Action;
use crate::instrument::{LinkEvent, Presence};
use crate::run::engine::sweep::Settled;
use crate::run::engine::{ABORT_LIMIT, Engine};
use crate::run::events::RunEvent;
use crate::step::{Fault, FaultKind, Retry, Step};

/// What the run has set is set again so many times within one attempt at a step.
const ROUNDS: u32 = 5;

impl Engine {
    /// How often the step is tried again: a fetch without a word about it has its sweep's.
    pub(in crate::run) fn retry(&self, step: &Step) -> Option<Retry> {
        let fetches = step.operation.traits().reads_live();
        let of_sweep = || self.session.unit.as_ref().filter(|_| fetches)?.sweep.options.retry;
        step.options.retry.or_else(of_sweep)
    }

    /// A fetch has failed and is tried again: with its sweep.
    pub(in crate::run) fn distrust_memory(&mut self, step: &Step) {
        if let (Some(_), Some(unit)) = (step.operation.traits().fetch(), &mut self.session.unit) {
            unit.stale = true;
        }
    }

    /// Makes the instrument what the step relies on, unless the run is being stopped.
    pub(in crate::run) async fn settle(&mut self, step: &Step) -> Result<(), Fault> {
        let reads_memory = step.operation.traits().reads_live();
        self.settle_unless_stopped(step, reads_memory).await
    }

    pub(in crate::run) async fn settle_unless_stopped(
        &mut self,
        step: &Step,
        reads_memory: bool,
    ) -> Result<(), Fault> {
        // What cleans up must not begin by setting things, nor by light.
        if self.finally_until.is_some() {
            return Ok(());
        }
        let mut stop = self.reins.stop_receiver();
        let (pulse, presence) = (self.pulse.clone(), self.instrument.presence());
        let away = || !matches!(&*presence.borrow(), Presence::Here(_));
        let settled = tokio::select! {
            biased;
            reason = stop.asked(false) => Err(Fault::new(FaultKind::Stopped, reason)),
            settled = self.settle_now(step, reads_memory) => settled,
            never = pulse.beats_while(away) => match never {},
        };
        if settled.is_err() {
            self.break_off().await;
        }
        settled
    }

    async fn settle_now(&mut self, step: &Step, reads_memory: bool) -> Result<(), Fault> {
        let traits = step.operation.traits();
        if !traits.uses_instrument() {
            return Ok(());
        }
        // A connection that has died since the last step shows only when it is used.
        self.find_instrument(step).await?;
        self.make_good().await?;
        self.know_settings().await?;
        self.learn_settings().await?;
        if traits.needs_light {
            self.light().await?;
        }
        let stale = self.session.unit.as_ref().is_some_and(|unit| unit.stale);
        if stale && reads_memory {
            self.light().await?;
            self.sweep_again().await?;
        }
        Ok(())
    }

    /// Returns when the instrument answers; a step that has a time limit does not wait for longer than that.
    async fn find_instrument(&self, step: &Step) -> Result<(), Fault> {
        let limit =
            step.options.timeout_s.map_or(Duration::MAX, |limit| Duration::from_secs_f64(limit.get()));
        self.beat()?;
        match tokio::time::timeout(limit, self.instrument.condition()).await {
            Ok(answered) => Ok(answered.map(drop)?),
            Err(_) => {
                let message = format!("the instrument did not answer within {} s", limit.as_secs_f64());
                Err(Fault::new(FaultKind::Timeout, message))
            }
        }
    }

    /// Whether the link was lost since this was last made good: the instrument may have forgotten everything.
    pub(in crate::run) fn link_was_lost(&self) -> bool {
        !self.link.is_empty()
    }

    /// Sets everything again after a loss of the link, and once when a run is taken up.
    pub(in crate::run) async fn make_good(&mut self) -> Result<(), Fault> {
        let mut reason = String::new();
        loop {
            // One that fell behind has missed some, and has had some.
            if self.link_was_lost() {
                let message = "the link was lost: what the run has set is set again".to_owned();
                self.events.say(RunEvent::Warning { message })?;
            }
            while !self.link.is_empty() {
                self.session.unsettled = true;
                if let Ok(LinkEvent::Lost { reason: lost }) = self.link.try_recv() {
                    reason = lost;
                }
            }
            if !self.session.unsettled {
                return Ok(());
            }
            if self.session.rounds >= ROUNDS {
                let message = format!("the link was lost in each of {ROUNDS} rounds of setting things again");
                return Err(Fault::new(FaultKind::Link, format!("{message}: {reason}")));
            }
            self.session.rounds += 1;
            self.restore().await?;
            self.session.unsettled = self.link_was_lost();
        }
    }

    /// Sets everything again that the run has set, and makes sure of its references. Turns no light on.
    async fn restore(&mut self) -> Result<(), Fault> {
        self.beat()?;
        if !self.instrument.condition().await?.is_idle() {
            self.pulse.beat_for(ABORT_LIMIT);
            self.instrument.abort().await?;
        }
        self.beat()?;
        self.session.scanning = false;
        self.instrument.drain_errors().await?;
        self.instrument.act(&Action::SetScanMode { continuous: false }).await?;
        if self.session.lasers_of_scan_unknown {
            let scan = self.scan_settings().await?;
            self.claim_lasers(scan.lasers())?;
            self.session.lasers_of_scan_unknown = false;
        }
        self.detectors.clear();
        for (detector, settings) in self.session.configuration.references() {
            self.beat()?;
            let is_valid =
                self.instrument.reference(detector).await?.is_some_and(|reference| reference.valid);
            if is_valid && !self.session.doubtful.contains(&detector) {
                continue;
            }
            if !self.simulated {
                let message = format!("the reference of {detector} is gone: the instrument has forgotten it");
                let hint =
                    "a transmission needs one, and taking it needs somebody at the bench: begin a new run";
                return Err(Fault::new(FaultKind::Refused, message).hint(hint));
            }
            let message = format!("the reference of {detector} is gone and is taken again");
            self.events.say(RunEvent::Warning { message })?;
            self.session.doubtful.insert(detector);
            self.put_back(&settings).await?;
            if !self.record_reference(detector, Settled::AsBefore).await? {
                // Once more from the beginning.
                return Ok(());
            }
            self.session.doubtful.remove(&detector);
        }
        self.put_back_settings().await?;
        self.session.unlit = self.session.configuration.lit();
        Ok(())
    }

    /// Turns the lasers on again that the run has on.
    pub(in crate::run) async fn light(&mut self) -> Result<(), Fault> {
        while let Some(laser) = self.session.unlit.first().copied() {
            self.claim_lasers([laser])?;
            self.instrument.act(&Action::SetLaserOutput { laser, on: true }).await?;
            self.session.unlit.remove(&laser);
        }
        Ok(())
    }
}
