//! Converts traces to formats of other programs: NPY, NPZ, CSV, Arrow IPC, MAT, JSON. A trace is written while it is
//! read, so that memory is bounded.

use std::collections::HashMap;
use std::io::{self, BufWriter, Write};
use std::sync::Arc;

use arrow_array::{Float32Array, Float64Array, RecordBatch, RecordBatchWriter};
use arrow_ipc::writer::{FileWriter, StreamWriter};
use arrow_schema::{DataType, Field, Schema};
use serde_json::Value;

mod digits;
mod mat;
mod npz;
mod zip;

pub use self::mat::{MatValue, mat_head, mat_variable};
pub use self::npz::Npz;

use self::digits::{Digits, without_fraction};
use crate::measurement::Grid;
use crate::step::TraceReader;

/// Bytes that are collected before they are written.
const PIECE: usize = 64 * 1024;

/// Reads a whole trace and writes each piece. Returns the first error.
fn each_piece(
    trace: &dyn TraceReader,
    mut write: impl FnMut(u64, &[f32]) -> io::Result<()>,
) -> io::Result<()> {
    let mut written = Ok(());
    let read = trace.read(0..trace.grid().points, &mut |first, values| {
        if written.is_ok() {
            written = write(first, values);
        }
    });
    written.and(read.map_err(io::Error::other))
}

/// Writes all wavelengths of a grid as 64-bit floats.
fn write_wavelengths(grid: Grid, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(PIECE, out);
    let axis = grid.axis();
    (0..grid.points).try_for_each(|index| out.write_all(&axis.nm(index).to_le_bytes()))?;
    out.flush()
}

/// Writes all values of a trace as 64-bit floats.
fn write_values(trace: &dyn TraceReader, out: &mut dyn Write) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(PIECE, out);
    each_piece(trace, |_, values| {
        values.iter().try_for_each(|value| out.write_all(&f64::from(*value).to_le_bytes()))
    })?;
    out.flush()
}

/// The header of a `.npy` file with two float64 fields of these names.
fn npy_header(names: [&str; 2], points: u64) -> Vec<u8> {
    let [first, second] = names;
    npy_text(&format!("[('{first}', '<f8'), ('{second}', '<f8')]"), &format!("({points},)"))
}

/// The header of a `.npy` file with values of one type.
fn npy_array_header(kind: &str, shape: &str) -> Vec<u8> {
    npy_text(&format!("'{kind}'"), shape)
}

/// The header of a `.npy` file, format version 1.0 of numpy.
fn npy_text(kind: &str, shape: &str) -> Vec<u8> {
    let mut text = format!("{{'descr': {kind}, 'fortran_order': False, 'shape': {shape}, }}");
    // Magic, version and length take 10 bytes. Together with the header, their length is a multiple of 64, and the
    // header ends with a line end.
    let padding = 64 - (10 + text.len() + 1) % 64;
    text.extend(std::iter::repeat_n(' ', padding % 64));
    text.push('\n');
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    [b"\x93NUMPY\x01\x00".as_slice(), &length.to_le_bytes(), text.as_bytes()].concat()
}

/// Size of a trace as `.npy`, bytes.
#[must_use]
pub fn npy_bytes(names: [&str; 2], points: u64) -> u64 {
    npy_header(names, points).len() as u64 + points * 16
}

/// Writes a trace as a `.npy` file: wavelengths in nm and values in dB or dBm, with these field names.
///
/// # Errors
/// If the trace cannot be read or written.
pub fn npy(trace: &dyn TraceReader, names: [&str; 2], out: &mut dyn Write) -> io::Result<()> {
    let grid = trace.grid();
    let axis = grid.axis();
    let mut out = BufWriter::with_capacity(PIECE, out);
    out.write_all(&npy_header(names, grid.points))?;
    each_piece(trace, |first, values| {
        for (index, value) in (first..).zip(values) {
            let mut row = [0; 16];
            row[..8].copy_from_slice(&axis.nm(index).to_le_bytes());
            row[8..].copy_from_slice(&f64::from(*value).to_le_bytes());
            out.write_all(&row)?;
        }
        Ok(())
    })?;
    out.flush()
}

/// Writes a trace as CSV with the columns `wavelength_nm` and `value`. A value that is not finite is empty. Comments come
/// first, one line each.
///
/// # Errors
/// If the trace cannot be read or written.
pub fn csv(trace: &dyn TraceReader, comments: &[String], out: &mut dyn Write) -> io::Result<()> {
    let axis = trace.grid().axis();
    let mut out = BufWriter::with_capacity(PIECE, out);
    let mut digits = Digits::default();
    for comment in comments {
        writeln!(out, "# {comment}")?;
    }
    out.write_all(b"wavelength_nm,value\n")?;
    each_piece(trace, |first, values| {
        for (index, value) in (first..).zip(values) {
            out.write_all(without_fraction(digits.wavelength_nm(axis, index)))?;
            out.write_all(b",")?;
            if value.is_finite() {
                out.write_all(without_fraction(digits.level(*value)))?;
            }
            out.write_all(b"\n")?;
        }
        Ok(())
    })?;
    out.flush()
}

