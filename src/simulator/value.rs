//! Values on the wire: reads arguments with units, writes numbers as the instrument does.

use std::ops::RangeInclusive;

use super::errors::Rejection;

/// Speed of light in vacuum, m/s (exact by the definition of the metre).
pub(super) const SPEED_OF_LIGHT_M_S: f64 = 299_792_458.0;

/// Splits `1550 NM` into number and unit.
fn number_and_suffix(argument: &str) -> Result<(f64, &str), Rejection> {
    let digits = argument.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c.is_whitespace());
    // An exponent ends with a digit, so its `E` is never taken for a unit.
    let value: f64 = digits.parse().map_err(|_| Rejection::IllegalParameter)?;
    if value.is_finite() {
        Ok((value, argument[digits.len()..].trim()))
    } else {
        Err(Rejection::IllegalParameter)
    }
}

/// From this value on, a number without a unit is a frequency in hertz, and not a wavelength in metres.
const LEAST_BARE_HERTZ: f64 = 1e9;

/// Reads a wavelength in nm, from PM, NM, M or a frequency in HZ, GHZ, THZ. A number without a unit is in metres or
/// hertz, depending on its magnitude.
pub(super) fn wavelength_nm(argument: &str) -> Result<f64, Rejection> {
    let (value, suffix) = number_and_suffix(argument)?;
    let metres = match suffix {
        "PM" => value * 1e-12,
        "NM" => value * 1e-9,
        "" if value >= LEAST_BARE_HERTZ => SPEED_OF_LIGHT_M_S / value,
        "" | "M" => value,
        "HZ" => SPEED_OF_LIGHT_M_S / value,
        "GHZ" => SPEED_OF_LIGHT_M_S / (value * 1e9),
        "THZ" => SPEED_OF_LIGHT_M_S / (value * 1e12),
        _ => return Err(Rejection::IllegalParameter),
    };
    if metres.is_finite() { Ok((metres * 1e15).round() / 1e6) } else { Err(Rejection::OutOfRange) }
}

/// Reads a power in dBm, from DBM (default) or MW.
pub(super) fn power_dbm(argument: &str) -> Result<f64, Rejection> {
    match number_and_suffix(argument)? {
        (value, "" | "DBM") => Ok(value),
        (value, "MW") if value > 0.0 => Ok(10.0 * value.log10()),
        (_, "MW") => Err(Rejection::OutOfRange),
        _ => Err(Rejection::IllegalParameter),
    }
}

/// Reads a quantity with one of these units, or without a unit in the first one.
pub(super) fn quantity(argument: &str, units: &[(&str, f64)]) -> Result<f64, Rejection> {
    let (value, suffix) = number_and_suffix(argument)?;
    let unit = units.iter().find(|(unit, _)| *unit == suffix).map(|(_, factor)| *factor);
    unit.or(suffix.is_empty().then_some(1.0)).map(|factor| value * factor).ok_or(Rejection::IllegalParameter)
}

/// A plain number.
pub(super) fn number(argument: &str) -> Result<f64, Rejection> {
    match number_and_suffix(argument)? {
        (value, "") => Ok(value),
        _ => Err(Rejection::IllegalParameter),
    }
}

/// Reads a whole number within a range, in any notation: `2`, `2.0`, `0.2E1`.
pub(super) fn integer<T: Copy + PartialOrd + TryFrom<u16>>(
    argument: &str,
    allowed: RangeInclusive<T>,
) -> Result<T, Rejection> {
    let value = number(argument)?;
    let whole = (0..=u16::MAX).find(|candidate| f64::from(*candidate) == value);
    let whole = whole.and_then(|whole| T::try_from(whole).ok()).filter(|whole| allowed.contains(whole));
    whole.ok_or(Rejection::OutOfRange)
}

/// Reads ON, OFF, 1 or 0.
pub(super) fn boolean(argument: &str) -> Result<bool, Rejection> {
    match argument {
        "ON" | "1" => Ok(true),
        "OFF" | "0" => Ok(false),
        _ => Err(Rejection::IllegalParameter),
    }
}

/// Writes a number as the instrument does, C's `%.8E` with three digits of exponent: `1.55000000E-006`.
pub(super) fn write_number(value: f64) -> String {
    if !value.is_finite() {
        return if value.is_nan() {
            "NAN".to_owned()
        } else {
            format!("{}INF", if value > 0.0 { "" } else { "-" })
        };
    }
    let text = format!("{value:.8E}");
    let (mantissa, exponent) = text.split_once('E').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}E{sign}{:03}", exponent.abs())
}

/// Writes a value as source-meters do: with its sign and two digits of exponent, `+1.000000E-03`.
pub(super) fn write_reading(value: f64) -> String {
    let text = format!("{value:+.6E}");
    let (mantissa, exponent) = text.split_once('E').unwrap_or((&text, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}E{sign}{:02}", exponent.abs())
}

/// Writes a wavelength in metres.
pub(super) fn write_nm(nm: f64) -> String {
    write_number(nm * 1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wavelengths_take_every_suffix_with_or_without_a_space() {
        for text in ["1550NM", "1550 NM", "1550000PM", "1.55E-6", "1.55E-6 M", "+1550.NM", ".155E4NM"] {
            assert_eq!(wavelength_nm(text).unwrap(), 1550.0, "{text}");
        }
        for text in ["193.4THZ", "193400 GHZ", "1.934E14HZ", "1.934E14", "193400000000000"] {
            assert!((wavelength_nm(text).unwrap() - 1550.116).abs() < 0.001, "{text}");
        }
        assert!(wavelength_nm("1550").unwrap() > 1e9, "metres");
        assert!(wavelength_nm("1550DBM").is_err());
        assert!(wavelength_nm("0THZ").is_err());
        assert!(wavelength_nm("NM").is_err());
    }

    #[test]
    fn powers_are_dbm_unless_they_say_mw() {
        assert_eq!(power_dbm("5").unwrap(), 5.0);
        assert!((power_dbm("2MW").unwrap() - 3.0103).abs() < 1e-4);
        assert!(power_dbm("0MW").is_err());
    }

    #[test]
    fn whole_numbers_are_read_in_every_notation_and_kept_within_their_range() {
        for text in ["2", "2.0", "+2", "0.2E1", "20E-1", "02"] {
            assert_eq!(integer(text, 0..=8u8), Ok(2), "{text}");
        }
        for text in ["2.5", "-1", "9", "70000", "1E30"] {
            assert_eq!(integer(text, 0..=8u8), Err(Rejection::OutOfRange), "{text}");
        }
        for text in ["two", "2NM", "", "#H2"] {
            assert_eq!(integer(text, 0..=8u8), Err(Rejection::IllegalParameter), "{text}");
        }
        assert_eq!(integer("65535", 0..=u16::MAX), Ok(65535));
    }

    #[test]
    fn numbers_are_written_with_a_three_digit_exponent() {
        assert_eq!(write_nm(1550.0), "1.55000000E-006");
        assert_eq!(write_nm(1550.123), "1.55012300E-006");
        assert_eq!(write_number(-12.5), "-1.25000000E+001");
        assert_eq!(write_number(0.0), "0.00000000E+000");
        assert_eq!(
            [0.0, -1.5, 0.01, 5e-12].map(write_reading),
            ["+0.000000E+00", "-1.500000E+00", "+1.000000E-02", "+5.000000E-12"]
        );
    }
}
