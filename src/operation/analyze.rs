//! Figures of merit of stored traces, and verdicts on them.

mod channels;
mod check;
mod fit;
mod limits;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::acquire::one_or_many;
use crate::analysis::extrema::{Kind, Search};
use crate::analysis::request::Request;
use crate::analysis::resonance::Topology;
use crate::analysis::task::{Asked, Task, asked, is_of_points};
use crate::analysis::verdict::Limit;
use crate::measurement::Detector;
pub use channels::{Channels, GridName};
pub use fit::{Fit, Point};
pub use limits::{LimitSet, LimitsSource};

/// Whether resonances are dips or peaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Lines {
    /// Minima.
    Dips,
    /// Maxima.
    Peaks,
}

/// What happens when the verdict is `fail` or `not measured`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnFail {
    /// The recipe continues.
    #[default]
    Continue,
    /// The recipe ends after this step, with its `finally`. The run is done, and its verdict is this one.
    Stop,
    /// The sweep and its fetches are repeated, and the new traces are analysed.
    Remeasure,
}

impl OnFail {
    fn is_continue(&self) -> bool {
        *self == Self::Continue
    }
}

/// One number, or several.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum OneOrMany {
    /// One.
    One(f64),
    /// Several.
    Many(Vec<f64>),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GivenFields {
    /// The `id` of a `fetch_trace` before this step. In a script: a trace, or an array of traces.
    trace: Option<String>,
    /// The `id` of an analysis in a loop before this step. Its figures are the points of `fit` or `cut_back`.
    over: Option<String>,
    /// A line through the points of `over`: the slope of the figure `y` over the loop variable or column `x`, with its
    /// error. `{ y: resonance_nm, x: heater_mw }` has the figure `slope_nm_per_mw`, and with `unit: pm` it has
    /// `slope_pm_per_mw`.
    fit: Option<Fit>,
    /// A line through the losses `y` over the lengths `x` of at least three waveguides: `propagation_loss_db_per_cm` and
    /// `coupling_loss_db`. The name of `x` ends with `_cm`, `_mm` or `_um`.
    cut_back: Option<Fit>,
    /// The `id` of a fetch whose trace is subtracted in dB, such as a reference waveguide. Both traces must have the same
    /// unit. In a script: a trace.
    minus: Option<String>,
    /// The number of the trace that is subtracted. The program fills it in from `minus`.
    minus_trace: Option<u64>,
    /// Whether the traces of all turns of the loop with the fetch are averaged in linear power, for each detector. They must
    /// have the same wavelengths and the same unit.
    #[serde(default)]
    average: bool,
    /// The numbers of the traces within the run (`trace_index`). The program fills them in from `trace`.
    traces: Option<Vec<u64>>,
    /// Only the traces of this detector.
    detector: Option<Detector>,
    /// Only the traces of these detectors.
    detectors: Option<Vec<Detector>>,
    /// The figures by name (`bandwidth_3db_nm`), or groups of them (`loss`, `dips`, `peaks`, `q`, `fsr`, `group_index`,
    /// `finesse`, `dispersion`, `quality`, `channels`). Default: the figures that `expect` names.
    #[serde(default)]
    figures: Vec<String>,
    /// Only this part of the trace: lower and upper end, nm.
    band_nm: Option<[f64; 2]>,
    /// Least prominence of dips and peaks, dB. Default: 3, without the lines that are so weak that they count as noise.
    prominence_db: Option<f64>,
    /// Least distance of two dips, or of two peaks, nm. Default: 0.5, or less if all lines form a denser comb.
    distance_nm: Option<f64>,
    /// Whether the resonances are dips or peaks. Default: the kind among the figures, or the narrower lines.
    lines: Option<Lines>,
    /// Circumference of a ring, path difference of an interferometer, or twice the length of a cavity, µm: for the
    /// group index.
    length_um: Option<f64>,
    /// How a ring is coupled: for intrinsic and coupling Q.
    topology: Option<Topology>,
    /// The lowest level that the detector can show, in the unit of the traces. Default: the lowest value, if at least three
    /// samples have it.
    floor_db: Option<f64>,
    /// The level from which the detector is saturated, dB.
    saturation_db: Option<f64>,
    /// One or several wavelengths at which `insertion_loss_db` is computed, nm.
    at_nm: Option<OneOrMany>,
    /// The channels of a multiplexer. Each trace is one of its ports. Two ports of one channel are not measured.
    channels: Option<Channels>,
    /// Replaces each level by the mean of this odd number of levels in dB, before the analysis.
    smooth_samples: Option<usize>,
    /// The limits of figures by name: `min`, `max`, and `guard`, the distance from a limit within which a value is
    /// marginal.
    #[serde(default)]
    expect: BTreeMap<String, Limit>,
    /// A file with further limits in the recipe's folder tree (YAML recipes only). It has a `version`, a `name` and
    /// `figures`, the limits by figure. A limit in `expect` replaces the one of the file. Limits of the figures of `fit` and
    /// `cut_back` are for the analyses with `over`, and all others for the analyses of traces.
    limits: Option<String>,
    #[schemars(skip)]
    judged_by: Option<LimitSet>,
    /// What happens when the verdict is `fail` or `not measured`. Default: `continue`.
    #[serde(default)]
    on_fail: OnFail,
    /// How often `on_fail: remeasure` repeats the sweep at most. Default: 1. Every attempt is kept, and the last one
    /// counts.
    remeasure: Option<u32>,
}

