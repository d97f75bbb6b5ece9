//! A run folder that another process left: claimed again, mended, and rid of what was never finished.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::journal::mend_journal;
use super::runs::FoundRun;
use super::{JOURNAL_FILE, RunFolder, StoreError, claim, is_claimed, publish};

/// What was found in a folder that was claimed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mended {
    /// Bytes of a torn last line of the journal; they are gone.
    pub torn_bytes: u64,
}

impl RunFolder {
    /// Claims the folder of a run whose process is gone, and cuts a torn line off its journal.
    ///
    /// # Errors
    /// When its process is alive, or the folder cannot be written.
    pub fn reopen(run: &FoundRun) -> Result<(Self, Mended), StoreError> {
        let path = run.folder.clone();
        if is_claimed(&path) {
            let owner = fs::read_to_string(path.join(super::LOCK_FILE)).unwrap_or_default();
            let message = format!("run {} is under way in process `{}`", run.manifest.run, owner.trim());
            return Err(StoreError::WhichRun(message));
        }
        let lock = claim(&path)?;
        let journal = path.join(JOURNAL_FILE);
        // A process may be gone before it has begun its journal.
        let mended = journal.exists().then(|| mend_journal(&journal)).transpose()?;
        let (lines, torn_bytes) = (mended.map(|(lines, _)| lines), mended.map_or(0, |(_, torn)| torn));
        let id = run.manifest.run.clone();
        let folder = Self { id, path, lines, _lock: lock };
        folder.set_reserve()?;
        Ok((folder, Mended { torn_bytes }))
    }

    /// Removes what was never finished, and files that the journal does not know: their process was gone before it
    /// could say what they are. Gives the names of those that had their final name.
    ///
    /// # Errors
    /// When a folder cannot be read or a file cannot be removed.
    pub fn remove_unknown(&self, known: &BTreeSet<String>) -> Result<Vec<String>, StoreError> {
        let mut removed = Vec::new();
        for inner in ["", "traces", "power", "recipe"] {
            let folder = self.path.join(inner);
            let entries = fs::read_dir(&folder).map_err(|source| StoreError::read(&folder, source))?;
            for entry in entries {
                let path = entry.map_err(|source| StoreError::read(&folder, source))?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                let file = format!("{inner}/{name}");
                let measured = ["traces", "power"].contains(&inner);
                if name.starts_with('.') && name.ends_with(".part") {
                    remove(&path)?;
                } else if measured && name.ends_with(".parquet") && !known.contains(&file) {
                    remove(&path)?;
                    removed.push(file);
                }
            }
        }
        removed.sort();
        Ok(removed)
    }

    /// Removes a file of the run; one that is gone already is as good.
    ///
    /// # Errors
    /// When it cannot be removed.
    pub fn remove(&self, file: &str) -> Result<(), StoreError> {
        remove(&self.path.join(file))
    }

    /// The highest number of a segment of power that is there.
    pub(super) fn last_segment(&self) -> u64 {
        let entries = fs::read_dir(self.path.join("power")).into_iter().flatten().flatten();
        let number = |name: String| name.strip_suffix(".parquet")?.parse().ok();
        entries.filter_map(|entry| number(entry.file_name().into_string().ok()?)).max().unwrap_or(0)
    }
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(StoreError::write(path, error)),
        _ => publish::sync_folder_of(path),
    }
}
