//! `/ws/power` and `/power`: power readings at the interval of each client, from the single poller of the module.

mod groups;
mod updates;

use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use schemars::JsonSchema;
use serde::Deserialize;
use tokio::time::timeout;

pub(in crate::sidecar) use groups::Groups;
pub(in crate::sidecar) use updates::ReadingTexts;

use super::{SEND_LIMIT, Upgrade, say_goodbye, send};
use crate::sidecar::access::Granted;
use crate::sidecar::listen::Outgoing;
use crate::sidecar::problem::Problem;
use crate::sidecar::read::Query;
use crate::sidecar::reply::{self, Reply};
use crate::sidecar::state::{App, Stream};
use crate::sidecar::stream_end::StreamEnd;
use crate::sidecar::wire::power::{Frame, timestamp};
use groups::Membership;
use updates::{Errors, Updates, text};

/// Interval of the heartbeat.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// Which power a client wants.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::sidecar) struct PowerStreamQuery {
    /// The module's slot.
    #[schemars(range(min = 1, max = 20))]
    module: Option<u8>,
    /// Least time between two frames of readings, s.
    #[schemars(range(min = 0.01, max = 10.0))]
    #[serde(default = "usual_interval_s")]
    interval: f64,
}

fn usual_interval_s() -> f64 {
    0.1
}

/// Streams live power over a WebSocket. Values out of range are answered with 403, as clients of the Python service expect.
pub(in crate::sidecar) async fn stream(
    State(app): State<App>,
    Extension(granted): Extension<Granted>,
    Extension(outgoing): Extension<Arc<Outgoing>>,
    wanted: Result<Query<PowerStreamQuery>, Problem>,
    Upgrade(upgrade): Upgrade,
) -> Response {
    match wanted {
        Ok(Query(wanted)) => {
            upgrade.on_upgrade(move |socket| serve(socket, Frames::open(app, granted, &wanted), outgoing))
        }
        Err(problem) => Problem::new(StatusCode::FORBIDDEN, problem.detail).into_response(),
    }
}

/// Streams the same frames as server-sent events, for clients without WebSockets.
pub(in crate::sidecar) async fn events(
    State(app): State<App>,
    Extension(granted): Extension<Granted>,
    Query(wanted): Query<PowerStreamQuery>,
) -> Reply<reply::Events> {
    // A frame is made when the connection can take it, so a slow client loses frames and does not delay others.
    let events = stream::unfold(Frames::open(app, granted, &wanted), |mut frames| async move {
        let text = frames.next().await.ok()?;
        Some((Ok::<_, Infallible>(Event::default().data(text.as_str())), frames))
    });
    Reply::new(Sse::new(events))
}

/// The frames of live power for one client.
struct Frames {
    stream: Stream,
    /// `None` while the group of the client sends the updates.
    updates: Option<Updates>,
    errors: Errors,
    heartbeat: tokio::time::Interval,
    end: StreamEnd,
    app: App,
}

impl Frames {
    fn open(app: App, granted: Granted, wanted: &PowerStreamQuery) -> Self {
        Self {
            stream: app.streams.open("power"),
            updates: Some(Updates::open(&app, wanted)),
            errors: Errors::default(),
            heartbeat: tokio::time::interval_at(tokio::time::Instant::now() + HEARTBEAT, HEARTBEAT),
            end: StreamEnd::of(&app, granted),
            app,
        }
    }

    /// The text of the next frame, or why there is no other. No frame is lost if the future is dropped.
    async fn next(&mut self) -> Result<Utf8Bytes, &'static str> {
        let updates = &mut self.updates;
        let update = async {
            match updates {
                Some(updates) => updates.next().await,
                None => pending().await,
            }
        };
        tokio::select! {
            update = update => {
                self.errors.count(&update);
                Ok(text(&update, self.errors, &self.app.readings))
            }
            _ = self.heartbeat.tick() => {
                let active_streams = self.stream.open();
                Ok(Frame::Heartbeat { timestamp: timestamp(), active_streams }.text().into())
            }
            reason = self.end.reached() => Err(reason),
        }
    }
}

/// Sends the first update as soon as there is one. Then the group of the client sends the updates, and this task sends the
/// heartbeats, answers pings and ends the stream.
async fn serve(mut socket: WebSocket, mut frames: Frames, outgoing: Arc<Outgoing>) {
    let mut membership = None;
    loop {
        let text = tokio::select! {
            text = frames.next() => match text {
                Ok(text) => text,
                Err(reason) => {
                    drop(membership);
                    return say_goodbye(&mut socket, reason).await;
                }
            },
            () = outgoing.has_rest() => match timeout(SEND_LIMIT, outgoing.send_rest()).await {
                Ok(Ok(())) => continue,
                Ok(Err(_)) | Err(_) => return,
            },
            // Pings are answered automatically; other messages are ignored.
            incoming = socket.recv() => match incoming {
                Some(Ok(Message::Close(_))) => {
                    // No frame may follow the answer, which is sent by the next `recv`.
                    membership = None;
                    frames.updates = None;
                    continue;
                }
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return,
            },
        };
        if !send(&mut socket, text).await {
            return;
        }
        if let Some(updates) = frames.updates.take() {
            membership = Some(Membership::join(&frames.app, updates, frames.errors, Arc::clone(&outgoing)));
        }
    }
}
