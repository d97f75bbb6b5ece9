//! The list of runs.

use chrono::{DateTime, SubsecRound as _, Utc};
use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, Row, Statement, named_params, params_from_iter};
use serde::Serialize;
use serde_json::Value;

use super::rows::Time;
use super::values::{PutValues, RunValues};
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
    /// Path of the recipe, as it was given.
    pub recipe: String,
    /// `running`, `done`, `failed`, `aborted` or `interrupted`.
    pub status: String,
    /// The reason; `None` for `done`.
    pub reason: Option<String>,
    /// The worst verdict of the run; `None` if nothing was judged.
    pub verdict: Option<String>,
    /// When the run began.
    pub started: DateTime<Utc>,
    /// When the run ended.
    pub finished: Option<DateTime<Utc>>,
    /// Duration of the run, s.
    pub elapsed_s: Option<f64>,
    /// Number of stored traces.
    pub traces: Option<u64>,
    /// Number of steps that failed.
    pub failed_steps: Option<u64>,
    /// Whether the instrument was the embedded simulator.
    pub simulated: bool,
    /// Address of the instrument.
    pub instrument: String,
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
            recipe: manifest.recipe.path.clone(),
            status: manifest.status.to_string(),
            reason: manifest.reason.clone(),
            verdict: manifest.verdict.map(|verdict| verdict.to_string()),
            started: manifest.started,
            finished: manifest.finished,
            elapsed_s: manifest.elapsed_s,
            traces: manifest.traces,
            failed_steps: manifest.failed_steps,
            simulated: manifest.instrument.simulated,
            instrument: manifest.instrument.address.clone(),
            // A recipe may have its own metadata `batch`. Only together with an item it is set by this program.
            batch: batch.filter(|_| item.is_some()),
            item,
        }
    }
}

const COLUMNS: &str = "run, folder, name, recipe, status, reason, verdict, started, finished, elapsed_s, traces, \
                       failed_steps, simulated, instrument, batch, item";

/// Runs that are written in one transaction. Another process waits for at most so many.
const TOGETHER: usize = 500;

impl RunRow {
    /// The row as the table returns it: with times in milliseconds.
    pub(super) fn rounded(mut self) -> Self {
        self.started = self.started.trunc_subsecs(3);
        self.finished = self.finished.map(|time| time.trunc_subsecs(3));
        self
    }
}

impl Catalogue {
    /// Adds or updates a run.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn put_run(&self, run: &FoundRun) -> Result<(), CatalogueError> {
        self.put_runs(std::slice::from_ref(run))
    }

    /// Adds or updates runs.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn put_runs(&self, runs: &[FoundRun]) -> Result<(), CatalogueError> {
        for together in runs.chunks(TOGETHER) {
            // The journals are read before the transaction, so that no other process waits for it.
            let entries: Vec<_> =
                together.iter().map(|run| (RunRow::from(run), RunValues::of(run))).collect();
            self.change(|transaction| {
                let mut put = Put::new(transaction)?;
                entries.iter().try_for_each(|(row, values)| put.put(row, values))
            })?;
        }
        Ok(())
    }

    /// All runs of the catalogue, newest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn runs(&self) -> Result<Vec<RunRow>, CatalogueError> {
        self.ask(|connection| rows(connection, "ORDER BY started DESC, folder DESC", &[]))
    }
}

/// The runs that a clause of SQL selects.
pub(super) fn rows(
    connection: &Connection,
    clause: &str,
    bound: &[SqlValue],
) -> rusqlite::Result<Vec<RunRow>> {
    let mut asked = connection.prepare(&format!("SELECT {COLUMNS} FROM runs {clause}"))?;
    let count = |row: &Row<'_>, name: &str| -> rusqlite::Result<Option<u64>> {
        Ok(row.get::<_, Option<i64>>(name)?.and_then(|count| count.try_into().ok()))
    };
    let rows = asked.query_map(params_from_iter(bound), |row| {
        Ok(RunRow {
            run: row.get("run")?,
            folder: row.get("folder")?,
            name: row.get("name")?,
            recipe: row.get("recipe")?,
            status: row.get("status")?,
            reason: row.get("reason")?,
            verdict: row.get("verdict")?,
            started: row.get::<_, Time>("started")?.0,
            finished: row.get::<_, Option<Time>>("finished")?.map(|time| time.0),
            elapsed_s: row.get("elapsed_s")?,
            traces: count(row, "traces")?,
            failed_steps: count(row, "failed_steps")?,
            simulated: row.get("simulated")?,
            instrument: row.get("instrument")?,
            batch: row.get("batch")?,
            item: row.get("item")?,
        })
    })?;
    rows.collect()
}

/// The statements that write a run.
struct Put<'c> {
    connection: &'c Connection,
    remove: Statement<'c>,
    run: Statement<'c>,
    values: PutValues<'c>,
}

impl<'c> Put<'c> {
    fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        Ok(Self {
            connection,
            remove: connection.prepare("DELETE FROM runs WHERE folder = ?1")?,
            run: connection.prepare(&format!(
                "INSERT INTO runs ({COLUMNS}) VALUES
                    (:run, :folder, :name, :recipe, :status, :reason, :verdict, :started, :finished, :elapsed_s,
                     :traces, :failed_steps, :simulated, :instrument, :batch, :item)"
            ))?,
            values: PutValues::new(connection)?,
        })
    }

    fn put(&mut self, run: &RunRow, values: &RunValues) -> rusqlite::Result<()> {
        self.remove.execute([&run.folder])?;
        let count = |count: Option<u64>| count.map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        self.run.execute(named_params! {
            ":run": run.run,
            ":folder": run.folder,
            ":name": run.name,
            ":recipe": run.recipe,
            ":status": run.status,
            ":reason": run.reason,
            ":verdict": run.verdict,
            ":started": Time(run.started),
            ":finished": run.finished.map(Time),
            ":elapsed_s": run.elapsed_s,
            ":traces": count(run.traces),
            ":failed_steps": count(run.failed_steps),
            ":simulated": run.simulated,
            ":instrument": run.instrument,
            ":batch": run.batch,
            ":item": run.item,
        })?;
        self.values.put(self.connection.last_insert_rowid(), values)
    }
}
