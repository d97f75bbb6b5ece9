//! Requests of the instrument half.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! requests {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })+) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        pub(crate) struct $name { $($(#[$field_doc])* pub(crate) $field: $type),* })+
    };
}

/// A module; the configured one when it is left out.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
pub(crate) struct ModuleQuery {
    /// The module's slot.
    #[schemars(range(min = 1, max = 20))]
    pub(crate) module: Option<u8>,
}

/// A detector; what is left out is as configured.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
pub(crate) struct DetectorQuery {
    /// The module's slot.
    #[schemars(range(min = 1, max = 20))]
    pub(crate) module: Option<u8>,
    /// The channel on the module.
    #[schemars(range(min = 1, max = 6))]
    pub(crate) channel: Option<u8>,
}

/// A trace of a detector; what is left out is as configured.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
pub(crate) struct TraceQuery {
    /// The module's slot.
    #[schemars(range(min = 1, max = 20))]
    pub(crate) module: Option<u8>,
    /// The channel on the module.
    #[schemars(range(min = 1, max = 6))]
    pub(crate) channel: Option<u8>,
    /// The instrument's number of the trace: 1 transmission function, 11 raw live, 12 raw reference.
    #[schemars(range(min = 1, max = 23))]
    pub(crate) trace_type: Option<u8>,
}

/// A detector and the wavelength to set.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(crate) struct DetectorWavelengthQuery {
    /// The module's slot.
    #[schemars(range(min = 1, max = 20))]
    pub(crate) module: Option<u8>,
    /// The channel on the module.
    #[schemars(range(min = 1, max = 6))]
    pub(crate) channel: Option<u8>,
    /// Wavelength at which the calibration is applied, nm.
    #[schemars(range(min = 1240.0, max = 1680.0))]
    pub(crate) wavelength_nm: f64,
}

/// A detector whose reference is to be taken.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
pub(crate) struct ReferenceQuery {
    /// The module's slot.
    #[schemars(range(min = 1, max = 20))]
    pub(crate) module: Option<u8>,
    /// The channel on the module.
    #[schemars(range(min = 1, max = 6))]
    pub(crate) channel: Option<u8>,
    /// Answer when it is over, and not when it has begun.
    #[serde(default)]
    pub(crate) wait: bool,
}

requests! {
    /// Whether to answer when it is over.
    WaitQuery {
        /// Answer when it is over, and not when it has begun.
        #[serde(default)]
        wait: bool,
    }
    /// Where to connect.
    ConnectBody {
        /// `TCPIP::host::port::SOCKET` or `host:port`; the present address when left out.
        address: Option<String>,
        /// Time limit for the connection, ms. The answer comes within 10 s in any case.
        #[schemars(range(min = 1000, max = 300_000))]
        timeout_ms: Option<u32>,
    }
    /// How a detector measures.
    DetectorConfigBody {
        /// `DBM`, `MW`, `DBMA` or `MA`, in any case; 0 or 1.
        power_unit: Option<serde_json::Value>,
        /// `WAV` or `FREQ`, also `NM`, `THZ`, `WAVELENGTH`, `FREQUENCY`, in any case; 0 or 1.
        spectral_unit: Option<serde_json::Value>,
        /// Sampling step of the scan, pm.
        resolution_pm: Option<f64>,
    }
    /// Range of the scan.
    SweepWavelengthsBody {
        /// First wavelength, nm.
        #[schemars(range(min = 1200.0, max = 1700.0))]
        start_wavelength_nm: Option<f64>,
        /// Last wavelength, nm.
        #[schemars(range(min = 1200.0, max = 1700.0))]
        stop_wavelength_nm: Option<f64>,
    }
    /// Any of the scan's settings.
    MeasurementConfigBody {
        /// Sampling step, pm.
        resolution_pm: Option<f64>,
        /// The lasers stay on after the scan.
        stabilization_output: Option<bool>,
        /// Settling time before the scan, s.
        #[schemars(range(min = 0.0, max = 60.0))]
        stabilization_duration: Option<f64>,
    }
    /// Any setting of a tunable laser source.
    TlsConfigBody {
        /// Where it starts, nm.
        #[schemars(range(min = 1260.0, max = 1640.0))]
        #[serde(skip_serializing_if = "Option::is_none")]
        start_wavelength_nm: Option<f64>,
        /// Where it stops, nm.
        #[schemars(range(min = 1260.0, max = 1640.0))]
        #[serde(skip_serializing_if = "Option::is_none")]
        stop_wavelength_nm: Option<f64>,
        /// Speed, nm/s.
        #[schemars(range(min = 5, max = 200))]
        #[serde(skip_serializing_if = "Option::is_none")]
        sweep_speed_nmps: Option<u16>,
        /// Power, dBm.
        #[schemars(range(min = -10.0, max = 10.0))]
        #[serde(skip_serializing_if = "Option::is_none")]
        laser_power_dbm: Option<f64>,
        /// Trigger input; 0 for software.
        #[schemars(range(min = 0, max = 8))]
        #[serde(skip_serializing_if = "Option::is_none")]
        trigin: Option<u8>,
        /// The laser that serves as this source; 0 for none.
        #[schemars(range(min = 0, max = 10))]
        #[serde(skip_serializing_if = "Option::is_none")]
        identifier: Option<u8>,
    }
    /// Any setting of a laser.
    LaserConfigBody {
        /// Power, dBm.
        #[serde(skip_serializing_if = "Option::is_none")]
        power_dbm: Option<f64>,
        /// Wavelength, nm.
        #[serde(skip_serializing_if = "Option::is_none")]
        wavelength_nm: Option<f64>,
        /// Whether its output is on.
        #[serde(skip_serializing_if = "Option::is_none")]
        power_state: Option<bool>,
    }
}

