//! What is kept of a run beside its files: its row in the catalogue and its report. A run is what it is, with or without
//! them.

use std::path::{Path, PathBuf};

use tokio::task::spawn_blocking;

use crate::catalogue::{Catalogue, RunRow};
use crate::error::chain;
use crate::report::Report;
use crate::store::runs;

/// Keeps in the catalogue how the run in this folder stands.
pub(super) async fn list_run(folder: PathBuf) {
    let listed = spawn_blocking(move || put_row(&folder)).await;
    if let Some(reason) = listed.unwrap_or_else(|panic| Err(panic.to_string())).err() {
        tracing::warn!(
            reason,
            "the catalogue does not know how this run stands; `ctp10 runs reindex` tells it"
        );
    }
}

fn put_row(folder: &Path) -> Result<(), String> {
    let found = runs::open(folder).map_err(|error| chain(&error))?;
    let out = folder.parent().unwrap_or(Path::new("."));
    let kept = Catalogue::open(out).and_then(|catalogue| catalogue.put_run(&RunRow::from(&found)));
    kept.map_err(|error| chain(&error))
}

/// Writes the run's report, and gives it.
pub(super) async fn leave_report(folder: PathBuf) -> Option<Report> {
    let written = spawn_blocking(move || crate::report::write_for(&folder)).await;
    let reason = match written {
        Ok(Ok(report)) => return Some(report),
        Ok(Err(error)) => chain(&error),
        Err(panic) => panic.to_string(),
    };
    tracing::warn!(reason, "the run's report could not be written; `ctp10 runs report` tries again");
    None
}
