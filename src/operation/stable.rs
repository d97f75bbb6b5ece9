//! Waits until a reading is stable: the power at a detector, or a number that an instrument on the bench tells.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::measurement::Detector;
use crate::units::{Decibels, Seconds};

/// Waits until the power at a detector is stable.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
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

/// Waits until the reading of an instrument on the bench is stable.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(with = "StableFields")]
pub struct Steady {
    /// The name of the instrument.
    pub to: String,
    /// The query, whose reply is a number.
    pub query: String,
    /// Largest allowed difference: from `target` if it is given, otherwise between the highest and the lowest reading.
    pub within: f64,
    /// The number that the readings must reach.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<f64>,
    /// Time for which the readings must stay within the tolerance.
    pub for_s: Seconds,
    /// After this time the step fails.
    pub timeout_s: Seconds,
}

/// Waits until the power at a detector, or the reading of an instrument on the bench, is stable.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stable")]
struct StableFields {
    /// The detector whose power is read.
    detector: Option<Detector>,
    /// With `detector`: largest allowed difference between the highest and the lowest reading.
    within_db: Option<Decibels>,
    /// The name of the instrument that is asked, as in `[instruments]` of ctp10.toml.
    to: Option<String>,
    /// With `to`: the query. Its reply is a number.
    query: Option<String>,
    /// With `to`: largest allowed difference, in the unit of the reply. It is the difference from `target` if that is given,
    /// otherwise between the highest and the lowest reading.
    within: Option<f64>,
    /// With `to`: the number that the readings must reach.
    target: Option<f64>,
    /// Time for which the readings must stay within the tolerance.
    for_s: Seconds,
    /// After this time the step fails.
    timeout_s: Seconds,
}

/// Both forms of `stable`.
#[derive(Deserialize, JsonSchema)]
#[serde(try_from = "StableFields")]
#[schemars(with = "StableFields")]
pub(super) enum StableGiven {
    Power(Stable),
    Reading(Steady),
}

impl TryFrom<StableFields> for StableGiven {
    type Error = String;

    fn try_from(given: StableFields) -> Result<Self, String> {
        let StableFields { detector, within_db, to, query, within, target, for_s, timeout_s } = given;
        if for_s > timeout_s {
            return Err(format!("`for_s` {for_s} is longer than `timeout_s` {timeout_s}"));
        }
        match (detector, within_db, to, query, within) {
            (Some(detector), Some(within_db), None, None, None) if target.is_none() => {
                Ok(Self::Power(Stable { detector, within_db, for_s, timeout_s }))
            }
            (None, None, Some(to), Some(query), Some(within)) => {
                if !(within > 0.0 && within.is_finite()) {
                    return Err(format!("within `{within}` is not allowed (more than 0)"));
                }
                super::scpi::one_line(&query)?;
                Ok(Self::Reading(Steady { to, query, within, target, for_s, timeout_s }))
            }
            _ => Err("`stable` takes `detector` and `within_db`, or `to`, `query` and `within`".to_owned()),
        }
    }
}
