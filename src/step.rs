//! A step: an operation with its options and its place in the recipe.
//!
//! A recipe hands its steps to a [`Host`], which returns an [`Outcome`] or a [`Fault`].

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decimal;
use crate::operation::{Operation, plain};
use crate::source::Position;
use crate::units::{self, Seconds};

pub mod align;
mod analysis;
mod columns;
mod fault;
mod fields;
mod host;
mod outcome;
#[cfg(test)]
pub(crate) mod recorder;
pub(crate) mod shared;

pub use analysis::{AnalysisOutcome, TraceAnalysis, stop_unless_passed};
pub use columns::{Column, ColumnType, ColumnValue, DETECTOR_COLUMN, DecidedBy, columns, constant};
pub use fault::{Fault, FaultKind};
pub use fields::{read, resolve_detectors};
pub use host::{Forecast, Host, Now, RunTime, Suspension, TraceReader};
pub use outcome::Outcome;

/// The number of repetitions after a fault, and the pause before each of them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Number of repetitions, at most 100.
    #[schemars(range(max = 100))]
    pub times: u32,
    /// Pause before each repetition. Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_s: Option<Seconds>,
}

/// Whether the run stops or continues after a failed step.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The run stops (after `finally`).
    #[default]
    Stop,
    /// The run continues and ends as failed.
    Continue,
    /// The run continues with the next turn of the innermost loop, and ends as failed.
    NextTurn,
}

/// The options that any operation may have in addition to its own fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepOptions {
    /// An identifier for the result of the step, `steps.<id>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Repeats the step after a fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Longest time for one attempt. The time of a pause is not counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<Seconds>,
    /// Whether the run stops after a fault, continues with the next step, or with the next turn of the loop.
    #[serde(default)]
    pub on_error: OnError,
}

impl StepOptions {
    /// The option names, none of which is a field of an operation.
    pub const NAMES: [&'static str; 4] = ["id", "retry", "timeout_s", "on_error"];

    /// The outcome, unless the step has failed and the recipe has to leave the turn of its loop.
    ///
    /// # Errors
    /// The fault that leaves the turn.
    pub fn unless_turn_ends(&self, outcome: Outcome) -> Result<Outcome, Fault> {
        match outcome {
            Outcome::Failed(fault) if self.on_error == OnError::NextTurn => Err(fault.next_turn()),
            other => Ok(other),
        }
    }
}

/// One turn of a loop around a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoopPoint {
    /// The loop variable; empty for `times` and `while`.
    pub name: String,
    /// Its value: a map for the row of a table, null for `times` and `while`.
    pub value: serde_json::Value,
    /// Which turn, from 0.
    pub index: u64,
    /// The number of turns, if it is known.
    pub count: Option<u64>,
}

impl LoopPoint {
    /// The constants that it adds to trace files, by name: its variable, or each column of the row of a table.
    #[must_use]
    pub fn columns(&self) -> Vec<(&String, &serde_json::Value)> {
        match &self.value {
            serde_json::Value::Object(row) => row.iter().collect(),
            _ if self.name.is_empty() => Vec::new(),
            value => vec![(&self.name, value)],
        }
    }

    /// Whether the value is the row of a golden device, which is measured again and again.
    #[must_use]
    pub fn is_golden(&self) -> bool {
        is_golden(&self.value)
    }

    /// The turn for people. A variable that ends with a unit is written with it: `power_dbm` is `power -5 dBm`.
    fn shown(&self) -> String {
        if self.name.is_empty() {
            let of = self.count.map(|count| format!(" of {count}")).unwrap_or_default();
            return format!("turn {}{of}", self.index + 1);
        }
        let value = match &self.value {
            serde_json::Value::Object(row) => plain(self.row_name(row).unwrap_or(&self.value)),
            serde_json::Value::Number(number) => decimal::print(number).to_string(),
            value => plain(value),
        };
        match units::split_chosen(&self.name) {
            Some((name, unit)) if self.value.is_number() => format!("{name} {value} {unit}"),
            _ => format!("{}={value}", self.name),
        }
    }

    /// What stands for the row of a table: its column with the name of the variable, or a column that names a device.
    fn row_name<'a>(
        &self,
        row: &'a serde_json::Map<String, serde_json::Value>,
    ) -> Option<&'a serde_json::Value> {
        std::iter::once(self.name.as_str()).chain(NAMING_COLUMNS).find_map(|column| row.get(column))
    }
}

/// The column that marks golden devices.
pub const GOLDEN_COLUMN: &str = "golden";

