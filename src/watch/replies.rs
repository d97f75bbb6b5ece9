//! Replies of the HTTP API, as far as the view shows them. The view is a client like any other: it reads the documented names
//! and ignores the others, so that it also watches services of other versions.

use std::collections::BTreeMap;

use serde::Deserialize;

/// `GET /instrument`
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Instrument {
    pub(super) address: String,
    pub(super) connected: bool,
    pub(super) simulated: Option<bool>,
    pub(super) identity: Option<String>,
    #[serde(default)]
    pub(super) condition: Option<String>,
    #[serde(default)]
    pub(super) lasers: Vec<Laser>,
    pub(super) run: Option<String>,
    pub(super) last_run: Option<String>,
    #[serde(default)]
    pub(super) reason: Option<String>,
}

/// A laser as it was last known.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Laser {
    pub(super) laser: u8,
    pub(super) on: bool,
    pub(super) power_dbm: Option<f64>,
}

/// `GET /runs/{id}`
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Run {
    pub(super) run: String,
    pub(super) name: String,
    pub(super) state: String,
    pub(super) reason: Option<String>,
    pub(super) verdict: Option<String>,
    pub(super) simulated: bool,
    #[serde(default)]
    pub(super) detectors: BTreeMap<String, String>,
    pub(super) operations: Option<u64>,
    pub(super) finished_steps: u64,
    pub(super) traces: u64,
    pub(super) remaining_s: Option<f64>,
    pub(super) elapsed_s: Option<f64>,
    pub(super) pause: Option<String>,
    pub(super) waiting: Option<String>,
    pub(super) question: Option<Question>,
    pub(super) current: Option<Current>,
    #[serde(default)]
    pub(super) warnings: Vec<String>,
    #[serde(default)]
    pub(super) lasers_unknown: Vec<u8>,
    #[serde(default)]
    pub(super) highlights: Vec<Highlight>,
}

/// An open question of a run.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Question {
    pub(super) message: String,
}

/// The step that is performed.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Current {
    pub(super) words: String,
    #[serde(default)]
    pub(super) turns: Vec<String>,
    pub(super) attempt: u64,
    pub(super) done: Option<f64>,
}

/// A remarkable value of a run.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Highlight {
    pub(super) name: String,
    pub(super) text: String,
}

/// `GET /runs/{id}/traces`
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Traces {
    pub(super) traces: Vec<Trace>,
}

/// One trace of a run.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Trace {
    pub(super) trace_index: u64,
    pub(super) detector: String,
    pub(super) detector_name: Option<String>,
    pub(super) trace: String,
    pub(super) unit: String,
    pub(super) points: u64,
}

impl Trace {
    /// The detector, by its name in the recipe if it has one.
    pub(super) fn detector(&self) -> &str {
        self.detector_name.as_deref().unwrap_or(&self.detector)
    }
}

/// `GET /runs/{id}/traces/{n}/view`
#[derive(Debug, Clone, Deserialize)]
pub(super) struct View {
    pub(super) wavelength_nm: Vec<f64>,
    pub(super) min: Vec<Option<f64>>,
    pub(super) max: Vec<Option<f64>>,
}

/// A frame of `GET /power`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Frame {
    /// A reading.
    Data(Power),
    /// The last reading, while the detectors cannot be read.
    Busy {
        /// The reading.
        #[serde(flatten)]
        last: Power,
        /// How old it is, s.
        age_s: f64,
        /// What keeps the instrument busy.
        operation: String,
    },
    /// The instrument cannot be read.
    Error {
        /// Why.
        message: String,
    },
    /// Anything else.
    #[serde(other)]
    Other,
}

/// The power of one module.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub(super) struct Power {
    pub(super) module: u8,
    pub(super) unit: String,
    pub(super) ch1_power: Option<f64>,
    pub(super) ch2_power: Option<f64>,
    pub(super) ch3_power: Option<f64>,
    pub(super) ch4_power: Option<f64>,
}

impl Power {
    /// The channels with their readings.
    pub(super) fn channels(&self) -> [(u8, Option<f64>); 4] {
        [(1, self.ch1_power), (2, self.ch2_power), (3, self.ch3_power), (4, self.ch4_power)]
    }
}
