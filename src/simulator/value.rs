//! Values on the wire: arguments with unit suffixes in, numbers in the instrument's spelling out.

use super::errors::Rejection;

/// Speed of light in vacuum, m/s (exact by the definition of the metre).
pub(super) const SPEED_OF_LIGHT_M_S: f64 = 299_792_458.0;

/// Splits `1550 NM` into number and suffix.
fn number_and_suffix(argument: &str) -> Result<(f64, &str), Rejection> {
    let digits = argument.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c.is_whitespace());
    // An exponent ends in a digit, so that its `E` never ends up in the suffix.
    let value: f64 = digits.parse().map_err(|_| Rejection::IllegalParameter)?;
    if value.is_finite() {
        Ok((value, argument[digits.len()..].trim()))
    } else {
        Err(Rejection::IllegalParameter)
    }
}

/// A wavelength in nm, from PM, NM, M (default) or a frequency in HZ, GHZ, THZ.
pub(super) fn wavelength_nm(argument: &str) -> Result<f64, Rejection> {
    let (value, suffix) = number_and_suffix(argument)?;
    let metres = match suffix {
        "PM" => value * 1e-12,
        "NM" => value * 1e-9,
        "" | "M" => value,
        "HZ" => SPEED_OF_LIGHT_M_S / value,
        "GHZ" => SPEED_OF_LIGHT_M_S / (value * 1e9),
        "THZ" => SPEED_OF_LIGHT_M_S / (value * 1e12),
        _ => return Err(Rejection::IllegalParameter),
    };
    if metres.is_finite() { Ok((metres * 1e15).round() / 1e6) } else { Err(Rejection::OutOfRange) }
}

/// A power in dBm, from DBM (default) or MW.
pub(super) fn power_dbm(argument: &str) -> Result<f64, Rejection> {
    match number_and_suffix(argument)? {
        (value, "" | "DBM") => Ok(value),
        (value, "MW") if value > 0.0 => Ok(10.0 * value.log10()),
        (_, "MW") => Err(Rejection::OutOfRange),
        _ => Err(Rejection::IllegalParameter),
    }
}

/// A plain number.
pub(super) fn number(argument: &str) -> Result<f64, Rejection> {
    match number_and_suffix(argument)? {
        (value, "") => Ok(value),
        _ => Err(Rejection::IllegalParameter),
    }
}

/// A whole number in a range.
pub(super) fn integer(argument: &str, allowed: std::ops::RangeInclusive<u8>) -> Result<u8, Rejection> {
    let value = number(argument)?;
    let whole = allowed.clone().find(|candidate| f64::from(*candidate) == value);
    whole.ok_or(Rejection::OutOfRange)
}

/// ON, OFF, 1 or 0.
pub(super) fn boolean(argument: &str) -> Result<bool, Rejection> {
    match argument {
        "ON" | "1" => Ok(true),
        "OFF" | "0" => Ok(false),
        _ => Err(Rejection::IllegalParameter),
    }
}

/// A number as the instrument writes it, C's `%.8E` with three digits of exponent: `1.55000000E-006`.
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

/// A wavelength in metres, from nm.
pub(super) fn write_nm(nm: f64) -> String {
    write_number(nm * 1e-9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wavelengths_take_every_suffix_with_or_without_a_space() {
        for text in ["1550NM", "1550 NM", "1550000PM", "1.55E-6", "1.55E-6 M"] {
            assert_eq!(wavelength_nm(text).unwrap(), 1550.0, "{text}");
        }
        assert!((wavelength_nm("193.4THZ").unwrap() - 1550.116).abs() < 0.001);
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
    fn numbers_are_written_with_a_three_digit_exponent() {
        assert_eq!(write_nm(1550.0), "1.55000000E-006");
        assert_eq!(write_nm(1550.123), "1.55012300E-006");
        assert_eq!(write_number(-12.5), "-1.25000000E+001");
        assert_eq!(write_number(0.0), "0.00000000E+000");
    }
}
