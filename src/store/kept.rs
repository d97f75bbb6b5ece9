//! What is kept in memory of the runs that were asked for last.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Something of each of the last `RUNS` runs, by the folder of the run. Each has its own lock, so that the long journal of
/// one run does not delay the others.
#[derive(Debug, Default)]
pub struct KeptOfRuns<T, const RUNS: usize>(Mutex<Vec<(PathBuf, Arc<Mutex<T>>)>>);

impl<T: Default, const RUNS: usize> KeptOfRuns<T, RUNS> {
    /// What is kept of a run; at first its default. The run becomes the last one to be dropped.
    pub fn of(&self, folder: &Path) -> Arc<Mutex<T>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = match kept.iter().position(|(known, _)| known == folder) {
            Some(position) => kept.remove(position),
            None => (folder.to_owned(), Arc::default()),
        };
        let found = Arc::clone(&entry.1);
        kept.push(entry);
        if kept.len() > RUNS {
            kept.remove(0);
        }
        found
    }
}