/// Computes figures of merit of stored traces, and judges them by limits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "GivenFields")]
#[schemars(with = "GivenFields")]
pub struct AnalyzeFields {
    /// The `id` of the fetch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// The `id` of an analysis whose figures are points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over: Option<String>,
    /// The line through the points.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
    /// The line of losses over lengths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut_back: Option<Fit>,
    /// The `id` of the fetch whose trace is subtracted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minus: Option<String>,
    /// The number of the trace that is subtracted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minus_trace: Option<u64>,
    /// Whether the traces are averaged, for each detector.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub average: bool,
    /// The numbers of the traces.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub traces: Vec<u64>,
    /// Only the traces of these detectors; empty: of all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub detectors: Vec<Detector>,
    /// The figures, or groups of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<String>,
    /// Only this part of the trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub band_nm: Option<[f64; 2]>,
    /// Least prominence of dips and peaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prominence_db: Option<f64>,
    /// Least distance of two lines.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub distance_nm: Option<f64>,
    /// Whether the resonances are dips or peaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lines: Option<Lines>,
    /// The length for the group index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub length_um: Option<f64>,
    /// How a ring is coupled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology: Option<Topology>,
    /// The lowest level that the detector can show.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub floor_db: Option<f64>,
    /// The level from which the detector is saturated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub saturation_db: Option<f64>,
    /// Wavelengths of `insertion_loss_db`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_nm: Option<OneOrMany>,
    /// The channels of a multiplexer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Channels>,
    /// The samples of the moving mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smooth_samples: Option<usize>,
    /// The limits, by figure.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub expect: BTreeMap<String, Limit>,
    /// The file with further limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<String>,
    /// The content of that file. The program fills it in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub judged_by: Option<LimitSet>,
    /// What happens when the verdict is `fail` or `not measured`.
    #[serde(default, skip_serializing_if = "OnFail::is_continue")]
    pub on_fail: OnFail,
    /// How often the sweep is repeated at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remeasure: Option<u32>,
}

impl TryFrom<GivenFields> for AnalyzeFields {
    type Error = String;

