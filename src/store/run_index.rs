//! The index of a run in an object store: one row for each figure that counts, and one for each trace without figures. Each
//! row also has what is known of its run and of its trace, so that a query needs no other file.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch, TimestampMicrosecondArray};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use chrono::{DateTime, Utc};

use super::columns::{Column, add_recipe_columns, counts, maybe_texts, numbers, texts, truths};
use super::table::TableWriter;
use super::{Manifest, ResultRow, StoreError};
use crate::analysis::verdict::Judged;
use crate::measurement::TraceSummary;
use crate::operation::Constant;
use crate::step::ColumnType;

/// Rows that are encoded together.
const BATCH: usize = 8 * 1024;

/// What the index tells about a trace.
#[derive(Debug)]
pub struct IndexedTrace {
    /// The trace.
    pub summary: TraceSummary,
    /// The settings of its sweep as JSON, as its file states them.
    pub settings: Option<String>,
}

/// A row of the index.
#[derive(Debug)]
pub struct IndexRow {
    /// The trace; `None` for a figure of several traces.
    pub trace: Option<Arc<IndexedTrace>>,
    /// The figure; `None` for a trace without figures.
    pub figure: Option<ResultRow>,
    /// Loop variables, columns of tables and of the batch.
    pub columns: Arc<BTreeMap<String, Constant>>,
}

/// What the index tells about a run, the same in each row.
#[derive(Debug)]
pub struct IndexedRun<'a> {
    /// The manifest.
    pub manifest: &'a Manifest,
    /// The place of the run in the store.
    pub place: String,
    /// The batch.
    pub batch: Option<String>,
    /// The number of the item of the batch.
    pub item: Option<u64>,
}

/// Writes an index.
pub struct IndexWriter<'a> {
    table: TableWriter,
    path: PathBuf,
    run: IndexedRun<'a>,
    columns: Vec<(String, ColumnType)>,
    rows: Vec<IndexRow>,
}

impl<'a> IndexWriter<'a> {
    /// Begins an index. `columns` are the columns of the recipe and of the batch.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn create(
        path: &Path,
        run: IndexedRun<'a>,
        columns: BTreeMap<String, ColumnType>,
    ) -> Result<Self, StoreError> {
        let columns: Vec<(String, ColumnType)> = columns.into_iter().collect();
        let empty = batch(&run, &columns, &[]).map_err(|error| StoreError::encode(path, error.into()))?;
        let table = TableWriter::create(path, &empty.schema())?;
        Ok(Self { table, path: path.to_owned(), run, columns, rows: Vec::new() })
    }

    /// Adds a row.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add(&mut self, row: IndexRow) -> Result<(), StoreError> {
        self.rows.push(row);
        if self.rows.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let batch = batch(&self.run, &self.columns, &self.rows);
        self.table.add(&batch.map_err(|error| StoreError::encode(&self.path, error.into()))?)?;
        self.rows.clear();
        Ok(())
    }

    /// Completes the index, and gives the file its name.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(mut self) -> Result<(), StoreError> {
        self.flush()?;
        self.table.replace().map(drop)
    }
}

fn moments(name: &str, values: impl Iterator<Item = Option<DateTime<Utc>>>) -> Column {
    let micros = values.map(|value| value.map(|value| value.timestamp_micros()));
    let array = micros.collect::<TimestampMicrosecondArray>().with_timezone("UTC");
    (Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), true), Arc::new(array))
}

fn small(name: &str, values: impl Iterator<Item = Option<u32>>) -> Column {
    let array = values.map(|value| value.map(u32::cast_signed)).collect::<Int32Array>();
    (Field::new(name, DataType::Int32, true), Arc::new(array))
}

/// Rows in the columns of the index.
fn batch(
    run: &IndexedRun<'_>,
    columns: &[(String, ColumnType)],
    rows: &[IndexRow],
) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let mut all = of_run(run, rows);
    all.extend(of_traces(&run.place, rows));
    all.extend(of_figures(rows));
    add_recipe_columns(&mut all, columns, || rows.iter().map(|row| &*row.columns));
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = all.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

