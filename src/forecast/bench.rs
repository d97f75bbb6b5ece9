//! The settings of the instrument, as far as a recipe has set them. Other settings are unknown; only estimates may
//! assume a value for them.

use std::collections::{BTreeMap, BTreeSet};

use super::cost::{self, Estimate, Scan};
use crate::commands::Present;
use crate::instrument::scpi::Stabilization;
use crate::measurement::{Detector, Grid, PowerUnit};
use crate::operation::{ConfigureDetector, ConfigureScan, CreateReference, Lasers, Memory, Operation};

/// The scan that estimates assume if the recipe does not set it.
const ASSUMED: Grid = Grid { start_nm: 1520.0, step_pm: 10.0, points: 6_001 };
/// The speed that estimates assume if the recipe does not set it, nm/s.
pub(super) const ASSUMED_SPEED_NM_S: f64 = 50.0;

/// One tunable laser source as far as the recipe has set it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Source {
    /// The laser that is used as this source; 0 for none.
    pub laser: Option<u8>,
    /// First wavelength, nm.
    pub start_nm: Option<f64>,
    /// Last wavelength, nm.
    pub stop_nm: Option<f64>,
    /// Its speed, nm/s.
    pub speed_nm_s: Option<f64>,
    /// Its power, dBm.
    pub power_dbm: Option<f64>,
}

/// A reference that the recipe has taken.
#[derive(Debug, Clone, PartialEq)]
pub struct Reference {
    /// The scan of the reference.
    pub scan: Grid,
    /// The number of sweeps before it.
    pub sweeps: u64,
    /// The sources that swept it.
    pub light: Light,
}

/// The sources of a scan, as far as the recipe has set them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Light {
    /// First and last wavelength of the scan, nm.
    pub range: Option<(f64, f64)>,
    /// The sources whose ranges overlap the scan, by number.
    pub sources: BTreeMap<u8, Source>,
}

/// The settings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BenchState {
    /// First wavelength of the scan, nm.
    pub start_nm: Option<f64>,
    /// Last wavelength of the scan, nm.
    pub stop_nm: Option<f64>,
    /// Sampling step, pm.
    pub resolution_pm: Option<f64>,
    /// Output after the scan and settling time before it.
    pub stabilization: Stabilization,
    /// The sources that the recipe has set, by number.
    pub sources: BTreeMap<u8, Source>,
    /// Lasers that the recipe has switched on.
    pub lasers_on: BTreeSet<u8>,
    /// Whether no earlier step of the recipe could have left a laser on.
    pub dark: bool,
    /// References that the recipe has taken.
    pub references: BTreeMap<Detector, Reference>,
    /// True from a request for the patch cord until a step that may have replaced it.
    pub patched: bool,
    /// The scan of the last sweep.
    pub swept: Option<Grid>,
    /// The sources that swept it.
    pub swept_by: Light,
    /// A raw command may have changed the scan.
    pub is_changed: bool,
    /// Start and stop of the scan were set by one step.
    pub range_is_of_one_step: bool,
    /// The calibration wavelength of detectors that the recipe has set, nm.
    pub calibrated_nm: BTreeMap<Detector, f64>,
    /// The detectors that the recipe has given a unit of photocurrent.
    pub photocurrent: BTreeSet<Detector>,
    /// The static wavelength of lasers that the recipe has set, nm.
    pub static_nm: BTreeMap<u8, f64>,
    /// Sweeps so far.
    pub sweeps: u64,
}

