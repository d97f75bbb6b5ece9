//! A line through points: a figure over another quantity.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::AnalyzeFields;
use crate::analysis::Figure;
use crate::analysis::registry::{COUPLING_LOSS, PROPAGATION_LOSS};
use crate::analysis::several::{cut_back, slope, slope_name};
use crate::shown::counted;

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

/// A point of a line.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// The loop variable or column; `None` if the analysis has no trace.
    pub x: Option<f64>,
    /// The figure; `None` if the analysis has no such figure.
    pub y: Option<Figure>,
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
    fn slope_of(&self) -> (String, f64) {
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

impl AnalyzeFields {
    /// The names of the figures of `fit` or `cut_back`.
    pub(super) fn point_figures(&self) -> Vec<String> {
        let slope = self.fit.iter().map(|fit| slope_name(&fit.slope_of().0, &fit.x));
        let losses = [&PROPAGATION_LOSS, &COUPLING_LOSS].map(|definition| definition.name.to_owned());
        slope.chain(self.cut_back.iter().flat_map(|_| losses.clone())).collect()
    }

    /// The figures of the points. An analysis without a value, or with only a bound, is left out, and is counted in the
    /// notes.
    #[must_use]
    pub fn figures_of_points(&self, points: &[Point]) -> Vec<Figure> {
        let complete = points.iter().filter_map(|point| Some((point.x?, point.y.as_ref()?.exact()?)));
        let (x, y): (Vec<f64>, Vec<f64>) = complete.unzip();
        let is_bound = |point: &&Point| point.y.as_ref().is_some_and(Figure::is_bound);
        let bounds = points.iter().filter(is_bound).count();
        let mut figures = match (&self.fit, &self.cut_back) {
            (Some(fit), _) => {
                let (name, factor) = fit.slope_of();
                let y: Vec<f64> = y.iter().map(|value| value * factor).collect();
                vec![slope((&name, &y), (&fit.x, &x))]
            }
            (None, Some(line)) => {
                let factor = length_in_cm(&line.x).unwrap_or(1.0);
                let lengths_cm: Vec<f64> = x.iter().map(|length| length * factor).collect();
                cut_back(&lengths_cm, &y)
            }
            (None, None) => Vec::new(),
        };
        let left_out = [
            (bounds, "left out, because the value is only a bound"),
            (points.len() - x.len() - bounds, "left out, because there is no value"),
        ];
        let told: Vec<String> = left_out
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, why)| format!("{} {why}", counted(*count, "point")))
            .collect();
        for figure in &mut figures {
            if let Some(reason) = &mut figure.not_measured {
                told.iter().for_each(|told| *reason += &format!("; {told}"));
            }
            figure.notes.push(counted(x.len(), "point"));
            figure.notes.extend(told.iter().cloned());
        }
        figures
    }
}

/// The factor that turns a length into cm, by the unit in its name.
pub(super) fn length_in_cm(name: &str) -> Option<f64> {
    [("_cm", 1.0), ("_mm", 0.1), ("_um", 1e-4)]
        .iter()
        .find(|(unit, _)| name.ends_with(unit))
        .map(|(_, factor)| *factor)
}
