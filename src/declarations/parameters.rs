//! Parameters: checks their declarations, and binds values to them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Parameter;
use crate::decimal::{self, Reading};
use crate::decode::{self, ReadError};
use crate::measurement::TRACE_COLUMNS;

/// Checks the name of a parameter, a loop variable or another name that recipes use in expressions.
///
/// # Errors
/// If the name is not an identifier. Reserved words are refused later, by the expressions.
pub fn check_variable_name(what: &str, name: &str) -> Result<(), ReadError> {
    let mut letters = name.chars();
    let begins = letters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
    if begins && name.len() <= 60 && letters.all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Ok(());
    }
    let message =
        format!("{what} name `{name}` is not allowed (letters, digits and `_`, not starting with a digit)");
    Err(ReadError { at_key: true, ..ReadError::new(message) })
}

/// Checks one declaration.
///
/// # Errors
/// A name that cannot be used, a default of another type or outside its limits, or contradictory limits.
/// The error's path starts at the declaration.
pub fn check_parameter(name: &str, parameter: &Parameter) -> Result<(), ReadError> {
    let at = |field: &str, message: String| Err(ReadError::new(message).under(&[field.to_owned()]));
    check_variable_name("parameter", name)?;
    if TRACE_COLUMNS.contains(&name) {
        let message = format!("parameter `{name}` has the same name as a trace-file column");
        return Err(ReadError { at_key: true, ..ReadError::new(message) });
    }
    if !matches!(parameter.default, Value::Number(_) | Value::String(_) | Value::Bool(_)) {
        return at("default", format!("the default of `{name}` must be a number, a text, true or false"));
    }
    let limits = [("min", parameter.min), ("max", parameter.max)];
    if let Some((limit, _)) = limits.iter().find(|(_, value)| value.is_some())
        && !parameter.default.is_number()
    {
        return at(
            limit,
            format!("`{limit}` is only for numbers, but the default of `{name}` is not a number"),
        );
    }
    if let (Some(min), Some(max)) = (parameter.min, parameter.max)
        && min > max
    {
        return at("max", format!("max `{max}` is below min `{min}`"));
    }
    if parameter.choices.as_ref().is_some_and(Vec::is_empty) {
        return at("choices", "`choices` is empty".to_owned());
    }
    for choice in parameter.choices.iter().flatten() {
        if !same_type(&parameter.default, choice) {
            return at(
                "choices",
                format!("choice `{}` does not have the type of the default", plain(choice)),
            );
        }
    }
    check(name, parameter, &parameter.default).map(drop).map_err(|error| error.under(&["default".to_owned()]))
}

/// The values of all parameters: the defaults, replaced by the given values. A number given for a text parameter
/// becomes a text.
///
/// # Errors
/// Every given name that is not a parameter, and every value of another type or outside its limits.
pub fn bind(
    parameters: &BTreeMap<String, Parameter>,
    given: &BTreeMap<String, Value>,
) -> Result<BTreeMap<String, Value>, Vec<ReadError>> {
    let mut values: BTreeMap<String, Value> =
        parameters.iter().map(|(name, parameter)| (name.clone(), parameter.default.clone())).collect();
    let mut wrong = Vec::new();
    for (name, value) in given {
        let checked = match parameters.get(name) {
            Some(parameter) => check(name, parameter, value),
            None => Err(ReadError {
                at_key: true,
                hint: Some(decode::suggestion(name, parameters.keys().map(String::as_str))),
                ..ReadError::new(format!("the recipe has no parameter `{name}`"))
            }),
        };
        match checked {
            Ok(value) => drop(values.insert(name.clone(), value)),
            Err(error) => wrong.push(error.under(std::slice::from_ref(name))),
        }
    }
    if wrong.is_empty() { Ok(values) } else { Err(wrong) }
}

/// A value that is given for a parameter.
#[derive(Debug, Clone, PartialEq)]
pub enum Given {
    /// A text whose type is not known yet: the type of the parameter's default decides.
    Text(String),
    /// A value of a known type.
    Value(Value),
}

