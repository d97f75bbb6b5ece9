//! Lasers go off: at the end of a run, and when it is held for long.

use std::time::Duration;

use crate::instrument::{Error, LASERS};
use crate::run::engine::Engine;
use crate::run::events::RunEvent;
use crate::run::prepare::end_scan;
use crate::step::{Fault, FaultKind};
use crate::store::Durability;

/// Turning a laser off is tried this long before its state counts as unknown.
const LASER_OFF_LIMIT: Duration = Duration::from_secs(30);

/// And this long on a connection that may have gone silent, before it is tried on a new one.
const LASER_OFF_HASTE: Duration = Duration::from_secs(5);

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
            self.pulse.beat_for(LASER_OFF_HASTE);
            let scan = tokio::time::timeout(LASER_OFF_HASTE, self.instrument.scan_settings()).await;
            match scan {
                Ok(Ok(scan)) => self.session.lasers.extend(scan.lasers()),
                Ok(Err(_)) | Err(_) => self.session.all_lasers = true,
            }
            self.pulse.claim(self.lasers_of_run());
        }
        let (off, unknown) = self.turn_off(self.lasers_of_run()).await;
        // The end of the run must not hang on a journal that cannot be written.
        let _ = self.events.tell(RunEvent::LasersOff { off, unknown: unknown.clone() }, Durability::Now);
        unknown
    }

    /// Turns lasers off, each whatever became of the others; gives those that are off, and those that may be on.
    pub(super) async fn turn_off(&self, lasers: Vec<u8>) -> (Vec<u8>, Vec<u8>) {
        let (mut off, mut unknown) = (Vec::new(), Vec::new());
        for laser in lasers {
            self.pulse.beat();
            let off_twice = async {
                let hasty = self.instrument.confirming_within(LASER_OFF_HASTE);
                match hasty.laser_off(laser).await {
                    // Off stays off: that may be said twice.
                    Err(Error::FateUnknown { .. } | Error::Lost { .. } | Error::NoReply { .. }) => {
                        self.instrument.laser_off(laser).await
                    }
                    // A scan under way keeps its lasers.
                    Err(Error::Refused { .. }) => {
                        end_scan(&self.instrument).await?;
                        self.instrument.laser_off(laser).await
                    }
                    known => known,
                }
            };
            match tokio::time::timeout(LASER_OFF_LIMIT, off_twice).await {
                Ok(Ok(Some(()))) => off.push(laser),
                // There is no such laser.
                Ok(Ok(None)) => {}
                Ok(Err(error)) => {
                    tracing::error!(
                        laser,
                        error = crate::error::chain(&error),
                        "cannot confirm that the laser is off"
                    );
                    unknown.push(laser);
                }
                Err(_) => unknown.push(laser),
            }
        }
        (off, unknown)
    }
}
