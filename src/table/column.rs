//! Decides in one place whether a value of a table or a list is a number, true or false, or a text.

use std::collections::HashMap;

use serde_json::Value;

use crate::decimal::{self, Reading};

/// A value as written.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// Without quotes, or from a file format without quotes: its type must be decided.
    Bare(String),
    /// In quotes, which make it a text.
    Text(String),
    /// True or false.
    Flag(bool),
}

impl Written {
    /// A plain value; `written` is the text of a number, if it is known. `None` for null, a list and a map.
    #[must_use]
    pub fn new(value: &Value, written: Option<String>) -> Option<Self> {
        match value {
            Value::Number(number) => Some(Self::Bare(written.unwrap_or_else(|| number.to_string()))),
            Value::String(text) => Some(Self::Text(text.clone())),
            Value::Bool(flag) => Some(Self::Flag(*flag)),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// Its characters.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Bare(text) | Self::Text(text) => text.clone(),
            Self::Flag(flag) => flag.to_string(),
        }
    }
}

/// The values of a column, all of one type.
///
/// Plain decimals are numbers. All values are texts if one of them is not a number, has an exponent or leading zeros,
/// or cannot be stored exactly as a double. The same applies if two values are written differently and are the same
/// number.
#[must_use]
pub fn column(written: &[&Written]) -> Vec<Value> {
    let texts = || written.iter().map(|value| Value::String(value.text())).collect();
    let flags: Option<Vec<Value>> = written
        .iter()
        .map(|value| match value {
            Written::Flag(flag) => Some(Value::Bool(*flag)),
            Written::Bare(_) | Written::Text(_) => None,
        })
        .collect();
    flags.or_else(|| numbers(written)).unwrap_or_else(texts)
}

fn numbers(written: &[&Written]) -> Option<Vec<Value>> {
    let mut known: HashMap<u64, &str> = HashMap::new();
    let number = |value: &&'_ Written| -> Option<(Value, u64)> {
        let Written::Bare(text) = value else { return None };
        let Reading::Kept(number) = decimal::read(text) else { return None };
        let double = number.as_f64()? + 0.0;
        decimal::is_plain(text).then_some((number, double.to_bits()))
    };
    let mut values = Vec::with_capacity(written.len());
    for value in written {
        let (number, bits) = number(value)?;
        let Written::Bare(text) = value else { return None };
        if known.insert(bits, text).is_some_and(|other| other != text) {
            return None;
        }
        values.push(number);
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn decided(texts: &[&str]) -> Value {
        let written: Vec<Written> = texts.iter().map(|text| Written::Bare((*text).to_owned())).collect();
        column(&written.iter().collect::<Vec<_>>()).into()
    }

    #[test]
    fn plain_decimals_are_numbers_and_everything_else_makes_texts() {
        assert_eq!(decided(&["5", "-0.5", "1.50", ".5", "5"]), json!([5, -0.5, 1.5, 0.5, 5]));
        for texts in [
            &["1E1", "1E2", "2E1"][..],
            &["1", "2e0"],
            &["0012", "3"],
            &["1.1", "1.9", "1.10"],
            &["5", "5.0"],
            &["0", "-0"],
            &["202411090210450001", "202411090210450002"],
            &["0.1234567890123456789"],
            &["1", ""],
            &["1", "nan"],
            &["1", "0x1F"],
            &["+5", "-5"],
            &["1_000"],
            &["true"],
        ] {
            assert_eq!(decided(texts), json!(texts));
        }
    }

    #[test]
    fn a_text_among_values_of_a_list_makes_texts_as_they_were_written() {
        let column = |values: &[Written]| -> Value { column(&values.iter().collect::<Vec<_>>()).into() };
        let bare = |text: &str| Written::Bare(text.to_owned());
        let text = |text: &str| Written::Text(text.to_owned());
        assert_eq!(column(&[bare("1.50"), text("ref")]), json!(["1.50", "ref"]));
        assert_eq!(column(&[bare("1"), text("1")]), json!(["1", "1"]));
        assert_eq!(column(&[Written::Flag(true), Written::Flag(false)]), json!([true, false]));
        assert_eq!(column(&[Written::Flag(true), bare("0")]), json!(["true", "0"]));
        assert_eq!(Written::new(&json!(null), None), None);
        assert_eq!(Written::new(&json!([1]), None), None);
    }

    proptest! {
        /// Nothing is lost: different cells stay different, and each number prints as its cell, trailing zeros apart.
        #[test]
        fn a_column_keeps_its_cells_apart(
            texts in prop::collection::vec("-?[0-9]{0,3}[.]?[0-9]{0,20}(e[0-9]{1,2})?|[a-z]{1,3}", 1..6)
        ) {
            let borrowed: Vec<&str> = texts.iter().map(String::as_str).collect();
            let Value::Array(values) = decided(&borrowed) else { panic!() };
            prop_assert!(values.iter().all(Value::is_number) || values.iter().all(Value::is_string));
            for (text, value) in texts.iter().zip(&values) {
                for (other, beside) in texts.iter().zip(&values) {
                    let same = value == beside || (value.is_number() && value.as_f64() == beside.as_f64());
                    prop_assert_eq!(text == other, same);
                }
                if let Some(double) = value.as_f64() {
                    let printed = double.to_string();
                    let tail = |text: &str| {
                        let whole = text.trim_start_matches('-');
                        let padded = if whole.starts_with('.') { format!("0{whole}") } else { whole.to_owned() };
                        if padded.contains('.') { padded.trim_end_matches('0').trim_end_matches('.').to_owned() } else { padded }
                    };
                    prop_assert_eq!(tail(&printed), tail(text));
                }
            }
        }
    }
}