impl Given {
    /// A value from a batch file or a request. A text may stand for a number, as on the command line. A number that prints
    /// in another way than it was written stays a text, so that a parameter of texts gets it as it was written.
    #[must_use]
    pub fn from_json(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::Text(text.clone()),
            Value::Number(number)
                if decimal::print(number) == number.to_string() && decimal::changed(number).is_none() =>
            {
                Self::Value(value.clone())
            }
            Value::Bool(_) => Self::Value(value.clone()),
            Value::Number(_) | Value::Null | Value::Array(_) | Value::Object(_) => {
                Self::Text(value.to_string())
            }
        }
    }

    /// The texts from a command line.
    #[must_use]
    pub fn texts(set: &[(String, String)]) -> Vec<(String, Self)> {
        set.iter().map(|(name, text)| (name.clone(), Self::Text(text.clone()))).collect()
    }

    /// The value for a parameter, before [`bind`] checks it against the declaration.
    ///
    /// # Errors
    /// When a text is not of the parameter's type.
    pub fn value_for(&self, name: &str, parameter: &Parameter) -> Result<Value, ReadError> {
        match self {
            Self::Text(text) => read_text(name, parameter, text),
            Self::Value(value) => Ok(value.clone()),
        }
    }

    /// The value when no parameter decides its type.
    #[must_use]
    pub fn untyped(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.clone()),
            Self::Value(value) => value.clone(),
        }
    }
}

/// Reads a text, with the type of the parameter's default.
fn read_text(name: &str, parameter: &Parameter, text: &str) -> Result<Value, ReadError> {
    let refuse = |kind: &str| Err(ReadError::new(format!("parameter `{name}` must be {kind}, not `{text}`")));
    match parameter.default {
        Value::Number(_) => {
            let text = text.trim();
            match decimal::read(text) {
                Reading::Kept(number) => Ok(number),
                Reading::Changed(printed) => {
                    let (message, _) = decimal::changed_words(text, &printed);
                    let hint = format!(
                        "if the values are names, the default must be a text: `{name}: {{ default: \"\" }}`"
                    );
                    Err(ReadError {
                        hint: Some(hint),
                        ..ReadError::new(format!("parameter `{name}`: {message}"))
                    })
                }
                Reading::Other => refuse("a number"),
            }
        }
        // As in YAML and in spreadsheets.
        Value::Bool(_) => match text.trim() {
            "true" | "True" | "TRUE" => Ok(Value::Bool(true)),
            "false" | "False" | "FALSE" => Ok(Value::Bool(false)),
            _ => refuse("true or false"),
        },
        _ => Ok(Value::String(text.to_owned())),
    }
}

/// Checks a value against the type and the limits of the parameter.
fn check(name: &str, parameter: &Parameter, value: &Value) -> Result<Value, ReadError> {
    if let (Value::String(_), Value::Number(number)) = (&parameter.default, value) {
        return check(name, parameter, &Value::String(decimal::print(number)));
    }
    if let (Value::String(_), Value::Bool(flag)) = (&parameter.default, value) {
        return check(name, parameter, &Value::String(flag.to_string()));
    }
    if !same_type(&parameter.default, value) {
        let kind = match parameter.default {
            Value::Number(_) => "a number",
            Value::Bool(_) => "true or false",
            _ => "a text",
        };
        return Err(ReadError::new(format!("parameter `{name}` must be {kind}, not `{}`", plain(value))));
    }
    if let Some(choices) = &parameter.choices
        && !choices.iter().any(|choice| same_value(choice, value))
    {
        let list: Vec<String> = choices.iter().map(plain).collect();
        let message =
            format!("parameter `{name}` = `{}` is not allowed (one of {})", plain(value), list.join(", "));
        return Err(ReadError::new(message));
    }
    if let Value::Number(number) = value {
        decode::check_exact(number)?;
    }
    let Some(number) = value.as_f64() else { return Ok(value.clone()) };
    let above_min = parameter.min.is_none_or(|min| number >= min);
    let below_max = parameter.max.is_none_or(|max| number <= max);
    if above_min && below_max {
        return Ok(value.clone());
    }
    let allowed = match (parameter.min, parameter.max) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (_, max) => format!("at most {}", max.unwrap_or(f64::INFINITY)),
    };
    let unit = parameter.unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
    Err(ReadError::new(format!(
        "parameter `{name}` = `{}`{unit} is not allowed ({allowed}{unit})",
        plain(value)
    )))
}

fn same_type(a: &Value, b: &Value) -> bool {
    std::mem::discriminant(a) == std::mem::discriminant(b)
}

fn same_value(a: &Value, b: &Value) -> bool {
    a == b || (a.is_number() && a.as_f64() == b.as_f64())
}

