//! Frames of the WebSockets, and the snapshot.

use schemars::JsonSchema;
use serde::Serialize;

use crate::power::PowerFrame;

/// The power of a module.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Power {
    /// Unix seconds.
    pub(crate) timestamp: f64,
    pub(crate) module: u8,
    /// nm; null where the module does not tell.
    pub(crate) wavelength_nm: Option<f64>,
    /// `dBm`, `mW`, `dBmA` or `mA`: the unit of all four.
    pub(crate) unit: &'static str,
    pub(crate) ch1_power: Option<f64>,
    pub(crate) ch2_power: Option<f64>,
    pub(crate) ch3_power: Option<f64>,
    pub(crate) ch4_power: Option<f64>,
}

impl From<&PowerFrame> for Power {
    fn from(frame: &PowerFrame) -> Self {
        Self {
            timestamp: frame.time_s,
            module: frame.module,
            wavelength_nm: frame.wavelength_nm,
            unit: frame.unit().symbol(),
            ch1_power: frame.value(1),
            ch2_power: frame.value(2),
            ch3_power: frame.value(3),
            ch4_power: frame.value(4),
        }
    }
}

/// One text frame.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Frame {
    Data(Power),
    Busy {
        #[serde(flatten)]
        last: Power,
        age_s: f64,
        operation: &'static str,
        progress: Option<f64>,
        eta_s: Option<f64>,
    },
    Heartbeat {
        timestamp: String,
        active_streams: usize,
    },
    Error {
        message: String,
        error: String,
        timestamp: String,
        recoverable: bool,
        error_count: u64,
    },
    Reconnect {
        reason: String,
        retry_after: f64,
    },
    Pong {
        timestamp: String,
    },
}

impl Frame {
    pub(crate) fn text(&self) -> String {
        // Plain words and finite numbers: there is nothing in a frame that JSON could not say.
        serde_json::to_string(self).unwrap_or_default()
    }
}

/// Now, as clients read it.
pub(crate) fn timestamp() -> String {
    chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Micros, true)
}
