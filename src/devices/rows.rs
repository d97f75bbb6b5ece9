//! The devices of a file as rows of fields, each with its position.

use std::sync::Arc;

use serde_json::Value;

use crate::decimal;
use crate::recipe::PlainFile;
use crate::source::{Diagnostic, Position, SourceFile};

/// A field of a device.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) value: Value,
    pub(super) at: Position,
}

impl Field {
    pub(super) fn new(name: impl Into<String>, value: impl Into<Value>, at: Position) -> Self {
        Self { name: name.into(), value: value.into(), at }
    }
}

/// A device of a file.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) at: Position,
    pub(super) fields: Vec<Field>,
}

/// The devices of a file.
#[derive(Debug, Clone)]
pub(super) struct Rows {
    pub(super) source: Arc<SourceFile>,
    pub(super) rows: Vec<Row>,
    /// Whether a number may contain a comma, because commas do not separate the columns.
    pub(super) may_have_commas: bool,
    /// Warnings and notes.
    pub(super) findings: Vec<Diagnostic>,
}

impl Rows {
    pub(super) fn new(source: &Arc<SourceFile>, rows: Vec<Row>) -> Self {
        Self { source: Arc::clone(source), rows, may_have_commas: false, findings: Vec::new() }
    }

    /// The names of all fields, in the order of their first use.
    pub(super) fn names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for field in self.rows.iter().flat_map(|row| &row.fields) {
            if seen.insert(field.name.as_str()) {
                names.push(&field.name);
            }
        }
        names
    }

    /// Whether a row has this field.
    pub(super) fn has(&self, name: &str) -> bool {
        self.rows.iter().any(|row| row.field(name).is_some())
    }

    /// Whether a field has a value in any row that is not empty.
    pub(super) fn is_used(&self, name: &str) -> bool {
        self.rows.iter().any(|row| row.get(name).is_some_and(|(value, _)| !text(&value).is_empty()))
    }

    pub(super) fn error(&self, at: Position, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(message).at(&self.source, at)
    }
}

impl Row {
    /// A field by its name. The same spelling takes precedence over another case of the letters.
    pub(super) fn field(&self, name: &str) -> Option<&Field> {
        let same = self.fields.iter().find(|field| field.name == name);
        same.or_else(|| self.fields.iter().find(|field| field.name.eq_ignore_ascii_case(name)))
    }

    /// The value at the end of a path: the name of a field, then keys of maps and indices of lists, separated by dots.
    /// A field whose text is a list or a map in JSON or in the notation of Python is read as such.
    pub(super) fn get(&self, path: &str) -> Option<(Value, Position)> {
        if let Some(field) = self.field(path) {
            return Some((field.value.clone(), field.at));
        }
        let (name, mut rest) = path.split_once('.')?;
        let field = self.field(name)?;
        let mut value = nested(&field.value);
        loop {
            // A key may contain dots.
            let (found, left) = match &value {
                Value::Object(map) if map.contains_key(rest) => (map.get(rest), ""),
                Value::Object(map) => {
                    let (key, left) = rest.split_once('.').unwrap_or((rest, ""));
                    (map.get(key), left)
                }
                Value::Array(items) => {
                    let (index, left) = rest.split_once('.').unwrap_or((rest, ""));
                    (index.parse().ok().and_then(|index: usize| items.get(index)), left)
                }
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (None, ""),
            };
            let found = found?.clone();
            if left.is_empty() {
                return Some((found, field.at));
            }
            (value, rest) = (nested(&found), left);
        }
    }
}

/// A text that contains a list or a map, as what it contains.
pub(super) fn nested(value: &Value) -> Value {
    let Value::String(text) = value else { return value.clone() };
    if !text.starts_with(['{', '[']) {
        return value.clone();
    }
    let read = serde_json::from_str(text).ok().or_else(|| {
        // Python writes single quotes, as YAML does.
        let source = Arc::new(SourceFile { name: String::new(), text: text.clone() });
        PlainFile::data(&source).ok().map(|file| file.value())
    });
    read.unwrap_or_else(|| value.clone())
}

/// A value as the text of a cell. The items of a list are joined by `;`.
pub(super) fn text(value: &Value) -> String {
    let text = match nested(value) {
        Value::Null => String::new(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => decimal::print(&number),
        Value::String(text) => text,
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(text).collect::<Vec<_>>().join(";")
        }
        other @ (Value::Array(_) | Value::Object(_)) => other.to_string(),
    };
    // A cell of one line is easier to read by all programs.
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
