//! Whose a queue is, and what is found in one whose process has ended.

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::Path;

use chrono::Utc;

use super::expand::Task;
use super::queue::QueueError;
use crate::catalogue::{Catalogue, Ending, ItemRow, ItemState};

/// An item that was under way when its process ended.
pub(super) fn recover(catalogue: &Catalogue, batch: &str, item: &ItemRow) -> Result<(), QueueError> {
    let task: Task = serde_json::from_value(item.payload.clone()).unwrap_or_default();
    let run = item.runs.last().filter(|_| item.unfinished.is_some());
    let name = run.map_or_else(|| "it".to_owned(), |(run, _)| format!("its run {run}"));
    let reason = format!("{name} was cut off: the program, or the computer, ended during it");
    let state = if task.auto_resume { ItemState::Queued } else { ItemState::Held };
    let ending = Ending { state, attempt: "interrupted".to_owned(), reason: Some(reason), again: None };
    Ok(catalogue.ended(batch, item.number, item.attempts, &ending, Utc::now())?)
}

/// Marks a batch as this process's.
pub(super) fn claim(out: &Path, batch: &str) -> Result<File, QueueError> {
    let path = out.join(format!("batch-{batch}.lock"));
    let failed = |source| QueueError::Claim { path: path.clone(), source };
    let mut file =
        File::options().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            // Who it is, is worth telling only where it can be read.
            let _ = file.read_to_string(&mut owner);
            return Err(QueueError::Taken { batch: batch.to_owned(), owner: owner.trim().to_owned() });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    file.set_len(0).and_then(|()| writeln!(file, "{}", std::process::id())).map_err(failed)?;
    Ok(file)
}
