//! Alignment: the light is set, the live power is judged, and steps move the device or the fibres until the power is
//! good. `step::align` performs the parts; each look at the power is an operation of its own.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ConfigureLaser;
use crate::measurement::Detector;
use crate::units::{Decibels, LaserNumber, LaserPower, ScanWavelength};

/// The power levels that a recipe may demand, dBm.
const LEVELS_DBM: std::ops::RangeInclusive<f64> = -100.0..=30.0;
/// How often the steps are performed, if the recipe does not say it.
const USUAL_ATTEMPTS: u32 = 3;
/// The most attempts.
const MOST_ATTEMPTS: u32 = 100;

/// When the power is good. With both, both must hold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "GoodFields")]
#[schemars(with = "GoodFields")]
pub struct Good {
    /// The power must not be below this level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_least_dbm: Option<f64>,
    /// The power must not be more than this below the power after the last alignment of the same row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_db: Option<Decibels>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Good")]
struct GoodFields {
    /// Lowest good power, dBm.
    at_least_dbm: Option<f64>,
    /// Largest loss of power since the last alignment of the same row of the loop. The first turn of a row is always
    /// aligned.
    within_db: Option<Decibels>,
}

impl TryFrom<GoodFields> for Good {
    type Error = String;

    fn try_from(given: GoodFields) -> Result<Self, String> {
        let GoodFields { at_least_dbm, within_db } = given;
        if at_least_dbm.is_none() && within_db.is_none() {
            return Err("`good` needs `at_least_dbm` or `within_db`".to_owned());
        }
        if let Some(level) = at_least_dbm.filter(|level| !LEVELS_DBM.contains(level)) {
            let (low, high) = (LEVELS_DBM.start(), LEVELS_DBM.end());
            return Err(format!("at_least_dbm `{level}` is not allowed ({low} to {high} dBm)"));
        }
        Ok(Self { at_least_dbm, within_db })
    }
}

/// What follows if the power is still too low after all attempts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnAlignFail {
    /// The run stops (after `finally`).
    #[default]
    Stop,
    /// The run continues with the next step and ends as failed.
    Continue,
    /// The run continues with the next turn of the loop and ends as failed.
    NextTurn,
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AlignFields {
    /// The detector whose power shows how well the device is coupled.
    detector: Detector,
    /// The laser.
    laser: LaserNumber,
    /// Wavelength of the light.
    wavelength_nm: ScanWavelength,
    /// Power of the laser.
    power_dbm: LaserPower,
    /// When the power is good.
    good: Good,
    /// In every so many turns the steps are also performed if the power is good, the first turn included.
    every: Option<u32>,
    /// The steps that align the device, for example requests to a stage. In a script: a closure, or the name of a
    /// function without parameters. Without them, the power is only judged.
    #[schemars(schema_with = "steps_schema")]
    steps: Option<serde_json::Value>,
    /// How often the steps are performed at most, 1 to 100. Default: 3.
    attempts: Option<u32>,
    /// What follows if the power is still too low: `stop` (the default), `continue` or `next_turn`.
    #[serde(default)]
    on_fail: OnAlignFail,
    /// Only in the journal: the part that this step performs.
    #[schemars(skip)]
    part: Option<AlignPart>,
}

fn steps_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({ "type": "array" })
}

/// Aligns a device: sets the light, reads the power, and performs `steps` while the power is too low.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "AlignFields")]
#[schemars(with = "AlignFields")]
pub struct Align {
    /// The detector.
    pub detector: Detector,
    /// The laser.
    pub laser: LaserNumber,
    /// Wavelength of the light.
    pub wavelength_nm: ScanWavelength,
    /// Power of the laser.
    pub power_dbm: LaserPower,
    /// When the power is good.
    pub good: Good,
    /// The steps are also performed in every so many turns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every: Option<u32>,
    /// How often the steps are performed at most; 0 without steps.
    pub attempts: u32,
    /// What follows if the power is still too low.
    pub on_fail: OnAlignFail,
    /// The part that this step performs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<AlignPart>,
}

/// One part of an alignment.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AlignPart {
    /// How often the steps were performed before.
    pub attempt: u32,
    /// The lowest good power, dBm; `None` if any power is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed_dbm: Option<f64>,
    /// Set if the alignment has failed: no power is read, and the step fails with the last power.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub has_failed: bool,
    /// The last power of an alignment that has failed, dBm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_dbm: Option<f64>,
}

impl TryFrom<AlignFields> for Align {
    type Error = String;

    fn try_from(given: AlignFields) -> Result<Self, String> {
        let attempts = given.attempts.unwrap_or(USUAL_ATTEMPTS);
        // The journal has 0 for an alignment without steps.
        if attempts > MOST_ATTEMPTS || (attempts == 0 && given.part.is_none()) {
            return Err(format!("attempts `{attempts}` is not allowed (1 to {MOST_ATTEMPTS})"));
        }
        if given.every == Some(0) {
            return Err("every `0` is not allowed (1 or more)".to_owned());
        }
        if given.steps.is_some() {
            return Err(
                "`steps` is a list of steps in YAML, and a closure or the name of a function in a script"
                    .to_owned(),
            );
        }
        let AlignFields { detector, laser, wavelength_nm, power_dbm, good, every, on_fail, part, .. } = given;
        Ok(Self { detector, laser, wavelength_nm, power_dbm, good, every, attempts, on_fail, part })
    }
}

impl Align {
    /// The operation that sets the light.
    #[must_use]
    pub fn light(&self) -> ConfigureLaser {
        ConfigureLaser {
            laser: self.laser,
            power_dbm: Some(self.power_dbm),
            wavelength_nm: Some(self.wavelength_nm),
            output: Some(true),
            fbc: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_alignment_needs_a_rule_and_has_bounds() {
        let read = |more: serde_json::Value| {
            let mut fields = json!({
                "detector": "4/1", "laser": 1, "wavelength_nm": 1550, "power_dbm": 0, "good": { "at_least_dbm": -20 }
            });
            fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            serde_json::from_value::<Align>(fields).map_err(|error| error.to_string())
        };
        assert_eq!(read(json!({})).map(|align| (align.attempts, align.on_fail)), Ok((3, OnAlignFail::Stop)));
        assert!(read(json!({ "good": { "within_db": 1.5, "at_least_dbm": -30 }, "every": 5 })).is_ok());
        for (more, expected) in [
            (json!({ "good": {} }), "needs `at_least_dbm` or `within_db`"),
            (
                json!({ "good": { "at_least_dbm": 300 } }),
                "at_least_dbm `300` is not allowed (-100 to 30 dBm)",
            ),
            (json!({ "attempts": 0 }), "attempts `0` is not allowed (1 to 100)"),
            (json!({ "every": 0 }), "every `0` is not allowed"),
            (json!({ "on_fail": "next" }), "unknown variant `next`"),
        ] {
            let told = read(more).unwrap_err();
            assert!(told.contains(expected), "{told}");
        }
        // A step of the journal is read as it was written.
        let part = AlignPart { attempt: 2, needed_dbm: Some(-8.5), has_failed: false, last_dbm: None };
        let step = Align { part: Some(part), ..read(json!({})).unwrap() };
        assert_eq!(serde_json::from_value::<Align>(serde_json::to_value(&step).unwrap()).unwrap(), step);
    }
}
