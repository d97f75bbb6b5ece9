//! A report as a value: plain data, the same for the page and for programs. Times are UTC, durations are seconds.

mod lines;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::store::{HostRecord, InstrumentRecord, RecipeRecord, RunState};
pub use lines::{
    Consequence, FaultLine, KindTime, LinkLoss, Missing, PlaceLine, PromptLine, TraceLine, Warning, Why,
};

/// What became of a run. Lists are cut at a length that no bench reaches by day; [`Report::more`] counts the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this format.
    pub schema_version: u32,
    /// The run's identifier.
    pub run: String,
    /// The recipe's name.
    pub name: String,
    /// How it ended.
    pub state: RunState,
    /// Why it ended so, when not `done`.
    pub reason: Option<String>,
    /// Measured with the embedded instrument.
    pub simulated: bool,
    /// When it began.
    pub started: DateTime<Utc>,
    /// When it ended; `None` when it has no end.
    pub finished: Option<DateTime<Utc>>,
    /// How long it took, s; without an end, until its last sign of life.
    pub seconds: f64,
    /// How long it was foreseen to take, s.
    pub estimated_s: Option<f64>,
    /// The run in numbers.
    pub counts: Counts,
    /// Each failed attempt, in order.
    pub faults: Vec<FaultLine>,
    /// What was foreseen and did not come.
    pub missing: Vec<Missing>,
    /// The command that finishes the run; `None` when there is nothing to finish.
    pub finish_command: Option<String>,
    /// What is known of the lasers at the end.
    pub lasers: LasersEnd,
    /// Off, as the instrument confirmed.
    pub lasers_off: Vec<u8>,
    /// May be on.
    pub lasers_unknown: Vec<u8>,
    /// Times without a link to the instrument.
    pub link_losses: Vec<LinkLoss>,
    /// Times for which it was held.
    pub holds: Holds,
    /// Questions and their answers.
    pub prompts: Vec<PromptLine>,
    /// What the operator should know and that failed no step.
    pub warnings: Vec<Warning>,
    /// Recorded power.
    pub power: Power,
    /// Forecast against actual time for each kind of step.
    pub kinds: Vec<KindTime>,
    /// Each place of the recipe once, with what became of it.
    pub places: Vec<PlaceLine>,
    /// The stored traces.
    pub traces: Vec<TraceLine>,
    /// How many more there are than each list holds.
    pub more: More,
    /// Lines of the journal that could not be read.
    pub unreadable_lines: u64,
    /// What ran, with what, where.
    #[serde(flatten)]
    pub about: About,
}

/// The run in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Steps that succeeded, those that needed several attempts included.
    pub done: u64,
    /// Steps that failed for good.
    pub failed: u64,
    /// Steps that succeeded, but not at the first attempt.
    pub retried: u64,
    /// Steps that were foreseen and never begun.
    pub skipped: u64,
    /// Steps that were under way when the run was stopped or cut short.
    pub cut_short: u64,
    /// Failed attempts that were followed by another one.
    pub repeats: u64,
    /// Traces stored.
    pub traces: u64,
    /// Traces foreseen; `None` when nobody could know.
    pub traces_foreseen: Option<u64>,
}

/// What is known of the run's lasers at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LasersEnd {
    /// Those that the run had used are off, as the instrument confirmed.
    Off,
    /// Some could not be confirmed off.
    Unknown,
    /// Left as they were: the recipe says `leave_lasers_on`.
    LeftOn,
    /// The run has no end: nothing turned them off.
    NoEnd,
}

/// Times for which the run was held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Holds {
    /// How often.
    pub times: u64,
    /// How long in all, s.
    pub seconds: f64,
}

/// Recorded power.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Power {
    /// Readings in all files.
    pub readings: u64,
    /// Files.
    pub files: u64,
    /// Readings that `read_power` gave: these are in the journal, too, whatever became of the last file.
    pub by_recipe: u64,
}

/// How many more there are than the lists hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct More {
    /// Faults.
    pub faults: u64,
    /// Link losses.
    pub link_losses: u64,
    /// Questions.
    pub prompts: u64,
    /// Warnings.
    pub warnings: u64,
    /// Traces.
    pub traces: u64,
}

/// What ran, with what, where.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The run folder on the computer that wrote the report.
    pub folder: String,
    /// The recipe.
    pub recipe: RecipeRecord,
    /// The parameters it ran with.
    pub parameters: BTreeMap<String, Value>,
    /// The recipe's metadata and what the command line added.
    pub metadata: BTreeMap<String, Value>,
    /// The instrument.
    pub instrument: InstrumentRecord,
    /// Options of the embedded instrument, where the run started one.
    pub simulator: Option<Value>,
    /// Who ran it, and with what version of ctp10.
    pub host: HostRecord,
    /// Whether raw commands were sent.
    pub used_scpi: bool,
    /// The version of ctp10 that wrote the report.
    pub report_by: String,
}
