//! Lists runs and finds single runs.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::manifest::{self, Manifest, RunState};
use super::{JOURNAL_FILE, StoreError, is_claimed};
use crate::files;

mod find;
mod named;

pub use find::{LAST, find, find_name, find_named, original_folder, recipes};
use named::Named;
pub use named::TIME as FOLDER_TIME;

pub use super::stored::{power, traces};
pub use super::verify::{Finding, Verified, is_whole, verify};

/// A run that was found.
#[derive(Debug, Clone, Serialize)]
pub struct FoundRun {
    /// The run folder.
    #[serde(serialize_with = "shown")]
    pub folder: PathBuf,
    /// The manifest. Its status is corrected if the process of the run has ended.
    pub manifest: Manifest,
}

/// A folder among the runs that cannot be read as a run.
#[derive(Debug, Clone, Serialize)]
pub struct Unreadable {
    /// The folder.
    #[serde(serialize_with = "shown")]
    pub folder: PathBuf,
    /// The reason.
    pub reason: String,
}

/// A path for display; its name need not be UTF-8.
fn shown<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// All runs below a folder, newest first, and the folders that could not be read.
///
/// # Errors
/// If the folder itself cannot be read. A folder that does not exist contains no runs.
pub fn list(out: &Path) -> Result<(Vec<FoundRun>, Vec<Unreadable>), StoreError> {
    let entries = match fs::read_dir(out) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Vec::new(), Vec::new())),
        Err(source) => return Err(StoreError::read(out, source)),
    };
    let folders = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>();
    let (mut runs, unreadable) = open_all(folders.map_err(|source| StoreError::read(out, source))?);
    runs.sort_by(|a, b| (b.manifest.started, &b.folder).cmp(&(a.manifest.started, &a.folder)));
    Ok((runs, unreadable))
}

/// The runs among these folders, and the runs that could not be read.
#[must_use]
pub fn open_all(folders: impl IntoIterator<Item = PathBuf>) -> (Vec<FoundRun>, Vec<Unreadable>) {
    let (mut runs, mut unreadable) = (Vec::new(), Vec::new());
    for folder in folders.into_iter().filter(|folder| is_run(folder)) {
        match open(&folder) {
            Ok(run) => runs.push(run),
            Err(error) => unreadable.push(Unreadable { folder, reason: crate::error::chain(&error) }),
        }
    }
    (runs, unreadable)
}

/// A page of runs.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    /// The runs, newest first.
    pub runs: Vec<FoundRun>,
    /// The folder after which the next page begins; `None` on the last page.
    pub next: Option<String>,
}

/// Runs below a folder, newest first, that come after the folder named `before` in this order. The name of a run
/// folder begins with its time, so only the manifests of the page are read.
///
/// # Errors
/// If the folder itself cannot be read. A folder that does not exist contains no runs.
pub fn page(out: &Path, before: Option<&str>, limit: usize) -> Result<Page, StoreError> {
    let mut named = Named::all(out)?;
    if let Some(before) = before {
        let before = Named::of(out, before.to_owned());
        named.retain(|run| before.as_ref().is_none_or(|before| run.second() <= before.second()));
    }
    named.sort_unstable_by(|a, b| b.second().cmp(a.second()));
    let (mut runs, mut last) = (Vec::new(), None);
    // The name of a folder contains the second at which the run began. Within one second, the manifests decide the
    // order.
    for together in named.chunk_by(|a, b| a.second() == b.second()) {
        let found = together.iter().filter_map(|named| match open(&out.join(&named.folder)) {
            Ok(run) => Some((run, &named.folder)),
            Err(error) => {
                tracing::debug!(%error, "a folder among the runs is ignored");
                None
            }
        });
        let mut found: Vec<_> = found.collect();
        found.sort_by_key(|(run, name)| std::cmp::Reverse((run.manifest.started, (*name).clone())));
        let told = before.and_then(|before| found.iter().position(|(_, name)| name.as_str() == before));
        for (run, name) in found.into_iter().skip(told.map_or(0, |told| told + 1)) {
            if runs.len() == limit {
                return Ok(Page { runs, next: last });
            }
            runs.push(run);
            last = Some(name.clone());
        }
    }
    Ok(Page { runs, next: None })
}

/// The names of all folders that may be runs.
///
/// # Errors
/// If the folder itself cannot be read. A folder that does not exist contains no runs.
pub fn folders(out: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs::read_dir(out) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(StoreError::read(out, source)),
    };
    let may_be_run = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| !kind.is_file());
    let names = entries.flatten().filter(may_be_run).filter_map(|entry| entry.file_name().into_string().ok());
    // A run that is being deleted is hidden.
    Ok(names.filter(|name| !name.starts_with('.')).collect())
}

/// Whether this folder is a run, intact or damaged. Other folders among the runs are ignored.
#[must_use]
pub fn is_run(folder: &Path) -> bool {
    has_manifest(folder) || files::is_taken(&folder.join(JOURNAL_FILE))
}

/// Whether the folder has a manifest, intact or damaged.
#[must_use]
pub fn has_manifest(folder: &Path) -> bool {
    files::is_taken(&folder.join(manifest::FILE))
}

/// The run in this folder.
///
/// # Errors
/// If its manifest cannot be read.
pub fn open(folder: &Path) -> Result<FoundRun, StoreError> {
    let mut manifest = Manifest::read(folder)?;
    if manifest.status == RunState::Running && !is_claimed(folder) {
        manifest.status = RunState::Interrupted;
    }
    Ok(FoundRun { folder: folder.to_owned(), manifest })
}
