//! Figures over several analyses of a loop. The points come from the journal, so that repeated analyses count as they ended
//! the last time.

use super::judge_one;
use std::path::Path;

use crate::operation::{AnalyzeFields, Constant, Fit};
use crate::run::events::Record;
use crate::run::state::analyses::Analyses;
use crate::step::{AnalysisOutcome, Fault, FaultKind, Place, Step, constant};
use crate::store::read_run_journal;

/// A point: the loop variable or column, and the figure.
type Point = (Option<f64>, Option<f64>);

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
    let mut held: Analyses<Option<Result<Point, String>>> = Analyses::default();
    for record in read_run_journal::<Record>(folder)? {
        held.apply(&record?.event, |step, analysis| point(step, analysis, (id, line), place));
    }
    let points = held.held().flatten().cloned().collect::<Result<Vec<Point>, String>>().map_err(wrong)?;
    let mut outcome =
        AnalysisOutcome { figures: fields.figures_of_points(&points), ..AnalysisOutcome::new() };
    for (name, limit) in &fields.all_limits() {
        judge_one(name, *limit, &mut outcome, || format!("there are no points of `{id}`")).map_err(wrong)?;
    }
    Ok(outcome.complete())
}

/// The point of an analysis; `None` if the analysis is another one.
fn point(
    step: &Step,
    analysis: &AnalysisOutcome,
    (id, line): (&str, &Fit),
    place: &Place,
) -> Option<Result<Point, String>> {
    let recipe = |place: &Place| place.path.rsplit_once("run_recipe.").map(|(before, _)| before.to_owned());
    let is_it = step.options.id.as_deref() == Some(id)
        && recipe(&step.place) == recipe(place)
        && step.place.shares_turns_with(place);
    if !is_it {
        return None;
    }
    let Some((_, x)) = step.place.columns().find(|(name, _)| **name == line.x) else {
        let known: Vec<String> = step.place.columns().map(|(name, _)| format!("`{name}`")).collect();
        let known = if known.is_empty() { "no loop is around it".to_owned() } else { known.join(", ") };
        return Some(Err(format!(
            "the analysis `{id}` has no loop variable or column `{}`: {known}",
            line.x
        )));
    };
    let x = match constant(x) {
        Constant::Number(x) => x,
        Constant::Text(text) => {
            return Some(Err(format!("`{}` is `{text}`, and a number is needed", line.x)));
        }
    };
    let y = analysis
        .traces
        .iter()
        .find_map(|trace| trace.representative(&line.y))
        .and_then(|figure| figure.value);
    Some(Ok((Some(x), y)))
}
