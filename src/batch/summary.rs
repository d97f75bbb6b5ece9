//! The state of a batch; written as JSON beside its runs, `batch-<name>.json`.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::task::Task;
use crate::analysis::verdict::{Verdict, worst};
use crate::catalogue::{ItemRow, ItemState};
use crate::report::BatchCounts;
use crate::store::runs::open;

/// An item in the summary.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SummaryItem {
    /// Its number.
    pub number: u32,
    /// Its state.
    pub state: ItemState,
    /// The reason for the state, if there is one.
    pub reason: Option<String>,
    /// Number of attempts.
    pub attempts: u32,
    /// Number of attempts that repeated a failed one.
    pub retries: u32,
    /// Estimated time, s.
    pub estimated_s: Option<f64>,
    /// Its run folders, in order.
    pub folders: Vec<String>,
    /// The verdict of its last run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The instruments that did not confirm at the end of its last run that they are safe.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub instruments_unknown: Vec<String>,
    /// The recipe with its values.
    #[serde(flatten)]
    pub task: Task,
}

/// The state of a batch as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BatchState {
    /// Every item is done.
    Done,
    /// At least one item failed, is held or was skipped.
    Failed,
    /// At least one item was not reached, and none has failed.
    Unfinished,
    /// A run is active.
    Running,
}

impl BatchState {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Unfinished => "unfinished",
            Self::Running => "running",
        }
    }
}

/// The state of a batch.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The batch.
    pub batch: String,
    /// Its file.
    pub file: Option<String>,
    /// The state as a whole.
    pub state: BatchState,
    /// The worst verdict of its items.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The time of this summary, UTC.
    pub written: DateTime<Utc>,
    /// The reason of the end, if not all items are done.
    pub reason: Option<String>,
    /// The numbers of items.
    #[serde(flatten)]
    pub counts: BatchCounts,
    /// The command that continues with the items that are not done.
    pub go_on: Option<String>,
    /// The items one by one.
    pub list: Vec<SummaryItem>,
}

impl Summary {
    /// Creates the summary. `command`, if there is one, continues with the queued items; with ` --release` also with
    /// the items that failed or are held.
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
                verdict: None,
                instruments_unknown: Vec::new(),
                folders: item.runs.iter().map(|(_, folder)| folder.clone()).collect(),
                task: serde_json::from_value(item.payload.clone()).unwrap_or_default(),
            })
            .collect();
        let count = |state| list.iter().filter(|item| item.state == state).count();
        let counts = BatchCounts {
            items: list.len(),
            done: count(ItemState::Done),
            failed: count(ItemState::Failed),
            retried: list.iter().filter(|item| item.retries > 0).count(),
            skipped: count(ItemState::Skipped),
            held: count(ItemState::Held),
            running: count(ItemState::Running),
            queued: count(ItemState::Queued),
        };
        let wrong = counts.failed + counts.held + counts.skipped;
        let state = match () {
            () if counts.running > 0 => BatchState::Running,
            () if counts.done == counts.items => BatchState::Done,
            () if wrong > 0 => BatchState::Failed,
            () => BatchState::Unfinished,
        };
        let go_on = match (counts.queued, wrong) {
            (0, 0) => None,
            (_, 0) => command.map(str::to_owned),
            _ => command.map(|command| format!("{command} --release")),
        };
        Self {
            batch: batch.to_owned(),
            file: file.map(str::to_owned),
            state,
            verdict: None,
            written: Utc::now(),
            reason,
            counts,
            go_on,
            list,
        }
    }

    /// The summary with the verdicts of the runs in `out`, and with the instruments that may not be safe. Only the last run of an item counts. Blocks.
    #[must_use]
    pub fn with_verdicts(mut self, out: &Path) -> Self {
        for item in &mut self.list {
            let last = item.folders.last().and_then(|folder| open(&out.join(folder)).ok());
            let Some(manifest) = last.map(|run| run.manifest) else { continue };
            item.verdict = manifest.verdict;
            item.instruments_unknown = manifest.instruments_unknown;
        }
        self.verdict = worst(self.list.iter().filter_map(|item| item.verdict));
        self
    }

    /// The numbers of items, for people: `3 done, 1 failed of 4 items (1 repeated)`.
    #[must_use]
    pub fn tally(&self) -> String {
        let BatchCounts { items, done, failed, retried, skipped, held, running, queued } = self.counts;
        let counts = [
            (done, "done"),
            (failed, "failed"),
            (skipped, "skipped"),
            (held, "held"),
            (running, "active"),
            (queued, "not reached"),
        ];
        let counted = counts.iter().filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counted.map(|(count, word)| format!("{count} {word}")).collect();
        let retried = if retried > 0 { format!(" ({retried} repeated)") } else { String::new() };
        format!("{} of {items} items{retried}", counts.join(", "))
    }

    /// Whether everything is done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.counts.done == self.counts.items
    }
}
