//! Figures of merit of stored traces. One trace at a time is read, on a thread of its own.

use std::sync::Arc;

use super::Engine;
use crate::analysis::Figure;
use crate::analysis::task::Task;
use crate::analysis::verdict::{Judged, Limit, Verdict, judge};
use crate::measurement::TraceSummary;
use crate::operation::AnalyzeFields;
use crate::run::context::StepContext;
use crate::step::{AnalysisOutcome, Fault, FaultKind, Outcome, TraceAnalysis, TraceReader as _};
use crate::store::{RunFolder, TraceIndexes, open_trace};
use crate::threads;

impl Engine {
    pub(super) async fn analyze(
        &mut self,
        ctx: &StepContext,
        fields: &AnalyzeFields,
    ) -> Result<Outcome, Fault> {
        let (folder, indexes) = (Arc::clone(&self.output.folder), Arc::clone(&self.output.indexes));
        let fields = fields.clone();
        let analysed = threads::begin("analysis", move || analyze(&fields, &folder, &indexes));
        let mut outcome = self.bench.heartbeat.during(analysed).await??;
        for trace in &mut outcome.traces {
            trace.detector_name = self.detector_name(ctx, trace.detector);
        }
        Ok(Outcome::Analysis(Box::new(outcome)))
    }
}

/// Analyses the traces of the fields. Blocks.
fn analyze(
    fields: &AnalyzeFields,
    folder: &RunFolder,
    indexes: &TraceIndexes,
) -> Result<AnalysisOutcome, Fault> {
    let mut traces = Vec::new();
    for number in &fields.traces {
        let stored = indexes.trace(folder.path(), *number)?.ok_or_else(|| {
            Fault::new(FaultKind::Store, format!("trace {number} of this run is not stored any more"))
        })?;
        if fields.detectors.is_empty() || fields.detectors.contains(&stored.detector) {
            traces.push(stored);
        }
    }
    let wrong = |message: String| Fault::new(FaultKind::Recipe, message);
    let task = fields.task(traces.len()).map_err(wrong)?;
    let mut outcome = AnalysisOutcome::new();
    for trace in &traces {
        outcome.traces.push(analyze_one(trace, &task, folder)?);
    }
    let all: Vec<Figure> = outcome.traces.iter().flat_map(|trace| &trace.figures).cloned().collect();
    outcome.figures = task.figures_of_all(&all);
    for (name, limit) in &fields.expect {
        judge_one(name, *limit, &mut outcome, || why_missing(fields)).map_err(wrong)?;
    }
    Ok(outcome.complete())
}

fn analyze_one(trace: &TraceSummary, task: &Task, folder: &RunFolder) -> Result<TraceAnalysis, Fault> {
    let file = open_trace(folder.path(), trace)?;
    let mut levels = Vec::with_capacity(usize::try_from(trace.grid.points).unwrap_or_default());
    file.read(0..trace.grid.points, &mut |_, values| levels.extend_from_slice(values))?;
    let analysis = task.figures_of(trace.grid.start_nm, trace.grid.step_pm, &levels);
    let analysis =
        analysis.map_err(|message| Fault::new(FaultKind::Recipe, format!("`{}`: {message}", trace.file)))?;
    let mut warnings = analysis.warnings;
    if trace.unit == "dBm" {
        warnings.insert(0, "the levels are powers in dBm: insertion losses are relative to 0 dBm".to_owned());
    }
    Ok(TraceAnalysis {
        figures: analysis.figures,
        settings: Some(analysis.settings),
        smooth_samples: task.smooth_samples,
        warnings,
        ..TraceAnalysis::of(trace)
    })
}

/// Judges all figures of one name, in all traces. If there is none, the limit itself is not measured.
fn judge_one(
    name: &str,
    limit: Limit,
    outcome: &mut AnalysisOutcome,
    why_missing: impl Fn() -> String,
) -> Result<(), String> {
    let limits = [(name.to_owned(), limit)].into();
    let has = |figures: &[Figure]| figures.iter().any(|figure| figure.name == name);
    let judged = |figures: &[Figure]| judge(&limits, figures).map_err(|error| error.to_string());
    let mut is_judged = false;
    for trace in &mut outcome.traces {
        if has(&trace.figures) {
            trace.judged.extend(judged(&trace.figures)?);
            is_judged = true;
        }
    }
    if has(&outcome.figures) {
        outcome.judged.extend(judged(&outcome.figures)?);
        is_judged = true;
    }
    if !is_judged {
        outcome.judged.push(Judged {
            figure: name.to_owned(),
            of: None,
            value: None,
            limit,
            verdict: Verdict::NotMeasured,
            reason: Some(why_missing()),
        });
    }
    Ok(())
}

fn why_missing(fields: &AnalyzeFields) -> String {
    match &fields.trace {
        _ if !fields.traces.is_empty() => "no trace of the analysis has this figure".to_owned(),
        Some(id) => format!("the fetch `{id}` has stored no trace here"),
        None => "there is no trace".to_owned(),
    }
}
