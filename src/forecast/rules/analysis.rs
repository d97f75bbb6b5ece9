//! Whether the wavelengths of an analysis are within its traces, and whether their units and axes fit together.

use std::collections::BTreeMap;

use super::Said;
use crate::forecast::PlannedStep;
use crate::measurement::{Detector, Grid, Loss, TraceKind, TraceSummary, TraceUnit};
use crate::operation::AnalyzeFields;
use crate::shown::{number, quantity};
use crate::source::Diagnostic;
use crate::step::{Place, Step};

/// Rounding errors of wavelengths, nm.
const SAME_NM: f64 = 1e-6;

/// What is known of a trace before it is measured.
#[derive(Debug, Clone)]
pub(in crate::forecast) struct Fetched {
    detector: Detector,
    kind: TraceKind,
    unit: TraceUnit,
    /// The axis, if the recipe states the scan.
    grid: Option<Grid>,
}

impl Fetched {
    /// The trace with its number.
    pub(in crate::forecast) fn of(trace: &TraceSummary, is_scan_stated: bool) -> Option<(u64, Self)> {
        let unit = TraceUnit::named(&trace.unit).ok()?;
        let grid = is_scan_stated.then_some(trace.grid);
        Some((trace.trace_index, Self { detector: trace.detector, kind: trace.trace, unit, grid }))
    }

    fn shown(&self) -> String {
        format!("the trace `{}` of {}", self.kind, self.detector)
    }
}

/// Checks an analysis of these traces.
pub(in crate::forecast) fn look(step: &Step, fetched: &BTreeMap<u64, Fetched>) -> Said {
    let Some(analysis) = step.operation.traits().analysis else { return Said::new() };
    let is_of =
        |trace: &&Fetched| analysis.detectors.is_empty() || analysis.detectors.contains(&trace.detector);
    let traces: Vec<&Fetched> =
        analysis.traces.iter().filter_map(|number| fetched.get(number)).filter(is_of).collect();
    let minus = analysis.minus_trace.and_then(|number| fetched.get(&number));
    let grids = traces.iter().filter_map(|trace| trace.grid.as_ref());
    let mut said: Said = grids.flat_map(|grid| beside(analysis, grid)).collect();
    said.extend(traces.iter().filter_map(|trace| wrong_unit(analysis, trace, minus)));
    if analysis.average {
        said.extend(unlike(&traces));
    }
    said
}

/// Limits in files that no analysis of the recipe judges, because the figures belong to a fit that the recipe does not have.
pub(in crate::forecast) fn unjudged(steps: &[PlannedStep]) -> Vec<(&Place, Diagnostic)> {
    let mut open: BTreeMap<&str, (&Place, Vec<&String>)> = BTreeMap::new();
    for PlannedStep { step, .. } in steps {
        let Some(analysis) = step.operation.traits().analysis else { continue };
        let Some(limits) = &analysis.judged_by else { continue };
        let all = || (&step.place, limits.figures.keys().collect());
        let (_, names) = open.entry(&limits.source.file).or_insert_with(all);
        if !names.is_empty() {
            let own = analysis.all_limits();
            names.retain(|name| !own.contains_key(*name));
        }
    }
    let warning = |(file, (place, names)): (_, (_, Vec<&String>))| {
        let message = format!("no analysis computes `{}`, which has a limit in `{file}`", names.first()?);
        Some((
            place,
            Diagnostic::warning(message).hint("an analysis with `over` and a `fit` or `cut_back` judges it"),
        ))
    };
    open.into_iter().filter_map(warning).collect()
}

/// A difference that is no ratio, or a loss that the unit of the trace does not have.
fn wrong_unit(
    analysis: &AnalyzeFields,
    trace: &Fetched,
    minus: Option<&Fetched>,
) -> Option<(String, Diagnostic)> {
    let unit = match minus.map_or(Ok(trace.unit), |minus| trace.unit.minus(minus.unit)) {
        Ok(unit) => unit,
        Err(message) => {
            return Some(("minus".into(), Diagnostic::error(format!("{} {message}", trace.shown()))));
        }
    };
    let names = analysis.names();
    let loss = names.iter().find(|name| name.starts_with("insertion_loss"))?;
    (unit.loss() == Loss::Unknown).then(|| {
        let message = format!("{} is in {unit}: its `{loss}` is not measured", trace.shown());
        ("unit".into(), Diagnostic::warning(message))
    })
}

/// Traces that an average cannot combine.
fn unlike(traces: &[&Fetched]) -> Option<(String, Diagnostic)> {
    let wrong = |message: String| Some(("average".into(), Diagnostic::error(message)));
    for (place, trace) in traces.iter().enumerate() {
        let is_same = |before: &&&Fetched| (before.detector, before.kind) == (trace.detector, trace.kind);
        let Some(first) = traces[..place].iter().find(is_same) else { continue };
        if first.unit != trace.unit {
            let units = format!("is in {} and in {}", first.unit, trace.unit);
            return wrong(format!("{} {units}: an average needs one unit", trace.shown()));
        }
        if let Some((one, other)) = first.grid.zip(trace.grid).filter(|(one, other)| one != other) {
            let told =
                |grid: Grid| format!("{} to {} nm by {} pm", grid.start_nm, grid.stop_nm(), grid.step_pm);
            let grids = format!("has the wavelengths {} and {}", told(one), told(other));
            return wrong(format!("{} {grids}: an average needs the same ones", trace.shown()));
        }
    }
    None
}

fn beside(analysis: &AnalyzeFields, grid: &Grid) -> Said {
    let (start, stop) = (grid.start_nm, grid.stop_nm());
    let reach = format!("the trace reaches from {start} to {stop} nm");
    let mut said = Said::new();
    if let Some([from, to]) = analysis.band_nm {
        let is_within = from >= start - SAME_NM && to <= stop + SAME_NM;
        if from > stop || to < start {
            let message = format!("the band {from} to {to} nm is outside the trace");
            said.push(("band".into(), Diagnostic::error(message).hint(reach.clone())));
        } else if !is_within {
            let message = format!("the band {from} to {to} nm is partly outside the trace");
            said.push(("band".into(), Diagnostic::warning(message).hint(reach.clone())));
        }
    }
    let is_outside = |nm: f64| nm < start - SAME_NM || nm > stop + SAME_NM;
    if let Some(nm) = analysis.wavelengths_nm().iter().find(|nm| is_outside(**nm)) {
        let message = format!("at_nm {nm} nm is outside the trace: the insertion loss there is not measured");
        said.push(("at_nm".into(), Diagnostic::warning(message).hint(reach.clone())));
    }
    let channels = match analysis.task(analysis.traces.len()) {
        Ok(task) => task.channels,
        Err(message) => {
            said.push(("channels".into(), Diagnostic::error(message)));
            return said;
        }
    };
    let outside = |from_nm: f64, to_nm: f64| is_outside(from_nm) || is_outside(to_nm);
    if let Some(channel) = channels.iter().find(|channel| outside(channel.from_nm, channel.to_nm)) {
        let message = format!(
            "the window of channel {}, {} to {}, is not within the trace: its figures are not measured",
            channel.name,
            number(channel.from_nm, None, "nm"),
            quantity(channel.to_nm, None, "nm")
        );
        said.push(("channels".into(), Diagnostic::warning(message).hint(reach)));
    }
    said
}
