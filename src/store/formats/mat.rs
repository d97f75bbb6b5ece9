//! The `.mat` files of MATLAB, Octave and scipy (level 5), written while the trace is read.
//!
//! A variable begins with its size. The size follows from the number of points, so nothing has to be kept.

use std::io::{self, Write};

use super::{write_values, write_wavelengths};
use crate::step::TraceReader;

/// Types of data elements.
const INT8: u32 = 1;
const UINT8: u32 = 2;
const UINT16: u32 = 4;
const INT32: u32 = 5;
const UINT32: u32 = 6;
const DOUBLE: u32 = 9;
const MATRIX: u32 = 14;
const UTF16: u32 = 17;
/// Classes of arrays.
const STRUCT: u32 = 2;
const CHAR: u32 = 4;
const DOUBLES: u32 = 6;
const BYTES: u32 = 9;
/// The mark of an array of true and false.
const LOGICAL: u32 = 1 << 9;
/// Room for the name of a field, with a zero at its end.
const NAME: usize = 32;
/// Room for the name of a variable in MATLAB.
const VARIABLE: usize = 63;

/// A value of a field.
pub enum MatValue<'a> {
    /// All wavelengths of the trace, nm.
    Wavelengths(&'a dyn TraceReader),
    /// All values of the trace, dB or dBm. One that is not finite is NaN.
    Values(&'a dyn TraceReader),
    /// A number.
    Number(f64),
    /// True or false.
    Truth(bool),
    /// A text.
    Text(String),
    /// Fields with names of their own.
    Struct(Vec<(String, MatValue<'a>)>),
}

/// Writes the head of a file. Variables follow.
///
/// # Errors
/// If it cannot be written.
pub fn mat_head(out: &mut dyn Write) -> io::Result<()> {
    let text = format!("MATLAB 5.0 MAT-file, written by ctp10 {}", env!("CARGO_PKG_VERSION"));
    // 116 bytes of text, 8 bytes that are unused, the version, and a mark for the order of bytes.
    write!(out, "{text:<116}{:8}", "")?;
    out.write_all(&[0, 1, b'I', b'M'])
}

/// Writes a variable. Its name and those of the fields are made identifiers.
///
/// # Errors
/// If it is too large for the format, or cannot be read or written.
pub fn mat_variable(name: &str, value: &MatValue<'_>, out: &mut dyn Write) -> io::Result<()> {
    element(&identifier(name, VARIABLE), value, out)
}

/// An identifier: letters, digits and underscores, a letter first.
fn identifier(name: &str, longest: usize) -> String {
    let fit = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
    let plain: String = name.chars().map(fit).collect();
    let first = plain.starts_with(|letter: char| letter.is_ascii_alphabetic());
    let mut plain = if first { plain } else { format!("x{plain}") };
    plain.truncate(longest);
    plain
}

/// The names of fields, no two alike.
fn field_names(fields: &[(String, MatValue<'_>)]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for (name, _) in fields {
        let plain = identifier(name, NAME - 1);
        let others = (2..).map(|number| format!("{}_{number}", identifier(name, NAME - 8)));
        let free = std::iter::once(plain).chain(others).find(|name| !names.contains(name));
        names.extend(free);
    }
    names
}

/// The letters of a text, 16 bits each. A letter that needs more is replaced: readers count one place for each letter.
fn units(text: &str) -> Vec<u16> {
    let replacement = char::REPLACEMENT_CHARACTER as u16;
    text.chars().map(|letter| u16::try_from(u32::from(letter)).unwrap_or(replacement)).collect()
}

/// The bytes of data in multiples of 8.
fn padded(bytes: u64) -> u64 {
    bytes.next_multiple_of(8)
}

/// The size of an array without its tag.
fn size(name: &str, value: &MatValue<'_>) -> u64 {
    // Flags and dimensions take 16 bytes each, and each tag takes 8.
    let head = 32 + 8 + padded(name.len() as u64);
    head + match value {
        MatValue::Wavelengths(trace) | MatValue::Values(trace) => 8 + 8 * trace.grid().points,
        MatValue::Number(_) | MatValue::Truth(_) => 16,
        MatValue::Text(text) => 8 + padded(2 * units(text).len() as u64),
        MatValue::Struct(fields) => {
            let names = 8 + 8 + padded((NAME * fields.len()) as u64);
            names + fields.iter().map(|(_, value)| 8 + size("", value)).sum::<u64>()
        }
    }
}

fn tag(kind: u32, bytes: u64, out: &mut dyn Write) -> io::Result<()> {
    let too_large = |_| io::Error::other("the trace is too large for a MAT file, which ends at 4 GiB");
    let bytes = u32::try_from(bytes).map_err(too_large)?;
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&bytes.to_le_bytes())
}

/// Data of less than 4 GiB with its tag.
fn data(kind: u32, bytes: &[u8], out: &mut dyn Write) -> io::Result<()> {
    tag(kind, bytes.len() as u64, out)?;
    out.write_all(bytes)?;
    out.write_all(&[0; 8][..bytes.len().next_multiple_of(8) - bytes.len()])
}

fn element(name: &str, value: &MatValue<'_>, out: &mut dyn Write) -> io::Result<()> {
    let (class, rows, columns) = match value {
        MatValue::Wavelengths(trace) | MatValue::Values(trace) => (DOUBLES, trace.grid().points, 1),
        MatValue::Number(_) => (DOUBLES, 1, 1),
        MatValue::Truth(_) => (BYTES | LOGICAL, 1, 1),
        MatValue::Text(text) => {
            let letters = units(text).len() as u64;
            (CHAR, u64::from(letters > 0), letters)
        }
        MatValue::Struct(_) => (STRUCT, 1, 1),
    };
    tag(MATRIX, size(name, value), out)?;
    data(UINT32, &u64::from(class).to_le_bytes(), out)?;
    let [rows, columns] = [rows, columns].map(|count| u32::try_from(count).unwrap_or(u32::MAX));
    data(INT32, &[rows.to_le_bytes(), columns.to_le_bytes()].concat(), out)?;
    data(INT8, name.as_bytes(), out)?;
    match value {
        MatValue::Wavelengths(trace) => {
            tag(DOUBLE, 8 * trace.grid().points, out)?;
            write_wavelengths(trace.grid(), out)
        }
        MatValue::Values(trace) => {
            tag(DOUBLE, 8 * trace.grid().points, out)?;
            write_values(*trace, out)
        }
        MatValue::Number(number) => data(DOUBLE, &number.to_le_bytes(), out),
        MatValue::Truth(truth) => data(UINT8, &[u8::from(*truth)], out),
        MatValue::Text(text) => {
            // Octave reads other letters than ASCII from neither type; scipy reads them from the second one.
            let kind = if text.is_ascii() { UINT16 } else { UTF16 };
            data(kind, &units(text).into_iter().flat_map(u16::to_le_bytes).collect::<Vec<_>>(), out)
        }
        MatValue::Struct(fields) => {
            // The room for a name is in the tag itself, as all programs write it.
            out.write_all(&[[5, 0, 4, 0], (NAME as u32).to_le_bytes()].concat())?;
            let mut names = Vec::new();
            for name in field_names(fields) {
                names.extend(name.as_bytes());
                names.resize(names.len().next_multiple_of(NAME), 0);
            }
            data(INT8, &names, out)?;
            fields.iter().try_for_each(|(_, value)| element("", value, out))
        }
    }
}
