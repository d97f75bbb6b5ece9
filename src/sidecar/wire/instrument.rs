//! Replies of the instrument half. Names and types are those that clients of the Python service know.

use schemars::JsonSchema;
use serde::Serialize;

macro_rules! replies {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty),* $(,)? })+) => {
        $($(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
        pub(crate) struct $name { $($(#[$field_doc])* pub(crate) $field: $type),* })+
    };
}

replies! {
    /// What this service is.
    Root { service: &'static str, version: &'static str, server: String, status: &'static str }
    /// The service is alive.
    Health {
        status: &'static str,
        connected: bool,
        /// ISO 8601.
        timestamp: String,
    }
    /// Whether there is an instrument.
    Connection {
        connected: bool,
        /// Its reply to `*IDN?`.
        instrument_id: Option<String>,
        /// As a VISA resource name.
        address: String,
    }
    /// It was done.
    Done { success: bool, message: String }
    /// The operation condition register.
    Condition { register_value: u16, is_idle: bool, bits: ConditionBits }
    /// Its bits.
    ConditionBits {
        zeroing: bool,
        calibrating: bool,
        scanning: bool,
        analyzing: bool,
        aborting: bool,
        armed: bool,
        referencing: bool,
        quick_referencing: bool,
    }
    /// Wavelength that a detector's calibration is applied for.
    DetectorWavelength {
        module: u8,
        channel: u8,
        /// nm.
        wavelength_nm: f64,
        /// c/λ, THz.
        frequency_thz: f64,
    }
    /// The wavelength was set.
    DetectorWavelengthSet {
        success: bool,
        module: u8,
        channel: u8,
        /// As re-read, nm.
        wavelength_nm: f64,
    }
    /// How a detector measures; null where it refuses to say.
    DetectorConfig {
        module: u8,
        channel: u8,
        /// `dBm`, `mW`, `dBmA` or `mA`.
        power_unit: Option<&'static str>,
        /// `NM` or `THz`.
        spectral_unit: Option<&'static str>,
        /// Sampling step of the scan, pm.
        resolution_pm: Option<f64>,
        /// Wavelength at which the calibration is applied, nm.
        wavelength_nm: Option<f64>,
    }
    /// Stabilization time before a scan, and laser output after it.
    Stabilization {
        /// The lasers stay on after the scan.
        output: bool,
        /// Settling time before the scan, s.
        duration_seconds: f64,
    }
    /// It was set.
    StabilizationSet { success: bool, output: bool, duration_seconds: f64 }
    /// A reference was begun, or is complete.
    ReferenceStarted { success: bool, message: String, is_complete: bool, result: Option<ReferenceTaken> }
    /// The reference that was taken.
    ReferenceTaken {
        /// 1: valid.
        state: u8,
        r#type: u8,
        type_description: &'static str,
        /// YYYYMMDD, by the instrument's clock.
        date: Option<String>,
        /// HHMMSS.
        time: Option<String>,
    }
    /// The reference of a detector.
    ReferenceResult {
        module: u8,
        channel: u8,
        /// 1: valid.
        state: u8,
        /// 0: one sweep; 1: four sweeps, with polarization.
        r#type: Option<u8>,
        /// YYYYMMDD, by the instrument's clock.
        date: Option<String>,
        /// HHMMSS.
        time: Option<String>,
    }
    /// What a trace in the instrument's memory is.
    TraceMetadata {
        module: u8,
        channel: u8,
        trace_type: u8,
        num_points: u64,
        /// pm.
        sampling_pm: f64,
        /// nm.
        start_wavelength_nm: f64,
        /// The detector's unit; the trace itself is in dB or dBm.
        unit: &'static str,
    }
    /// A sweep was started, or is over.
    SweepStarted { success: bool, message: &'static str, is_complete: bool }
    /// Whether a sweep is active.
    SweepStatus { is_sweeping: bool, is_complete: bool, condition_register: u16 }
    /// Whether a reference scan is active.
    ReferencingStatus { is_referencing: bool, condition_register: u16 }
    /// Range of the scan.
    SweepWavelengths {
        /// nm.
        start_wavelength_nm: f64,
        /// nm.
        stop_wavelength_nm: f64,
    }
    /// Sampling step of the scan, pm.
    Resolution {
        resolution_pm: f64,
        #[serde(skip_serializing_if = "Option::is_none")]
        success: Option<bool>,
    }
    /// The scan's settings.
    MeasurementConfig {
        /// pm.
        resolution_pm: f64,
        stabilization_output: bool,
        /// s.
        stabilization_duration: f64,
        #[serde(flatten)]
        set: Set,
    }
    /// A tunable laser source of the scan.
    TlsConfig {
        channel: u8,
        /// nm.
        start_wavelength_nm: f64,
        /// nm.
        stop_wavelength_nm: f64,
        /// nm/s.
        sweep_speed_nmps: i64,
        /// dBm.
        laser_power_dbm: f64,
        trigin: u8,
        identifier: u8,
    }
    /// A source was configured.
    TlsConfigured { success: bool, message: String, config: super::setup::TlsConfigBody }
    /// Range of a source.
    TlsWavelength {
        channel: u8,
        /// nm.
        start_wavelength_nm: f64,
        /// nm.
        stop_wavelength_nm: f64,
        #[serde(flatten)]
        set: Set,
    }
    /// Power of a source.
    TlsPower {
        channel: u8,
        /// dBm.
        laser_power_dbm: f64,
        #[serde(flatten)]
        set: Set,
    }
    /// Speed of a source.
    TlsSpeed {
        channel: u8,
        /// nm/s.
        sweep_speed_nmps: i64,
        #[serde(flatten)]
        set: Set,
    }
    /// Trigger of a source.
    TlsTrigger {
        channel: u8,
        trigin: u8,
        description: String,
        #[serde(flatten)]
        set: Set,
    }
    /// A laser.
    LaserConfig {
        laser_number: u8,
        id: String,
        /// nm.
        wavelength_nm: f64,
        /// dBm.
        power_dbm: f64,
        is_on: bool,
    }
    /// A laser was configured.
    LaserConfigured { success: bool, message: String, config: super::setup::LaserConfigBody }
    /// Which laser it is.
    LaserIdentity {
        laser_number: u8,
        id: String,
        manufacturer: Option<String>,
        model: Option<String>,
        serial: Option<String>,
        firmware: Option<String>,
    }
    /// Power of a laser.
    LaserPower {
        laser_number: u8,
        /// dBm.
        power_dbm: f64,
        #[serde(flatten)]
        set: Set,
    }
    /// Wavelength of a laser.
    LaserWavelength {
        laser_number: u8,
        /// nm.
        wavelength_nm: f64,
        #[serde(flatten)]
        set: Set,
    }
    /// Output of a laser.
    LaserState { laser_number: u8, is_on: bool, state: bool }
    /// A laser was switched.
    LaserSwitched { success: bool, message: String, laser_number: u8, is_on: bool }
}

/// What a reply has besides when something was set.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub(crate) struct Set {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) success: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<String>,
}

impl Set {
    pub(crate) fn done(message: String) -> Self {
        Self { success: Some(true), message: Some(message) }
    }
}
