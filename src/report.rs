//! The morning report: what became of a run or a batch, on one page for people (`report.html`) and as JSON for programs
//! (`summary.json`). [`fold`] makes a [`Report`] of a run's manifest and events and touches nothing; the page and the
//! summary say what the report says and decide nothing. Neither grows with the run beyond a few megabytes.

mod batch;
mod fold;
mod notice;
mod page;
mod picture;
mod places;
pub mod summary;
#[cfg(test)]
mod tests;
mod value;
mod words;

use std::path::{Path, PathBuf};

pub use batch::{BatchCounts, BatchItem, BatchReport, ITEMS, ItemRun, PICTURES, PICTURES_OF_ITEM, RUNS};
pub use fold::fold;
pub use notice::{Ended, notice};
pub use page::{Links, batch_page, page};
pub use picture::Picture;
pub use value::{
    About, Consequence, Counts, FaultLine, Holds, KindTime, LasersEnd, LinkLoss, Missing, More, PlaceLine,
    Power, PromptLine, Report, TraceLine, Warning, Why,
};
pub use words::shell_word;

use crate::store::{self, FoundRun, StoreError, envelope, open_trace};

/// Pieces of a picture: one for each of its pixels.
const PIECES: u64 = 240;

/// The report of a run that was found, from its manifest and its journal.
///
/// # Errors
/// When the journal cannot be opened.
pub fn read(run: &FoundRun) -> Result<Report, StoreError> {
    // As absolute path, so that the command that finishes the run works wherever it is pasted.
    let folder = std::path::absolute(&run.folder).unwrap_or_else(|_| run.folder.clone());
    let folder: PathBuf = folder.components().collect();
    let records = store::read_run_journal(&run.folder)?;
    Ok(fold(&run.manifest, &folder.to_string_lossy(), records))
}

/// Writes the report of a run into its folder, in place of an earlier one. Gives it, and the page's path.
///
/// # Errors
/// When the journal cannot be opened or the files cannot be written.
pub fn write(run: &FoundRun) -> Result<(Report, PathBuf), StoreError> {
    let report = read(run)?;
    let page = page(&report, &|trace| draw(&run.folder, trace));
    let path = store::write_report(&run.folder, &page, &summary::json(&report))?;
    Ok((report, path))
}

/// Writes the report of the run in a folder, and gives it.
///
/// # Errors
/// See [`write()`]; and when the manifest cannot be read.
pub fn write_for(folder: &Path) -> Result<Report, StoreError> {
    write(&store::runs::open(folder)?).map(|(report, _)| report)
}

/// The picture of a trace of the run in a folder.
#[must_use]
pub fn draw(folder: &Path, line: &TraceLine) -> Picture {
    let grid = line.trace.grid;
    let drawn = open_trace(folder, &line.trace)
        .map_err(Into::into)
        .and_then(|file| envelope(&file, grid.start_nm, grid.stop_nm(), PIECES));
    drawn.map_or_else(|fault| Picture::Unreadable(fault.message), |(envelope, _)| Picture::Drawn(envelope))
}
