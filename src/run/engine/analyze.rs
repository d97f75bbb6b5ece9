//! Figures of merit of stored traces. One trace at a time is read, on a thread of its own.

mod over;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use super::Engine;
use crate::analysis::channels::{Port, Ports};
use crate::analysis::floor::Floor;
use crate::analysis::request::Request;
use crate::analysis::several::{Average, Derived, difference};
use crate::analysis::task::Task;
use crate::analysis::verdict::{Judged, Limit, Verdict, judge, worst};
use crate::analysis::{AxisNm, Figure, LevelsDb, Trace};
use crate::measurement::{TraceSummary, TraceUnit};
use crate::operation::AnalyzeFields;
use crate::run::bench::Needs;
use crate::run::context::StepContext;
use crate::run::events::RunEvent;
use crate::run::state::history::History;
use crate::run::state::rewind::{Again, Cause, rewind};
use crate::shown::counted;
use crate::step::{AnalysisOutcome, Fault, FaultKind, Outcome, TraceAnalysis, TraceReader as _};
use crate::store::{TraceIndexes, open_trace};
use crate::threads;

impl Engine {
    pub(super) async fn analyze(
        &mut self,
        ctx: &StepContext,
        fields: &AnalyzeFields,
    ) -> Result<Outcome, Fault> {
        let mut fields = fields.clone();
        let mut outcome = self.analyze_once(ctx, &fields).await?;
        for left in (0..fields.remeasures()).rev() {
            let Some(verdict) = outcome.verdict.filter(|verdict| verdict.is_bad()) else { break };
            let message =
                format!("the verdict is {verdict}: the sweep is repeated (then {left} more times at most)");
            self.log.emit(RunEvent::Warning { message })?;
            let Some(traces) = self.sweep_for_verdict(&fields.traces).await? else {
                let message = "the sweep of these traces cannot be repeated any more: the verdict stays";
                self.log.emit(RunEvent::Warning { message: message.to_owned() })?;
                break;
            };
            fields.traces = traces;
            let mut again = self.analyze_once(ctx, &fields).await?;
            again.earlier = std::mem::take(&mut outcome.earlier);
            again.earlier.push(outcome);
            outcome = again;
        }
        Ok(Outcome::Analysis(Box::new(outcome)))
    }

    /// Repeats the last sweep with its fetches, and keeps the traces of the attempts before. Gives the new traces in the
    /// place of `traces`; `None` if they are not of the last sweep, or if the sweep cannot be repeated.
    async fn sweep_for_verdict(&mut self, traces: &[u64]) -> Result<Option<Vec<u64>>, Fault> {
        let plan = self.log.history(|history| rewind(history, Cause::NotPassed));
        let slots = |number: u64| -> Vec<u64> {
            let slots =
                |history: &History| history.slots(number).iter().map(|slot| slot.trace_index).collect();
            self.log.history(slots)
        };
        let before: BTreeMap<u64, Vec<u64>> =
            plan.steps.iter().map(|again| (again.number, slots(again.number))).collect();
        if traces.is_empty()
            || !traces.iter().all(|trace| before.values().flatten().any(|known| known == trace))
        {
            return Ok(None);
        }
        let mut replaced = BTreeMap::new();
        for Again { number, attempt, step } in plan.steps {
            let ctx = StepContext { keeps_traces: true, ..StepContext::again(number, attempt, step) };
            if ctx.step.operation.traits().is_sweep() {
                self.ensure_unless_stopped(&ctx, Needs::of(&ctx.step.operation)).await?;
            }
            let outcome = Box::pin(self.redo_step(&ctx)).await?;
            self.bench.memory_is_doubtful = false;
            if let Outcome::Traces(new) = outcome {
                let new = new.iter().map(|trace| trace.trace_index);
                replaced.extend(before.get(&number).into_iter().flatten().copied().zip(new));
            }
        }
        Ok(Some(traces.iter().map(|trace| replaced.get(trace).copied().unwrap_or(*trace)).collect()))
    }

