//! Reads the whole body of a request before the response is sent. A connection with a partly read body could not be
//! used again, and its client would not know.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::problem::Problem;
use super::state::App;

/// The largest body, bytes. Recipes are smaller. axum has the same default limit.
const MOST_BYTES: usize = 2 << 20;
/// The largest body of a login, bytes: a token is short, and its sender is not known yet.
const MOST_LOGIN_BYTES: usize = 4 << 10;
/// Time limit for a body.
const ARRIVAL_LIMIT: Duration = Duration::from_secs(10);
/// Bodies up to this size are always accepted.
const SMALL_BYTES: usize = 4 << 10;
/// Memory for all larger bodies together is counted in pieces of this size.
const PIECE_BYTES: usize = 4 << 10;
const PIECES: usize = (8 << 20) / PIECE_BYTES;

/// Memory for the bodies of requests.
#[derive(Debug)]
pub(super) struct Intake(Arc<Semaphore>);

impl Default for Intake {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(PIECES)))
    }
}

pub(super) async fn whole_body(State(app): State<App>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let most = if parts.uri.path() == "/login" { MOST_LOGIN_BYTES } else { MOST_BYTES };
    let mut memory = Memory { intake: &app.intake, held: None, room: SMALL_BYTES };
    let collected = timeout(ARRIVAL_LIMIT, memory.collect(body, most)).await.unwrap_or_else(|_| {
        let message = format!("the body did not arrive within {} s", ARRIVAL_LIMIT.as_secs());
        Err(Problem::new(StatusCode::REQUEST_TIMEOUT, message))
    });
    match collected {
        Ok(bytes) => next.run(Request::from_parts(parts, bytes.into())).await,
        Err(problem) => problem.into_response(),
    }
}

/// The memory for one body, held until its request is answered.
struct Memory<'a> {
    intake: &'a Intake,
    held: Option<OwnedSemaphorePermit>,
    room: usize,
}

impl Memory<'_> {
    async fn collect(&mut self, body: Body, most: usize) -> Result<Bytes, Problem> {
        let (mut bytes, mut pieces) = (Vec::new(), body.into_data_stream());
        while let Some(piece) = pieces.next().await {
            let piece =
                piece.map_err(|error| Problem::bad_request(&format!("the body was interrupted: {error}")))?;
            if bytes.len() + piece.len() > most {
                let message = format!("the body is larger than {} KiB", most >> 10);
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, message));
            }
            self.make_room(bytes.len() + piece.len()).await;
            bytes.extend_from_slice(&piece);
        }
        Ok(bytes.into())
    }

    /// Waits until other bodies have freed enough memory.
    async fn make_room(&mut self, size: usize) {
        while self.room < size {
            let Ok(more) = Arc::clone(&self.intake.0).acquire_owned().await else { return };
            self.room += PIECE_BYTES;
            match &mut self.held {
                Some(held) => held.merge(more),
                None => self.held = Some(more),
            }
        }
    }
}
