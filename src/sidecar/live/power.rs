//! `/ws/power` and `/power`: power readings at the interval of each client, from the single poller of the module.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Extension;
use axum::extract::ws::{Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::watch;

use super::{of_listener, say_goodbye, send};
use crate::metrics::POWER_FRAMES_DROPPED;
use crate::power::{PowerFrame, PowerUpdate, PowerWatch, UpdateSchedule};
use crate::session::Endpoint;
use crate::sidecar::access::Granted;
use crate::sidecar::problem::{Problem, not_connected};
use crate::sidecar::read::{Query, read};
use crate::sidecar::state::{App, Stream};
use crate::sidecar::stream_end::StreamEnd;
use crate::sidecar::wire::power::{Frame, Power, timestamp};

/// Interval of the heartbeat.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// The text of the last reading of each module. All clients of a module get the same reading, and it is encoded once.
#[derive(Debug, Default)]
pub(in crate::sidecar) struct ReadingTexts(Mutex<BTreeMap<u8, (Arc<PowerFrame>, Utf8Bytes)>>);

impl ReadingTexts {
    fn text(&self, reading: &Arc<PowerFrame>) -> Utf8Bytes {
        let mut texts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = texts.get(&reading.module).filter(|(known, _)| Arc::ptr_eq(known, reading));
        if let Some((_, text)) = known {
            return text.clone();
        }
        let text = Utf8Bytes::from(Frame::Data(Power::from(&**reading)).text());
        texts.insert(reading.module, (Arc::clone(reading), text.clone()));
        text
    }
}

/// Which power a client wants.
#[derive(Debug, Deserialize, JsonSchema)]
pub(in crate::sidecar) struct PowerStreamQuery {
    #[schemars(range(min = 1, max = 20))]
    module: Option<u8>,
    #[schemars(range(min = 0.01, max = 10.0))]
    interval: Option<f64>,
}

/// Streams live power over a WebSocket. Values out of range are answered with 403, as clients of the Python service expect.
pub(in crate::sidecar) async fn stream(
    State(app): State<App>,
    Extension(granted): Extension<Granted>,
    RawQuery(query): RawQuery,
    upgrade: WebSocketUpgrade,
) -> Response {
    match parse(query.as_deref().unwrap_or_default()) {
        Ok(wanted) => {
            of_listener(upgrade).on_upgrade(move |socket| serve(socket, Frames::open(app, granted, &wanted)))
        }
        Err(problem) => Problem::new(StatusCode::FORBIDDEN, problem.detail).into_response(),
    }
}

/// Streams the same frames as server-sent events, for clients without WebSockets.
pub(in crate::sidecar) async fn events(
    State(app): State<App>,
    Extension(granted): Extension<Granted>,
    Query(wanted): Query<PowerStreamQuery>,
) -> Response {
    // A frame is made when the connection can take it, so a slow client loses frames and does not delay others.
    let events = stream::unfold(Frames::open(app, granted, &wanted), |mut frames| async move {
        let text = frames.next().await.ok()?;
        Some((Ok::<_, Infallible>(Event::default().data(text.as_str())), frames))
    });
    Sse::new(events).into_response()
}

fn parse(query: &str) -> Result<PowerStreamQuery, Problem> {
    let uri = format!("/?{query}").parse().map_err(|_| Problem::bad_request("the query cannot be read"))?;
    let pairs = axum::extract::Query::<Vec<(String, String)>>::try_from_uri(&uri)
        .map_err(|error| Problem::bad_request(&error.to_string()))?;
    let given: Map<String, Value> =
        pairs.0.into_iter().map(|(name, value)| (name, Value::String(value))).collect();
    read(&given, "query")
}

/// The frames of live power for one client.
struct Frames {
    stream: Stream,
    module: u8,
    interval: Duration,
    watch: PowerWatch,
    schedule: UpdateSchedule,
    heartbeat: tokio::time::Interval,
    endpoints: watch::Receiver<Arc<Endpoint>>,
    end: StreamEnd,
    /// The number of the last updates in a row without a reading.
    errors: u64,
    app: App,
}

impl Frames {
    fn open(app: App, granted: Granted, wanted: &PowerStreamQuery) -> Self {
        let module = wanted.module.unwrap_or(app.options.defaults.module);
        let interval = Duration::from_secs_f64(wanted.interval.unwrap_or(0.1));
        let mut endpoints = app.session.watch_endpoint();
        let watch = endpoints.borrow_and_update().monitor.watch(module, interval, &[]);
        Self {
            stream: app.streams.open("power"),
            module,
            interval,
            watch,
            schedule: UpdateSchedule::new(interval),
            heartbeat: tokio::time::interval_at(tokio::time::Instant::now() + HEARTBEAT, HEARTBEAT),
            endpoints,
            end: StreamEnd::of(&app, granted),
            errors: 0,
            app,
        }
    }

    /// The text of the next frame, or why there is no other. No frame is lost if the future is dropped.
    async fn next(&mut self) -> Result<Utf8Bytes, &'static str> {
        loop {
            tokio::select! {
                update = self.watch.next(&mut self.schedule) => {
                    let is_reading = !matches!(update, PowerUpdate::Unavailable { .. });
                    self.errors = if is_reading { 0 } else { self.errors + 1 };
                    return Ok(text(update, self.errors, &self.app.readings));
                }
                _ = self.heartbeat.tick() => {
                    let active_streams = self.stream.open();
                    return Ok(Frame::Heartbeat { timestamp: timestamp(), active_streams }.text().into());
                }
                reason = self.end.reached() => return Err(reason),
                // The session has connected to another instrument.
                _ = self.endpoints.changed() => {
                    let monitor = &self.endpoints.borrow_and_update().monitor;
                    self.watch = monitor.watch(self.module, self.interval, &[]);
                }
            }
        }
    }
}

async fn serve(mut socket: WebSocket, mut frames: Frames) {
    loop {
        let text = tokio::select! {
            text = frames.next() => match text {
                Ok(text) => text,
                Err(reason) => return say_goodbye(&mut socket, reason).await,
            },
            // Pings are answered automatically; other messages are ignored.
            incoming = socket.recv() => match incoming {
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return,
            },
        };
        let began = Instant::now();
        if !send(&mut socket, text).await {
            return;
        }
        note_dropped(began.elapsed(), frames.interval);
    }
}

/// Counts the frames that were due while a slow client received one.
fn note_dropped(sending: Duration, interval: Duration) {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "whole intervals in a minute"
    )]
    let dropped = (sending.as_secs_f64() / interval.as_secs_f64()) as u64;
    if dropped > 0 {
        tracing::debug!(dropped, "a client is too slow: frames were dropped");
        POWER_FRAMES_DROPPED.add(dropped);
    }
}

/// The text of an update, which is the `errors`th in a row without a reading.
fn text(update: PowerUpdate, errors: u64, readings: &ReadingTexts) -> Utf8Bytes {
    let frame = match update {
        PowerUpdate::Reading(reading) => return readings.text(&reading),
        PowerUpdate::Busy { last, age_s, occupation } => Frame::Busy {
            last: Power::from(&*last),
            age_s,
            operation: occupation.operation,
            progress: occupation.progress,
            eta_s: occupation.eta_s,
        },
        PowerUpdate::Unavailable { reason, away } => Frame::Error {
            error: if away { not_connected(&reason) } else { reason.clone() },
            message: reason,
            timestamp: timestamp(),
            recoverable: true,
            error_count: errors,
        },
    };
    frame.text().into()
}
