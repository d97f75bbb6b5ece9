//! The commands to the instrument and its replies, as text. Pure functions: this module uses no socket.
//!
//! A [`Query`] only reads and may be repeated. An [`Action`] changes something and is never repeated. Numbers are sent
//! with all their digits, and replies are rounded to the resolution of the instrument. So a value reads back exactly
//! as it was set.

mod query;

use std::fmt;

pub use super::reply::{Condition, ErrorEntry, Identity, Reference, Stabilization};
use super::setting::Setting;
use crate::measurement::{Detector, PowerUnit, SpectralUnit};
pub use query::{NotAQuery, Query, TraceAddress, trace_values, trace_wavelengths};
pub(super) use query::{UntypedQuery, nonsense};

/// A command that changes something. Its text is its `Display`.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the fields are the words of the command; units are in the variants' docs")]
pub enum Action {
    /// Static power of a laser, dBm.
    SetLaserPower { laser: u8, dbm: f64 },
    /// Static wavelength of a laser, nm.
    SetLaserWavelength { laser: u8, nm: f64 },
    /// Optical output of a laser.
    SetLaserOutput { laser: u8, on: bool },
    /// Which laser serves as a TLS; 0 for none.
    SetTlsLaser { tls: u8, laser: u8 },
    /// Where a TLS starts, nm.
    SetTlsStart { tls: u8, nm: f64 },
    /// Where a TLS stops, nm.
    SetTlsStop { tls: u8, nm: f64 },
    /// Speed of a TLS, nm/s.
    SetTlsSpeed { tls: u8, nm_s: f64 },
    /// Power of a TLS in the sweep, dBm.
    SetTlsPower { tls: u8, dbm: f64 },
    /// Trigger input of a TLS; 0 for software.
    SetTlsTrigger { tls: u8, trigger: u8 },
    /// First wavelength of the scan, nm.
    SetScanStart { nm: f64 },
    /// Last wavelength of the scan, nm.
    SetScanStop { nm: f64 },
    /// Sampling step, pm.
    SetResolution { pm: f64 },
    /// Whether the output stays on after the scan, and the settling time before it, s.
    SetStabilization { output: bool, seconds: f64 },
    /// Wavelength that a detector's calibration is applied for, nm.
    SetDetectorWavelength { detector: Detector, nm: f64 },
    /// Unit of a detector's power readings.
    SetPowerUnit { detector: Detector, unit: PowerUnit },
    /// Unit of a detector's spectral axis.
    SetSpectralUnit { detector: Detector, unit: SpectralUnit },
    /// Trigger input of a detector; 0 for software.
    SetDetectorTrigger { detector: Detector, trigger: u8 },
    /// The laser of the static light (`FBC`), as two public clients use it.
    SetFeedbackLaser { laser: u8 },
    /// The detector that an analog output of the mainframe follows.
    SetAnalogOutput { output: u8, detector: Detector },
    /// Starts a reference scan.
    StartReference { detector: Detector },
    /// Starts a scan.
    StartScan,
    /// Stops a scan.
    Abort,
    /// Empties the error queue.
    ClearErrors,
    /// Whether a start makes one scan or scans for ever; a unit left in continuous mode never becomes idle.
    SetScanMode { continuous: bool },
    /// Text as it stands.
    Raw(String),
}

impl Action {
    /// Whether the command can only end light. It may be sent twice, and nothing may delay it.
    pub(super) fn darkens(&self) -> bool {
        matches!(self, Self::Abort | Self::SetLaserOutput { on: false, .. })
    }

