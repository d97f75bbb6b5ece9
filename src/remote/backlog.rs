//! Which runs still have to be uploaded. The run folders say so themselves: a run that has ended and has no valid receipt
//! is waiting. So nothing is lost if the program is killed.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Receipt, StoreAddress};
use crate::store::runs::{self, FoundRun};
use crate::store::{RunState, StoreError, run_files};

/// A run that waits for its upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Waiting {
    /// The identifier of the run.
    pub run: String,
    /// The folder of the run.
    pub folder: PathBuf,
}

/// A run that cannot be uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// The folder of the run.
    pub folder: PathBuf,
    /// The reason.
    pub reason: String,
}

/// The runs below a folder, as far as they concern a store.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// The runs that wait, the newest first.
    pub waiting: Vec<Waiting>,
    /// Runs whose process has ended without finishing them. They are not uploaded, because they can be resumed.
    pub interrupted: Vec<Waiting>,
    /// Number of runs that were uploaded to this store.
    pub stored: u64,
    /// Runs that cannot be read.
    pub refused: Vec<Refused>,
}

impl Backlog {
    /// The backlog of the runs below a folder.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn read(out: &Path, store: &StoreAddress) -> Result<Self, StoreError> {
        let mut backlog = Self::default();
        let store = store.to_string();
        let mut names = runs::folders(out)?;
        names.sort_unstable_by(|a, b| b.cmp(a));
        for folder in names.into_iter().map(|name| out.join(name)).filter(|folder| runs::is_run(folder)) {
            if is_settled(&folder, &store) {
                backlog.stored += 1;
                continue;
            }
            match runs::open(&folder) {
                Ok(run) => backlog.add(&run, &store),
                Err(error) => {
                    backlog.refused.push(Refused { folder, reason: crate::error::chain(&error) });
                }
            }
        }
        Ok(backlog)
    }

    fn add(&mut self, run: &FoundRun, store: &str) {
        let waiting = || Waiting { run: run.manifest.run.clone(), folder: run.folder.clone() };
        match run.manifest.status {
            RunState::Running => {}
            RunState::Interrupted => self.interrupted.push(waiting()),
            RunState::Done | RunState::Failed | RunState::Aborted => match is_stored(run, store) {
                true => self.stored += 1,
                false => self.waiting.push(waiting()),
            },
        }
    }

    /// The bytes of the waiting runs.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let files = self.waiting.iter().filter_map(|run| run_files(&run.folder).ok());
        files.flatten().map(|file| file.bytes).sum()
    }
}

/// Whether the receipt names the present content of the manifest. Then the manifest need not be understood, which saves
/// time in a folder with many runs. The times of the files say nothing, because a copy may have other times.
fn is_settled(folder: &Path, store: &str) -> bool {
    let receipt = Receipt::read(folder).filter(|receipt| receipt.store == store);
    receipt.is_some_and(|receipt| receipt.has_manifest_of(folder) == Some(true))
}

/// Whether a receipt confirms this state of the run in this store.
pub(super) fn is_stored(run: &FoundRun, store: &str) -> bool {
    Receipt::read(&run.folder).is_some_and(|receipt| receipt.store == store && receipt.is_for(run))
}
