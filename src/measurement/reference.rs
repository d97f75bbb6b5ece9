//! References as dated objects: the conditions that each is bound to, and why one may not be used any more.

mod stale;

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use super::{Detector, Grid};
use crate::units::ReferenceSweeps;
pub use stale::{Age, CLOCK_DIFFERENCE, Stale};

/// Two powers count as equal within this difference, dB.
const POWER_DB: f64 = 0.05;
/// Two ends of a range count as equal within this difference, nm.
const RANGE_NM: f64 = 1e-4;

/// The wavelengths of a scan.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScanRange {
    /// First wavelength, nm.
    pub start_nm: f64,
    /// Last wavelength, nm.
    pub stop_nm: f64,
    /// Sampling step, pm.
    pub resolution_pm: f64,
}

impl std::fmt::Display for ScanRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { start_nm, stop_nm, resolution_pm } = self;
        write!(f, "{start_nm} to {stop_nm} nm in steps of {resolution_pm} pm")
    }
}

impl From<Grid> for ScanRange {
    fn from(grid: Grid) -> Self {
        Self { start_nm: grid.start_nm, stop_nm: grid.stop_nm(), resolution_pm: grid.step_pm }
    }
}

impl ScanRange {
    /// Whether both have the same points. The ends may differ by less than half a step.
    #[must_use]
    pub fn is_like(&self, other: &Self) -> bool {
        let near = |a: f64, b: f64| (a - b).abs() < self.resolution_pm * 0.5e-3;
        near(self.start_nm, other.start_nm)
            && near(self.stop_nm, other.stop_nm)
            && (self.resolution_pm - other.resolution_pm).abs() < 1e-6
    }
}

/// A light source of a reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The laser.
    pub laser: u8,
    /// Start of its part of the scan, nm.
    pub start_nm: f64,
    /// End of its part of the scan, nm.
    pub stop_nm: f64,
    /// Its power, dBm.
    pub power_dbm: f64,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { laser, start_nm, stop_nm, power_dbm } = self;
        write!(f, "laser {laser} at {power_dbm} dBm from {start_nm} to {stop_nm} nm")
    }
}

impl Source {
    fn is_like(&self, other: &Self) -> bool {
        let near = |a: f64, b: f64, limit: f64| (a - b).abs() <= limit;
        self.laser == other.laser
            && near(self.power_dbm, other.power_dbm, POWER_DB)
            && near(self.start_nm, other.start_nm, RANGE_NM)
            && near(self.stop_nm, other.stop_nm, RANGE_NM)
    }
}

/// The level of a detector whose path stays as it is. A later level shows how far the bench has drifted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CheckLevel {
    /// The detector.
    pub detector: Detector,
    /// The mean power over the scan, dBm. The mean is of linear power.
    pub dbm: f64,
}

/// The conditions that a reference is bound to, and those of the scan that would use it.
#[derive(Debug, Clone, PartialEq)]
pub struct Conditions {
    /// The serial number of the instrument.
    pub serial: String,
    /// The lasers of the scan.
    pub sources: Vec<Source>,
}

/// A reference with everything that it is bound to. Records of earlier versions have fewer fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReferenceRecord {
    /// The name of the reference on its instrument: its detector and time, such as `4/1@2025-11-28T09:26:31`. Records of
    /// earlier versions have no name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The detector.
    pub detector: Detector,
    /// The time, by the instrument's clock.
    pub taken: NaiveDateTime,
    /// The serial number of the instrument.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serial: Option<String>,
    /// The wavelengths of the reference scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<ScanRange>,
    /// The light sources; `None` if no run has recorded them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sources: Option<Vec<Source>>,
    /// The level of the check detector at that time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckLevel>,
    /// The number of its sweeps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sweeps: Option<ReferenceSweeps>,
    /// The run that has taken it, if another run uses it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
}

impl ReferenceRecord {
    /// A reference of which only the detector and the time are known.
    #[must_use]
    pub fn unknown(detector: Detector, taken: NaiveDateTime) -> Self {
        let plain = Self {
            id: None,
            detector,
            taken,
            serial: None,
            range: None,
            sources: None,
            check: None,
            sweeps: None,
            run: None,
        };
        plain.named()
    }

    /// The name of the reference.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}@{}", self.detector, self.taken.format("%Y-%m-%dT%H:%M:%S"))
    }

    /// The record with its name.
    #[must_use]
    pub fn named(self) -> Self {
        Self { id: Some(self.name()), ..self }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_record_of_an_earlier_version_stays_as_it_is_and_can_be_named() {
        let old = json!({ "detector": "4/1", "taken": "2025-11-28T09:26:31", "sources": [] });
        let record: ReferenceRecord = serde_json::from_value(old.clone()).unwrap();
        assert_eq!(serde_json::to_value(&record).unwrap(), old);
        assert_eq!(record.named().id.as_deref(), Some("4/1@2025-11-28T09:26:31"));
    }
}
