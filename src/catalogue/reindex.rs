//! Rebuilds the catalogue from the run folders.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, OptionalExtension};
use serde_json::json;

use super::attempts::put_attempt;
use super::batches::put_batch;
use super::rows::Json;
use super::{BATCH, BATCH_ITEM, BatchRow, Catalogue, CatalogueError, ItemState, RunRow};
use crate::store::runs::FoundRun;

/// The result of rebuilding.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reindexed {
    /// Number of runs in the catalogue.
    pub runs: usize,
    /// Number of items that were added.
    pub items: usize,
}

impl Catalogue {
    /// Rebuilds the table of runs, and adds batches and items that only the runs contain. Batches and items that
    /// exist already stay unchanged, because the queue knows more than the folders.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn reindex(&self, found: &[FoundRun]) -> Result<Reindexed, CatalogueError> {
        self.change(|transaction| transaction.execute("DELETE FROM runs", ()))?;
        self.put_runs(found)?;
        self.change(|transaction| {
            let mut items: BTreeMap<(String, u32), Vec<(RunRow, &FoundRun)>> = BTreeMap::new();
            for run in found {
                let row = RunRow::from(run);
                if let (Some(batch), Some(item)) = (&row.batch, row.item) {
                    items.entry((batch.clone(), item)).or_default().push((row, run));
                }
            }
            let mut recovered = 0;
            let mut batches = BTreeSet::new();
            for ((batch, number), mut runs) in items {
                runs.sort_by(|a, b| (a.0.started, &a.0.folder).cmp(&(b.0.started, &b.0.folder)));
                if batches.insert(batch.clone()) {
                    ensure_batch(transaction, &batch, &runs[0].0)?;
                }
                recovered += usize::from(recover(transaction, &batch, number, &runs)?);
            }
            Ok(Reindexed { runs: found.len(), items: recovered })
        })
    }
}

pub(super) fn ensure_batch(connection: &Connection, name: &str, first: &RunRow) -> rusqlite::Result<()> {
    let known =
        connection.query_row("SELECT 1 FROM batches WHERE name = ?1", [name], |_| Ok(())).optional()?;
    if known.is_some() {
        return Ok(());
    }
    let batch = BatchRow {
        name: name.to_owned(),
        file: None,
        folder: String::new(),
        settings: json!({}),
        paused: false,
        created: first.started,
    };
    put_batch(connection, &batch)
}

/// Adds an item from its runs; returns false if it exists already.
pub(super) fn recover(
    connection: &Connection,
    batch: &str,
    number: u32,
    runs: &[(RunRow, &FoundRun)],
) -> rusqlite::Result<bool> {
    let Some((last, found)) = runs.last() else { return Ok(false) };
    let metadata: BTreeMap<_, _> = found
        .manifest
        .metadata
        .iter()
        .filter(|(name, _)| *name != BATCH && *name != BATCH_ITEM)
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let payload = json!({
        "recipe": found.manifest.recipe.path, "set": found.manifest.parameters, "metadata": metadata,
    });
    let (state, reason) = match last.status.as_str() {
        "done" => (ItemState::Done, last.reason.clone()),
        "failed" => (ItemState::Failed, last.reason.clone()),
        status => {
            let why = last.reason.as_deref().map(|reason| format!(": {reason}")).unwrap_or_default();
            (ItemState::Held, Some(format!("its run {} was {status}{why}", last.run)))
        }
    };
    let attempts = u32::try_from(runs.len()).unwrap_or(u32::MAX);
    let added = connection.execute(
        "INSERT OR IGNORE INTO items
            (batch, number, place, priority, state, reason, attempts, retries, payload, recovered)
         VALUES (?1, ?2, ?2, 0, ?3, ?4, ?5, 0, ?6, 1)",
        (batch, number, state, reason, attempts, Json(payload)),
    )?;
    if added == 0 {
        return Ok(false);
    }
    for (attempt, (run, _)) in (1_u32..).zip(runs) {
        put_attempt(connection, batch, number, attempt, run)?;
    }
    Ok(true)
}
