//! Reads the whole body of a request before the response is sent. A connection with a partly read body could not be
//! used again, and its client would not know.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes, HttpBody as _};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::RETRY_AFTER;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

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
/// Memory for all larger bodies together, bytes.
const ALL_BYTES: usize = 8 << 20;
/// A larger body waits this long for memory.
const PATIENCE: Duration = Duration::from_secs(5);
/// A refused client should ask again after this time, s.
const RETRY_AFTER_S: &str = "5";

/// Memory for the bodies of requests, one permit for each byte.
#[derive(Debug)]
pub(super) struct Intake {
    memory: Arc<Semaphore>,
    patience: Duration,
}

/// The memory of one body. It is held until the request is answered.
type Room = OwnedSemaphorePermit;

impl Default for Intake {
    fn default() -> Self {
        Self { memory: Arc::new(Semaphore::new(ALL_BYTES)), patience: PATIENCE }
    }
}

pub(super) async fn whole_body(State(app): State<App>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let most = if parts.uri.path() == "/login" { MOST_LOGIN_BYTES } else { MOST_BYTES };
    match app.intake.collect(body, most).await {
        Ok((bytes, _room)) => next.run(Request::from_parts(parts, bytes.into())).await,
        Err(problem) => {
            let is_full = problem.status == StatusCode::SERVICE_UNAVAILABLE;
            (is_full.then_some([(RETRY_AFTER, RETRY_AFTER_S)]), problem).into_response()
        }
    }
}

impl Intake {
    /// The body, and its room if it is not small. The body takes all its room at once. If bodies waited with a part of
    /// their room, each of them could wait for the others.
    async fn collect(&self, body: Body, most: usize) -> Result<(Bytes, Option<Room>), Problem> {
        let declared = body.size_hint().exact().and_then(|size| usize::try_from(size).ok());
        let whole = declared.map_or(most, |size| size.min(most));
        let (mut bytes, mut room, mut pieces) = (Vec::new(), None, body.into_data_stream());
        let mut end = Instant::now() + ARRIVAL_LIMIT;
        loop {
            let piece = timeout_at(end, pieces.next()).await.map_err(|_| {
                let message = format!("the body did not arrive within {} s", ARRIVAL_LIMIT.as_secs());
                Problem::new(StatusCode::REQUEST_TIMEOUT, message)
            })?;
            let Some(piece) = piece else { return Ok((bytes.into(), room)) };
            let piece =
                piece.map_err(|error| Problem::bad_request(&format!("the body was interrupted: {error}")))?;
            let size = bytes.len() + piece.len();
            if size > most {
                let message = format!("the body is larger than {} KiB", most >> 10);
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, message));
            }
            if size > SMALL_BYTES && room.is_none() {
                let asked = Instant::now();
                room = self.room(whole).await;
                if room.is_none() {
                    // A client that is still sending does not read the refusal.
                    let rest = pieces.for_each(|_| std::future::ready(()));
                    let _ = timeout(ARRIVAL_LIMIT, rest).await;
                    let message = "too many large bodies arrive at once: try again later";
                    return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, message));
                }
                // The client cannot send while the server waits.
                end += asked.elapsed();
            }
            bytes.extend_from_slice(&piece);
        }
    }

    /// Room for a whole body; `None` if other bodies do not leave enough memory in time.
    async fn room(&self, size: usize) -> Option<Room> {
        let bytes = u32::try_from(size).ok()?;
        let room = Arc::clone(&self.memory).acquire_many_owned(bytes);
        timeout(self.patience, room).await.ok()?.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::future::join_all;
    use futures_util::stream;

    use super::*;

    /// 1.9 MB without a declared length. After each piece, the other bodies have their turn.
    fn in_pieces() -> Body {
        let pieces = stream::iter(0..120).then(async |_| {
            tokio::task::yield_now().await;
            Ok::<_, Infallible>(Bytes::from(vec![b'x'; 16 << 10]))
        });
        Body::from_stream(pieces)
    }

    #[tokio::test]
    async fn large_bodies_that_arrive_together_do_not_wait_for_each_other_for_ever() {
        let intake = Intake::default();
        let read = async || intake.collect(in_pieces(), MOST_BYTES).await.map(|(bytes, _room)| bytes.len());
        for read in join_all((0..32).map(|_| read())).await {
            assert_eq!(read, Ok(120 * (16 << 10)));
        }
    }

    #[tokio::test]
    async fn a_large_body_without_room_is_refused_and_a_small_one_is_not() {
        let intake = Intake { patience: Duration::ZERO, ..Intake::default() };
        let collect = async |size: usize| intake.collect(Body::from(vec![b'x'; size]), MOST_BYTES).await;
        let mut held = Vec::new();
        for _ in 0..ALL_BYTES / MOST_BYTES {
            held.push(collect(MOST_BYTES).await.unwrap());
        }
        assert_eq!(collect(SMALL_BYTES + 1).await.unwrap_err().status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(collect(SMALL_BYTES).await.unwrap().0.len(), SMALL_BYTES);
        held.pop();
        assert_eq!(collect(MOST_BYTES).await.unwrap().0.len(), MOST_BYTES);
        assert_eq!(collect(MOST_BYTES + 1).await.unwrap_err().status, StatusCode::PAYLOAD_TOO_LARGE);
    }
}
