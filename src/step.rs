//! A step: an operation with its options and its place in the recipe; and what performs it, seen from the recipe.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decimal;
use crate::measurement::{Grid, PowerReading, TraceSummary};
use crate::operation::{Operation, plain};
use crate::source::Position;
use crate::units::Seconds;

mod columns;
mod fields;
#[cfg(test)]
pub(crate) mod recorder;

pub use columns::{Column, ColumnType, ColumnValue, DETECTOR_COLUMN, DecidedBy, columns, constant};
pub use fields::{read, resolve_detectors};

/// How often to try again, and how long to wait in between.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retry {
    /// Further attempts after the first, at most 100.
    #[schemars(range(max = 100))]
    pub times: u32,
    /// Pause before each of them; 0 when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_s: Option<Seconds>,
}

/// What a failed step means for the rest.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnError {
    /// The run stops (after `finally`).
    #[default]
    Stop,
    /// The run goes on and ends as failed.
    Continue,
}

/// What any operation's map may hold beside the operation's own fields.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepOptions {
    /// An identifier, for `steps.<id>`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Try again after a fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
    /// Longest time for one attempt. Time spent paused does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_s: Option<Seconds>,
    /// What a fault means for the rest of the run.
    #[serde(default)]
    pub on_error: OnError,
}

impl StepOptions {
    /// The option names, none of which is a field of an operation.
    pub const NAMES: [&'static str; 4] = ["id", "retry", "timeout_s", "on_error"];
}

/// One turn of a loop around a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoopPoint {
    /// The loop variable; empty for `times` and `while`.
    pub name: String,
    /// Its value: a map where it is the row of a table, null for `times` and `while`.
    pub value: serde_json::Value,
    /// Which turn, from 0.
    pub index: u64,
    /// How many turns there are, where that is known.
    pub count: Option<u64>,
}

impl LoopPoint {
    /// The constants that it adds to trace files, by name: its variable or, where that is the row of a table, each of
    /// the row's columns.
    #[must_use]
    pub fn columns(&self) -> Vec<(&String, &serde_json::Value)> {
        match &self.value {
            serde_json::Value::Object(row) => row.iter().collect(),
            _ if self.name.is_empty() => Vec::new(),
            value => vec![(&self.name, value)],
        }
    }
}

/// Where a step stands in the recipe, and in which turn of which loops. Together they are its key in the journal.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// The source's name, as in `SourceFile`.
    pub file: String,
    /// Line and column of the step.
    pub position: Option<Position>,
    /// The way to the step: `steps[6].repeat.steps[1]`; for scripts `call[17]`, counted from 1.
    pub path: String,
    /// The loops around it, outermost first.
    pub loops: Vec<LoopPoint>,
}

/// What the way to a step begins with that belongs to `suspend_when`.
pub const SUSPENSION: &str = "suspend_when.";

impl Place {
    /// Whether the step belongs to `suspend_when`: it stands beside the recipe's own.
    #[must_use]
    pub fn is_beside(&self) -> bool {
        self.path.starts_with(SUSPENSION)
    }

    /// Whether a script asks for the step.
    #[must_use]
    pub fn is_in_script(&self) -> bool {
        self.path.rsplit('.').next().is_some_and(|last| last.starts_with("call["))
    }

