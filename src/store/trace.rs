//! Writes a trace file while the trace arrives.
//!
//! The encoding was chosen by measurement. The wavelengths are computed as rounded decimals, and their bytes repeat
//! along the grid once they are split into streams. The values are noise in their low bytes and smooth in their high
//! bytes, which splitting separates. Both are compressed with zstd. The constant columns are dictionaries with one
//! entry.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, DictionaryArray, Float32Array, Float64Array, Int32Array, Int64Array, RecordBatch,
    StringArray,
};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use serde_json::{Value, json};

use super::publish::PartFile;
use super::{RunFolder, StoreError};
use crate::measurement::{
    Detector, Extreme, Grid, TraceKind, TraceSummary, above_reference_db, fit_for_file,
};
use crate::step::ColumnValue;

/// Rows per batch.
const BATCH: usize = 64 * 1024;
/// Rows per row group. This bounds the memory for traces of any length.
const ROW_GROUP: usize = 1024 * 1024;
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
    /// The kind of the trace.
    pub trace: TraceKind,
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
    writer: ArrowWriter<PartFile>,
    schema: Arc<Schema>,
    /// One full batch of each constant column, created once.
    constants: Vec<ArrayRef>,
    waiting: Vec<f32>,
    rows: u64,
    nulls: u64,
    min: Option<(f32, u64)>,
    max: Option<(f32, u64)>,
    sum: f64,
}

impl RunFolder {
    /// Creates a trace file.
    ///
    /// # Errors
    /// If the file cannot be created.
    pub fn trace(&self, header: TraceHeader) -> Result<TraceWriter, StoreError> {
        let path = self.path().join(header.file());
        let failed = |error: parquet::errors::ParquetError| StoreError::encode(&path, error);
        let mut fields = vec![
            Field::new("wavelength_nm", DataType::Float64, false).with_metadata(unit("nm")),
            Field::new("value", DataType::Float32, true).with_metadata(unit(header.trace.unit())),
        ];
        let mut constants = Vec::new();
        for (name, array) in constant_columns(self.id(), &header) {
            // Columns of a recipe or a batch are nullable in all files of a run, because some of their values may be
            // null.
            let nullable = header.constants.contains_key(&name);
            fields.push(Field::new(name, array.data_type().clone(), nullable));
            constants.push(array);
        }
        let metadata = texts(&header);
        let schema = Arc::new(Schema::new_with_metadata(
            fields,
            metadata.clone().into_iter().collect::<HashMap<_, _>>(),
        ));
        let metadata = metadata.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect();
        let [wavelength, value] = ["wavelength_nm", "value"].map(ColumnPath::from);
        // On split streams of noise, the lowest level compresses as well as the middle ones, in less time.
        let zstd = Compression::ZSTD(ZstdLevel::try_new(1).map_err(failed)?);
        let properties = WriterProperties::builder()
            .set_compression(zstd)
            .set_column_dictionary_enabled(wavelength.clone(), false)
            .set_column_encoding(wavelength, Encoding::BYTE_STREAM_SPLIT)
            .set_column_dictionary_enabled(value.clone(), false)
            .set_column_encoding(value, Encoding::BYTE_STREAM_SPLIT)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_max_row_group_row_count(Some(ROW_GROUP))
            .set_key_value_metadata(Some(metadata))
            .set_created_by(format!("ctp10 {}", env!("CARGO_PKG_VERSION")))
            .build();
        let part = PartFile::create(&path)?;
        let writer = ArrowWriter::try_new(part, Arc::clone(&schema), Some(properties)).map_err(failed)?;
        Ok(TraceWriter {
            header,
            writer,
            schema,
            constants,
            waiting: Vec::with_capacity(BATCH),
            rows: 0,
            nulls: 0,
            min: None,
            max: None,
            sum: 0.0,
        })
    }
}

/// The key under which pandas stores `DataFrame.attrs` in a file, as JSON.
const PANDAS_ATTRIBUTES: &str = "PANDAS_ATTRS";

