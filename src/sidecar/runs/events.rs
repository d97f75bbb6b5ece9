//! The events of a run as a stream: what is in its journal, then what comes.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::sync::{broadcast, mpsc};

use crate::run::event::{Record, RunEvent};
use crate::sidecar::problem::Problem;
use crate::sidecar::read::{Path, Query};
use crate::sidecar::state::{App, Stream};
use crate::sidecar::wire::runs::{EventsQuery, RunPath};
use crate::station::{LiveRun, Operator};
use crate::store::read_run_journal;

/// Events that may wait for a slow reader.
const WAITING: usize = 64;
/// A comment keeps proxies from closing a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Server-sent events with the journal's numbers as ids; ends with `finished`.
pub(in crate::sidecar) async fn stream(
    State(app): State<App>,
    Path(RunPath { id }): Path<RunPath>,
    Query(query): Query<EventsQuery>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let folder = app.folder(&id).await?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let after = last.or(query.after.map(u64::from)).unwrap_or(0);
    // Followed before the journal is read, so that nothing falls in between.
    let live = app.live(&id).filter(|run| !run.has_ended()).map(|run| (run.follow(), run));
    let watch = Watching {
        _stream: app.streams.open("events"),
        _operator: (query.attend && live.is_some()).then(|| app.station.operator()),
    };
    let (sender, receiver) = mpsc::channel(WAITING);
    let mut closing = app.closing.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = tell(folder, live, after, &sender) => {}
            // The client reconnects, and goes on from where it was.
            _ = closing.wait_for(|closing| *closing) => {}
            () = sender.closed() => {}
        }
        drop(watch);
    });
    let events = stream::unfold(receiver, |mut receiver: mpsc::Receiver<Event>| async move {
        Some((Ok::<_, Infallible>(receiver.recv().await?), receiver))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

/// What lasts as long as the stream.
struct Watching {
    _stream: Stream,
    _operator: Option<Operator>,
}

type Live = (broadcast::Receiver<Arc<Record>>, Arc<LiveRun>);

async fn tell(folder: PathBuf, live: Option<Live>, after: u64, sender: &mpsc::Sender<Event>) {
    let mut told = tell_journal(folder.clone(), after, sender).await;
    let Some((mut records, run)) = live else { return };
    loop {
        let next = tokio::select! {
            biased;
            next = records.recv() => next,
            () = run.ended() => Err(broadcast::error::RecvError::Closed),
        };
        match next {
            Ok(record) => {
                let is_news = record.n > told || !record.event.is_kept();
                if is_news && !send(&record, sender).await {
                    return;
                }
                told = told.max(record.n);
                if matches!(record.event, RunEvent::Finished { .. }) {
                    return;
                }
            }
            // A slow reader missed some: they are in the journal.
            Err(broadcast::error::RecvError::Lagged(_)) => {
                told = tell_journal(folder.clone(), told, sender).await;
            }
            Err(broadcast::error::RecvError::Closed) => {
                tell_journal(folder, told, sender).await;
                return;
            }
        }
    }
}

/// Tells what the journal has beyond `after`; gives the number of the last one told.
async fn tell_journal(folder: PathBuf, after: u64, sender: &mpsc::Sender<Event>) -> u64 {
    let sender = sender.clone();
    let telling = tokio::task::spawn_blocking(move || {
        let mut told = after;
        let records = read_run_journal::<Record>(&folder).into_iter().flatten();
        for record in records.filter_map(Result::ok).filter(|record| record.n > after) {
            told = record.n;
            if event(&record).is_none_or(|event| sender.blocking_send(event).is_err()) {
                break;
            }
        }
        told
    });
    telling.await.unwrap_or(after)
}

async fn send(record: &Record, sender: &mpsc::Sender<Event>) -> bool {
    match event(record) {
        Some(event) => sender.send(event).await.is_ok(),
        None => true,
    }
}

fn event(record: &Record) -> Option<Event> {
    let value = serde_json::to_value(record).ok()?;
    let kind = value.get("event")?.as_str()?.to_owned();
    let event = Event::default().event(kind).data(value.to_string());
    Some(if record.event.is_kept() { event.id(record.n.to_string()) } else { event })
}
