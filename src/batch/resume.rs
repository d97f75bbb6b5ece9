//! Going on where an item's run was cut off or stopped, instead of beginning it anew.

use std::path::Path;

use super::begin::NotBegun;
use super::expand::Task;
use super::work::Worker;
use crate::budget::Budget;
use crate::report::shell_word;
use crate::run::RunRequest;
use crate::station::{Interrupted, NotResumed};
use crate::store::{finished_files, runs};

impl Worker {
    /// The request to resume the run whose folder has this name; none when the folder is gone. What nobody but a
    /// person can know holds the item.
    pub(super) async fn go_on(&self, folder: &str, task: &Task) -> Result<Option<RunRequest>, NotBegun> {
        let out = &self.station.setup().out;
        let path = out.join(folder);
        if !path.exists() {
            tracing::warn!(folder, "the folder of the run that was cut off is gone: the item begins anew");
            return Ok(None);
        }
        if nothing_begun(&path) {
            tracing::warn!(folder, "the run was cut off before it had begun: the item begins anew");
            return Ok(None);
        }
        let attended = task.unattended.then_some(false);
        let read =
            Budget::default().run_on_thread(move || Interrupted::read(runs::open(&path)?, attended)).await;
        let read = read.unwrap_or_else(|gone| Err(NotResumed::Broken(gone.to_string())));
        let resumed = match read {
            Ok(interrupted) => interrupted.resume(None, &self.station.setup().allowed).await,
            Err(error) => Err(error),
        };
        match resumed {
            Ok(request) => Ok(Some(request)),
            // Somebody has had it finished by hand.
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

/// Whether the process was gone before the run had its manifest, and nothing was measured.
fn nothing_begun(folder: &Path) -> bool {
    !runs::has_manifest(folder) && finished_files(folder).is_ok_and(|files| files.is_empty())
}
