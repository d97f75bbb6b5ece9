//! The lines of a report's lists.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::measurement::{Extreme, TraceSummary};
use crate::step::FaultKind;

/// What followed a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consequence {
    /// Another attempt.
    Retried,
    /// The run went on with the next step (`on_error: continue`).
    PassedOver,
    /// The script caught it and went on.
    Caught,
    /// It ended the recipe's `finally`.
    EndedFinally,
    /// It ended the run.
    EndedRun,
}

/// A failed attempt at a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FaultLine {
    /// When.
    pub time: DateTime<Utc>,
    /// The step's number within the run.
    pub number: u64,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// Where the step stands: `recipe.yaml:12:5`.
    pub place: String,
    /// The way to it in the recipe.
    pub path: String,
    /// The step, with its loop values in front.
    pub step: String,
    /// What kind of thing went wrong.
    pub kind: FaultKind,
    /// What happened.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// What followed.
    pub consequence: Consequence,
    /// The pause before the next attempt, s.
    pub after_s: Option<f64>,
    /// A later attempt at the same step succeeded.
    pub recovered: bool,
}

/// Why a planned step is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It failed.
    Failed,
    /// The run ended while it was under way.
    CutShort,
    /// The run did not come to it.
    NotReached,
}

/// A place of the recipe of which something did not come.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Missing {
    /// The way to it in the recipe.
    pub path: String,
    /// Where it stands: `recipe.yaml:12:5`; empty when the run did not come to it.
    pub place: String,
    /// The step.
    pub step: String,
    /// How often it was done.
    pub done: u64,
    /// How often it was foreseen.
    pub of: u64,
    /// Traces that did not come.
    pub traces: u64,
    /// Why.
    pub why: Why,
}

/// A time without a link to the instrument.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinkLoss {
    /// When it was lost.
    pub time: DateTime<Utc>,
    /// Why.
    pub reason: String,
    /// How long it was away, s; `None` when it did not come back.
    pub seconds: Option<f64>,
}

/// A question of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptLine {
    /// When it was asked, or answered when nobody was asked.
    pub time: DateTime<Utc>,
    /// The step that asked.
    pub number: u64,
    /// The question.
    pub message: String,
    /// Its answer.
    pub answer: Option<String>,
    /// True for an operator's answer; false when it was taken because nobody was there.
    pub by_operator: bool,
    /// How long the answer took, s.
    pub seconds: Option<f64>,
}

/// Something the operator should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Warning {
    /// When.
    pub time: DateTime<Utc>,
    /// What.
    pub message: String,
}

/// Forecast against actual time of one kind of step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KindTime {
    /// The operation.
    pub kind: String,
    /// Steps begun.
    pub steps: u64,
    /// Foreseen for these, s.
    pub estimated_s: f64,
    /// Taken by these, failed attempts included, s.
    pub seconds: f64,
}

/// One place of the recipe.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PlaceLine {
    /// The way to it.
    pub path: String,
    /// Where it stands: `recipe.yaml:12:5`; empty when the run did not come to it.
    pub place: String,
    /// The operation, with the values of its first turn.
    pub step: String,
    /// Within `finally`.
    pub finally: bool,
    /// How often it was foreseen; 0 when it was not.
    pub foreseen: u64,
    /// How often it was begun.
    pub begun: u64,
    /// How often it succeeded.
    pub done: u64,
    /// How often it failed for good.
    pub failed: u64,
    /// How often it succeeded, but not at the first attempt.
    pub retried: u64,
    /// How often it was under way when the run was stopped or cut short.
    pub cut_short: u64,
    /// Traces foreseen.
    pub traces_foreseen: u64,
    /// Traces stored.
    pub traces: u64,
    /// Time foreseen for those that were begun, s.
    pub estimated_s: f64,
    /// Time taken, s.
    pub seconds: f64,
}

/// A stored trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceLine {
    /// What it is and where it lies.
    #[serde(flatten)]
    pub trace: TraceSummary,
    /// The loop values it was taken with.
    pub turns: String,
    /// Its sweep or its transfer needed more than one attempt.
    pub repeated: bool,
    /// The lowest insertion loss, dB, of a transmission function.
    pub insertion_loss: Option<Extreme>,
    /// The lowest transmission, dB, of a transmission function that dips.
    pub dip: Option<Extreme>,
}