/// Whether the row of a table is that of a golden device: its column `golden` is `true`, `yes` or 1.
#[must_use]
pub fn is_golden(row: &serde_json::Value) -> bool {
    match row.get(GOLDEN_COLUMN) {
        Some(serde_json::Value::Bool(is_golden)) => *is_golden,
        Some(serde_json::Value::String(text)) => ["true", "yes", "1"].contains(&text.to_lowercase().as_str()),
        Some(serde_json::Value::Number(number)) => number.as_f64() == Some(1.0),
        Some(serde_json::Value::Null | serde_json::Value::Array(_) | serde_json::Value::Object(_)) | None => {
            false
        }
    }
}

/// Columns whose values name the devices of a table.
const NAMING_COLUMNS: [&str; 4] = ["device", "die", "name", "id"];

/// The place of a step in the recipe, with the turns of the surrounding loops. Together they are its key in the
/// journal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The source's name, as in `SourceFile`.
    pub file: String,
    /// Line and column of the step.
    pub position: Option<Position>,
    /// The path of the step: `steps[6].repeat.steps[1]`; for scripts `call[17]`, counted from 1.
    pub path: String,
    /// The surrounding loops, outermost first.
    pub loops: Vec<LoopPoint>,
}

/// The beginning of the path of a step that belongs to `suspend_when`.
pub const SUSPENSION: &str = "suspend_when.";

impl Place {
    /// Whether the step belongs to `suspend_when`, outside the recipe's own steps.
    #[must_use]
    pub fn is_in_suspension(&self) -> bool {
        self.path.starts_with(SUSPENSION)
    }

    /// Whether the step comes from a script.
    #[must_use]
    pub fn is_in_script(&self) -> bool {
        self.path.rsplit('.').next().is_some_and(|last| last.starts_with("call["))
    }

    /// The path of the surrounding loop at this depth, from 1; empty at depth 0.
    #[must_use]
    pub fn loop_path(&self, depth: usize) -> &str {
        let ends = self.path.match_indices(".repeat.").map(|(at, _)| at);
        depth.checked_sub(1).and_then(|nth| ends.clone().nth(nth)).map_or("", |end| &self.path[..end])
    }

    /// Whether this place and the other one are in the same turns of all loops that surround both.
    #[must_use]
    pub fn shares_turns_with(&self, other: &Self) -> bool {
        let common = (1..=self.loops.len().min(other.loops.len()))
            .take_while(|depth| self.loop_path(*depth) == other.loop_path(*depth));
        common.into_iter().all(|depth| self.loops[depth - 1].index == other.loops[depth - 1].index)
    }

    /// The constants that the surrounding loops add to trace files, by name.
    pub fn columns(&self) -> impl Iterator<Item = (&String, &serde_json::Value)> {
        self.loops.iter().flat_map(LoopPoint::columns)
    }

    /// The turns of the surrounding loops, for people: `device=ring_3`, `power -5 dBm`, `turn 2 of 3`.
    #[must_use]
    pub fn shown_turns(&self) -> Vec<String> {
        self.loops.iter().map(LoopPoint::shown).collect()
    }

    /// The turns of the surrounding loops, as a prefix of the step: `(power=-5, 2/3) `; empty outside loops.
    #[must_use]
    pub fn turns(&self) -> String {
        let turns: Vec<String> = self
            .loops
            .iter()
            .map(|turn| match (turn.name.as_str(), turn.count) {
                ("", Some(count)) => format!("{}/{count}", turn.index + 1),
                ("", None) => format!("turn {}", turn.index + 1),
                (name, _) => match &turn.value {
                    serde_json::Value::Object(row) => {
                        format!("{name}={}", plain(turn.row_name(row).unwrap_or(&turn.value)))
                    }
                    serde_json::Value::Number(number) => format!("{name}={}", decimal::print(number)),
                    value => format!("{name}={value}"),
                },
            })
            .collect();
        if turns.is_empty() { String::new() } else { format!("({}) ", turns.join(", ")) }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(position) = self.position {
            write!(f, ":{}:{}", position.line, position.column)?;
        }
        Ok(())
    }
}

/// One operation to perform.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The operation.
    pub operation: Operation,
    /// The options.
    pub options: StepOptions,
    /// The place in the recipe.
    pub place: Place,
}

impl Step {
    /// A quick reading in a loop of a YAML recipe: it takes less than a second, and loops may have thousands of them.
    #[must_use]
    pub fn is_quick_reading(&self) -> bool {
        let (traits, place) = (self.operation.traits(), &self.place);
        traits.gives_readings()
            && traits.least_s().is_some_and(|seconds| seconds < QUICK.as_secs_f64())
            && !place.loops.is_empty()
            && !place.is_in_script()
            && !place.is_in_suspension()
    }
}

/// A reading that takes less than this time is quick.
pub const QUICK: Duration = Duration::from_secs(1);

/// Parameters and loop variables as a recipe sees them.
pub type Values = BTreeMap<String, serde_json::Value>;
