//! The result of an operation.

use serde::{Deserialize, Serialize};

use super::align::Alignment;
use super::{AnalysisOutcome, Fault};
use crate::measurement::{PowerReading, TraceSummary};
use crate::operation::Reading;

/// The result of an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "value")]
pub enum Outcome {
    /// Done, without a result.
    Done,
    /// The step failed and has `on_error: continue` or `next_turn`.
    Failed(Fault),
    /// The settings as re-read from the instrument, by field name.
    Settings(serde_json::Map<String, serde_json::Value>),
    /// Whether a new reference was recorded (`false`: a valid one was kept).
    Reference {
        /// Recorded by this operation.
        created: bool,
    },
    /// The stored traces, in the order of the operation.
    Traces(Vec<TraceSummary>),
    /// Figures of merit and verdicts.
    Analysis(Box<AnalysisOutcome>),
    /// Power readings in the order taken.
    Power(Vec<PowerReading>),
    /// The power that an alignment has found.
    Alignment(Alignment),
    /// The operator's answer.
    Answer(String),
    /// The instrument's reply to a query.
    Reply(String),
    /// The number in the reply to a query.
    Number(f64),
    /// The numbers in the reply to a query.
    Numbers(Vec<f64>),
    /// The reply of another instrument.
    Http {
        /// The status code.
        status: u16,
        /// The body: JSON, a text, or nothing.
        reply: serde_json::Value,
    },
}

impl From<Reading> for Outcome {
    fn from(reading: Reading) -> Self {
        match reading {
            Reading::Text(text) => Self::Reply(text),
            Reading::Number(number) => Self::Number(number),
            Reading::Numbers(numbers) => Self::Numbers(numbers),
        }
    }
}
