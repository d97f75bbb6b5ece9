//! The queue of a batch over HTTP.

use std::path::Path as FilePath;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Html;
use chrono::{DateTime, Utc};
use serde_json::json;
use tokio::task::spawn_blocking;

use super::api::Routes;
use super::headers::REPORT_POLICY;
use super::problem::Problem;
use super::read::{Path, Query, RecipeBody};
use super::reply::{Created, Page, Reply};
use super::state::{App, AppState, BatchQueue};
use super::wire::batch::{AddedReply, BatchReply, ItemPath, MoveQuery, ReleaseQuery};
use crate::batch::{
    Devices, EntryFinding, Expanded, ItemEntry, Queue, QueueError, check, expand_entry, expect, span,
};
use crate::budget::Budget;
use crate::catalogue::{CatalogueError, ItemState};
use crate::error::chain;
use crate::session::NotStarted;
use crate::source::Diagnostic;

/// The time limit for checking added items: this many times the limit for one recipe.
const RECIPES_WORTH: u32 = 6;

/// The routes of the queue.
pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .section("Queue")
        .look("/batch", show, "get_queue", "Returns the queue: its items with state and forecast")
        .look(
            "/batch/report",
            report,
            "get_queue_report",
            "Returns a page with the results of the items so far",
        )
        .post(
            "/batch/pause",
            pause,
            "pause_queue",
            "Pauses the queue: no item starts; the active run continues",
        )
        .post("/batch/resume", resume, "resume_queue", "Resumes the queue: items start again")
        .post(
            "/batch/items",
            add,
            "add_items",
            "Adds items. The body has the fields of an item of a batch file, with `devices` as a list",
        )
        .post(
            "/batch/items/{number}/hold",
            hold,
            "hold_item",
            "Holds a queued item: it does not start until it is released",
        )
        .post(
            "/batch/items/{number}/release",
            release,
            "release_item",
            "Queues an item that is held, failed, skipped or removed",
        )
        .post(
            "/batch/items/{number}/remove",
            remove,
            "remove_item",
            "Removes an item that is not running from the queue",
        )
        .post(
            "/batch/items/{number}/move",
            move_to,
            "move_item",
            "Moves a queued item; it gets the priority of its new neighbours",
        )
}

impl From<QueueError> for Problem {
    fn from(error: QueueError) -> Self {
        let told = chain(&error);
        match error {
            QueueError::State { .. } => Self::conflict(told),
            QueueError::Catalogue(CatalogueError::NoItem { .. }) => Self::new(StatusCode::NOT_FOUND, told),
            _ => Self::new(StatusCode::SERVICE_UNAVAILABLE, told),
        }
    }
}

impl AppState {
    fn batch_queue(&self) -> Result<&BatchQueue, Problem> {
        self.options.batch.as_ref().ok_or_else(|| Problem::not_found("a queue"))
    }

    fn queue(&self) -> Result<&Queue, Problem> {
        Ok(&self.batch_queue()?.queue)
    }

    /// When the instrument is free for the next item, according to the estimate of the present run.
    fn free_at(&self) -> DateTime<Utc> {
        let left = self.session.current_run().and_then(|run| run.status().remaining_s());
        Utc::now() + span(left.unwrap_or_default())
    }

    async fn batch(&self) -> Result<Json<BatchReply>, Problem> {
        let desk = self.batch_queue()?;
        let (items, paused) = desk.queue.items().await?;
        let (queue, open, from) = (Arc::clone(&desk.queue), desk.open, self.free_at());
        // The reply for a long queue takes a while. Other requests, such as the emergency stop, must not wait for it.
        let reply = spawn_blocking(move || {
            let window = queue.window();
            let forecast = expect(&items, window, from);
            BatchReply::new(queue.batch(), open, (&items, paused), window, &forecast)
        });
        reply.await.map(Json).map_err(|panic| Problem::bad_gateway(panic.to_string()))
    }
}

/// Returns the queue.
async fn show(State(app): State<App>) -> Result<Json<BatchReply>, Problem> {
    app.batch().await
}

/// Returns the report of the items so far.
async fn report(State(app): State<App>) -> Result<Reply<Page>, Problem> {
    let page = app.queue()?.page(&app.session.setup().out).await?;
    Ok(Reply::new((REPORT_POLICY, Html(page))))
}