macro_rules! single {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })+) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
        pub(crate) struct $name { $($(#[$field_doc])* pub(crate) $field: $type),* })+
    };
}

single! {
    /// Stabilization time before a scan, and laser output after it.
    DetectorStabilizationBody {
        /// The lasers stay on after the scan.
        output: bool,
        /// Settling time before the scan, s.
        #[schemars(range(min = 0.0, max = 60.0))]
        duration_seconds: f64,
    }
    /// Stabilization time before a scan, and laser output after it.
    StabilizationQuery {
        /// The lasers stay on after the scan.
        output: bool,
        /// Settling time before the scan, 0-60 s.
        duration_seconds: f64,
    }
    /// Sampling step of the scan.
    ResolutionQuery {
        /// pm.
        resolution_pm: f64,
    }
    /// Range of a tunable laser source.
    TlsWavelengthQuery {
        /// Where it starts, nm.
        #[schemars(range(min = 1260.0, max = 1640.0))]
        start_nm: f64,
        /// Where it stops, nm.
        #[schemars(range(min = 1260.0, max = 1640.0))]
        stop_nm: f64,
    }
    /// Power of a tunable laser source.
    TlsPowerQuery {
        /// dBm.
        #[schemars(range(min = -10.0, max = 10.0))]
        power_dbm: f64,
    }
    /// Speed of a tunable laser source.
    TlsSpeedQuery {
        /// nm/s.
        #[schemars(range(min = 5, max = 200))]
        speed_nmps: u16,
    }
    /// Trigger of a tunable laser source.
    TlsTriggerQuery {
        /// Trigger input, 0-8; 0 for software.
        trigin: i64,
    }
    /// Power of a laser.
    LaserPowerQuery {
        /// dBm.
        power_dbm: f64,
    }
    /// Wavelength of a laser.
    LaserWavelengthQuery {
        /// nm.
        wavelength_nm: f64,
    }
    /// Which tunable laser source.
    TlsPath {
        /// Its place in the scan.
        #[schemars(range(min = 1, max = 4))]
        #[serde(rename = "channel")]
        tls: u8,
    }
    /// Which laser.
    LaserPath {
        /// Its number.
        #[schemars(range(min = 1, max = 10))]
        #[serde(rename = "laser_number")]
        laser: u8,
    }
}
