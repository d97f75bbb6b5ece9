//! The units of traces, and what may be computed from levels in them.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The unit of the values of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum TraceUnit {
    /// A ratio, in decibels.
    #[default]
    #[serde(rename = "dB")]
    Db,
    /// A power, in decibels relative to one milliwatt.
    #[serde(rename = "dBm")]
    Dbm,
    /// A photocurrent, in decibels relative to one milliampere.
    #[serde(rename = "dBmA")]
    Dbma,
}

/// What the levels of a trace say about the loss of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// The loss, with the opposite sign.
    Known,
    /// The loss, if 0 dBm were sent into the device.
    RelativeToMilliwatt,
    /// Nothing: the responsivity of the photodiode is unknown.
    Unknown,
}

impl TraceUnit {
    /// All units.
    const ALL: [Self; 3] = [Self::Db, Self::Dbm, Self::Dbma];

    /// The symbol.
    #[must_use]
    pub fn symbol(self) -> &'static str {
        match self {
            Self::Db => "dB",
            Self::Dbm => "dBm",
            Self::Dbma => "dBmA",
        }
    }

    /// The unit with this symbol.
    ///
    /// # Errors
    /// Levels in another unit are not levels of a trace.
    pub fn named(symbol: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|unit| unit.symbol() == symbol);
        known.ok_or_else(|| format!("is in {symbol}, and dB is needed"))
    }

    /// What levels in this unit say about a loss.
    #[must_use]
    pub fn loss(self) -> Loss {
        match self {
            Self::Db => Loss::Known,
            Self::Dbm => Loss::RelativeToMilliwatt,
            Self::Dbma => Loss::Unknown,
        }
    }

    /// Whether the levels are ratios.
    #[must_use]
    pub fn is_ratio(&self) -> bool {
        *self == Self::Db
    }

    /// The unit of levels in this unit minus levels in another one.
    ///
    /// # Errors
    /// Only the difference of two levels of the same kind is a ratio.
    pub fn minus(self, other: Self) -> Result<Self, String> {
        if self == other {
            return Ok(Self::Db);
        }
        Err(format!(
            "is in {self}, and `minus` is in {other}: only traces in the same unit have a difference in dB"
        ))
    }
}

impl fmt::Display for TraceUnit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.symbol())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_traces_of_one_unit_have_a_difference() {
        use TraceUnit::{Db, Dbm, Dbma};
        for (one, other, difference) in [
            (Db, Db, Some(Db)),
            (Dbm, Dbm, Some(Db)),
            (Dbma, Dbma, Some(Db)),
            (Db, Dbm, None),
            (Dbm, Db, None),
            (Dbm, Dbma, None),
            (Dbma, Db, None),
        ] {
            assert_eq!(one.minus(other).ok(), difference, "{one} - {other}");
        }
    }

    #[test]
    fn a_unit_is_known_by_its_symbol_and_others_are_refused() {
        for (symbol, loss) in [
            ("dB", Ok(Loss::Known)),
            ("dBm", Ok(Loss::RelativeToMilliwatt)),
            ("dBmA", Ok(Loss::Unknown)),
            ("mW", Err("is in mW, and dB is needed".to_owned())),
            ("dBma", Err("is in dBma, and dB is needed".to_owned())),
        ] {
            assert_eq!(TraceUnit::named(symbol).map(TraceUnit::loss), loss);
        }
    }
}