/// Writes a trace as an Arrow IPC stream with the columns `wavelength_nm` (f64) and `value` (f32, nullable). The
/// metadata of a field contains its unit.
///
/// # Errors
/// If the trace cannot be read or written.
pub fn ipc_stream(trace: &dyn TraceReader, unit: &str, out: &mut dyn Write) -> io::Result<()> {
    let schema = arrow_schema(unit, HashMap::new());
    let writer = StreamWriter::try_new(out, &schema).map_err(io::Error::other)?;
    arrow_batches(trace, &schema, writer)
}

/// Writes a trace as an Arrow IPC file, which pandas calls Feather, with the columns of [`ipc_stream`] and this metadata.
///
/// # Errors
/// If the trace cannot be read or written.
pub fn ipc_file(
    trace: &dyn TraceReader,
    unit: &str,
    metadata: HashMap<String, String>,
    out: &mut dyn Write,
) -> io::Result<()> {
    let schema = arrow_schema(unit, metadata);
    let writer = FileWriter::try_new(out, &schema).map_err(io::Error::other)?;
    arrow_batches(trace, &schema, writer)
}

fn arrow_schema(unit: &str, metadata: HashMap<String, String>) -> Arc<Schema> {
    let with_unit =
        |field: Field, unit: &str| field.with_metadata(HashMap::from([("unit".to_owned(), unit.to_owned())]));
    let fields = vec![
        with_unit(Field::new("wavelength_nm", DataType::Float64, false), "nm"),
        with_unit(Field::new("value", DataType::Float32, true), unit),
    ];
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

fn arrow_batches(
    trace: &dyn TraceReader,
    schema: &Arc<Schema>,
    mut writer: impl RecordBatchWriter,
) -> io::Result<()> {
    let axis = trace.grid().axis();
    each_piece(trace, |first, values| {
        let wavelengths = (first..).zip(values).map(|(index, _)| axis.nm(index));
        let values: Float32Array =
            values.iter().map(|value| Some(*value).filter(|v| v.is_finite())).collect();
        let columns: Vec<arrow_array::ArrayRef> =
            vec![Arc::new(Float64Array::from_iter_values(wavelengths)), Arc::new(values)];
        let batch = RecordBatch::try_new(Arc::clone(schema), columns).map_err(io::Error::other)?;
        writer.write(&batch).map_err(io::Error::other)
    })?;
    writer.close().map_err(io::Error::other)
}

/// Writes a trace as JSON: `{"metadata": …, "wavelengths": [nm], "values": [dB or dBm]}`. A value that is not finite
/// is null.
///
/// # Errors
/// If the trace cannot be read or written.
pub fn json(trace: &dyn TraceReader, metadata: &Value, out: &mut dyn Write) -> io::Result<()> {
    let grid = trace.grid();
    let axis = grid.axis();
    let mut out = BufWriter::with_capacity(PIECE, out);
    let mut digits = Digits::default();
    write!(out, "{{\"metadata\":{metadata},\"wavelengths\":[")?;
    for index in 0..grid.points {
        if index > 0 {
            out.write_all(b",")?;
        }
        out.write_all(digits.wavelength_nm(axis, index))?;
    }
    out.write_all(b"],\"values\":[")?;
    each_piece(trace, |first, values| {
        for (index, value) in (first..).zip(values) {
            if index > 0 {
                out.write_all(b",")?;
            }
            out.write_all(if value.is_finite() { digits.level(*value) } else { b"null" })?;
        }
        Ok(())
    })?;
    out.write_all(b"]}")?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Spool;

    fn spool() -> Spool {
        let mut spool = Spool::new(Grid { start_nm: 1520.0, step_pm: 1.0, points: 3 }).unwrap();
        spool.push(&[-3.5, f32::NAN]).unwrap();
        spool.push(&[-27.25]).unwrap();
        spool
    }

    #[test]
    fn a_npy_file_is_as_long_as_it_was_announced_and_its_data_is_aligned() {
        let mut bytes = Vec::new();
        npy(&spool(), ["wavelengths", "values"], &mut bytes).unwrap();
        assert_eq!(bytes.len() as u64, npy_bytes(["wavelengths", "values"], 3));
        let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        assert_eq!((header % 64, bytes[header - 1]), (0, b'\n'));
        assert_eq!(bytes[header + 8..header + 16], (-3.5f64).to_le_bytes());
    }

    #[test]
    fn what_is_not_finite_is_empty_in_csv_and_null_in_json() {
        let (mut as_csv, mut as_json) = (Vec::new(), Vec::new());
        csv(&spool(), &["unit of value: dB".to_owned()], &mut as_csv).unwrap();
        json(&spool(), &serde_json::json!({ "module": 4 }), &mut as_json).unwrap();
        assert_eq!(
            String::from_utf8(as_csv).unwrap(),
            "# unit of value: dB\nwavelength_nm,value\n1520,-3.5\n1520.001,\n1520.002,-27.25\n"
        );
        let value: Value = serde_json::from_slice(&as_json).unwrap();
        assert_eq!(value["wavelengths"], serde_json::json!([1520.0, 1520.001, 1520.002]));
        assert_eq!(value["values"], serde_json::json!([-3.5, null, -27.25]));
    }
}