    async fn analyze_once(
        &mut self,
        ctx: &StepContext,
        fields: &AnalyzeFields,
    ) -> Result<AnalysisOutcome, Fault> {
        let (folder, indexes) = (Arc::clone(&self.output.folder), Arc::clone(&self.output.indexes));
        let (fields, place) = (fields.clone(), ctx.step.place.clone());
        let analysed = threads::begin("analysis", move || match &fields.over {
            Some(id) => over::analyze(&fields, id, &place, folder.path()),
            None => analyze(&fields, folder.path(), &indexes),
        });
        let mut outcome = self.bench.heartbeat.during(analysed).await??;
        for trace in &mut outcome.traces {
            trace.detector_name = self.detector_name(ctx, trace.detector);
        }
        for message in &outcome.warnings {
            self.log.emit(RunEvent::Warning { message: message.clone() })?;
        }
        Ok(outcome)
    }
}

/// Analyses the traces of the fields, which are stored in the folder of a run. Blocks.
///
/// # Errors
/// If a trace cannot be read, or the fields do not fit the traces.
pub fn analyze(
    fields: &AnalyzeFields,
    folder: &Path,
    indexes: &TraceIndexes,
) -> Result<AnalysisOutcome, Fault> {
    let find = |number: u64| -> Result<TraceSummary, Fault> {
        indexes.trace(folder, number)?.ok_or_else(|| {
            Fault::new(FaultKind::Store, format!("trace {number} of this run is not stored any more"))
        })
    };
    let mut traces = Vec::new();
    for number in &fields.traces {
        let stored = find(*number)?;
        if fields.detectors.is_empty() || fields.detectors.contains(&stored.detector) {
            traces.push(stored);
        }
    }
    let wrong = |message: String| Fault::new(FaultKind::Recipe, message);
    let minus = fields.minus_trace.map(find).transpose()?;
    if let (Some(id), None) = (&fields.minus, &minus) {
        return Err(wrong(format!("the fetch `{id}` has stored no trace that could be subtracted")));
    }
    let groups =
        if fields.average { together(traces) } else { traces.into_iter().map(|one| vec![one]).collect() };
    let task = fields.task(groups.len()).map_err(wrong)?;
    let mut outcome = AnalysisOutcome::new();
    outcome.limits = fields.judged_by.as_ref().map(|limits| limits.source.clone());
    let mut ports = Vec::new();
    for group in &groups {
        if let Some((trace, port)) = analyze_group(group, minus.as_ref(), &task, folder)? {
            outcome.traces.push(trace);
            ports.extend(port);
        }
    }
    let all = Ports { channels: &task.channels, ports: &ports };
    for (trace, port) in outcome.traces.iter_mut().zip(&ports) {
        all.take_back_doubtful(port, &mut trace.figures);
    }
    outcome.figures = task.figures_of_all(&all);
    outcome.warnings = all.warnings();
    for (name, limit) in &fields.all_limits() {
        judge_one(name, *limit, &mut outcome, || why_missing(fields)).map_err(wrong)?;
    }
    Ok(outcome.complete())
}

/// The traces of each detector and kind together, in the order of their first ones.
fn together(traces: Vec<TraceSummary>) -> Vec<Vec<TraceSummary>> {
    let mut groups: Vec<Vec<TraceSummary>> = Vec::new();
    for trace in traces {
        let same = |group: &&mut Vec<TraceSummary>| {
            group.first().is_some_and(|first| (first.detector, first.trace) == (trace.detector, trace.trace))
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.push(trace),
            None => groups.push(vec![trace]),
        }
    }
    groups
}

fn levels(trace: &TraceSummary, folder: &Path) -> Result<Vec<f32>, Fault> {
    open_trace(folder, trace)?.levels()
}

/// A trace as the analysis sees it.
fn seen<'a>(trace: &TraceSummary, levels: &'a [f32]) -> Result<Trace<'a>, Fault> {
    let seen = Trace::new(AxisNm::of_grid(trace.grid, levels.len()), LevelsDb::Single(levels));
    Ok(seen.map_err(|error| wrong_trace(trace, &error.to_string()))?.in_unit(unit_of(trace)?))
}

fn unit_of(trace: &TraceSummary) -> Result<TraceUnit, Fault> {
    TraceUnit::named(&trace.unit).map_err(|message| wrong_trace(trace, &message))
}

