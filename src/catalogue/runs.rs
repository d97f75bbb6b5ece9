//! The catalogue of the runs.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, named_params};
use serde::Serialize;
use serde_json::Value;

use super::rows::Time;
use super::{BATCH, BATCH_ITEM, Catalogue, CatalogueError};
use crate::store::runs::FoundRun;

/// A run as the catalogue has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRow {
    /// Its identifier.
    pub run: String,
    /// The name of its folder, beside the catalogue.
    pub folder: String,
    /// The recipe's name.
    pub name: String,
    /// `running`, `done`, `failed`, `aborted` or `interrupted`.
    pub status: String,
    /// Why, when not `done`.
    pub reason: Option<String>,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When it ended.
    pub finished: Option<DateTime<Utc>>,
    /// Traces stored.
    pub traces: Option<u64>,
    /// Whether the instrument was the embedded one.
    pub simulated: bool,
    /// The batch that it belongs to.
    pub batch: Option<String>,
    /// Which item of it.
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
            // A recipe may have a `batch` of its own; with the item it is ours.
            batch: batch.filter(|_| item.is_some()),
            item,
        }
    }
}

impl Catalogue {
    /// Keeps what is known of a run.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn put_run(&self, run: &RunRow) -> Result<(), CatalogueError> {
        self.change(|transaction| put_run(transaction, run))
    }

    /// All runs that the catalogue knows, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
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
