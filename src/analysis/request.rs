//! What is asked of a trace, and all answers at once: used by the command line and by recipes.

mod answer;
mod wanted;

use serde::{Deserialize, Serialize};

use super::channels::Port;
use super::extrema::{Kind, Search};
use super::figure::Figure;
use super::resonance::Topology;
use crate::measurement::{Loss, TraceUnit};
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
    /// The trace as a port, if channels were asked for.
    #[serde(skip)]
    pub port: Option<Port>,
    /// What was used where the request left something open.
    pub settings: Settings,
    /// What a reader of the figures needs to know of the trace.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl Analysis {
    /// Says what insertion losses mean that were computed from levels in this unit, or takes them back. Other figures are
    /// differences of levels, or levels.
    pub fn judge_unit(&mut self, unit: TraceUnit) {
        let is_loss = |figure: &&mut Figure| figure.name.starts_with("insertion_loss");
        let of_port = self.port.iter_mut().map(|port| &mut port.loss);
        let mut losses = self.figures.iter_mut().filter(is_loss).chain(of_port).peekable();
        if losses.peek().is_none() {
            return;
        }
        let message = match unit.loss() {
            Loss::Known => return,
            Loss::RelativeToMilliwatt => {
                "the levels are powers in dBm: insertion losses are relative to 0 dBm".to_owned()
            }
            Loss::Unknown => {
                let reason = format!("the levels are photocurrents in {unit}, which have no insertion loss");
                losses.for_each(|figure| figure.take_back(&reason));
                reason
            }
        };
        self.warnings.insert(0, message);
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
    /// The floor of the whole trace, in the unit of its levels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor_db: Option<f64>,
    /// The unit of the levels, unless they are ratios in dB.
    #[serde(default, skip_serializing_if = "TraceUnit::is_ratio")]
    pub unit: TraceUnit,
}
