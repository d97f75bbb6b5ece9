//! Decimal numbers as people write them, and whether a double stores them exactly.
//!
//! Every number of a run becomes a double: in a column of a trace file, or as a setting of the instrument. A number
//! that would change, such as a serial number with 18 digits, must not be converted silently.

use serde_json::{Number, Value};

/// A text, interpreted as a number.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// Not a decimal number.
    Other,
    /// A number whose double prints as the same decimal.
    Kept(Value),
    /// A number whose double prints as this other decimal.
    Changed(String),
}

/// Reads a decimal: digits with or without sign, point and exponent.
#[must_use]
pub fn read(text: &str) -> Reading {
    let Some(written) = Decimal::parse(text) else { return Reading::Other };
    let number: f64 = text.parse().unwrap_or(f64::INFINITY);
    let printed = number.to_string();
    if Decimal::parse(&printed) != Some(written) {
        return Reading::Changed(printed);
    }
    let whole = text.parse::<i64>().map(Number::from).ok();
    match whole.or_else(|| Number::from_f64(number)) {
        Some(number) => Reading::Kept(Value::Number(number)),
        None => Reading::Changed(printed),
    }
}

/// The decimal that the double of a number prints as, if it differs. This concerns only whole numbers, because the
/// others are already doubles.
#[must_use]
pub fn changed(number: &Number) -> Option<String> {
    match read(&number.to_string()) {
        Reading::Changed(printed) => Some(printed),
        Reading::Kept(_) | Reading::Other => None,
    }
}

/// The message about such a number, and the hint.
#[must_use]
pub fn changed_words(written: &str, printed: &str) -> (String, String) {
    let message = format!("the number `{written}` cannot be stored exactly: it would become `{printed}`");
    (message, format!("if it is a name, put it into quotes: \"{written}\""))
}

/// A number as a person writes it: `0.3` instead of `0.30000000000000004`, `5` instead of `5.0`. It has twelve
/// significant digits, which is finer than any instrument and coarser than rounding errors.
#[must_use]
pub fn print(number: &Number) -> String {
    match (number.as_i64(), number.as_f64()) {
        (None, Some(double)) => print_double(double),
        _ => number.to_string(),
    }
}

fn print_double(number: f64) -> String {
    let rounded: f64 = format!("{number:.11e}").parse().unwrap_or(number);
    // `-0` is written `0`; very large and small numbers keep their exponent.
    match rounded.abs() {
        0.0 => "0".to_owned(),
        1e-7..1e16 => rounded.to_string(),
        _ => format!("{rounded:e}"),
    }
}

/// Whether a text is written as a plain decimal: without exponent, plus sign and leading zeros.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let padded = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    let known = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    !padded && known && Decimal::parse(text).is_some()
}

/// The first number of a JSON text whose double prints as another decimal, and that decimal.
#[must_use]
pub fn changed_in_json(text: &str) -> Option<(String, String)> {
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        rest = &rest[at..];
        if let Some(inside) = rest.strip_prefix('"') {
            rest = behind_quote(inside);
            continue;
        }
        let end = rest.find(|c: char| !matches!(c, '0'..='9' | '+' | '-' | '.' | 'e' | 'E'));
        let (number, behind) = rest.split_at(end.unwrap_or(rest.len()));
        if let Reading::Changed(printed) = read(number) {
            return Some((number.to_owned(), printed));
        }
        rest = behind;
    }
    None
}

fn behind_quote(text: &str) -> &str {
    let mut escaped = false;
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return &text[at + 1..],
            _ => {}
        }
    }
    ""
}

/// Whether two texts are the same number.
#[must_use]
pub fn same(one: &str, other: &str) -> bool {
    Decimal::parse(one).is_some_and(|one| Decimal::parse(other) == Some(one))
}

/// The value of a decimal: two texts with the same value are equal.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    /// The digits without zeros at either end; empty for zero.
    digits: String,
    /// The power of ten of the last digit.
    exponent: i64,
}

