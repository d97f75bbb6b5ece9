//! The report of a run or a batch: a page for people (`report.html`), and JSON for programs (`summary.json`).
//! [`fold`] computes a [`Report`] from the manifest and the events of a run, without side effects. The page and the
//! summary show the report and make no decisions. Their size is bounded to a few megabytes.

mod batch;
mod fold;
mod format;
mod notice;
mod page;
mod picture;
mod places;
pub mod summary;
#[cfg(test)]
mod tests;
mod value;

use std::path::{Path, PathBuf};

pub use batch::{BatchCounts, BatchItem, BatchReport, ITEMS, ItemRun, PICTURES, PICTURES_OF_ITEM, RUNS};
pub use fold::fold;
pub use format::shell_word;
pub use notice::{Ended, notice};
pub use page::{Links, batch_page, page};
pub use picture::Picture;
pub use value::{
    About, Consequence, Counts, FaultLine, Holds, KindTime, LasersEnd, LinkLoss, Missing, More, PlaceLine,
    Power, PromptLine, Report, TraceLine, Warning, Why,
};

use crate::store::{self, FoundRun, StoreError, envelope, open_trace};

/// Number of pieces of a picture: one per pixel.
const PIECES: u64 = 240;

/// Computes the report of a run from its manifest and its journal.
///
/// # Errors
/// If the journal cannot be opened.
pub fn read(run: &FoundRun) -> Result<Report, StoreError> {
    // An absolute path, so that the command that finishes the run works in every folder.
    let folder = std::path::absolute(&run.folder).unwrap_or_else(|_| run.folder.clone());
    let folder: PathBuf = folder.components().collect();
    let records = store::read_run_journal(&run.folder)?;
    Ok(fold(&run.manifest, &folder.to_string_lossy(), records))
}

/// Writes the report of a run into its folder, and replaces an earlier one. Returns the report and the path of the
/// page.
///
/// # Errors
/// If the journal cannot be opened, or a file cannot be written.
pub fn write(run: &FoundRun) -> Result<(Report, PathBuf), StoreError> {
    let report = read(run)?;
    let page = page(&report, &|trace| draw(&run.folder, trace));
    let path = store::write_report(&run.folder, &page, &summary::json(&report))?;
    Ok((report, path))
}

/// Writes and returns the report of the run in a folder.
///
/// # Errors
/// See [`write()`]. Also if the manifest cannot be read.
pub fn write_for(folder: &Path) -> Result<Report, StoreError> {
    write(&store::runs::open(folder)?).map(|(report, _)| report)
}

/// Draws a trace of the run in a folder.
#[must_use]
pub fn draw(folder: &Path, line: &TraceLine) -> Picture {
    let grid = line.trace.grid;
    let drawn = open_trace(folder, &line.trace)
        .map_err(Into::into)
        .and_then(|file| envelope(&file, grid.start_nm, grid.stop_nm(), PIECES));
    drawn.map_or_else(|fault| Picture::Unreadable(fault.message), |(envelope, _)| Picture::Drawn(envelope))
}
