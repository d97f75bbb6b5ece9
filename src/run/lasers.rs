//! Lasers go off: at the end of a run, and when it is held for long.

use std::time::Duration;

use crate::instrument::{LASERS, LasersOff};
use crate::run::engine::Engine;
use crate::run::events::RunEvent;
use crate::step::{Fault, FaultKind};
use crate::store::Durability;

/// The sources of the scan must be read within this time, or all lasers go off.
const SOURCES_LIMIT: Duration = Duration::from_secs(5);

impl Engine {
    /// A sign of life.
    ///
    /// # Errors
    /// When the guard has acted, or may have: then the run must not go on.
    pub(super) fn beat(&self) -> Result<(), Fault> {
        self.pulse.beat();
        self.pulse.fence().map_or(Ok(()), |reason| Err(Fault::new(FaultKind::Stopped, reason)))
    }

    /// The run is about to set or to switch on these lasers: they go off at its end, whatever that is.
    pub(super) fn claim_lasers(&mut self, lasers: impl IntoIterator<Item = u8>) -> Result<(), Fault> {
        self.session.lasers.extend(lasers);
        self.pulse.claim(self.lasers_of_run());
        self.beat()
    }

    /// The lasers that the run set or switched on; all of them after a raw command.
    pub(super) fn lasers_of_run(&self) -> Vec<u8> {
        if self.session.all_lasers { LASERS.collect() } else { self.session.lasers.iter().copied().collect() }
    }

    /// Turns the run's lasers off at its end; gives those that could not be confirmed off.
    pub(super) async fn lasers_off(&mut self) -> Vec<u8> {
        if self.session.lasers_of_scan_unknown {
            self.pulse.beat_for(SOURCES_LIMIT);
            let scan = tokio::time::timeout(SOURCES_LIMIT, self.instrument.scan_settings()).await;
            match scan {
                Ok(Ok(scan)) => self.session.lasers.extend(scan.lasers()),
                Ok(Err(_)) | Err(_) => self.session.all_lasers = true,
            }
            self.pulse.claim(self.lasers_of_run());
        }
        let LasersOff { off, unknown, .. } = self.turn_off(self.lasers_of_run()).await;
        // The end of the run must not hang on a journal that cannot be written.
        let _ = self.events.tell(RunEvent::LasersOff { off, unknown: unknown.clone() }, Durability::Now);
        unknown
    }

    /// Turns lasers off, and sends heartbeats meanwhile: the policy of turning off is bounded in time.
    pub(super) async fn turn_off(&self, lasers: Vec<u8>) -> LasersOff {
        self.pulse.during(self.instrument.lasers_off(lasers)).await
    }
}
