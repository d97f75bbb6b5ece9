//! Deletes run folders. A folder is hidden first, so that no command sees half a run.

use std::fs;
use std::path::Path;

use super::{RunFolder, StoreError};

/// How the name of a folder begins that is being deleted.
const HIDDEN: &str = ".deleted_";

impl RunFolder {
    /// Deletes the run with all its files.
    ///
    /// # Errors
    /// If the folder cannot be deleted. The rest of a hidden folder is deleted by [`delete_leftovers`].
    pub fn delete(self) -> Result<(), StoreError> {
        let path = self.path().to_owned();
        let failed = |source| StoreError::write(&path, source);
        let mut name = std::ffi::OsString::from(HIDDEN);
        name.push(path.file_name().unwrap_or_default());
        let hidden = path.with_file_name(name);
        fs::rename(&path, &hidden).map_err(failed)?;
        fs::remove_dir_all(&hidden).map_err(failed)
    }
}

/// Deletes what an interrupted deletion has left below a folder of runs.
pub fn delete_leftovers(out: &Path) {
    for entry in fs::read_dir(out).into_iter().flatten().flatten() {
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && entry.file_name().to_string_lossy().starts_with(HIDDEN) {
            // The next cleaning tries again.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
