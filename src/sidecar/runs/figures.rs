//! The figures of a run, and its wafer maps: both are folded from the journal.

use std::path::Path as FilePath;
use std::sync::{Arc, PoisonError};

use axum::Json;
use axum::extract::State;

use super::{RunOfRequest, read_on_thread};
use crate::analysis::marks::marks;
use crate::run::events::Record;
use crate::run::state::results::{FigureLine, Results};
use crate::run::state::verdicts::Verdicts;
use crate::sidecar::problem::Problem;
use crate::sidecar::read::{Path, Query};
use crate::sidecar::state::{App, AppState};
use crate::sidecar::wire::figures::{FiguresQuery, FiguresReply, MapReply, WaferQuery, WaferReply};
use crate::sidecar::wire::runs::RunPath;
use crate::store::{KeptOfRuns, Lines, StoreError, read_run_journal, skip_damaged};
use crate::wafer::{Shade, figures, standalone};

/// Runs whose figures are kept in memory.
const KEPT: usize = 2;

/// The figures of the runs that were asked for last. A page asks several times for the same.
pub(in crate::sidecar) type FiguresOfRuns = KeptOfRuns<Folded, KEPT>;

/// The figures of a run, as far as its journal was read.
#[derive(Debug, Default)]
pub(in crate::sidecar) struct Folded {
    results: Results,
    verdicts: Verdicts,
    journal: Option<Lines<Record>>,
}

impl Folded {
    /// Takes into account what the journal has gained since the last time.
    fn update(&mut self, folder: &FilePath) -> Result<(), StoreError> {
        let mut journal = if let Some(mut known) = self.journal.take()
            && known.read_on()?
        {
            known
        } else {
            *self = Self::default();
            read_run_journal(folder)?
        };
        // The status of the run counts the damaged lines.
        for record in skip_damaged(&mut journal) {
            let event = record?.event;
            self.results.apply(&event);
            self.verdicts.apply(&event);
        }
        self.journal = Some(journal);
        Ok(())
    }
}

impl AppState {
    /// Calls `look` with the identifier and the figures of the run that a request names, up to the end of its journal.
    async fn figures_of<T: Send + 'static>(
        self: &Arc<Self>,
        given: &str,
        look: impl FnOnce(String, &Folded) -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let RunOfRequest { id, folder, .. } = self.named(given).await?;
        let app = Arc::clone(self);
        let looked = read_on_thread(move || {
            let figures = app.figures.of(&folder);
            let mut folded = figures.lock().unwrap_or_else(PoisonError::into_inner);
            folded.update(&folder)?;
            Ok(look(id, &folded))
        });
        looked.await
    }
}

/// Returns a page of the figures of a run, in the order of its analyses.
pub(in crate::sidecar) async fn list(
    State(app): State<App>,
    Path(RunPath { id }): Path<RunPath>,
    Query(query): Query<FiguresQuery>,
) -> Result<Json<FiguresReply>, Problem> {
    app.figures_of(&id, move |run, folded| Json(page(run, folded, query))).await
}

fn page(run: String, folded: &Folded, query: FiguresQuery) -> FiguresReply {
    let after = query.after.unwrap_or_default() as usize;
    let limit = usize::from(query.limit);
    let is_wanted = |trace: Option<u64>| query.trace.is_none_or(|wanted| trace == Some(wanted.into()));
    let wanted = folded.results.lines().filter(|line| is_wanted(line.trace_index));
    // One additional figure shows whether there is another page.
    let mut figures: Vec<_> = wanted.skip(after).take(limit + 1).collect();
    let has_more = figures.len() > limit;
    figures.truncate(limit);
    let verdict = folded.verdicts.worst();
    let marks = query.trace.map(|_| marks(figures.iter().map(FigureLine::judgement))).unwrap_or_default();
    FiguresReply {
        run,
        verdict,
        verdicts: verdict.map(|_| folded.verdicts.summary()),
        yields: folded.verdicts.yields(),
        next: has_more.then_some((after + limit) as u64),
        figures,
        marks,
    }
}

/// Returns the wafer maps of a run.
pub(in crate::sidecar) async fn wafer(
    State(app): State<App>,
    Path(RunPath { id }): Path<RunPath>,
    Query(WaferQuery { figure }): Query<WaferQuery>,
) -> Result<Json<WaferReply>, Problem> {
    app.figures_of(&id, move |run, folded| wafer_maps(&run, folded, figure.as_deref())).await?.map(Json)
}

fn wafer_maps(run: &str, folded: &Folded, figure: Option<&str>) -> Result<WaferReply, Problem> {
    let maps = folded.results.maps();
    let known = figures(&maps);
    if let Some(name) = figure.filter(|name| !known.iter().any(|known| known == name)) {
        let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
        return Err(Problem::not_found(&format!(
            "figure `{name}` in the dies of run {run} (known: {known})"
        )));
    }
    let shade = figure.map_or(Shade::Verdict, Shade::Figure);
    let drawn = maps.iter().map(|map| MapReply {
        wafer: map.wafer.clone(),
        axes: map.axes,
        dies: map.dies.len(),
        svg: standalone(map, shade),
    });
    Ok(WaferReply { maps: drawn.collect(), figures: known })
}
