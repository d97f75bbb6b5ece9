//! Streams the events of a run: first its journal, then new events.

use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::stream;
use tokio::sync::{broadcast, mpsc};
use tokio::task::spawn_blocking;

use super::RunOfRequest;
use crate::run::events::{Emitted, Record, RunEvent};
use crate::session::{LiveRun, Operator};
use crate::sidecar::access::{Granted, Right, not_for_readers};
use crate::sidecar::problem::Problem;
use crate::sidecar::read::{Path, Query};
use crate::sidecar::reply::{self, Reply};
use crate::sidecar::state::{App, Stream};
use crate::sidecar::stream_end::StreamEnd;
use crate::sidecar::wire::runs::{EventsQuery, RunPath};
use crate::store::read_run_journal;

/// Number of events that may wait for a slow client.
const WAITING: usize = 64;
/// Interval of comments that keep proxies from closing an idle stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Streams server-sent events with the numbers of the journal as ids. The stream ends with `finished`.
pub(in crate::sidecar) async fn stream(
    State(app): State<App>,
    Path(RunPath { id }): Path<RunPath>,
    Query(query): Query<EventsQuery>,
    Extension(granted): Extension<Granted>,
    headers: HeaderMap,
) -> Result<Reply<reply::Events>, Problem> {
    if query.attend && granted.right == Right::ReadOnly {
        return Err(not_for_readers("`attend`: it allows to look, and not to answer questions"));
    }
    let RunOfRequest { folder, live, .. } = app.named(&id).await?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let after = last.or(query.after.map(u64::from)).unwrap_or(0);
    // The subscription starts before the journal is read, so that no event is missed.
    let live = live.filter(|run| !run.has_ended()).map(|run| (run.follow(), run));
    let watch = Watching {
        _stream: app.streams.open("events"),
        _operator: (query.attend && live.is_some()).then(|| app.session.operator()),
    };
    let (sender, receiver) = mpsc::channel(WAITING);
    let mut end = StreamEnd::of(&app, granted);
    let client = Client { sender, run: live.as_ref().map(|(_, run)| Arc::clone(run)) };
    tokio::spawn(async move {
        tokio::select! {
            () = tell(folder, live, after, &client) => {}
            // The client reconnects and continues after the last event.
            _ = end.reached() => {}
            () = client.sender.closed() => {}
        }
        drop(watch);
    });
    let events = stream::unfold(receiver, |mut receiver: mpsc::Receiver<Event>| async move {
        Some((Ok::<_, Infallible>(receiver.recv().await?), receiver))
    });
    Ok(Reply::new(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE))))
}

/// Held as long as the stream is open.
struct Watching {
    _stream: Stream,
    _operator: Option<Operator>,
}

type Live = (broadcast::Receiver<Arc<Emitted>>, Arc<LiveRun>);

/// A client that follows a run.
struct Client {
    sender: mpsc::Sender<Event>,
    /// The run, while it is in progress in this process.
    run: Option<Arc<LiveRun>>,
}

impl Client {
    /// Sends an event; returns false if the client has disconnected. The end of a run is sent when its report can be
    /// read.
    async fn send(&self, record: &Record) -> bool {
        if let (RunEvent::Finished { .. }, Some(run)) = (&record.event, &self.run) {
            run.ended().await;
        }
        match event(record) {
            Some(event) => self.sender.send(event).await.is_ok(),
            None => true,
        }
    }
}

async fn tell(folder: PathBuf, live: Option<Live>, after: u64, client: &Client) {
    let mut told = tell_journal(folder.clone(), after, client).await;
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
                if is_news && !client.send(&record).await {
                    return;
                }
                told = told.max(record.n);
                if matches!(record.event, RunEvent::Finished { .. }) {
                    return;
                }
            }
            // A slow client has missed events; they are read from the journal.
            Err(broadcast::error::RecvError::Lagged(_)) => {
                told = tell_journal(folder.clone(), told, client).await;
            }
            Err(broadcast::error::RecvError::Closed) => {
                tell_journal(folder, told, client).await;
                return;
            }
        }
    }
}

/// Sends the records of the journal after number `after`, and returns the number of the last one. The journal is read
/// in pieces, so that a slow client does not block a thread.
async fn tell_journal(folder: PathBuf, after: u64, client: &Client) -> u64 {
    let mut told = after;
    let Ok(Ok(mut records)) = spawn_blocking(move || read_run_journal::<Record>(&folder)).await else {
        return told;
    };
    loop {
        let piece = spawn_blocking(move || {
            let news = records.by_ref().filter_map(Result::ok).filter(|record| record.n > after);
            (news.take(WAITING).collect::<Vec<_>>(), records)
        });
        let Ok((piece, rest)) = piece.await else { return told };
        for record in &piece {
            if !client.send(record).await {
                return told;
            }
            told = record.n;
        }
        if piece.len() < WAITING {
            return told;
        }
        records = rest;
    }
}

fn event(record: &Record) -> Option<Event> {
    let value = serde_json::to_value(record).ok()?;
    let kind = value.get("event")?.as_str()?.to_owned();
    let event = Event::default().event(kind).data(value.to_string());
    Some(if record.event.is_kept() { event.id(record.n.to_string()) } else { event })
}
