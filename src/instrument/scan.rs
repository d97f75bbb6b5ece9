//! Scans (sweeps and references), from their settings until the instrument is idle.

mod settings;

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::activity::ScanKind;
use super::scpi::{Action, Condition, Query};
use super::{Ctp10, Error, TLS};
pub use settings::{ScanSettings, TlsSettings};

/// A scan that was not seen running within this time has not started.
const START_LIMIT: Duration = Duration::from_secs(3);
/// Pause between two reads of the condition register: the first and the longest.
const POLL: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(100));
/// A scan has ended when the register was idle twice, with at least this time in between.
const IDLE_APART: Duration = Duration::from_millis(20);

impl Ctp10 {
    /// Reads the settings of the scan from the instrument, because a person may have changed them at the front panel.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn scan_settings(&self) -> Result<ScanSettings, Error> {
        let mut tls = Vec::new();
        for number in TLS {
            let laser = self.ask(&Query::tls_laser(number)).await?;
            if laser == 0 {
                continue;
            }
            tls.push(TlsSettings {
                tls: number,
                laser,
                start_nm: self.ask(&Query::tls_start_nm(number)).await?,
                stop_nm: self.ask(&Query::tls_stop_nm(number)).await?,
                speed_nm_s: self.ask(&Query::tls_speed_nm_s(number)).await?,
                power_dbm: self.ask(&Query::tls_power_dbm(number)).await?,
                trigger_in: self.tls_trigger(number).await?.unwrap_or(0),
            });
        }
        Ok(ScanSettings {
            start_nm: self.ask(&Query::scan_start_nm()).await?,
            stop_nm: self.ask(&Query::scan_stop_nm()).await?,
            resolution_pm: self.ask(&Query::resolution_pm()).await?,
            stabilization: self.ask(&Query::stabilization()).await?,
            tls,
        })
    }

    /// Reads the trigger input of a TLS; `None` if its laser has none, as those of VIAVI.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn tls_trigger(&self, tls: u8) -> Result<Option<u8>, Error> {
        self.probe(&Query::tls_trigger(tls)).await
    }

    /// Runs a scan (a sweep or a reference) until the instrument is idle. `expected` is its expected duration.
    ///
    /// If the future is dropped earlier, the scan stays in progress; [`abort`](Self::abort) ends it.
    ///
    /// # Errors
    /// [`Error::DidNotStart`] if the instrument stayed idle. The traces in memory are then old ones.
    pub async fn scan(
        &self,
        action: &Action,
        expected: Duration,
        mut seen: impl FnMut(Condition),
    ) -> Result<(), Error> {
        self.permit_scan().await?;
        let kind = match action {
            Action::StartReference { .. } => ScanKind::Reference,
            _ => ScanKind::Sweep,
        };
        let scan = self.links.shared.activities.scan(kind, expected);
        self.links.changes.fetch_add(1, Ordering::AcqRel);
        let began = Instant::now();
        // The speed of the simulator's clock is not known.
        let is_simulated = self.last_identity().is_some_and(|identity| identity.simulated());
        let least = if is_simulated { Duration::ZERO } else { expected };
        let started = self.start(action, is_simulated || expected < START_LIMIT).await;
        match started {
            Ok(()) => {}
            Err(error @ Error::DidNotStart { .. }) => {
                scan.over();
                return Err(error);
            }
            Err(error) => {
                drop(scan);
                if matches!(error, Error::Refused { .. }) {
                    // The error may belong to this scan or to an earlier one, and another scan may be in progress.
                    let scanning = self.condition().await?.is_scan();
                    if scanning && !error.has_started_nothing() {
                        self.abort().await?;
                    }
                }
                return Err(error);
            }
        }
        let aborts = self.links.aborts.load(Ordering::Acquire);
        let scans = self.links.scans.fetch_add(1, Ordering::AcqRel) + 1;
        // Another client may abort the scan, for example at the front panel. The trace in memory is then an older
        // one.
        let mut was_aborting = false;
        let look = |condition: Condition| {
            was_aborting |= condition.is_aborting();
            seen(condition);
        };
        self.wait_until_over(began + least, is_simulated, scans, look).await?;
        if is_simulated {
            // The simulator aborts faster than the register is read. A failed query proves nothing.
            match self.scan_events().await {
                Err(error @ (Error::Unreachable { .. } | Error::OtherInstrument { .. })) => {
                    return Err(error);
                }
                events => was_aborting |= events.ok().flatten().is_some_and(Condition::is_aborting),
            }
        }
        if was_aborting || self.links.aborts.load(Ordering::Acquire) != aborts {
            scan.over();
            return Err(Error::Aborted { command: action.to_string() });
        }
        self.links.changes.fetch_add(1, Ordering::AcqRel);
        scan.over();
        Ok(())
    }

    /// Returns when the scan has been seen running. A short scan may end before the register is read. In that case
    /// the event register shows that it has run.
    async fn start(&self, action: &Action, is_short: bool) -> Result<(), Error> {
        // Reading the event register clears the events of earlier scans.
        let has_events = is_short && self.scan_events().await?.is_some();
        let mut condition = self.links.main.act_and_ask(action, &Query::condition(), self.options).await?;
        self.links.shared.activities.see(condition);
        let give_up = Instant::now() + START_LIMIT;
        while condition.is_idle() {
            if has_events && self.scan_events().await?.is_some_and(Condition::is_scan) {
                return Ok(());
            }
            if Instant::now() >= give_up {
                return Err(Error::DidNotStart { command: action.to_string() });
            }
            tokio::time::sleep(POLL.0).await;
            condition = self.ask(&Query::condition()).await?;
        }
        Ok(())
    }

    /// The events since the last read; `None` if the instrument has no event register.
    async fn scan_events(&self) -> Result<Option<Condition>, Error> {
        if !self.links.has_events.load(Ordering::Acquire) {
            return Ok(None);
        }
        let events = self.probe(&Query::operation_events()).await?;
        self.links.has_events.store(events.is_some(), Ordering::Release);
        Ok(events)
    }

    /// Reads the condition register until the scan has ended: the instrument was idle twice in a row, and the
    /// shortest possible duration has passed. If this duration is not known, a query for completion (`*OPC?`) is sent
    /// as well.
    async fn wait_until_over(
        &self,
        earliest: Instant,
        ask_completion: bool,
        scans: u64,
        mut seen: impl FnMut(Condition),
    ) -> Result<(), Error> {
        let (began, mut idle_since, mut is_complete) = (Instant::now(), None, !ask_completion);
        loop {
            let condition = self.ask(&Query::condition()).await?;
            seen(condition);
            // The instrument does not start another scan while this one is in progress.
            if self.links.scans.load(Ordering::Acquire) != scans {
                return Ok(());
            }
            if condition.is_idle() {
                let since = *idle_since.get_or_insert_with(Instant::now);
                let is_over = since.elapsed() >= IDLE_APART && Instant::now() >= earliest;
                if is_over && is_complete {
                    self.links.shared.activities.see(condition);
                    return Ok(());
                }
                if is_over {
                    // An instrument that does not know the query proves nothing.
                    let asked = self.probe(&Query::completion()).await;
                    if let Err(error @ (Error::Unreachable { .. } | Error::OtherInstrument { .. })) = asked {
                        return Err(error);
                    }
                    is_complete = true;
                    continue;
                }
            } else {
                (idle_since, is_complete) = (None, !ask_completion);
                self.links.shared.activities.see(condition);
            }
            tokio::time::sleep((began.elapsed() / 20).clamp(POLL.0, POLL.1)).await;
        }
    }

    /// Reads the condition register until the instrument is idle: at most 50 times a second, and less often the
    /// longer it takes. Between two reads the link is free.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn wait_until_idle(&self) -> Result<(), Error> {
        let scans = self.links.scans.load(Ordering::Acquire);
        self.wait_until_over(Instant::now(), false, scans, |_| {}).await
    }

    /// Aborts the scan, and returns when the instrument is idle.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn abort(&self) -> Result<(), Error> {
        self.links.aborts.fetch_add(1, Ordering::AcqRel);
        self.links.shared.activities.forget();
        let aborted = self.links.main.act(&Action::Abort, self.options).await;
        self.links.changes.fetch_add(1, Ordering::AcqRel);
        aborted?;
        self.wait_until_idle().await?;
        self.links.shared.activities.stopped();
        Ok(())
    }
}