    /// Whether some units reply to the command, and others do not. It is always false for a query.
    pub(super) fn may_have_reply(&self) -> bool {
        match self {
            Self::Raw(_) => matches!(self.only_setting(), Some(Setting::AnalogOutput(_))),
            other => matches!(other.setting(), Some(Setting::AnalogOutput(_))),
        }
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let on_off = |on: bool| if on { "ON" } else { "OFF" };
        match self {
            Self::SetLaserPower { laser, dbm } => write!(f, "CTP:RLAS{laser}:POW {dbm}DBM"),
            Self::SetLaserWavelength { laser, nm } => write!(f, "CTP:RLAS{laser}:WAV {nm}NM"),
            Self::SetLaserOutput { laser, on } => write!(f, "CTP:RLAS{laser}:POW:STAT {}", on_off(*on)),
            Self::SetTlsLaser { tls, laser } => write!(f, "INIT:TLS{tls}:ID {laser}"),
            Self::SetTlsStart { tls, nm } => write!(f, "INIT:TLS{tls}:WAV:STAR {nm}NM"),
            Self::SetTlsStop { tls, nm } => write!(f, "INIT:TLS{tls}:WAV:STOP {nm}NM"),
            Self::SetTlsSpeed { tls, nm_s } => write!(f, "INIT:TLS{tls}:SPE {nm_s}"),
            Self::SetTlsPower { tls, dbm } => write!(f, "INIT:TLS{tls}:POW {dbm}DBM"),
            Self::SetTlsTrigger { tls, trigger } => write!(f, "INIT:TLS{tls}:TRIG {trigger}"),
            Self::SetScanStart { nm } => write!(f, "INIT:WAV:STAR {nm}NM"),
            Self::SetScanStop { nm } => write!(f, "INIT:WAV:STOP {nm}NM"),
            Self::SetResolution { pm } => write!(f, "INIT:WAV:SAMP {pm}PM"),
            Self::SetStabilization { output, seconds } => {
                write!(f, "INIT:STAB {},{seconds}", u8::from(*output))
            }
            Self::SetDetectorWavelength { detector, nm } => write!(f, "{}:WAV {nm}NM", channel(*detector)),
            Self::SetPowerUnit { detector, unit } => {
                let unit = match unit {
                    PowerUnit::Dbm => "DBM",
                    PowerUnit::Mw => "MW",
                    PowerUnit::Dbma => "DBMA",
                    PowerUnit::Ma => "MA",
                };
                write!(f, "{}:UNIT:Y {unit}", channel(*detector))
            }
            Self::SetSpectralUnit { detector, unit } => {
                let unit = match unit {
                    SpectralUnit::Nm => "WAV",
                    SpectralUnit::Thz => "FREQ",
                };
                write!(f, "{}:UNIT:X {unit}", channel(*detector))
            }
            Self::SetDetectorTrigger { detector, trigger } => {
                write!(f, "{}:FUNC:TRIG {trigger}", channel(*detector))
            }
            Self::SetFeedbackLaser { laser } => write!(f, "CTP:SENS:FBC {laser}"),
            Self::SetAnalogOutput { output, detector: Detector { module, channel } } => {
                write!(f, "SYST:ANLG:OUT{output}:SOUR {module},{channel}")
            }
            Self::StartReference { detector: Detector { module, channel } } => {
                write!(f, "REF:SENS{module}:CHAN{channel}:INIT")
            }
            Self::StartScan => f.write_str("INIT"),
            Self::Abort => f.write_str("ABOR"),
            Self::ClearErrors => f.write_str("*CLS"),
            Self::SetScanMode { continuous } => {
                write!(f, "INIT:SMOD {}", if *continuous { "CONT" } else { "SING" })
            }
            Self::Raw(text) => f.write_str(text),
        }
    }
}

fn channel(Detector { module, channel }: Detector) -> String {
    format!("CTP:SENS{module}:CHAN{channel}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wavelength_that_was_set_reads_back_as_it_was_given() {
        assert_eq!(Action::SetScanStart { nm: 1550.123 }.to_string(), "INIT:WAV:STAR 1550.123NM");
        assert_eq!(Query::scan_start_nm().read("1.55012300E-006"), Some(1550.123));
        assert_eq!(Query::resolution_pm().read("2.00000000E-014"), Some(0.02));
    }

    #[test]
    fn references_are_read_in_all_their_forms() {
        let query = Query::reference(Detector { module: 4, channel: 1 });
        let taken = query.read("1,0,20251128,092631").unwrap().unwrap();
        assert!(taken.valid);
        assert_eq!(taken.taken.unwrap().to_string(), "2025-11-28 09:26:31");
        assert_eq!(query.read("0"), Some(None));
        assert_eq!(query.read("0,,,"), Some(None));
        assert_eq!(query.read("nonsense"), None);
    }

    #[test]
    fn the_condition_register_is_named() {
        assert_eq!(Condition(0).to_string(), "idle");
        assert_eq!(Condition(4 | 64).to_string(), "scanning, referencing");
        assert_eq!(Condition(1 << 15).to_string(), "busy (32768)");
    }

    #[test]
    fn the_embedded_instrument_is_known_by_its_serial_number() {
        let read = |reply| Query::identity().read(reply).unwrap();
        assert!(read("EXFO,CTP10,SIMULATED-1,0.1.0").simulated());
        assert!(!read("EXFO,CTP10,0,1.2.3").simulated());
    }
}