impl Decimal {
    fn parse(text: &str) -> Option<Self> {
        let negative = text.starts_with('-');
        let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
        let (mantissa, power) = match unsigned.split_once(['e', 'E']) {
            Some((mantissa, power)) => (mantissa, exponent(power)?),
            None => (unsigned, 0),
        };
        let (whole, rest) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits = [whole, rest].concat();
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let significant = digits.trim_end_matches('0');
        let dropped = digits.len() - significant.len();
        let digits = significant.trim_start_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Self { negative: false, digits, exponent: 0 });
        }
        let shift = i64::try_from(dropped).ok()? - i64::try_from(rest.len()).ok()?;
        Some(Self { negative, digits, exponent: power.saturating_add(shift) })
    }
}

fn exponent(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let known = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let limit = if text.starts_with('-') { i64::MIN / 2 } else { i64::MAX / 2 };
    known.then(|| text.parse().unwrap_or(limit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_is_kept_where_its_double_prints_as_the_same_decimal() {
        for (text, value) in [
            ("5", json!(5)),
            ("-5", json!(-5)),
            ("1.50", json!(1.5)),
            (".5", json!(0.5)),
            ("1E1", json!(10.0)),
            ("1e-7", json!(1e-7)),
            ("0012", json!(12)),
            ("9007199254740992", json!(9_007_199_254_740_992_i64)),
            ("202411090210450000", json!(202_411_090_210_450_000_i64)),
            ("100000000000000000000", json!(1e20)),
            ("0.000000000000000000000000000000", json!(0.0)),
        ] {
            assert_eq!(read(text), Reading::Kept(value), "{text}");
        }
        for (text, printed) in [
            ("202411090210450001", "202411090210450020"),
            ("9007199254740993", "9007199254740992"),
            ("0.1234567890123456789", "0.12345678901234568"),
            ("1e999", "inf"),
            ("1e-999", "0"),
        ] {
            assert_eq!(read(text), Reading::Changed(printed.to_owned()), "{text}");
        }
        for text in ["", "-", ".", "e5", "1e", "1e+", "0x1F", "1_000", "nan", "inf", "1,5", "5 V", "--5", "٣"]
        {
            assert_eq!(read(text), Reading::Other, "{text}");
        }
    }

    #[test]
    fn numbers_of_a_json_text_are_found_outside_its_strings() {
        let found = |text: &str| changed_in_json(text).map(|(number, _)| number);
        assert_eq!(found(r#"{"a": [1, -2.5e3], "b\"9007199254740993": "9007199254740993"}"#), None);
        assert_eq!(found(r#"{"a\\": 9007199254740993}"#).as_deref(), Some("9007199254740993"));
        assert_eq!(found("[0.1234567890123456789]").as_deref(), Some("0.1234567890123456789"));
        assert_eq!(found("[100000000000000000001]").as_deref(), Some("100000000000000000001"));
        assert_eq!(found("\"open"), None);
    }

    #[test]
    fn a_plain_decimal_has_no_exponent_no_plus_and_no_leading_zeros() {
        for plain in ["0", "5", "-5", "1.50", "0.5", "-0.5", ".5", "5.", "100"] {
            assert!(is_plain(plain), "{plain}");
        }
        for other in ["1E1", "+5", "0012", "00", "-007", "00.5", "", ".", "-", "1.2.3", "x", "0x10"] {
            assert!(!is_plain(other), "{other}");
        }
    }

    proptest! {
        #[test]
        fn what_a_double_prints_is_kept_and_read_back(number in any::<f64>().prop_filter("finite", |n| n.is_finite())) {
            for text in [number.to_string(), format!("{number:e}"), format!("{number}{}", if number.fract() == 0.0 { ".000" } else { "000" })] {
                let Reading::Kept(value) = read(&text) else { panic!("{text}") };
                prop_assert_eq!(value.as_f64(), Some(number));
            }
        }

        #[test]
        fn a_whole_number_is_kept_exactly_where_its_double_prints_its_digits(number in any::<i64>()) {
            #[expect(clippy::cast_precision_loss, reason = "this is the question")]
            let prints = (number as f64).to_string() == number.to_string();
            prop_assert_eq!(matches!(read(&number.to_string()), Reading::Kept(_)), prints);
            prop_assert_eq!(changed(&number.into()).is_none(), prints);
        }

        #[test]
        fn any_text_is_read_without_a_fault(text in ".{0,40}") {
            let _ = (read(&text), is_plain(&text));
        }
    }
}
