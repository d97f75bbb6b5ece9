//! What is asked of a trace, and all answers at once: used by the command line and by recipes.

mod answer;
mod wanted;

use serde::{Deserialize, Serialize};

use super::extrema::{Kind, Search};
use super::figure::Figure;
use super::resonance::Topology;
pub use answer::analyze;
pub use wanted::{Wanted, WantedError};

/// What is asked of a trace.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Request {
    /// The figures, in the order of the answer.
    pub wanted: Vec<Wanted>,
    /// The part of the trace that counts: lower and upper end, nm.
    pub band_nm: Option<(f64, f64)>,
    /// Which dips and peaks count.
    pub search: Search,
    /// Whether resonances are dips or peaks. When not given: those that are asked for, else the narrower ones.
    pub lines: Option<Kind>,
    /// Circumference of a ring, path difference, or twice a cavity, µm: for the group index.
    pub length_um: Option<f64>,
    /// How a ring is coupled: for intrinsic and coupling Q.
    pub topology: Option<Topology>,
    /// The lowest level that the detector can show, dB.
    pub floor_db: Option<f64>,
    /// The level from which the detector is saturated, dB.
    pub saturation_db: Option<f64>,
}

/// The answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Analysis {
    /// The figures in the order of the request.
    pub figures: Vec<Figure>,
    /// What was used where the request left something open.
    pub settings: Settings,
    /// What a reader of the figures needs to know of the trace.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Analysis {
    /// Adds the warning that insertion losses of levels in dBm are no losses of a device. Other figures do not depend on the
    /// unit.
    pub fn warn_about_dbm(&mut self) {
        if self.figures.iter().any(|figure| figure.name.starts_with("insertion_loss")) {
            let message = "the levels are powers in dBm: insertion losses are relative to 0 dBm";
            self.warnings.insert(0, message.to_owned());
        }
    }
}

/// What an analysis was made with.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Lower end of the samples that were used, nm.
    pub from_nm: f64,
    /// Upper end of the samples that were used, nm.
    pub to_nm: f64,
    /// Number of samples that were used.
    pub samples: usize,
    /// Least prominence of dips and peaks, dB.
    pub prominence_db: f64,
    /// Least distance of dips, and of peaks, nm.
    pub distance_nm: f64,
    /// Whether the resonances are dips or peaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Kind>,
    /// The number of the dip with the highest prominence, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strongest_dip: Option<usize>,
    /// The number of the peak with the highest prominence, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strongest_peak: Option<usize>,
    /// The floor of the whole trace, dB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor_db: Option<f64>,
}
