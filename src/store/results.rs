//! The figures of a run as one long table: a row for each figure, with its limits, its verdict, and the columns of its
//! trace.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use arrow_array::{ArrayRef, Int32Array, RecordBatch};
use arrow_schema::{DataType, Field, Schema};

use super::columns::{add_recipe_columns, counts, maybe_texts, numbers, texts, truths};
use super::table::TableWriter;
use super::{ResultsRecord, RunFolder, StoreError};
use crate::analysis::Figure;
use crate::analysis::registry;
use crate::analysis::verdict::Judged;
use crate::operation::{Constant, LimitsSource};
use crate::step::{ColumnType, TraceAnalysis};

/// Name of the file in the run folder.
pub const RESULTS_FILE: &str = "results.parquet";
/// Rows that are encoded together.
const BATCH: usize = 16 * 1024;

/// One figure, and where it comes from.
#[derive(Debug, Clone)]
pub struct ResultRow {
    /// The figure.
    pub figure: Figure,
    /// The version of the table of definitions.
    pub definitions: u32,
    /// The verdict on it.
    pub judged: Option<Judged>,
    /// The file with the limits.
    pub limits: Option<LimitsSource>,
    /// Whether it is of the last attempt, which counts.
    pub counts: bool,
    /// The `id` of the analysis.
    pub analysis: Option<String>,
    /// The number of the step.
    pub step: u64,
    /// The trace, without its figures; `None` for a figure of several traces.
    pub trace: Option<TraceAnalysis>,
    /// Loop variables, columns of tables and of the batch.
    pub columns: Arc<BTreeMap<String, Constant>>,
}

/// Writes the table.
pub struct ResultsWriter {
    table: TableWriter,
    path: PathBuf,
    run: String,
    simulated: bool,
    /// The columns of the recipe, with the names that they have in the table.
    columns: Vec<(String, ColumnType)>,
    rows: Vec<ResultRow>,
    written: u64,
}

impl RunFolder {
    /// Begins the table of figures. It replaces an earlier one when it is complete.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn results(
        &self,
        columns: BTreeMap<String, ColumnType>,
        simulated: bool,
    ) -> Result<ResultsWriter, StoreError> {
        let path = self.path().join(RESULTS_FILE);
        let columns: Vec<(String, ColumnType)> = columns.into_iter().collect();
        let run = self.id().to_owned();
        let empty =
            batch(&[], &columns, &run, simulated).map_err(|error| StoreError::encode(&path, error.into()))?;
        let table = TableWriter::create(&path, &empty.schema())?;
        Ok(ResultsWriter { table, path, run, simulated, columns, rows: Vec::new(), written: 0 })
    }
}

impl ResultsWriter {
    /// Adds a row.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn add(&mut self, row: ResultRow) -> Result<(), StoreError> {
        self.rows.push(row);
        if self.rows.len() >= BATCH { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        let batch = batch(&self.rows, &self.columns, &self.run, self.simulated);
        self.table.add(&batch.map_err(|error| StoreError::encode(&self.path, error.into()))?)?;
        self.written += self.rows.len() as u64;
        self.rows.clear();
        Ok(())
    }

    /// Completes the table, and gives it its name.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn finish(mut self) -> Result<ResultsRecord, StoreError> {
        self.flush()?;
        let published = self.table.replace()?;
        Ok(ResultsRecord {
            file: RESULTS_FILE.to_owned(),
            rows: self.written,
            bytes: published.bytes,
            sha256: published.sha256,
        })
    }
}

