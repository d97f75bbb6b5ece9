//! Decodes replies: identities, the condition register, the error queue, references, numbers.

use std::fmt;
use std::str::FromStr;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use crate::measurement::finite_or_nan;
use crate::shown;

/// Whether the output stays on after the scan, and the settling time before it.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Stabilization {
    /// The output stays on after the scan.
    pub output: bool,
    /// Settling time, s.
    pub seconds: f64,
}

impl Stabilization {
    pub(super) fn read(reply: &str) -> Option<Self> {
        let (output, seconds) = reply.split_once(',').unwrap_or((reply, "0"));
        Some(Self { output: truth(output.trim())?, seconds: number(seconds.trim())? })
    }
}

/// Maker, model, serial number and firmware of an instrument or a laser.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The maker.
    pub maker: String,
    /// The model.
    pub model: String,
    /// The serial number.
    pub serial: String,
    /// The firmware version.
    pub firmware: String,
}

impl Identity {
    /// Whether two identities as texts are those of one unit. An update of the firmware does not make another unit of it.
    #[must_use]
    pub fn is_same_unit(known: &str, found: &str) -> bool {
        let unit = |text| Self::read(text).map(|Self { maker, model, serial, .. }| (maker, model, serial));
        known == found || unit(known).is_some_and(|known| Some(known) == unit(found))
    }

    pub(super) fn read(reply: &str) -> Option<Self> {
        let reply = shown::beginning(reply);
        let mut parts = reply.split(',').map(|part| part.trim().to_owned());
        let (maker, model) = (parts.next()?, parts.next()?);
        Some(Self {
            maker,
            model,
            serial: parts.next().unwrap_or_default(),
            firmware: parts.next().unwrap_or_default(),
        })
    }

    /// Whether maker and model are empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.maker.is_empty() && self.model.is_empty()
    }

    /// Whether this is the identity of a CTP10.
    #[must_use]
    pub fn is_ctp10(&self) -> bool {
        self.model.to_ascii_uppercase().contains("CTP10")
    }

    /// True for the embedded simulator: its serial number identifies it wherever it runs.
    #[must_use]
    pub fn simulated(&self) -> bool {
        self.serial.starts_with("SIMULATED")
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.model.as_str(), self.serial.as_str(), self.firmware.as_str()) {
            // Some instruments reply with a name alone.
            ("", "", "") if !self.maker.is_empty() => f.write_str(&self.maker),
            (model, serial, firmware) => write!(f, "{},{model},{serial},{firmware}", self.maker),
        }
    }
}

/// One entry of the instrument's error queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorEntry {
    /// SCPI error number; 0 when there is none.
    pub code: i32,
    /// The text of the error.
    pub text: String,
}

impl ErrorEntry {
    pub(super) fn read(reply: &str) -> Option<Self> {
        let (code, text) = reply.split_once(',').unwrap_or((reply, ""));
        let text = shown::beginning(text.trim().trim_matches('"')).into_owned();
        Some(Self { code: code.trim().parse().ok()?, text })
    }

    /// There is no such module or laser.
    pub(super) fn is_missing_hardware(&self) -> bool {
        self.code == -241
    }

    /// The value is out of range (-222), or not in the list of those that are allowed (-224).
    pub(super) fn is_about_value(&self) -> bool {
        matches!(self.code, -222 | -224)
    }

    /// A scan was already in progress.
    pub(super) fn is_init_ignored(&self) -> bool {
        self.code == -213
    }
}

impl fmt::Display for ErrorEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.code, self.text)
    }
}

/// A recorded reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// Whether the instrument considers the reference valid.
    pub valid: bool,
    /// 0: transmission function, one sweep; 1: with polarization, four sweeps.
    pub kind: u8,
    /// When the reference was taken, by the clock of the instrument.
    pub taken: Option<NaiveDateTime>,
}

impl Reference {
    /// Reads `1,0,20251128,092631`, or `0` or `0,,,` if there is no reference.
    #[expect(clippy::option_option, reason = "the outer level is whether the reply has a meaning")]
    pub(super) fn read(reply: &str) -> Option<Option<Self>> {
        let mut parts = reply.split(',').map(str::trim);
        let valid = truth(parts.next()?)?;
        let kind = parts.next().unwrap_or_default();
        if !valid && kind.is_empty() {
            return Some(None);
        }
        let date = NaiveDate::parse_from_str(parts.next().unwrap_or_default(), "%Y%m%d").ok();
        let time = NaiveTime::parse_from_str(parts.next().unwrap_or_default(), "%H%M%S").ok();
        let taken = date.zip(time).map(|(date, time)| date.and_time(time));
        Some(Some(Self { valid, kind: kind.parse().ok()?, taken }))
    }
}

