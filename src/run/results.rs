//! `results.parquet`: the figures of a run as a table, derived from its journal. The journal is read twice, so that the
//! memory does not grow with the number of figures: first to find the analyses that hold, then for their figures.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::events::{Record, RunEvent};
use super::state::analyses::Analyses;
use crate::analysis::Figure;
use crate::analysis::verdict::Judged;
use crate::operation::Constant;
use crate::step::{
    AnalysisOutcome, ColumnType, LoopPoint, Outcome, Place, Step, TraceAnalysis, columns, constant,
};
use crate::store::{ResultRow, ResultsRecord, RunFolder, StoreError, read_run_journal};

/// The columns of a trace or of an analysis, shared by their rows.
type Columns = Arc<BTreeMap<String, Constant>>;

/// Writes the table of figures. `given` are the columns of the batch. `None`: the run has no figures.
///
/// # Errors
/// If the journal cannot be read, or the table cannot be written.
pub(super) fn write(
    folder: &RunFolder,
    given: &BTreeMap<String, Constant>,
    simulated: bool,
) -> Result<Option<ResultsRecord>, StoreError> {
    let overview = Overview::read(folder, given)?;
    let held: BTreeSet<u64> = overview.held.held().copied().collect();
    if held.is_empty() {
        return Ok(None);
    }
    let mut writer = folder.results(overview.types, simulated)?;
    let mut begun: BTreeMap<u64, Step> = BTreeMap::new();
    for record in read_run_journal::<Record>(folder.path())? {
        let Record { n, event, .. } = record?;
        if let RunEvent::StepStarted { number, step, .. } = &event
            && step.operation.traits().analysis.is_some()
        {
            begun.insert(*number, step.clone());
        }
        if let RunEvent::StepFinished { number, outcome: Outcome::Analysis(analysis), .. } = event
            && let Some(step) = begun.remove(&number).filter(|_| held.contains(&n))
        {
            let own: Columns = Arc::new(of_analysis(&step.place, given));
            let mut analysis = *analysis;
            // The attempts before the last one are marked: they do not count.
            let earlier = std::mem::take(&mut analysis.earlier).into_iter().map(|earlier| (earlier, false));
            for (attempt, counts) in earlier.chain([(analysis, true)]) {
                for row in rows((number, &step), attempt, counts, &own, &overview.of_traces) {
                    writer.add(row)?;
                }
            }
        }
    }
    writer.finish().map(Some)
}

/// What must be known before the first row.
#[derive(Default)]
struct Overview {
    /// The numbers of the records with the results that hold.
    held: Analyses<u64>,
    /// The columns of traces whose fetch has columns of its own, by the number of the trace.
    of_traces: BTreeMap<u64, Columns>,
    /// The types of all columns.
    types: BTreeMap<String, ColumnType>,
}

impl Overview {
    fn read(folder: &RunFolder, given: &BTreeMap<String, Constant>) -> Result<Self, StoreError> {
        let mut overview = Self::default();
        let mut decided: BTreeMap<String, ColumnType> = BTreeMap::new();
        let mut fetch: Option<Columns> = None;
        for record in read_run_journal::<Record>(folder.path())? {
            let Record { n, event, .. } = record?;
            overview.held.apply(&event, |_, _| n);
            if let RunEvent::StepStarted { step, .. } = &event {
                let traits = step.operation.traits();
                if traits.analysis.is_some() {
                    overview.note(&of_analysis(&step.place, given));
                }
                let own = traits.fetch().filter(|fetch| !fetch.columns.is_empty());
                fetch = own.map(|own| Arc::new(given_first(given, columns(own, &step.place))));
            }
            if let (RunEvent::TraceStored { trace }, Some(columns)) = (&event, &fetch) {
                overview.note(columns);
                overview.of_traces.insert(trace.trace_index, Arc::clone(columns));
            }
            if let RunEvent::ColumnsDecided { columns } = event {
                decided.extend(columns.into_iter().map(|(name, column)| (name, column.kind)));
            }
        }
        // A column of the trace files has the same type here.
        for (name, kind) in &mut overview.types {
            *kind = decided.get(name).copied().unwrap_or(*kind);
        }
        Ok(overview)
    }

    fn note(&mut self, columns: &BTreeMap<String, Constant>) {
        for (name, value) in columns {
            let kind = ColumnType::of(value);
            self.types.entry(name.clone()).and_modify(|known| *known = known.and(kind)).or_insert(kind);
        }
    }
}

/// The columns of an analysis: the variables of the loops around it, and the columns of the batch.
fn of_analysis(place: &Place, given: &BTreeMap<String, Constant>) -> BTreeMap<String, Constant> {
    let turns = place.loops.iter().flat_map(LoopPoint::columns);
    given_first(given, turns.map(|(name, value)| (name.clone(), constant(value))).collect())
}

/// If both have a column of the same name, the recipe's column is used.
fn given_first(
    given: &BTreeMap<String, Constant>,
    own: BTreeMap<String, Constant>,
) -> BTreeMap<String, Constant> {
    given.clone().into_iter().chain(own).collect()
}

/// The rows of one attempt at an analysis.
fn rows(
    (number, step): (u64, &Step),
    analysis: AnalysisOutcome,
    counts: bool,
    own: &Columns,
    of_traces: &BTreeMap<u64, Columns>,
) -> Vec<ResultRow> {
    let AnalysisOutcome { definitions, limits, traces, figures, mut judged, .. } = analysis;
    let row =
        |figure: Figure, judged: Option<Judged>, trace: Option<TraceAnalysis>, columns: &Columns| ResultRow {
            figure,
            definitions,
            judged,
            limits: limits.clone(),
            counts,
            analysis: step.options.id.clone(),
            step: number,
            trace,
            columns: Arc::clone(columns),
        };
    let mut rows = Vec::new();
    for mut trace in traces {
        let (figures, mut judged) = (std::mem::take(&mut trace.figures), std::mem::take(&mut trace.judged));
        let columns = match of_traces.get(&trace.trace_index) {
            Some(columns) => {
                Arc::new(columns.iter().chain(own.iter()).map(|(n, v)| (n.clone(), v.clone())).collect())
            }
            None => Arc::clone(own),
        };
        for figure in figures {
            let judged = take(&mut judged, &figure);
            rows.push(row(figure, judged, Some(trace.clone()), &columns));
        }
    }
    for figure in figures {
        let judged = take(&mut judged, &figure);
        rows.push(row(figure, judged, None, own));
    }
    // A limit without any figure is a row too, so that nothing that fails is missing in the table.
    for judged in judged {
        let figure = Figure::without_value(&judged.figure, judged.reason.clone().unwrap_or_default());
        rows.push(row(figure, Some(judged), None, own));
    }
    rows
}

/// The verdict on a figure. The figures of one name have their verdicts in the same order.
fn take(judged: &mut Vec<Judged>, figure: &Figure) -> Option<Judged> {
    let at = judged.iter().position(|judged| judged.figure == figure.name && judged.of == figure.of)?;
    Some(judged.remove(at))
}
