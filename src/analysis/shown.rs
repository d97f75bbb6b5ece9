//! Figures as text for people: sensible digits, `≥` for bounds, the limits in words.

use super::figure::Figure;
use super::verdict::Limit;

/// Decimals of a level or a loss: hundredths of a dB are what an instrument resolves.
const DECIMALS_DB: usize = 2;
/// Decimals of a wavelength: 0.1 pm.
const DECIMALS_WAVELENGTH: usize = 4;
/// Values in nm from here on are wavelengths, below it widths and distances.
const LEAST_WAVELENGTH_NM: f64 = 100.0;
/// Digits of any other value.
const DIGITS: usize = 4;
/// Most decimals.
const MOST_DECIMALS: i32 = 9;

/// The name without its unit, for a text that shows the unit behind the value.
#[must_use]
pub fn short_name<'a>(name: &'a str, unit: &str) -> &'a str {
    let ends_with = |name: &'a str| name.strip_suffix(&unit.to_lowercase())?.strip_suffix('_');
    ends_with(name).filter(|short| !short.is_empty()).unwrap_or(name)
}

/// The unit as it follows a value; nothing for ratios.
#[must_use]
pub fn unit_word(unit: &str) -> &str {
    if unit == "1" { "" } else { unit }
}

/// A value with the digits that suit its unit, or that its error leaves.
#[must_use]
pub fn number(value: f64, error: Option<f64>, unit: &str) -> String {
    let text = format!("{value:.*}", decimals(value, error, unit));
    // Rounding may leave a negative zero.
    if text.trim_start_matches(['-', '0', '.']).is_empty() {
        text.trim_start_matches('-').to_owned()
    } else {
        text
    }
}

/// A value like [`number`], with its unit.
#[must_use]
pub fn quantity(value: f64, error: Option<f64>, unit: &str) -> String {
    with_unit(&number(value, error, unit), unit)
}

fn with_unit(text: &str, unit: &str) -> String {
    format!("{text} {}", unit_word(unit)).trim_end().to_owned()
}

fn error_of(figure: &Figure) -> Option<f64> {
    figure.error.filter(|error| *error > 0.0)
}

/// The value of a figure with the sign of a bound, without its error and unit. `None`: there is no value.
#[must_use]
pub fn bare_value(figure: &Figure) -> Option<String> {
    let sign = figure.bound.map(|bound| format!("{} ", bound.sign())).unwrap_or_default();
    figure.value.map(|value| format!("{sign}{}", number(value, error_of(figure), &figure.unit)))
}

/// The value of a figure with its error and the sign of a bound, for a table that has the unit beside it.
#[must_use]
pub fn value_without_unit(figure: &Figure) -> Option<String> {
    // Two digits of an error make sense.
    let spread = error_of(figure).map(|error| format!(" ± {error:.*}", decimals_for(error, 2)));
    bare_value(figure).map(|value| format!("{value}{}", spread.unwrap_or_default()))
}

/// The value of a figure with its unit, its error and the sign of a bound. `None`: there is no value.
#[must_use]
pub fn value(figure: &Figure) -> Option<String> {
    value_without_unit(figure).map(|text| with_unit(&text, &figure.unit))
}

/// The bound of a figure that was not measured, with its unit.
#[must_use]
pub fn bound(figure: &Figure) -> Option<String> {
    let (bound, value) = figure.bound.zip(figure.bound_value)?;
    Some(format!("{} {}", bound.sign(), quantity(value, None, &figure.unit)))
}

/// The limits in words: `min 12`, `max 1.5`, `1.2 to 1.5`.
#[must_use]
pub fn limits(limit: &Limit) -> String {
    match (limit.min, limit.max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("min {min}"),
        (None, Some(max)) => format!("max {max}"),
        (None, None) => String::new(),
    }
}

fn decimals(value: f64, error: Option<f64>, unit: &str) -> usize {
    match (error, unit) {
        (Some(error), _) => decimals_for(error, 2),
        (None, "dB" | "dBm") => DECIMALS_DB,
        (None, "nm") if value.abs() >= LEAST_WAVELENGTH_NM => DECIMALS_WAVELENGTH,
        (None, _) => decimals_for(value, DIGITS),
    }
}

/// The decimals that show so many digits of a value.
fn decimals_for(value: f64, digits: usize) -> usize {
    // The exponent of the rounded value: two digits of 0.000999999 are 0.0010.
    let rounded = format!("{value:.*e}", digits - 1);
    let exponent: i32 =
        rounded.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or_default();
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    let digits = i32::try_from(digits).unwrap_or_default();
    usize::try_from((digits - 1 - exponent).clamp(0, MOST_DECIMALS)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::figure::Bound;
    use crate::analysis::registry;

    fn figure(name: &str, value: f64) -> Figure {
        let (definition, level_db) = registry::find(name).unwrap();
        Figure::measured_at(definition, level_db, value)
    }

    #[test]
    fn digits_suit_the_unit_or_the_error() {
        assert_eq!(number(1.318_72, None, "dB"), "1.32");
        assert_eq!(number(-0.001, None, "dB"), "0.00");
        assert_eq!(number(1_549.123_456, None, "nm"), "1549.1235");
        assert_eq!(number(0.012_345_6, None, "nm"), "0.01235");
        assert_eq!(number(12_345.6, None, "1"), "12346");
        assert_eq!(number(1_549.123_456, Some(0.000_012), "nm"), "1549.123456");
        assert_eq!(number(0.0, None, "1"), "0");
        assert_eq!(number(0.000_000_123_4, None, "1"), "0.000000123");
        assert_eq!(number(1_549.172, Some(0.000_999_999_9), "nm"), "1549.1720");
    }

    #[test]
    fn a_value_shows_its_bound_its_error_and_its_unit() {
        let loaded = figure("q_loaded", 12_345.6).with_error(123.0);
        assert_eq!(value(&loaded).unwrap(), "12346 ± 123");
        let spacing = figure("fsr_mean_nm", 9.031_34).with_error(0.000_008_247);
        assert_eq!(value_without_unit(&spacing).unwrap(), "9.0313400 ± 0.0000082");
        assert_eq!(bare_value(&spacing).unwrap(), "9.0313400");
        let bounded = figure("insertion_loss_max_db", 42.0).bounded(Some(Bound::AtLeast));
        assert_eq!(
            (value(&bounded), bare_value(&bounded)),
            (Some("≥ 42.00 dB".to_owned()), Some("≥ 42.00".to_owned()))
        );
        let missing = registry::find("q_loaded").unwrap().0;
        let missing = Figure::missing(missing, "too few samples").with_bound(Bound::AtLeast, 20_000.0);
        assert_eq!((value(&missing), bound(&missing)), (None, Some("≥ 20000".to_owned())));
    }

    #[test]
    fn the_unit_is_not_said_twice() {
        assert_eq!(short_name("insertion_loss_max_db", "dB"), "insertion_loss_max");
        assert_eq!(short_name("bandwidth_3db_nm", "nm"), "bandwidth_3db");
        assert_eq!(short_name("q_loaded", "1"), "q_loaded");
    }
}
