//! The figures of a run as they are shown: a pure fold over its events.

mod devices;
mod golden;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::analyses::Analyses;
use crate::analysis::Figure;
use crate::analysis::marks::Judgement;
use crate::analysis::shown::{bound, limits, value};
use crate::analysis::verdict::{Judged, Limit, Verdict};
use crate::measurement::{Detector, TraceKind};
use crate::operation::Constant;
use crate::run::events::RunEvent;
use crate::step::{AnalysisOutcome, Place, Step, TraceAnalysis};
use crate::wafer::WaferMap;
use devices::Devices;
pub use golden::GoldenFigure;

/// The figures of the analyses that hold, and the dies of the run.
#[derive(Debug, Clone, Default)]
pub struct Results {
    analyses: Analyses<AnalysisRecord>,
    devices: Devices,
    /// The `columns` of the fetch in progress.
    fetch: BTreeMap<String, Constant>,
    /// The `columns` of fetches, by the number of the trace.
    of_traces: BTreeMap<u64, BTreeMap<String, Constant>>,
}

/// An analysis that holds.
#[derive(Debug, Clone)]
struct AnalysisRecord {
    step: u64,
    id: Option<String>,
    turns: String,
    columns: BTreeMap<String, Value>,
    outcome: AnalysisOutcome,
}

/// A figure as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct FigureLine {
    /// The number of the analysis among the steps of the run.
    pub step: u64,
    /// The `id` of the analysis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<String>,
    /// The loop values of the analysis.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub turns: String,
    /// The number of the trace; none for a figure of several traces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace_index: Option<u64>,
    /// The detector of the trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detector: Option<Detector>,
    /// The detector by its name in the recipe, or as `module/channel`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detector_name: Option<String>,
    /// The kind of the trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<TraceKind>,
    /// What a reader of the figures of this trace needs to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The figure.
    #[serde(flatten)]
    pub figure: Figure,
    /// The value or its bound with the unit, for people; empty if there is neither.
    pub text: String,
    /// The limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// The limits, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub limits: String,
    /// The verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Why the figure did not pass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl FigureLine {
    /// The figure with its limit and verdict, for the marks over the picture of its trace.
    #[must_use]
    pub fn judgement(&self) -> Judgement<'_> {
        (&self.figure, self.limit.as_ref(), self.verdict)
    }
}

/// The columns of a place: the variables of the loops around it, and the columns of their tables.
fn columns(place: &Place) -> BTreeMap<String, Value> {
    place.columns().map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The columns as the row of a table.
fn columns_as_row(columns: &BTreeMap<String, Value>) -> Value {
    columns
        .iter()
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

impl Results {
    /// Takes one more event into account.
    pub fn apply(&mut self, event: &RunEvent) {
        if let RunEvent::StepStarted { step, .. } = event {
            self.devices.seen(&columns(&step.place));
            self.fetch =
                step.operation.traits().fetch().map(|fetch| fetch.columns.clone()).unwrap_or_default();
        }
        if let RunEvent::TraceStored { trace } = event
            && !self.fetch.is_empty()
        {
            self.of_traces.insert(trace.trace_index, self.fetch.clone());
        }
        if let RunEvent::TraceWithdrawn { trace_index, .. } = event {
            let withdrawn = self.analyses.held().filter(|record| record.outcome.rests_on(*trace_index));
            for record in withdrawn {
                self.devices.withdrawn(&record.columns);
            }
        }
        let of_traces = &self.of_traces;
        let number = if let RunEvent::StepFinished { number, .. } = event { *number } else { 0 };
        self.analyses.apply(event, |step, outcome| AnalysisRecord::of(number, step, outcome, of_traces));
    }

    /// The figures in the order of the steps. A limit without any figure is a line too.
    pub fn lines(&self) -> impl Iterator<Item = FigureLine> {
        self.analyses.held().flat_map(AnalysisRecord::lines)
    }

    /// The figures of golden devices, each in the order of its measurements.
    #[must_use]
    pub fn golden(&self) -> Vec<GoldenFigure> {
        golden::figures(self.analyses.held())
    }

    /// The maps of the wafers, if the recipe states positions of dies.
    #[must_use]
    pub fn maps(&self) -> Vec<WaferMap> {
        let records = self.analyses.held().map(|record| (&record.columns, &record.outcome));
        self.devices.maps(records)
    }
}

impl AnalysisRecord {
    fn of(
        number: u64,
        step: &Step,
        outcome: &AnalysisOutcome,
        of_traces: &BTreeMap<u64, BTreeMap<String, Constant>>,
    ) -> Self {
        let mut columns = columns(&step.place);
        for trace in &outcome.traces {
            for (name, value) in of_traces.get(&trace.trace_index).into_iter().flatten() {
                columns.entry(name.clone()).or_insert_with(|| serde_json::json!(value));
            }
        }
        Self {
            step: number,
            id: step.options.id.clone(),
            turns: step.place.turns().trim().trim_matches(['(', ')']).to_owned(),
            columns,
            outcome: outcome.clone(),
        }
    }

    fn lines(&self) -> Vec<FigureLine> {
        let AnalysisOutcome { traces, figures, judged, .. } = &self.outcome;
        let mut lines = Vec::new();
        for trace in traces {
            lines.extend(self.lines_of(Some(trace), &trace.figures, &trace.judged));
        }
        lines.extend(self.lines_of(None, figures, judged));
        lines
    }

    /// The figures of a trace with their verdicts, then the limits without a figure.
    fn lines_of(
        &self,
        trace: Option<&TraceAnalysis>,
        figures: &[Figure],
        judged: &[Judged],
    ) -> Vec<FigureLine> {
        let mut open: Vec<&Judged> = judged.iter().collect();
        let mut lines = Vec::new();
        for figure in figures {
            let at = open.iter().position(|judged| judged.is_of(figure));
            let judged = at.map(|at| open.remove(at));
            lines.push(self.line(trace, figure.clone(), judged));
        }
        for judged in open {
            lines.push(self.line(trace, judged.without_figure(), Some(judged)));
        }
        lines
    }

    fn line(&self, trace: Option<&TraceAnalysis>, figure: Figure, judged: Option<&Judged>) -> FigureLine {
        FigureLine {
            step: self.step,
            analysis: self.id.clone(),
            turns: self.turns.clone(),
            trace_index: trace.map(|trace| trace.trace_index),
            detector: trace.map(|trace| trace.detector),
            detector_name: trace.map(TraceAnalysis::shown_detector),
            trace: trace.map(|trace| trace.trace),
            warnings: trace.map_or(&self.outcome.warnings, |trace| &trace.warnings).clone(),
            text: value(&figure).or_else(|| bound(&figure)).unwrap_or_default(),
            figure,
            limit: judged.map(|judged| judged.limit),
            limits: judged.map(|judged| limits(&judged.limit)).unwrap_or_default(),
            verdict: judged.map(|judged| judged.verdict),
            reason: judged.and_then(|judged| judged.reason.clone()),
        }
    }
}
