//! The figures of a run, and its wafer maps: both are folded from the journal.

use std::path::{Path as FilePath, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::State;

use super::read_on_thread;
use crate::analysis::marks::marks;
use crate::run::events::Record;
use crate::run::state::results::{FigureLine, Results};
use crate::run::state::verdicts::Verdicts;
use crate::sidecar::problem::Problem;
use crate::sidecar::read::{Path, Query};
use crate::sidecar::state::{App, AppState};
use crate::sidecar::wire::figures::{FiguresQuery, FiguresReply, MapReply, WaferQuery, WaferReply};
use crate::sidecar::wire::runs::RunPath;
use crate::store::{JOURNAL_FILE, StoreError, read_run_journal};
use crate::wafer::{Shade, figures, standalone};

/// Default number of figures per page.
const PAGE: u16 = 1000;
/// Runs whose figures are kept in memory.
const KEPT: usize = 2;

/// The figures of a run, as far as its journal has come.
#[derive(Debug, Default)]
struct Folded {
    results: Results,
    verdicts: Verdicts,
}

/// The figures that were asked for last, by run folder and length of its journal. A page asks several times for the same.
#[derive(Debug, Default)]
pub(in crate::sidecar) struct FiguresOfRuns(Mutex<Vec<(PathBuf, u64, Arc<Folded>)>>);

impl FiguresOfRuns {
    fn of(&self, folder: &FilePath) -> Result<Arc<Folded>, StoreError> {
        let length = std::fs::metadata(folder.join(JOURNAL_FILE)).map_or(0, |journal| journal.len());
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = known.iter().find(|(of, at, _)| of == folder && *at == length);
        if let Some((_, _, folded)) = found {
            return Ok(Arc::clone(folded));
        }
        drop(known);
        let mut folded = Folded::default();
        for record in read_run_journal::<Record>(folder)? {
            match record {
                Ok(record) => {
                    folded.results.apply(&record.event);
                    folded.verdicts.apply(&record.event);
                }
                // The status of the run counts these lines.
                Err(StoreError::Line { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        let folded = Arc::new(folded);
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(of, _, _)| of != folder);
        known.insert(0, (folder.to_owned(), length, Arc::clone(&folded)));
        known.truncate(KEPT);
        Ok(folded)
    }
}

impl AppState {
    async fn figures_of(self: &Arc<Self>, id: &str) -> Result<Arc<Folded>, Problem> {
        let folder = self.folder(id).await?;
        let app = Arc::clone(self);
        read_on_thread(move || app.figures.of(&folder)).await
    }
}

/// Returns a page of the figures of a run, in the order of its analyses.
pub(in crate::sidecar) async fn list(
    State(app): State<App>,
    Path(RunPath { id }): Path<RunPath>,
    Query(query): Query<FiguresQuery>,
) -> Result<Json<FiguresReply>, Problem> {
    let folded = app.figures_of(&id).await?;
    let after = query.after.unwrap_or_default() as usize;
    let limit = usize::from(query.limit.unwrap_or(PAGE));
    let is_wanted = |trace: Option<u64>| query.trace.is_none_or(|wanted| trace == Some(wanted.into()));
    let wanted = folded.results.lines().filter(|line| is_wanted(line.trace_index));
    // One additional figure shows whether there is another page.
    let mut figures: Vec<_> = wanted.skip(after).take(limit + 1).collect();
    let has_more = figures.len() > limit;
    figures.truncate(limit);
    let verdict = folded.verdicts.worst();
    let marks = query.trace.map(|_| marks(figures.iter().map(FigureLine::judgement))).unwrap_or_default();
    Ok(Json(FiguresReply {
        run: id,
        verdict,
        verdicts: verdict.map(|_| folded.verdicts.summary()),
        yields: folded.verdicts.yields(),
        next: has_more.then_some((after + limit) as u64),
        figures,
        marks,
    }))
}

/// Returns the wafer maps of a run.
pub(in crate::sidecar) async fn wafer(
    State(app): State<App>,
    Path(RunPath { id }): Path<RunPath>,
    Query(WaferQuery { figure }): Query<WaferQuery>,
) -> Result<Json<WaferReply>, Problem> {
    let folded = app.figures_of(&id).await?;
    let maps = folded.results.maps();
    let known = figures(&maps);
    if let Some(name) = figure.as_ref().filter(|name| !known.contains(name)) {
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(Problem::not_found(&format!("figure `{name}` in the dies of run {id} (known: {known})")));
    }
    let shade = figure.as_deref().map_or(Shade::Verdict, Shade::Figure);
    let drawn = maps.iter().map(|map| MapReply {
        wafer: map.wafer.clone(),
        axes: map.axes,
        dies: map.dies.len(),
        svg: standalone(map, shade),
    });
    Ok(Json(WaferReply { maps: drawn.collect(), figures: known }))
}
