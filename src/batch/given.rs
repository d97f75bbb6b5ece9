//! The values of an entry of a batch, each with its written form and its position.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use serde_json::Value;

use super::file::{Devices, ItemEntry};
use super::values::{kind, no_value};
use crate::decode::ReadError;
use crate::recipe::{PlainFile, read_table};
use crate::source::{Diagnostic, Position, Severity, SourceFile};
use crate::table::Written;

/// A value with its position.
#[derive(Debug, Clone)]
pub(super) struct Given {
    pub(super) written: Written,
    pub(super) origin: Origin,
}

/// A position in an entry.
#[derive(Debug, Clone)]
pub(super) enum Origin {
    /// In the entry, at this path.
    Entry(Vec<String>),
    /// In the file of the devices.
    File(Arc<SourceFile>, Position),
}

impl Origin {
    pub(super) fn entry(path: &[&str]) -> Self {
        Self::Entry(path.iter().map(|part| (*part).to_owned()).collect())
    }

    /// A finding at this position; `at_key`: about the name instead of the value.
    pub(super) fn say(&self, severity: Severity, at_key: bool, message: impl Into<String>) -> EntryFinding {
        let (path, place) = match self {
            Self::Entry(path) => (path.clone(), None),
            Self::File(source, at) => (Vec::new(), Some((Arc::clone(source), *at))),
        };
        EntryFinding { severity, error: ReadError { at_key, ..ReadError::new(message).under(&path) }, place }
    }

    pub(super) fn refuse(&self, message: impl Into<String>) -> EntryFinding {
        self.say(Severity::Error, false, message)
    }
}

/// A finding about an entry.
#[derive(Debug, Clone)]
pub struct EntryFinding {
    /// The severity.
    pub severity: Severity,
    /// The message, with its path in the entry.
    pub error: ReadError,
    /// The position, if it is in another file.
    pub place: Option<(Arc<SourceFile>, Position)>,
}

impl EntryFinding {
    /// An error in the entry itself.
    #[must_use]
    pub fn within(error: ReadError) -> Self {
        Self { severity: Severity::Error, error, place: None }
    }

    /// The finding with its position; `way` is the path of the entry in `plain`.
    #[must_use]
    pub fn located(self, plain: &PlainFile, way: &[String]) -> Diagnostic {
        let Self { severity, error, place } = self;
        let found = match place {
            Some(_) => Diagnostic { place, hint: error.hint, ..Diagnostic::error(error.message) },
            None => plain.locate(error.under(way)),
        };
        Diagnostic { severity, ..found }
    }

    /// The finding without a position in the entry, because the entry has no text.
    #[must_use]
    pub fn told(self) -> Diagnostic {
        let Self { severity, error, place } = self;
        Diagnostic { severity, place, hint: error.hint, message: error.message }
    }

    /// The same finding with a hint.
    pub(super) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.error.hint = Some(hint.into());
        self
    }
}

/// The devices of an entry.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// The names that the rows use, each with its first position.
    pub(super) names: Vec<(String, Origin)>,
    /// The values of each row.
    pub(super) rows: Vec<Vec<(String, Given)>>,
    /// Notes about the devices.
    pub(super) findings: Vec<EntryFinding>,
}

impl Rows {
    fn add(&mut self, cells: Vec<(String, Origin, Given)>) {
        let mut row = Vec::with_capacity(cells.len());
        for (name, origin, given) in cells {
            if !self.names.iter().any(|(known, _)| *known == name) {
                self.names.push((name.clone(), origin));
            }
            row.push((name, given));
        }
        self.rows.push(row);
    }

    fn found(&mut self, findings: Vec<Diagnostic>) {
        self.findings.extend(findings.into_iter().map(in_file));
    }
}

