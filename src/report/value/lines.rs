//! The entries of the lists in a report.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::measurement::{Extreme, TraceSummary};
use crate::step::FaultKind;

/// The consequence of a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consequence {
    /// Another attempt followed.
    Retried,
    /// The run continued with the next step (`on_error: continue`).
    PassedOver,
    /// The script caught the fault and continued.
    Caught,
    /// The fault ended the `finally` of the recipe.
    EndedFinally,
    /// The fault ended the run.
    EndedRun,
}

/// A failed attempt at a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultLine {
    /// The time.
    pub time: DateTime<Utc>,
    /// The time since the start, by the clock of the run, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_s: Option<f64>,
    /// Number of the step within the run.
    pub number: u64,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// Where the step is written: `recipe.yaml:12:5`.
    pub place: String,
    /// The path of the step in the recipe.
    pub path: String,
    /// The step, preceded by its loop values.
    pub step: String,
    /// The kind of the fault.
    pub kind: FaultKind,
    /// The message.
    pub message: String,
    /// How to correct it.
    pub hint: Option<String>,
    /// The consequence.
    pub consequence: Consequence,
    /// The pause before the next attempt, s.
    pub after_s: Option<f64>,
    /// Whether a later attempt at the same step succeeded.
    pub recovered: bool,
}

/// Why a planned step is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The step failed.
    Failed,
    /// The run ended during the step.
    CutShort,
    /// The run did not reach the step.
    NotReached,
}

/// A place of the recipe with missing steps or traces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Missing {
    /// The path in the recipe.
    pub path: String,
    /// Where it is written: `recipe.yaml:12:5`; empty if the run did not reach it.
    pub place: String,
    /// The step.
    pub step: String,
    /// How often it was done.
    pub done: u64,
    /// How often it was planned.
    pub of: u64,
    /// Number of missing traces.
    pub traces: u64,
    /// The reason.
    pub why: Why,
}

/// A period without a link to the instrument.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkLoss {
    /// When the link was lost.
    pub time: DateTime<Utc>,
    /// The time since the start, by the clock of the run, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_s: Option<f64>,
    /// The reason.
    pub reason: String,
    /// Duration, s; `None` if the link was not restored.
    pub seconds: Option<f64>,
}

/// A question of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptLine {
    /// When the question was asked, or answered without being asked.
    pub time: DateTime<Utc>,
    /// The time since the start, by the clock of the run, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_s: Option<f64>,
    /// Number of the step.
    pub number: u64,
    /// The question.
    pub message: String,
    /// Its answer.
    pub answer: Option<String>,
    /// True for the answer of an operator; false for the default without an operator.
    pub by_operator: bool,
    /// Time until the answer, s.
    pub seconds: Option<f64>,
}

/// A warning for the operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Warning {
    /// The time.
    pub time: DateTime<Utc>,
    /// The time since the start, by the clock of the run, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_s: Option<f64>,
    /// The message.
    pub message: String,
}

/// Estimated and actual time of one kind of step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KindTime {
    /// The operation.
    pub kind: String,
    /// Number of steps begun.
    pub steps: u64,
    /// Their estimated time, s.
    pub estimated_s: f64,
    /// Their actual time including failed attempts, s.
    pub seconds: f64,
}

/// One place of the recipe.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlaceLine {
    /// The path in the recipe.
    pub path: String,
    /// Where it is written: `recipe.yaml:12:5`; empty if the run did not reach it.
    pub place: String,
    /// The operation, with the values of its first turn.
    pub step: String,
    /// Whether it is within `finally`.
    pub finally: bool,
    /// How often it was planned; 0 if it was not.
    pub foreseen: u64,
    /// How often it was begun.
    pub begun: u64,
    /// How often it succeeded.
    pub done: u64,
    /// How often it failed in all attempts.
    pub failed: u64,
    /// How often it succeeded, but not in the first attempt.
    pub retried: u64,
    /// How often it was in progress when the run was stopped or interrupted.
    pub cut_short: u64,
    /// Number of planned traces.
    pub traces_foreseen: u64,
    /// Number of stored traces.
    pub traces: u64,
    /// Estimated time of the steps that were begun, s.
    pub estimated_s: f64,
    /// Actual time, s.
    pub seconds: f64,
}

/// A stored trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceLine {
    /// The trace and its file.
    #[serde(flatten)]
    pub trace: TraceSummary,
    /// The loop values of the trace.
    pub turns: String,
    /// Whether its sweep or its transfer needed several attempts.
    pub repeated: bool,
    /// The lowest insertion loss of a transmission function, dB.
    pub insertion_loss: Option<Extreme>,
    /// The lowest transmission of a transmission function with a dip, dB.
    pub dip: Option<Extreme>,
}
