//! Turning lasers off: one policy for the end of a run, a long pause, the emergency stop and the watchdog.
//!
//! - **Commands before questions.** First, the commands for all lasers are sent at once. A reply that does not come, for
//!   example of the error queue, delays none of them. Only then is each laser confirmed, by the command once more.
//! - **Each laser for itself.** The lasers go off one after another. A laser that fails does not keep the others on.
//! - **Two rounds.** In the first round, a laser must confirm the command within 5 s, and all its exchanges must end
//!   within 10 s. Only the lasers that are not confirmed get a second round, with 20 s each: by then the link may have a
//!   new connection. The command may be sent twice because an output that is off stays off.
//! - **A scan ends first.** A scan keeps its lasers on. Before the second round, a scan under way is therefore aborted.
//! - **Confirmed means read back.** A laser is off when the instrument reports that its output is off.
//! - **Absent lasers are not counted.** A laser is absent if the instrument reports missing hardware. It is also absent if
//!   neither its output nor its identity can be read while other lasers answer. Every other failure means that the
//!   laser may be on.
//! - **An instrument that cannot be reached ends the round,** because the next laser would wait for the same connection.
//!
//! Only the watchdog repeats the whole, for up to 15 minutes, because it is the last that can act.

use std::sync::atomic::Ordering;
use std::time::Duration;

use super::scpi::{Action, ErrorEntry, Query};
use super::{Ctp10, Error};
use crate::shown;

/// A command that may be sent twice is confirmed within this time, or its connection counts as silent.
const CONFIRM: Duration = Duration::from_secs(5);
/// One laser in the first round.
const FIRST_ROUND: Duration = Duration::from_secs(10);
/// One laser in the second round.
const SECOND_ROUND: Duration = Duration::from_secs(20);
/// A scan is aborted, and the instrument idle, within this time.
const ABORT: Duration = Duration::from_secs(20);

/// The result of turning lasers off. Absent lasers are in neither list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LasersOff {
    /// Off, as the instrument confirmed.
    pub off: Vec<u8>,
    /// Not confirmed off: they may be on.
    pub unknown: Vec<u8>,
    /// Why they could not be confirmed: the last reason.
    pub trouble: Option<String>,
}

impl Ctp10 {
    /// Turns lasers off, under the policy of this module.
    pub async fn lasers_off(&self, lasers: impl IntoIterator<Item = u8>) -> LasersOff {
        let lasers: Vec<u8> = lasers.into_iter().collect();
        if let Err(error) = self.send_off(&lasers, false).await {
            tracing::warn!(%error, "the commands that turn the lasers off could not be sent at once");
        }
        self.confirm_off(lasers).await
    }

    /// Ends light in an emergency: aborts any scan and turns lasers off, under the policy of this module. Also gives whether
    /// the instrument is idle.
    pub async fn abort_and_lasers_off(
        &self,
        lasers: impl IntoIterator<Item = u8>,
    ) -> (Result<(), Error>, LasersOff) {
        let lasers: Vec<u8> = lasers.into_iter().collect();
        // Without a connection, the same attempts would only follow again.
        if let Err(error) = self.send_off(&lasers, true).await {
            let done =
                LasersOff { unknown: lasers, trouble: Some(error.to_string()), ..LasersOff::default() };
            return (Err(error), done);
        }
        let aborted = self.abort_scan().await;
        (aborted, self.confirm_off(lasers).await)
    }

    /// Sends the commands that turn lasers off, before any question. A scan keeps its lasers on, so its abort comes first.
    ///
    /// # Errors
    /// If they could not be sent. Nothing is known about a success.
    pub async fn send_off(&self, lasers: &[u8], aborts: bool) -> Result<(), Error> {
        if lasers.is_empty() && !aborts {
            return Ok(());
        }
        if aborts {
            self.links.aborts.fetch_add(1, Ordering::AcqRel);
            self.links.shared.activities.forget();
        }
        let off = lasers.iter().map(|laser| Action::SetLaserOutput { laser: *laser, on: false });
        let actions = aborts.then_some(Action::Abort).into_iter().chain(off);
        let lines: Vec<String> = actions.map(|action| action.to_string()).collect();
        let sent = self.link_beside_transfer().send_first(&lines, self.options).await;
        self.links.changes.fetch_add(1, Ordering::AcqRel);
        sent
    }

