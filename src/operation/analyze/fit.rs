//! A line through points: a figure over another quantity.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Two quantities: a figure over a loop variable or a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// The figure.
    pub y: String,
    /// The loop variable, the column of a table, or a column of the fetch (`columns`). A column of the fetch can be a
    /// measured value, such as the electrical power of a heater.
    pub x: String,
    /// The unit of the figure in the slope: `pm` for a figure in nm. Default: the unit of the figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<SlopeUnit>,
}

/// Another unit for the figure of a slope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlopeUnit {
    /// Picometres, for a figure in nm.
    Pm,
}

impl Fit {
    /// The name of the figure in the unit of the slope, and the factor for its values.
    pub(super) fn slope_of(&self) -> (String, f64) {
        match (self.unit, self.y.strip_suffix("_nm")) {
            (Some(SlopeUnit::Pm), Some(quantity)) => (format!("{quantity}_pm"), 1e3),
            (Some(SlopeUnit::Pm), None) | (None, _) => (self.y.clone(), 1.0),
        }
    }

    /// Checks whether the figure can have the unit.
    pub(super) fn check_unit(&self) -> Result<(), String> {
        match self.unit {
            Some(SlopeUnit::Pm) if !self.y.ends_with("_nm") => {
                Err(format!("unit `pm` is for a figure in nm, and `{}` is none", self.y))
            }
            Some(SlopeUnit::Pm) | None => Ok(()),
        }
    }
}