/// The operation condition register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Condition(pub u16);

impl Condition {
    const NAMES: [&'static str; 13] = [
        "zeroing",
        "calibrating",
        "scanning",
        "analyzing",
        "aborting",
        "armed",
        "referencing",
        "quick referencing",
        "waiting for controller",
        "updating setup from controller",
        "updating setup, daisy chain",
        "laser referencing",
        "loading or saving",
    ];

    /// Whether a bit (0 to 12, in the order of the manual) is set.
    #[must_use]
    pub fn has(self, bit: u8) -> bool {
        self.0 >> bit & 1 == 1
    }

    /// Whether only the analysis after a scan is in progress.
    #[must_use]
    pub fn is_analysis(self) -> bool {
        self.has(3) && ![2, 4, 6, 7, 11].into_iter().any(|bit| self.has(bit))
    }

    /// Whether a scan is in progress. Detectors and traces must not be read meanwhile.
    #[must_use]
    pub fn is_scan(self) -> bool {
        [2, 3, 4, 6, 7, 11].into_iter().any(|bit| self.has(bit))
    }

    /// Whether any client is aborting a scan.
    #[must_use]
    pub fn is_aborting(self) -> bool {
        self.has(4)
    }

    /// A scan has ended when the whole register is 0: the analysis follows the scan.
    #[must_use]
    pub fn is_idle(self) -> bool {
        self.0 == 0
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_idle() {
            return f.write_str("idle");
        }
        let set =
            Self::NAMES.iter().enumerate().filter(|(bit, _)| self.0 >> bit & 1 == 1).map(|(_, name)| *name);
        let names: Vec<&str> = set.collect();
        if names.is_empty() { write!(f, "busy ({})", self.0) } else { f.write_str(&names.join(", ")) }
    }
}

/// A value with or without a unit: `-5.25`, `-5.25,DBM`. The unit must look like one, but has no effect, because
/// replies are in the basic units of the instrument.
pub(super) fn value<T: FromStr>(reply: &str) -> Option<T> {
    let (value, unit) = reply.split_once(',').unwrap_or((reply, ""));
    let is_unit = unit.trim().bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'/');
    value.trim().parse().ok().filter(|_| is_unit)
}

pub(super) fn number(reply: &str) -> Option<f64> {
    measured(reply).filter(|value: &f64| value.is_finite())
}

/// A measured value; NaN for the text that the instrument writes instead of a number.
pub(super) fn measured(reply: &str) -> Option<f64> {
    #[expect(clippy::cast_possible_truncation, reason = "only whether it is a number is looked at")]
    value(reply).map(|value: f64| if finite_or_nan(value as f32).is_nan() { f64::NAN } else { value })
}

/// Metres to nm, rounded to a femtometre: the last digit of a reply is 10 fm. May be NaN.
pub(super) fn measured_nm(reply: &str) -> Option<f64> {
    measured(reply).map(|metres| (metres * 1e15).round() / 1e6)
}

/// Metres to pm, without the error of the binary fraction; may be NaN. A step keeps all nine digits of the reply, because it
/// is multiplied by the number of points.
pub(super) fn measured_pm(reply: &str) -> Option<f64> {
    measured(reply).map(|metres| (metres * 1e23).round() / 1e11)
}

pub(super) fn truth(reply: &str) -> Option<bool> {
    match reply {
        "1" | "ON" => Some(true),
        "0" | "OFF" => Some(false),
        _ => None,
    }
}

/// A finite length in metres as nm.
pub(super) fn nanometres(reply: &str) -> Option<f64> {
    measured_nm(reply).filter(|length| length.is_finite())
}

/// A finite length in metres as pm.
pub(super) fn picometres(reply: &str) -> Option<f64> {
    measured_pm(reply).filter(|length| length.is_finite())
}

/// A level rounded to a ten-thousandth of a decibel: `5.00000000E+000` becomes 5.
pub(super) fn decibels(reply: &str) -> Option<f64> {
    number(reply).map(|level| (level * 1e4).round() / 1e4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_with_or_without_its_unit() {
        assert_eq!(nanometres("1.28000000E-006,NM"), Some(1280.0));
        assert_eq!(decibels("-5.25,DBM"), Some(-5.25));
        assert_eq!(decibels("-5.25 , DBM"), Some(-5.25));
        assert_eq!(number("50,NM/S"), Some(50.0));
        assert_eq!(value::<u64>("940001"), Some(940_001));
        // Two values are not a value with a unit.
        assert_eq!(number("1.0,2.0"), None);
        assert_eq!(number(",DBM"), None);
    }
}
