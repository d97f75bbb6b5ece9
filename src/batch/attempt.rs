//! One attempt at one item. It is recorded on the disk before its start and after its end, and stopped at its time
//! limit.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::begin::NotBegun;
use super::disk::reserve;
use super::file::OnFailure;
use super::patience;
use super::queue_error::QueueError;
use super::schedule::{clock, span};
use super::task::Task;
use super::work::{AttemptOutcome, CUT, Worker, WorkerCommand};
use crate::catalogue::{AttemptEnd, ItemRow, ItemState};
use crate::session::{BegunRun, Cut, LiveRun};
use crate::step::Fault;
use crate::store::{RunState, free_bytes};

/// The reason why a run was stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Cause {
    Timeout,
    BatchDeadline,
    OwnDeadline,
    Command,
    ByHand,
    Withdrawn,
}

/// The consequence of an attempt's end for its item.
enum Then {
    /// The item gets this state.
    Stays(ItemState),
    /// The attempt failed and may be repeated.
    Failed,
}

/// The end of an attempt that counts.
struct AttemptResult {
    then: Then,
    /// The state of the attempt in the catalogue.
    state: String,
    reason: Option<String>,
    folder: Option<PathBuf>,
}

impl Worker {
    /// Makes one attempt at an item, from its entry in the catalogue to the entry of its end.
    pub(super) async fn attempt(
        &mut self,
        item: ItemRow,
        cut: &mut Cut,
    ) -> Result<AttemptOutcome, QueueError> {
        let number = item.number;
        let task: Task = match serde_json::from_value(item.payload.clone()) {
            Ok(task) => task,
            Err(error) => {
                let reason = format!("the entry in the catalogue is not valid: {error}");
                self.queue.turn(number, &[ItemState::Queued], ItemState::Failed, Some(reason)).await?;
                return Ok(AttemptOutcome::Failed(None));
            }
        };
        let room = free_bytes(&self.session.setup().out);
        let needed = reserve(item.bytes.unwrap_or_default());
        if let Some(room) = room.filter(|room| *room < needed) {
            return Ok(AttemptOutcome::Enough(format!(
                "item {number} needs {needed} bytes of disk space, but {room} are free"
            )));
        }
        let begun = self
            .queue
            .changing(move |catalogue, batch| catalogue.begin_attempt(batch, number, Utc::now()))
            .await?;
        let Some(attempt) = begun else { return Ok(AttemptOutcome::Again) };
        let failed = |then, reason| AttemptResult {
            then,
            state: RunState::Failed.to_string(),
            reason: Some(reason),
            folder: None,
        };
        let result = match self.begin(&item, &task, cut).await {
            Ok(entry) => self.perform(entry, attempt, &item, &task, cut).await,
            Err(NotBegun::Never(reason)) => failed(Then::Stays(ItemState::Failed), reason),
            Err(NotBegun::Failed(reason)) => failed(Then::Failed, reason),
            Err(NotBegun::DoneAlready(folder)) => AttemptResult {
                then: Then::Stays(ItemState::Done),
                state: RunState::Done.to_string(),
                reason: None,
                folder: Some(folder),
            },
            Err(NotBegun::Held(reason)) => {
                self.cancel(number, attempt, ItemState::Held, reason.clone()).await?;
                self.observer.ended(&item, ItemState::Held, Some(&reason), None);
                return Ok(AttemptOutcome::Again);
            }
            Err(NotBegun::Later(reason)) => {
                self.cancel(number, attempt, ItemState::Queued, reason).await?;
                return Ok(AttemptOutcome::Again);
            }
            Err(NotBegun::ByHand) => {
                self.cancel(number, attempt, ItemState::Queued, CUT.to_owned()).await?;
                return Ok(AttemptOutcome::Enough(CUT.to_owned()));
            }
        };
        self.conclude(&item, &task, attempt, result).await
    }

    /// Waits for the end of a run that has begun.
    async fn perform(
        &mut self,
        entry: BegunRun,
        attempt: u32,
        item: &ItemRow,
        task: &Task,
        cut: &mut Cut,
    ) -> AttemptResult {
        let run = Arc::clone(&entry.run);
        self.keep_begun(item.number, attempt, &entry).await;
        let (state, cause) = self.see_through(entry, item, task, cut).await;
        judge(state, cause, &run, item, task, self.queue.window().deadline)
    }

    /// Removes an attempt that does not count, and gives its item this state.
    async fn cancel(
        &self,
        number: u32,
        attempt: u32,
        state: ItemState,
        reason: String,
    ) -> Result<(), QueueError> {
        self.queue
            .changing(move |catalogue, batch| {
                catalogue.cancel_attempt(batch, number, attempt, (state, &reason))
            })
            .await
    }

