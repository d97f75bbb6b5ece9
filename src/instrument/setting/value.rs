//! Values of settings: the setting of a command, the comparison of values, and the settings in raw text.

use super::Setting;
use crate::grammar::{Data, Line, Unit};
use crate::instrument::headers::{self, Does};
use crate::instrument::scpi::Action;
use crate::measurement::{Detector, PowerUnit, SpectralUnit};

impl Action {
    /// The setting that the command sets; `None` if it sets none.
    #[must_use]
    pub fn setting(&self) -> Option<Setting> {
        Some(match *self {
            Self::SetScanMode { .. } => Setting::ScanMode,
            Self::SetScanStart { .. } => Setting::ScanStart,
            Self::SetScanStop { .. } => Setting::ScanStop,
            Self::SetResolution { .. } => Setting::Resolution,
            Self::SetStabilization { .. } => Setting::Stabilization,
            Self::SetTlsLaser { tls, .. } => Setting::TlsLaser(tls),
            Self::SetTlsStart { tls, .. } => Setting::TlsStart(tls),
            Self::SetTlsStop { tls, .. } => Setting::TlsStop(tls),
            Self::SetTlsSpeed { tls, .. } => Setting::TlsSpeed(tls),
            Self::SetTlsPower { tls, .. } => Setting::TlsPower(tls),
            Self::SetTlsTrigger { tls, .. } => Setting::TlsTrigger(tls),
            Self::SetLaserPower { laser, .. } => Setting::LaserPower(laser),
            Self::SetLaserWavelength { laser, .. } => Setting::LaserWavelength(laser),
            Self::SetLaserOutput { laser, .. } => Setting::LaserOutput(laser),
            Self::SetPowerUnit { detector, .. } => Setting::PowerUnit(detector),
            Self::SetSpectralUnit { detector, .. } => Setting::SpectralUnit(detector),
            Self::SetDetectorWavelength { detector, .. } => Setting::DetectorWavelength(detector),
            Self::SetDetectorTrigger { detector, .. } => Setting::DetectorTrigger(detector),
            Self::SetFeedbackLaser { .. } => Setting::FeedbackLaser,
            Self::SetAnalogOutput { output, .. } => Setting::AnalogOutput(output),
            Self::StartReference { .. }
            | Self::StartScan
            | Self::Abort
            | Self::ClearErrors
            | Self::Raw(_) => {
                return None;
            }
        })
    }

    /// The value as numbers and as text.
    fn value(&self) -> ([f64; 2], String) {
        let number = |value: f64, unit: &str| ([value, 0.0], format!("{value} {unit}"));
        let switch = |on: bool, [no, yes]: [&str; 2]| {
            ([f64::from(u8::from(on)), 0.0], if on { yes } else { no }.to_owned())
        };
        let count = |value: u8| ([f64::from(value), 0.0], value.to_string());
        match *self {
            Self::SetScanMode { continuous } => switch(continuous, ["single", "continuous"]),
            Self::SetScanStart { nm }
            | Self::SetScanStop { nm }
            | Self::SetTlsStart { nm, .. }
            | Self::SetTlsStop { nm, .. }
            | Self::SetLaserWavelength { nm, .. }
            | Self::SetDetectorWavelength { nm, .. } => number(nm, "nm"),
            Self::SetResolution { pm } => number(pm, "pm"),
            Self::SetStabilization { output, seconds } => {
                let stay = if output { "lasers stay on" } else { "lasers turn off" };
                ([f64::from(u8::from(output)), seconds], format!("{seconds} s, {stay}"))
            }
            Self::SetTlsSpeed { nm_s, .. } => number(nm_s, "nm/s"),
            Self::SetTlsPower { dbm, .. } | Self::SetLaserPower { dbm, .. } => number(dbm, "dBm"),
            Self::SetTlsLaser { laser, .. } | Self::SetFeedbackLaser { laser } => count(laser),
            Self::SetAnalogOutput { detector, .. } => {
                ([f64::from(detector.module), f64::from(detector.channel)], detector.to_string())
            }
            Self::SetTlsTrigger { trigger, .. } | Self::SetDetectorTrigger { trigger, .. } => count(trigger),
            Self::SetLaserOutput { on, .. } => switch(on, ["off", "on"]),
            // Units of power and photocurrent with the same scale are equal, because the instrument reports the scale.
            Self::SetPowerUnit { unit, .. } => {
                ([f64::from(u8::from(unit.is_linear())), 0.0], unit.symbol().to_owned())
            }
            Self::SetSpectralUnit { unit, .. } => switch(unit == SpectralUnit::Thz, ["nm", "THz"]),
            Self::StartReference { .. }
            | Self::StartScan
            | Self::Abort
            | Self::ClearErrors
            | Self::Raw(_) => ([f64::NAN; 2], self.to_string()),
        }
    }

