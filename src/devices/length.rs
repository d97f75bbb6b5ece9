//! Lengths with their units.

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
pub(super) fn read(text: &str, from: Unit, to: Unit, decimal_comma: bool) -> Option<f64> {
    let lower = text.trim().to_lowercase();
    let with_unit =
        WRITTEN.iter().find_map(|(written, unit)| lower.strip_suffix(written).map(|number| (number, *unit)));
    let (number, unit) = with_unit.unwrap_or((&lower, from));
    let number = if decimal_comma { number.replace(',', ".") } else { number.to_owned() };
    let number: f64 = number.trim().parse().ok().filter(|number: &f64| number.is_finite())?;
    Some(rounded(if unit == to { number } else { number * (unit.nm() / to.nm()) }))
}

/// Rounds to a millionth, which is far below what a stage can do. Zero has no sign.
pub(super) fn rounded(length: f64) -> f64 {
    (length * 1e6).round() / 1e6 + 0.0
}
