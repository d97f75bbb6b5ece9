//! Sends a query again until its reply meets a condition.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::operation::http::interval;
use crate::units::Seconds;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct TextPollFields {
    /// An expression over `reply` that is true when the instrument is ready. `reply` is the number, the numbers or the text,
    /// as `parse` says.
    ready: String,
    /// An expression over `reply` that is true when the action has failed. Then the step fails at once.
    failed: Option<String>,
    /// Time between two queries. Default: 0.5 s.
    interval_s: Option<Seconds>,
    /// After this time the poll is a fault.
    timeout_s: Seconds,
}

/// Sends a query again until its reply meets a condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "TextPollFields")]
#[schemars(with = "TextPollFields")]
pub struct TextPoll {
    /// An expression over `reply`.
    pub ready: String,
    /// An expression over `reply`: the action has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
    /// Time between two queries.
    pub interval_s: Seconds,
    /// After this time the poll is a fault.
    pub timeout_s: Seconds,
}

impl TryFrom<TextPollFields> for TextPoll {
    type Error = String;

    fn try_from(given: TextPollFields) -> Result<Self, String> {
        let TextPollFields { ready, failed, interval_s, timeout_s } = given;
        Ok(Self { ready, failed, interval_s: interval(interval_s, timeout_s)?, timeout_s })
    }
}
