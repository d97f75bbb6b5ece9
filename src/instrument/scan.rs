//! Scans: sweeps and references, from their settings until the instrument is idle.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::activity::ScanKind;
use super::scpi::{self, Action, Condition, Query};
use super::{Ctp10, Error, TLS};
use crate::measurement::Grid;

/// A scan that was not seen running within this time has not started.
const START_LIMIT: Duration = Duration::from_secs(3);
/// Pause between two looks at the condition register: the first ones, and the longest.
const POLL: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(100));
/// A scan is over when the register says idle twice, with at least this time in between.
const IDLE_APART: Duration = Duration::from_millis(20);

/// One tunable laser source of the scan, as re-read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TlsSettings {
    /// Its place in the scan.
    pub tls: u8,
    /// The laser that serves as it.
    pub laser: u8,
    /// Where it starts, nm.
    pub start_nm: f64,
    /// Where it stops, nm.
    pub stop_nm: f64,
    /// Its speed, nm/s.
    pub speed_nm_s: f64,
    /// Its power, dBm.
    pub power_dbm: f64,
    /// Its trigger input; 0 for software.
    pub trigger_in: u8,
}

/// The scan, as re-read from the instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanSettings {
    /// First wavelength, nm.
    pub start_nm: f64,
    /// Last wavelength, nm.
    pub stop_nm: f64,
    /// Sampling step, pm.
    pub resolution_pm: f64,
    /// Output after the scan and settling time before it.
    pub stabilization: scpi::Stabilization,
    /// The sources that have a laser.
    pub tls: Vec<TlsSettings>,
}

impl ScanSettings {
    /// The sources that reach into the scan, with the span that each sweeps, nm.
    pub(super) fn spans(&self) -> impl Iterator<Item = (&TlsSettings, f64)> {
        let span = |tls: &TlsSettings| tls.stop_nm.min(self.stop_nm) - tls.start_nm.max(self.start_nm);
        self.tls.iter().map(move |tls| (tls, span(tls))).filter(|(_, span)| *span > 0.0)
    }

    /// How long a scan should take, by span and speed: the sources sweep one after another.
    #[must_use]
    pub fn expected(&self) -> Duration {
        let sweep: f64 = self.spans().map(|(tls, span)| span / tls.speed_nm_s.max(0.1)).sum();
        Duration::from_secs_f64(sweep + self.stabilization.seconds.max(0.0))
    }

    /// The wavelengths that a scan brings, nm: where the ranges of its sources and its own overlap.
    #[must_use]
    pub fn swept_nm(&self) -> Option<[f64; 2]> {
        let from = self.spans().map(|(tls, _)| tls.start_nm.max(self.start_nm)).reduce(f64::min)?;
        let to = self.spans().map(|(tls, _)| tls.stop_nm.min(self.stop_nm)).reduce(f64::max)?;
        Some([from, to])
    }

    /// What of an axis does not belong to a trace of this scan, which may have one point more or less; `None` when
    /// nothing.
    #[must_use]
    pub fn contradicts(&self, grid: Grid) -> Option<String> {
        let [from, to] = self.swept_nm()?;
        let step_nm = grid.step_pm * 1e-3;
        #[expect(clippy::cast_precision_loss, reason = "a plausible count is far below 2^53")]
        let steps = (grid.points - 1) as f64;
        // A step that is not the scan's own was rounded to a whole femtometre by whoever wrote it down.
        let is_own = (grid.step_pm - self.resolution_pm).abs() < 1e-6;
        let rounded = if is_own { 0.0 } else { steps * 0.5e-6 };
        let starts = (grid.start_nm - from).abs() <= step_nm + 1e-9;
        let lasts = (steps * step_nm - (to - from)).abs() <= step_nm + rounded + 1e-9;
        if starts && lasts {
            return None;
        }
        let stop_nm = grid.start_nm + steps * step_nm;
        Some(format!(
            "its {} points reach from {} to {stop_nm} nm, and the scan from {from} to {to} nm in steps of {} pm",
            grid.points, grid.start_nm, self.resolution_pm
        ))
    }

    /// The lasers that a scan lights.
    pub fn lasers(&self) -> impl Iterator<Item = u8> {
        self.spans().map(|(tls, _)| tls.laser)
    }
}

impl Ctp10 {
    /// The scan as the instrument has it now: someone may have touched the front panel.
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
                trigger_in: self.ask(&Query::tls_trigger(number)).await?,
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

    /// Runs a scan (a sweep or a reference) until the instrument is idle. `expected` is how long it should take.
    ///
    /// Dropped before that, it leaves the scan under way: [`abort`](Self::abort) ends it.
    ///
    /// # Errors
    /// [`Error::DidNotStart`] when the instrument stayed idle: the traces in memory are then old ones.
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
        // How fast the clock of the embedded instrument goes is not known.
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
                    // Another scan may be under way, or none; or this one is, and the error was not its own.
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
        // Another client or the front panel may abort it too: the trace in memory is an older one then.
        let mut was_aborting = false;
        let look = |condition: Condition| {
            was_aborting |= condition.is_aborting();
            seen(condition);
        };
        self.wait_until_over(began + least, is_simulated, scans, look).await?;
        if is_simulated {
            // It aborts faster than anybody looks. A question that fails is no evidence.
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

    /// Returns when the scan has been seen running. A short one may be over before anybody can look: then the event
    /// register says that it has run.
    async fn start(&self, action: &Action, is_short: bool) -> Result<(), Error> {
        // What it says of earlier scans is forgotten by asking.
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

    /// What the instrument has been doing since this was asked last; `None` for one that does not say.
    async fn scan_events(&self) -> Result<Option<Condition>, Error> {
        if !self.links.has_events.load(Ordering::Acquire) {
            return Ok(None);
        }
        let events = self.probe(&Query::operation_events()).await?;
        self.links.has_events.store(events.is_some(), Ordering::Release);
        Ok(events)
    }

    /// Looks at the condition register until the scan is over: the instrument has been idle twice in a row, and as much
    /// time has passed as the scan must take. Where that is not known, the instrument is asked whether it has completed
    /// what it does.
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
            // Another scan would not have been taken while this one was under way.
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
                    // One that does not know the question gives no evidence, and none against.
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

    /// Looks at the condition register until the instrument is idle: at most 50 times a second, less often the
    /// longer it lasts. Between two looks the link is free.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn wait_until_idle(&self) -> Result<(), Error> {
        let scans = self.links.scans.load(Ordering::Acquire);
        self.wait_until_over(Instant::now(), false, scans, |_| {}).await
    }

    /// Stops a scan and returns when the instrument is idle.
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
