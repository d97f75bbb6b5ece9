//! Operations that wait, speak, ask, or send text as it stands.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::grammar::Line;
use crate::measurement::Detector;
use crate::units::{Decibels, Seconds};

/// Waits until the power at a detector is stable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "StableFields")]
#[schemars(with = "StableFields")]
pub struct Stable {
    /// The detector.
    pub detector: Detector,
    /// Largest allowed difference between the highest and the lowest reading.
    pub within_db: Decibels,
    /// Time for which the readings must stay within the tolerance.
    pub for_s: Seconds,
    /// After this time the step fails.
    pub timeout_s: Seconds,
}

/// Waits until the power at a detector is stable.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stable")]
struct StableFields {
    /// The detector.
    detector: Detector,
    /// Largest allowed difference between the highest and the lowest reading.
    within_db: Decibels,
    /// Time for which the readings must stay within the tolerance.
    for_s: Seconds,
    /// After this time the step fails.
    timeout_s: Seconds,
}

impl TryFrom<StableFields> for Stable {
    type Error = String;

    fn try_from(given: StableFields) -> Result<Self, String> {
        let StableFields { detector, within_db, for_s, timeout_s } = given;
        if for_s > timeout_s {
            return Err(format!("`for_s` {for_s} is longer than `timeout_s` {timeout_s}"));
        }
        Ok(Self { detector, within_db, for_s, timeout_s })
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct WaitFields {
    /// Waits for this time.
    seconds: Option<Seconds>,
    /// Waits until the next occurrence of this local time, `HH:MM` or `HH:MM:SS`.
    at: Option<String>,
    /// Waits until the power at a detector is stable.
    stable: Option<Stable>,
}

/// Waits for a time, until a time of day, or until the power is stable.
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
            (None, None, Some(stable)) => Ok(Self::Stable(stable)),
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

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ScpiFields {
    /// A command without a reply.
    command: Option<String>,
    /// A query. Its reply is the result of the step.
    query: Option<String>,
    /// Whether the step may be repeated automatically (`configure`, `measure`) or not (`ask`). Default: `measure` for
    /// a query, `ask` for a command.
    effect: Option<Effect>,
}

/// Sends one line of SCPI as written. The manifest records that the run has sent raw SCPI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "ScpiFields", into = "ScpiOut")]
#[schemars(with = "ScpiFields")]
pub struct Scpi {
    /// The line to send.
    pub text: String,
    /// Whether a reply is expected.
    pub is_query: bool,
    /// The effect of repeating it.
    pub effect: Effect,
}

#[derive(Serialize)]
struct ScpiOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    command: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    effect: Effect,
}

impl From<Scpi> for ScpiOut {
    fn from(scpi: Scpi) -> Self {
        let (command, query) = if scpi.is_query { (None, Some(scpi.text)) } else { (Some(scpi.text), None) };
        Self { command, query, effect: scpi.effect }
    }
}

impl TryFrom<ScpiFields> for Scpi {
    type Error = String;

    fn try_from(given: ScpiFields) -> Result<Self, String> {
        let (text, is_query) = match (given.command, given.query) {
            (Some(command), None) => (command, false),
            (None, Some(query)) => (query, true),
            _ => return Err("`scpi` takes exactly one of `command`, `query`".to_owned()),
        };
        if text.trim().is_empty() || text.contains(['\r', '\n']) {
            return Err("`scpi` takes one line of text".to_owned());
        }
        let line = Line::parse(&text).map_err(|error| error.to_string())?;
        // A query is repeated after a lost connection, a command never is. So one line cannot be both.
        if is_query && !line.is_query() {
            return Err(format!("query `{text}` has a part that is not a query: write it as `command`"));
        }
        if !is_query && line.has_reply() {
            return Err(format!("command `{text}` has a reply: write it as `query`"));
        }
        let effect = given.effect.unwrap_or(if is_query { Effect::Measure } else { Effect::Ask });
        Ok(Self { text, is_query, effect })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_of_scpi_asks_or_commands_and_never_both() {
        let read = |fields| serde_json::from_value::<Scpi>(fields).map_err(|error| error.to_string());
        assert!(read(json!({ "query": "*IDN?;SYST:ERR?" })).is_ok());
        assert!(read(json!({ "command": "*CLS;INIT:TLS1:SPE 50" })).is_ok());
        assert!(read(json!({ "command": "NOTE \"what?;why?\"" })).is_ok());
        assert!(read(json!({ "command": "NOTE \"what" })).unwrap_err().contains("is not closed"));
        assert!(read(json!({ "query": "INIT;*OPC?" })).unwrap_err().contains("not a query"));
        assert!(read(json!({ "command": "INIT;*OPC?" })).unwrap_err().contains("has a reply"));
        assert!(read(json!({ "command": "*CLS", "query": "*IDN?" })).unwrap_err().contains("exactly one"));
    }
}
