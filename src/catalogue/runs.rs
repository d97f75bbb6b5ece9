//! The list of runs.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, named_params};
use serde::Serialize;
use serde_json::Value;

use super::rows::Time;
use super::{BATCH, BATCH_ITEM, Catalogue, CatalogueError};
use crate::store::runs::FoundRun;

/// A run in the catalogue.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRow {
    /// Identifier of the run.
    pub run: String,
    /// Name of the run folder, which is next to the catalogue.
    pub folder: String,
    /// Name of the recipe.
    pub name: String,
    /// `running`, `done`, `failed`, `aborted` or `interrupted`.
    pub status: String,
    /// The reason; `None` for `done`.
    pub reason: Option<String>,
    /// When the run began.
    pub started: DateTime<Utc>,
    /// When the run ended.
    pub finished: Option<DateTime<Utc>>,
    /// Number of stored traces.
    pub traces: Option<u64>,
    /// Whether the instrument was the embedded simulator.
    pub simulated: bool,
    /// The batch of the run.
    pub batch: Option<String>,
    /// Number of the item in the batch.
    pub item: Option<u32>,
}

impl From<&FoundRun> for RunRow {
    fn from(found: &FoundRun) -> Self {
        let manifest = &found.manifest;
        let batch = manifest.metadata.get(BATCH).and_then(Value::as_str).map(str::to_owned);
        let item = manifest.metadata.get(BATCH_ITEM).and_then(Value::as_u64);
        let item = item.and_then(|item| item.try_into().ok());
        Self {
            run: manifest.run.clone(),
            folder: found.folder.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            name: manifest.name.clone(),
            status: manifest.status.to_string(),
            reason: manifest.reason.clone(),
            started: manifest.started,
            finished: manifest.finished,
            traces: manifest.traces,
            simulated: manifest.instrument.simulated,
            // A recipe may have its own metadata `batch`. Only together with an item it is set by this program.
            batch: batch.filter(|_| item.is_some()),
            item,
        }
    }
}

impl Catalogue {
    /// Adds or updates a run.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn put_run(&self, run: &RunRow) -> Result<(), CatalogueError> {
        self.change(|transaction| put_run(transaction, run))
    }

    /// All runs of the catalogue, newest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn runs(&self) -> Result<Vec<RunRow>, CatalogueError> {
        self.ask(|connection| {
            let mut asked = connection.prepare(
                "SELECT run, folder, name, status, reason, started, finished, traces, simulated, batch, item
                 FROM runs ORDER BY started DESC, folder DESC",
            )?;
            let rows = asked.query_map([], |row| {
                Ok(RunRow {
                    run: row.get("run")?,
                    folder: row.get("folder")?,
                    name: row.get("name")?,
                    status: row.get("status")?,
                    reason: row.get("reason")?,
                    started: row.get::<_, Time>("started")?.0,
                    finished: row.get::<_, Option<Time>>("finished")?.map(|time| time.0),
                    traces: row.get::<_, Option<i64>>("traces")?.and_then(|traces| traces.try_into().ok()),
                    simulated: row.get("simulated")?,
                    batch: row.get("batch")?,
                    item: row.get("item")?,
                })
            })?;
            rows.collect()
        })
    }
}

pub(super) fn put_run(connection: &Connection, run: &RunRow) -> rusqlite::Result<()> {
    let mut put = connection.prepare(
        "INSERT OR REPLACE INTO runs
            (run, folder, name, status, reason, started, finished, traces, simulated, batch, item)
         VALUES (:run, :folder, :name, :status, :reason, :started, :finished, :traces, :simulated, :batch, :item)",
    )?;
    put.execute(named_params! {
        ":run": run.run,
        ":folder": run.folder,
        ":name": run.name,
        ":status": run.status,
        ":reason": run.reason,
        ":started": Time(run.started),
        ":finished": run.finished.map(Time),
        ":traces": run.traces.map(|traces| i64::try_from(traces).unwrap_or(i64::MAX)),
        ":simulated": run.simulated,
        ":batch": run.batch,
        ":item": run.item,
    })
    .map(drop)
}
