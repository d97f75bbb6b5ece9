//! Operations that change settings of the instrument. Fields that are not given stay unchanged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measurement::{Detector, PowerUnit, SpectralUnit};
use crate::units::{
    AnalogOutput, DetectorWavelength, LaserNumber, LaserPower, Resolution, ScanWavelength, StabilizationTime,
    SweepSpeed, TlsLaser, TlsNumber, TriggerIn,
};

/// Sets the static control of one laser. Other settings stay unchanged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigureLaser {
    /// The laser.
    pub laser: LaserNumber,
    /// Output power of the laser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_dbm: Option<LaserPower>,
    /// Emission wavelength.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wavelength_nm: Option<ScanWavelength>,
    /// Optical output on or off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<bool>,
    /// Send `CTP:SENSe:FBC` with the number of this laser, before its output is switched on. Two public clients send this
    /// command when they choose the laser of the static light. Its meaning is not public.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fbc: bool,
}

/// Sets one tunable laser source (TLS) of the scan. Other settings stay unchanged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigureTls {
    /// The TLS.
    pub tls: TlsNumber,
    /// The laser that is used as this TLS; 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub laser: Option<TlsLaser>,
    /// First wavelength of this TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_nm: Option<ScanWavelength>,
    /// Last wavelength of this TLS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_nm: Option<ScanWavelength>,
    /// Sweep speed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed_nm_s: Option<SweepSpeed>,
    /// Power during the sweep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_dbm: Option<LaserPower>,
    /// Trigger input; 0 for the software trigger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_in: Option<TriggerIn>,
}

/// Sets the scan as a whole. Other settings stay unchanged.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigureScan {
    /// First wavelength.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_nm: Option<ScanWavelength>,
    /// Last wavelength.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_nm: Option<ScanWavelength>,
    /// Sampling step of the scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution_pm: Option<Resolution>,
    /// Settling time of the laser before each scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stabilization_s: Option<StabilizationTime>,
    /// Leave the lasers on after a scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_lasers_on: Option<bool>,
}

/// Sets the units, the calibration wavelength and the trigger of one detector. Other settings stay unchanged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigureDetector {
    /// The detector.
    pub detector: Detector,
    /// Unit of the power readings: dBm or mW; dBmA or mA for a detector that measures photocurrent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_unit: Option<PowerUnit>,
    /// Unit of the spectral axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spectral_unit: Option<SpectralUnit>,
    /// Wavelength that the power calibration is applied for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wavelength_nm: Option<DetectorWavelength>,
    /// Trigger input; 0 for the software trigger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_in: Option<TriggerIn>,
    /// The analog output of the mainframe that follows this detector.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analog_output: Option<AnalogOutput>,
}
