//! The figures of a run, device by device.

use std::collections::{BTreeMap, BTreeSet};

use super::layout::Column;
use crate::analysis::Figure;
use crate::analysis::shown::bare_value;
use crate::analysis::verdict::{Judged, Verdict, worst};
use crate::error::{ExitCode, Failure, chain};
use crate::operation::Constant;
use crate::run::results::{StoredAnalyses, StoredAnalysis};
use crate::step::TraceAnalysis;
use crate::store::runs::FoundRun;
use crate::store::{Manifest, StoreError};

/// What a figure belongs to, apart from the device.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Label {
    /// The `id` of the analysis, or its place in the recipe.
    pub(super) analysis: String,
    pub(super) figure: String,
    /// The feature of the trace: `dip 2`, `channel 21`. `None` stands for the strongest dip or peak too.
    pub(super) of: Option<String>,
    /// The name of the detector; `None` for a figure of several traces.
    pub(super) detector: Option<String>,
}

/// A figure of a device.
#[derive(Debug, Clone)]
pub(super) struct Value {
    pub(super) figure: Figure,
    /// The worst verdict on all figures that this one stands for.
    pub(super) verdict: Option<Verdict>,
    /// The figure of another dip or peak that has this verdict, if the figure itself has a better one.
    pub(super) decided_by: Option<Figure>,
    pub(super) trace_index: Option<u64>,
}

/// A device: everything that was measured with the same values of the loops and columns.
#[derive(Debug, Clone)]
pub(super) struct Device {
    pub(super) columns: BTreeMap<String, Constant>,
    pub(super) verdict: Option<Verdict>,
    pub(super) values: BTreeMap<Label, Value>,
}

/// A device of one of the runs.
pub(super) struct Row<'a> {
    pub(super) run: &'a Manifest,
    pub(super) device: Device,
}

/// Which dips and peaks are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Features {
    /// The strongest one of each trace.
    Strongest,
    All,
}

/// The devices of a run in the order of their measurement.
pub(super) fn devices(run: &FoundRun, features: Features) -> Result<Vec<Device>, Failure> {
    let wrong = |error: StoreError| {
        let run = &run.manifest.run;
        Failure::new(ExitCode::Failed, format!("run {run}: {}", chain(&error)))
            .hint("`ctp10 runs verify` lists the damage")
    };
    let stored = StoredAnalyses::read(&run.folder, &run.manifest.columns).map_err(wrong)?;
    let mut devices: Vec<Device> = Vec::new();
    stored.each(|analysis| take(&mut devices, &analysis, features)).map_err(wrong)?;
    Ok(devices)
}

/// Adds the figures of an analysis to its device.
fn take(
    devices: &mut Vec<Device>,
    analysis: &StoredAnalysis<'_>,
    features: Features,
) -> Result<(), StoreError> {
    let mut values: BTreeMap<Label, Value> = BTreeMap::new();
    let mut put = |figure: &Figure, trace: Option<&TraceAnalysis>, judged: &[Judged]| {
        let of = match (features, &figure.of) {
            (Features::Strongest, Some(of)) if is_line(of) => None,
            (Features::Strongest | Features::All, of) => of.clone(),
        };
        let label = Label {
            analysis: analysis.name().to_owned(),
            figure: figure.name.clone(),
            of: of.clone(),
            detector: trace.map(|trace| trace.detector_name.clone()),
        };
        // The strongest line stands for all of them, so its verdict is the worst.
        let own = || {
            judged
                .iter()
                .filter(|judged| judged.figure == figure.name && (of.is_none() || judged.of == figure.of))
        };
        let verdict = worst(own().map(|judged| judged.verdict));
        let decides = |judged: &&Judged| Some(judged.verdict) == verdict;
        let is_decided_by_itself = own().filter(decides).any(|judged| judged.is_of(figure));
        let decided_by = trace.filter(|_| !is_decided_by_itself).and_then(|trace| {
            let deciding = own().find(decides)?;
            trace.figures.iter().find(|other| deciding.is_of(other)).cloned()
        });
        let trace_index = trace.map(|trace| trace.trace_index);
        values.entry(label).or_insert(Value { figure: figure.clone(), verdict, decided_by, trace_index });
    };
    let outcome = &analysis.outcome;
    for trace in &outcome.traces {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        for figure in &trace.figures {
            let line = figure.of.as_deref().is_some_and(is_line) && features == Features::Strongest;
            if !line {
                put(figure, Some(trace), &trace.judged);
            } else if seen.insert(&figure.name)
                && let Some(strongest) = trace.representative(&figure.name)
            {
                put(strongest, Some(trace), &trace.judged);
            }
        }
    }
    for figure in &outcome.figures {
        put(figure, None, &outcome.judged);
    }
    for judged in outcome.judged.iter().filter(|judged| judged.value.is_none()) {
        if !outcome.figures.iter().any(|figure| figure.name == judged.figure) {
            let reason = judged.reason.clone().unwrap_or_default();
            put(&Figure::without_value(&judged.figure, reason), None, &outcome.judged);
        }
    }
    let columns = columns(analysis);
    // A device that is measured again begins another row.
    let same = devices.iter_mut().rev().find(|device| device.columns == columns);
    match same.filter(|device| values.keys().all(|label| !device.values.contains_key(label))) {
        Some(device) => {
            device.verdict = worst(device.verdict.into_iter().chain(outcome.verdict));
            device.values.extend(values);
        }
        None => devices.push(Device { columns, verdict: outcome.verdict, values }),
    }
    Ok(())
}