impl BenchState {
    /// The grid of a scan with the present settings.
    #[must_use]
    pub fn grid(&self) -> Grid {
        let start_nm = self.start_nm.unwrap_or(ASSUMED.start_nm);
        let stop_nm = self.stop_nm.unwrap_or(ASSUMED.stop_nm());
        let step_pm = self.resolution_pm.unwrap_or(ASSUMED.step_pm);
        let steps = ((stop_nm - start_nm) * 1e3 / step_pm + 1e-6).floor().max(0.0);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "500 nm by 0.02 pm is 25 million"
        )]
        let points = steps as u64 + 1;
        Grid { start_nm, step_pm, points }
    }

    /// First and last wavelength of the scan, nm, if the recipe has set both.
    #[must_use]
    pub fn range(&self) -> Option<(f64, f64)> {
        self.start_nm.zip(self.stop_nm)
    }

    /// The settings that the commands of an operation depend on.
    #[must_use]
    pub fn present(&self) -> Present {
        Present {
            stabilization: self.stabilization,
            scan_start_nm: self.start_nm.unwrap_or(ASSUMED.start_nm),
            scan_stop_nm: self.stop_nm.unwrap_or(ASSUMED.stop_nm()),
        }
    }

    /// The sources that sweep, with the part of the scan that each covers, nm.
    pub fn shares(&self) -> impl Iterator<Item = (u8, &Source, (f64, f64))> {
        let grid = self.grid();
        let share = move |source: &Source| {
            let start = source.start_nm.map_or(grid.start_nm, |nm| nm.max(grid.start_nm));
            let stop = source.stop_nm.map_or(grid.stop_nm(), |nm| nm.min(grid.stop_nm()));
            (start, stop)
        };
        let used = self.sources.iter().filter(|(_, source)| source.laser != Some(0));
        used.map(move |(tls, source)| (*tls, source, share(source)))
            .filter(|(.., (start, stop))| start < stop)
    }

    /// The time for sweeping and settling, s. The sources sweep one after another.
    #[must_use]
    pub fn sweeping_s(&self) -> f64 {
        let time = |source: &Source, (start, stop): (f64, f64)| {
            (stop - start) / source.speed_nm_s.unwrap_or(ASSUMED_SPEED_NM_S)
        };
        let sweeping: f64 = self.shares().map(|(_, source, share)| time(source, share)).sum();
        let grid = self.grid();
        // If no source is set, or none overlaps the range, one source is assumed to sweep it.
        let assumed = time(&Source::default(), (grid.start_nm, grid.stop_nm().max(grid.start_nm)));
        let sweeping = if sweeping > 0.0 { sweeping } else { assumed };
        sweeping + self.stabilization.seconds
    }

    /// Applies an operation to the settings and returns its cost.
    pub fn perform(&mut self, operation: &Operation) -> Estimate {
        let traits = operation.traits();
        if let Some(scan) = traits.scan {
            self.set_scan(scan);
        }
        self.set_lasers(&traits.lasers);
        if let Some(fields) = traits.detector_settings {
            self.set_detector(fields);
        }
        // A person, a stage, a switch or raw SCPI may bring the device into the path.
        if traits.changes_bench() && !traits.is_scan() || traits.gives_time() {
            self.patched = false;
        }
        match traits.memory {
            Memory::ReplacesLive => {
                self.sweeps += 1;
                self.swept = Some(self.grid());
                self.swept_by = self.light();
                self.after_scan();
            }
            Memory::ReplacesReference(reference) => self.reference(reference),
            Memory::Keeps | Memory::Reads(_) | Memory::Unknown => {}
        }
        let points = self.swept.unwrap_or_else(|| self.grid()).points;
        cost::of(operation, Scan { seconds: self.sweeping_s(), points })
    }

    fn set_lasers(&mut self, lasers: &Lasers) {
        match *lasers {
            Lasers::Static { laser, output, demand } => {
                self.static_nm.extend(demand.wavelength_nm.map(|nm| (laser, nm)));
                match output {
                    Some(true) => {
                        self.lasers_on.insert(laser);
                        self.dark = false;
                    }
                    Some(false) => {
                        self.lasers_on.remove(&laser);
                        self.dark = self.lasers_on.is_empty();
                    }
                    None => {}
                }
            }
            Lasers::Source { tls, laser, demand } => {
                let source = self.sources.entry(tls).or_default();
                source.laser = laser.or(source.laser);
                source.start_nm = demand.start_nm.or(source.start_nm);
                source.stop_nm = demand.stop_nm.or(source.stop_nm);
                source.speed_nm_s = demand.speed_nm_s.or(source.speed_nm_s);
                source.power_dbm = demand.power_dbm.or(source.power_dbm);
            }
            // A raw command may switch any laser and change the scan.
            Lasers::Any => {
                self.dark = false;
                self.is_changed = true;
            }
            Lasers::OfScan | Lasers::None => {}
        }
    }

    fn set_detector(&mut self, fields: &ConfigureDetector) {
        let detector = fields.detector;
        self.calibrated_nm.extend(fields.wavelength_nm.map(|nm| (detector, nm.get())));
        match fields.power_unit.map(PowerUnit::is_photocurrent) {
            Some(true) => _ = self.photocurrent.insert(detector),
            Some(false) => _ = self.photocurrent.remove(&detector),
            None => {}
        }
    }

    fn set_scan(&mut self, fields: &ConfigureScan) {
        if fields.start_nm.is_some() || fields.stop_nm.is_some() {
            self.range_is_of_one_step = fields.start_nm.is_some() && fields.stop_nm.is_some();
            self.is_changed &= !self.range_is_of_one_step;
        }
        self.start_nm = fields.start_nm.map(|nm| nm.get()).or(self.start_nm);
        self.stop_nm = fields.stop_nm.map(|nm| nm.get()).or(self.stop_nm);
        self.resolution_pm = fields.resolution_pm.map(|pm| pm.get()).or(self.resolution_pm);
        self.stabilization.seconds = fields.stabilization_s.map_or(self.stabilization.seconds, |s| s.get());
        self.stabilization.output = fields.keep_lasers_on.unwrap_or(self.stabilization.output);
    }

    fn reference(&mut self, fields: &CreateReference) {
        let reference = Reference { scan: self.grid(), sweeps: self.sweeps, light: self.light() };
        self.references.extend(fields.detectors.iter().map(|detector| (*detector, reference.clone())));
        self.patched |= fields.connect.is_some();
        if fields.check.is_some() {
            // The scan for the check replaces the traces of the last sweep.
            self.swept = None;
        }
        self.after_scan();
    }

    fn light(&self) -> Light {
        let sources = self.shares().map(|(tls, source, _)| (tls, *source)).collect();
        Light { range: self.range().filter(|_| !self.is_changed), sources }
    }

    fn after_scan(&mut self) {
        // A sweep changes the wavelength of its laser.
        self.static_nm.clear();
        if self.stabilization.output {
            let lit: Vec<u8> = self.shares().filter_map(|(_, source, _)| source.laser).collect();
            self.lasers_on.extend(lit);
            self.dark = false;
        } else {
            self.lasers_on.clear();
            self.dark = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn after(operations: &[(&str, serde_json::Value)]) -> (BenchState, Estimate) {
        let mut bench = BenchState::default();
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
        assert_eq!(sweep.seconds, 60.0 / 20.0 + 2.0 + cost::SCAN_OVERHEAD_S);
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
        assert_eq!(bench.sweeping_s(), 60.0 / 100.0);
    }

    #[test]
    fn a_fetch_stores_its_points_once_for_each_detector_and_trace() {
        let (bench, fetch) = after(&[
            ("configure_scan", json!({ "start_nm": 1500, "stop_nm": 1594, "resolution_pm": 0.1 })),
            ("sweep", json!({})),
            ("configure_scan", json!({ "resolution_pm": 100 })),
            ("fetch_trace", json!({ "detectors": ["4/1", "4/2"], "traces": ["tf", "raw"] })),
        ]);
        // The trace in memory is that of the last sweep, whatever was set since.
        assert_eq!(bench.swept.unwrap().points, 940_001);
        assert_eq!(fetch.points, 4 * 940_001);
        // A real unit takes 5 to 30 s for such a trace.
        assert!((4.0 * 5.0..4.0 * 30.0).contains(&fetch.seconds), "{}", fetch.seconds);
    }
    #[test]
    fn lasers_are_dark_after_a_scan_that_does_not_keep_them_on() {
        let (bench, _) =
            after(&[("configure_laser", json!({ "laser": 1, "output": true })), ("sweep", json!({}))]);
        assert!(bench.dark && bench.lasers_on.is_empty());
        let (bench, _) = after(&[
            ("configure_tls", json!({ "tls": 1, "laser": 2 })),
            ("sweep", json!({ "keep_lasers_on": true })),
        ]);
        assert!(!bench.dark && bench.lasers_on.contains(&2));
    }
}
