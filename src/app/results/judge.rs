//! `ctp10 judge`: runs that were measured earlier against other limits. Nothing in the run folders is changed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::json;

use super::chosen::chosen;
use super::devices::{device_columns, naming, short};
use super::figures::no_figures;
use super::layout::{Column, tables};
use crate::analysis::Figure;
use crate::analysis::verdict::{Judged, Limit, Verdict, VerdictCounts, worst};
use crate::app::run::not_passed;
use crate::cli::JudgeArgs;
use crate::config::Config;
use crate::error::{ExitCode, Failure, chain};
use crate::measurement::TraceKind;
use crate::operation::{AnalyzeFields, Constant, LimitSet, Operation};
use crate::recipe::read_limits;
use crate::run::analysis::{analyze, judge_again};
use crate::run::results::{StoredAnalyses, StoredAnalysis};
use crate::shown::counted;
use crate::step::{AnalysisOutcome, Fault, TraceAnalysis};
use crate::store::runs::FoundRun;
use crate::store::{StoreError, TraceIndexes};
use crate::terminal::output::{errln, outln};
use crate::terminal::simulated_mark;

/// A verdict on one figure of a run.
#[derive(Serialize)]
struct Line {
    run: String,
    columns: BTreeMap<String, Constant>,
    analysis: String,
    trace_index: Option<u64>,
    detector: Option<String>,
    /// The kind of the trace.
    trace: Option<TraceKind>,
    #[serde(flatten)]
    judged: Judged,
    /// What a reader of the figures of this trace needs to know.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<String>,
    /// The verdict in the run folder; `None` if the figure had no limit.
    stored_verdict: Option<Verdict>,
    #[serde(skip)]
    figure: Option<Figure>,
}

/// The verdict on a run.
#[derive(Serialize)]
struct OfRun {
    run: String,
    name: String,
    simulated: bool,
    stored_verdict: Option<Verdict>,
    verdict: Option<Verdict>,
    judged: Vec<Line>,
}

/// Why a run cannot be judged.
enum NotJudged {
    Store(StoreError),
    Fault(Fault),
    Limits(String),
}

