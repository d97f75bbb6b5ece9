//! Numbers as text for people, with the digits that suit their unit. Every number that was measured is shown by these
//! functions, so that it looks the same in the terminal, in tables, in reports and in pictures.

/// Decimals of a level or a loss: hundredths of a dB are what an instrument resolves.
const DECIMALS_DB: usize = 2;
/// Decimals of a wavelength: 0.1 pm.
const DECIMALS_WAVELENGTH: usize = 4;
/// Values in nm from here on are wavelengths, below it widths and distances.
const LEAST_WAVELENGTH_NM: f64 = 100.0;
/// Digits of any other value.
const DIGITS: usize = 4;
/// Numbers from here on have an exponent, as no quantity of a bench is so large.
const MOST_WRITTEN_OUT: f64 = 1e15;
/// Most decimals.
const MOST_DECIMALS: i32 = 9;

/// The unit as it follows a value; nothing for ratios.
#[must_use]
pub fn unit_word(unit: &str) -> &str {
    if unit == "1" { "" } else { unit }
}

/// A value with the digits that suit its unit, or that its error leaves.
#[must_use]
pub fn number(value: f64, error: Option<f64>, unit: &str) -> String {
    if value.is_finite() && value.abs() >= MOST_WRITTEN_OUT {
        return format!("{value:.*e}", DIGITS - 1);
    }
    without_negative_zero(format!("{value:.*}", decimals(value, error, unit)))
}

/// A value with so many significant digits.
#[must_use]
pub fn digits(value: f64, digits: usize) -> String {
    without_negative_zero(format!("{value:.*}", decimals_for(value, digits)))
}

fn without_negative_zero(text: String) -> String {
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

/// A number with its unit.
#[must_use]
pub fn with_unit(text: &str, unit: &str) -> String {
    format!("{text} {}", unit_word(unit)).trim_end().to_owned()
}

fn decimals(value: f64, error: Option<f64>, unit: &str) -> usize {
    match (error, unit) {
        (Some(error), _) => decimals_for(error, 2),
        (None, "dB" | "dBm" | "dBmA") => DECIMALS_DB,
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

    #[test]
    fn digits_suit_the_unit_or_the_error() {
        assert_eq!(number(1.318_72, None, "dB"), "1.32");
        assert_eq!(number(-0.001, None, "dB"), "0.00");
        assert_eq!(number(1_549.123_456, None, "nm"), "1549.1235");
        assert_eq!(number(0.012_345_6, None, "nm"), "0.01235");
        assert_eq!(number(12_345.6, None, "1"), "12346");
        assert_eq!(number(1_549.123_456, Some(0.000_012), "nm"), "1549.123456");
        assert_eq!(number(0.0, None, "1"), "0");
        assert_eq!([number(1e15, None, "dB"), number(-9.91e37, None, "dB")], ["1.000e15", "-9.910e37"]);
        assert_eq!(number(0.000_000_123_4, None, "1"), "0.000000123");
        assert_eq!(number(1_549.172, Some(0.000_999_999_9), "nm"), "1549.1720");
    }
}
