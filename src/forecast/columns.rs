//! The columns of a run's trace files, as far as they are known before its first file.

use std::collections::{BTreeMap, BTreeSet};

use super::walk::PlannedStep;
use crate::measurement::{Detector, TRACE_COLUMNS};
use crate::operation::{Constant, Operation, plain};
use crate::recipe::{Recipe, WrittenColumns};
use crate::source::Diagnostic;
use crate::step::{ColumnType, DETECTOR_COLUMN, columns};

/// The columns of the recipe's own: those that are written down, and those that its steps add when they are walked. What
/// a step adds behind a measured value is assumed: it counts only where it has both types, which only a text holds.
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

/// Warns of columns that a batch gives and whose names are taken. A recipe that itself stores the value that was given is
/// fine.
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
            "every trace file has a column of that name"
        } else if own.contains_key(name) && planned_values(steps).any(stored) {
            "the recipe has a column of that name"
        } else if *name == DETECTOR_COLUMN
            && !own.contains_key(name)
            && differs_from_detectors(value, recipe, steps)
        {
            "it holds the name of the detector"
        } else {
            continue;
        };
        let message = format!(
            "`{name}` of the batch is not a column of the trace files: {whose}. It is kept as metadata of the run"
        );
        found.push(Diagnostic::warning(message).hint("give it another name in the batch"));
    }
    found
}

/// Warns of a recipe whose own column takes the place of the detector's name, unless it holds that name.
#[must_use]
pub fn taken_detector_column(recipe: &Recipe, steps: &[PlannedStep]) -> Option<Diagnostic> {
    let value = planned_values(steps).find_map(|(planned, column, value)| {
        let text = plain(&serde_json::json!(value));
        let names = detector_names(recipe, planned);
        (column == DETECTOR_COLUMN && !names.is_empty() && !names.concat().contains(&text)).then_some(text)
    })?;
    let message = format!(
        "the recipe's own column `{DETECTOR_COLUMN}` (`{value}`) takes the place of the detector's name, which is then only in the metadata of the files"
    );
    Some(Diagnostic::warning(message).hint("give the variable another name"))
}

/// Every value that the walked steps give to a column of their traces.
fn planned_values(steps: &[PlannedStep]) -> impl Iterator<Item = (&PlannedStep, String, Constant)> {
    steps.iter().flat_map(|planned| {
        let added = match &planned.step.operation {
            Operation::FetchTrace(fetch) => columns(fetch, &planned.step.place),
            _ => BTreeMap::new(),
        };
        added.into_iter().map(move |(name, value)| (planned, name, value))
    })
}

/// Whether a trace's detector is called otherwise.
fn differs_from_detectors(value: &Constant, recipe: &Recipe, steps: &[PlannedStep]) -> bool {
    let text = plain(&serde_json::json!(value));
    let mut names = steps.iter().flat_map(|planned| detector_names(recipe, planned));
    names.any(|names| !names.contains(&text))
}

/// What each detector of a fetch is called: by the recipe, and by its place.
fn detector_names(recipe: &Recipe, planned: &PlannedStep) -> Vec<Vec<String>> {
    let Operation::FetchTrace(fetch) = &planned.step.operation else { return Vec::new() };
    let names = |detector: &Detector| {
        let named = recipe.detector_name(&planned.step.place.path, *detector).map(str::to_owned);
        named.into_iter().chain([detector.to_string()]).collect()
    };
    fetch.detectors.iter().map(names).collect()
}
