//! Figures over several analyses of a loop. The points come from the journal, so that repeated analyses count as they ended
//! the last time.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::Path;

use super::judge_one;
use crate::operation::{AnalyzeFields, Constant, Fit, Point};
use crate::run::events::Record;
use crate::run::results::{Columns, trace_columns};
use crate::run::state::analyses::Analyses;
use crate::step::{AnalysisOutcome, Fault, FaultKind, Place, Step, constant};
use crate::store::read_run_journal;

/// Analyses the points of the analyses with this id in the same turns of the loops around both. Blocks.
pub(super) fn analyze(
    fields: &AnalyzeFields,
    id: &str,
    place: &Place,
    folder: &Path,
) -> Result<AnalysisOutcome, Fault> {
    let wrong = |message: String| Fault::new(FaultKind::Recipe, message);
    let Some(line) = fields.fit.as_ref().or(fields.cut_back.as_ref()) else {
        return Err(wrong("`over` needs `fit` or `cut_back`".to_owned()));
    };
    let fetched = Fetched { folder, known: OnceCell::new() };
    let mut held: Analyses<Option<Result<Point, String>>> = Analyses::default();
    for record in read_run_journal::<Record>(folder)? {
        held.apply(&record?.event, |step, analysis| point(step, analysis, (id, line), place, &fetched));
    }
    let points = held.held().flatten().cloned().collect::<Result<Vec<Point>, String>>().map_err(wrong)?;
    let mut outcome = AnalysisOutcome {
        figures: fields.figures_of_points(&points),
        limits: fields.judged_by.as_ref().map(|limits| limits.source.clone()),
        ..AnalysisOutcome::new()
    };
    for (name, limit) in &fields.all_limits() {
        judge_one(name, *limit, &mut outcome, || format!("there are no points of `{id}`")).map_err(wrong)?;
    }
    Ok(outcome.complete())
}

/// The columns of traces, which are read when they are needed.
struct Fetched<'a> {
    folder: &'a Path,
    known: OnceCell<BTreeMap<u64, Columns>>,
}

impl Fetched<'_> {
    /// The columns of the traces of an analysis.
    fn columns(&self, analysis: &AnalysisOutcome) -> Option<&Columns> {
        let known =
            self.known.get_or_init(|| trace_columns(self.folder, &BTreeMap::new()).unwrap_or_default());
        analysis.rests().find_map(|trace| known.get(&trace))
    }
}

/// The point of an analysis; `None` if the analysis is another one.
fn point(
    step: &Step,
    analysis: &AnalysisOutcome,
    (id, line): (&str, &Fit),
    place: &Place,
    fetched: &Fetched<'_>,
) -> Option<Result<Point, String>> {
    let recipe = |place: &Place| place.path.rsplit_once("run_recipe.").map(|(before, _)| before.to_owned());
    let is_it = step.options.id.as_deref() == Some(id)
        && recipe(&step.place) == recipe(place)
        && step.place.shares_turns_with(place);
    if !is_it {
        return None;
    }
    let own = step.place.columns().find(|(name, _)| **name == line.x).map(|(_, value)| constant(value));
    let of_fetch = || fetched.columns(analysis)?.get(&line.x).cloned();
    let x = match own.or_else(of_fetch) {
        Some(Constant::Number(x)) => x,
        Some(Constant::Text(text)) => {
            return Some(Err(format!("`{}` is `{text}`, and a number is needed", line.x)));
        }
        // A fetch without a trace has no columns either: the figure is missing as well.
        None if analysis.rests().next().is_none() => return Some(Ok(Point { x: None, y: None })),
        None => return Some(Err(unknown_x(step, fetched.columns(analysis), id, &line.x))),
    };
    let y = analysis.traces.iter().find_map(|trace| trace.representative(&line.y)).cloned();
    Some(Ok(Point { x: Some(x), y }))
}

/// Which names would be possible instead.
fn unknown_x(step: &Step, of_fetch: Option<&Columns>, id: &str, x: &str) -> String {
    let mut known: Vec<String> = step.place.columns().map(|(name, _)| name.clone()).collect();
    known.extend(of_fetch.iter().flat_map(|columns| columns.keys()).cloned());
    known.sort();
    known.dedup();
    let known: Vec<String> = known.iter().map(|name| format!("`{name}`")).collect();
    let known = if known.is_empty() { "no loop is around it".to_owned() } else { known.join(", ") };
    format!("the analysis `{id}` has no loop variable or column `{x}`: {known}")
}
