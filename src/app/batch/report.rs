//! `ctp10 runs report --batch NAME`: writes summary and page of a batch again, from the catalogue and the run folders.

use std::path::Path;

use super::enqueue::GO_ON;
use super::load::look_up;
use crate::batch::{BatchState, QUEUE, Summary, summary_file, write};
use crate::catalogue::{ItemRow, ItemState};
use crate::error::{ExitCode, Failure, chain};
use crate::report::shell_word;
use crate::store::{RunState, runs};
use crate::terminal::output::outln;

/// The largest summary of a batch that is read, bytes.
const LARGEST_SUMMARY: u64 = 64 << 20;

pub(in crate::app) fn report(name: &str, out: &Path, as_json: bool) -> Result<(), Failure> {
    let (row, mut items) = look_up(name, out)?;
    items.iter_mut().for_each(|item| as_it_is(item, out));
    let known = row.settings.get(GO_ON).and_then(serde_json::Value::as_str);
    // The queue of a service has no command, because it continues automatically.
    let command = (!name.starts_with(QUEUE)).then(|| {
        known.map_or_else(
            || format!("ctp10 batch --continue {name} --out {}", shell_word(&out.display().to_string())),
            str::to_owned,
        )
    });
    let mut summary =
        Summary::new(name, row.file.as_deref(), None, &items, command.as_deref()).with_verdicts(out);
    if !matches!(summary.state, BatchState::Done | BatchState::Running) {
        summary.reason = reason_before(name, out);
    }
    let (_, written) = write(&summary, out);
    let (_, page) = written.map_err(|error| Failure::new(ExitCode::Failed, chain(&error)))?;
    if as_json {
        return crate::app::print_json(&summary);
    }
    outln!("{}", page.display());
    Ok(())
}

/// In the catalogue, an item whose process has ended stays `running` until the batch is started again.
fn as_it_is(item: &mut ItemRow, out: &Path) {
    if item.state != ItemState::Running {
        return;
    }
    let Some((run, folder)) = item.runs.last() else { return };
    let status = runs::open(&out.join(folder)).map(|found| found.manifest.status);
    if let Ok(status) = status
        && status != RunState::Running
    {
        item.reason = Some(format!("the program ended during its run {run}, which is {status}"));
        item.state = ItemState::Held;
    }
}

/// The reason of the end in the last written summary, because the catalogue does not contain it.
fn reason_before(name: &str, out: &Path) -> Option<String> {
    let text = crate::files::read(&summary_file(out, name), LARGEST_SUMMARY).ok()?;
    let summary: serde_json::Value = serde_json::from_slice(&text).ok()?;
    summary.get("reason")?.as_str().map(str::to_owned)
}
