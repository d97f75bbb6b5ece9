//! The instrument's settings as a recipe's operations set them, and the time that each operation takes with them.

use std::collections::{BTreeMap, BTreeSet};

use crate::commands::Present;
use crate::instrument::scpi::Stabilization;
use crate::measurement::{Detector, Grid};
use crate::operation::{ConfigureScan, ConfigureTls, Operation, Wait};

/// Bytes of a Parquet file for each point: 2.5 for the values of a noisy ring with 1 pm between points (measured
/// over 940,001 of them), next to nothing for the grid.
const BYTES_PER_POINT: f64 = 2.55;
/// Bytes of a Parquet file whatever is in it.
const BYTES_PER_FILE: f64 = 6_000.0;
/// Rate at which a real unit sends a trace, bytes per second: 3.8 MB in 5 s, the quicker end of what is reported.
const TRANSFER_BYTES_S: f64 = 750_000.0;
/// Analyzing after a scan, and the polls that see its end, s.
const SCAN_OVERHEAD_S: f64 = 0.5;
/// One exchange with the instrument, s.
const EXCHANGE_S: f64 = 0.01;

/// What an operation costs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Estimate {
    /// Time, s.
    pub seconds: f64,
    /// Points stored.
    pub points: u64,
    /// Bytes stored.
    pub bytes: u64,
}

/// One tunable laser source as far as the recipe has set it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Source {
    /// The laser that serves as it.
    pub laser: Option<u8>,
    /// Where it starts, nm.
    pub start_nm: Option<f64>,
    /// Where it stops, nm.
    pub stop_nm: Option<f64>,
    /// Its speed, nm/s.
    pub speed_nm_s: Option<f64>,
}

/// The settings. Those that the recipe has not set have the value that is stated here or that was asked of the
/// instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct Bench {
    /// First wavelength of the scan, nm.
    pub start_nm: f64,
    /// Last wavelength of the scan, nm.
    pub stop_nm: f64,
    /// Sampling step, pm.
    pub resolution_pm: f64,
    /// Output after the scan and settling time before it.
    pub stabilization: Stabilization,
    /// The sources that the recipe has set.
    pub sources: BTreeMap<u8, Source>,
    /// Lasers that the recipe has switched on.
    pub lasers_on: BTreeSet<u8>,
    /// The scans that references were taken for.
    pub references: BTreeMap<Detector, Grid>,
    /// Sweeps so far.
    pub sweeps: u64,
}

impl Default for Bench {
    /// 1520 to 1580 nm by 10 pm: what is assumed of a scan that a recipe does not set.
    fn default() -> Self {
        Self {
            start_nm: 1520.0,
            stop_nm: 1580.0,
            resolution_pm: 10.0,
            stabilization: Stabilization::default(),
            sources: BTreeMap::new(),
            lasers_on: BTreeSet::new(),
            references: BTreeMap::new(),
            sweeps: 0,
        }
    }
}

