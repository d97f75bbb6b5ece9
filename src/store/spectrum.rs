//! Reads a wavelength and a level column of any Parquet file: of a run, or written by another program.

use std::fs::File;
use std::io;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type};
use arrow_array::{Array, ArrayRef};
use arrow_schema::{DataType, Schema};
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;

use super::StoreError;
use crate::files;

/// The column of wavelengths.
const WAVELENGTH: &str = "wavelength_nm";
/// The columns of levels that are known by name.
const LEVELS: [&str; 2] = ["value", "transmission_db"];

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
}

/// Levels in the precision of the file. A missing value is NaN.
#[derive(Debug)]
pub enum Levels {
    /// 32-bit floats.
    Single(Vec<f32>),
    /// 64-bit floats.
    Double(Vec<f64>),
}

/// Reads the wavelengths, and the levels of `column`: when it is not given, `value`, `transmission_db`, or the only other column of floats.
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
            "it is compressed with {other}: only files with zstd or without compression are read (in pandas: `compression=\"zstd\"`)"
        )));
    }
    let schema = builder.schema().clone();
    let column = level_of_schema(&schema, column).map_err(wrong)?;
    let field = schema.field_with_name(&column).map_err(|error| wrong(error.to_string()))?;
    let unit = field.metadata().get("unit").cloned();
    let is_double = *field.data_type() == DataType::Float64;
    let both = ProjectionMask::columns(builder.parquet_schema(), [WAVELENGTH, &column]);
    let reader = builder.with_projection(both).build().map_err(bad)?;
    let mut wavelengths_nm = Vec::new();
    let mut levels = if is_double { Levels::Double(Vec::new()) } else { Levels::Single(Vec::new()) };
    for batch in reader {
        let batch = batch.map_err(|error| bad(error.into()))?;
        let found = |name: &str| {
            batch.column_by_name(name).ok_or_else(|| wrong(format!("it has no column `{name}`")))
        };
        wavelengths_nm.extend(doubles(found(WAVELENGTH)?));
        match &mut levels {
            Levels::Single(levels) => levels.extend(singles(found(&column)?)),
            Levels::Double(levels) => levels.extend(doubles(found(&column)?)),
        }
    }
    Ok(Spectrum { wavelengths_nm, levels, column, unit })
}

/// The compression of a file, if it is not one that this program is built with.
fn other_compression(builder: &ParquetRecordBatchReaderBuilder<File>) -> Option<&'static str> {
    let chunks = builder.metadata().row_groups().iter().flat_map(|group| group.columns());
    chunks.map(|chunk| chunk.compression()).find_map(|compression| match compression {
        Compression::UNCOMPRESSED | Compression::ZSTD(_) => None,
        Compression::SNAPPY => Some("snappy"),
        Compression::GZIP(_) => Some("gzip"),
        Compression::BROTLI(_) => Some("brotli"),
        Compression::LZ4 | Compression::LZ4_RAW => Some("lz4"),
        Compression::LZO => Some("lzo"),
    })
}

/// The values of a column of floats. The type was checked with the schema.
fn doubles(array: &ArrayRef) -> Vec<f64> {
    match array.as_primitive_opt::<Float64Type>() {
        Some(values) => values.iter().map(|value| value.unwrap_or(f64::NAN)).collect(),
        None => singles(array).into_iter().map(f64::from).collect(),
    }
}

fn singles(array: &ArrayRef) -> Vec<f32> {
    match array.as_primitive_opt::<Float32Type>() {
        Some(values) => values.iter().map(|value| value.unwrap_or(f32::NAN)).collect(),
        None => vec![f32::NAN; array.len()],
    }
}

/// The column of levels among the columns that are no wavelengths: the one that is asked for, one that is known by name, or the only one.
///
/// # Errors
/// There is no such column, or there are several: none is guessed.
pub fn level_column<'a>(names: &[&'a str], asked: Option<&str>) -> Result<&'a str, String> {
    if let Some(asked) = asked {
        let found = names.iter().copied().find(|name| *name == asked);
        return found.ok_or_else(|| match names {
            [] => format!("there is no column `{asked}`"),
            _ => format!("there is no column `{asked}`; there are {}", list(names)),
        });
    }
    let known = LEVELS.into_iter().find_map(|known| names.iter().copied().find(|name| *name == known));
    match (known, names) {
        (Some(name), _) => Ok(name),
        (None, [name]) => Ok(name),
        (None, []) => Err("it has no column of levels".to_owned()),
        (None, _) => Err(format!("it has several columns of levels: {}; name one of them", list(names))),
    }
}

fn list(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// The column of levels of a Parquet file: only columns of floats can be it.
fn level_of_schema(schema: &Schema, asked: Option<&str>) -> Result<String, String> {
    let floats: Vec<&str> = schema
        .fields()
        .iter()
        .filter(|field| matches!(field.data_type(), DataType::Float32 | DataType::Float64))
        .map(|field| field.name().as_str())
        .collect();
    let others: Vec<&str> = floats.iter().copied().filter(|name| *name != WAVELENGTH).collect();
    if others.len() == floats.len() {
        return Err(format!("it has no column `{WAVELENGTH}` of floats; it has {}", list(&floats)));
    }
    if let Some(asked) = asked
        && schema.field_with_name(asked).is_ok()
        && !floats.contains(&asked)
    {
        return Err(format!("the column `{asked}` is not one of floats"));
    }
    level_column(&others, asked).map(str::to_owned)
}
