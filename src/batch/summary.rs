//! How a batch stands; written as JSON beside its runs, `batch-<name>.json`.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::expand::Task;
use crate::catalogue::{ItemRow, ItemState};

/// An item in the summary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SummaryItem {
    /// Its number.
    pub number: u32,
    /// Its state.
    pub state: ItemState,
    /// Why, when that needs a reason.
    pub reason: Option<String>,
    /// How often it was begun.
    pub attempts: u32,
    /// How many of these repeated one that had failed.
    pub retries: u32,
    /// Time foreseen, s.
    pub estimated_s: Option<f64>,
    /// Its run folders, in order.
    pub folders: Vec<String>,
    /// The recipe with its values.
    #[serde(flatten)]
    pub task: Task,
}

/// How a batch stands as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchState {
    /// Every item is done.
    Done,
    /// Something failed, is held or was skipped.
    Failed,
    /// Something was not reached, and nothing has failed.
    Unfinished,
    /// A run is under way.
    Running,
}

impl BatchState {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unfinished => "unfinished",
            Self::Running => "running",
        }
    }
}

/// How a batch stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The batch.
    pub batch: String,
    /// Its file.
    pub file: Option<String>,
    /// How it stands as a whole.
    pub state: BatchState,
    /// When this was written, UTC.
    pub written: DateTime<Utc>,
    /// Why it is over, where something is not done.
    pub reason: Option<String>,
    /// Items in all; those that were removed are not among them.
    pub items: usize,
    /// Items that are done.
    pub done: usize,
    /// Items that have failed.
    pub failed: usize,
    /// Items that were begun more than once.
    pub retried: usize,
    /// Items that their own deadline has passed.
    pub skipped: usize,
    /// Items that wait for a person.
    pub held: usize,
    /// Items whose run is under way.
    pub running: usize,
    /// Items that were not reached.
    pub queued: usize,
    /// The command that goes on with what is not done.
    pub go_on: Option<String>,
    /// The items one by one.
    pub list: Vec<SummaryItem>,
}

impl Summary {
    /// Sums up. `command`, where there is one, goes on with what is queued; with ` --release`, also with what failed or is held.
    #[must_use]
    pub fn new(
        batch: &str,
        file: Option<&str>,
        reason: Option<String>,
        items: &[ItemRow],
        command: Option<&str>,
    ) -> Self {
        let list: Vec<SummaryItem> = items
            .iter()
            .filter(|item| item.state != ItemState::Removed)
            .map(|item| SummaryItem {
                number: item.number,
                state: item.state,
                reason: item.reason.clone(),
                attempts: item.attempts,
                retries: item.retries,
                estimated_s: item.estimated_s,
                folders: item.runs.iter().map(|(_, folder)| folder.clone()).collect(),
                task: serde_json::from_value(item.payload.clone()).unwrap_or_default(),
            })
            .collect();
        let count = |state| list.iter().filter(|item| item.state == state).count();
        let (failed, skipped) = (count(ItemState::Failed), count(ItemState::Skipped));
        let (held, queued) = (count(ItemState::Held), count(ItemState::Queued));
        let (done, running) = (count(ItemState::Done), count(ItemState::Running));
        let state = match () {
            () if running > 0 => BatchState::Running,
            () if done == list.len() => BatchState::Done,
            () if failed + held + skipped > 0 => BatchState::Failed,
            () => BatchState::Unfinished,
        };
        let go_on = match (queued, failed + held + skipped) {
            (0, 0) => None,
            (_, 0) => command.map(str::to_owned),
            _ => command.map(|command| format!("{command} --release")),
        };
        Self {
            batch: batch.to_owned(),
            file: file.map(str::to_owned),
            state,
            written: Utc::now(),
            reason,
            items: list.len(),
            done,
            failed,
            retried: list.iter().filter(|item| item.retries > 0).count(),
            skipped,
            held,
            running,
            queued,
            go_on,
            list,
        }
    }

    /// The batch in numbers, as people say it: `3 done, 1 failed of 4 items (1 repeated)`.
    #[must_use]
    pub fn tally(&self) -> String {
        let counts = [
            (self.done, "done"),
            (self.failed, "failed"),
            (self.skipped, "skipped"),
            (self.held, "held"),
            (self.running, "under way"),
            (self.queued, "not reached"),
        ];
        let counted = counts.iter().filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counted.map(|(count, word)| format!("{count} {word}")).collect();
        let retried = if self.retried > 0 { format!(" ({} repeated)", self.retried) } else { String::new() };
        format!("{} of {} items{retried}", counts.join(", "), self.items)
    }

    /// Whether everything is done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done == self.items
    }
}
