//! What can be the value of a parameter or of metadata.

use serde_json::Value;

/// The message about a thing that cannot be a value.
pub(super) fn no_value(name: &str, value: &Value) -> String {
    format!("`{name}` must be a number, a text, true or false, not {}", kind(value))
}

/// What a thing is, for a message.
pub(super) fn kind(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) => format!("`{value}`"),
    }
}
