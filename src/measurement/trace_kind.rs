//! The kinds of traces.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::TraceUnit;

/// Which of a detector's traces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TraceKind {
    /// Transmission function: live minus reference, in dB.
    Tf,
    /// The live trace, in dBm.
    Raw,
    /// The reference as it was recorded, in dBm.
    Reference,
    /// The quick reference as it was recorded, in dBm.
    QuickReference,
    /// Another trace type of the instrument, by its number.
    Other(u8),
}

impl TraceKind {
    /// The instrument's number for this trace, `TYPE<t>`.
    #[must_use]
    pub fn code(self) -> u8 {
        match self {
            Self::Tf => 1,
            Self::Raw => 11,
            Self::Reference => 12,
            Self::QuickReference => 13,
            Self::Other(code) => code,
        }
    }

    /// Whether it is a recorded reference, which a sweep does not change.
    #[must_use]
    pub fn is_reference(self) -> bool {
        match self {
            Self::Reference | Self::QuickReference => true,
            Self::Tf | Self::Raw | Self::Other(_) => false,
        }
    }

    /// Whether the trace is known to be of the last sweep. Traces that have only a number may be anything.
    #[must_use]
    pub fn is_of_last_sweep(self) -> bool {
        match self {
            Self::Tf | Self::Raw => true,
            Self::Reference | Self::QuickReference | Self::Other(_) => false,
        }
    }

    /// Whether a reference scan of another detector leaves the trace as it is.
    #[must_use]
    pub fn outlasts_reference_scan(self) -> bool {
        match self {
            Self::Tf | Self::Reference | Self::QuickReference => true,
            Self::Raw | Self::Other(_) => false,
        }
    }

    /// The trace that has this number, 1 to 23.
    #[must_use]
    pub fn from_code(code: u8) -> Option<Self> {
        match code {
            1 => Some(Self::Tf),
            11 => Some(Self::Raw),
            12 => Some(Self::Reference),
            13 => Some(Self::QuickReference),
            2..=23 => Some(Self::Other(code)),
            _ => None,
        }
    }

    /// The unit of its values: dB for a ratio to the reference, dBm for a power. The unit of a trace that has only a
    /// number is assumed.
    #[must_use]
    pub fn unit(self) -> TraceUnit {
        match self.code() {
            1..=10 => TraceUnit::Db,
            _ => TraceUnit::Dbm,
        }
    }
}

impl fmt::Display for TraceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tf => f.write_str("tf"),
            Self::Raw => f.write_str("raw"),
            Self::Reference => f.write_str("reference"),
            Self::QuickReference => f.write_str("quick_reference"),
            Self::Other(code) => write!(f, "{code}"),
        }
    }
}

impl Serialize for TraceKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Other(code) => serializer.serialize_u8(*code),
            named => serializer.collect_str(named),
        }
    }
}

impl<'de> Deserialize<'de> for TraceKind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let refuse = |given: &dyn fmt::Display| {
            D::Error::custom(format!(
                "`{given}` is not a trace type: write tf, raw, reference, quick_reference or a number from 1 to 23"
            ))
        };
        let value = serde_json::Value::deserialize(deserializer)?;
        if let Some(number) = value.as_f64() {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "range checked here")]
            let code = if number.fract() == 0.0 && (1.0..=23.0).contains(&number) { number as u8 } else { 0 };
            return Self::from_code(code).ok_or_else(|| refuse(&value));
        }
        match value.as_str() {
            Some("tf") => Ok(Self::Tf),
            Some("raw") => Ok(Self::Raw),
            Some("reference") => Ok(Self::Reference),
            Some("quick_reference") => Ok(Self::QuickReference),
            Some(other) => Err(refuse(&other)),
            None => Err(refuse(&value)),
        }
    }
}

impl JsonSchema for TraceKind {
    fn schema_name() -> Cow<'static, str> {
        "TraceKind".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                { "enum": ["tf", "raw", "reference", "quick_reference"] },
                { "type": "integer", "minimum": 1, "maximum": 23 },
            ],
            "description": "type of the trace: tf (dB), raw, reference, quick_reference (dBm) or a number from 1 to 23",
        })
    }
}