/// The metadata of the file as strings, by name. pyarrow shows them with the schema, pandas as `attrs`.
fn texts(header: &TraceHeader) -> BTreeMap<String, String> {
    let mut values = header.metadata.clone();
    values.insert("units".to_owned(), json!({ "wavelength_nm": "nm", "value": header.trace.unit() }));
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

/// One batch of each constant column, in the order of the file.
fn constant_columns(run: &str, header: &TraceHeader) -> Vec<(String, ArrayRef)> {
    let text = |value: &str| -> ArrayRef {
        let keys = Int32Array::from(vec![0; BATCH]);
        let values = Arc::new(StringArray::from(vec![value]));
        // One key for one value, so no key can be out of range.
        Arc::new(DictionaryArray::<Int32Type>::new(keys, values))
    };
    let count = |value: u64| -> ArrayRef { Arc::new(Int64Array::from(vec![value.cast_signed(); BATCH])) };
    let small = |value: u32| -> ArrayRef { Arc::new(Int32Array::from(vec![value.cast_signed(); BATCH])) };
    let mut columns: Vec<(String, ArrayRef)> = vec![
        ("run_id".into(), text(run)),
        ("trace_index".into(), count(header.trace_index)),
        ("sweep_index".into(), count(header.sweep_index)),
        ("attempt".into(), small(header.attempt)),
        ("simulated".into(), Arc::new(BooleanArray::from(vec![header.simulated; BATCH]))),
        ("module".into(), small(u32::from(header.detector.module))),
        ("channel".into(), small(u32::from(header.detector.channel))),
        ("trace".into(), text(&header.trace.to_string())),
        ("name".into(), text(&header.name)),
    ];
    for (name, constant) in &header.constants {
        let array: ArrayRef = match constant {
            ColumnValue::Number(number) => Arc::new(Float64Array::from(vec![*number; BATCH])),
            ColumnValue::Text(Some(value)) => text(value),
            ColumnValue::Text(None) => {
                let keys = Int32Array::from(vec![None; BATCH]);
                let values = Arc::new(StringArray::from(Vec::<&str>::new()));
                Arc::new(DictionaryArray::<Int32Type>::new(keys, values))
            }
        };
        columns.push((name.clone(), array));
    }
    columns
}

impl TraceWriter {
    /// Appends values in dB or dBm. A value that is not finite becomes null.
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

    fn encode(&mut self) -> Result<(), StoreError> {
        let rows = self.waiting.len();
        let first = self.rows;
        for (index, value) in (first..).zip(&self.waiting).filter(|(_, value)| value.is_finite()) {
            self.sum += f64::from(*value);
            if self.min.is_none_or(|(known, _)| *value < known) {
                self.min = Some((*value, index));
            }
            if self.max.is_none_or(|(known, _)| *value > known) {
                self.max = Some((*value, index));
            }
        }
        let finite = self.waiting.iter().filter(|value| value.is_finite()).count();
        self.nulls += (rows - finite) as u64;
        let values = if finite == rows {
            Float32Array::from(std::mem::take(&mut self.waiting))
        } else {
            self.waiting.drain(..).map(|value| Some(value).filter(|value| value.is_finite())).collect()
        };
        self.waiting.reserve(BATCH);
        let end = first + rows as u64;
        let wavelengths =
            Float64Array::from_iter_values((first..end).map(|index| self.header.grid.wavelength_nm(index)));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(wavelengths), Arc::new(values)];
        columns.extend(self.constants.iter().map(|constant| constant.slice(0, rows)));
        let path = self.writer.inner().target().to_owned();
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns)
            .map_err(|error| StoreError::encode(&path, error.into()))?;
        self.writer.write(&batch).map_err(|error| StoreError::encode(&path, error))?;
        self.rows = end;
        Ok(())
    }

    /// Closes the file and gives it its final name.
    ///
    /// # Errors
    /// If the number of values is wrong, in which case no file appears, or if the file cannot be written.
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub fn finish(mut self) -> Result<TraceSummary, StoreError> {
        self.encode()?;
        let path = self.writer.inner().target().to_owned();
        let header = &self.header;
        if self.rows != header.grid.points {
            return Err(StoreError::Incomplete { path, expected: header.grid.points, found: self.rows });
        }
        let above_reference_db =
            above_reference_db(header.trace, self.max.map(|(value, _)| f64::from(value)));
        if let Some(level) = above_reference_db {
            let mark = KeyValue::new("above_reference_db".to_owned(), level.to_string());
            self.writer.append_key_value_metadata(mark);
        }
        // `into_inner` would hide a disk that becomes full at the last byte.
        self.writer.finish().map_err(|error| StoreError::encode(&path, error))?;
        let published = self.writer.inner_mut().publish()?;
        let extreme = |found: Option<(f32, u64)>| {
            found.map(|(value, index)| Extreme {
                value: f64::from(value),
                nm: header.grid.wavelength_nm(index),
            })
        };
        let finite = self.rows - self.nulls;
        Ok(TraceSummary {
            trace_index: header.trace_index,
            sweep_index: header.sweep_index,
            attempt: header.attempt,
            detector: header.detector,
            trace: header.trace,
            unit: header.trace.unit().to_owned(),
            file: header.file(),
            name: header.name.clone(),
            bytes: published.bytes,
            sha256: published.sha256,
            grid: header.grid,
            nulls: self.nulls,
            min: extreme(self.min),
            max: extreme(self.max),
            mean: (finite > 0).then(|| self.sum / finite as f64),
            above_reference_db,
        })
    }
}
