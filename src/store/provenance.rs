//! A trace file without its run: its grid, and what it says about itself.

use std::collections::BTreeMap;
use std::io::{self, Read as _};
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::Metadata;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Map, Value, json};

use super::StoreError;
use super::read::TraceFile;
use super::trace::PANDAS_ATTRIBUTES;
use crate::files;
use crate::measurement::{Grid, GridFit, Irregular};

/// The columns that differ from row to row.
const SAMPLES: [&str; 2] = ["wavelength_nm", "value"];
/// Key under which Arrow stores the schema.
const ARROW_SCHEMA: &str = "ARROW:schema";

/// Units, run, instrument, detector, settings and columns of a trace, as its file states them.
#[derive(Debug, Clone, PartialEq)]
pub struct Provenance {
    /// The unit of the values: dB or dBm.
    pub unit: String,
    /// Whether the instrument was the simulator.
    pub simulated: bool,
    /// The columns that have one value for all rows, in the order of the file.
    pub columns: Vec<(String, Value)>,
    /// The metadata of the file.
    pub metadata: BTreeMap<String, Value>,
}

impl Provenance {
    /// Everything as one JSON object.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let columns: Map<String, Value> = self.columns.iter().cloned().collect();
        json!({
            "units": { "wavelength_nm": "nm", "value": self.unit },
            "simulated": self.simulated,
            "columns": columns,
            "metadata": self.metadata,
        })
    }

    /// All entries by name, for formats with a flat list. A column is preferred to an entry of the same name.
    #[must_use]
    pub fn entries(&self) -> Vec<(&str, &Value)> {
        let columns = self.columns.iter().map(|(name, value)| (name.as_str(), value));
        let is_column = |name: &str| self.columns.iter().any(|(column, _)| column == name);
        let metadata = self.metadata.iter().map(|(name, value)| (name.as_str(), value));
        columns.chain(metadata.filter(|(name, _)| !is_column(name))).collect()
    }
}

/// Opens a trace file that this program has written, wherever it is.
///
/// # Errors
/// If the file cannot be read, or is no such file.
pub fn open_trace_file(path: &Path) -> Result<(TraceFile, Provenance), StoreError> {
    let grid = grid(path)?;
    let file = TraceFile::new(path.to_owned(), grid);
    file.check()?;
    Ok((file, provenance(path)?))
}

/// What a trace file says about itself.
///
/// # Errors
/// If the file cannot be read.
pub fn provenance(path: &Path) -> Result<Provenance, StoreError> {
    let builder = builder(path)?;
    let texts = builder.schema().metadata().clone();
    let unit = builder.schema().field_with_name("value").ok().and_then(|field| field.metadata().get("unit"));
    let unit = unit.cloned().unwrap_or_default();
    let mut batches = builder.with_limit(1).build().map_err(|error| StoreError::encode(path, error))?;
    let batch = batches.next().transpose().map_err(|error| StoreError::encode(path, error.into()))?;
    let columns = batch.iter().flat_map(|batch| {
        let fields = batch.schema().fields().clone();
        let pairs =
            fields.iter().zip(batch.columns()).filter(|(field, _)| !SAMPLES.contains(&field.name().as_str()));
        pairs.map(|(field, array)| (field.name().clone(), first(array))).collect::<Vec<_>>()
    });
    let columns: Vec<(String, Value)> = columns.collect();
    let simulated = columns.iter().any(|(name, value)| name == "simulated" && *value == json!(true));
    Ok(Provenance { unit, simulated, columns, metadata: metadata(&texts) })
}

/// The metadata with their types: pandas has them as JSON.
fn metadata(texts: &Metadata) -> BTreeMap<String, Value> {
    let typed = texts.get(PANDAS_ATTRIBUTES).and_then(|text| serde_json::from_str(text).ok());
    let typed: BTreeMap<String, Value> = typed.unwrap_or_default();
    let is_own = |name: &str| name != PANDAS_ATTRIBUTES && name != ARROW_SCHEMA;
    let others = texts.iter().filter(|(name, _)| is_own(name) && !typed.contains_key(*name));
    let others: Vec<(String, Value)> =
        others.map(|(name, text)| (name.clone(), Value::String(text.clone()))).collect();
    typed.into_iter().chain(others).collect()
}

/// The first value of a column.
fn first(array: &ArrayRef) -> Value {
    if array.is_empty() || array.is_null(0) {
        return Value::Null;
    }
    if let Some(values) = array.as_dictionary_opt::<Int32Type>() {
        return values.values().as_string_opt::<i32>().map_or(Value::Null, |texts| {
            usize::try_from(values.keys().value(0)).map_or(Value::Null, |key| json!(texts.value(key)))
        });
    }
    if let Some(values) = array.as_string_opt::<i32>() {
        return json!(values.value(0));
    }
    if let Some(values) = array.as_boolean_opt() {
        return json!(values.value(0));
    }
    if let Some(values) = array.as_primitive_opt::<Int64Type>() {
        return json!(values.value(0));
    }
    if let Some(values) = array.as_primitive_opt::<Int32Type>() {
        return json!(values.value(0));
    }
    array.as_primitive_opt::<Float64Type>().map_or(Value::Null, |values| json!(values.value(0)))
}

fn builder(path: &Path) -> Result<ParquetRecordBatchReaderBuilder<std::fs::File>, StoreError> {
    let file = files::open(path).map_err(|source| StoreError::read(path, source))?;
    ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| StoreError::encode(path, error))
}

/// The first bytes of every Parquet file.
pub const PARQUET_MAGIC: &[u8; 4] = b"PAR1";

/// The grid of a file, from all its wavelengths.
fn grid(path: &Path) -> Result<Grid, StoreError> {
    let wrong = |why: String| StoreError::read(path, io::Error::new(io::ErrorKind::InvalidData, why));
    let mut first = [0; PARQUET_MAGIC.len()];
    let mut file = files::open(path).map_err(|source| StoreError::read(path, source))?;
    if file.read_exact(&mut first).is_err() || first != *PARQUET_MAGIC {
        return Err(wrong("it is not a Parquet file".to_owned()));
    }
    let builder = builder(path)?;
    if builder.schema().field_with_name("wavelength_nm").is_err() {
        return Err(wrong(
            "it has no column `wavelength_nm`: only traces of this program are exported".to_owned(),
        ));
    }
    let only = ProjectionMask::columns(builder.parquet_schema(), ["wavelength_nm"]);
    let reader = builder.with_projection(only).build().map_err(|error| StoreError::encode(path, error))?;
    let (mut fit, mut row) = (GridFit::default(), 0_u64);
    for batch in reader {
        let batch = batch.map_err(|error| StoreError::encode(path, error.into()))?;
        let Some(values) = batch.column(0).as_primitive_opt::<Float64Type>() else {
            return Err(wrong("its wavelengths are not 64-bit floats".to_owned()));
        };
        for nm in values.values() {
            row += 1;
            fit.add(*nm).map_err(|Irregular| {
                wrong(format!("its wavelengths have no regular step: row {row} is {nm} nm"))
            })?;
        }
    }
    fit.grid().ok_or_else(|| wrong("it has no rows".to_owned()))
}
