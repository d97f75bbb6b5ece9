//! The emergency stop. It needs neither the lease nor the connection of the session.

use super::Session;
use crate::equipment::MadeSafe;
use crate::instrument::{LASERS, LasersOff};

/// The result of an emergency stop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EmergencyStop {
    /// Whether the instrument is idle.
    pub aborted: bool,
    /// Off, as the instrument confirmed.
    pub off: Vec<u8>,
    /// Not confirmed off: they may be on.
    pub unknown: Vec<u8>,
    /// The named instruments, made safe or not.
    pub named: MadeSafe,
    /// The run that the emergency stop ended.
    pub run: Option<String>,
}

impl Session {
    /// The emergency stop: aborts any scan, ends the active run, turns every laser off and makes every named instrument
    /// safe. It does not wait for the lease.
    pub async fn off(&self, reason: &str) -> EmergencyStop {
        tracing::warn!(reason, "all lasers off");
        // First, for a run or a scan that is still starting.
        self.cuts.send_modify(|cuts| *cuts += 1);
        let run = self.current_run();
        if let Some(run) = &run {
            run.control().stop_now(reason);
        }
        let ((aborted, LasersOff { off, unknown, .. }), named) =
            tokio::join!(self.all_lasers_off(), self.make_named_safe());
        EmergencyStop { aborted, off, unknown, named, run: run.map(|run| run.id().to_owned()) }
    }

    /// Turns all lasers off. If the session has no connection, or loses it meanwhile, this makes one of its own. Any
    /// instrument at the address is accepted, and a connection that was closed on request stays closed.
    async fn all_lasers_off(&self) -> (bool, LasersOff) {
        let shared = self.endpoint().instrument.clone();
        let own = shared.anew(shared.address().clone());
        let connected = shared.identity().is_some().then_some(&shared);
        let mut done = (false, LasersOff::default());
        // The connection of the session comes last too: if it is restored meanwhile, the instrument may accept no other.
        for instrument in connected.into_iter().chain([&own, &shared]) {
            let (aborted, off) = instrument.observer().abort_and_lasers_off(LASERS).await;
            done = (aborted.is_ok(), off);
            if done.1.unknown.is_empty() || instrument.identity().is_some() {
                break;
            }
        }
        done
    }
}
