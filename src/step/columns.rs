//! The constant columns of trace files: which of them a step adds, and the one type that each has in all files of a
//! run.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Place;
use crate::operation::{Constant, FetchTrace, plain};

/// The name of the column that holds the detector's name, unless the recipe has a column of that name.
pub const DETECTOR_COLUMN: &str = "detector";

/// The type of a column in every file of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColumnType {
    /// Numbers (f64).
    Number,
    /// Texts.
    Text,
}

impl ColumnType {
    /// The type of one value.
    #[must_use]
    pub fn of(value: &Constant) -> Self {
        match value {
            Constant::Number(_) => Self::Number,
            Constant::Text(_) => Self::Text,
        }
    }

    /// The type that holds values of both types: numbers can be written as texts.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Text }
    }

    /// The value in a column of this type; a text is not turned into a number.
    #[must_use]
    pub fn hold(self, value: Constant) -> Option<Constant> {
        match (self, value) {
            (Self::Number, Constant::Text(_)) => None,
            (Self::Text, Constant::Number(number)) => Some(Constant::Text(number.to_string())),
            (Self::Number, value @ Constant::Number(_)) | (Self::Text, value @ Constant::Text(_)) => {
                Some(value)
            }
        }
    }
}

/// A column whose type is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: ColumnType,
    /// The origin of the type.
    pub by: DecidedBy,
}

/// The origin of the type of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DecidedBy {
    /// The values that are written in the recipe, its tables or the batch: known before the first file.
    Recipe,
    /// The first file that has the column: its values are known only while the recipe runs.
    FirstFile,
}

impl Column {
    /// The value in this column; `None` if it has another type. If the written values have decided, a number in a
    /// text column is written as a text.
    #[must_use]
    pub fn hold(self, value: Constant) -> Option<Constant> {
        match self.by {
            DecidedBy::Recipe => self.kind.hold(value),
            DecidedBy::FirstFile => Some(value).filter(|value| ColumnType::of(value) == self.kind),
        }
    }
}

/// A constant of a trace file, of its column's type; `None` is a null.
#[derive(Debug, Clone, PartialEq)]
pub enum ColumnValue {
    /// In a column of numbers.
    Number(Option<f64>),
    /// In a column of texts.
    Text(Option<String>),
}

impl ColumnValue {
    /// The value for a column of this type.
    #[must_use]
    pub fn new(kind: ColumnType, value: Option<Constant>) -> Self {
        match (kind, value) {
            (ColumnType::Number, Some(Constant::Number(number))) => Self::Number(Some(number)),
            (ColumnType::Text, Some(Constant::Text(text))) => Self::Text(Some(text)),
            (ColumnType::Number, _) => Self::Number(None),
            (ColumnType::Text, _) => Self::Text(None),
        }
    }
}

/// The columns that a fetch gives its traces: the variables of the loops around it, and its own `columns`.
#[must_use]
pub fn columns(fetch: &FetchTrace, place: &Place) -> BTreeMap<String, Constant> {
    let variables = place.columns().map(|(name, value)| (name.clone(), constant(value)));
    variables.chain(fetch.columns.clone()).collect()
}

/// A value as a constant of a trace file: true and false are texts.
#[must_use]
pub fn constant(value: &Value) -> Constant {
    match value.as_f64() {
        Some(number) => Constant::Number(number),
        None => Constant::Text(plain(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_becomes_a_text_only_where_the_written_values_decided() {
        let (one, word) = (Constant::Number(1.5), Constant::Text("ref".to_owned()));
        let column = |kind, by| Column { kind, by };
        let text = column(ColumnType::Text, DecidedBy::Recipe);
        assert_eq!(text.hold(one.clone()), Some(Constant::Text("1.5".to_owned())));
        assert_eq!(column(ColumnType::Text, DecidedBy::FirstFile).hold(one.clone()), None);
        for by in [DecidedBy::Recipe, DecidedBy::FirstFile] {
            assert_eq!(column(ColumnType::Number, by).hold(word.clone()), None);
            assert_eq!(column(ColumnType::Number, by).hold(one.clone()), Some(one.clone()));
            assert_eq!(column(ColumnType::Text, by).hold(word.clone()), Some(word.clone()));
        }
        assert_eq!(ColumnType::of(&one).and(ColumnType::of(&word)), ColumnType::Text);
    }
}
