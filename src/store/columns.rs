//! Columns of the tables with figures: `results.parquet`, and the index of an object store.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray};
use arrow_schema::{DataType, Field};

use crate::operation::Constant;
use crate::step::ColumnType;

/// What is put before the name of a loop variable or column that the table itself has.
const TAKEN: &str = "recipe_";

/// A column with its name and type.
pub(super) type Column = (Field, ArrayRef);

/// A column of texts without nulls.
pub(super) fn texts<'a>(name: &str, values: impl Iterator<Item = &'a str>) -> Column {
    (Field::new(name, DataType::Utf8, false), Arc::new(StringArray::from_iter_values(values)))
}

pub(super) fn maybe_texts(name: &str, values: impl Iterator<Item = Option<String>>) -> Column {
    (Field::new(name, DataType::Utf8, true), Arc::new(values.collect::<StringArray>()))
}

pub(super) fn numbers(name: &str, values: impl Iterator<Item = Option<f64>>) -> Column {
    let finite = values.map(|value| value.filter(|value| value.is_finite()));
    (Field::new(name, DataType::Float64, true), Arc::new(finite.collect::<Float64Array>()))
}

pub(super) fn truths(name: &str, values: impl Iterator<Item = bool>) -> Column {
    let array = BooleanArray::from(values.collect::<Vec<bool>>());
    (Field::new(name, DataType::Boolean, false), Arc::new(array))
}

pub(super) fn counts(name: &str, values: impl Iterator<Item = Option<u64>>) -> Column {
    let values = values.map(|value| value.map(u64::cast_signed));
    (Field::new(name, DataType::Int64, true), Arc::new(values.collect::<Int64Array>()))
}

/// Adds the columns of the recipe and of the batch. A name that the table has itself gets a prefix.
pub(super) fn add_recipe_columns<'a, I>(
    all: &mut Vec<Column>,
    columns: &[(String, ColumnType)],
    rows: impl Fn() -> I,
) where
    I: Iterator<Item = &'a BTreeMap<String, Constant>>,
{
    for (name, kind) in columns {
        let values = rows().map(|row| row.get(name).cloned().and_then(|value| kind.hold(value)));
        let mut shown = name.clone();
        while all.iter().any(|(field, _)| *field.name() == shown) {
            shown.insert_str(0, TAKEN);
        }
        all.push(match kind {
            ColumnType::Number => numbers(
                &shown,
                values.map(|value| match value {
                    Some(Constant::Number(number)) => Some(number),
                    Some(Constant::Text(_)) | None => None,
                }),
            ),
            ColumnType::Text => maybe_texts(
                &shown,
                values.map(|value| match value {
                    Some(Constant::Text(text)) => Some(text),
                    Some(Constant::Number(_)) | None => None,
                }),
            ),
        });
    }
}
