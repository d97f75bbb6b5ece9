//! The worker: takes one item after another from the queue and has it measured.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::expand::Task;
use super::patience;
use super::queue::Queue;
use super::queue_error::QueueError;
use super::schedule::{Decision, Situation, next_item};
use crate::catalogue::{ItemRow, ItemState};
use crate::run::Watcher;
use crate::station::{BegunRun, Cut, Station};

/// Why nothing more begins after an emergency stop, or when the connection was closed on purpose.
pub(super) const CUT: &str = "the instrument was turned off, or let go, by hand";

/// What is wanted of a worker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WorkerCommand {
    /// That it goes on.
    #[default]
    Continue,
    /// That the run under way is the last one.
    FinishRun,
    /// That the run under way is stopped in good order, for this reason.
    Stop(String),
}

/// Why a worker has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerEnd {
    /// Nothing is queued any more.
    Finished,
    /// Something is queued, and is not begun for this reason.
    Stopped(String),
    /// It was asked to.
    Requested,
}

/// Whoever is told how a batch comes on.
pub trait BatchObserver: Send + Sync {
    /// An item is about to begin; gives those who watch its run.
    fn begins(&self, item: &ItemRow, task: &Task) -> Vec<Watcher>;
    /// Its run has begun.
    fn begun(&self, entry: &BegunRun);
    /// It is over, with the state that it is in now. May block until everything has been shown.
    fn ended(&self, item: &ItemRow, state: ItemState, reason: Option<&str>, folder: Option<&Path>);
    /// Nothing happens until then.
    fn waits(&self, until: DateTime<Utc>);
}

/// Empties a queue.
pub struct Worker {
    /// Where it measures.
    pub station: Arc<Station>,
    /// What it measures.
    pub queue: Arc<Queue>,
    /// Who is told.
    pub observer: Arc<dyn BatchObserver>,
    /// So many items that fail one after another end the batch.
    pub most_failures: Option<NonZeroU32>,
    /// Options of the embedded instrument, where this process started one.
    pub simulator: Option<serde_json::Value>,
    /// The instrument was named for this very batch.
    pub instrument_named: bool,
    /// Somebody is at the terminal.
    pub at_terminal: bool,
    /// An empty queue is waited at, and what would end a batch pauses the queue.
    pub stays: bool,
    /// What is wanted of it.
    pub command: watch::Receiver<WorkerCommand>,
}

/// How an item has left the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AttemptOutcome {
    Done,
    /// For good; with the reason when that ends the batch.
    Failed(Option<String>),
    /// It is queued again, or was never begun.
    Again,
    /// Somebody or something wants no further item.
    Enough(String),
}

impl Worker {
    /// Works until nothing is queued, or nothing more is to begin.
    ///
    /// # Errors
    /// When the catalogue cannot be used: what cannot be kept is not begun.
    pub async fn work(mut self) -> Result<WorkerEnd, QueueError> {
        let mut changes = self.queue.changes();
        let mut failures_in_a_row = 0;
        loop {
            changes.borrow_and_update();
            let mut cut = self.station.cut();
            if *self.command.borrow() != WorkerCommand::Continue {
                return Ok(WorkerEnd::Requested);
            }
            let (items, paused) = self.queue.items().await?;
            let (window, most_failures) = (self.queue.window(), self.most_failures);
            let situation = Situation { items: &items, window, paused, failures_in_a_row, most_failures };
            let enough = match next_item(&situation, Utc::now()) {
                Decision::Begin(number) => {
                    if let Some(run) = self.station.current_run() {
                        tokio::select! {
                            () = run.ended() => {}
                            _ = self.command.changed() => {}
                        }
                        continue;
                    }
                    let Some(item) = items.into_iter().find(|item| item.number == number) else { continue };
                    match self.attempt(item, &mut cut).await? {
                        AttemptOutcome::Done => {
                            failures_in_a_row = 0;
                            None
                        }
                        AttemptOutcome::Failed(ends) => {
                            failures_in_a_row += 1;
                            ends
                        }
                        AttemptOutcome::Again => None,
                        AttemptOutcome::Enough(reason) => Some(reason),
                    }
                }
                Decision::Skip { number, reason } => {
                    self.queue
                        .turn(number, &[ItemState::Queued], ItemState::Skipped, Some(reason.clone()))
                        .await?;
                    if let Some(item) = items.iter().find(|item| item.number == number) {
                        self.observer.ended(item, ItemState::Skipped, Some(&reason), None);
                    }
                    None
                }
                Decision::Idle if !self.stays => return Ok(WorkerEnd::Finished),
                Decision::Stop(reason) => Some(reason),
                decision @ (Decision::Wait { .. } | Decision::Paused | Decision::Idle) => {
                    let until = match decision {
                        Decision::Wait { until } => Some(until),
                        _ => None,
                    };
                    self.wait(until, window.deadline, &mut changes, &mut cut).await
                }
            };
            if let Some(reason) = enough {
                if !self.stays {
                    return Ok(WorkerEnd::Stopped(reason));
                }
                tracing::warn!(reason, "the queue is paused");
                failures_in_a_row = 0;
                self.queue.pause(true).await?;
            }
        }
    }

    /// Waits for a moment, for a change of the queue or for a wish; gives the reason when no further item is wanted.
    async fn wait(
        &mut self,
        until: Option<DateTime<Utc>>,
        deadline: Option<DateTime<Utc>>,
        changes: &mut watch::Receiver<u64>,
        cut: &mut Cut,
    ) -> Option<String> {
        if let Some(until) = until {
            self.observer.waits(until);
        }
        tokio::select! {
            () = patience::until(until) => None,
            // A queue that is paused over its deadline is over then.
            () = patience::until(deadline) => None,
            _ = changes.changed() => None,
            _ = self.command.changed() => None,
            () = cut.wanted() => Some(CUT.to_owned()),
        }
    }
}
