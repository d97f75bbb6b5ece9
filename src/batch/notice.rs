//! The notification about the end of a batch. `docs/notify.md` lists the fields. Fields may be added, and no field
//! changes its meaning.

use std::path::Path;

use serde_json::{Value, json};

use super::summary::{BatchState, Summary};
use crate::catalogue::ItemState;
use crate::declarations::NotifyOn;
use crate::report::BatchReport;

/// Number of items that the notification lists.
const ITEMS: usize = 20;

/// The event of the notification.
#[must_use]
pub fn end(summary: &Summary) -> NotifyOn {
    if summary.state == BatchState::Done { NotifyOn::Done } else { NotifyOn::Failure }
}

/// The notification; `page` is the path of the page, if it could be written.
#[must_use]
pub fn notice(summary: &Summary, report: &BatchReport, page: Option<&Path>) -> Value {
    let counts = summary.counts;
    let host = gethostname::gethostname().to_string_lossy().into_owned();
    let page = page.map(|page| std::path::absolute(page).unwrap_or_else(|_| page.to_owned()));
    let simulated = report.simulated() > 0;
    let left = summary.list.iter().filter(|item| item.state != ItemState::Done);
    let left: Vec<Value> = left
        .take(ITEMS)
        .map(|item| {
            let about = item.task.describe();
            json!({ "number": item.number, "item": short(&about), "state": item.state, "reason": item.reason.as_deref().map(short) })
        })
        .collect();
    json!({
        "event": if end(summary) == NotifyOn::Done { "batch_done" } else { "batch_failed" },
        "text": text(summary, simulated, &host),
        "schema_version": 1,
        "name": summary.batch,
        "simulated": simulated,
        "state": summary.state,
        "reason": summary.reason,
        "host": host,
        "folder": report.out,
        "file": summary.file,
        "counts": {
            "items": counts.items, "done": counts.done, "failed": counts.failed, "retried": counts.retried,
            "skipped": counts.skipped, "held": counts.held, "queued": counts.queued,
        },
        "report": page,
        "not_done": left,
        "finish_command": summary.go_on,
    })
}

/// The beginning of a text.
fn short(text: &str) -> String {
    text.chars().take(300).collect()
}

/// The text for people.
fn text(summary: &Summary, simulated: bool, host: &str) -> String {
    let simulated = if simulated { "SIMULATED: " } else { "" };
    let state = if summary.state == BatchState::Done { "is done" } else { "has ended" };
    let mut lines =
        vec![format!("{simulated}batch {} {state} on {host}: {}", summary.batch, summary.tally())];
    lines.extend(summary.reason.as_ref().map(|reason| format!("ended: {reason}")));
    let failed =
        summary.list.iter().filter(|item| !matches!(item.state, ItemState::Done | ItemState::Queued));
    for item in failed.take(3) {
        let reason = item.reason.as_deref().map(|reason| format!(": {}", short(reason))).unwrap_or_default();
        lines.push(format!("item {} ({}) {}{reason}", item.number, short(&item.task.describe()), item.state));
    }
    lines.extend(summary.go_on.as_ref().map(|command| format!("continue with: {command}")));
    lines.join("\n")
}
