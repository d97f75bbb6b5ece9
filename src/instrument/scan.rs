//! Scans (sweeps and references), from their settings until the instrument is idle.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::Instant;

use super::activity::ScanKind;
use super::scpi::{self, Action, Condition, Query};
use super::setting::WAVELENGTH_TOLERANCE_NM;
use super::{Ctp10, Error, TLS};
use crate::measurement::{Grid, Joint};

/// A scan that was not seen running within this time has not started.
const START_LIMIT: Duration = Duration::from_secs(3);
/// Pause between two reads of the condition register: the first and the longest.
const POLL: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(100));
/// A scan has ended when the register was idle twice, with at least this time in between.
const IDLE_APART: Duration = Duration::from_millis(20);

/// One TLS of the scan, as read from the instrument.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TlsSettings {
    /// Number of the TLS.
    pub tls: u8,
    /// The laser that is assigned to it.
    pub laser: u8,
    /// Start wavelength, nm.
    pub start_nm: f64,
    /// Stop wavelength, nm.
    pub stop_nm: f64,
    /// Speed, nm/s.
    pub speed_nm_s: f64,
    /// Power, dBm.
    pub power_dbm: f64,
    /// Trigger input; 0 for software, or if the laser has no trigger input.
    pub trigger_in: u8,
}

/// The settings of the scan, as read from the instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanSettings {
    /// First wavelength, nm.
    pub start_nm: f64,
    /// Last wavelength, nm.
    pub stop_nm: f64,
    /// Sampling step, pm.
    pub resolution_pm: f64,
    /// Whether the output stays on after the scan, and the settling time before it.
    pub stabilization: scpi::Stabilization,
    /// The TLS with a laser.
    pub tls: Vec<TlsSettings>,
}

/// The part of a scan that one laser can sweep.
#[derive(Debug, Clone, Copy)]
struct Span {
    laser: u8,
    start_nm: f64,
    stop_nm: f64,
    dbm: f64,
}

impl Span {
    fn of(tls: &TlsSettings, scan: &ScanSettings) -> Self {
        Self {
            laser: tls.laser,
            start_nm: tls.start_nm.max(scan.start_nm),
            stop_nm: tls.stop_nm.min(scan.stop_nm),
            dbm: tls.power_dbm,
        }
    }

    /// The wavelengths where this span or the next higher one may take over from the other.
    fn joints(&self, upper: &Self) -> Vec<Joint> {
        let overlap_nm = self.stop_nm.min(upper.stop_nm) - upper.start_nm;
        let is_certain = overlap_nm <= WAVELENGTH_TOLERANCE_NM;
        let joint = |[below, above]: [&Self; 2], places_nm: &[f64]| Joint {
            lasers: [below.laser, above.laser],
            places_nm: places_nm.to_vec(),
            is_certain,
            set_db: above.dbm - below.dbm,
        };
        if overlap_nm < -WAVELENGTH_TOLERANCE_NM {
            return Vec::new();
        }
        if is_certain {
            return vec![joint([self, upper], &[upper.start_nm])];
        }
        if upper.stop_nm > self.stop_nm {
            return vec![joint([self, upper], &[upper.start_nm, self.stop_nm])];
        }
        // The other laser covers only the middle of this span.
        vec![joint([self, upper], &[upper.start_nm]), joint([upper, self], &[upper.stop_nm])]
    }
}

impl ScanSettings {
    /// The TLS within the range of the scan, with the span of each, nm.
    pub(super) fn spans(&self) -> impl Iterator<Item = (&TlsSettings, f64)> {
        let span = |tls: &TlsSettings| tls.stop_nm.min(self.stop_nm) - tls.start_nm.max(self.start_nm);
        self.tls.iter().map(move |tls| (tls, span(tls))).filter(|(_, span)| *span > 0.0)
    }

    /// The wavelengths where the light of a scan may change from one laser to another. At a gap there is none.
    #[must_use]
    pub fn joints(&self) -> Vec<Joint> {
        let mut spans: Vec<Span> = self.spans().map(|(tls, _)| Span::of(tls, self)).collect();
        spans.sort_by(|a, b| a.start_nm.total_cmp(&b.start_nm));
        let pairs = spans
            .iter()
            .enumerate()
            .flat_map(|(at, lower)| spans[at + 1..].iter().map(move |upper| (lower, upper)));
        pairs.flat_map(|(lower, upper)| lower.joints(upper)).collect()
    }

