//! The worker: takes one item after another from the queue and runs it.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::watch;

use super::patience;
use super::queue::Queue;
use super::queue_error::QueueError;
use super::schedule::{Decision, Situation, next_item};
use super::task::Task;
use crate::catalogue::{ItemRow, ItemState};
use crate::run::Watcher;
use crate::session::{BegunRun, Cut, Session};

/// The reason why no item starts after an emergency stop, or after the connection was closed on purpose.
pub(super) const CUT: &str = "a person turned the lasers off or closed the connection";

/// A request to a worker.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WorkerCommand {
    /// Continue.
    #[default]
    Continue,
    /// End after the active run.
    FinishRun,
    /// Stop the active run cleanly, for this reason.
    Stop(String),
}

/// The reason why a worker has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerEnd {
    /// No item is queued.
    Finished,
    /// Items are queued, but they are not started for this reason.
    Stopped(String),
    /// The worker was asked to end.
    Requested,
}

/// Receives the progress of a batch.
pub trait BatchObserver: Send + Sync {
    /// An item will start; returns the watchers of its run.
    fn begins(&self, item: &ItemRow, task: &Task) -> Vec<Watcher>;
    /// The run of the item has started.
    fn begun(&self, entry: &BegunRun);
    /// The item has ended, with its present state. May block until everything has been shown.
    fn ended(&self, item: &ItemRow, state: ItemState, reason: Option<&str>, folder: Option<&Path>);
    /// The worker waits until then.
    fn waits(&self, until: DateTime<Utc>);
}

/// Runs the items of a queue.
pub struct Worker {
    /// The session of the instrument.
    pub session: Arc<Session>,
    /// The queue.
    pub queue: Arc<Queue>,
    /// The receiver of the progress.
    pub observer: Arc<dyn BatchObserver>,
    /// Number of consecutive failures that ends the batch.
    pub most_failures: Option<NonZeroU32>,
    /// Options of the simulator, if this process has started one.
    pub simulator: Option<serde_json::Value>,
    /// Whether the instrument was given for this batch.
    pub instrument_named: bool,
    /// Whether a person is at the terminal.
    pub at_terminal: bool,
    /// Whether the worker waits for new items if the queue is empty. Then, events that would end a batch pause the
    /// queue.
    pub stays: bool,
    /// The requests to the worker.
    pub command: watch::Receiver<WorkerCommand>,
}

/// How an item has left the worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum AttemptOutcome {
    Done,
    /// Finally; with the reason if this ends the batch.
    Failed(Option<String>),
    /// The item is queued again, or was never started.
    Again,
    /// No further item may start.
    Enough(String),
}

impl Worker {
    /// Works until no item is queued, or none may start.
    ///
    /// # Errors
    /// If the catalogue cannot be used, because an item that cannot be recorded must not start.
    pub async fn work(mut self) -> Result<WorkerEnd, QueueError> {
        let end = self.work_through().await;
        self.make_kept_safe().await;
        end
    }

    /// Makes the instruments safe that items have left as they were for the next item.
    async fn make_kept_safe(&self) {
        let made = self.session.make_kept_safe().await;
        if !made.trouble.is_empty() {
            tracing::error!("could not confirm that these instruments are safe: {}", made.trouble.join("; "));
        }
    }

    async fn work_through(&mut self) -> Result<WorkerEnd, QueueError> {
        let mut changes = self.queue.changes();
        let mut failures_in_a_row = 0;
        loop {
            changes.borrow_and_update();
            let mut cut = self.session.cut();
            if *self.command.borrow() != WorkerCommand::Continue {
                return Ok(WorkerEnd::Requested);
            }
            let (items, paused) = self.queue.items().await?;
            let (window, most_failures) = (self.queue.window(), self.most_failures);
            let situation = Situation { items: &items, window, paused, failures_in_a_row, most_failures };
            let enough = match next_item(&situation, Utc::now()) {
                Decision::Begin(number) => {
                    if let Some(run) = self.session.current_run() {
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
                Decision::Skip { item: number, reason } => {
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
                    let until = match &decision {
                        Decision::Wait { until } => Some(*until),
                        _ => None,
                    };
                    if decision == Decision::Idle {
                        self.make_kept_safe().await;
                    }
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

    /// Waits for a moment, a change of the queue or a request; returns the reason if no further item may start.
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
            // The wall clock may have been set back since.
            () = self.queue.pause_over() => None,
            // A queue that is still paused at its deadline ends then.
            () = patience::until(deadline) => None,
            _ = changes.changed() => None,
            _ = self.command.changed() => None,
            () = cut.wanted() => Some(CUT.to_owned()),
        }
    }
}