impl From<StoreError> for NotJudged {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

pub(in crate::app) fn judge(args: &JudgeArgs, config: &Config) -> Result<(), Failure> {
    let limits = read_limits(&args.limits).map_err(Failure::recipe)?;
    let out = crate::app::run_folders(args.runs.out.clone(), config);
    let runs = chosen(&args.runs, &out)?;
    let (mut judged, mut without) = (Vec::new(), Vec::new());
    for run in &runs {
        match of_run(run, &limits).map_err(|error| failed(run, error))? {
            Some(of_run) => judged.push(of_run),
            None => without.push(run.manifest.run.as_str()),
        }
    }
    if judged.is_empty() {
        return Err(no_figures(&runs));
    }
    let verdict = worst(judged.iter().filter_map(|run| run.verdict));
    if args.json {
        let found = json!({ "limits": limits.source, "verdict": verdict, "runs": judged, "without_figures": without });
        crate::app::print_json(&found)?;
    } else {
        print(&judged, &limits, args.all);
        if !without.is_empty() {
            errln!("without figures: {}", without.join(", "));
        }
    }
    not_passed(verdict)
}

fn failed(run: &FoundRun, error: NotJudged) -> Failure {
    let reason = match &error {
        NotJudged::Store(error) => chain(error),
        NotJudged::Fault(fault) => fault.message.clone(),
        NotJudged::Limits(message) => message.clone(),
    };
    let code = if matches!(error, NotJudged::Limits(_)) { ExitCode::Usage } else { ExitCode::Failed };
    Failure::new(code, format!("run {}: {reason}", run.manifest.run))
}

fn fields_of<'a>(analysis: &'a StoredAnalysis<'_>) -> Option<&'a AnalyzeFields> {
    match &analysis.step.operation {
        Operation::Analyze(fields) => Some(fields),
        _ => None,
    }
}

/// Judges a run; `None` if the run has no figures.
fn of_run(run: &FoundRun, limits: &LimitSet) -> Result<Option<OfRun>, NotJudged> {
    let stored = StoredAnalyses::read(&run.folder, &run.manifest.columns)?;
    if stored.is_empty() {
        return Ok(None);
    }
    let plan = Plan::of(&stored, limits)?;
    let indexes = TraceIndexes::default();
    let mut lines = Vec::new();
    stored.each(|analysis| -> Result<(), NotJudged> {
        let Some(fields) = fields_of(&analysis) else { return Ok(()) };
        let name = analysis.name();
        let own = plan.limits_of(name, limits);
        if own.is_empty() {
            return Ok(());
        }
        let mut outcome = analysis.outcome.clone();
        let new = plan.new.get(name).cloned().unwrap_or_default();
        add_figures(&mut outcome, fields, &new, (run, &indexes))?;
        judge_again(&mut outcome, &own, fields).map_err(NotJudged::Limits)?;
        lines.extend(lines_of(run, &analysis, outcome));
        Ok(())
    })?;
    lines.extend(plan.impossible.iter().map(|name| Line::impossible(run, name, limits)));
    let manifest = &run.manifest;
    Ok(Some(OfRun {
        run: manifest.run.clone(),
        name: manifest.name.clone(),
        simulated: manifest.instrument.simulated,
        stored_verdict: manifest.verdict,
        verdict: worst(lines.iter().map(|line| line.judged.verdict)),
        judged: lines,
    }))
}

/// Which analyses are judged by which limits.
#[derive(Default)]
struct Plan {
    /// The limits of figures that an analysis has stored.
    stored: BTreeMap<String, BTreeSet<String>>,
    /// Figures that are computed anew, with the settings of the analysis.
    new: BTreeMap<String, BTreeSet<String>>,
    /// Limits of figures that no analysis of the run can compute.
    impossible: BTreeSet<String>,
}

impl Plan {
    fn of(analyses: &StoredAnalyses, limits: &LimitSet) -> Result<Self, NotJudged> {
        let mut plan = Self::default();
        let mut possible: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        analyses.each(|analysis| -> Result<(), NotJudged> {
            let Some(fields) = fields_of(&analysis) else { return Ok(()) };
            let name = analysis.name();
            let names: BTreeSet<&String> =
                analysis.outcome.all_figures().map(|(_, figure)| &figure.name).collect();
            for figure in limits.figures.keys() {
                if names.contains(figure) {
                    plan.stored.entry(name.to_owned()).or_default().insert(figure.clone());
                } else if fields.over.is_none()
                    && only(fields, [figure.clone()].into(), &analysis.outcome).check().is_ok()
                {
                    possible.entry(name.to_owned()).or_default().insert(figure.clone());
                }
            }
            Ok(())
        })?;
        for figure in limits.figures.keys() {
            if plan.stored.values().any(|stored| stored.contains(figure)) {
                continue;
            }
            let able = possible.iter().filter(|(_, figures)| figures.contains(figure));
            let able: Vec<String> = able.map(|(name, _)| name.clone()).collect();
            if able.is_empty() {
                plan.impossible.insert(figure.clone());
            }
            for name in able {
                plan.new.entry(name).or_default().insert(figure.clone());
            }
        }
        Ok(plan)
    }

