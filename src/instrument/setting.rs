//! The settings of the instrument that affect a measurement. The value of a setting is the command that sets it.

use std::fmt;

use super::TLS;
use crate::measurement::Detector;

mod read;
mod value;

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Setting {
    /// Single scans, or continuous scans.
    ScanMode,
    /// First wavelength of the scan.
    ScanStart,
    /// Last wavelength of the scan.
    ScanStop,
    /// Sampling step.
    Resolution,
    /// Whether the output stays on after the scan, and the settling time before it.
    Stabilization,
    /// The laser that is assigned to a TLS.
    TlsLaser(u8),
    /// Start wavelength of a TLS.
    TlsStart(u8),
    /// Stop wavelength of a TLS.
    TlsStop(u8),
    /// Speed of a TLS.
    TlsSpeed(u8),
    /// Power of a TLS.
    TlsPower(u8),
    /// Trigger input of a TLS.
    TlsTrigger(u8),
    /// Static power of a laser.
    LaserPower(u8),
    /// Static wavelength of a laser.
    LaserWavelength(u8),
    /// Whether a laser is on.
    LaserOutput(u8),
    /// Unit of a detector's power.
    PowerUnit(Detector),
    /// Unit of a detector's spectral axis.
    SpectralUnit(Detector),
    /// Wavelength of a detector's calibration.
    DetectorWavelength(Detector),
    /// Trigger input of a detector.
    DetectorTrigger(Detector),
    /// The laser of the static light.
    FeedbackLaser,
    /// The detector that an analog output follows.
    AnalogOutput(u8),
}

impl Setting {
    /// The settings of the scan as a whole.
    pub const SCAN: [Self; 5] =
        [Self::ScanMode, Self::ScanStart, Self::ScanStop, Self::Resolution, Self::Stabilization];

    /// The settings of a TLS; its laser comes first.
    #[must_use]
    pub fn of_tls(tls: u8) -> [Self; 6] {
        [
            Self::TlsLaser(tls),
            Self::TlsStart(tls),
            Self::TlsStop(tls),
            Self::TlsSpeed(tls),
            Self::TlsPower(tls),
            Self::TlsTrigger(tls),
        ]
    }

    /// The settings of a laser in static control, without its output state.
    #[must_use]
    pub fn of_laser(laser: u8) -> [Self; 2] {
        [Self::LaserPower(laser), Self::LaserWavelength(laser)]
    }

    /// The settings of a detector.
    #[must_use]
    pub fn of_detector(detector: Detector) -> [Self; 4] {
        [
            Self::PowerUnit(detector),
            Self::SpectralUnit(detector),
            Self::DetectorWavelength(detector),
            Self::DetectorTrigger(detector),
        ]
    }

    /// The settings that the instrument may change when this one is set, including this one. Other couplings of the
    /// hardware belong here.
    #[must_use]
    pub fn moves(self) -> Vec<Self> {
        match self {
            Self::ScanStart | Self::ScanStop => vec![Self::ScanStart, Self::ScanStop],
            Self::TlsStart(tls) | Self::TlsStop(tls) => vec![Self::TlsStart(tls), Self::TlsStop(tls)],
            // One laser serves one TLS. Some units also reset the other settings of a TLS when its laser changes.
            Self::TlsLaser(tls) => TLS.map(Self::TlsLaser).chain(Self::of_tls(tls)).collect(),
            // The connectors of some modules share one wavelength.
            Self::DetectorWavelength(Detector { module, .. }) => {
                (1..=6).map(|channel| Self::DetectorWavelength(Detector { module, channel })).collect()
            }
            Self::ScanMode
            | Self::Resolution
            | Self::Stabilization
            | Self::TlsSpeed(_)
            | Self::TlsPower(_)
            | Self::TlsTrigger(_)
            | Self::LaserPower(_)
            | Self::LaserWavelength(_)
            | Self::LaserOutput(_)
            | Self::PowerUnit(_)
            | Self::SpectralUnit(_)
            | Self::DetectorTrigger(_)
            | Self::FeedbackLaser
            | Self::AnalogOutput(_) => vec![self],
        }
    }

    /// Whether each of two settings may change when the other one is set: the ends of a range.
    #[must_use]
    pub fn is_coupled_to(self, other: Self) -> bool {
        self != other && self.moves().contains(&other) && other.moves().contains(&self)
    }

    /// The largest difference between two values that count as equal: the rounding of the instrument, or its
    /// measuring accuracy for laser power.
    fn tolerance(self) -> f64 {
        match self {
            Self::ScanStart
            | Self::ScanStop
            | Self::TlsStart(_)
            | Self::TlsStop(_)
            | Self::LaserWavelength(_)
            | Self::DetectorWavelength(_) => WAVELENGTH_TOLERANCE_NM,
            Self::Resolution => 1e-3,
            Self::Stabilization => 0.05,
            Self::TlsSpeed(_) | Self::TlsPower(_) => 0.01,
            Self::LaserPower(_) => LASER_POWER_TOLERANCE_DB,
            Self::ScanMode
            | Self::TlsLaser(_)
            | Self::TlsTrigger(_)
            | Self::LaserOutput(_)
            | Self::PowerUnit(_)
            | Self::SpectralUnit(_)
            | Self::DetectorTrigger(_)
            | Self::FeedbackLaser
            | Self::AnalogOutput(_) => 0.0,
        }
    }
}

/// Half the finest step of the instrument.
pub const WAVELENGTH_TOLERANCE_NM: f64 = 1e-5;
/// After a scan, a laser reports its actual power instead of the set power.
pub const LASER_POWER_TOLERANCE_DB: f64 = 0.5;

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ScanMode => f.write_str("the scan mode"),
            Self::ScanStart => f.write_str("the start of the scan"),
            Self::ScanStop => f.write_str("the stop of the scan"),
            Self::Resolution => f.write_str("the resolution"),
            Self::Stabilization => f.write_str("the stabilization"),
            Self::TlsLaser(tls) => write!(f, "the laser of TLS {tls}"),
            Self::TlsStart(tls) => write!(f, "the start of TLS {tls}"),
            Self::TlsStop(tls) => write!(f, "the stop of TLS {tls}"),
            Self::TlsSpeed(tls) => write!(f, "the speed of TLS {tls}"),
            Self::TlsPower(tls) => write!(f, "the power of TLS {tls}"),
            Self::TlsTrigger(tls) => write!(f, "the trigger input of TLS {tls}"),
            Self::LaserPower(laser) => write!(f, "the power of laser {laser}"),
            Self::LaserWavelength(laser) => write!(f, "the wavelength of laser {laser}"),
            Self::LaserOutput(laser) => write!(f, "the output of laser {laser}"),
            Self::PowerUnit(detector) => write!(f, "the power unit of {detector}"),
            Self::SpectralUnit(detector) => write!(f, "the spectral unit of {detector}"),
            Self::DetectorWavelength(detector) => write!(f, "the wavelength of {detector}"),
            Self::DetectorTrigger(detector) => write!(f, "the trigger input of {detector}"),
            Self::FeedbackLaser => f.write_str("the laser of the static light"),
            Self::AnalogOutput(output) => write!(f, "the source of analog output {output}"),
        }
    }
}