    /// The value as text: `2 dBm`.
    #[must_use]
    pub fn shown_value(&self) -> String {
        self.value().1
    }

    /// Whether both commands set the same setting to the same value, within the tolerance of the instrument.
    #[must_use]
    pub fn sets_the_same(&self, other: &Self) -> bool {
        let Some(setting) = self.setting().filter(|setting| other.setting() == Some(*setting)) else {
            return false;
        };
        let ([a0, a1], [b0, b1]) = (self.value().0, other.value().0);
        (a0 - b0).abs() <= setting.tolerance() && (a1 - b1).abs() <= setting.tolerance()
    }

    /// The only setting of a raw line.
    pub(in crate::instrument) fn only_setting(&self) -> Option<Setting> {
        let line = Line::parse(&self.to_string()).ok()?;
        match &line.units[..] {
            [unit] => Self::from_unit(unit)?.setting(),
            _ => None,
        }
    }

    /// The setting of a raw unit, with its value. `None` if the unit sets none, or if the value is not known
    /// beforehand (`MAX`).
    #[must_use]
    pub fn from_unit(unit: &Unit) -> Option<Self> {
        let Some(Does::Sets(setting)) = headers::does(unit) else { return None };
        let data = unit.data().collect::<Option<Vec<_>>>()?;
        setting.with(&data)
    }
}

