//! The queue of `ctp10 serve`: filled over HTTP, emptied whenever no run is under way.

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
use crate::station::{BegunRun, Station};

/// A catalogue that cannot be used is tried again after this.
const PAUSE: Duration = Duration::from_secs(10);

/// The queue for an instrument; none, with a word in the log, where it cannot be had: the service is of use without it.
pub(in crate::app) fn open(instrument: &Target, out: &Path) -> Option<Arc<Queue>> {
    match try_open(instrument, out) {
        Ok(queue) => Some(Arc::new(queue)),
        Err(error) => {
            tracing::warn!("there is no queue: {}", chain(&error));
            None
        }
    }
}

fn try_open(instrument: &Target, out: &Path) -> Result<Queue, QueueError> {
    // What was queued for one instrument does not begin on another.
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

/// Begins to empty it.
pub(in crate::app) fn work(
    station: &Arc<Station>,
    queue: Arc<Queue>,
    simulator: Option<Value>,
    command: watch::Receiver<WorkerCommand>,
) -> JoinHandle<()> {
    let station = Arc::clone(station);
    tokio::spawn(async move {
        loop {
            let mut ending = command.clone();
            let worker = Worker {
                station: Arc::clone(&station),
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
                Err(error) => tracing::error!("the queue waits: {}", chain(&error)),
            }
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                _ = ending.wait_for(|command| *command != WorkerCommand::Continue) => return,
            }
        }
    })
}

/// Whoever wants to see the runs is at the dashboard.
struct Log;

impl BatchObserver for Log {
    fn begins(&self, _: &ItemRow, _: &Task) -> Vec<Watcher> {
        Vec::new()
    }

    fn begun(&self, entry: &BegunRun) {
        tracing::info!(run = entry.run.id(), "an item of the queue has begun");
    }

    fn ended(&self, item: &ItemRow, state: ItemState, reason: Option<&str>, _: Option<&Path>) {
        tracing::info!(item = item.number, %state, reason, "an item of the queue is over");
    }

    fn waits(&self, until: DateTime<Utc>) {
        tracing::info!(%until, "the queue waits");
    }
}
