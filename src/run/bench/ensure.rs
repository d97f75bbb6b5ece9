//! Before each attempt, the instrument must have the intended settings, and the lasers must be on if the step needs
//! light.
//!
//! After a loss of the link, none of this is certain: the instrument may have been restarted. A resumed run begins in
//! the same way.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::scan::{ABORT_LIMIT, SettingsOf};
use super::{Bench, NewReference};
use crate::instrument::LinkEvent;
use crate::instrument::scpi::Action;
use crate::operation::Operation;
use crate::run::context::StepContext;
use crate::run::events::RunEvent;
use crate::step::{Fault, FaultKind, Step};

/// The settings are restored at most this often within one attempt.
const ROUNDS: u32 = 5;

/// After this time the link is tried before a reading.
const RECENT: Duration = Duration::from_secs(1);

/// The needs of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::run) struct Needs {
    /// The instrument, with the settings of the run.
    pub(in crate::run) instrument: bool,
    /// The light that the run has turned on.
    pub(in crate::run) light: bool,
    /// The traces of the last sweep in the instrument's memory.
    pub(in crate::run) memory: bool,
    /// The result is discarded if the link is lost meanwhile, so a link that worked a moment ago is good enough.
    pub(in crate::run) is_repeated_after_loss: bool,
}

impl Needs {
    /// The needs of an operation.
    pub(in crate::run) fn of(operation: &Operation) -> Self {
        let traits = operation.traits();
        let (instrument, light, memory) = (traits.uses_instrument(), traits.needs_light, traits.reads_live());
        Self { instrument, light, memory, is_repeated_after_loss: traits.relies_on_settings() }
    }
}

impl Bench {
    /// Makes the instrument ready for a step, except for the traces in its memory.
    pub(in crate::run) async fn ensure(&mut self, ctx: &StepContext, needs: Needs) -> Result<(), Fault> {
        if !needs.instrument {
            return Ok(());
        }
        // A dead connection is noticed only when it is used.
        let is_recent = self.last_seen.is_some_and(|at| at.elapsed() < RECENT) && !self.link_was_lost();
        if !(needs.is_repeated_after_loss && is_recent) {
            Box::pin(self.find_instrument(&ctx.step)).await?;
            self.last_seen = Some(Instant::now());
        }
        self.restore_if_forgotten(ctx.number).await?;
        self.read_settings_at_beginning(ctx.number).await?;
        self.settle_doubts(ctx.number).await?;
        if needs.light {
            if !needs.is_repeated_after_loss {
                Box::pin(self.ensure_named()).await?;
            }
            Box::pin(self.light()).await?;
        }
        Ok(())
    }

    /// Waits until the instrument answers, but not longer than the time limit of the step.
    async fn find_instrument(&self, step: &Step) -> Result<(), Fault> {
        let limit =
            step.options.timeout_s.map_or(Duration::MAX, |limit| Duration::from_secs_f64(limit.get()));
        self.beat()?;
        match tokio::time::timeout(limit, self.instrument.condition()).await {
            Ok(answered) => Ok(answered.map(drop)?),
            Err(_) => {
                let message = format!("the instrument did not reply within {} s", limit.as_secs_f64());
                Err(Fault::new(FaultKind::Timeout, message))
            }
        }
    }

    /// Restores the settings after a loss of the link, and once when a run is resumed.
    pub(in crate::run) async fn restore_if_forgotten(&mut self, number: u64) -> Result<(), Fault> {
        let mut reason = String::new();
        loop {
            // A receiver that is too slow misses events, but it has received some.
            if self.link_was_lost() {
                let message = "the connection was lost: the settings of the run are restored".to_owned();
                self.log.emit(RunEvent::Warning { message })?;
            }
            while !self.link_changes.is_empty() {
                self.may_have_forgotten = true;
                if let Ok(LinkEvent::Lost { reason: lost }) = self.link_changes.try_recv() {
                    reason = lost;
                }
            }
            if !self.may_have_forgotten {
                return Ok(());
            }
            if self.restored >= ROUNDS {
                let message =
                    format!("the connection was lost in each of {ROUNDS} attempts to restore the settings");
                return Err(Fault::new(FaultKind::Link, format!("{message}: {reason}")));
            }
            self.restored += 1;
            Box::pin(self.restore(number)).await?;
            self.may_have_forgotten = self.link_was_lost();
        }
    }

    /// Restores everything that the run has set, and its references. Turns no light on.
    async fn restore(&mut self, number: u64) -> Result<(), Fault> {
        self.beat()?;
        if !self.instrument.condition().await?.is_idle() {
            self.heartbeat.beat_for(ABORT_LIMIT);
            self.instrument.abort().await?;
        }
        self.beat()?;
        self.is_scanning = false;
        self.instrument.drain_errors().await?;
        self.instrument.act(&Action::SetScanMode { continuous: false }).await?;
        if self.lasers_of_scan_unknown {
            let scan = self.scan_settings().await?;
            self.claim_lasers(scan.lasers()).await?;
            self.lasers_of_scan_unknown = false;
        }
        self.detectors.clear();
        for (detector, settings) in self.intended().references() {
            self.beat()?;
            let held = self.instrument.reference(detector).await?.filter(|reference| reference.valid);
            let known = self.log.history(|history| history.references.get(&detector).cloned());
            // Another client may have taken another reference meanwhile.
            let is_taking = self.log.history(|history| history.is_taking_reference(detector));
            let is_known = |taken| is_taking || known.as_ref().is_none_or(|known| taken == Some(known.taken));
            let is_same = held.is_some_and(|held| is_known(held.taken));
            if is_same && !self.doubtful_references.contains(&detector) {
                continue;
            }
            let replaced = known.as_ref().filter(|_| held.is_some() && !is_same);
            let what = match replaced {
                Some(known) => format!("the instrument no longer has the reference {}", known.name()),
                None => format!("the instrument has lost the reference of {detector}"),
            };
            let new = NewReference {
                check: known.as_ref().and_then(|known| known.check),
                sweeps: known.as_ref().and_then(|known| known.sweeps),
                why: Some(what.clone()),
            };
            if !self.simulated {
                let hint = "a transmission needs a reference, and a person at the bench must take it: start a new run";
                return Err(Fault::new(FaultKind::Refused, what).hint(hint));
            }
            let message = format!("{what}: it is taken again");
            self.log.emit(RunEvent::Warning { message })?;
            self.doubtful_references.insert(detector);
            self.put_back(&settings).await?;
            if !self.record_reference(number, detector, SettingsOf::Reference, new).await? {
                // The restoring begins again.
                return Ok(());
            }
            self.doubtful_references.remove(&detector);
        }
        self.put_back_settings().await?;
        self.unlit = self.intended().lit();
        Ok(())
    }

    /// Turns on the lasers that the run intends to be on.
    pub(in crate::run) async fn light(&mut self) -> Result<(), Fault> {
        while let Some(laser) = self.unlit.first().copied() {
            self.claim_lasers([laser]).await?;
            self.act(&Action::SetLaserOutput { laser, on: true }).await?;
            self.unlit.remove(&laser);
        }
        Ok(())
    }

    /// Marks the lasers that the run intends to be on, so that they are turned on before light is needed. Gives the
    /// lasers of `on` that are not among them.
    pub(in crate::run) fn relight(&mut self, on: &BTreeSet<u8>) -> Vec<u8> {
        self.unlit = self.intended().lit();
        on.difference(&self.unlit).copied().collect()
    }

    /// The recipe has switched this laser itself.
    pub(in crate::run) fn note_switched(&mut self, laser: u8) {
        self.unlit.remove(&laser);
    }
}