    /// The expected duration of a scan, from spans and speeds: the TLS sweep one after another.
    #[must_use]
    pub fn expected(&self) -> Duration {
        let sweep: f64 = self.spans().map(|(tls, span)| span / tls.speed_nm_s.max(0.1)).sum();
        Duration::from_secs_f64(sweep + self.stabilization.seconds.max(0.0))
    }

    /// The wavelengths that a scan covers, nm: the overlap of its own range with those of its TLS.
    #[must_use]
    pub fn swept_nm(&self) -> Option<[f64; 2]> {
        let from = self.spans().map(|(tls, _)| tls.start_nm.max(self.start_nm)).reduce(f64::min)?;
        let to = self.spans().map(|(tls, _)| tls.stop_nm.min(self.stop_nm)).reduce(f64::max)?;
        Some([from, to])
    }

    /// Why an axis cannot belong to a trace of this scan; `None` if it can. The trace may have one point more or
    /// less.
    #[must_use]
    pub fn contradicts(&self, grid: Grid) -> Option<String> {
        let [from, to] = self.swept_nm()?;
        let step_nm = grid.step_pm * 1e-3;
        #[expect(clippy::cast_precision_loss, reason = "a plausible count is far below 2^53")]
        let steps = (grid.points - 1) as f64;
        // A step other than the scan's own was rounded to a femtometre when it was stored.
        let is_own = (grid.step_pm - self.resolution_pm).abs() < 1e-6;
        let rounded = if is_own { 0.0 } else { steps * 0.5e-6 };
        let starts = (grid.start_nm - from).abs() <= step_nm + 1e-9;
        let lasts = (steps * step_nm - (to - from)).abs() <= step_nm + rounded + 1e-9;
        if starts && lasts {
            return None;
        }
        let stop_nm = grid.start_nm + steps * step_nm;
        Some(format!(
            "its {} points cover {} to {stop_nm} nm, but the scan covers {from} to {to} nm in steps of {} pm",
            grid.points, grid.start_nm, self.resolution_pm
        ))
    }

    /// The lasers that a scan switches on.
    pub fn lasers(&self) -> impl Iterator<Item = u8> {
        self.spans().map(|(tls, _)| tls.laser)
    }
}

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

#[cfg(test)]
mod tests {
    use super::*;

    /// A scan from 1440 to 1630 nm with one TLS for each range and power.
    fn scan(sources: &[(f64, f64, f64)]) -> ScanSettings {
        let tls = (1..).zip(sources).map(|(number, (start_nm, stop_nm, power_dbm))| TlsSettings {
            tls: number,
            laser: number,
            start_nm: *start_nm,
            stop_nm: *stop_nm,
            speed_nm_s: 50.0,
            power_dbm: *power_dbm,
            trigger_in: 0,
        });
        ScanSettings {
            start_nm: 1440.0,
            stop_nm: 1630.0,
            resolution_pm: 10.0,
            stabilization: scpi::Stabilization::default(),
            tls: tls.collect(),
        }
    }

    fn joints(sources: &[(f64, f64, f64)]) -> Vec<([u8; 2], Vec<f64>, f64)> {
        let joints = scan(sources).joints().into_iter();
        joints.map(|joint| (joint.lasers, joint.places_nm, joint.set_db)).collect()
    }

    #[test]
    fn lasers_meet_where_their_ranges_touch_or_overlap() {
        // The order of the TLS does not matter.
        assert_eq!(joints(&[(1500.0, 1630.0, 5.0), (1440.0, 1500.0, 2.0)]), [([2, 1], vec![1500.0], 3.0)]);
        assert_eq!(
            joints(&[(1430.0, 1530.0, 0.0), (1500.0, 1640.0, 0.0)]),
            [([1, 2], vec![1500.0, 1530.0], 0.0)]
        );
        assert_eq!(joints(&[(1440.0, 1500.0, 0.0), (1501.0, 1630.0, 0.0)]), []);
        assert_eq!(joints(&[(1260.0, 1360.0, 0.0), (1500.0, 1630.0, 0.0)]), []);
        let nested = joints(&[(1440.0, 1630.0, 0.0), (1500.0, 1530.0, 1.0)]);
        assert_eq!(nested.iter().map(|joint| joint.0).collect::<Vec<_>>(), [[1, 2], [2, 1]]);
    }
}
