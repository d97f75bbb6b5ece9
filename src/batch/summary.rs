//! How a batch stands, as one JSON file beside its runs: `batch-<name>.json`.

use std::io::Write;
use std::path::{Path, PathBuf};

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
    /// Its run folders, in order.
    pub folders: Vec<String>,
    /// The recipe with its values.
    #[serde(flatten)]
    pub task: Task,
}

/// How a batch stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// The batch.
    pub batch: String,
    /// Its file.
    pub file: Option<String>,
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
    /// Items that were not reached.
    pub queued: usize,
    /// The command that goes on with what is not done.
    pub go_on: Option<String>,
    /// The items one by one.
    pub list: Vec<SummaryItem>,
}

impl Summary {
    /// Sums up. `command` goes on with what is queued; with ` --release`, also with what failed or is held.
    #[must_use]
    pub fn new(
        batch: &str,
        file: Option<&str>,
        reason: Option<String>,
        items: &[ItemRow],
        command: &str,
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
                folders: item.runs.iter().map(|(_, folder)| folder.clone()).collect(),
                task: serde_json::from_value(item.payload.clone()).unwrap_or_default(),
            })
            .collect();
        let count = |state| list.iter().filter(|item| item.state == state).count();
        let (failed, skipped) = (count(ItemState::Failed), count(ItemState::Skipped));
        let (held, queued) = (count(ItemState::Held), count(ItemState::Queued));
        let go_on = match (queued, failed + held + skipped) {
            (0, 0) => None,
            (_, 0) => Some(command.to_owned()),
            _ => Some(format!("{command} --release")),
        };
        Self {
            batch: batch.to_owned(),
            file: file.map(str::to_owned),
            written: Utc::now(),
            reason,
            items: list.len(),
            done: count(ItemState::Done),
            failed,
            retried: list.iter().filter(|item| item.retries > 0).count(),
            skipped,
            held,
            queued,
            go_on,
            list,
        }
    }

    /// Whether everything is done.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.done == self.items
    }

    /// Writes it beside the runs: whole, or not at all. Gives the file.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, out: &Path) -> std::io::Result<PathBuf> {
        let path = out.join(format!("batch-{}.json", self.batch));
        let part = path.with_extension("json.part");
        let mut file = std::fs::File::create(&part)?;
        serde_json::to_writer_pretty(&mut file, self)?;
        writeln!(file)?;
        file.sync_all()?;
        std::fs::rename(&part, &path)?;
        Ok(path)
    }
}