    fn limits_of(&self, name: &str, limits: &LimitSet) -> BTreeMap<String, Limit> {
        let figures = [&self.stored, &self.new].into_iter().filter_map(|plan| plan.get(name)).flatten();
        figures.filter_map(|figure| Some((figure.clone(), *limits.figures.get(figure)?))).collect()
    }
}

/// The fields of an analysis with other figures, for the traces that its result rests on, and without limits.
fn only(fields: &AnalyzeFields, figures: BTreeSet<String>, outcome: &AnalysisOutcome) -> AnalyzeFields {
    AnalyzeFields {
        traces: outcome.traces.iter().flat_map(numbers).collect(),
        detectors: Vec::new(),
        figures: figures.into_iter().collect(),
        expect: BTreeMap::new(),
        limits: None,
        judged_by: None,
        ..fields.clone()
    }
}

/// The traces that an analysis of one trace, or of the mean of several, rests on.
fn numbers(trace: &TraceAnalysis) -> Vec<u64> {
    if trace.averaged.is_empty() { vec![trace.trace_index] } else { trace.averaged.clone() }
}

/// Adds figures that were not stored, computed from the stored traces.
fn add_figures(
    outcome: &mut AnalysisOutcome,
    fields: &AnalyzeFields,
    new: &BTreeSet<String>,
    (run, indexes): (&FoundRun, &TraceIndexes),
) -> Result<(), NotJudged> {
    if new.is_empty() {
        return Ok(());
    }
    let fields = only(fields, new.clone(), outcome);
    let computed = analyze(&fields, &run.folder, indexes).map_err(NotJudged::Fault)?;
    let is_new = |figure: &Figure| new.contains(&figure.name);
    for (trace, computed) in outcome.traces.iter_mut().zip(computed.traces) {
        trace.figures.extend(computed.figures.into_iter().filter(is_new));
        let known = std::mem::take(&mut trace.warnings);
        trace.warnings = computed.warnings;
        trace.warnings.extend(known);
        trace.warnings.sort();
        trace.warnings.dedup();
    }
    outcome.figures.extend(computed.figures.into_iter().filter(is_new));
    Ok(())
}

/// The verdicts of an analysis.
fn lines_of(run: &FoundRun, analysis: &StoredAnalysis<'_>, outcome: AnalysisOutcome) -> Vec<Line> {
    let before = &analysis.outcome;
    let line = |judged: Judged, trace: Option<&TraceAnalysis>, figures: &[Figure], stored: &[Judged]| {
        let is_same = |figure: &str, of: &Option<String>| *figure == judged.figure && *of == judged.of;
        let stored = stored.iter().find(|stored| is_same(&stored.figure, &stored.of));
        Line {
            run: run.manifest.run.clone(),
            columns: match trace {
                Some(trace) => (*analysis.columns_of(trace.trace_index)).clone(),
                None => (*analysis.columns).clone(),
            },
            analysis: analysis.name().to_owned(),
            trace_index: trace.map(|trace| trace.trace_index),
            detector: trace.map(TraceAnalysis::shown_detector),
            trace: trace.map(|trace| trace.trace),
            warnings: trace.map_or(&before.warnings, |trace| &trace.warnings).clone(),
            stored_verdict: stored.map(|stored| stored.verdict),
            figure: figures.iter().find(|figure| is_same(&figure.name, &figure.of)).cloned(),
            judged,
        }
    };
    let mut lines = Vec::new();
    for trace in &outcome.traces {
        let stored = before.traces.iter().find(|before| before.trace_index == trace.trace_index);
        let stored = stored.map_or(&[][..], |stored| &stored.judged);
        lines.extend(
            trace.judged.iter().map(|judged| line(judged.clone(), Some(trace), &trace.figures, stored)),
        );
    }
    lines.extend(
        outcome.judged.iter().map(|judged| line(judged.clone(), None, &outcome.figures, &before.judged)),
    );
    lines
}

impl Line {
    fn impossible(run: &FoundRun, figure: &str, limits: &LimitSet) -> Self {
        let reason = "no analysis of the recipe can compute this figure with its settings";
        Self {
            run: run.manifest.run.clone(),
            columns: BTreeMap::new(),
            analysis: String::new(),
            trace_index: None,
            detector: None,
            trace: None,
            warnings: Vec::new(),
            judged: Judged {
                figure: figure.to_owned(),
                of: None,
                value: None,
                limit: limits.figures.get(figure).copied().unwrap_or_default(),
                verdict: Verdict::NotMeasured,
                reason: Some(reason.to_owned()),
            },
            stored_verdict: None,
            figure: None,
        }
    }

