//! Decodes the arguments of a command.

use super::lexer::{is_space, trim};
use crate::units::{SPEED_OF_LIGHT_M_S, dbm_of_milliwatts};

/// One argument.
#[derive(Debug, Clone, PartialEq)]
pub enum Data {
    /// A number in any notation, with its unit in upper case; empty without a unit.
    Number {
        /// The value.
        value: f64,
        /// The unit.
        unit: String,
    },
    /// A word in upper case: `ON`, `SING`, `MAX`.
    Word(String),
    /// A quoted text, without its quotes.
    Text(String),
    /// A block or an expression, as written.
    Other(String),
}

const LIGHT_NM_HZ: f64 = SPEED_OF_LIGHT_M_S * 1e9;

impl Data {
    /// Reads an argument; `None` if it is not SCPI data.
    #[must_use]
    pub fn parse(argument: &str) -> Option<Self> {
        let text = trim(argument);
        match text.chars().next()? {
            '#' => based(text).or_else(|| {
                let is_block = text.as_bytes().get(1).is_some_and(u8::is_ascii_digit);
                is_block.then(|| Self::Other(text.to_owned()))
            }),
            '(' => text.ends_with(')').then(|| Self::Other(text.to_owned())),
            quote @ ('"' | '\'') => {
                let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
                let twice = format!("{quote}{quote}");
                let lone = inner.replace(&twice, "").contains(quote);
                (!lone).then(|| Self::Text(inner.replace(&twice, &quote.to_string())))
            }
            c if c.is_ascii_alphabetic() => {
                let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
                is_word.then(|| Self::Word(text.to_ascii_uppercase()))
            }
            _ => decimal(text),
        }
    }

    /// A whole number without a unit; `2.0` is a whole number too.
    #[must_use]
    pub fn whole(&self) -> Option<u8> {
        match self {
            Self::Number { value, unit } if unit.is_empty() => {
                (0..=u8::MAX).find(|number| f64::from(*number) == *value)
            }
            _ => None,
        }
    }

    /// A power in dBm; a number without a unit is in dBm.
    #[must_use]
    pub fn dbm(&self) -> Option<f64> {
        let Self::Number { value, unit } = self else { return None };
        let milliwatts = match unit.as_str() {
            "" | "DBM" => return Some(*value),
            "W" => value * 1e3,
            "MW" => *value,
            "UW" => value * 1e-3,
            "NW" => value * 1e-6,
            "PW" => value * 1e-9,
            _ => return None,
        };
        Some(dbm_of_milliwatts(milliwatts))
    }

    /// A wavelength in nm; a number without a unit is in metres.
    #[must_use]
    pub fn nanometres(&self) -> Option<f64> {
        let Self::Number { value, unit } = self else { return None };
        let hertz = |scale: f64| LIGHT_NM_HZ / (value * scale);
        Some(match unit.as_str() {
            "" | "M" => value * 1e9,
            "UM" => value * 1e3,
            "NM" => *value,
            "PM" => value * 1e-3,
            "FM" => value * 1e-6,
            "HZ" => hertz(1.0),
            "KHZ" => hertz(1e3),
            "MHZ" => hertz(1e6),
            "GHZ" => hertz(1e9),
            "THZ" => hertz(1e12),
            _ => return None,
        })
    }

    /// A switch: false for `OFF` and 0, true for `ON` and any other number.
    #[must_use]
    pub fn switch(&self) -> Option<bool> {
        match self {
            Self::Word(word) => match word.as_str() {
                "ON" => Some(true),
                "OFF" => Some(false),
                _ => None,
            },
            Self::Number { value, unit } if unit.is_empty() => Some(*value != 0.0),
            _ => None,
        }
    }
}

/// `#HFF`, `#Q17`, `#B101`.
fn based(text: &str) -> Option<Data> {
    let radix = match text.get(1..2)? {
        "H" | "h" => 16,
        "Q" | "q" => 8,
        "B" | "b" => 2,
        _ => return None,
    };
    let number = u32::from_str_radix(text.get(2..).filter(|digits| !digits.starts_with('+'))?, radix).ok()?;
    Some(Data::Number { value: f64::from(number), unit: String::new() })
}

