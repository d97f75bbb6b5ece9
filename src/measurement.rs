//! The nouns of a measurement: a detector, a trace and its wavelength grid, a power reading.

use std::time::{SystemTime, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::shown;
use crate::units::dbm_of_milliwatts;

mod detector;
mod grid;
mod levels;
mod naming;
mod reference;
mod seam;
mod trace_kind;
mod trace_unit;

pub use detector::{Detector, NotADetector};
pub use grid::{Axis, Grid, GridFit, Irregular};
pub use levels::PowerLevels;
pub use naming::{check_name, check_part_of_name, fit_for_file};
pub use reference::{
    Age, CLOCK_DIFFERENCE, CheckLevel, Conditions, ReferenceRecord, ScanRange, Source, Stale,
};
pub use seam::{Joint, Seam, Seams};
pub use trace_kind::TraceKind;
pub use trace_unit::{Loss, TraceUnit};

/// The unit in which a detector reports optical power, or photocurrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PowerUnit {
    /// Decibels relative to one milliwatt.
    #[serde(rename = "dBm")]
    Dbm,
    /// Milliwatts.
    #[serde(rename = "mW")]
    Mw,
    /// Decibels relative to one milliampere of photocurrent.
    #[serde(rename = "dBmA")]
    Dbma,
    /// Milliamperes of photocurrent.
    #[serde(rename = "mA")]
    Ma,
}

impl PowerUnit {
    /// The symbol.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Dbm => "dBm",
            Self::Mw => "mW",
            Self::Dbma => "dBmA",
            Self::Ma => "mA",
        }
    }

    /// Whether it is a unit of photocurrent.
    #[must_use]
    pub fn is_photocurrent(self) -> bool {
        match self {
            Self::Dbm | Self::Mw => false,
            Self::Dbma | Self::Ma => true,
        }
    }

    /// Whether the values are linear, and not levels.
    #[must_use]
    pub fn is_linear(self) -> bool {
        match self {
            Self::Dbm | Self::Dbma => false,
            Self::Mw | Self::Ma => true,
        }
    }

    /// The unit of photocurrent with the same scale. The instrument reports only the scale, as a number.
    #[must_use]
    pub fn of_photocurrent(self) -> Self {
        if self.is_linear() { Self::Ma } else { Self::Dbma }
    }

    /// A value of this unit in another unit. Zero has no level, and a current is no power.
    #[must_use]
    pub fn convert(self, value: f64, to: Self) -> Option<f64> {
        if self.is_photocurrent() != to.is_photocurrent() {
            return None;
        }
        match (self.is_linear(), to.is_linear()) {
            (true, false) => (value > 0.0).then(|| dbm_of_milliwatts(value)),
            (false, true) => Some(10f64.powf(value / 10.0)),
            (false, false) | (true, true) => Some(value),
        }
    }
}

/// The unit of a detector's spectral axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SpectralUnit {
    /// Wavelength in nanometres.
    #[serde(rename = "nm")]
    Nm,
    /// Frequency in terahertz.
    #[serde(rename = "THz")]
    Thz,
}

/// A level further from 0 than this, in dB or dBm, cannot be a measured value.
const FARTHEST_LEVEL: f64 = 1e3;

/// SCPI writes 9.91E37 for "not a number" and 9.9E37 for infinity. These, and all other values that are not finite,
/// become NaN.
#[must_use]
pub fn finite_or_nan(value: f32) -> f32 {
    let size = value.abs();
    if size == 9.91e37 || size == 9.9e37 || !size.is_finite() { f32::NAN } else { value }
}

/// Whether a level cannot have been measured, although it is a number.
#[must_use]
pub fn is_implausible_level(value: f64) -> bool {
    value.abs() > FARTHEST_LEVEL
}

/// One power reading.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PowerReading {
    /// The detector.
    pub detector: Detector,
    /// The value in `unit`; `None` if the detector had no finite value.
    pub value: Option<f64>,
    /// The detector's unit at the time.
    pub unit: PowerUnit,
    /// The calibration wavelength of the detector at that time, nm; `None` if it is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub calibration_nm: Option<f64>,
    /// When it was read, in seconds since 1970-01-01 UTC.
    pub time_s: f64,
}

/// The present time, in seconds since 1970-01-01 UTC.
#[must_use]
pub fn unix_time_s() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// A level with its wavelength.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Extreme {
    /// The level, in the trace's unit (dB or dBm).
    pub value: f64,
    /// Its wavelength, nm.
    pub nm: f64,
}

impl Extreme {
    /// The level for people, in the same form everywhere: `0.52 dB`. It has no sign if it rounds to zero.
    #[must_use]
    pub fn level(&self, unit: &str) -> String {
        shown::quantity(self.value, None, unit)
    }

    /// The wavelength, for people.
    #[must_use]
    pub fn place(&self) -> String {
        format!("at {}", shown::quantity(self.nm, None, "nm"))
    }

    /// The insertion loss of a transmission: its level with the sign turned.
    #[must_use]
    pub fn as_loss(&self) -> Self {
        Self { value: -self.value, ..*self }
    }
}