/// A value as written, without the quotes of a text.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn power() -> Parameter {
        Parameter {
            default: json!(5),
            min: Some(-10.0),
            max: Some(10.0),
            unit: Some("dBm".into()),
            ..Parameter::default()
        }
    }

    #[test]
    fn a_text_becomes_a_value_of_the_defaults_type() {
        assert_eq!(read_text("p", &power(), "6").unwrap(), json!(6));
        assert_eq!(read_text("p", &power(), "-2.5").unwrap(), json!(-2.5));
        assert_eq!(read_text("p", &power(), "2.50").unwrap(), json!(2.5));
        for wrong in ["high", "nan", "inf", "", "0x1F", "1_000", "1,5"] {
            assert!(
                read_text("p", &power(), wrong).unwrap_err().message.contains("must be a number"),
                "{wrong}"
            );
        }
    }

    #[test]
    fn a_value_from_a_batch_or_a_request_means_the_same_as_its_text_on_the_command_line() {
        let chip = Parameter { default: json!("none"), ..Parameter::default() };
        let flag = Parameter { default: json!(false), ..Parameter::default() };
        let values = [
            json!(6),
            json!(2.5),
            json!(5.0),
            json!(1e20),
            json!(0.1 + 0.2),
            json!("6"),
            json!("1E1"),
            json!(""),
            json!(true),
            json!("TRUE"),
            json!(null),
            json!([1]),
            json!({ "a": 1 }),
            json!(202_411_090_210_450_001_i64),
        ];
        for value in values {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            for parameter in [&power(), &chip, &flag] {
                let bound = |given: Given| {
                    let declared = [("p".to_owned(), parameter.clone())].into();
                    let value = given.value_for("p", parameter).map_err(|error| error.message)?;
                    let bound = bind(&declared, &[("p".to_owned(), value)].into());
                    bound.map(|values| values["p"].clone()).map_err(|wrong| wrong[0].message.clone())
                };
                assert_eq!(bound(Given::from_json(&value)), bound(Given::Text(text.clone())), "{value}");
            }
        }
    }

    #[test]
    fn a_parameter_of_texts_takes_numbers_true_and_false() {
        let parameters =
            [("chip".to_owned(), Parameter { default: json!("none"), ..Parameter::default() })].into();
        for (given, text) in
            [(json!(5), "5"), (json!(0.1 + 0.2), "0.3"), (json!(true), "true"), (json!("1E1"), "1E1")]
        {
            let bound = bind(&parameters, &[("chip".to_owned(), given)].into()).unwrap();
            assert_eq!(bound["chip"], text);
        }
        assert!(bind(&parameters, &[("chip".to_owned(), json!([1]))].into()).is_err());
    }

    #[test]
    fn a_value_out_of_its_limits_names_them_with_the_unit() {
        let parameters = [("top_dbm".to_owned(), power())].into();
        let errors = bind(&parameters, &[("top_dbm".to_owned(), json!(12))].into()).unwrap_err();
        assert_eq!(errors[0].message, "parameter `top_dbm` = `12` dBm is not allowed (-10 to 10 dBm)");
        let errors = bind(&parameters, &[("top_dm".to_owned(), json!(1))].into()).unwrap_err();
        assert_eq!(errors[0].message, "the recipe has no parameter `top_dm`");
        assert_eq!(errors[0].hint.as_deref(), Some("did you mean `top_dbm`?"));
    }

    #[test]
    fn a_declaration_that_contradicts_itself_is_refused() {
        for (name, parameter, message) in [
            ("top", Parameter { max: Some(-20.0), ..power() }, "max `-20` is below min `-10`"),
            ("top", Parameter { default: json!(11), ..power() }, "is not allowed (-10 to 10 dBm)"),
            ("top", Parameter { default: json!("high"), ..power() }, "`min` is only for numbers"),
            ("top", Parameter { default: json!([1]), ..Parameter::default() }, "must be a number, a text"),
            ("trace", power(), "same name as a trace-file column"),
            ("top-dbm", power(), "not allowed (letters"),
            ("top", Parameter { choices: Some(vec![json!(1)]), ..power() }, "(one of 1)"),
        ] {
            let error = check_parameter(name, &parameter).unwrap_err();
            assert!(error.message.contains(message), "{error:?}");
        }
    }
}
