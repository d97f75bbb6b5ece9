//! Writes a trace file while the trace arrives.
//!
//! The encoding was chosen by measurement. The wavelengths are computed as rounded decimals, and their bytes repeat
//! along the grid once they are split into streams. The values are noise in their low bytes and smooth in their high
//! bytes, which splitting separates. Both are compressed with zstd. The constant columns are dictionaries with one
//! entry, and one page of each row group.
//!
//! The work for a trace is to compress its values. The wavelength axis is encoded once for all traces of a grid, and the
//! size of a constant column does not depend on its rows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_schema::{DataType, Field, Schema};
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::data_type::FloatType;
use parquet::errors::{ParquetError, Result as ParquetResult};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::ColumnPath;
use serde_json::{Value, json};

mod axis;
mod chunk;
mod constant;
mod tally;
#[cfg(test)]
mod tests;

use self::chunk::ChunkWriter;
use self::constant::{Constant, ZSTD_LEVEL};
use self::tally::Tally;
use super::publish::PartFile;
use super::table::begin;
use super::{RunFolder, StoreError};
use crate::measurement::{
    Detector, Extreme, Grid, Joint, Seams, TraceKind, TraceSummary, TraceUnit, above_reference_db,
    fit_for_file,
};
use crate::step::ColumnValue;

/// Rows per batch. The buffer of a batch is smaller than 128 KiB, so that the C library does not get it from the system.
const BATCH: usize = 16 * 1024;
/// Rows per page of the first two columns, a multiple of a batch. A page with fewer rows compresses worse, and a reader of a
/// narrow window decodes at least one page.
const PAGE: usize = 8 * BATCH;
/// The most rows of a trace with a single row group. Its columns are encoded in memory.
const ROW_GROUP: u64 = 1024 * 1024;
/// Rows per row group of a longer trace, a multiple of a page. This bounds the memory for traces of any length.
const SHORT_ROW_GROUP: u64 = 2 * PAGE as u64;
/// The positions of the first two columns in the file. The constant columns follow.
const AXIS: usize = 0;
const VALUE: usize = 1;

/// What is known about a trace before its first value.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceHeader {
    /// Number of the trace within the run, from 1.
    pub trace_index: u64,
    /// Number of its sweep, from 1.
    pub sweep_index: u64,
    /// Attempt at that sweep, from 1.
    pub attempt: u32,
    /// The detector of the trace.
    pub detector: Detector,
    /// The name that the recipe gives to the detector.
    pub detector_name: Option<String>,
    /// The kind of the trace.
    pub trace: TraceKind,
    /// The unit of the values.
    pub unit: TraceUnit,
    /// The wavelengths where one laser of the scan may take over from another.
    pub joints: Vec<Joint>,
    /// Name given in the recipe; empty if there is none.
    pub name: String,
    /// The wavelength axis.
    pub grid: Grid,
    /// Whether the instrument is the embedded simulator.
    pub simulated: bool,
    /// Additional constant columns.
    pub constants: BTreeMap<String, ColumnValue>,
    /// Metadata for the file: settings, instrument, recipe.
    pub metadata: BTreeMap<String, Value>,
    /// The reference that a transmission rests on.
    pub reference: Option<String>,
    /// The turns of the loops around the fetch, for people.
    pub turns: Vec<String>,
}

impl TraceHeader {
    /// The file, relative to the run folder.
    #[must_use]
    pub fn file(&self) -> String {
        let fit = fit_for_file(&self.name);
        let name = if fit.is_empty() { String::new() } else { format!("_{fit}") };
        format!("traces/{:04}_{}_{}{name}.parquet", self.trace_index, self.detector.file_name(), self.trace)
    }
}

/// Writes one trace. If it is dropped before [`TraceWriter::finish`], no file remains.
pub struct TraceWriter {
    header: TraceHeader,
    file: SerializedFileWriter<PartFile>,
    /// The values of the row group that has begun.
    values: Option<ChunkWriter<FloatType>>,
    /// The rows before this row group.
    before: u64,
    constants: Vec<Constant>,
    waiting: Vec<f32>,
    tally: Tally,
    seams: Seams,
}

