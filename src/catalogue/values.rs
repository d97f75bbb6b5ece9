//! Values that only some runs have: parameters, metadata, and the columns of their traces (devices, loops).

use std::collections::BTreeSet;

use rusqlite::types::Value as SqlValue;
use rusqlite::{Connection, Statement};
use serde::Deserialize;
use serde_json::Value;

use super::{BATCH, BATCH_ITEM};
use crate::operation::{Constant, Operation};
use crate::step::{Step, columns};
use crate::store::read_run_journal;
use crate::store::runs::FoundRun;

/// Longest text that is kept, bytes. Nobody looks for a longer one.
const LONGEST: usize = 1_000;
/// Most different values of one run.
const MOST: usize = 10_000;

/// Where a value comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// A parameter of the recipe.
    Parameter,
    /// Metadata of the recipe, of the command line or of the batch.
    Metadata,
    /// A constant column of the trace files: devices of a batch, loops and their tables.
    Column,
}

impl Origin {
    pub(super) const ALL: [Self; 3] = [Self::Parameter, Self::Metadata, Self::Column];

    /// The word in the table, and in a condition.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Parameter => "parameter",
            Self::Metadata => "metadata",
            Self::Column => "column",
        }
    }
}

/// A value; equal values are kept once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Stored {
    /// The bits of a double.
    Number(u64),
    Text(String),
}

/// The values of a run.
#[derive(Debug, Default)]
pub(super) struct RunValues(BTreeSet<(Origin, String, Stored)>);

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum StepEvent {
    StepStarted {
        step: Box<Step>,
    },
    #[serde(other)]
    Other,
}

impl RunValues {
    /// The values of a run, from its manifest and from the fetches in its journal.
    pub(super) fn of(run: &FoundRun) -> Self {
        let (mut values, manifest) = (Self::default(), &run.manifest);
        for (name, value) in &manifest.parameters {
            values.add(Origin::Parameter, name, value);
        }
        // Batch and item have columns of their own.
        let own = |name: &str| name != BATCH && name != BATCH_ITEM;
        for (name, value) in manifest.metadata.iter().filter(|(name, _)| own(name)) {
            values.add(Origin::Metadata, name, value);
        }
        for (name, value) in &manifest.columns {
            values.add_constant(name, value);
        }
        // Damage of a journal is reported by `verify`.
        for event in read_run_journal::<StepEvent>(&run.folder).into_iter().flatten().flatten() {
            if let StepEvent::StepStarted { step } = event
                && let Operation::FetchTrace(fetch) = &step.operation
            {
                for (name, value) in columns(fetch, &step.place) {
                    values.add_constant(&name, &value);
                }
            }
        }
        values
    }

    fn add(&mut self, origin: Origin, name: &str, value: &Value) {
        match value {
            Value::Number(number) => {
                if let Some(number) = number.as_f64() {
                    self.put(origin, name, Stored::Number(number.to_bits()));
                }
            }
            Value::String(text) => self.put(origin, name, Stored::Text(text.clone())),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => {
                self.put(origin, name, Stored::Text(value.to_string()));
            }
            Value::Null => {}
        }
    }

    fn add_constant(&mut self, name: &str, value: &Constant) {
        let stored = match value {
            Constant::Number(number) => Stored::Number(number.to_bits()),
            Constant::Text(text) => Stored::Text(text.clone()),
        };
        self.put(Origin::Column, name, stored);
    }

    fn put(&mut self, origin: Origin, name: &str, value: Stored) {
        let is_long = matches!(&value, Stored::Text(text) if text.len() > LONGEST);
        if self.0.len() < MOST && !is_long {
            self.0.insert((origin, name.to_owned(), value));
        }
    }
}

/// The statement that writes values.
pub(super) struct PutValues<'c>(Statement<'c>);

impl<'c> PutValues<'c> {
    pub(super) fn new(connection: &'c Connection) -> rusqlite::Result<Self> {
        let put = "INSERT OR IGNORE INTO run_values (name, value, run, origin) VALUES (?1, ?2, ?3, ?4)";
        connection.prepare(put).map(Self)
    }

    /// Writes the values of the run with this number in the table.
    pub(super) fn put(&mut self, run: i64, values: &RunValues) -> rusqlite::Result<()> {
        for (origin, name, value) in &values.0 {
            let value = match value {
                Stored::Number(bits) => SqlValue::Real(f64::from_bits(*bits)),
                Stored::Text(text) => SqlValue::Text(text.clone()),
            };
            self.0.execute((name, value, run, origin.word()))?;
        }
        Ok(())
    }
}

/// The names of all values that any run has.
pub(super) fn known_names(
    connection: &Connection,
    origin: Option<Origin>,
) -> rusqlite::Result<BTreeSet<String>> {
    let mut asked =
        connection.prepare("SELECT DISTINCT name FROM run_values WHERE ?1 IS NULL OR origin = ?1")?;
    asked.query_map([origin.map(Origin::word)], |row| row.get(0))?.collect()
}
