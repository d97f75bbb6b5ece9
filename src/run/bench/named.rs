//! Named instruments of a run: what the run has set on them is set again after a restart, and all of them are made safe at
//! the end.

use std::collections::{BTreeMap, BTreeSet};

use super::Bench;
use crate::equipment::{Live, LiveInstrument, MadeSafe};
use crate::instrument::Mark;
use crate::operation::OperationTraits;
use crate::run::events::RunEvent;
use crate::step::{Fault, FaultKind};

/// Settings are restored at most this often, because an instrument that restarts all the time cannot be used.
const ROUNDS: u32 = 3;

/// The named instruments of a run.
#[derive(Debug)]
pub(super) struct Named {
    live: Live,
    /// The connection over which each instrument got the settings of the run.
    restored: BTreeMap<String, Mark>,
    /// The instruments that the run has used: they are made safe at its end.
    used: BTreeSet<String>,
}

impl Named {
    pub(super) fn new(live: Live) -> Self {
        Self { live, restored: BTreeMap::new(), used: BTreeSet::new() }
    }

    /// The run is resumed: the earlier processes have used these.
    pub(super) fn resume(&mut self, used: &BTreeSet<String>) {
        self.used.extend(used.iter().cloned());
    }
}

fn of(name: &str, fault: impl Into<Fault>) -> Fault {
    let fault = fault.into();
    Fault { message: format!("{name}: {}", fault.message), ..fault }
}

impl Bench {
    /// The instrument with this name, for a line that is about to be sent.
    ///
    /// # Errors
    /// If the run has no such instrument, or must not send the line.
    pub(in crate::run) fn named_for(&self, name: &str, line: &str) -> Result<LiveInstrument, Fault> {
        let known: Vec<&str> = self.named.live.iter().map(|(name, _)| name).collect();
        let Some(live) = self.named.live.get(name) else {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let message = format!("no instrument is named `{name}` in this run (known: {known})");
            return Err(Fault::new(FaultKind::Refused, message));
        };
        live.judge(line).map_err(|refusal| of(name, Fault::new(FaultKind::Refused, refusal.to_string())))?;
        Ok(live.clone())
    }

    /// Sends a command to a named instrument.
    pub(in crate::run) async fn send_to(&mut self, name: &str, line: &str) -> Result<(), Fault> {
        let live = self.named_for(name, line)?;
        let mark = self.ready(name).await?;
        let act = live.instrument.act(line);
        self.heartbeat.during(act).await.map_err(|error| of(name, error))?;
        let proved = self.heartbeat.during(live.instrument.prove(mark)).await;
        proved.map_err(|error| of(name, error))
    }

    /// Asks a named instrument. A query whose reply cannot be proved is repeated once.
    pub(in crate::run) async fn ask_named<R>(
        &mut self,
        name: &str,
        line: &str,
        read: fn(&str) -> Option<R>,
    ) -> Result<R, Fault> {
        let live = self.named_for(name, line)?;
        let mut repeated = false;
        loop {
            let mark = self.ready(name).await?;
            let asked = async {
                let reply = live.instrument.ask(line, read).await?;
                live.instrument.prove(mark).await.map(|()| reply)
            };
            match self.heartbeat.during(asked).await.map_err(|error| of(name, error)) {
                Err(fault) if fault.kind == FaultKind::Link && !repeated => repeated = true,
                told => return told,
            }
        }
    }

