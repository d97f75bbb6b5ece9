//! The result of an analysis: figures of each trace, and verdicts.

use serde::{Deserialize, Serialize};

use super::{Fault, FaultKind, Outcome};
use crate::analysis::Figure;
use crate::analysis::registry;
use crate::analysis::request::Settings;
use crate::analysis::verdict::{Judged, Verdict, worst};
use crate::measurement::{Detector, TraceKind, TraceSummary};
use crate::operation::LimitsSource;

/// The figures of all traces of an analysis, and the verdict on them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnalysisOutcome {
    /// The worst verdict; `None` if there are no limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The version of the table of definitions. The figures below do not repeat the definitions of the table.
    pub definitions: u32,
    /// The file with the limits, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitsSource>,
    /// The traces, in the order of the fetch.
    pub traces: Vec<TraceAnalysis>,
    /// Figures of all traces together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub figures: Vec<Figure>,
    /// Verdicts on figures of all traces together, and on limits without any figure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judged: Vec<Judged>,
    /// What a reader of all figures needs to know.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The attempts before this one, whose verdicts do not count (`on_fail: remeasure`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub earlier: Vec<AnalysisOutcome>,
}

/// Ends the recipe if an analysis has not passed, and its `on_fail` is `stop`.
///
/// # Errors
/// The fault that ends the recipe.
pub fn stop_unless_passed(outcome: &Outcome) -> Result<(), Fault> {
    match outcome {
        Outcome::Analysis(analysis) if analysis.has_failed() => {
            let verdict = analysis.verdict.map(|verdict| verdict.to_string()).unwrap_or_default();
            let message = format!("the recipe ends here: the verdict is {verdict}, and `on_fail` is `stop`");
            Err(Fault::new(FaultKind::Verdict, message))
        }
        _ => Ok(()),
    }
}

/// The figures of one trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceAnalysis {
    /// The number of the trace within the run.
    pub trace_index: u64,
    /// The attempt at its sweep.
    #[serde(default)]
    pub attempt: u32,
    /// The detector.
    pub detector: Detector,
    /// The name that the recipe gives to the detector, or `module/channel`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detector_name: String,
    /// The kind of the trace.
    pub trace: TraceKind,
    /// The name of the trace in the recipe.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// The reference that the trace rests on, if it is a transmission.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The figures.
    pub figures: Vec<Figure>,
    /// The verdicts on them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub judged: Vec<Judged>,
    /// What was used where the recipe left something open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Settings>,
    /// The numbers of the traces whose mean in linear power was analysed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub averaged: Vec<u64>,
    /// The number of the trace that was subtracted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minus: Option<u64>,
    /// The number of samples of the moving mean.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smooth_samples: Option<usize>,
    /// What a reader of the figures needs to know of the trace.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

impl AnalysisOutcome {
    /// An analysis without any trace yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            verdict: None,
            definitions: registry::VERSION,
            limits: None,
            traces: Vec::new(),
            figures: Vec::new(),
            judged: Vec::new(),
            warnings: Vec::new(),
            earlier: Vec::new(),
        }
    }

    /// Whether the verdict is `fail` or `not measured`.
    #[must_use]
    pub fn has_failed(&self) -> bool {
        self.verdict.is_some_and(Verdict::is_bad)
    }

    /// Sets the verdict from the verdicts on figures, and leaves out the definitions that the table has.
    #[must_use]
    pub fn complete(mut self) -> Self {
        self.verdict = worst(self.all_judged().map(|judged| judged.verdict));
        let of_traces = self.traces.iter_mut().flat_map(|trace| &mut trace.figures);
        for figure in of_traces.chain(&mut self.figures) {
            let known = registry::find(&figure.name);
            if known.is_some_and(|(known, level_db)| known.formula_at(level_db) == figure.definition) {
                figure.definition.clear();
            }
        }
        self
    }

    /// The verdicts on all figures.
    pub fn all_judged(&self) -> impl Iterator<Item = &Judged> {
        self.traces.iter().flat_map(|trace| &trace.judged).chain(&self.judged)
    }

    /// All figures, each with its trace where it has one.
    pub fn all_figures(&self) -> impl Iterator<Item = (Option<&TraceAnalysis>, &Figure)> {
        let of_traces = self
            .traces
            .iter()
            .flat_map(|trace| trace.figures.iter().map(move |figure| (Some(trace), figure)));
        of_traces.chain(self.figures.iter().map(|figure| (None, figure)))
    }

    /// The numbers of all traces that the analysis rests on.
    pub fn rests(&self) -> impl Iterator<Item = u64> {
        self.traces.iter().flat_map(|trace| {
            std::iter::once(trace.trace_index).chain(trace.averaged.iter().copied()).chain(trace.minus)
        })
    }

    /// Whether the analysis rests on this trace.
    #[must_use]
    pub fn rests_on(&self, trace_index: u64) -> bool {
        self.rests().any(|known| known == trace_index)
    }
}

impl Default for AnalysisOutcome {
    fn default() -> Self {
        Self::new()
    }
}

impl TraceAnalysis {
    /// The detector by its name in the recipe, or as `module/channel`.
    #[must_use]
    pub fn shown_detector(&self) -> String {
        if self.detector_name.is_empty() { self.detector.to_string() } else { self.detector_name.clone() }
    }

    /// An analysis of this trace, without figures yet.
    #[must_use]
    pub fn of(trace: &TraceSummary) -> Self {
        Self {
            trace_index: trace.trace_index,
            attempt: trace.attempt,
            detector: trace.detector,
            detector_name: trace.detector.to_string(),
            trace: trace.trace,
            name: trace.name.clone(),
            reference: trace.reference.clone(),
            figures: Vec::new(),
            judged: Vec::new(),
            settings: None,
            averaged: Vec::new(),
            minus: None,
            smooth_samples: None,
            warnings: Vec::new(),
        }
    }

    /// The figure of this name that represents the trace: of the strongest dip or peak where the name has several, else
    /// the first.
    #[must_use]
    pub fn representative(&self, name: &str) -> Option<&Figure> {
        let strongest = |figure: &&Figure| {
            let settings = self.settings.as_ref();
            let number = |kind: &str| {
                let number = figure.of.as_deref()?.strip_prefix(kind)?.trim();
                number.parse::<usize>().ok()
            };
            let is = |kind: &str, strongest: Option<usize>| strongest.is_some() && number(kind) == strongest;
            settings.is_some_and(|settings| {
                is("dip", settings.strongest_dip) || is("peak", settings.strongest_peak)
            })
        };
        let of_name = || self.figures.iter().filter(|figure| figure.name == name);
        of_name().find(strongest).or_else(|| of_name().next())
    }
}
