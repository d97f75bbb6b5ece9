//! Controls a run: pause, resume, abort, answer. Also the emergency stop.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;

use super::live_status;
use crate::sidecar::problem::Problem;
use crate::sidecar::read::{Body, Path, Query};
use crate::sidecar::state::App;
use crate::sidecar::wire::runs::{AbortQuery, AnswerBody, OffReply, RunPath, StatusReply};

/// Pauses the run before its next operation.
pub(in crate::sidecar) async fn pause(
    State(app): State<App>,
    Path(RunPath { id }): Path<RunPath>,
) -> Result<Json<StatusReply>, Problem> {
    let run = app.under_way(&id).await?;
    run.control().pause(true);
    Ok(Json(live_status(&run)))
}

/// Resumes the run.
pub(in crate::sidecar) async fn resume(
    State(app): State<App>,
    Path(RunPath { id }): Path<RunPath>,
) -> Result<Json<StatusReply>, Problem> {
    let run = app.under_way(&id).await?;
    run.control().pause(false);
    Ok(Json(live_status(&run)))
}

/// Stops the run. The sweep is aborted, `finally` runs unless `now` is true, and the lasers are turned off.
pub(in crate::sidecar) async fn abort(
    State(app): State<App>,
    Path(RunPath { id }): Path<RunPath>,
    Query(query): Query<AbortQuery>,
) -> Result<Json<StatusReply>, Problem> {
    let run = app.under_way(&id).await?;
    if query.now {
        run.control().stop_now("stopped immediately over HTTP");
    } else {
        run.control().stop("stopped over HTTP");
    }
    Ok(Json(live_status(&run)))
}

/// Answers the open question of the run.
pub(in crate::sidecar) async fn answer(
    State(app): State<App>,
    Path(RunPath { id }): Path<RunPath>,
    Body(body): Body<AnswerBody>,
) -> Result<Json<StatusReply>, Problem> {
    let run = app.under_way(&id).await?;
    let nothing_open = || Problem::conflict(format!("run {} has no open question", run.id()));
    let question = run.status().question.ok_or_else(nothing_open)?;
    let answer = body.answer.trim();
    if !question.choices.is_empty() && !question.choices.iter().any(|choice| choice == answer) {
        let allowed = question.choices.join(", ");
        let problem = json!({
            "type": "literal_error", "loc": ["body", "answer"], "msg": format!("allowed: {allowed}"),
            "input": answer, "ctx": { "expected": allowed },
        });
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, vec![problem]));
    }
    if !run.control().answer(answer) {
        return Err(nothing_open());
    }
    Ok(Json(live_status(&run)))
}

/// The emergency stop: aborts the scan, stops the run, and turns all lasers off.
pub(in crate::sidecar) async fn off(State(app): State<App>) -> Json<OffReply> {
    // The emergency stop is completed even if the client disconnects.
    let session = std::sync::Arc::clone(&app.session);
    let named = session.setup().live.iter().map(|(name, _)| name.to_owned()).collect();
    let off = tokio::spawn(async move {
        let off = session.off("all lasers turned off over HTTP").await;
        app.forget_answers().await;
        off
    });
    Json(off.await.map_or_else(
        |_| OffReply {
            aborted: false,
            lasers_off: Vec::new(),
            lasers_unknown: (1..=10).collect(),
            instruments_safe: Vec::new(),
            instruments_unknown: named,
            run: None,
        },
        |off| OffReply {
            aborted: off.aborted,
            lasers_off: off.off,
            lasers_unknown: off.unknown,
            instruments_safe: off.named.safe,
            instruments_unknown: off.named.unknown,
            run: off.run,
        },
    ))
}