/// The columns that have one value for the whole run.
fn of_run(run: &IndexedRun<'_>, rows: &[IndexRow]) -> Vec<Column> {
    let IndexedRun { manifest, place, batch, item } = run;
    let text = |name: &str, value: &str| texts(name, rows.iter().map(|_| value));
    let maybe = |name: &str, value: Option<String>| maybe_texts(name, rows.iter().map(|_| value.clone()));
    let json = |name: &str, value: &BTreeMap<String, serde_json::Value>| {
        maybe(name, serde_json::to_string(value).ok())
    };
    vec![
        text("run_id", &manifest.run),
        text("recipe", &manifest.name),
        text("status", &manifest.status.to_string()),
        maybe("run_verdict", manifest.verdict.map(|verdict| verdict.to_string())),
        moments("started", rows.iter().map(|_| Some(manifest.started))),
        moments("finished", rows.iter().map(|_| manifest.finished)),
        text("host", &manifest.host.host),
        text("instrument", &manifest.instrument.identity),
        text("instrument_address", &manifest.instrument.address),
        truths("simulated", rows.iter().map(|_| manifest.instrument.simulated)),
        maybe("batch", batch.clone()),
        counts("item", rows.iter().map(|_| *item)),
        counts("resumed", rows.iter().map(|_| Some(manifest.taken_up))),
        json("parameters", &manifest.parameters),
        json("metadata", &manifest.metadata),
        text("place", place),
    ]
}

/// The columns of the trace.
fn of_traces(place: &str, rows: &[IndexRow]) -> Vec<Column> {
    let traces = || rows.iter().map(|row| row.trace.as_deref());
    let summaries = || traces().map(|trace| trace.map(|trace| &trace.summary));
    let text = |name: &str, pick: fn(&TraceSummary) -> Option<String>| {
        maybe_texts(name, summaries().map(|trace| trace.and_then(pick)))
    };
    let count =
        |name: &str, pick: fn(&TraceSummary) -> u64| counts(name, summaries().map(|trace| trace.map(pick)));
    let number = |name: &str, pick: fn(&TraceSummary) -> Option<f64>| {
        numbers(name, summaries().map(|trace| trace.and_then(pick)))
    };
    let small =
        |name: &str, pick: fn(&TraceSummary) -> u32| small(name, summaries().map(|trace| trace.map(pick)));
    vec![
        count("trace_index", |trace| trace.trace_index),
        count("sweep_index", |trace| trace.sweep_index),
        small("attempt", |trace| trace.attempt),
        text("detector", |trace| Some(trace.shown_detector())),
        small("module", |trace| u32::from(trace.detector.module)),
        small("channel", |trace| u32::from(trace.detector.channel)),
        text("trace", |trace| Some(trace.trace.to_string())),
        text("trace_unit", |trace| Some(trace.unit.clone())),
        text("name", |trace| Some(trace.name.clone())),
        maybe_texts("file", summaries().map(|trace| Some(format!("{place}/{}", trace?.file)))),
        count("bytes", |trace| trace.bytes),
        text("sha256", |trace| Some(trace.sha256.clone())),
        number("start_nm", |trace| Some(trace.grid.start_nm)),
        number("step_pm", |trace| Some(trace.grid.step_pm)),
        count("points", |trace| trace.grid.points),
        number("lowest", |trace| Some(trace.min?.value)),
        number("lowest_nm", |trace| Some(trace.min?.nm)),
        number("highest", |trace| Some(trace.max?.value)),
        number("highest_nm", |trace| Some(trace.max?.nm)),
        number("mean", |trace| trace.mean),
        text("reference", |trace| trace.reference.clone()),
        maybe_texts("settings", traces().map(|trace| trace?.settings.clone())),
    ]
}

/// The columns of the figure, with the names that they have in `results.parquet`.
fn of_figures(rows: &[IndexRow]) -> Vec<Column> {
    let figures = || rows.iter().map(|row| row.figure.as_ref());
    let text = |name: &str, pick: fn(&ResultRow) -> Option<String>| {
        maybe_texts(name, figures().map(|row| row.and_then(pick)))
    };
    let number = |name: &str, pick: fn(&ResultRow) -> Option<f64>| {
        numbers(name, figures().map(|row| row.and_then(pick)))
    };
    let limit = |name: &str, pick: fn(&Judged) -> Option<f64>| {
        numbers(name, figures().map(|row| row?.judged.as_ref().and_then(pick)))
    };
    vec![
        text("figure", |row| Some(row.figure.name.clone())),
        number("value", |row| row.figure.value),
        text("unit", |row| Some(row.figure.unit.clone())),
        text("of", |row| row.figure.of.clone()),
        number("nm", |row| row.figure.nm),
        text("bound", |row| row.figure.bound.map(|bound| bound.sign().to_owned())),
        number("bound_value", |row| row.figure.bound_value),
        number("error", |row| row.figure.error),
        text("not_measured", |row| row.figure.not_measured.clone()),
        limit("min", |judged| judged.limit.min),
        limit("max", |judged| judged.limit.max),
        text("verdict", |row| Some(row.judged.as_ref()?.verdict.to_string())),
        text("limits", |row| Some(row.limits.as_ref()?.name.clone())),
        text("limits_sha256", |row| Some(row.limits.as_ref()?.sha256.clone())),
        text("analysis", |row| row.analysis.clone()),
    ]
}