impl Setting {
    /// The command that sets this setting to a value given as raw text.
    pub(in crate::instrument) fn with(self, data: &[Data]) -> Option<Action> {
        if let (Self::Stabilization, [output, seconds]) = (self, data) {
            let Data::Number { value: seconds, unit } = seconds else { return None };
            let is_seconds = matches!(unit.as_str(), "" | "S");
            return Some(Action::SetStabilization { output: output.switch()?, seconds: *seconds })
                .filter(|_| is_seconds);
        }
        if let (Self::AnalogOutput(output), [module, channel]) = (self, data) {
            let detector = Detector { module: module.whole()?, channel: channel.whole()? };
            return Some(Action::SetAnalogOutput { output, detector });
        }
        let [value] = data else { return None };
        let word = |words: [&[&str]; 2]| {
            let of = |index: usize| match value {
                Data::Word(word) => words[index].contains(&word.as_str()),
                other => other.whole().is_some_and(|number| usize::from(number) == index),
            };
            (0..2).find(|index| of(*index)).map(|index| index == 1)
        };
        let plain = |allowed: &str| match value {
            Data::Number { value, unit } if unit.is_empty() || unit == allowed => Some(*value),
            _ => None,
        };
        Some(match self {
            Self::ScanMode => {
                let continuous = word([&["SING", "SINGLE"], &["CONT", "CONTINUOUS"]])?;
                Action::SetScanMode { continuous }
            }
            Self::ScanStart => Action::SetScanStart { nm: value.nanometres()? },
            Self::ScanStop => Action::SetScanStop { nm: value.nanometres()? },
            Self::Resolution => Action::SetResolution { pm: value.nanometres()? * 1e3 },
            // A single value would leave the other half unchanged.
            Self::Stabilization | Self::AnalogOutput(_) => return None,
            Self::FeedbackLaser => Action::SetFeedbackLaser { laser: value.whole()? },
            Self::TlsLaser(tls) => Action::SetTlsLaser { tls, laser: value.whole()? },
            Self::TlsStart(tls) => Action::SetTlsStart { tls, nm: value.nanometres()? },
            Self::TlsStop(tls) => Action::SetTlsStop { tls, nm: value.nanometres()? },
            Self::TlsSpeed(tls) => Action::SetTlsSpeed { tls, nm_s: plain("NM/S")? },
            Self::TlsPower(tls) => Action::SetTlsPower { tls, dbm: value.dbm()? },
            Self::TlsTrigger(tls) => Action::SetTlsTrigger { tls, trigger: value.whole()? },
            Self::LaserPower(laser) => Action::SetLaserPower { laser, dbm: value.dbm()? },
            Self::LaserWavelength(laser) => Action::SetLaserWavelength { laser, nm: value.nanometres()? },
            Self::LaserOutput(laser) => Action::SetLaserOutput { laser, on: value.switch()? },
            Self::PowerUnit(detector) => {
                let unit = match word([&["DBMA"], &["MA"]]) {
                    Some(_) if matches!(value, Data::Word(_)) => {
                        if word([&["DBMA"], &["MA"]])? {
                            PowerUnit::Ma
                        } else {
                            PowerUnit::Dbma
                        }
                    }
                    _ if word([&["DBM"], &["MW"]])? => PowerUnit::Mw,
                    _ => PowerUnit::Dbm,
                };
                Action::SetPowerUnit { detector, unit }
            }
            Self::SpectralUnit(detector) => {
                let thz = word([&["WAV", "WAVELENGTH"], &["FREQ", "FREQUENCY"]])?;
                let unit = if thz { SpectralUnit::Thz } else { SpectralUnit::Nm };
                Action::SetSpectralUnit { detector, unit }
            }
            Self::DetectorWavelength(detector) => {
                Action::SetDetectorWavelength { detector, nm: value.nanometres()? }
            }
            Self::DetectorTrigger(detector) => {
                Action::SetDetectorTrigger { detector, trigger: value.whole()? }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values() -> Vec<Action> {
        let detector = Detector { module: 4, channel: 2 };
        vec![
            Action::SetScanMode { continuous: true },
            Action::SetScanStart { nm: 1520.123 },
            Action::SetScanStop { nm: 1580.0 },
            Action::SetResolution { pm: 0.02 },
            Action::SetStabilization { output: true, seconds: 1.5 },
            Action::SetTlsLaser { tls: 2, laser: 3 },
            Action::SetTlsStart { tls: 1, nm: 1500.0 },
            Action::SetTlsStop { tls: 1, nm: 1630.5 },
            Action::SetTlsSpeed { tls: 4, nm_s: 50.0 },
            Action::SetTlsPower { tls: 1, dbm: -9.5 },
            Action::SetTlsTrigger { tls: 1, trigger: 8 },
            Action::SetLaserPower { laser: 10, dbm: 3.25 },
            Action::SetLaserWavelength { laser: 1, nm: 1550.0 },
            Action::SetLaserOutput { laser: 1, on: true },
            Action::SetPowerUnit { detector, unit: PowerUnit::Mw },
            Action::SetPowerUnit { detector, unit: PowerUnit::Ma },
            Action::SetSpectralUnit { detector, unit: SpectralUnit::Thz },
            Action::SetDetectorWavelength { detector, nm: 1310.0 },
            Action::SetDetectorTrigger { detector, trigger: 2 },
            Action::SetFeedbackLaser { laser: 2 },
            Action::SetAnalogOutput { output: 3, detector },
        ]
    }

    #[test]
    fn every_setting_is_read_back_from_the_command_that_sets_it() {
        for value in values() {
            let line = Line::parse(&value.to_string()).unwrap();
            let read = Action::from_unit(&line.units[0]).unwrap_or_else(|| panic!("{value}"));
            assert!(read.sets_the_same(&value), "{value} {read}");
            assert!(value.setting().unwrap().moves().contains(&value.setting().unwrap()), "{value}");
        }
    }

    #[test]
    fn values_are_the_same_within_what_the_instrument_rounds_or_measures() {
        let power = |dbm| Action::SetTlsPower { tls: 1, dbm };
        assert!(power(2.0).sets_the_same(&power(2.004)) && !power(2.0).sets_the_same(&power(2.1)));
        let laser = |dbm| Action::SetLaserPower { laser: 1, dbm };
        assert!(laser(2.0).sets_the_same(&laser(2.4)) && !laser(2.0).sets_the_same(&laser(2.6)));
        assert!(!power(2.0).sets_the_same(&laser(2.0)));
        assert!(!power(f64::NAN).sets_the_same(&power(f64::NAN)));
    }

    #[test]
    fn a_value_that_is_known_only_afterwards_is_none() {
        for line in
            ["INIT:TLS1:POW MAX", "INIT:STAB ON", "INIT:TLS1:ID 1.5", "INIT", "*RST", "INIT:TLS1:POW 1,2"]
        {
            assert_eq!(Action::from_unit(&Line::parse(line).unwrap().units[0]), None, "{line}");
        }
    }
}