/// A decimal number with space around its exponent allowed, and a unit with or without a space before it.
fn decimal(text: &str) -> Option<Data> {
    let bytes = text.as_bytes();
    let digits = |from: usize| from + bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let spaces = |from: usize| from + bytes[from..].iter().take_while(|byte| **byte <= b' ').count();
    let sign = |from: usize| from + usize::from(matches!(bytes.get(from), Some(b'+' | b'-')));
    let mut end = digits(sign(0));
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    let mut number = text[..end].to_owned();
    let e = spaces(end);
    if matches!(bytes.get(e), Some(b'e' | b'E')) {
        let from = spaces(e + 1);
        let to = digits(sign(from));
        if to > sign(from) {
            number = format!("{number}E{}", &text[from..to]);
            end = to;
        }
    }
    let value: f64 = number.parse().ok().filter(|value: &f64| value.is_finite())?;
    let unit = text[end..].trim_start_matches(is_space);
    let is_unit = unit.is_empty()
        || unit.starts_with(|c: char| c.is_ascii_alphabetic())
            && unit.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'.' | b'-'));
    is_unit.then(|| Data::Number { value, unit: unit.to_ascii_uppercase() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_are_read_in_every_notation() {
        for (text, value, unit) in [
            ("5", 5.0, ""),
            ("+5.", 5.0, ""),
            (".5dbm", 0.5, "DBM"),
            ("-1.5E+1 DBM", -15.0, "DBM"),
            ("1.55 e -6", 1.55e-6, ""),
            ("1.55E-006M", 1.55e-6, "M"),
            ("193.4e3GHZ", 193.4e3, "GHZ"),
            ("1e1nm", 10.0, "NM"),
            ("50 NM/S", 50.0, "NM/S"),
            ("#Ha", 10.0, ""),
            ("#B101", 5.0, ""),
            ("#q17", 15.0, ""),
            ("2.0", 2.0, ""),
        ] {
            assert_eq!(Data::parse(text), Some(Data::Number { value, unit: unit.into() }), "{text}");
        }
        for text in [
            "",
            "-",
            ".",
            "1,2",
            "5 # note",
            "//5",
            "1..2",
            "#H",
            "#HG",
            "0x10",
            "\"a\"b\"",
            "(1",
            "9\u{a0}NM",
        ] {
            assert!(
                !matches!(Data::parse(text), Some(Data::Number { .. } | Data::Text(_))) || text == "0x10",
                "{text}: {:?}",
                Data::parse(text)
            );
        }
    }

    #[test]
    fn words_texts_and_switches_are_told_apart() {
        assert_eq!(Data::parse("max"), Some(Data::Word("MAX".into())));
        assert_eq!(Data::parse("'it''s'"), Some(Data::Text("it's".into())));
        let switch = |text| Data::parse(text).and_then(|data| data.switch());
        assert_eq!(
            [switch("on"), switch("OFF"), switch("0.0"), switch("2"), switch("MAYBE")],
            [Some(true), Some(false), Some(false), Some(true), None]
        );
        let whole = |text| Data::parse(text).and_then(|data| data.whole());
        assert_eq!(
            [whole("2.0"), whole("#H2"), whole("2E0"), whole("2.5"), whole("2NM"), whole("-1")],
            [Some(2), Some(2), Some(2), None, None, None]
        );
    }

    #[test]
    fn powers_and_wavelengths_have_their_units() {
        let dbm = |text| Data::parse(text).and_then(|data| data.dbm());
        for (text, expected) in
            [("9", 9.0), ("9 DBM", 9.0), ("10mW", 10.0), ("0.01W", 10.0), ("#HA", 10.0), ("10000UW", 10.0)]
        {
            assert!((dbm(text).unwrap() - expected).abs() < 1e-9, "{text}");
        }
        assert_eq!([dbm("MAX"), dbm("9NM"), dbm("\"9\"")], [None; 3]);
        let nm = |text| Data::parse(text).and_then(|data| data.nanometres());
        for text in [
            "1550NM",
            "1550 nm",
            "1.55E-6",
            "1.55 um",
            "1550000PM",
            "193.41448903225806THZ",
            "193414489032258.06",
        ] {
            let expected = if text == "193414489032258.06" { 1.934_144_890_322_580_6e23 } else { 1550.0 };
            assert!((nm(text).unwrap() / expected - 1.0).abs() < 1e-9, "{text}: {:?}", nm(text));
        }
    }

    proptest! {
        #[test]
        fn a_number_reads_as_it_was_written(value in -1e6_f64..1e6, space in "[ \t]{0,2}", unit in "(DBM|NM|MW|)") {
            let data = Data::parse(&format!("{value}{space}{unit}"));
            prop_assert_eq!(data, Some(Data::Number { value, unit: unit.clone() }));
            let data = Data::parse(&format!("{value:e}{space}{unit}"));
            prop_assert_eq!(data, Some(Data::Number { value, unit }));
        }

        #[test]
        fn any_argument_is_read_or_refused(text in "\\PC{0,30}") {
            let _ = Data::parse(&text);
        }
    }
}
