//! What is known of an operation by its name alone: its short form, and what its result holds.

use serde_json::{Map, Value};

/// A short form of an operation, which a recipe may write instead of the map of fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShortForm {
    /// There is only the map.
    None,
    /// The name alone: `sweep`.
    Empty,
    /// A text for this field: `log: text`.
    Text(&'static str),
    /// A number for this field: `wait: 5`.
    Number(&'static str),
}

impl ShortForm {
    /// The field that a value in short form stands for. `Some(None)`: the operation is complete without a field.
    fn field(self, value: &Value) -> Option<Option<&'static str>> {
        match (self, value) {
            (Self::Empty, Value::Null) => Some(None),
            (Self::Text(field), Value::String(_) | Value::Number(_) | Value::Bool(_))
            | (Self::Number(field), Value::Number(_)) => Some(Some(field)),
            (Self::None | Self::Empty | Self::Text(_) | Self::Number(_), _) => None,
        }
    }

    /// Whether the value is the operation in short form.
    #[must_use]
    pub fn takes(self, value: &Value) -> bool {
        self.field(value).is_some()
    }

    /// The map of fields that the value stands for.
    pub(super) fn expand(self, value: &Value) -> Value {
        match self.field(value) {
            Some(field) => {
                let field = field.map(|name| (name.to_owned(), value.clone()));
                Value::Object(Map::from_iter(field))
            }
            None => value.clone(),
        }
    }
}

/// What the result of an operation holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResultKind {
    /// Nothing.
    Nothing,
    /// The settings as read back from the instrument, by field name.
    Settings,
    /// Whether a new reference was recorded.
    Reference,
    /// Traces.
    Traces,
    /// Figures of merit, and verdicts on them.
    Analysis,
    /// Power readings.
    Power,
    /// What came of an alignment.
    Alignment,
    /// The operator's answer.
    Answer,
    /// The reply to a SCPI query.
    Reply,
    /// The reply of another instrument.
    Http,
}
