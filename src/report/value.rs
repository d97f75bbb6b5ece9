//! The report as plain data, used by the page and by programs. Times are UTC, durations are in seconds.

mod lines;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::analysis::verdict::{FigureYield, Verdict};
use crate::measurement::PowerLevels;
use crate::run::state::results::{FigureLine, GoldenFigure};
use crate::store::{HostRecord, InstrumentRecord, NamedRecord, RecipeRecord, RunState, VerdictSummary};
use crate::wafer::WaferMap;
pub use lines::{
    Consequence, FaultLine, KindTime, LinkLoss, Missing, PlaceLine, PromptLine, TraceLine, Warning, Why,
};

/// The report of a run. Its lists have a limit that few runs reach; [`Report::more`] counts the rest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Version of this format.
    pub schema_version: u32,
    /// Identifier of the run.
    pub run: String,
    /// Name of the recipe.
    pub name: String,
    /// How it ended.
    pub state: RunState,
    /// Why the run ended in this state; `None` for `done`.
    pub reason: Option<String>,
    /// The worst verdict on figures; `None` without limits.
    #[serde(default)]
    pub verdict: Option<Verdict>,
    /// How many analyses and devices have each verdict; `None` without limits.
    #[serde(default)]
    pub verdicts: Option<VerdictSummary>,
    /// Measured with the embedded simulator.
    pub simulated: bool,
    /// When the run began.
    pub started: DateTime<Utc>,
    /// When the run ended; `None` if it has no recorded end.
    pub finished: Option<DateTime<Utc>>,
    /// Duration, s; without an end, until its last event.
    pub seconds: f64,
    /// Estimated duration, s.
    pub estimated_s: Option<f64>,
    /// Numbers of steps and traces.
    pub counts: Counts,
    /// Each failed attempt, in order.
    pub faults: Vec<FaultLine>,
    /// Planned steps and traces that are missing.
    pub missing: Vec<Missing>,
    /// The command that finishes the run; `None` if there is nothing to finish.
    pub finish_command: Option<String>,
    /// The state of the lasers at the end.
    pub lasers: LasersEnd,
    /// Lasers confirmed off.
    pub lasers_off: Vec<u8>,
    /// Lasers that may be on.
    pub lasers_unknown: Vec<u8>,
    /// Instruments on the bench that the run has used and that are confirmed safe.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instruments_safe: Vec<String>,
    /// Instruments on the bench that the run has used and that may not be safe.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instruments_unknown: Vec<String>,
    /// Periods without a link to the instrument.
    pub link_losses: Vec<LinkLoss>,
    /// Periods for which the run was held.
    pub holds: Holds,
    /// Questions and their answers.
    pub prompts: Vec<PromptLine>,
    /// Warnings that did not make a step fail.
    pub warnings: Vec<Warning>,
    /// Recorded power.
    pub power: Power,
    /// Estimated and actual time for each kind of step.
    pub kinds: Vec<KindTime>,
    /// The results for each place of the recipe.
    pub places: Vec<PlaceLine>,
    /// The stored traces.
    pub traces: Vec<TraceLine>,
    /// How many devices have each verdict on each figure.
    #[serde(default)]
    pub yields: Vec<FigureYield>,
    /// The figures of the analyses.
    #[serde(default)]
    pub figures: Vec<FigureLine>,
    /// The figures of golden devices.
    #[serde(default)]
    pub golden: Vec<GoldenFigure>,
    /// The dies of each wafer, if the recipe states their positions.
    #[serde(default)]
    pub wafers: Vec<WaferMap>,
    /// How many entries each list leaves out.
    pub more: More,
    /// Number of unreadable lines in the journal.
    pub unreadable_lines: u64,
    /// Recipe, parameters, instrument, computer.
    #[serde(flatten)]
    pub about: About,
}

/// Numbers of steps and traces.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Steps that succeeded, possibly after several attempts.
    pub done: u64,
    /// Steps that failed in all attempts.
    pub failed: u64,
    /// Steps that succeeded, but not in the first attempt.
    pub retried: u64,
    /// Planned steps that never began.
    pub skipped: u64,
    /// Steps that were in progress when the run was stopped or interrupted.
    pub cut_short: u64,
    /// Failed attempts that were followed by another attempt.
    pub repeats: u64,
    /// Number of stored traces.
    pub traces: u64,
    /// Number of planned traces; `None` if it could not be known.
    pub traces_foreseen: Option<u64>,
}

/// The state of the lasers at the end of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LasersEnd {
    /// The lasers that the run used are confirmed off.
    Off,
    /// Some lasers could not be confirmed off.
    Unknown,
    /// The lasers were left on, because the recipe contains `leave_lasers_on`.
    LeftOn,
    /// The run has no recorded end, so nothing turned the lasers off.
    NoEnd,
}

/// Periods for which the run was held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Holds {
    /// Number of periods.
    pub times: u64,
    /// Total duration, s.
    pub seconds: f64,
}

/// Recorded power.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Power {
    /// Number of readings in all files.
    pub readings: u64,
    /// Number of files.
    pub files: u64,
    /// Number of readings of `read_power`. These are also in the journal, even if the last file was lost.
    pub by_recipe: u64,
    /// The levels in the files, for each detector.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<PowerLevels>,
}

/// How many entries the lists leave out.
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
    /// Figures.
    #[serde(default)]
    pub figures: u64,
}

/// Recipe, parameters, instrument, computer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// The run folder on the computer that wrote the report.
    pub folder: String,
    /// The recipe.
    pub recipe: RecipeRecord,
    /// The parameters of the run.
    pub parameters: BTreeMap<String, Value>,
    /// The metadata of the recipe, with additions from the command line.
    pub metadata: BTreeMap<String, Value>,
    /// The instrument.
    pub instrument: InstrumentRecord,
    /// The named instruments that the recipe is known to use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instruments: Vec<NamedRecord>,
    /// Options of the embedded simulator, if the run started one.
    pub simulator: Option<Value>,
    /// The computer, and the version of ctp10.
    pub host: HostRecord,
    /// Whether raw commands were sent.
    pub used_scpi: bool,
    /// The version of ctp10 that wrote the report.
    pub report_by: String,
}
