//! Writes traces in one format, with what their files say about themselves.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::Exported;
use crate::cli::ExportFormat;
use crate::store::formats::{self, MatValue, Npz};
use crate::store::{Provenance, StoreError, write_pieces, write_whole};

/// What a reader must see first.
pub(super) const SIMULATED: &str = "SIMULATED: no light and no device, all values are computed";

/// The files of one trace. NPY has no place for metadata, so a JSON file comes with it.
pub(super) fn targets(target: &Path, format: ExportFormat) -> Vec<PathBuf> {
    match format {
        ExportFormat::Npy => vec![target.to_owned(), target.with_extension("json")],
        ExportFormat::Csv | ExportFormat::Npz | ExportFormat::Arrow | ExportFormat::Mat => {
            vec![target.to_owned()]
        }
    }
}

/// Writes one trace.
pub(super) fn trace(
    trace: &Exported,
    format: ExportFormat,
    target: &Path,
    force: bool,
) -> Result<(), StoreError> {
    let Exported { file, about, .. } = trace;
    write_pieces(target, force, |out| match format {
        ExportFormat::Csv => formats::csv(file, &comments(about), out),
        ExportFormat::Npy => formats::npy(file, ["wavelength_nm", "value"], out),
        ExportFormat::Arrow => formats::ipc_file(file, &about.unit, texts(about), out),
        ExportFormat::Npz => {
            let mut npz = Npz::new(out);
            add_to_npz(&mut npz, "", trace)?;
            npz.finish()
        }
        ExportFormat::Mat => {
            formats::mat_head(out)?;
            formats::mat_variable("trace", &mat(trace), out)
        }
    })?;
    if format == ExportFormat::Npy {
        let text = format!("{:#}\n", about.to_json());
        write_whole(&target.with_extension("json"), text.as_bytes())?;
    }
    Ok(())
}

/// The traces of a run. Each is opened when it is written.
pub(super) type Traces<'a> = &'a mut dyn Iterator<Item = Result<Exported, StoreError>>;
type Opened<'a> = &'a mut dyn Iterator<Item = Exported>;

/// Writes all traces of a run into one archive. The names of its arrays begin with the name of the trace.
pub(super) fn npz_of_run(traces: Traces<'_>, target: &Path, force: bool) -> Result<(), StoreError> {
    together(traces, target, force, |opened, out| {
        let mut npz = Npz::new(out);
        for trace in opened {
            add_to_npz(&mut npz, &format!("{}/", trace.stem), &trace)?;
        }
        npz.finish()
    })
}

/// Writes all traces of a run into one MAT file, one variable for each.
pub(super) fn mat_of_run(traces: Traces<'_>, target: &Path, force: bool) -> Result<(), StoreError> {
    together(traces, target, force, |opened, out| {
        formats::mat_head(out)?;
        for trace in opened {
            formats::mat_variable(&format!("trace_{}", trace.stem), &mat(&trace), out)?;
        }
        Ok(())
    })
}

fn together(
    traces: Traces<'_>,
    target: &Path,
    force: bool,
    fill: impl FnOnce(Opened<'_>, &mut dyn io::Write) -> io::Result<()>,
) -> Result<(), StoreError> {
    // The error of a trace that cannot be opened names its file.
    let mut unreadable = None;
    let written = write_pieces(target, force, |out| {
        fill(&mut traces.map_while(|trace| trace.map_err(|error| unreadable = Some(error)).ok()), out)?;
        if unreadable.is_some() { Err(io::Error::other("a trace cannot be read")) } else { Ok(()) }
    });
    match unreadable {
        Some(error) => Err(error),
        None => written,
    }
}

fn add_to_npz<W: io::Write>(npz: &mut Npz<W>, prefix: &str, trace: &Exported) -> io::Result<()> {
    npz.trace(prefix, &trace.file)?;
    npz.text(&format!("{prefix}unit"), &trace.about.unit)?;
    npz.text(&format!("{prefix}metadata"), &trace.about.to_json().to_string())
}

/// The lines before the columns of a CSV file.
fn comments(about: &Provenance) -> Vec<String> {
    let entry = |(name, value): (&str, &Value)| match value {
        // A line end in a text would end the comment.
        Value::String(text) if !text.contains(char::is_control) => format!("{name}: {text}"),
        other => format!("{name}: {other}"),
    };
    let name = |text: &str| text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect::<String>();
    let simulated = about.simulated.then(|| SIMULATED.to_owned());
    let units = ["unit of wavelength_nm: nm".to_owned(), format!("unit of value: {}", about.unit)];
    let entries = about.entries().into_iter().map(|(key, value)| entry((&name(key), value)));
    simulated.into_iter().chain(units).chain(entries).collect()
}

/// Everything as texts, by name.
fn texts(about: &Provenance) -> HashMap<String, String> {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    about.entries().into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect()
}

fn mat(trace: &Exported) -> MatValue<'_> {
    let about = &trace.about;
    let columns = about.columns.iter().map(|(name, value)| (name.clone(), mat_value(value)));
    let fields = [
        ("wavelength_nm", MatValue::Wavelengths(&trace.file)),
        ("value", MatValue::Values(&trace.file)),
        ("value_unit", MatValue::Text(about.unit.clone())),
        ("simulated", MatValue::Truth(about.simulated)),
        ("columns", MatValue::Struct(columns.collect())),
        ("metadata", MatValue::Text(ascii(&about.to_json().to_string()))),
    ];
    MatValue::Struct(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// JSON with nothing but ASCII, which all readers of MAT files understand.
fn ascii(json: &str) -> String {
    let escaped = |letter: char| match letter.is_ascii() {
        true => letter.to_string(),
        false => letter.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect(),
    };
    json.chars().map(escaped).collect()
}

fn mat_value(value: &Value) -> MatValue<'_> {
    match value {
        Value::Null => MatValue::Number(f64::NAN),
        Value::Bool(truth) => MatValue::Truth(*truth),
        Value::Number(number) => MatValue::Number(number.as_f64().unwrap_or(f64::NAN)),
        Value::String(text) => MatValue::Text(text.clone()),
        Value::Array(_) | Value::Object(_) => MatValue::Text(value.to_string()),
    }
}
