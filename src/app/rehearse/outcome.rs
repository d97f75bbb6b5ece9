//! The result of a rehearsal: of a recipe's run, or of a batch.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::rehearsal::{InspectedRun, ProgramEnd};
use crate::store::RunState;

/// The result.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct RehearsalOutcome {
    /// The result as text.
    pub(super) told: String,
    pub(super) is_done: bool,
    /// Whether an item waits for a person, according to the rules of the batch.
    pub(super) waits: bool,
    /// The traces of a recipe; the states of a batch's items, and the traces of each.
    pub(super) parts: Vec<String>,
}

/// The result of the last run of a recipe.
pub(super) fn of_recipe(found: &[InspectedRun], last_words: &str) -> RehearsalOutcome {
    let Some(run) = found.last() else {
        return RehearsalOutcome {
            told: format!("did not start: {last_words}"),
            ..RehearsalOutcome::default()
        };
    };
    let reason = run.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    RehearsalOutcome {
        told: format!("{}{reason}", run.state),
        is_done: run.state == RunState::Done,
        waits: false,
        parts: run.traces.iter().map(ToString::to_string).collect(),
    }
}

/// The result in the batch's own summary; a killed batch has no summary.
pub(super) fn of_batch(
    folder: &Path,
    found: &[InspectedRun],
    ending: ProgramEnd,
    last_words: &str,
) -> RehearsalOutcome {
    let mut names = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let summary = names.find(|path| path.extension().is_some_and(|extension| extension == "json"));
    let summary = summary.and_then(|path| std::fs::read(path).ok());
    let summary: Value = summary.and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
    let items = summary["list"].as_array().cloned().unwrap_or_default();
    let states: Vec<String> =
        items.iter().map(|item| item["state"].as_str().unwrap_or_default().to_owned()).collect();
    if ending == ProgramEnd::Killed || states.is_empty() {
        let killed = ending == ProgramEnd::Killed;
        let told = if killed { "killed".to_owned() } else { last_words.to_owned() };
        return RehearsalOutcome { told, ..RehearsalOutcome::default() };
    }
    let mut counts: Vec<(String, usize)> = Vec::new();
    for state in &states {
        match counts.iter_mut().find(|(known, _)| known == state) {
            Some((_, count)) => *count += 1,
            None => counts.push((state.clone(), 1)),
        }
    }
    let counts: Vec<String> = counts.into_iter().map(|(state, count)| format!("{count} {state}")).collect();
    // The last run of each item counts.
    let last: BTreeMap<Option<u64>, &InspectedRun> = found.iter().map(|run| (run.item, run)).collect();
    let of_item = |run: &&InspectedRun| {
        let item = run.item.unwrap_or_default();
        run.traces.iter().map(move |trace| format!("item {item}: {trace}")).collect::<Vec<_>>()
    };
    let traces: Vec<String> = last.values().flat_map(of_item).collect();
    RehearsalOutcome {
        told: counts.join(", "),
        is_done: states.iter().all(|state| state == "done"),
        waits: states.iter().any(|state| state == "held"),
        parts: states.into_iter().chain(traces).collect(),
    }
}
