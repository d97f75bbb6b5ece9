//! The queue of `ctp10 serve`: clients add items over HTTP, and they run whenever no run is active.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::batch::{BatchObserver, Policy, QUEUE, Queue, QueueError, Task, Worker, WorkerCommand};
use crate::catalogue::{BatchRow, Catalogue, ItemRow, ItemState};
use crate::error::chain;
use crate::instrument::Target;
use crate::run::Watcher;
use crate::session::{BegunRun, Session};

/// Pause before the next attempt if the catalogue cannot be used.
const PAUSE: Duration = Duration::from_secs(10);

/// The queue for an instrument. If it cannot be opened, this is logged and the service runs without a queue.
pub(in crate::app) fn open(instrument: &Target, out: &Path) -> Option<Arc<Queue>> {
    match try_open(instrument, out) {
        Ok(queue) => Some(Arc::new(queue)),
        Err(error) => {
            tracing::warn!("no queue is available: {}", chain(&error));
            None
        }
    }
}

fn try_open(instrument: &Target, out: &Path) -> Result<Queue, QueueError> {
    // Items that were queued for one instrument do not start on another.
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name = format!("{QUEUE}{}", instrument.to_string().chars().map(plain).collect::<String>());
    let catalogue = Catalogue::working(out, &name)?;
    if catalogue.batch(&name)?.is_none() {
        catalogue.put_batch(&BatchRow {
            name: name.clone(),
            file: None,
            folder: std::env::current_dir().unwrap_or_default().display().to_string(),
            settings: json!({}),
            paused: false,
            created: Utc::now(),
        })?;
    }
    Queue::open(catalogue, out, &name, PathBuf::new(), Policy::default())
}

/// Starts to run its items.
pub(in crate::app) fn work(
    session: &Arc<Session>,
    queue: Arc<Queue>,
    simulator: Option<Value>,
    command: watch::Receiver<WorkerCommand>,
) -> JoinHandle<()> {
    let session = Arc::clone(session);
    tokio::spawn(async move {
        loop {
            let mut ending = command.clone();
            let worker = Worker {
                session: Arc::clone(&session),
                queue: Arc::clone(&queue),
                observer: Arc::new(Log),
                most_failures: None,
                simulator: simulator.clone(),
                instrument_named: false,
                at_terminal: false,
                stays: true,
                command: command.clone(),
            };
            match worker.work().await {
                Ok(_) => return,
                Err(error) => tracing::error!("the queue is waiting: {}", chain(&error)),
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = ending.wait_for(|command| *command != WorkerCommand::Continue) => return,
            }
        }
    })
}

/// A service shows its runs only on the dashboard.
struct Log;

impl BatchObserver for Log {
    fn begins(&self, _: &ItemRow, _: &Task) -> Vec<Watcher> {
        Vec::new()
    }

    fn begun(&self, entry: &BegunRun) {
        tracing::info!(run = entry.run.id(), "an item of the queue has started");
    }

    fn ended(&self, item: &ItemRow, state: ItemState, reason: Option<&str>, _: Option<&Path>) {
        tracing::info!(item = item.number, %state, reason, "an item of the queue has ended");
    }

    fn waits(&self, until: DateTime<Utc>) {
        tracing::info!(%until, "the queue is waiting");
    }
}