/// Whether the feature is one of many lines, whose numbers mean nothing in another trace.
fn is_line(of: &str) -> bool {
    ["dip ", "peak ", "pair "].iter().any(|kind| of.starts_with(kind))
}

/// The columns of the analysis, and those that all of its traces have in common.
fn columns(analysis: &StoredAnalysis<'_>) -> BTreeMap<String, Constant> {
    let mut of_traces = analysis.outcome.traces.iter().map(|trace| analysis.columns_of(trace.trace_index));
    let Some(first) = of_traces.next() else { return (*analysis.columns).clone() };
    let mut common = (*first).clone();
    for columns in of_traces {
        common.retain(|name, value| columns.get(name) == Some(value));
    }
    common
}

/// A value of a column for people and for CSV.
pub(super) fn constant(value: &Constant) -> String {
    match value {
        Constant::Number(number) => number.to_string(),
        Constant::Text(text) => text.clone(),
    }
}

/// The value of one column of a device; empty if the device has no such column.
pub(super) fn cell(columns: &BTreeMap<String, Constant>, name: &str) -> String {
    columns.get(name).map(constant).unwrap_or_default()
}

/// The columns of devices with these names, with a cell for each row.
pub(super) fn device_columns<'a>(
    names: &[String],
    rows: impl Iterator<Item = &'a BTreeMap<String, Constant>> + Clone,
) -> Vec<Column> {
    names.iter().map(|name| Column::new(name, rows.clone().map(|columns| cell(columns, name)))).collect()
}

/// A value in a narrow cell.
pub(super) fn short(figure: &Figure) -> String {
    bare_value(figure).unwrap_or_else(|| "-".to_owned())
}

/// The columns that differ between these devices.
pub(super) fn telling<'a>(all: impl Iterator<Item = &'a BTreeMap<String, Constant>> + Clone) -> Vec<String> {
    let names: BTreeSet<&String> = all.clone().flat_map(BTreeMap::keys).collect();
    let differs = |name: &&String| {
        let values: BTreeSet<String> = all.clone().map(|columns| cell(columns, name)).collect();
        values.len() > 1
    };
    names.into_iter().filter(differs).cloned().collect()
}

/// The fewest columns that tell these devices apart: one, if one is enough.
pub(super) fn naming<'a>(all: impl Iterator<Item = &'a BTreeMap<String, Constant>> + Clone) -> Vec<String> {
    let telling = telling(all.clone());
    let count = |names: &[String]| {
        let places = all
            .clone()
            .map(|columns| names.iter().map(|name| columns.get(name).map(constant)).collect::<Vec<_>>());
        places.collect::<BTreeSet<_>>().len()
    };
    let most = count(&telling);
    match telling.iter().find(|name| count(std::slice::from_ref(*name)) == most) {
        Some(enough) => vec![enough.clone()],
        None => telling,
    }
}

/// How labels are shown: with as much as is needed to distinguish them.
#[derive(Debug, Default)]
pub(super) struct Labels {
    analyses: BTreeMap<String, BTreeSet<String>>,
    detectors: BTreeMap<String, BTreeSet<Option<String>>>,
}

impl Labels {
    pub(super) fn of<'a>(labels: impl IntoIterator<Item = &'a Label>) -> Self {
        let mut known = Self::default();
        for label in labels {
            known.analyses.entry(label.figure.clone()).or_default().insert(label.analysis.clone());
            known.detectors.entry(label.figure.clone()).or_default().insert(label.detector.clone());
        }
        known
    }

    pub(super) fn show(&self, label: &Label) -> String {
        let several = |count: Option<usize>| count.is_some_and(|count| count > 1);
        let mut text = label.figure.clone();
        if several(self.analyses.get(&label.figure).map(BTreeSet::len)) {
            text = format!("{}.{text}", label.analysis);
        }
        if let Some(of) = &label.of {
            text.push_str(&format!(" {of}"));
        }
        if several(self.detectors.get(&label.figure).map(BTreeSet::len))
            && let Some(detector) = &label.detector
        {
            text.push_str(&format!(" {detector}"));
        }
        text
    }
}
