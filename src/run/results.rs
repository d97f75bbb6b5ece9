//! `results.parquet`: the figures of a run as a table, derived from its journal. The journal is read twice, so that the
//! memory does not grow with the number of figures: first to find the analyses that hold, then for their figures.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::events::{Record, RunEvent};
use super::state::analyses::Analyses;
use crate::analysis::Figure;
use crate::analysis::verdict::Judged;
use crate::operation::Constant;
use crate::step::{AnalysisOutcome, ColumnType, Outcome, Place, Step, TraceAnalysis, columns, constant};
use crate::store::{ResultRow, ResultsRecord, RunFolder, StoreError, read_run_journal};

/// The columns of a trace or of an analysis, shared by their rows.
pub type Columns = Arc<BTreeMap<String, Constant>>;

/// Writes the table of figures. `given` are the columns of the batch. `None`: the run has no figures.
///
/// # Errors
/// If the journal cannot be read, or the table cannot be written.
pub(super) fn write(
    folder: &RunFolder,
    given: &BTreeMap<String, Constant>,
    simulated: bool,
) -> Result<Option<ResultsRecord>, StoreError> {
    let analyses = StoredAnalyses::read(folder.path(), given)?;
    if analyses.is_empty() {
        return Ok(None);
    }
    let mut writer = folder.results(analyses.overview.types.clone(), simulated)?;
    analyses.each(|analysis| analysis.rows().into_iter().try_for_each(|row| writer.add(row)))?;
    writer.finish().map(Some)
}

/// The analyses of a run that hold.
pub struct StoredAnalyses {
    folder: PathBuf,
    given: BTreeMap<String, Constant>,
    held: BTreeSet<u64>,
    overview: Overview,
}

/// One analysis of a run, with the columns of its traces.
pub struct StoredAnalysis<'a> {
    /// The number of the step.
    pub number: u64,
    /// The step.
    pub step: Arc<Step>,
    /// The figures and verdicts.
    pub outcome: AnalysisOutcome,
    /// The columns of the analysis: the loops around it, and the columns of the batch.
    pub columns: Columns,
    of_traces: &'a BTreeMap<u64, Columns>,
}

impl StoredAnalyses {
    /// Finds the analyses of the run in this folder. `given` are the columns of the batch.
    ///
    /// # Errors
    /// If the journal cannot be read.
    pub fn read(folder: &Path, given: &BTreeMap<String, Constant>) -> Result<Self, StoreError> {
        let overview = Overview::read(folder, given)?;
        let held = overview.held.held().copied().collect();
        Ok(Self { folder: folder.to_owned(), given: given.clone(), held, overview })
    }

    /// Whether the run has no figures.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// The types of the columns of all analyses.
    #[must_use]
    pub fn types(&self) -> &BTreeMap<String, ColumnType> {
        &self.overview.types
    }