    fn try_from(given: GivenFields) -> Result<Self, String> {
        // An empty list counts as none, because the journal leaves it out.
        let traces = given.traces.unwrap_or_default();
        if given.over.is_some() && (given.trace.is_some() || !traces.is_empty()) {
            return Err("only one of `trace` and `over` may be given".to_owned());
        }
        if given.trace.is_none() && traces.is_empty() && given.over.is_none() {
            return Err("missing field `trace`: the id of a fetch_trace before this step (or `over`: the id of an analysis)".to_owned());
        }
        let detectors = match (given.detector, given.detectors) {
            (None, None) => Vec::new(),
            (one, many) => one_or_many("detector", one, many)?,
        };
        Ok(Self {
            trace: given.trace,
            over: given.over,
            fit: given.fit,
            cut_back: given.cut_back,
            minus: given.minus,
            minus_trace: given.minus_trace,
            average: given.average,
            traces,
            detectors,
            figures: given.figures,
            band_nm: given.band_nm,
            prominence_db: given.prominence_db,
            distance_nm: given.distance_nm,
            lines: given.lines,
            length_um: given.length_um,
            topology: given.topology,
            floor_db: given.floor_db,
            saturation_db: given.saturation_db,
            at_nm: given.at_nm,
            channels: given.channels,
            smooth_samples: given.smooth_samples,
            expect: given.expect,
            limits: given.limits,
            judged_by: given.judged_by,
            on_fail: given.on_fail,
            remeasure: given.remeasure,
        })
    }
}

impl AnalyzeFields {
    fn asked(&self) -> Vec<Asked> {
        let of_file = self.judged_by.iter().flat_map(|limits| limits.figures.keys());
        let names = self.figures.iter().chain(self.expect.keys()).chain(of_file);
        let mut all: Vec<Asked> = names.filter_map(|name| asked(name).ok()).collect();
        if all.is_empty() && self.channels.is_some() {
            all.extend(asked("channels"));
        }
        all
    }

    /// Whether the figures are judged.
    #[must_use]
    pub fn has_limits(&self) -> bool {
        !self.expect.is_empty() || self.limits.is_some()
    }

    /// All limits: those of the file, and those of `expect`, which replace them. Of the file only those count that this
    /// analysis can have: a file may have limits of traces and of the lines through them.
    #[must_use]
    pub fn all_limits(&self) -> BTreeMap<String, Limit> {
        let points = self.over.as_ref().map(|_| self.point_figures());
        let is_own = |name: &String| points.as_ref().map_or(!is_of_points(name), |own| own.contains(name));
        let of_file = self.judged_by.iter().flat_map(|limits| limits.figures.clone());
        let of_file = of_file.filter(|(name, _)| is_own(name));
        of_file.chain(self.expect.clone()).collect()
    }

    /// How often the sweep may be repeated.
    #[must_use]
    pub fn remeasures(&self) -> u32 {
        match self.on_fail {
            OnFail::Remeasure => self.remeasure.unwrap_or(1),
            OnFail::Continue | OnFail::Stop => 0,
        }
    }

    /// The names of the figures that the result can contain.
    #[must_use]
    pub fn names(&self) -> Vec<String> {
        if self.over.is_some() {
            return self.point_figures();
        }
        self.task(1).map(|task| task.names()).unwrap_or_default()
    }

    /// Wavelengths at which the insertion loss is asked for, nm.
    #[must_use]
    pub fn wavelengths_nm(&self) -> &[f64] {
        match &self.at_nm {
            None => &[],
            Some(OneOrMany::One(nm)) => std::slice::from_ref(nm),
            Some(OneOrMany::Many(all)) => all,
        }
    }

    /// What is asked of each of so many traces.
    ///
    /// # Errors
    /// When the grid has fewer channels than there are traces.
    pub fn task(&self, traces: usize) -> Result<Task, String> {
        let request = Request {
            wanted: Vec::new(),
            band_nm: self.band_nm.map(|[from, to]| (from, to)),
            search: Search { prominence_db: self.prominence_db, distance_nm: self.distance_nm },
            lines: self.lines.map(|lines| match lines {
                Lines::Dips => Kind::Dip,
                Lines::Peaks => Kind::Peak,
            }),
            length_um: self.length_um,
            topology: self.topology,
            floor_db: self.floor_db,
            saturation_db: self.saturation_db,
        };
        let channels = self.channels.as_ref().map(|channels| channels.channels(traces)).transpose()?;
        Ok(Task {
            request,
            asked: self.asked(),
            at_nm: self.wavelengths_nm().to_vec(),
            channels: channels.unwrap_or_default(),
            smooth_samples: self.smooth_samples,
        })
    }
}
