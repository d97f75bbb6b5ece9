//! Quantities in recipes: numbers with a unit and a plausible range.
//!
//! Each type accepts integers and floats (`1550` and `1550.0`). It refuses values that are not finite or out of
//! range, and the error names the given value and the allowed range. The limits of a particular laser or module are
//! checked by the instrument, and not here.

mod address;
mod duration;
mod names;
mod path;
mod resolution;

use std::borrow::Cow;
use std::fmt;

pub use address::{Address, NotATarget, NotAnAddress, Target};
pub use duration::duration;
pub use names::{end, split, split_chosen};
pub use path::{ApiPath, is_below};
pub use resolution::Resolution;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};
use serde::{Serialize, Serializer};

/// The speed of light in vacuum, m/s, which is exact by the definition of the metre.
pub const SPEED_OF_LIGHT_M_S: f64 = 299_792_458.0;

/// A number that is not a valid value of a quantity.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{quantity} `{given}`{} is not allowed ({allowed})", spaced(.unit))]
pub struct OutOfRange {
    quantity: &'static str,
    given: String,
    unit: &'static str,
    allowed: String,
}

/// A unit with a space before it; empty for a plain number.
fn spaced(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!(" {unit}") }
}

/// Accepts any number. Texts and booleans are refused with a plain message.
struct NumberVisitor {
    quantity: &'static str,
}

impl Visitor<'_> for NumberVisitor {
    type Value = f64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a number for the {}", self.quantity)
    }
    fn visit_f64<E: Error>(self, value: f64) -> Result<f64, E> {
        if value.is_finite() { Ok(value) } else { Err(E::invalid_value(Unexpected::Float(value), &self)) }
    }
    #[expect(clippy::cast_precision_loss, reason = "anything near 2^53 is far out of every range here")]
    fn visit_i64<E: Error>(self, value: i64) -> Result<f64, E> {
        Ok(value as f64)
    }
    #[expect(clippy::cast_precision_loss, reason = "anything near 2^53 is far out of every range here")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<f64, E> {
        Ok(value as f64)
    }
}

