//! Operations that set something on the instrument. What is not given stays as it is.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measurement::{Detector, PowerUnit, SpectralUnit};
use crate::units::{
    DetectorWavelength, LaserNumber, LaserPower, Resolution, ScanWavelength, StabilizationTime, SweepSpeed,
    TlsLaser, TlsNumber, TriggerIn,
};

/// Static control of one laser. What is not given stays as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigureLaser {
    /// Which laser.
    pub laser: LaserNumber,
    /// Output power.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_dbm: Option<LaserPower>,
    /// Emission wavelength.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wavelength_nm: Option<ScanWavelength>,
    /// Optical output on or off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<bool>,
}

/// One tunable laser source of the scan. What is not given stays as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigureTls {
    /// Which TLS.
    pub tls: TlsNumber,
    /// The laser that serves as this TLS; 0 for none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub laser: Option<TlsLaser>,
    /// Where this TLS starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_nm: Option<ScanWavelength>,
    /// Where this TLS stops.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_nm: Option<ScanWavelength>,
    /// Sweep speed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speed_nm_s: Option<SweepSpeed>,
    /// Power during the sweep.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_dbm: Option<LaserPower>,
    /// Trigger input; 0 for software.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_in: Option<TriggerIn>,
}

/// The scan as a whole. What is not given stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigureScan {
    /// First wavelength.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_nm: Option<ScanWavelength>,
    /// Last wavelength.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_nm: Option<ScanWavelength>,
    /// Sampling step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolution_pm: Option<Resolution>,
    /// Settling time of the laser before each scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stabilization_s: Option<StabilizationTime>,
    /// Leave the lasers on after a scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_lasers_on: Option<bool>,
}

/// How one detector measures. What is not given stays as it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigureDetector {
    /// Which detector.
    pub detector: Detector,
    /// Unit of its power readings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_unit: Option<PowerUnit>,
    /// Unit of its spectral axis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spectral_unit: Option<SpectralUnit>,
    /// Wavelength at which its calibration is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wavelength_nm: Option<DetectorWavelength>,
    /// Trigger input; 0 for software.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger_in: Option<TriggerIn>,
}