    /// The verdict, and the stored one if that was another.
    fn verdict(&self) -> String {
        match self.stored_verdict {
            Some(stored) if stored != self.judged.verdict => {
                format!("{} (was {stored})", self.judged.verdict)
            }
            Some(_) | None => self.judged.verdict.to_string(),
        }
    }

    fn label(&self) -> String {
        let kind = self.trace.map(|kind| kind.to_string());
        let of = self.judged.of.iter().chain(&self.detector).chain(&kind).map(String::as_str);
        [self.judged.figure.as_str()].into_iter().chain(of).collect::<Vec<_>>().join(" ")
    }
}

fn limit(limit: &Limit) -> String {
    let guard = limit.guard.map(|guard| format!(" ±{guard}")).unwrap_or_default();
    match (limit.min, limit.max) {
        (Some(min), Some(max)) => format!("{min} to {max}{guard}"),
        (Some(min), None) => format!("≥ {min}{guard}"),
        (None, Some(max)) => format!("≤ {max}{guard}"),
        (None, None) => String::new(),
    }
}

/// The warnings of all judged traces, each with the number of its traces.
fn warnings<'a>(lines: &[&'a Line]) -> BTreeMap<&'a str, usize> {
    let mut traces: BTreeMap<&str, BTreeSet<(&str, Option<u64>)>> = BTreeMap::new();
    for line in lines {
        for warning in &line.warnings {
            traces.entry(warning).or_default().insert((&line.run, line.trace_index));
        }
    }
    traces.into_iter().map(|(warning, traces)| (warning, traces.len())).collect()
}

fn print(runs: &[OfRun], limits: &LimitSet, all: bool) {
    let simulated = simulated_mark(runs.iter().any(|run| run.simulated));
    outln!(
        "limits {} version {} ({}){simulated}",
        limits.source.name,
        limits.source.version,
        limits.source.file
    );
    let lines: Vec<&Line> = runs.iter().flat_map(|run| &run.judged).collect();
    let shown: Vec<&&Line> =
        lines.iter().filter(|line| all || line.judged.verdict != Verdict::Pass).collect();
    let mut first = Vec::new();
    if runs.len() > 1 {
        first.push(Column::new("run", shown.iter().map(|line| line.run.clone())));
    }
    let names = naming(lines.iter().map(|line| &line.columns));
    first.extend(device_columns(&names, shown.iter().map(|line| &line.columns)));
    first.push(Column::new("figure", shown.iter().map(|line| line.label())));
    let value = |line: &Line| line.figure.as_ref().map_or_else(|| "-".to_owned(), short);
    let stored =
        |verdict: Option<Verdict>| verdict.map_or_else(|| "-".to_owned(), |verdict| verdict.to_string());
    let others = [
        Column::new("value", shown.iter().map(|line| value(line))),
        Column::new("limit", shown.iter().map(|line| limit(&line.judged.limit))),
        Column::new("verdict", shown.iter().map(|line| line.verdict())),
    ];
    if !shown.is_empty() {
        for table in tables(&first, &others) {
            outln!("{table}");
        }
    }
    for (warning, traces) in warnings(&lines) {
        errln!("warning ({}): {warning}", counted(traces, "trace"));
    }
    for run in runs {
        let counts = VerdictCounts::of(run.judged.iter().map(|line| line.judged.verdict));
        let now = stored(run.verdict);
        outln!(
            "{} ({}): {now}, stored: {}; {} pass, {} marginal, {} not measured, {} fail",
            run.run,
            run.name,
            stored(run.stored_verdict),
            counts.pass,
            counts.marginal,
            counts.not_measured,
            counts.fail
        );
    }
}
