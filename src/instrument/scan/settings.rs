//! The settings of a scan, and what follows from them: its duration, its lasers and where they meet.

use std::time::Duration;

use crate::instrument::scpi;
use crate::instrument::setting::WAVELENGTH_TOLERANCE_NM;
use crate::measurement::{Grid, Joint};

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
    pub(in crate::instrument) fn spans(&self) -> impl Iterator<Item = (&TlsSettings, f64)> {
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
        let stop_nm = grid.stop_nm();
        let one_point = grid.step_pm * 1e-3 + WAVELENGTH_TOLERANCE_NM;
        let starts = (grid.start_nm - from).abs() <= one_point;
        let lasts = (stop_nm - grid.start_nm - (to - from)).abs() <= one_point;
        if starts && lasts {
            return None;
        }
        Some(format!(
            "its {} points cover {} to {stop_nm} nm in steps of {} pm, but the scan covers {from} to {to} nm in steps of {} pm",
            grid.points, grid.start_nm, grid.step_pm, self.resolution_pm
        ))
    }

    /// The lasers that a scan switches on.
    pub fn lasers(&self) -> impl Iterator<Item = u8> {
        self.spans().map(|(tls, _)| tls.laser)
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

    #[test]
    fn an_axis_may_have_one_point_more_or_less_than_the_scan_whatever_its_step() {
        let scan = ScanSettings {
            start_nm: 1520.0,
            stop_nm: 1580.0,
            resolution_pm: 1.0,
            ..scan(&[(1500.0, 1630.0, 0.0)])
        };
        for (step_pm, points, fits) in [
            (1.0, 60_001, true),
            (1.0, 60_000, true),
            (1.0, 60_002, true),
            (1.0, 59_999, false),
            (1.0, 60_003, false),
            // Other numbers of points for the same range, and the steps rounded to a femtometre.
            (0.063_829_787_2, 940_001, true),
            (0.064, 940_001, false),
            (0.638_297_872, 94_001, true),
            (0.638, 94_001, false),
            (0.002_727_272_73, 22_000_001, true),
            (0.003, 22_000_001, false),
            (8_571.428_57, 8, true),
        ] {
            let grid = Grid { start_nm: 1520.0, step_pm, points };
            assert_eq!(scan.contradicts(grid).is_none(), fits, "{grid:?}: {:?}", scan.contradicts(grid));
        }
        // A scan whose ends have more digits than a reply.
        let odd = ScanSettings { start_nm: 1_520.000_01, stop_nm: 1_579.999_99, ..scan };
        let spread =
            |by_nm| Grid { start_nm: 1_520.000_01 + by_nm, step_pm: 0.002_727_271_82, points: 22_000_001 };
        assert_eq!(odd.contradicts(spread(0.0)), None);
        assert!(odd.contradicts(spread(0.000_02)).is_some());
    }
}