    /// Makes sure that a named instrument is connected and has the settings of the run.
    async fn ready(&mut self, name: &str) -> Result<Mark, Fault> {
        self.claim_named(name).await?;
        let Some(live) = self.named.live.get(name).cloned() else {
            let message = format!("the run has set `{name}`, and no instrument has this name any more");
            return Err(Fault::new(FaultKind::Refused, message));
        };
        let instrument = live.instrument.clone();
        for _ in 0..ROUNDS {
            let mark =
                self.heartbeat.clone().during(instrument.mark()).await.map_err(|error| of(name, error))?;
            if self.named.restored.get(name) == Some(&mark) {
                return Ok(mark);
            }
            let lines = self.intended().lines_for(name);
            if self.named.restored.contains_key(name) {
                let message =
                    format!("the connection to {name} was lost: the settings of the run are restored");
                self.log.emit(RunEvent::Warning { message })?;
            }
            for line in &lines {
                live.judge(line).map_err(|refusal| {
                    of(
                        name,
                        Fault::new(FaultKind::Refused, format!("a setting cannot be restored: {refusal}")),
                    )
                })?;
                let act = instrument.act(line);
                self.heartbeat.clone().during(act).await.map_err(|error| of(name, error))?;
            }
            self.named.restored.insert(name.to_owned(), mark);
        }
        let message =
            format!("the connection to {name} was lost in each of {ROUNDS} attempts to restore the settings");
        Err(Fault::new(FaultKind::Link, message))
    }

    /// Before light, the named instruments that the run has set must still have these settings. Each is asked, because an
    /// instrument that was restarted need not close its connection.
    pub(in crate::run) async fn ensure_named(&mut self) -> Result<(), Fault> {
        for name in self.intended().named() {
            let mark = self.ready(&name).await?;
            let Some(live) = self.named.live.get(&name).cloned() else { continue };
            let proved = self.heartbeat.clone().during(live.instrument.prove(mark)).await;
            if proved.is_err() {
                self.ready(&name).await?;
            }
        }
        Ok(())
    }

    /// After light, the same: what was measured without these settings is not used.
    pub(in crate::run) async fn prove_named(&mut self) -> Result<(), Fault> {
        for name in self.intended().named() {
            let Some((live, mark)) =
                self.named.live.get(&name).cloned().zip(self.named.restored.get(&name).copied())
            else {
                continue;
            };
            let proved = self.heartbeat.clone().during(live.instrument.impatient().prove(mark)).await;
            proved.map_err(|error| of(&name, error))?;
        }
        Ok(())
    }

    /// The run is about to use this instrument, so the watchdog must know it first.
    async fn claim_named(&mut self, name: &str) -> Result<(), Fault> {
        if self.named.used.insert(name.to_owned()) {
            self.heartbeat.claim_named(self.named.used.clone());
            self.heartbeat.look().await;
        }
        self.beat()
    }

    /// Whether the measurement rests on settings of named instruments.
    pub(in crate::run) fn rests_on_named(&self, traits: &OperationTraits<'_>) -> bool {
        traits.is_scan() && !self.intended().named().is_empty()
    }

    /// Earlier items of the batch have left these instruments as they were: this run is responsible for them now.
    pub(in crate::run) fn claim_kept(&mut self, kept: BTreeSet<String>) {
        self.named.used.extend(kept.iter().cloned());
        self.heartbeat.claim_named(kept);
    }

    /// The end of the run: turns its lasers off and makes its named instruments safe, at the same time. Gives the lasers and the
    /// instruments that did not confirm this.
    pub(in crate::run) async fn end(
        &mut self,
        keeps_lasers: bool,
        keeps_between_items: bool,
    ) -> (Vec<u8>, Vec<String>) {
        let (heartbeat, live) = (self.heartbeat.clone(), self.named.live.clone());
        let kept = |name: &&String| {
            keeps_between_items && live.get(name).is_some_and(|live| live.keep_between_items)
        };
        let names: BTreeSet<String> = self.named.used.iter().filter(|name| !kept(name)).cloned().collect();
        let log = self.log.clone();
        let named = async {
            let mut made = live.make_safe(&names).await;
            // An instrument that is no longer configured cannot be made safe.
            made.unknown.extend(names.iter().filter(|name| live.get(name).is_none()).cloned());
            let MadeSafe { safe, unknown, .. } = made;
            if !safe.is_empty() || !unknown.is_empty() {
                // The end of the run must not depend on a journal that cannot be written.
                let _ = log.emit_durable(RunEvent::InstrumentsSafe { safe, unknown: unknown.clone() }).await;
            }
            unknown
        };
        let lasers = async { if keeps_lasers { Vec::new() } else { self.lasers_off().await } };
        heartbeat.during(async { tokio::join!(lasers, named) }).await
    }
}
