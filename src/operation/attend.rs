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

/// A time of day: `HH:MM` or `HH:MM:SS`. Each number has two digits, because `7:5` may mean 07:05 or 07:50.
#[must_use]
pub fn time_of_day(text: &str) -> Option<chrono::NaiveTime> {
    let number = |part: &str| -> Option<u32> {
        let is_whole = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse().ok().filter(|_| is_whole)
    };
    let numbers: Vec<u32> = text.split(':').map(number).collect::<Option<_>>()?;
    match numbers[..] {
        [hour, minute] => chrono::NaiveTime::from_hms_opt(hour, minute, 0),
        [hour, minute, second] => chrono::NaiveTime::from_hms_opt(hour, minute, second),
        _ => None,
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_of_day_has_two_digits_for_each_number_and_no_leap_second() {
        for (text, shown) in [("07:05", "07:05:00"), ("23:59:59", "23:59:59"), ("00:00", "00:00:00")] {
            assert_eq!(time_of_day(text).map(|time| time.to_string()).as_deref(), Some(shown));
        }
        for wrong in [
            "7:5",
            "07:5",
            " 08:00",
            "08:00 ",
            "23:59:60",
            "24:00",
            "12:60",
            "+1:00",
            "08",
            "08:00:00:00",
            "",
        ] {
            assert_eq!(time_of_day(wrong), None, "{wrong}");
        }
    }
}