/// The JSON of a number whose range is checked when it is read.
macro_rules! checked_number {
    ($name:ident, $what:literal, $schema:tt) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                self.0.serialize(serializer)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let value = deserializer.deserialize_any(NumberVisitor { quantity: $what })?;
                Self::new(value).map_err(D::Error::custom)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn inline_schema() -> bool {
                true
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

/// A quantity with real values in a closed range.
macro_rules! quantity {
    ($(#[$doc:meta])* $name:ident, $what:literal, $unit:literal, $min:literal ..= $max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
        pub struct $name(f64);

        impl $name {
            /// The smallest allowed value.
            pub const MIN: f64 = $min;
            /// The largest allowed value.
            pub const MAX: f64 = $max;
            /// The unit's symbol.
            pub const UNIT: &'static str = $unit;

            /// Checks the range.
            ///
            /// # Errors
            /// If the value is not finite, or outside `MIN..=MAX`.
            pub fn new(value: f64) -> Result<Self, OutOfRange> {
                if (Self::MIN..=Self::MAX).contains(&value) {
                    return Ok(Self(value));
                }
                let allowed = format!("{} to {} {}", Self::MIN, Self::MAX, $unit);
                Err(OutOfRange { quantity: $what, given: value.to_string(), unit: $unit, allowed })
            }

            #[doc = concat!("The value in ", $unit, ".")]
            #[must_use]
            pub fn get(self) -> f64 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} {}", self.0, $unit)
            }
        }

        checked_number!($name, $what, {
            "type": "number", "minimum": $min, "maximum": $max, "description": concat!($what, " in ", $unit),
        });
    };
}

/// A whole number in a closed range: the number of a laser, a TLS or a trigger input.
macro_rules! ordinal {
    ($(#[$doc:meta])* $name:ident, $what:literal, $min:literal ..= $max:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u8);

        impl $name {
            /// The smallest allowed number.
            pub const MIN: u8 = $min;
            /// The largest allowed number.
            pub const MAX: u8 = $max;

            /// Checks the range.
            ///
            /// # Errors
            /// If the number is not whole, or outside `MIN..=MAX`.
            pub fn new(value: f64) -> Result<Self, OutOfRange> {
                let whole = value.fract() == 0.0 && (f64::from(Self::MIN)..=f64::from(Self::MAX)).contains(&value);
                if !whole {
                    let allowed = format!("a whole number from {} to {}", Self::MIN, Self::MAX);
                    return Err(OutOfRange { quantity: $what, given: value.to_string(), unit: "", allowed });
                }
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
                Ok(Self(value as u8))
            }

            /// The number.
            #[must_use]
            pub fn get(self) -> u8 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }

        checked_number!($name, $what, { "type": "integer", "minimum": $min, "maximum": $max, "description": $what });
    };
}

quantity!(
    /// A wavelength of a scan or a laser. The range is wider than that of any laser, because the instrument checks
    /// its own.
    ScanWavelength, "wavelength", "nm", 1200.0..=1700.0
);
quantity!(
    /// The wavelength at which a detector's calibration is applied, in the range of the CTP10.
    DetectorWavelength, "detector wavelength", "nm", 1240.0..=1680.0
);
quantity!(
    /// Output power of a laser. No laser of a CTP10 exceeds 13 dBm; the rest is a margin for attenuated ones.
    LaserPower, "laser power", "dBm", -30.0..=15.0
);
quantity!(
    /// The speed of a sweep.
    SweepSpeed, "sweep speed", "nm/s", 1.0..=200.0
);
quantity!(
    /// How long the laser settles before a scan.
    StabilizationTime, "stabilization time", "s", 0.0..=60.0
);
quantity!(
    /// A duration of at most one year, so that a typing error does not cause an endless wait.
    Seconds, "duration", "s", 0.0..=31_536_000.0
);
quantity!(
    /// An age or a time-out in minutes, at most one year.
    Minutes, "age", "min", 0.0..=525_600.0
);
quantity!(
    /// A tolerance on a level.
    Decibels, "level", "dB", 0.0..=100.0
);
ordinal!(
    /// The number of a laser on the instrument.
    LaserNumber, "laser", 1..=10
);
ordinal!(
    /// The number of a tunable laser source (TLS) in the scan.
    TlsNumber, "TLS", 1..=4
);
ordinal!(
    /// The laser that is assigned to a TLS; 0 for none.
    TlsLaser, "laser of a TLS", 0..=10
);
ordinal!(
    /// The number of an analog output of the mainframe. How many outputs there are is not known.
    AnalogOutput, "analog output", 1..=8
);
ordinal!(
    /// A trigger input; 0 for the software trigger.
    TriggerIn, "trigger input", 0..=8
);

/// The number of sweeps of a reference: 1 for a transmission function (TF), 4 with polarization (TF/PDL).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReferenceSweeps(u8);

impl ReferenceSweeps {
    /// Checks that there are references with so many sweeps.
    ///
    /// # Errors
    /// If it is another number than 1 or 4.
    pub fn new(value: f64) -> Result<Self, OutOfRange> {
        match value {
            1.0 => Ok(Self(1)),
            4.0 => Ok(Self(4)),
            _ => Err(OutOfRange {
                quantity: "number of sweeps",
                given: value.to_string(),
                unit: "",
                allowed: "1 or 4".to_owned(),
            }),
        }
    }

    /// The number of sweeps of a reference of this kind, as the instrument reports it.
    #[must_use]
    pub fn of_kind(kind: u8) -> Option<Self> {
        match kind {
            0 => Some(Self(1)),
            1 => Some(Self(4)),
            _ => None,
        }
    }

    /// The number.
    #[must_use]
    pub fn get(self) -> u8 {
        self.0
    }
}

impl fmt::Display for ReferenceSweeps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 1 { f.write_str("1 sweep (TF)") } else { write!(f, "{} sweeps (TF/PDL)", self.0) }
    }
}

checked_number!(ReferenceSweeps, "number of sweeps", {
    "type": "integer", "enum": [1, 4], "description": "number of sweeps of a reference: 1 (TF) or 4 (TF/PDL)",
});

/// A power in dBm.
#[must_use]
pub fn dbm_of_milliwatts(milliwatts: f64) -> f64 {
    10.0 * milliwatts.log10()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn integers_and_floats_are_the_same_quantity() {
        let int: ScanWavelength = serde_json::from_value(json!(1550)).unwrap();
        let float: ScanWavelength = serde_json::from_value(json!(1550.0)).unwrap();
        assert_eq!(int, float);
    }

    #[test]
    fn a_value_out_of_range_names_what_was_given_and_what_is_allowed() {
        let error = serde_json::from_value::<LaserPower>(json!(30)).unwrap_err();
        assert_eq!(error.to_string(), "laser power `30` dBm is not allowed (-30 to 15 dBm)");
    }

    #[test]
    fn ordinals_are_whole() {
        assert!(LaserNumber::new(2.0).is_ok());
        assert!(LaserNumber::new(2.5).is_err());
        assert!(LaserNumber::new(11.0).is_err());
    }
}