/// A stored trace: its identity, its file, and the figures that were computed while it arrived.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct TraceSummary {
    /// Its number within the run, from 1.
    pub trace_index: u64,
    /// The sweep it belongs to, from 1 (0: taken before any sweep of the run).
    pub sweep_index: u64,
    /// Which attempt at that sweep, from 1.
    pub attempt: u32,
    /// The detector it comes from.
    pub detector: Detector,
    /// The name that the recipe gives to the detector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detector_name: Option<String>,
    /// Which trace.
    pub trace: TraceKind,
    /// `dB`, `dBm` or `dBmA`.
    pub unit: String,
    /// The name in the recipe, unchanged; empty if there is none.
    pub name: String,
    /// The file, relative to the run folder, with `/` as separator.
    pub file: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// The wavelength axis.
    #[serde(flatten)]
    pub grid: Grid,
    /// The number of values that were not finite (nulls in the file).
    pub nulls: u64,
    /// The lowest finite value; `None` if there is none.
    pub min: Option<Extreme>,
    /// The highest finite value; `None` if there is none.
    pub max: Option<Extreme>,
    /// Mean of the finite values, in the trace's unit.
    pub mean: Option<f64>,
    /// The highest transmission, dB, if it is too high for a passive device, because the reference does not fit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above_reference_db: Option<f64>,
    /// The reference that a transmission rests on: its detector and time, such as `4/1@2025-11-28T09:26:31`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The wavelengths where one laser takes over from another, with the step in level.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seams: Vec<Seam>,
    /// The turns of the loops around the fetch, outermost first: `device=ring_3`, `power -5 dBm`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub turns: Vec<String>,
}

impl TraceSummary {
    /// Whether the trace is high with dips in it (a through port), rather than low with peaks (a drop port).
    #[must_use]
    pub fn has_dips(&self) -> bool {
        match (self.min, self.max, self.mean) {
            (Some(min), Some(max), Some(mean)) => max.value - mean < mean - min.value,
            _ => false,
        }
    }

    /// The detector by its name in the recipe, or as `module/channel`.
    #[must_use]
    pub fn shown_detector(&self) -> String {
        self.detector_name.clone().unwrap_or_else(|| self.detector.to_string())
    }

    /// The name of the trace for people: `through · power -5 dBm`. The page makes the same name; both are tested with
    /// `tests/page/names.json`.
    #[must_use]
    pub fn shown_name(&self) -> String {
        let mut parts = vec![self.shown_detector()];
        if self.trace != TraceKind::Tf {
            parts[0] += &format!(" {}", self.trace);
        }
        parts.extend(self.turns.iter().cloned());
        if !self.name.is_empty() && !self.name_repeats_turns() {
            parts.push(self.name.clone());
        }
        if self.attempt > 1 {
            parts.push(format!("attempt {}", self.attempt));
        }
        parts.join(" \u{b7} ")
    }

    /// Whether the name only repeats the loop variables, such as `ring_-5dBm` in the loop `power -5 dBm`.
    fn name_repeats_turns(&self) -> bool {
        let is_repeated = |turn: &String| {
            let value = turn.split(['=', ' ']).nth(1).unwrap_or_default();
            !turn.starts_with("turn ") && self.name.contains(value)
        };
        !self.turns.is_empty() && self.turns.iter().all(is_repeated)
    }

    /// The largest step in level at a seam that the set powers of the lasers do not explain, dB; 0 if there is none.
    #[must_use]
    pub fn seam_step_db(&self) -> f64 {
        let steps = self.seams.iter().filter(|seam| seam.is_step()).map(Seam::unexplained_db);
        steps.max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0)
    }
}

/// The highest transmission that a passive device can have, dB, with a tolerance.
const MOST_TRANSMISSION_DB: f64 = 0.5;

/// The highest transmission of a trace, if it is too high for a passive device.
#[must_use]
pub fn above_reference_db(trace: TraceKind, highest: Option<f64>) -> Option<f64> {
    highest.filter(|level| trace == TraceKind::Tf && *level > MOST_TRANSMISSION_DB)
}

/// The columns of every trace file, in addition to loop variables. No parameter, loop variable or constant column may
/// have one of these names.
pub const TRACE_COLUMNS: [&str; 11] = [
    "wavelength_nm",
    "value",
    "run_id",
    "trace_index",
    "sweep_index",
    "attempt",
    "simulated",
    "module",
    "channel",
    "trace",
    "name",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_has_the_same_name_here_and_on_the_page() {
        let cases: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../tests/page/names.json")).unwrap();
        for case in cases {
            let mut fields = serde_json::json!({
                "trace_index": 1, "sweep_index": 1, "unit": "dB", "file": "", "bytes": 0, "sha256": "",
                "start_nm": 1550.0, "step_pm": 1.0, "points": 1, "nulls": 0,
            });
            fields.as_object_mut().unwrap().extend(case["trace"].as_object().unwrap().clone());
            let trace: TraceSummary = serde_json::from_value(fields).unwrap();
            assert_eq!(trace.shown_name(), case["name"].as_str().unwrap());
        }
    }

    #[test]
    fn a_detector_is_module_and_channel() {
        assert_eq!("4/1".parse(), Ok(Detector { module: 4, channel: 1 }));
        for wrong in ["4", "4/7", "21/1", "0/1", "4/+1", "4/", "through"] {
            assert!(wrong.parse::<Detector>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_words_of_scpi_for_no_number_are_no_numbers() {
        for word in [9.91e37, 9.9e37, -9.9e37, f32::INFINITY, f32::NAN] {
            assert!(finite_or_nan(word).is_nan(), "{word}");
        }
        for number in [-3.5, 0.0, 1e38, -1e38, 9.8e37] {
            assert_eq!(finite_or_nan(number), number);
        }
    }

    #[test]
    fn trace_kinds_are_named_or_numbered() {
        let kind = |text: &str| serde_json::from_str::<TraceKind>(text);
        assert_eq!(kind("\"tf\"").unwrap(), TraceKind::Tf);
        assert_eq!(kind("11").unwrap(), TraceKind::Raw);
        assert_eq!(kind("23").unwrap(), TraceKind::Other(23));
        assert!(kind("24").is_err());
        assert_eq!(serde_json::to_string(&TraceKind::QuickReference).unwrap(), "\"quick_reference\"");
    }
}
