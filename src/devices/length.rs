//! Lengths with their units.

use super::decimal_mark::Notation;

/// A unit of length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Nanometres.
    Nm,
    /// Micrometres.
    Um,
    /// Millimetres.
    Mm,
}

/// How the units are written. `µ` is the micro sign, `μ` the Greek letter.
const WRITTEN: [(&str, Unit); 5] =
    [("nm", Unit::Nm), ("um", Unit::Um), ("µm", Unit::Um), ("μm", Unit::Um), ("mm", Unit::Mm)];

impl Unit {
    /// The unit as written.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Nm => "nm",
            Self::Um => "µm",
            Self::Mm => "mm",
        }
    }

    /// This unit in nm.
    fn nm(self) -> f64 {
        match self {
            Self::Nm => 1.0,
            Self::Um => 1e3,
            Self::Mm => 1e6,
        }
    }

    /// The unit at the end of the name of a column: `x_um`, `x (nm)`, `x [µm]`.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let name = name.trim().to_lowercase();
        let inner = name.trim_end_matches([')', ']']);
        let bare = inner.len() == name.len();
        let (unit, before) = WRITTEN
            .iter()
            .find_map(|(written, unit)| inner.strip_suffix(written).map(|before| (*unit, before)))?;
        let ends: &[char] = if bare { &['_', ' ', '.'] } else { &['(', '['] };
        before.ends_with(ends).then_some(unit)
    }
}

/// A length in the unit `to`. The value may have its own unit, `1.55 um`; otherwise it is in `from`.
pub(super) fn read(text: &str, from: Unit, to: Unit, notation: Notation) -> Option<f64> {
    let (number, written) = without_unit(text);
    let lower = written.trim().to_lowercase();
    let unit = WRITTEN.iter().find(|(name, _)| *name == lower).map_or(from, |(_, unit)| *unit);
    let number = notation.value(number)?;
    Some(rounded(if unit == to { number } else { number * (unit.nm() / to.nm()) }))
}

/// A text before its unit, and the unit with the spaces around it.
pub(super) fn without_unit(text: &str) -> (&str, &str) {
    let bare = text.trim_end();
    let begins = |(written, _): &(&str, Unit)| {
        let begin = bare.len().checked_sub(written.len())?;
        bare.get(begin..).filter(|end| end.to_lowercase() == *written).map(|_| begin)
    };
    let end = WRITTEN.iter().find_map(begins).map_or(text.len(), |begin| bare[..begin].trim_end().len());
    text.split_at(end)
}

/// Rounds to a millionth, which is far below what a stage can do. Zero has no sign.
pub(super) fn rounded(length: f64) -> f64 {
    (length * 1e6).round() / 1e6 + 0.0
}