/// Pauses the queue, so that no item begins.
async fn pause(State(app): State<App>) -> Result<Json<BatchReply>, Problem> {
    app.queue()?.pause(true).await?;
    app.batch().await
}

/// Resumes the queue.
async fn resume(State(app): State<App>) -> Result<Json<BatchReply>, Problem> {
    app.queue()?.pause(false).await?;
    app.batch().await
}

/// Holds a queued item, so that it does not begin.
async fn hold(
    State(app): State<App>,
    Path(ItemPath { number }): Path<ItemPath>,
) -> Result<Json<BatchReply>, Problem> {
    let reason = Some("held over HTTP".to_owned());
    app.queue()?.turn(number, &[ItemState::Queued], ItemState::Held, reason).await?;
    app.batch().await
}

/// Queues an item again.
async fn release(
    State(app): State<App>,
    Path(ItemPath { number }): Path<ItemPath>,
    Query(ReleaseQuery { anew }): Query<ReleaseQuery>,
) -> Result<Json<BatchReply>, Problem> {
    const FROM: &[ItemState] = &[ItemState::Held, ItemState::Failed, ItemState::Skipped, ItemState::Removed];
    app.queue()?.release(number, FROM, anew).await?;
    app.batch().await
}

/// Removes an item.
async fn remove(
    State(app): State<App>,
    Path(ItemPath { number }): Path<ItemPath>,
) -> Result<Json<BatchReply>, Problem> {
    const FROM: &[ItemState] = &[ItemState::Queued, ItemState::Held, ItemState::Failed, ItemState::Skipped];
    let reason = Some("removed over HTTP".to_owned());
    app.queue()?.turn(number, FROM, ItemState::Removed, reason).await?;
    app.batch().await
}

/// Moves a queued item to another place.
async fn move_to(
    State(app): State<App>,
    Path(ItemPath { number }): Path<ItemPath>,
    Query(MoveQuery { to }): Query<MoveQuery>,
) -> Result<Json<BatchReply>, Problem> {
    app.queue()?.move_to(number, usize::try_from(to).unwrap_or(usize::MAX)).await?;
    app.batch().await
}

/// Adds items.
async fn add(
    State(app): State<App>,
    RecipeBody(entry): RecipeBody<ItemEntry>,
) -> Result<Reply<Created<AddedReply>>, Problem> {
    let desk = app.batch_queue()?;
    if !desk.open {
        let message = format!("batch `{}` has a file: add the item there", desk.queue.batch());
        return Err(Problem::conflict(message));
    }
    // Only the recipes that clients may run are accepted, and no other file.
    app.recipe_file(&entry.recipe)?;
    if matches!(entry.devices, Some(Devices::File(_))) {
        return Err(Problem::bad_request("`devices` must be a list here, not a file"));
    }
    let defaults = desk.queue.defaults().clone();
    let budget = Budget::for_request(RECIPES_WORTH).await?;
    let given = json!(entry);
    let expand = move || expand_entry(&entry, &defaults, FilePath::new(""));
    let Expanded { tasks, findings } = budget.run_on_thread(expand).await?.map_err(|wrong| {
        let problem = |EntryFinding { error, .. }: EntryFinding| {
            let pointer: String = error.path.iter().map(|name| format!("/{name}")).collect();
            let loc: Vec<String> = std::iter::once("body".to_owned()).chain(error.path).collect();
            json!({ "type": "value_error", "loc": loc, "msg": error.message, "input": given.pointer(&pointer) })
        };
        Problem::new(StatusCode::UNPROCESSABLE_ENTITY, wrong.into_iter().map(problem).collect::<Vec<_>>())
    })?;
    let (mut items, mut findings) =
        (Vec::new(), findings.into_iter().map(|found| found.told().json()).collect::<Vec<_>>());
    for task in &tasks {
        let allowed = &app.session.setup().allowed;
        let checked = check(task, desk.queue.folder(), allowed, &budget).await;
        if budget.is_spent() {
            let message = "the check of the items takes too long: add fewer items at a time";
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, message));
        }
        if checked.is_wrong() {
            return Err(NotStarted::Recipe(checked.findings).into());
        }
        items.push(desk.queue.item(0, task, checked.seconds, checked.bytes));
        findings.extend(checked.findings.iter().map(Diagnostic::json));
    }
    let numbers = desk.queue.add(items).await?;
    Ok(Reply::created(AddedReply { numbers, findings }, None))
}
