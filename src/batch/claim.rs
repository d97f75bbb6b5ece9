//! The owner of a queue, and the items of a queue whose process has ended.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use chrono::Utc;

use super::queue_error::QueueError;
use super::task::Task;
use crate::catalogue::{AttemptEnd, BATCH, Catalogue, ItemRow, ItemState, ItemUpdate, UnrecordedEnd};
use crate::error::chain;
use crate::files;
use crate::store::{RunState, runs};

/// Updates the queue of a batch from its run folders. Items that were running when the previous process ended are
/// held for a person, unless they may resume automatically. Returns the number of these items. Blocks.
pub(super) fn recover(catalogue: &Catalogue, out: &Path, batch: &str) -> Result<usize, QueueError> {
    let mut found = match runs::list(out) {
        Ok((found, _)) => found,
        Err(error) => {
            tracing::warn!(reason = chain(&error), "the run folders of the batch cannot be read");
            Vec::new()
        }
    };
    found.retain(|run| run.manifest.metadata.get(BATCH).and_then(|name| name.as_str()) == Some(batch));
    let mut recovered = catalogue.adopt(batch, &found, &noted)?.len();
    for item in catalogue.items(batch)?.iter().filter(|item| item.state == ItemState::Running) {
        let run = item.runs.last().filter(|_| item.unfinished.is_some());
        let ending = match run {
            Some((run, folder)) if runs::has_manifest(&out.join(folder)) => {
                let noted = noted(&UnrecordedEnd {
                    payload: item.payload.clone(),
                    retries: item.retries,
                    run: run.clone(),
                    status: RunState::Interrupted.to_string(),
                    reason: None,
                });
                AttemptEnd {
                    state: noted.state,
                    attempt: "interrupted".to_owned(),
                    reason: noted.reason,
                    again: None,
                }
            }
            // Nothing was measured, so the item starts as a new run.
            _ => {
                let reason = "the program ended before its run had started".to_owned();
                catalogue.cancel_attempt(batch, item.number, item.attempts, (ItemState::Queued, &reason))?;
                recovered += 1;
                continue;
            }
        };
        catalogue.end_attempt(batch, item.number, item.attempts, &ending, Utc::now())?;
        recovered += 1;
    }
    Ok(recovered)
}

/// The items of a batch from the catalogue and the run folders, without changing them. Blocks.
///
/// # Errors
/// If the database in memory fails.
pub fn known_items(batch: &str, out: &Path) -> Result<Vec<ItemRow>, QueueError> {
    let catalogue = Catalogue::snapshot(out, batch)?;
    recover(&catalogue, out, batch)?;
    Ok(catalogue.items(batch)?)
}

/// The new state of an item whose run has ended or was interrupted without a record in the catalogue.
fn noted(item: &UnrecordedEnd) -> ItemUpdate {
    let task: Task = serde_json::from_value(item.payload.clone()).unwrap_or_default();
    if item.status == RunState::Failed.to_string() {
        let repeats = task.retry.is_some_and(|retry| item.retries < retry.times);
        let state = if repeats { ItemState::Queued } else { ItemState::Failed };
        return ItemUpdate { state, reason: item.reason.clone(), repeats };
    }
    let state = if task.auto_resume { ItemState::Queued } else { ItemState::Held };
    let reason = match &item.reason {
        Some(reason) => format!("its run {} was {}: {reason}", item.run, item.status),
        None => {
            format!("its run {} was interrupted: the program or the computer ended during the run", item.run)
        }
    };
    ItemUpdate { state, reason: Some(reason), repeats: false }
}

/// Claims a batch for this process.
pub(super) fn claim(out: &Path, batch: &str) -> Result<File, QueueError> {
    let path = out.join(format!("batch-{batch}.lock"));
    let failed = |source| QueueError::Claim { path: path.clone(), source };
    std::fs::create_dir_all(out).map_err(failed)?;
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(false);
    let mut file = files::open_own(&path, &mut options).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // The owner is named only if it can be read.
            let _ = (&file).take(64).read_to_string(&mut owner);
            return Err(QueueError::Taken { batch: batch.to_owned(), owner: owner.trim().to_owned() });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
    Ok(file)
}