    async fn confirm_off(&self, lasers: Vec<u8>) -> LasersOff {
        let mut done = LasersOff { unknown: lasers, ..LasersOff::default() };
        done.round(&self.confirming_within(CONFIRM), FIRST_ROUND).await;
        if !done.unknown.is_empty() {
            if let Err(error) = self.end_scan().await {
                tracing::warn!(%error, "the scan that may keep the lasers on could not be aborted");
            }
            done.round(self, SECOND_ROUND).await;
        }
        if let Some(reason) = &done.trouble {
            let lasers = shown::listed(&done.unknown, ", ");
            tracing::error!(lasers, reason, "lasers could not be confirmed off");
        }
        done.off.sort_unstable();
        done
    }

    /// Aborts the scan under way, if there is one.
    ///
    /// # Errors
    /// Why the instrument may not be idle.
    pub async fn end_scan(&self) -> Result<(), Error> {
        within_limit(async {
            match self.condition().await? {
                condition if condition.is_scan() => self.abort_quickly().await,
                _ => Ok(()),
            }
        })
        .await
    }

    /// Sends an abort, whether the instrument reports a scan or not, and waits until the instrument is idle.
    ///
    /// # Errors
    /// Why the instrument may not be idle.
    pub async fn abort_scan(&self) -> Result<(), Error> {
        within_limit(self.abort_quickly()).await
    }

    /// An abort may be sent twice because an idle instrument stays idle.
    async fn abort_quickly(&self) -> Result<(), Error> {
        match self.confirming_within(CONFIRM).abort().await {
            Err(Error::FateUnknown { .. }) => self.abort().await,
            known => known,
        }
    }

    /// Turns one laser off and reads its output back; `None` when the laser is absent.
    ///
    /// # Errors
    /// When it is still on, or could not be asked: it may be on.
    pub async fn laser_off(&self, laser: u8) -> Result<Option<()>, Error> {
        match self.act(&Action::SetLaserOutput { laser, on: false }).await {
            Ok(()) => {}
            Err(refused @ Error::Refused { .. }) => return self.off_after(laser, refused).await,
            Err(error) => return Err(error),
        }
        let on = self.ask(&Query::laser_output(laser)).await?;
        self.links.lasers_answer.store(true, Ordering::Release);
        if on {
            let errors = vec![ErrorEntry { code: 0, text: "the output is still on".to_owned() }];
            return Err(Error::Refused {
                command: Action::SetLaserOutput { laser, on: false }.to_string(),
                errors,
            });
        }
        Ok(Some(()))
    }

    /// The state of a laser that refused to be turned off: it may be off all the same, or absent.
    async fn off_after(&self, laser: u8, refused: Error) -> Result<Option<()>, Error> {
        if matches!(&refused, Error::Refused { errors, .. } if errors.iter().all(ErrorEntry::is_missing_hardware))
        {
            return Ok(None);
        }
        match self.probe(&Query::laser_output(laser)).await? {
            Some(false) => Ok(Some(())),
            Some(true) => Err(refused),
            // If other lasers answer, this one would too if it were present; while a scan runs it does not.
            None if self.links.lasers_answer.load(Ordering::Acquire) => {
                self.probe(&Query::laser_identity(laser)).await?.map_or(Ok(None), |_| Err(refused))
            }
            None => Err(refused),
        }
    }
}

impl LasersOff {
    /// Tries each laser that is not confirmed yet.
    async fn round(&mut self, instrument: &Ctp10, limit: Duration) {
        self.trouble = None;
        let mut reachable = true;
        for laser in std::mem::take(&mut self.unknown) {
            if !reachable {
                self.unknown.push(laser);
                continue;
            }
            let tried = tokio::time::timeout(limit, instrument.laser_off(laser)).await;
            let reason = match tried {
                Ok(Ok(present)) => {
                    self.off.extend(present.map(|()| laser));
                    continue;
                }
                Ok(Err(error)) => {
                    reachable = !matches!(error, Error::Unreachable { .. } | Error::OtherInstrument { .. });
                    error.to_string()
                }
                Err(_) => format!("not confirmed within {} s", limit.as_secs()),
            };
            self.unknown.push(laser);
            self.trouble = Some(format!("laser {laser}: {reason}"));
        }
    }
}

async fn within_limit(abort: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let late = || Error::NoReply { command: Action::Abort.to_string(), seconds: ABORT.as_secs_f64() };
    tokio::time::timeout(ABORT, abort).await.unwrap_or_else(|_| Err(late()))
}
