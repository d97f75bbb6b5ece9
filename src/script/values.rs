//! Converts values between scripts and plain data: numbers, texts, lists and maps.

use rhai::{Array, Dynamic, FLOAT, INT, ImmutableString, Map};
use serde_json::{Number, Value};

use super::bounded_figure::{BoundedFigure, of_plain};
use crate::budget::{ELEMENT_BYTES, VALUE_BYTES};
use crate::decimal;

/// Converts a value of a script to a plain one.
///
/// # Errors
/// A value without a plain form: a number that is not finite, a trace, a function. A value that is too large, because
/// shared elements of a list are copied.
pub(super) fn to_plain(value: &Dynamic) -> Result<Value, String> {
    let mut left = VALUE_BYTES;
    plain(value, &mut left)
}

fn plain(value: &Dynamic, left: &mut usize) -> Result<Value, String> {
    let mut take = |bytes: usize| match left.checked_sub(bytes) {
        Some(rest) => {
            *left = rest;
            Ok(())
        }
        None => Err(format!("the value is larger than {} MiB", VALUE_BYTES >> 20)),
    };
    // A number is not expected to be a text, so a bound is never taken for one.
    if let Some(bound) = value.read_lock::<BoundedFigure>() {
        return Ok(Value::String(bound.to_string()));
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        take(text.len())?;
        return Ok(Value::String(text.to_string()));
    }
    if let Some(items) = value.read_lock::<Array>() {
        take(items.len() * ELEMENT_BYTES)?;
        return items.iter().map(|item| plain(item, left)).collect::<Result<_, _>>().map(Value::Array);
    }
    if let Some(map) = value.read_lock::<Map>() {
        take(map.keys().map(|key| key.len() + ELEMENT_BYTES).sum())?;
        let entries = map.iter().map(|(key, inner)| Ok((key.to_string(), plain(inner, left)?)));
        return entries.collect::<Result<_, String>>().map(Value::Object);
    }
    scalar(value)
}

fn scalar(value: &Dynamic) -> Result<Value, String> {
    if value.is_unit() {
        return Ok(Value::Null);
    }
    if let Ok(flag) = value.as_bool() {
        return Ok(Value::Bool(flag));
    }
    if let Ok(whole) = value.as_int() {
        return Ok(Value::from(whole));
    }
    if let Ok(number) = value.as_float() {
        return Number::from_f64(number)
            .map(Value::Number)
            .ok_or_else(|| format!("the number `{number}` is not finite"));
    }
    if let Ok(letter) = value.as_char() {
        return Ok(Value::String(letter.to_string()));
    }
    Err(format!("a value of type {} is not allowed here", value.type_name()))
}

/// Converts a plain value to a value of a script.
pub(super) fn to_dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Null => Dynamic::UNIT,
        Value::Bool(flag) => (*flag).into(),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Dynamic::from::<INT>(whole),
            None => Dynamic::from::<FLOAT>(number.as_f64().unwrap_or(FLOAT::NAN)),
        },
        Value::String(text) => text.as_str().into(),
        Value::Array(items) => Dynamic::from_array(items.iter().map(to_dynamic).collect()),
        Value::Object(map) => {
            if let Some(bound) = of_plain(map) {
                return Dynamic::from(bound);
            }
            let entries = map.iter().map(|(key, inner)| (key.as_str().into(), to_dynamic(inner)));
            Dynamic::from_map(entries.collect())
        }
    }
}

/// Formats a value within a text: numbers as [`decimal::print`] does.
///
/// # Errors
/// A value that cannot be part of a text: null, a list, a map.
pub fn print(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) => Ok(decimal::print(number)),
        Value::Null => Err("no value".to_owned()),
        Value::Array(_) => Err("a list".to_owned()),
        Value::Object(_) => Err("a map".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_are_printed_as_a_person_writes_them() {
        for (value, text) in [
            (json!(0.1 + 0.2), "0.3"),
            (json!(5.0), "5"),
            (json!(-0.0), "0"),
            (json!(1550.001), "1550.001"),
            (json!(-5), "-5"),
            (json!(1e-9), "1e-9"),
            (json!(true), "true"),
            (json!(2.5e20), "2.5e20"),
        ] {
            assert_eq!(print(&value).unwrap(), text);
        }
        assert!(print(&json!(null)).is_err());
    }

    #[test]
    fn a_value_is_bounded_with_all_the_copies_that_it_amounts_to() {
        let text: Dynamic = "x".repeat(300_000).into();
        assert!(to_plain(&vec![text.clone(); 3].into()).is_ok());
        let too_large = to_plain(&vec![text; 4].into()).unwrap_err();
        assert_eq!(too_large, "the value is larger than 1 MiB");
    }

    #[test]
    fn plain_values_survive_the_way_into_a_script_and_back() {
        let value = json!({ "a": [1, 2.5, "x", true, null], "b": { "c": -3 } });
        assert_eq!(to_plain(&to_dynamic(&value)).unwrap(), value);
    }
}
