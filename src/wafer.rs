//! Wafer maps: dies at their positions, by verdict or by the value of a figure, as SVG for the report and the dashboard.

mod drawing;
mod scale;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::analysis::Bound;
use crate::analysis::verdict::Verdict;
pub use drawing::{standalone, svg};

/// Highest number of dies in the maps of a run.
pub const MOST_DIES: usize = 10_000;

/// The dies of one wafer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct WaferMap {
    /// The wafer; `None` if the recipe names none.
    pub wafer: Option<String>,
    /// How positions are given.
    pub axes: Axes,
    /// The dies.
    pub dies: Vec<Die>,
}

/// How the positions of dies are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Axes {
    /// The columns `x_um` and `y_um`: x to the right, y upwards.
    Micrometres,
    /// The columns `row` and `col`: rows are counted downwards, columns to the right.
    RowsAndColumns,
}

/// A die.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Die {
    /// Its name, or its position.
    pub name: String,
    /// `x_um` or `col`.
    pub x: f64,
    /// `y_um` or `row`.
    pub y: f64,
    /// What is known of it.
    pub state: DieState,
    /// Its figures by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub figures: BTreeMap<String, DieFigure>,
}

/// What is known of a die.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DieState {
    /// The worst verdict is `pass`.
    Pass,
    /// The worst verdict is `marginal`.
    Marginal,
    /// The worst verdict is `fail`.
    Fail,
    /// A figure with limits has no value, or the die has no analysis.
    NotMeasured,
    /// The trace of the analysis was withdrawn, and is not measured again yet.
    Withdrawn,
    /// The figures of the die have no limits.
    WithoutLimits,
}

/// A figure of a die.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct DieFigure {
    /// The value.
    pub value: Option<f64>,
    /// Present when the true value is only known to be beyond `value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
    /// The value with its unit, or why there is none.
    pub text: String,
    /// The unit.
    pub unit: String,
    /// The verdict on the figure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
}

/// What the colours of a map show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shade<'a> {
    /// The verdicts.
    Verdict,
    /// The values of this figure.
    Figure(&'a str),
}

impl From<Verdict> for DieState {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Pass,
            Verdict::Marginal => Self::Marginal,
            Verdict::NotMeasured => Self::NotMeasured,
            Verdict::Fail => Self::Fail,
        }
    }
}

impl DieState {
    /// All states, in the order of the legend.
    pub const ALL: [Self; 6] =
        [Self::Pass, Self::Marginal, Self::Fail, Self::NotMeasured, Self::Withdrawn, Self::WithoutLimits];

    /// The state in words.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Marginal => "marginal",
            Self::Fail => "fail",
            Self::NotMeasured => "not measured",
            Self::Withdrawn => "withdrawn",
            Self::WithoutLimits => "no limits",
        }
    }
}

impl WaferMap {
    /// The name of the wafer.
    #[must_use]
    pub fn title(&self) -> String {
        self.wafer.as_ref().map_or_else(|| "Wafer".to_owned(), |wafer| format!("Wafer {wafer}"))
    }
}

/// The figures that a page shows without being asked: those with limits, or all if none has limits.
#[must_use]
pub fn main_figures(maps: &[WaferMap]) -> Vec<String> {
    let (mut judged, mut others) = (Vec::new(), Vec::new());
    for (name, has_limits) in figures_and_limits(maps) {
        if has_limits { judged.push(name) } else { others.push(name) }
    }
    if judged.is_empty() { others } else { judged }
}

/// The names of the figures of all maps: those with limits first.
#[must_use]
pub fn figures(maps: &[WaferMap]) -> Vec<String> {
    figures_and_limits(maps).into_iter().map(|(name, _)| name).collect()
}

fn figures_and_limits(maps: &[WaferMap]) -> Vec<(String, bool)> {
    let mut with_limits: BTreeMap<&String, bool> = BTreeMap::new();
    for (name, figure) in maps.iter().flat_map(|map| &map.dies).flat_map(|die| &die.figures) {
        *with_limits.entry(name).or_default() |= figure.verdict.is_some();
    }
    let mut names: Vec<(String, bool)> =
        with_limits.into_iter().map(|(name, has_limits)| (name.clone(), has_limits)).collect();
    names.sort_by_key(|(_, has_limits)| !has_limits);
    names
}
