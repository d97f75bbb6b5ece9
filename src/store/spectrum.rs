//! Reads a wavelength and a level column of any Parquet file: of a run, or written by another program.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

mod columns;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Field, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;

pub use self::columns::{TraceColumns, is_unit, names_wavelengths, trace_columns, unit_in_name};
use super::StoreError;
use crate::files;

/// The two columns of a trace.
#[derive(Debug)]
pub struct Spectrum {
    /// The wavelengths, nm, in the order of the file.
    pub wavelengths_nm: Vec<f64>,
    /// The levels, in the order of the file.
    pub levels: Levels,
    /// The name of the column of levels.
    pub column: String,
    /// The unit that the file states for the levels.
    pub unit: Option<String>,
    /// Whether the file says that its values are computed.
    pub is_simulated: bool,
}

/// Levels in the precision of the file. A missing value is NaN.
#[derive(Debug)]
pub enum Levels {
    /// 32-bit floats.
    Single(Vec<f32>),
    /// 64-bit floats.
    Double(Vec<f64>),
}

/// Reads the wavelengths, and the levels of `column`: when it is not given, the one that [`trace_columns`] finds.
///
/// # Errors
/// The file cannot be read, or has no such columns.
pub fn read_spectrum(path: &Path, column: Option<&str>) -> Result<Spectrum, StoreError> {
    let bad = |error| StoreError::encode(path, error);
    let wrong = |what: String| StoreError::read(path, io::Error::new(io::ErrorKind::InvalidData, what));
    let file = files::open(path).map_err(|source| StoreError::read(path, source))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(bad)?;
    if let Some(other) = other_compression(&builder) {
        return Err(wrong(format!(
            "it is compressed with {other}, which is not read: write it with zstd (in pandas: `compression=\"zstd\"`)"
        )));
    }
    let schema = builder.schema().clone();
    let (wavelength, column) = columns(&schema, column).map_err(wrong)?;
    let field = schema.field_with_name(&column).map_err(|error| wrong(error.to_string()))?;
    let by_name = || unit_in_name(&column).map(|unit| unit.symbol().to_owned());
    let unit = field.metadata().get("unit").cloned().or_else(by_name);
    let is_simulated = schema.metadata().get("simulated").is_some_and(|text| text == "true");
    let is_double = *field.data_type() == DataType::Float64;
    let both = ProjectionMask::columns(builder.parquet_schema(), [wavelength.as_str(), &column]);
    let reader = builder.with_projection(both).build().map_err(bad)?;
    let mut wavelengths_nm = Vec::new();
    let mut levels = if is_double { Levels::Double(Vec::new()) } else { Levels::Single(Vec::new()) };
    for batch in reader {
        let batch = batch.map_err(|error| bad(error.into()))?;
        let found = |name: &str| {
            batch.column_by_name(name).ok_or_else(|| wrong(format!("it has no column `{name}`")))
        };
        wavelengths_nm.extend(doubles(found(&wavelength)?));
        match &mut levels {
            Levels::Single(levels) => levels.extend(singles(found(&column)?)),
            Levels::Double(levels) => levels.extend(doubles(found(&column)?)),
        }
    }
    Ok(Spectrum { wavelengths_nm, levels, column, unit, is_simulated })
}

/// The compression of a file, if it is not one that this program is built with.
fn other_compression(builder: &ParquetRecordBatchReaderBuilder<File>) -> Option<&'static str> {
    let chunks = builder.metadata().row_groups().iter().flat_map(|group| group.columns());
    chunks.map(|chunk| chunk.compression()).find_map(|compression| match compression {
        Compression::UNCOMPRESSED
        | Compression::ZSTD(_)
        | Compression::SNAPPY
        | Compression::GZIP(_)
        | Compression::LZ4_RAW => None,
        Compression::BROTLI(_) => Some("brotli"),
        Compression::LZ4 => Some("an old variant of lz4"),
        Compression::LZO => Some("lzo"),
    })
}

/// The values of a column of numbers. The type was checked with the schema.
fn doubles(array: &ArrayRef) -> Vec<f64> {
    if let Some(values) = array.as_primitive_opt::<Float64Type>() {
        return values.iter().map(|value| value.unwrap_or(f64::NAN)).collect();
    }
    if let Some(values) = array.as_primitive_opt::<Int32Type>() {
        return values.iter().map(|value| value.map_or(f64::NAN, f64::from)).collect();
    }
    if let Some(values) = array.as_primitive_opt::<Int64Type>() {
        #[expect(clippy::cast_precision_loss, reason = "no wavelength has so many digits")]
        return values.iter().map(|value| value.map_or(f64::NAN, |value| value as f64)).collect();
    }
    singles(array).into_iter().map(f64::from).collect()
}

fn singles(array: &ArrayRef) -> Vec<f32> {
    match array.as_primitive_opt::<Float32Type>() {
        Some(values) => values.iter().map(|value| value.unwrap_or(f32::NAN)).collect(),
        None => vec![f32::NAN; array.len()],
    }
}

/// The columns of a Parquet file. Levels are floats; wavelengths may also be whole numbers.
fn columns(schema: &Schema, asked: Option<&str>) -> Result<(String, String), String> {
    let is_float = |data_type: &DataType| matches!(data_type, DataType::Float32 | DataType::Float64);
    if let Some(asked) = asked
        && schema.field_with_name(asked).is_ok_and(|field| !is_float(field.data_type()))
    {
        return Err(format!("the column `{asked}` is not one of floats"));
    }
    let is_number = |field: &&Arc<Field>| {
        let is_whole = matches!(field.data_type(), DataType::Int32 | DataType::Int64);
        is_float(field.data_type()) || (is_whole && names_wavelengths(field.name()))
    };
    let names: Vec<&str> =
        schema.fields().iter().filter(is_number).map(|field| field.name().as_str()).collect();
    let found = trace_columns(&names, asked)?;
    Ok((names[found.wavelength].to_owned(), names[found.level].to_owned()))
}
