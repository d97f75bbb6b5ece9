//! Requests and replies about figures and wafer maps.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::analysis::marks::Mark;
use crate::analysis::verdict::{FigureYield, Verdict};
use crate::run::state::results::FigureLine;
use crate::store::VerdictSummary;
use crate::wafer::Axes;

/// Which figures of a run.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(crate) struct FiguresQuery {
    /// Only the figures of this trace.
    pub(crate) trace: Option<u32>,
    /// Leave out so many figures: the `next` of the page before.
    pub(crate) after: Option<u32>,
    /// Figures on the page.
    #[schemars(range(min = 1, max = 10_000))]
    #[serde(default = "page")]
    pub(crate) limit: u16,
}

fn page() -> u16 {
    1000
}

/// Figures of a run, in the order of its analyses.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct FiguresReply {
    pub(crate) run: String,
    /// The worst verdict; null without limits.
    pub(crate) verdict: Option<Verdict>,
    /// How many analyses and devices have each verdict; null without limits.
    pub(crate) verdicts: Option<VerdictSummary>,
    /// How many devices have each verdict on each figure.
    pub(crate) yields: Vec<FigureYield>,
    pub(crate) figures: Vec<FigureLine>,
    /// What to draw over the trace, if one is asked for.
    pub(crate) marks: Vec<Mark>,
    /// The `after` of the next page; null on the last.
    pub(crate) next: Option<u64>,
}

/// What the colours of a wafer map show.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
pub(crate) struct WaferQuery {
    /// The values of this figure; the verdicts when not given.
    pub(crate) figure: Option<String>,
}

/// The wafer maps of a run.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct WaferReply {
    /// The figures that can be shown, those with limits first.
    pub(crate) figures: Vec<String>,
    /// One map for each wafer; empty if the recipe states no positions.
    pub(crate) maps: Vec<MapReply>,
}

/// A wafer map.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct MapReply {
    pub(crate) wafer: Option<String>,
    pub(crate) axes: Axes,
    /// Number of dies.
    pub(crate) dies: usize,
    /// The picture.
    pub(crate) svg: String,
}