    /// Enters the end of an attempt into the catalogue.
    async fn conclude(
        &self,
        item: &ItemRow,
        task: &Task,
        attempt: u32,
        result: AttemptResult,
    ) -> Result<AttemptOutcome, QueueError> {
        let number = item.number;
        let retry = task.retry.filter(|retry| item.retries < retry.times);
        let (state, again) = match (result.then, retry) {
            (Then::Stays(state), _) => (state, None),
            (Then::Failed, None) => (ItemState::Failed, None),
            (Then::Failed, Some(retry)) => {
                let pause = retry.backoff_s.map_or(0.0, |pause| pause.get());
                (ItemState::Queued, Some(Utc::now() + span(pause)))
            }
        };
        let ending = AttemptEnd { state, attempt: result.state, reason: result.reason.clone(), again };
        self.queue
            .changing(move |catalogue, batch| {
                catalogue.end_attempt(batch, number, attempt, &ending, Utc::now())
            })
            .await?;
        self.observer.ended(item, state, result.reason.as_deref(), result.folder.as_deref());
        let stops_batch = task.on_failure == OnFailure::Stop;
        Ok(match state {
            ItemState::Done => AttemptOutcome::Done,
            ItemState::Failed => AttemptOutcome::Failed(
                stops_batch.then(|| format!("item {number} has failed, and its `on_failure` is `stop`")),
            ),
            ItemState::Held => AttemptOutcome::Enough(format!("a person stopped item {number}")),
            ItemState::Queued | ItemState::Running | ItemState::Removed | ItemState::Skipped => {
                AttemptOutcome::Again
            }
        })
    }

    /// Records the run of the attempt. If this fails, the run continues, because its own metadata names the item.
    async fn keep_begun(&self, number: u32, attempt: u32, entry: &BegunRun) {
        let (run, folder) = (entry.run.id().to_owned(), name_of(entry.run.folder()));
        let kept = self.queue.changing(move |catalogue, batch| {
            catalogue.set_attempt_run(batch, number, attempt, &run, &folder)
        });
        if let Err(error) = kept.await {
            tracing::error!(item = number, "{}", crate::error::chain(&error));
        }
        self.observer.begun(entry);
    }

    /// Waits for the end of the run, and stops it at its time limit.
    async fn see_through(
        &mut self,
        entry: BegunRun,
        item: &ItemRow,
        task: &Task,
        cut: &mut Cut,
    ) -> (Result<RunState, Fault>, Option<Cause>) {
        let control = entry.run.control().clone();
        let (deadline, own) = (self.queue.window().deadline, item.deadline);
        let mut command = self.command.clone();
        let queue = Arc::clone(&self.queue);
        let mut ended = Box::pin(entry.ended());
        let limit = task.timeout_s.map(|limit| limit.get());
        let (why, reason) = tokio::select! {
            ended = &mut ended => {
                // The run may already have been stopped together with the worker.
                let asked = matches!(&*self.command.borrow(), WorkerCommand::Stop(_));
                return (ended, asked.then_some(Cause::Command));
            }
            () = patience::seconds(limit) => {
                (Cause::Timeout, format!("not finished after {} s", limit.unwrap_or_default()))
            }
            () = patience::until(deadline) => (Cause::BatchDeadline, "the batch's deadline".to_owned()),
            // An emergency stop ends an active run directly; a run that is just starting ends here.
            () = cut.wanted() => (Cause::ByHand, CUT.to_owned()),
            () = patience::until(own) => (Cause::OwnDeadline, "the item's deadline".to_owned()),
            reason = queue.withdrawn(item.number) => (Cause::Withdrawn, reason),
            asked = command.wait_for(|command| matches!(command, WorkerCommand::Stop(_))) => {
                let reason = match asked.as_deref() {
                    Ok(WorkerCommand::Stop(reason)) => reason.clone(),
                    _ => "the program is shutting down".to_owned(),
                };
                (Cause::Command, reason)
            }
        };
        if why == Cause::ByHand {
            control.stop_now(reason);
        } else {
            control.stop(reason);
        }
        (ended.await, Some(why))
    }
}

/// The consequence of a run's end for its item.
fn judge(
    state: Result<RunState, Fault>,
    cause: Option<Cause>,
    run: &LiveRun,
    item: &ItemRow,
    task: &Task,
    deadline: Option<DateTime<Utc>>,
) -> AttemptResult {
    let reason = run.status().reason;
    let at = |time: Option<DateTime<Utc>>| time.map(clock).unwrap_or_default();
    let (then, ended, reason) = match (state, cause) {
        (Ok(RunState::Done), _) => (Then::Stays(ItemState::Done), RunState::Done, None),
        (Ok(RunState::Aborted), Some(Cause::Timeout)) => {
            let limit = task.timeout_s.map_or(0.0, |limit| limit.get());
            (Then::Failed, RunState::Failed, Some(format!("stopped: not finished after {limit} s")))
        }
        (Ok(RunState::Aborted), Some(Cause::BatchDeadline)) => {
            let reason = format!("stopped at the batch's deadline {}", at(deadline));
            (Then::Stays(ItemState::Queued), RunState::Aborted, Some(reason))
        }
        (Ok(RunState::Aborted), Some(Cause::OwnDeadline)) => {
            let reason = format!("stopped at its deadline {}", at(item.deadline));
            (Then::Stays(ItemState::Failed), RunState::Failed, Some(reason))
        }
        (Ok(RunState::Aborted), Some(Cause::Command)) => {
            (Then::Stays(ItemState::Queued), RunState::Aborted, reason)
        }
        (state, Some(Cause::Withdrawn)) => {
            let ended = state.unwrap_or(RunState::Interrupted);
            (Then::Stays(ItemState::Removed), ended, reason)
        }
        (Ok(RunState::Aborted), None | Some(Cause::ByHand)) => {
            (Then::Stays(ItemState::Held), RunState::Aborted, reason)
        }
        (Ok(state), _) => (Then::Failed, state, reason),
        (Err(fault), _) => (Then::Failed, RunState::Interrupted, Some(fault.to_string())),
    };
    AttemptResult { then, state: ended.to_string(), reason, folder: Some(run.folder().to_owned()) }
}

pub(super) fn name_of(folder: &Path) -> String {
    folder.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