    /// The turns of the loops around the step, to stand in front of it: `(power=-5, 2/3) `; empty outside loops.
    #[must_use]
    pub fn turns(&self) -> String {
        let turns: Vec<String> = self
            .loops
            .iter()
            .map(|turn| match (turn.name.as_str(), turn.count) {
                ("", Some(count)) => format!("{}/{count}", turn.index + 1),
                ("", None) => format!("turn {}", turn.index + 1),
                // A row with a column of the variable's own name is called by it.
                (name, _) => match &turn.value {
                    serde_json::Value::Object(row) => {
                        format!("{name}={}", plain(row.get(name).unwrap_or(&turn.value)))
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
    /// What to do.
    pub operation: Operation,
    /// How to treat its failure.
    pub options: StepOptions,
    /// Where it comes from.
    pub place: Place,
}

/// What kind of thing went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The request is wrong or not allowed: bench limits, a bad value, nobody there to answer.
    Refused,
    /// The instrument answered with an error.
    Instrument,
    /// The instrument cannot be reached, or its connection was lost.
    Link,
    /// Something took longer than it may.
    Timeout,
    /// A scan never started.
    DidNotStart,
    /// The run folder cannot be written or read.
    Store,
    /// The recipe itself failed: an expression, a script error.
    Recipe,
    /// The operator stopped the run. Cannot be caught.
    Stopped,
}

/// Why an operation was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What kind of thing went wrong.
    pub kind: FaultKind,
    /// Source and position, where the recipe itself is to blame.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<(String, Position)>,
    /// What happened, with the causes.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

impl Fault {
    /// A fault without a hint.
    #[must_use]
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, at: None, message: message.into(), hint: None }
    }

    /// The same fault at a place of the recipe.
    #[must_use]
    pub fn at(mut self, file: &str, position: Position) -> Self {
        self.at = Some((file.to_owned(), position));
        self
    }

    /// The same fault with a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((file, Position { line, column })) = &self.at {
            write!(f, "{file}:{line}:{column}: ")?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// What an operation gave.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "value")]
pub enum Outcome {
    /// Done; there is nothing to tell.
    Done,
    /// It failed, and the step says `on_error: continue`.
    Failed(Fault),
    /// The settings as re-read from the instrument, by field name.
    Settings(serde_json::Map<String, serde_json::Value>),
    /// Whether a reference was recorded anew (`false`: a valid one was kept).
    Reference {
        /// Recorded by this operation.
        created: bool,
    },
    /// The traces stored, in the order asked for.
    Traces(Vec<TraceSummary>),
    /// Power readings in the order taken.
    Power(Vec<PowerReading>),
    /// The operator's answer.
    Answer(String),
    /// The instrument's reply to a query.
    Reply(String),
    /// What another instrument replied.
    Http {
        /// The status code.
        status: u16,
        /// The body: JSON, a text, or nothing.
        reply: serde_json::Value,
    },
}

/// Reads a stored trace for a script, window by window.
pub trait TraceReader: Send + Sync {
    /// The wavelength axis of the whole trace.
    fn grid(&self) -> Grid;

    /// Hands the values of `range` (indices into the grid) to `take` in order, in pieces of moderate size.
    /// Values that were not finite come as NaN.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    fn read(&self, range: std::ops::Range<u64>, take: &mut dyn FnMut(u64, &[f32])) -> Result<(), Fault>;
}

/// What performs operations, seen from a recipe. It blocks until the operation is done.
///
/// The runner is one; the planner, which touches nothing, is another.
pub trait Host: Send + Sync {
    /// Performs one step, retries included, and gives its outcome.
    ///
    /// # Errors
    /// When the step failed and the recipe may not go on past it, or when the run is being stopped.
    fn perform(&self, step: Step) -> Result<Outcome, Fault>;

    /// Opens a stored trace.
    ///
    /// # Errors
    /// When its file cannot be read.
    fn open_trace(&self, trace: &TraceSummary) -> Result<Arc<dyn TraceReader>, Fault>;

    /// Seconds since 1970-01-01 UTC, as the run sees it (recorded, so that a resumed run sees the same).
    ///
    /// # Errors
    /// When the run is being stopped.
    fn now(&self) -> Result<f64, Fault>;

    /// True when the recipe should give up at the next opportunity: asked now and then inside long computations.
    fn stopping(&self) -> bool;

    /// The recipe's `finally` begins: from here on a first stop does not count any more.
    fn begin_finally(&self);

    /// Whether a recipe is held where its `suspend_when` says so. A forecast holds nothing.
    fn suspends(&self) -> bool {
        false
    }

    /// The recipe is held because this condition holds; `None`: not any more.
    ///
    /// # Errors
    /// When the run is being stopped.
    fn suspend(&self, _condition: Option<&str>) -> Result<(), Fault> {
        Ok(())
    }

    /// A forecast looks at what a recipe performs only where its `suspend_when` comes in, beside the plan; a run does not.
    fn look_aside(&self, _look: &mut dyn FnMut() -> Result<(), Fault>) {}

    /// Does the last sweep again, with what was fetched after it. What the recipe was told of these stays; a forecast does
    /// nothing.
    ///
    /// # Errors
    /// When it failed, or when the run is being stopped.
    fn repeat_sweep(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// The recipe was told what this step gave when it was performed before. The planner goes on from there.
    fn was_performed(&self, _step: &Step) {}

    /// A value that was measured is about to decide what comes next. The planner marks what follows.
    fn uses_measurement(&self) {}

    /// The same host for the thread of a script, where it may be asked from there: a forecast. Each request to another one
    /// changes threads.
    fn shared(&self) -> Option<Arc<dyn Host>> {
        None
    }
}

/// Parameters and loop variables as a recipe sees them.
pub type Values = BTreeMap<String, serde_json::Value>;