impl Bench {
    /// The grid of a trace of the present scan.
    #[must_use]
    pub fn grid(&self) -> Grid {
        let steps = ((self.stop_nm - self.start_nm) * 1e3 / self.resolution_pm + 1e-6).floor().max(0.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "500 nm by 0.02 pm is 25 million"
        )]
        let points = steps as u64 + 1;
        Grid { start_nm: self.start_nm, step_pm: self.resolution_pm, points }
    }

    /// What the commands of an operation depend on.
    #[must_use]
    pub fn present(&self) -> Present {
        Present {
            stabilization: self.stabilization,
            scan_start_nm: self.start_nm,
            scan_stop_nm: self.stop_nm,
        }
    }

    /// Takes an operation into account and says what it costs.
    pub fn perform(&mut self, operation: &Operation) -> Estimate {
        let seconds = |seconds| Estimate { seconds, ..Estimate::default() };
        match operation {
            Operation::ConfigureLaser(laser) => {
                match laser.output {
                    Some(true) => drop(self.lasers_on.insert(laser.laser.get())),
                    Some(false) => drop(self.lasers_on.remove(&laser.laser.get())),
                    None => {}
                }
                // Switching light on takes a laser seconds.
                seconds(if laser.output == Some(true) { 2.0 } else { 5.0 * EXCHANGE_S })
            }
            Operation::ConfigureTls(tls) => {
                self.set_source(tls);
                seconds(12.0 * EXCHANGE_S)
            }
            Operation::ConfigureScan(scan) => {
                self.set_scan(scan);
                seconds(10.0 * EXCHANGE_S)
            }
            Operation::ConfigureDetector(_) | Operation::Scpi(_) => seconds(6.0 * EXCHANGE_S),
            Operation::CreateReference(reference) => {
                let grid = self.grid();
                self.references.insert(reference.detector, grid);
                self.after_scan();
                seconds(self.scan_s())
            }
            Operation::Sweep(scan) => {
                self.set_scan(scan);
                self.sweeps += 1;
                self.after_scan();
                seconds(self.scan_s())
            }
            Operation::FetchTrace(fetch) => {
                let files = (fetch.detectors.len() * fetch.traces.len()) as u64;
                self.fetched(files, if fetch.transfer_x { 12.0 } else { 4.0 })
            }
            Operation::ReadPower(read) => {
                #[expect(clippy::cast_precision_loss, reason = "a handful of detectors")]
                let exchanges = f64::from(read.samples) * read.detectors.len() as f64 * EXCHANGE_S;
                seconds(exchanges.max(read.interval_s.get() * f64::from(read.samples - 1)))
            }
            Operation::Wait(Wait::Seconds(time)) => seconds(time.get()),
            Operation::Wait(Wait::Stable(stable)) => seconds(stable.for_s.get()),
            // How long until a time of day depends on when the run comes to it; people answer when they like.
            Operation::Wait(Wait::At(_)) | Operation::Log(_) | Operation::Prompt(_) => Estimate::default(),
        }
    }

    /// How long a scan takes: the sources sweep one after another, each its share of the range.
    #[must_use]
    pub fn scan_s(&self) -> f64 {
        const ASSUMED_SPEED_NM_S: f64 = 50.0;
        let share = |source: &Source| {
            let start = source.start_nm.map_or(self.start_nm, |nm| nm.max(self.start_nm));
            let stop = source.stop_nm.map_or(self.stop_nm, |nm| nm.min(self.stop_nm));
            (stop - start).max(0.0) / source.speed_nm_s.unwrap_or(ASSUMED_SPEED_NM_S)
        };
        let used = self.sources.values().filter(|source| source.laser != Some(0));
        let sweeping: f64 = used.map(share).sum();
        // With no source set, or none that reaches into the range, one is assumed to sweep it.
        let sweeping = if sweeping > 0.0 {
            sweeping
        } else {
            (self.stop_nm - self.start_nm).max(0.0) / ASSUMED_SPEED_NM_S
        };
        sweeping + self.stabilization.seconds + SCAN_OVERHEAD_S
    }

    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "positive and far below 2^63"
    )]
    fn fetched(&self, files: u64, bytes_per_point: f64) -> Estimate {
        let points = self.grid().points;
        Estimate {
            seconds: files as f64 * (points as f64 * bytes_per_point / TRANSFER_BYTES_S + 10.0 * EXCHANGE_S),
            points: files * points,
            bytes: files * (points as f64 * BYTES_PER_POINT + BYTES_PER_FILE) as u64,
        }
    }

    fn after_scan(&mut self) {
        if !self.stabilization.output {
            self.lasers_on.clear();
        }
    }

    fn set_source(&mut self, tls: &ConfigureTls) {
        let source = self.sources.entry(tls.tls.get()).or_default();
        source.laser = tls.laser.map(|laser| laser.get()).or(source.laser);
        source.start_nm = tls.start_nm.map(|nm| nm.get()).or(source.start_nm);
        source.stop_nm = tls.stop_nm.map(|nm| nm.get()).or(source.stop_nm);
        source.speed_nm_s = tls.speed_nm_s.map(|speed| speed.get()).or(source.speed_nm_s);
    }

    fn set_scan(&mut self, scan: &ConfigureScan) {
        self.start_nm = scan.start_nm.map_or(self.start_nm, |nm| nm.get());
        self.stop_nm = scan.stop_nm.map_or(self.stop_nm, |nm| nm.get());
        self.resolution_pm = scan.resolution_pm.map_or(self.resolution_pm, |pm| pm.get());
        self.stabilization.seconds = scan.stabilization_s.map_or(self.stabilization.seconds, |s| s.get());
        self.stabilization.output = scan.keep_lasers_on.unwrap_or(self.stabilization.output);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn after(operations: &[(&str, serde_json::Value)]) -> (Bench, Estimate) {
        let mut bench = Bench::default();
        let mut last = Estimate::default();
        for (name, fields) in operations {
            last = bench.perform(&Operation::read(name, fields).unwrap());
        }
        (bench, last)
    }

    #[test]
    fn a_sweep_takes_span_over_speed_and_the_settling_time() {
        let (_, sweep) = after(&[
            ("configure_tls", json!({ "tls": 1, "laser": 1, "speed_nm_s": 20 })),
            ("sweep", json!({ "start_nm": 1520, "stop_nm": 1580, "stabilization_s": 2 })),
        ]);
        assert_eq!(sweep.seconds, 60.0 / 20.0 + 2.0 + SCAN_OVERHEAD_S);
    }

    #[test]
    fn a_source_that_is_switched_out_or_out_of_range_takes_no_time() {
        let (bench, _) = after(&[
            ("configure_tls", json!({ "tls": 1, "laser": 0 })),
            (
                "configure_tls",
                json!({ "tls": 2, "laser": 2, "start_nm": 1260, "stop_nm": 1360, "speed_nm_s": 100 }),
            ),
            ("configure_scan", json!({ "start_nm": 1280, "stop_nm": 1340 })),
        ]);
        assert_eq!(bench.scan_s(), 60.0 / 100.0 + SCAN_OVERHEAD_S);
    }

    #[test]
    fn a_fetch_stores_its_points_once_for_each_detector_and_trace() {
        let (bench, fetch) = after(&[
            ("configure_scan", json!({ "start_nm": 1500, "stop_nm": 1594, "resolution_pm": 0.1 })),
            ("fetch_trace", json!({ "detectors": ["4/1", "4/2"], "traces": ["tf", "raw"] })),
        ]);
        assert_eq!(bench.grid().points, 940_001);
        assert_eq!(fetch.points, 4 * 940_001);
        // A real unit takes 5 to 30 s for such a trace.
        assert!((4.0 * 5.0..4.0 * 30.0).contains(&fetch.seconds), "{}", fetch.seconds);
    }
}