impl RunFolder {
    /// Creates a trace file.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn trace(&self, header: TraceHeader) -> Result<TraceWriter, StoreError> {
        let path = self.path().join(header.file());
        let failed = |error: ParquetError| StoreError::encode(&path, error);
        let (schema, constants) = schema(self.id(), &header);
        let properties = properties(texts(&header)).map_err(failed)?;
        let file = begin(PartFile::create(&path)?, &schema, properties).map_err(failed)?;
        Ok(TraceWriter {
            seams: Seams::new(&header.joints, header.grid),
            header,
            file,
            values: None,
            before: 0,
            constants,
            waiting: Vec::with_capacity(BATCH),
            tally: Tally::default(),
        })
    }
}

/// The columns of the file, and the values of those that are constant.
fn schema(run: &str, header: &TraceHeader) -> (Schema, Vec<Constant>) {
    let mut fields = vec![
        Field::new("wavelength_nm", DataType::Float64, false).with_metadata(unit("nm")),
        Field::new("value", DataType::Float32, true).with_metadata(unit(header.unit.symbol())),
    ];
    let mut constants = Vec::new();
    for (name, constant) in constant_columns(run, header) {
        // Columns of a recipe or a batch are nullable in all files of a run, because some of their values may be
        // null.
        let nullable = header.constants.contains_key(&name);
        fields.push(Field::new(name, constant.data_type(), nullable));
        constants.push(constant);
    }
    (Schema::new_with_metadata(fields, texts(header).into_iter().collect::<HashMap<_, _>>()), constants)
}

/// How the columns are encoded.
fn properties(metadata: BTreeMap<String, String>) -> ParquetResult<WriterProperties> {
    let metadata = metadata.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect();
    let [wavelength, value] = ["wavelength_nm", "value"].map(ColumnPath::from);
    let properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(ZSTD_LEVEL)?))
        .set_column_dictionary_enabled(wavelength.clone(), false)
        .set_column_encoding(wavelength, Encoding::BYTE_STREAM_SPLIT)
        .set_column_dictionary_enabled(value.clone(), false)
        .set_column_encoding(value, Encoding::BYTE_STREAM_SPLIT)
        .set_data_page_row_count_limit(PAGE)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_key_value_metadata(Some(metadata))
        .set_created_by(format!("ctp10 {}", env!("CARGO_PKG_VERSION")));
    Ok(properties.build())
}

/// The key under which pandas stores `DataFrame.attrs` in a file, as JSON.
pub(super) const PANDAS_ATTRIBUTES: &str = "PANDAS_ATTRS";

/// The metadata of the file as strings, by name. pyarrow shows them with the schema, pandas as `attrs`.
fn texts(header: &TraceHeader) -> BTreeMap<String, String> {
    let mut values = header.metadata.clone();
    values.insert("units".to_owned(), json!({ "wavelength_nm": "nm", "value": header.unit.symbol() }));
    let attributes = json!(values).to_string();
    let text = |value: Value| match value {
        Value::String(text) => text,
        other => other.to_string(),
    };
    let texts = values.into_iter().map(|(name, value)| (name, text(value)));
    texts.chain([(PANDAS_ATTRIBUTES.to_owned(), attributes)]).collect()
}

fn unit(symbol: &str) -> HashMap<String, String> {
    HashMap::from([("unit".to_owned(), symbol.to_owned())])
}

/// The constant columns, in the order of the file.
fn constant_columns(run: &str, header: &TraceHeader) -> Vec<(String, Constant)> {
    let text = |value: &str| Constant::Text(Some(value.to_owned()));
    let count = |value: u64| Constant::Count(value.cast_signed());
    let small = |value: u32| Constant::Small(value.cast_signed());
    let mut columns: Vec<(String, Constant)> = vec![
        ("run_id".into(), text(run)),
        ("trace_index".into(), count(header.trace_index)),
        ("sweep_index".into(), count(header.sweep_index)),
        ("attempt".into(), small(header.attempt)),
        ("simulated".into(), Constant::Truth(header.simulated)),
        ("module".into(), small(u32::from(header.detector.module))),
        ("channel".into(), small(u32::from(header.detector.channel))),
        ("trace".into(), text(&header.trace.to_string())),
        ("name".into(), text(&header.name)),
    ];
    for (name, value) in &header.constants {
        let constant = match value {
            ColumnValue::Number(number) => Constant::Number(*number),
            ColumnValue::Text(text) => Constant::Text(text.clone()),
        };
        columns.push((name.clone(), constant));
    }
    columns
}

