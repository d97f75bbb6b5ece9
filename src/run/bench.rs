//! The instrument as far as a run can trust it now. This knowledge ends with the process. What the run has done and
//! intends is in its [history](super::state::history).
//!
//! Only the bench holds the instrument.

mod configure;
mod detectors;
mod ensure;
mod lasers;
mod named;
mod reference;
mod scan;
mod settings;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use tokio::sync::broadcast;

use super::Uses;
use super::events::log::RunLog;
use super::state::configuration::{Configuration, Doubts};
use super::state::history::History;
use super::watchdog::Heartbeat;
use crate::equipment::Live;
use crate::instrument::scpi::{Action, Query};
use crate::instrument::{Ctp10, Error, LinkEvent, Mark, ScanSettings};
use crate::measurement::Detector;
use crate::operation::{OperationTraits, Settings};
use crate::step::{Fault, FaultKind};
use detectors::DetectorState;
pub(super) use ensure::Needs;
pub(super) use named::{REQUEST_LIMIT, Sender};
pub(super) use reference::{NewReference, age_s, moment_of};
pub(super) use scan::{SettingsOf, describe};

/// The instrument of a run, and what is known about it now.
pub(super) struct Bench {
    instrument: Ctp10,
    /// The instrument is a simulated one.
    pub(super) simulated: bool,
    /// The heartbeat of the run, for its watchdog.
    pub(super) heartbeat: Heartbeat,
    log: RunLog,
    uses: Uses,
    /// The other instruments on the bench.
    named: named::Named,
    /// Receives each loss and each return of the link.
    link_changes: broadcast::Receiver<LinkEvent>,
    /// The settings of the detectors, queried once for reading power.
    detectors: BTreeMap<Detector, DetectorState>,
    /// Lasers that the run has set or whose light it may have used. They are turned off at the end.
    lasers: BTreeSet<u8>,
    /// A raw command was sent, which may have turned on any laser.
    may_have_lit_all: bool,
    /// An earlier process of the run may have turned on the lasers of the scan, and these are not known yet.
    lasers_of_scan_unknown: bool,
    /// Lasers that the run has turned on, and that may be off after a restart of the instrument.
    unlit: BTreeSet<u8>,
    /// A scan was started, and the instrument has not been idle since.
    is_scanning: bool,
    /// The instrument may have forgotten the settings of the run.
    may_have_forgotten: bool,
    /// When the instrument last answered before a step.
    last_seen: Option<Instant>,
    /// How often the settings were restored within the current attempt.
    restored: u32,
    /// Settings that the run may have changed to unknown values.
    doubts: Doubts,
    /// The settings of an earlier time, while a sweep of that time is repeated.
    of_earlier: Option<Configuration>,
    /// References that are being taken again: the one in the instrument may belong to other settings.
    doubtful_references: BTreeSet<Detector>,
    /// The settings after the last sweep; `None` before the first.
    pub(super) swept: Option<ScanSettings>,
    /// The instrument's memory may hold other traces than those of the last sweep.
    pub(super) memory_is_doubtful: bool,
    /// The proof covers the exchanges since this mark.
    mark: Option<Mark>,
}

impl Bench {
    /// The bench at the beginning of a run.
    pub(super) fn new(
        instrument: Ctp10,
        simulated: bool,
        heartbeat: Heartbeat,
        log: RunLog,
        uses: Uses,
        live: Live,
    ) -> Self {
        let link_changes = instrument.link_events();
        Self {
            instrument,
            simulated,
            heartbeat,
            log,
            uses,
            named: named::Named::new(live),
            link_changes,
            detectors: BTreeMap::new(),
            lasers: BTreeSet::new(),
            may_have_lit_all: false,
            lasers_of_scan_unknown: false,
            unlit: BTreeSet::new(),
            is_scanning: false,
            may_have_forgotten: false,
            last_seen: None,
            restored: 0,
            doubts: Doubts::default(),
            of_earlier: None,
            doubtful_references: BTreeSet::new(),
            swept: None,
            memory_is_doubtful: false,
            mark: None,
        }
    }

    /// The run is resumed: nothing that earlier processes left on the instrument is trusted.
    pub(super) fn resume(&mut self, history: &History, doubts: Doubts) {
        self.lasers.clone_from(&history.touched.lasers);
        self.may_have_lit_all = history.touched.commanded;
        self.lasers_of_scan_unknown = history.touched.scanned;
        self.unlit = history.intended.lit();
        self.may_have_forgotten = history.started;
        self.memory_is_doubtful = true;
        self.doubts = doubts;
        // The watchdog of this process knows at once which lasers the earlier processes have used.
        self.heartbeat.claim(self.lasers_of_run());
        self.named.resume(&history.touched.named);
        self.heartbeat.claim_named(history.touched.named.clone());
    }

    /// The instrument, for queries.
    pub(super) fn ctp10(&self) -> &Ctp10 {
        &self.instrument
    }

    /// Asks the instrument.
    pub(super) async fn ask<R: Send + 'static>(&self, query: Query<R>) -> Result<R, Fault> {
        self.heartbeat.beat();
        Ok(self.instrument.ask(&query).await?)
    }

    /// Sends a command, and returns when the instrument has confirmed it.
    pub(super) async fn act(&self, action: &Action) -> Result<(), Fault> {
        self.heartbeat.beat();
        Ok(self.instrument.act(action).await?)
    }

    /// Sends a heartbeat.
    ///
    /// # Errors
    /// When the watchdog has acted, or may have: then the run must not continue.
    pub(super) fn beat(&self) -> Result<(), Fault> {
        self.heartbeat.beat();
        self.heartbeat.fence().map_or(Ok(()), |reason| Err(Fault::new(FaultKind::Stopped, reason)))
    }

    /// Whether the link was lost since the settings were last restored: the instrument may have forgotten everything.
    pub(super) fn link_was_lost(&self) -> bool {
        !self.link_changes.is_empty()
    }

    /// A new attempt at a step begins.
    pub(super) fn begin_attempt(&mut self) {
        self.restored = 0;
        self.named.forget_restoring();
    }

    /// Starts a proof: the next proof covers all exchanges from here on.
    pub(super) async fn begin_proof(&mut self) -> Result<(), Fault> {
        self.mark = Some(self.instrument.mark().await?);
        Ok(())
    }

    /// Proves that each query since the mark got its own reply.
    pub(super) async fn prove(&mut self) -> Result<(), Error> {
        self.heartbeat.beat();
        let Some(mark) = self.mark else { return Ok(()) };
        let proved = self.instrument.prove(mark).await;
        if proved.is_err() {
            self.detectors.clear();
        }
        proved
    }

    /// The operation may change settings of detectors, so they are read again. On some modules a setting of one channel
    /// is that of all.
    pub(super) fn forget_detectors_of(&mut self, traits: &OperationTraits<'_>) {
        match traits.settings {
            Settings::Unchanged => {}
            Settings::Raw(_) => self.detectors.clear(),
            Settings::Typed => {
                let is_set = |module: u8| traits.detectors.iter().any(|detector| detector.module == module);
                self.detectors.retain(|known, _| !is_set(known.module));
            }
        }
    }
}
