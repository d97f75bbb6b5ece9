//! Deletes local copies of uploaded runs (`keep_local`).

use chrono::{TimeDelta, Utc};
use std::collections::BTreeMap;
use std::path::Path;

use super::backlog::is_stored;
use super::{Objects, Receipt, RemoteError};
use crate::store::runs::{self, FoundRun};
use crate::store::{RunFolder, run_files};
use crate::threads;

/// Deletes the runs below a folder whose upload is older than `days`. Before that, the list of their objects in the store is
/// compared with the local files once more. Returns the number of deleted runs.
///
/// # Errors
/// If the store or the folder cannot be read.
pub(super) async fn clean(objects: &Objects, out: &Path, days: f64) -> Result<u64, RemoteError> {
    let (place, store) = (out.to_owned(), objects.address().to_string());
    let found = threads::begin("keep_local", move || due(&place, &store, days)).await;
    let due = found.map_err(|error| RemoteError::Disk(error.to_string()))??;
    let mut deleted = 0;
    for (run, receipt) in due {
        if let Some(difference) = difference(objects, &run, &receipt).await? {
            tracing::warn!(
                "the local copy of run {} stays, because the store does not match it: {difference}",
                run.manifest.run
            );
            continue;
        }
        let removed = threads::begin("keep_local", move || RunFolder::reopen(&run)?.delete()).await;
        match removed.map_err(|error| RemoteError::Disk(error.to_string()))? {
            Ok(()) => deleted += 1,
            Err(error) => tracing::warn!("{}", crate::error::chain(&error)),
        }
    }
    Ok(deleted)
}

/// The uploaded runs whose time is over.
fn due(out: &Path, store: &str, days: f64) -> Result<Vec<(FoundRun, Receipt)>, RemoteError> {
    crate::store::delete_leftovers(out);
    let age = TimeDelta::milliseconds((days * 86_400_000.0) as i64);
    let mut due = Vec::new();
    for folder in runs::folders(out)?.into_iter().map(|name| out.join(name)) {
        let receipt = Receipt::read(&folder).filter(|receipt| receipt.stored + age <= Utc::now());
        let (Some(receipt), Ok(run)) = (receipt, runs::open(&folder)) else { continue };
        if is_stored(&run, store) {
            due.push((run, receipt));
        }
    }
    Ok(due)
}

/// What the store lacks of a run; `None` if the store has every file with its size, and the index.
async fn difference(
    objects: &Objects,
    run: &FoundRun,
    receipt: &Receipt,
) -> Result<Option<String>, RemoteError> {
    let listed = objects.list(&receipt.place).await?;
    let there: BTreeMap<&str, u64> =
        listed.iter().map(|object| (object.name.as_str(), object.bytes)).collect();
    let local = run_files(&run.folder).map_err(|error| RemoteError::Disk(error.to_string()))?;
    for file in local {
        let name = format!("{}/{}", receipt.place, file.file);
        match there.get(name.as_str()) {
            None => return Ok(Some(format!("`{name}` is missing"))),
            // A report can be written again at any time.
            Some(bytes) if *bytes != file.bytes && !is_report(&file.file) => {
                return Ok(Some(format!("`{name}` has {bytes} bytes instead of {}", file.bytes)));
            }
            Some(_) => {}
        }
    }
    match objects.sha256(&receipt.index).await? {
        Some(_) => Ok(None),
        None => Ok(Some(format!("`{}` is missing", receipt.index))),
    }
}

fn is_report(file: &str) -> bool {
    [crate::store::REPORT_FILE, crate::store::SUMMARY_FILE].contains(&file)
}