impl TraceWriter {
    /// Appends values in the unit of the trace. A value that is not finite becomes null.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn push(&mut self, mut values: &[f32]) -> Result<(), StoreError> {
        while !values.is_empty() {
            let room = BATCH - self.waiting.len();
            let (now, later) = values.split_at(values.len().min(room));
            self.waiting.extend_from_slice(now);
            values = later;
            if self.waiting.len() == BATCH {
                self.encode()?;
            }
        }
        Ok(())
    }

    /// Encodes the values that wait. Without any, no row group is begun.
    fn encode(&mut self) -> Result<(), StoreError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        self.seams.add(self.tally.rows(), &self.waiting);
        let nulls = self.tally.add(&self.waiting);
        let levels: Vec<i16> = self.waiting.iter().map(|value| i16::from(value.is_finite())).collect();
        if nulls > 0 {
            self.waiting.retain(|value| value.is_finite());
        }
        self.write(&levels).map_err(|error| self.failed(error))?;
        self.waiting.clear();
        let most = if self.header.grid.points > ROW_GROUP { SHORT_ROW_GROUP } else { ROW_GROUP };
        if self.tally.rows() - self.before == most {
            self.end_row_group().map_err(|error| self.failed(error))?;
        }
        Ok(())
    }

    fn failed(&self, error: ParquetError) -> StoreError {
        StoreError::encode(self.file.inner().target(), error)
    }

    fn write(&mut self, levels: &[i16]) -> ParquetResult<()> {
        let file = &self.file;
        let begin = || ChunkWriter::new(&file.schema_descr().column(VALUE), file.properties());
        self.values.get_or_insert_with(begin).write(&self.waiting, Some(levels))
    }

    /// Puts the columns of the row group into the file. Before the first value, there is none.
    fn end_row_group(&mut self) -> ParquetResult<()> {
        let Some(values) = self.values.take() else { return Ok(()) };
        let rows = self.before..self.tally.rows();
        self.before = rows.end;
        let properties = Arc::clone(self.file.properties());
        let columns = self.file.schema_descr().columns().to_vec();
        let axis = axis::chunk(&columns[AXIS], &properties, self.header.grid, rows.clone())?;
        let mut group = self.file.next_row_group()?;
        axis.append_to(&mut group)?;
        values.finish()?.append_to(&mut group)?;
        for (column, constant) in columns[VALUE + 1..].iter().zip(&self.constants) {
            constant.chunk(column, &properties, rows.end - rows.start)?.append_to(&mut group)?;
        }
        group.close().map(drop)
    }

    /// Closes the file and gives it its final name.
    ///
    /// # Errors
    /// If the number of values is wrong, in which case no file appears, or if the file cannot be written.
    pub fn finish(mut self) -> Result<TraceSummary, StoreError> {
        self.encode()?;
        let path = self.file.inner().target().to_owned();
        let (expected, found) = (self.header.grid.points, self.tally.rows());
        if expected != found {
            return Err(StoreError::Incomplete { path, expected, found });
        }
        self.end_row_group().map_err(|error| self.failed(error))?;
        let (header, tally) = (&self.header, &self.tally);
        let above_reference_db =
            above_reference_db(header.trace, tally.max().map(|(value, _)| f64::from(value)));
        if let Some(level) = above_reference_db {
            let mark = KeyValue::new("above_reference_db".to_owned(), level.to_string());
            self.file.append_key_value_metadata(mark);
        }
        let seams = self.seams.found();
        if !seams.is_empty() {
            let mark = KeyValue::new("seams".to_owned(), json!(seams).to_string());
            self.file.append_key_value_metadata(mark);
        }
        // `into_inner` would hide a disk that becomes full at the last byte.
        self.file.finish().map_err(|error| StoreError::encode(&path, error))?;
        let published = self.file.inner_mut().publish()?;
        let extreme = |found: Option<(f32, u64)>| {
            found.map(|(value, index)| Extreme {
                value: f64::from(value),
                nm: header.grid.wavelength_nm(index),
            })
        };
        Ok(TraceSummary {
            trace_index: header.trace_index,
            sweep_index: header.sweep_index,
            attempt: header.attempt,
            detector: header.detector,
            detector_name: header.detector_name.clone(),
            trace: header.trace,
            unit: header.unit.symbol().to_owned(),
            file: header.file(),
            name: header.name.clone(),
            bytes: published.bytes,
            sha256: published.sha256,
            grid: header.grid,
            nulls: tally.nulls(),
            min: extreme(tally.min()),
            max: extreme(tally.max()),
            mean: tally.mean(),
            above_reference_db,
            reference: header.reference.clone(),
            seams,
            turns: header.turns.clone(),
        })
    }
}