/// Rows in the columns of the table.
fn batch(
    rows: &[ResultRow],
    columns: &[(String, ColumnType)],
    run: &str,
    simulated: bool,
) -> Result<RecordBatch, arrow_schema::ArrowError> {
    let figures = || rows.iter().map(|row| &row.figure);
    let limit =
        |pick: fn(&Judged) -> Option<f64>| rows.iter().map(move |row| row.judged.as_ref().and_then(pick));
    let trace = || rows.iter().map(|row| row.trace.as_ref());
    let small = |name: &str, pick: fn(&TraceAnalysis) -> u32| {
        let values = trace().map(|trace| trace.map(|trace| pick(trace).cast_signed()));
        let array: ArrayRef = Arc::new(values.collect::<Int32Array>());
        (Field::new(name, DataType::Int32, true), array)
    };
    let mut all: Vec<(Field, ArrayRef)> = vec![
        texts("run_id", rows.iter().map(|_| run)),
        texts("figure", figures().map(|figure| figure.name.as_str())),
        numbers("value", figures().map(|figure| figure.value)),
        texts("unit", figures().map(|figure| figure.unit.as_str())),
        maybe_texts("of", figures().map(|figure| figure.of.clone())),
        numbers("nm", figures().map(|figure| figure.nm)),
        maybe_texts("bound", figures().map(|figure| figure.bound.map(|bound| bound.sign().to_owned()))),
        numbers("bound_value", figures().map(|figure| figure.bound_value)),
        numbers("error", figures().map(|figure| figure.error)),
        maybe_texts("not_measured", figures().map(|figure| figure.not_measured.clone())),
        maybe_texts("definition", rows.iter().map(definition)),
        (
            Field::new("definitions_version", DataType::Int32, false),
            Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.definitions.cast_signed()))),
        ),
        numbers("from_nm", figures().map(|figure| Some(figure.window?.from_nm))),
        numbers("to_nm", figures().map(|figure| Some(figure.window?.to_nm))),
        maybe_texts(
            "notes",
            figures().map(|figure| (!figure.notes.is_empty()).then(|| figure.notes.join("; "))),
        ),
        numbers("min", limit(|judged| judged.limit.min)),
        numbers("max", limit(|judged| judged.limit.max)),
        numbers("guard", limit(|judged| judged.limit.guard)),
        maybe_texts("verdict", rows.iter().map(|row| Some(row.judged.as_ref()?.verdict.to_string()))),
        maybe_texts("reason", rows.iter().map(|row| row.judged.as_ref()?.reason.clone())),
        maybe_texts("limits", rows.iter().map(|row| Some(row.limits.as_ref()?.name.clone()))),
        counts("limits_version", rows.iter().map(|row| Some(u64::from(row.limits.as_ref()?.version)))),
        maybe_texts("limits_sha256", rows.iter().map(|row| Some(row.limits.as_ref()?.sha256.clone()))),
        truths("counts", rows.iter().map(|row| row.counts)),
        maybe_texts("analysis", rows.iter().map(|row| row.analysis.clone())),
        counts("step", rows.iter().map(|row| Some(row.step))),
        counts("trace_index", trace().map(|trace| Some(trace?.trace_index))),
        small("attempt", |trace| trace.attempt),
        maybe_texts("detector", trace().map(|trace| Some(trace?.detector_name.clone()))),
        small("module", |trace| u32::from(trace.detector.module)),
        small("channel", |trace| u32::from(trace.detector.channel)),
        maybe_texts("trace", trace().map(|trace| Some(trace?.trace.to_string()))),
        maybe_texts("name", trace().map(|trace| Some(trace?.name.clone()))),
        maybe_texts("reference", trace().map(|trace| trace?.reference.clone())),
        truths("simulated", rows.iter().map(|_| simulated)),
    ];
    add_recipe_columns(&mut all, columns, || rows.iter().map(|row| &*row.columns));
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = all.into_iter().unzip();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
}

/// The definition in the figure, else the one of its name, if the version of the table is the same.
fn definition(row: &ResultRow) -> Option<String> {
    if !row.figure.definition.is_empty() {
        return Some(row.figure.definition.clone());
    }
    let (known, level_db) = registry::find(&row.figure.name)?;
    (row.definitions == registry::VERSION).then(|| known.formula_at(level_db))
}