    /// Reads one analysis after another.
    ///
    /// # Errors
    /// If the journal cannot be read, or `take` fails.
    pub fn each<E: From<StoreError>>(
        &self,
        mut take: impl FnMut(StoredAnalysis<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut begun: BTreeMap<u64, Arc<Step>> = BTreeMap::new();
        for record in read_run_journal::<Record>(&self.folder)? {
            let Record { n, event, .. } = record?;
            if let RunEvent::StepStarted { number, step, .. } = &event
                && step.operation.traits().analysis.is_some()
            {
                begun.insert(*number, step.clone());
            }
            if let RunEvent::StepFinished { number, outcome: Outcome::Analysis(analysis), .. } = event
                && let Some(step) = begun.remove(&number).filter(|_| self.held.contains(&n))
            {
                let columns = Arc::new(of_analysis(&step.place, &self.given));
                let of_traces = &self.overview.of_traces;
                take(StoredAnalysis { number, step, outcome: *analysis, columns, of_traces })?;
            }
        }
        Ok(())
    }
}

/// The columns of each trace of a run, by its number: the loops around its fetch, the columns of the fetch and of the batch.
///
/// # Errors
/// If the journal cannot be read.
pub fn trace_columns(
    folder: &Path,
    given: &BTreeMap<String, Constant>,
) -> Result<BTreeMap<u64, Columns>, StoreError> {
    let (mut found, mut fetch): (BTreeMap<u64, Columns>, Columns) = Default::default();
    // Damage of a journal is reported by `verify`.
    for record in read_run_journal::<Record>(folder)?.flatten() {
        if let RunEvent::StepStarted { step, .. } = &record.event
            && let Some(own) = step.operation.traits().fetch()
        {
            fetch = Arc::new(given_first(given, columns(own, &step.place)));
        }
        if let RunEvent::TraceStored { trace } = &record.event {
            found.insert(trace.trace_index, Arc::clone(&fetch));
        }
    }
    Ok(found)
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
    fn read(folder: &Path, given: &BTreeMap<String, Constant>) -> Result<Self, StoreError> {
        let mut overview = Self::default();
        let mut decided: BTreeMap<String, ColumnType> = BTreeMap::new();
        let mut fetch: Option<Columns> = None;
        for record in read_run_journal::<Record>(folder)? {
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
    given_first(given, place.columns().map(|(name, value)| (name.clone(), constant(value))).collect())
}

/// If both have a column of the same name, the recipe's column is used.
fn given_first(
    given: &BTreeMap<String, Constant>,
    own: BTreeMap<String, Constant>,
) -> BTreeMap<String, Constant> {
    given.clone().into_iter().chain(own).collect()
}

impl StoredAnalysis<'_> {
    /// The name of the analysis: its `id`, or its place in the recipe.
    #[must_use]
    pub fn name(&self) -> &str {
        self.step.options.id.as_ref().unwrap_or(&self.step.place.path)
    }

    /// The columns of a trace: those of its fetch, and those of the analysis.
    #[must_use]
    pub fn columns_of(&self, trace_index: u64) -> Columns {
        match self.of_traces.get(&trace_index) {
            Some(columns) => {
                let both = columns.iter().chain(self.columns.iter());
                Arc::new(both.map(|(name, value)| (name.clone(), value.clone())).collect())
            }
            None => Arc::clone(&self.columns),
        }
    }

    /// The figures with their verdicts, of all attempts. The attempts before the last one are marked: they do not count.
    #[must_use]
    pub fn rows(mut self) -> Vec<ResultRow> {
        let mut last = std::mem::take(&mut self.outcome);
        let earlier = std::mem::take(&mut last.earlier).into_iter().map(|earlier| (earlier, false));
        let attempts = earlier.chain([(last, true)]);
        attempts.flat_map(|(attempt, counts)| self.rows_of(attempt, counts)).collect()
    }

    fn rows_of(&self, attempt: AnalysisOutcome, counts: bool) -> Vec<ResultRow> {
        let AnalysisOutcome { definitions, limits, traces, figures, mut judged, warnings, .. } = attempt;
        let row =
            |mut figure: Figure, judged: Option<Judged>, trace: Option<TraceAnalysis>, columns: &Columns| {
                // A row stands alone, so it repeats what a reader needs to know of its trace.
                figure.notes.extend_from_slice(trace.as_ref().map_or(&warnings, |trace| &trace.warnings));
                ResultRow {
                    figure,
                    definitions,
                    judged,
                    limits: limits.clone(),
                    counts,
                    analysis: self.step.options.id.clone(),
                    step: self.number,
                    trace,
                    columns: Arc::clone(columns),
                }
            };
        let mut rows = Vec::new();
        for mut trace in traces {
            let (figures, mut judged) =
                (std::mem::take(&mut trace.figures), std::mem::take(&mut trace.judged));
            let columns = self.columns_of(trace.trace_index);
            for figure in figures {
                let judged = take(&mut judged, &figure);
                rows.push(row(figure, judged, Some(trace.clone()), &columns));
            }
        }
        for figure in figures {
            let judged = take(&mut judged, &figure);
            rows.push(row(figure, judged, None, &self.columns));
        }
        // A limit without any figure is a row too, so that nothing that fails is missing in the table.
        for judged in judged {
            rows.push(row(judged.without_figure(), Some(judged), None, &self.columns));
        }
        rows
    }
}

/// The verdict on a figure.
fn take(judged: &mut Vec<Judged>, figure: &Figure) -> Option<Judged> {
    let at = judged.iter().position(|judged| judged.is_of(figure))?;
    Some(judged.remove(at))
}
