//! Lasers of a run: which ones it is responsible for, and turning them off.

use std::time::Duration;

use super::Bench;
use crate::instrument::{LASERS, LasersOff};
use crate::operation::Lasers;
use crate::run::events::RunEvent;
use crate::step::Fault;

/// The sources of the scan must be read within this time, or all lasers go off.
const SOURCES_LIMIT: Duration = Duration::from_secs(5);

impl Bench {
    /// The run is about to set or to switch on these lasers: they go off at its end, whatever that is.
    pub(in crate::run) async fn claim_lasers(
        &mut self,
        lasers: impl IntoIterator<Item = u8>,
    ) -> Result<(), Fault> {
        self.lasers.extend(lasers);
        self.heartbeat.claim(self.lasers_of_run());
        self.heartbeat.look().await;
        self.beat()
    }

    /// The run is about to perform an operation that sets or uses these lasers. Those of a scan are claimed before the scan,
    /// when they are known.
    pub(in crate::run) async fn claim(&mut self, lasers: &Lasers) -> Result<(), Fault> {
        match lasers {
            Lasers::None | Lasers::OfScan => Ok(()),
            Lasers::Static { .. } | Lasers::Source { .. } => self.claim_lasers(lasers.named()).await,
            Lasers::Any => {
                self.may_have_lit_all = true;
                self.claim_lasers([]).await
            }
        }
    }

    /// The lasers that the run has set or switched on; all of them after a raw command.
    pub(in crate::run) fn lasers_of_run(&self) -> Vec<u8> {
        if self.may_have_lit_all { LASERS.collect() } else { self.lasers.iter().copied().collect() }
    }

    /// Turns the run's lasers off at its end; gives those that could not be confirmed off.
    pub(in crate::run) async fn lasers_off(&mut self) -> Vec<u8> {
        if self.lasers_of_scan_unknown {
            // The question below may have no reply, so the lasers that are known go off before it.
            self.turn_off(self.lasers_of_run()).await;
            self.heartbeat.beat_for(SOURCES_LIMIT);
            let scan = tokio::time::timeout(SOURCES_LIMIT, self.instrument.scan_settings()).await;
            match scan {
                Ok(Ok(scan)) => self.lasers.extend(scan.lasers()),
                Ok(Err(_)) | Err(_) => self.may_have_lit_all = true,
            }
            self.heartbeat.claim(self.lasers_of_run());
        }
        let LasersOff { off, unknown, .. } = self.turn_off(self.lasers_of_run()).await;
        // The end of the run must not depend on a journal that cannot be written.
        let _ = self.log.emit_durable(RunEvent::LasersOff { off, unknown: unknown.clone() }).await;
        unknown
    }

    /// Turns lasers off, and sends heartbeats meanwhile: the policy of turning off is bounded in time.
    pub(in crate::run) async fn turn_off(&self, lasers: Vec<u8>) -> LasersOff {
        self.heartbeat.during(self.instrument.lasers_off(lasers)).await
    }
}
