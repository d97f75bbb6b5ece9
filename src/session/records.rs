//! The entry of a run in the catalogue, and its report. If they cannot be written, the result of the run is the same.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::catalogue::Catalogue;
use crate::error::chain;
use crate::report::Report;
use crate::store::runs::{self, FoundRun};
use crate::threads;

/// How long a run waits for the catalogue. The next run must not be delayed by it.
const PATIENCE: Duration = Duration::from_secs(1);

/// Runs that could not be entered in the catalogue yet.
#[derive(Debug, Default)]
pub(super) struct Unlisted(Mutex<BTreeSet<PathBuf>>);

impl Unlisted {
    fn folders(&self) -> MutexGuard<'_, BTreeSet<PathBuf>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Enters the state of the run in this folder into the catalogue, and of earlier runs that could not be entered.
pub(super) async fn list_run(unlisted: Arc<Unlisted>, folder: PathBuf) {
    let listed = threads::begin("catalogue", move || {
        unlisted.folders().insert(folder);
        let wanted: Vec<PathBuf> = unlisted.folders().iter().cloned().collect();
        for folder in wanted {
            match runs::open(&folder) {
                Ok(found) => put_row(&found)?,
                // The run cannot be read, now or later.
                Err(error) => tracing::warn!(reason = chain(&error), "a run is not in the catalogue"),
            }
            unlisted.folders().remove(&folder);
        }
        Ok(())
    });
    if let Some(reason) = listed.await.unwrap_or_else(|panic| Err(panic.to_string())).err() {
        tracing::warn!(
            reason,
            "the catalogue is missing the state of this run; the next run tries again, or use `ctp10 runs reindex`"
        );
    }
}

fn put_row(found: &FoundRun) -> Result<(), String> {
    let out = found.folder.parent().unwrap_or(Path::new("."));
    let catalogue = Catalogue::open_within(out, PATIENCE);
    let kept = catalogue.and_then(|catalogue| catalogue.put_run(found));
    kept.map_err(|error| chain(&error))
}

/// Writes the report of the run and returns it.
pub(super) async fn leave_report(folder: PathBuf) -> Option<Report> {
    let written = threads::begin("report", move || crate::report::write_for(&folder)).await;
    let reason = match written {
        Ok(Ok(report)) => return Some(report),
        Ok(Err(error)) => chain(&error),
        Err(panic) => panic.to_string(),
    };
    tracing::warn!(reason, "the report of the run could not be written; `ctp10 runs report` tries again");
    None
}
