//! The routes for runs: finished runs, the run in progress, and its control.

pub(super) mod archive;
pub(super) mod begin;
pub(super) mod events;
pub(super) mod figures;
pub(super) mod recipes;
pub(super) mod steer;
pub(super) mod traces;
mod views;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use tokio::task::spawn_blocking;

pub(super) use self::figures::FiguresOfRuns;
pub(super) use self::views::Views;
use super::problem::Problem;
use super::read::{Path, Query};
use super::state::{App, AppState};
use super::wire::list::PageQuery;
use super::wire::runs::{RunPath, RunReply, RunsReply, StatusReply};
use crate::catalogue::{self, Filter, SelectError};
use crate::error::chain;
use crate::run::events::Record;
use crate::run::state::status::RunStatus;
use crate::session::LiveRun;
use crate::store::runs::{self, FoundRun};
use crate::store::{RunState, StoreError, WatchdogRecord, read_run_journal, watchdog_records};

/// How a request names a run.
const RUN_NAMES: &str = "a run is named by its identifier, by its first characters, by the name of its recipe, by `last`, or, \
    while it is active, by `current`";
/// The name of the active run.
const CURRENT: &str = "current";

/// Runs blocking work on another thread.
async fn read_on_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, Problem> {
    Ok(spawn_blocking(work).await.map_err(|panic| Problem::bad_gateway(panic.to_string()))??)
}

/// Returns a page of runs, newest first.
pub(super) async fn list(
    State(app): State<App>,
    Query(query): Query<PageQuery>,
) -> Result<Json<RunsReply>, Problem> {
    let given = json!(query);
    let wrong = |parameter: &str, why: &str| {
        Problem::wrong("value_error", &["query", parameter], why, &given[parameter])
    };
    let filter = query.filter().map_err(|(parameter, why)| wrong(parameter, &why))?;
    let out = app.session.setup().out.clone();
    let limit = usize::from(query.limit);
    if filter == Filter::default() {
        // The newest runs are found without the catalogue.
        let page = read_on_thread(move || runs::page(&out, query.before.as_deref(), limit)).await?;
        return Ok(Json(RunsReply { runs: page.runs.iter().map(RunReply::from).collect(), next: page.next }));
    }
    let selected = spawn_blocking(move || catalogue::select(&out, &filter, query.before.as_deref(), limit));
    let selected = selected.await.map_err(|panic| Problem::bad_gateway(panic.to_string()))?;
    let selected = selected.map_err(|error| match error {
        SelectError::Condition(condition) => wrong("where", &condition.render(false)),
        SelectError::Store(error) => error.into(),
        SelectError::Catalogue(_) | SelectError::Sql(_) => {
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, chain(&error))
        }
    })?;
    Ok(Json(RunsReply { runs: selected.runs.iter().map(RunReply::from).collect(), next: selected.next }))
}

impl AppState {
    /// The run of this process with this identifier, or its active run.
    fn live(&self, id: &str) -> Option<Arc<LiveRun>> {
        match id {
            CURRENT => self.session.current_run(),
            id => self.session.last_run().filter(|run| run.id() == id),
        }
    }

    /// The run in progress that a request names.
    async fn under_way(&self, given: &str) -> Result<Arc<LiveRun>, Problem> {
        let RunOfRequest { id, live, .. } = self.named(given).await?;
        let run = live.ok_or_else(|| Problem::not_found(&format!("active run `{id}`")))?;
        if run.has_ended() {
            return Err(Problem::conflict(format!("run {id} has ended")));
        }
        Ok(run)
    }

    /// The run that a request names as on the command line, but not by a path.
    async fn named(&self, given: &str) -> Result<RunOfRequest, Problem> {
        if let Some(run) = self.live(given) {
            let (id, folder) = (run.id().to_owned(), run.folder().to_owned());
            return Ok(RunOfRequest { id, folder, live: Some(run) });
        }
        if given == CURRENT {
            return Err(no_active_run());
        }
        let (out, name) = (self.session.setup().out.clone(), given.to_owned());
        let found = read_on_thread(move || runs::find_named(&out, &name)).await;
        let FoundRun { folder, manifest } = found.map_err(with_allowed_names)?;
        Ok(RunOfRequest { live: self.live(&manifest.run), id: manifest.run, folder })
    }
}

/// The run that a request names.
struct RunOfRequest {
    id: String,
    folder: PathBuf,
    /// The run, if this process performs or has performed it last.
    live: Option<Arc<LiveRun>>,
}

/// Adds to the message about an unknown run how runs are named.
fn with_allowed_names(problem: Problem) -> Problem {
    match problem.detail.as_str().filter(|_| problem.status == StatusCode::NOT_FOUND) {
        Some(detail) => Problem::new(StatusCode::NOT_FOUND, format!("{detail} ({RUN_NAMES})")),
        None => problem,
    }
}

fn no_active_run() -> Problem {
    Problem::not_found("an active run")
}

fn live_status(run: &LiveRun) -> StatusReply {
    let mut status = run.status();
    if !run.has_ended() && status.finished.is_some() {
        // The report is still being written. The run must not appear finished before its report can be read.
        status.state = Some(RunState::Running);
        status.finished = None;
    }
    let state = status.state.map(|state| state.to_string()).unwrap_or_default();
    StatusReply::new(&status, state, run.pause_state())
}

/// Returns the run in progress.
pub(super) async fn current(State(app): State<App>) -> Result<Json<StatusReply>, Problem> {
    let run = app.session.current_run().ok_or_else(no_active_run)?;
    Ok(Json(live_status(&run)))
}

/// Returns the status of a run, in progress or finished.
pub(super) async fn show(
    State(app): State<App>,
    Path(RunPath { id }): Path<RunPath>,
) -> Result<Json<StatusReply>, Problem> {
    let RunOfRequest { folder, live, .. } = app.named(&id).await?;
    if let Some(run) = live {
        return Ok(Json(live_status(&run)));
    }
    let status = read_on_thread(move || {
        let found = runs::open(&folder)?;
        let (mut status, mut unreadable) = (RunStatus::default(), 0_u64);
        for record in read_run_journal::<Record>(&found.folder)? {
            match record {
                Ok(record) => status.apply(&record),
                Err(StoreError::Line { .. }) => unreadable += 1,
                Err(error) => return Err(error),
            }
        }
        let guard = watchdog_records(&found.folder).iter().map(WatchdogRecord::summary).collect();
        Ok((status, found.manifest, guard, unreadable))
    });
    let (mut status, manifest, guard, unreadable) = status.await?;
    if status.run.is_empty() {
        // Without a readable first record, the manifest identifies the run.
        (status.run, status.name) = (manifest.run.clone(), manifest.name.clone());
        (status.started, status.instrument) = (Some(manifest.started), Some(manifest.instrument.clone()));
    }
    if status.finished.is_none() {
        // The process has ended, so no step is in progress.
        status.close();
    }
    let mut reply = StatusReply::new(&status, manifest.status.to_string(), None);
    (reply.guard, reply.unreadable_lines) = (guard, unreadable);
    Ok(Json(reply))
}