fn wrong_trace(trace: &TraceSummary, message: &str) -> Fault {
    Fault::new(FaultKind::Recipe, format!("`{}`: {message}", trace.file))
}

/// Analyses a trace, or the mean of several. With channels, the trace is a port too.
fn analyze_group(
    group: &[TraceSummary],
    minus: Option<&TraceSummary>,
    task: &Task,
    folder: &Path,
) -> Result<Option<(TraceAnalysis, Option<Port>)>, Fault> {
    let Some(trace) = group.first() else { return Ok(None) };
    let wrong = |message: String| wrong_trace(trace, &message);
    let stated_db = task.request.floor_db;
    let (one, together);
    let own = if group.len() > 1 {
        together = mean(group, stated_db, folder)?;
        let mean = Trace::derived(AxisNm::of_grid(trace.grid, together.levels_db.len()), &together);
        mean.map_err(|error| wrong(error.to_string()))?.in_unit(unit_of(trace)?)
    } else {
        one = levels(trace, folder)?;
        seen(trace, &one)?
    };
    let analysis = match minus {
        None => task.figures_of(&own).map_err(wrong)?,
        Some(reference) => {
            let unit = own.unit().minus(unit_of(reference)?).map_err(wrong)?;
            let theirs = levels(reference, folder)?;
            let theirs = seen(reference, &theirs)?;
            let floors = [&own, &theirs].map(|trace| Floor::of(trace, stated_db));
            let (apart, dark) = difference((&own, floors[0]), (&theirs, floors[1]));
            // A level that is stated is one of the detector, and not of a difference.
            let request = Request { floor_db: None, ..task.request.clone() };
            let task = Task { request, ..task.clone() };
            let apart = own.with_levels(&apart).map_err(|error| wrong(error.to_string()))?.in_unit(unit);
            let mut analysis = task.figures_of(&apart).map_err(wrong)?;
            analysis.warnings.extend((dark > 0).then(|| {
                format!(
                    "the trace that is subtracted is at its floor at {}: they have no value",
                    counted(dark, "sample")
                )
            }));
            analysis
        }
    };
    let averaged =
        if group.len() > 1 { group.iter().map(|trace| trace.trace_index).collect() } else { Vec::new() };
    let of_trace = TraceAnalysis {
        figures: analysis.figures,
        settings: Some(analysis.settings),
        averaged,
        minus: minus.map(|reference| reference.trace_index),
        smooth_samples: task.smooth_samples,
        warnings: analysis.warnings,
        ..TraceAnalysis::of(trace)
    };
    Ok(Some((of_trace, analysis.port)))
}

/// The mean in linear power. One trace at a time is in memory, next to the sums.
fn mean(group: &[TraceSummary], stated_db: Option<f64>, folder: &Path) -> Result<Derived, Fault> {
    let mut average = Average::default();
    for trace in group {
        if let Some(first) = group.first().filter(|first| first.unit != trace.unit) {
            let message = format!("is in {}, and `{}` is in {}", trace.unit, first.file, first.unit);
            return Err(wrong_trace(trace, &format!("{message}: an average needs one unit")));
        }
        let one = levels(trace, folder)?;
        let sweep = seen(trace, &one)?;
        let floor = Floor::of(&sweep, stated_db);
        average.add(&sweep, floor).map_err(|message| wrong_trace(trace, &message))?;
    }
    Ok(average.finish())
}

/// Judges figures by these limits, and forgets earlier verdicts on them.
///
/// # Errors
/// If a limit is wrong.
pub fn judge_again(
    outcome: &mut AnalysisOutcome,
    limits: &BTreeMap<String, Limit>,
    fields: &AnalyzeFields,
) -> Result<(), String> {
    outcome.judged.clear();
    outcome.traces.iter_mut().for_each(|trace| trace.judged.clear());
    for (name, limit) in limits {
        judge_one(name, *limit, outcome, || why_missing(fields))?;
    }
    outcome.verdict = worst(outcome.all_judged().map(|judged| judged.verdict));
    Ok(())
}

/// Judges all figures of one name, in all traces. If there is none, the limit itself is not measured.
pub(super) fn judge_one(
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
