//! The columns of a run's trace files, as far as they are known before its first file.

use std::collections::{BTreeMap, BTreeSet};

use super::walk::PlannedStep;
use crate::measurement::{Detector, TRACE_COLUMNS};
use crate::operation::{Constant, plain};
use crate::recipe::{Recipe, WrittenColumns};
use crate::source::Diagnostic;
use crate::step::{ColumnType, DETECTOR_COLUMN, columns};

/// The columns of the recipe: those that are written in it, and those that its steps add in the forecast. Values
/// after a measured value are assumed. They count only if a column has both types, because then it must be a text.
#[must_use]
pub fn foreseen_columns(recipe: &Recipe, steps: &[PlannedStep]) -> WrittenColumns {
    let mut known = recipe.written_columns();
    let mut assumed: BTreeMap<String, BTreeSet<bool>> = BTreeMap::new();
    for (planned, name, value) in planned_values(steps) {
        let kind = ColumnType::of(&value);
        let column = known.entry(name.clone()).or_default();
        if planned.may_differ {
            assumed.entry(name).or_default().insert(kind == ColumnType::Text);
        } else {
            *column = Some(column.map_or(kind, |before| before.and(kind)));
        }
    }
    for (name, _) in assumed.into_iter().filter(|(_, kinds)| kinds.len() > 1) {
        known.insert(name, Some(ColumnType::Text));
    }
    known
}

/// Warns about columns of a batch whose names are already used. There is no warning if the recipe itself stores the
/// same value.
#[must_use]
pub fn taken_columns(
    given: &BTreeMap<String, Constant>,
    recipe: &Recipe,
    steps: &[PlannedStep],
) -> Vec<Diagnostic> {
    let own = foreseen_columns(recipe, steps);
    let mut found = Vec::new();
    for (name, value) in given {
        let stored = |(_, column, stored): (_, String, Constant)| {
            column == *name && ColumnType::of(value).hold(stored).as_ref() != Some(value)
        };
        let whose = if TRACE_COLUMNS.contains(&name.as_str()) {
            "every trace file already has a column of that name"
        } else if own.contains_key(name) && planned_values(steps).any(stored) {
            "the recipe already has a column of that name"
        } else if *name == DETECTOR_COLUMN
            && !own.contains_key(name)
            && differs_from_detectors(value, recipe, steps)
        {
            "that column contains the name of the detector"
        } else {
            continue;
        };
        let message = format!(
            "`{name}` of the batch does not become a column of the trace files: {whose}. The value is stored as metadata of the run"
        );
        found.push(Diagnostic::warning(message).hint("use another name in the batch"));
    }
    found
}

/// Warns about a recipe column that replaces the column with the detector's name, unless it contains that name.
#[must_use]
pub fn taken_detector_column(recipe: &Recipe, steps: &[PlannedStep]) -> Option<Diagnostic> {
    let value = planned_values(steps).find_map(|(planned, column, value)| {
        let text = plain(&serde_json::json!(value));
        let names = detector_names(recipe, planned);
        (column == DETECTOR_COLUMN && !names.is_empty() && !names.concat().contains(&text)).then_some(text)
    })?;
    let message = format!(
        "the recipe's own column `{DETECTOR_COLUMN}` (`{value}`) replaces the column with the detector's name; that name is then only in the metadata of the files"
    );
    Some(Diagnostic::warning(message).hint("rename the variable"))
}

/// All values that the steps of the forecast give to a column of their traces.
fn planned_values(steps: &[PlannedStep]) -> impl Iterator<Item = (&PlannedStep, String, Constant)> {
    steps.iter().flat_map(|planned| {
        let fetch = planned.step.operation.traits().fetch();
        let added = fetch.map(|fetch| columns(fetch, &planned.step.place)).unwrap_or_default();
        added.into_iter().map(move |(name, value)| (planned, name, value))
    })
}

/// Whether the detector of a trace has another name.
fn differs_from_detectors(value: &Constant, recipe: &Recipe, steps: &[PlannedStep]) -> bool {
    let text = plain(&serde_json::json!(value));
    let mut names = steps.iter().flat_map(|planned| detector_names(recipe, planned));
    names.any(|names| !names.contains(&text))
}

/// The names of each detector of a fetch: in the recipe, and by position.
fn detector_names(recipe: &Recipe, planned: &PlannedStep) -> Vec<Vec<String>> {
    let Some(fetch) = planned.step.operation.traits().fetch() else { return Vec::new() };
    let names = |detector: &Detector| {
        let named = recipe.detector_name(&planned.step.place.path, *detector).map(str::to_owned);
        named.into_iter().chain([detector.to_string()]).collect()
    };
    fetch.detectors.iter().map(names).collect()
}
