//! Updates a batch from its run folders. The manifest of a run takes precedence over the catalogue, because the
//! catalogue may have missed changes.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension};
use serde_json::Value;

use super::attempts::put_attempt;
use super::reindex::{ensure_batch, recover};
use super::rows::Json;
use super::{Catalogue, CatalogueError, ItemState, RunRow};
use crate::store::runs::FoundRun;

/// The end of an item's last run that the catalogue has not recorded.
#[derive(Debug, Clone, PartialEq)]
pub struct UnrecordedEnd {
    /// The payload of the item: recipe and parameters.
    pub payload: Value,
    /// How often the item was repeated after a failure.
    pub retries: u32,
    /// Identifier of the run.
    pub run: String,
    /// How the run ended: `failed`, `aborted`, `interrupted`.
    pub status: String,
    /// The reason.
    pub reason: Option<String>,
}

/// The new state of such an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemUpdate {
    /// The new state.
    pub state: ItemState,
    /// The reason.
    pub reason: Option<String>,
    /// Whether this repeats the item after a failure.
    pub repeats: bool,
}

impl Catalogue {
    /// Updates the items of a batch from its runs. `decide` chooses the new state of an item whose last run did not
    /// succeed. Returns the numbers of the changed items.
    ///
    /// # Errors
    /// If the database cannot be written. In that case nothing is changed.
    pub fn adopt(
        &self,
        batch: &str,
        found: &[FoundRun],
        decide: &dyn Fn(&UnrecordedEnd) -> ItemUpdate,
    ) -> Result<Vec<u32>, CatalogueError> {
        let mut items: BTreeMap<u32, Vec<(RunRow, &FoundRun)>> = BTreeMap::new();
        for run in found {
            let row = RunRow::from(run);
            if row.batch.as_deref() == Some(batch)
                && let Some(item) = row.item
            {
                items.entry(item).or_default().push((row, run));
            }
        }
        if items.is_empty() {
            return Ok(Vec::new());
        }
        self.change(|transaction| {
            let mut changed = Vec::new();
            for (number, mut runs) in items {
                runs.sort_by(|a, b| (a.0.started, &a.0.folder).cmp(&(b.0.started, &b.0.folder)));
                ensure_batch(transaction, batch, &runs[0].0)?;
                let is_new = recover(transaction, batch, number, &runs)?;
                if is_new || adopt_item(transaction, batch, number, &runs, decide)? {
                    changed.push(number);
                }
            }
            Ok(changed)
        })
    }
}

/// Updates one item; returns whether it has changed.
fn adopt_item(
    connection: &Connection,
    batch: &str,
    number: u32,
    runs: &[(RunRow, &FoundRun)],
    decide: &dyn Fn(&UnrecordedEnd) -> ItemUpdate,
) -> rusqlite::Result<bool> {
    let (state, retries, payload): (ItemState, u32, Json) = connection.query_row(
        "SELECT state, retries, payload FROM items WHERE batch = ?1 AND number = ?2",
        (batch, number),
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    let runs: Vec<&RunRow> =
        runs.iter().filter(|(_, found)| measured_item(&payload.0, found)).map(|(row, _)| row).collect();
    let mut news = false;
    for run in &runs {
        news = record_attempt(connection, batch, number, run)?;
    }
    let Some(last) = runs.last() else { return Ok(false) };
    let (noted, repeats) = match runs.iter().find(|run| run.status == "done") {
        Some(_) if matches!(state, ItemState::Done | ItemState::Removed) => return Ok(false),
        Some(_) => ((ItemState::Done, None), false),
        None if !news || last.status == "running" => return Ok(false),
        None => {
            let (run, status, reason) = (last.run.clone(), last.status.clone(), last.reason.clone());
            let noted = decide(&UnrecordedEnd { payload: payload.0, retries, run, status, reason });
            ((noted.state, noted.reason), noted.repeats)
        }
    };
    connection.execute(
        "UPDATE items SET state = ?3, reason = ?4, retries = retries + ?5 WHERE batch = ?1 AND number = ?2",
        (batch, number, noted.0, noted.1, u32::from(repeats)),
    )?;
    Ok(true)
}

/// Whether a run has measured the item: with its recipe and its parameters.
fn measured_item(payload: &Value, found: &FoundRun) -> bool {
    let manifest = &found.manifest;
    let same = |asked: &Value, used: &Value| {
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        asked == used
            || plain(asked) == plain(used)
            || asked.as_f64().is_some_and(|asked| used.as_f64() == Some(asked))
    };
    let mut asked = payload.get("set").and_then(Value::as_object).into_iter().flatten();
    payload.get("recipe").and_then(Value::as_str) == Some(manifest.recipe.path.as_str())
        && asked.all(|(name, value)| manifest.parameters.get(name).is_some_and(|used| same(value, used)))
}

/// Records the state of a run in the attempts; returns whether it was new.
fn record_attempt(connection: &Connection, batch: &str, number: u32, run: &RunRow) -> rusqlite::Result<bool> {
    let known: Option<(u32, String)> = connection
        .query_row(
            "SELECT attempt, state FROM attempts WHERE batch = ?1 AND item = ?2 AND run = ?3
             ORDER BY attempt DESC LIMIT 1",
            (batch, number, &run.run),
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let attempt = match known {
        Some((_, state)) if state == run.status || (state != "running" && run.status != "done") => {
            return Ok(false);
        }
        Some((attempt, _)) => attempt,
        None => {
            // The process ended before it recorded the run, or before it recorded anything.
            let begun: Option<u32> = connection
                .query_row(
                    "SELECT attempt FROM attempts
                     WHERE batch = ?1 AND item = ?2 AND run IS NULL AND state = 'running'",
                    (batch, number),
                    |row| row.get(0),
                )
                .optional()?;
            match begun {
                Some(attempt) => attempt,
                None => {
                    connection.execute(
                        "UPDATE items SET attempts = attempts + 1 WHERE batch = ?1 AND number = ?2",
                        (batch, number),
                    )?;
                    connection.query_row(
                        "SELECT COALESCE(MAX(attempt), 0) + 1 FROM attempts WHERE batch = ?1 AND item = ?2",
                        (batch, number),
                        |row| row.get(0),
                    )?
                }
            }
        }
    };
    put_attempt(connection, batch, number, attempt, run)?;
    Ok(true)
}
