//! Operations that wait, speak or ask.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::stable::{Stable, StableGiven, Steady};
use crate::units::Seconds;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WaitFields {
    /// Waits for this time.
    seconds: Option<Seconds>,
    /// Waits until the next occurrence of this local time, `HH:MM` or `HH:MM:SS`.
    at: Option<String>,
    /// Waits until the power at a detector, or the reading of an instrument on the bench, is stable.
    stable: Option<StableGiven>,
}

/// Waits for a time, until a time of day, or until a power or another reading is stable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "WaitFields", rename_all = "snake_case")]
#[schemars(with = "WaitFields")]
pub enum Wait {
    /// Waits for this time.
    Seconds(Seconds),
    /// Until this local time of day.
    At(String),
    /// Waits until the power at a detector is stable.
    Stable(Stable),
    /// Waits until the reading of an instrument on the bench is stable.
    #[serde(rename = "stable")]
    Steady(Steady),
}

impl TryFrom<WaitFields> for Wait {
    type Error = String;

    fn try_from(given: WaitFields) -> Result<Self, String> {
        match (given.seconds, given.at, given.stable) {
            (Some(seconds), None, None) => Ok(Self::Seconds(seconds)),
            (None, Some(at), None) => match time_of_day(&at) {
                Some(_) => Ok(Self::At(at)),
                None => Err(format!("`{at}` is not a time of day: write \"HH:MM\" or \"HH:MM:SS\", quoted")),
            },
            (None, None, Some(StableGiven::Power(stable))) => Ok(Self::Stable(stable)),
            (None, None, Some(StableGiven::Reading(steady))) => Ok(Self::Steady(steady)),
            _ => Err("`wait` takes exactly one of `seconds`, `at`, `stable`".to_owned()),
        }
    }
}

/// A time of day as `wait: at` takes it.
#[must_use]
pub fn time_of_day(text: &str) -> Option<chrono::NaiveTime> {
    let parse = |format| chrono::NaiveTime::parse_from_str(text, format).ok();
    parse("%H:%M").or_else(|| parse("%H:%M:%S"))
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct LogFields {
    /// The text.
    message: String,
}

/// Writes a line to the journal of the run and to the terminal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "LogFields")]
#[schemars(with = "LogFields")]
pub struct Log {
    /// The text.
    pub message: String,
}

impl From<LogFields> for Log {
    fn from(given: LogFields) -> Self {
        Self { message: given.message }
    }
}

/// Asks the operator a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Prompt {
    /// The question.
    pub message: String,
    /// The allowed answers. Without them any text is allowed, also an empty one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub choices: Vec<String>,
    /// The answer if no person has been present since the start of the run, or if no one answers in time. Without it
    /// the step fails in these cases.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unattended: Option<String>,
}

/// The effect of repeating an operation. It decides whether a retry or a resumed run may repeat it automatically.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// Sets an absolute value, so a repetition is harmless.
    Configure,
    /// Measures, so it can be repeated.
    Measure,
    /// Moves something or asks a person: never repeated automatically.
    Ask,
}
