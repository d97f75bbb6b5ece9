//! The runs that a command line names.

use std::path::Path;

use crate::app::runs::find;
use crate::app::runs::list::{filter, not_selected, nothing};
use crate::catalogue::{self, Filter};
use crate::cli::ChosenRunsArgs;
use crate::error::{ExitCode, Failure};
use crate::store::RunState;
use crate::store::runs::FoundRun;
use crate::terminal::output::errln;

/// The chosen runs, the oldest first. A run that is named must have ended.
pub(super) fn chosen(args: &ChosenRunsArgs, out: &Path) -> Result<Vec<FoundRun>, Failure> {
    let filter = filter(&args.filter)?;
    let mut named: Vec<FoundRun> = Vec::new();
    for name in &args.runs {
        let run = ended(out, name)?;
        if !named.iter().any(|known| known.folder == run.folder) {
            named.push(run);
        }
    }
    if filter == Filter::default() {
        if named.is_empty() {
            return Err(Failure::new(ExitCode::Usage, "no run is named")
                .hint("name runs, for example `last`, or use `--where`, `--name`, `--batch` or `--since`"));
        }
        named.sort_by_key(|run| run.manifest.started);
        return Ok(named);
    }
    let mut selected = catalogue::select(out, &filter, None, usize::MAX).map_err(not_selected)?.runs;
    if !named.is_empty() {
        let folder =
            |run: &FoundRun| std::fs::canonicalize(&run.folder).unwrap_or_else(|_| run.folder.clone());
        let named: Vec<_> = named.iter().map(folder).collect();
        selected.retain(|run| named.contains(&folder(run)));
    }
    selected.retain(|run| {
        let is_running = run.manifest.status == RunState::Running;
        if is_running {
            errln!("run {} is still active and is left out", run.manifest.run);
        }
        !is_running
    });
    if selected.is_empty() {
        return Err(Failure::new(ExitCode::Usage, nothing(&filter, out, out)));
    }
    selected.reverse();
    Ok(selected)
}

/// A run that has ended.
pub(in crate::app) fn ended(out: &Path, name: &str) -> Result<FoundRun, Failure> {
    let run = find(out, name)?;
    if run.manifest.status == RunState::Running {
        let message = format!("run {} ({}) is still active", run.manifest.run, run.manifest.name);
        return Err(Failure::new(ExitCode::Usage, message).hint("wait for its end, or stop the run"));
    }
    Ok(run)
}