/// A finding about the file of the devices. Without a position it is reported at the entry's path of that file.
fn in_file(finding: Diagnostic) -> EntryFinding {
    let Diagnostic { severity, message, place, hint } = finding;
    let way = if place.is_some() { Vec::new() } else { vec!["devices".to_owned()] };
    EntryFinding { severity, error: ReadError { hint, ..ReadError::new(message).under(&way) }, place }
}

/// Reads the devices of an entry. Paths are relative to `folder`; `number` returns the written form of a number of
/// the entry.
pub(super) fn devices(
    entry: &ItemEntry,
    folder: &Path,
    number: &dyn Fn(&[String]) -> Option<String>,
) -> Result<Rows, Vec<EntryFinding>> {
    match &entry.devices {
        None => Ok(Rows { rows: vec![Vec::new()], ..Rows::default() }),
        Some(Devices::Here(rows)) => here(rows, number),
        Some(Devices::File(name)) => {
            let path = folder.join(name);
            let is_yaml = path.extension().is_some_and(|kind| kind == "yaml" || kind == "yml");
            let read = if is_yaml { from_yaml(&path) } else { from_csv(&path) };
            read.map_err(|found| found.into_iter().map(in_file).collect())
        }
    }
}

fn here(
    given: &[BTreeMap<String, Value>],
    number: &dyn Fn(&[String]) -> Option<String>,
) -> Result<Rows, Vec<EntryFinding>> {
    let (mut rows, mut wrong) = (Rows::default(), Vec::new());
    for (index, row) in given.iter().enumerate() {
        let mut cells = Vec::new();
        for (name, value) in row {
            let way = ["devices".to_owned(), index.to_string(), name.clone()];
            let origin = Origin::Entry(way.to_vec());
            match Written::new(value, number(&way)) {
                Some(written) => cells.push((name.clone(), origin.clone(), Given { written, origin })),
                None => wrong.push(origin.refuse(no_value(name, value))),
            }
        }
        rows.add(cells);
    }
    if wrong.is_empty() { Ok(rows) } else { Err(wrong) }
}

fn from_csv(path: &Path) -> Result<Rows, Vec<Diagnostic>> {
    let table = read_table(path)?;
    let mut rows = Rows::default();
    let place = |at: Position| Origin::File(Arc::clone(&table.source), at);
    for row in &table.rows {
        let cells = table.names.iter().zip(row).map(|(name, cell)| {
            let given = Given { written: Written::Bare(cell.text.clone()), origin: place(cell.at) };
            (name.text.clone(), place(name.at), given)
        });
        rows.add(cells.collect());
    }
    rows.found(table.findings);
    Ok(rows)
}

fn from_yaml(path: &Path) -> Result<Rows, Vec<Diagnostic>> {
    let plain = PlainFile::load(path)?;
    let refuse = |way: &[String], message: String| plain.locate(ReadError::new(message).under(way));
    let Value::Array(items) = plain.value() else {
        return Err(vec![refuse(&[], "a file of devices must be a list of maps".to_owned())]);
    };
    let (mut rows, mut wrong) = (Rows::default(), Vec::new());
    for (index, item) in items.iter().enumerate() {
        let index = index.to_string();
        let Value::Object(map) = item else {
            let message = format!("a device must be a map of names and values, not {}", kind(item));
            wrong.push(refuse(std::slice::from_ref(&index), message));
            continue;
        };
        let mut cells = Vec::new();
        for name in plain.names(&[&index]) {
            let way = [index.clone(), name.clone()];
            let place = |at_key| {
                let (source, at) = plain.place(&way, at_key);
                Origin::File(source, at)
            };
            let value = map.get(&name).unwrap_or(&Value::Null);
            match Written::new(value, plain.number(&way)) {
                Some(written) => cells.push((name, place(true), Given { written, origin: place(false) })),
                None => wrong.push(refuse(&way, no_value(&name, value))),
            }
        }
        rows.add(cells);
    }
    if wrong.is_empty() { Ok(rows) } else { Err(wrong) }
}
