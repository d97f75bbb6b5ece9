//! `ctp10 analyze RUN`: figures of merit of the traces of a run. One trace at a time is in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};

use super::{screen, smoothing};
use crate::analysis::request::{Analysis, Request};
use crate::analysis::{AxisNm, LevelsDb, Trace};
use crate::app::results::{columns_text, ended};
use crate::app::runs::failed;
use crate::cli::AnalyzeArgs;
use crate::error::{ExitCode, Failure, chain};
use crate::measurement::{TraceSummary, TraceUnit};
use crate::operation::Constant;
use crate::run::results::trace_columns;
use crate::step::TraceReader as _;
use crate::store::runs::{self, FoundRun};
use crate::store::{open_trace, skip_damaged};
use crate::terminal::output::{errln, outln};
use crate::terminal::simulated_mark;

/// The figures of a trace, as `--json` prints them.
#[derive(Serialize)]
struct OfTrace<'a> {
    trace_index: u64,
    detector: String,
    trace: String,
    name: &'a str,
    file: &'a str,
    columns: &'a BTreeMap<String, Constant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    smoothing: Option<String>,
    #[serde(flatten)]
    analysis: Analysis,
}

pub(super) fn analyze(args: &AnalyzeArgs, request: &Request, out: &Path) -> Result<(), Failure> {
    let run = ended(out, &args.file.to_string_lossy())?;
    let traces = chosen(args, &run)?;
    let columns = trace_columns(&run.folder, &run.manifest.columns).map_err(failed)?;
    let none = BTreeMap::new();
    let mut answers: Vec<Value> = Vec::new();
    let mut wrong: Vec<String> = Vec::new();
    let simulated = simulated_mark(run.manifest.instrument.simulated);
    if !args.json {
        outln!("{} ({}){simulated}", run.manifest.run, run.manifest.name);
    }
    for trace in &traces {
        let analysis = match of_stored(args, request, &run, trace) {
            Ok(analysis) => analysis,
            Err(why) => {
                wrong.push(format!("`{}`: {why}", trace.file));
                continue;
            }
        };
        let columns = columns.get(&trace.trace_index).map_or(&none, |columns| &**columns);
        if args.json {
            answers.push(json!(OfTrace {
                trace_index: trace.trace_index,
                detector: trace.detector.to_string(),
                trace: trace.trace.to_string(),
                name: &trace.name,
                file: &trace.file,
                columns,
                smoothing: smoothing(args),
                analysis,
            }));
        } else {
            let device = columns_text(columns);
            let device = if device.is_empty() { device } else { format!("  ({device})") };
            outln!();
            outln!("trace {}  {} {}{}", trace.trace_index, trace.shown_detector(), trace.trace, device);
            screen::print(&trace.file, &trace.unit, smoothing(args), &analysis);
        }
    }
    if args.json {
        let manifest = &run.manifest;
        crate::app::print_json(&json!({
            "run": manifest.run, "name": manifest.name, "simulated": manifest.instrument.simulated, "traces": answers,
            "errors": wrong,
        }))?;
    }
    if wrong.is_empty() {
        return Ok(());
    }
    for why in &wrong {
        errln!("{why}");
    }
    Err(Failure::new(
        ExitCode::Usage,
        format!("{} of {} traces cannot be analysed", wrong.len(), traces.len()),
    ))
}

/// Whether a trace has the kind, and is of a detector, that is wanted.
pub(in crate::app) fn is_wanted(args: &AnalyzeArgs, trace: &TraceSummary) -> bool {
    let detector = trace.detector.to_string();
    trace.trace.to_string() == args.trace && (args.detector.is_empty() || args.detector.contains(&detector))
}

/// The traces of the kind and of the detectors that are wanted.
fn chosen(args: &AnalyzeArgs, run: &FoundRun) -> Result<Vec<TraceSummary>, Failure> {
    let stored =
        runs::traces(&run.folder).and_then(|traces| skip_damaged(traces).collect::<Result<Vec<_>, _>>());
    let stored = stored.map_err(failed)?;
    let id = &run.manifest.run;
    if stored.is_empty() {
        return Err(Failure::new(ExitCode::Usage, format!("run {id} has stored no trace")));
    }
    let list = |words: BTreeSet<String>| words.into_iter().collect::<Vec<_>>().join(", ");
    let kinds = list(stored.iter().map(|trace| trace.trace.to_string()).collect());
    let detectors = list(stored.iter().map(|trace| trace.detector.to_string()).collect());
    let wanted: Vec<TraceSummary> = stored.into_iter().filter(|trace| is_wanted(args, trace)).collect();
    if wanted.is_empty() {
        let of = if args.detector.is_empty() {
            String::new()
        } else {
            format!(" of detector {}", args.detector.join(", "))
        };
        let message = format!("run {id} has no trace `{}`{of}", args.trace);
        return Err(Failure::new(ExitCode::Usage, message)
            .hint(format!("the run has the traces {kinds} of the detectors {detectors}")));
    }
    Ok(wanted)
}

fn of_stored(
    args: &AnalyzeArgs,
    request: &Request,
    run: &FoundRun,
    summary: &TraceSummary,
) -> Result<Analysis, String> {
    let unit = TraceUnit::named(&summary.unit)?;
    let file = open_trace(&run.folder, summary).map_err(|error| chain(&error))?;
    let levels = file.levels().map_err(|fault| fault.message)?;
    let axis = AxisNm::of_grid(summary.grid, levels.len());
    let trace = Trace::new(axis, LevelsDb::Single(&levels)).map_err(|error| error.to_string())?;
    let mut analysis = super::of_trace(args, request, &trace.in_unit(unit))?;
    analysis.judge_unit(unit);
    Ok(analysis)
}
