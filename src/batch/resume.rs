//! Resumes an item's run that was interrupted or stopped, instead of starting a new run.

use std::path::Path;

use super::begin::NotBegun;
use super::task::Task;
use super::work::Worker;
use crate::budget::Budget;
use crate::report::shell_word;
use crate::run::RunRequest;
use crate::session::{Interrupted, NotResumed};
use crate::store::{finished_files, runs};

impl Worker {
    /// The request to resume the run in the folder with this name; none if the folder does not exist. If only a
    /// person can decide about a step, the item is held.
    pub(super) async fn go_on(&self, folder: &str, task: &Task) -> Result<Option<RunRequest>, NotBegun> {
        let out = &self.session.setup().out;
        let path = out.join(folder);
        if !path.exists() {
            tracing::warn!(
                folder,
                "the folder of the interrupted run does not exist: the item starts from the beginning"
            );
            return Ok(None);
        }
        if nothing_begun(&path) {
            tracing::warn!(
                folder,
                "the run was interrupted before its first step: the item starts from the beginning"
            );
            return Ok(None);
        }
        let attended = task.unattended.then_some(false);
        let read =
            Budget::default().run_on_thread(move || Interrupted::read(runs::open(&path)?, attended)).await;
        let read = read.unwrap_or_else(|gone| Err(NotResumed::Broken(gone.to_string())));
        let resumed = match read {
            Ok(interrupted) => interrupted.resume(None, &self.session.setup().allowed).await,
            Err(error) => Err(error),
        };
        match resumed {
            Ok(request) => Ok(Some(request)),
            // A person has already completed it.
            Err(NotResumed::Done(_)) => Err(NotBegun::DoneAlready(out.join(folder))),
            Err(error @ NotResumed::Undecided(_)) => Err(NotBegun::Held(format!(
                "{}; check the instrument, run `ctp10 resume {folder} --unfinished done|again --out {}`, then release the item",
                error.message(),
                shell_word(&out.display().to_string())
            ))),
            Err(error) => Err(NotBegun::Held(error.message())),
        }
    }
}

/// Whether the process ended before the run had a manifest, so that nothing was measured.
fn nothing_begun(folder: &Path) -> bool {
    !runs::has_manifest(folder) && finished_files(folder).is_ok_and(|files| files.is_empty())
}
