//! The view of a batch at the terminal: a line at the start and the end of each item, the view of its run, and a
//! table at the end.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use chrono::{DateTime, Local, Utc};
use comfy_table::{Table, presets};
use serde_json::json;

use crate::batch::{BatchObserver, Summary, Task};
use crate::catalogue::{ItemRow, ItemState};
use crate::cli::{LogFormat, OutputArgs};
use crate::run::Watcher;
use crate::run::events::Record;
use crate::run::state::status::RunStatus;
use crate::session::BegunRun;
use crate::shown;
use crate::terminal::output::errln;
use crate::terminal::{self, AtEof, LogWriter, Style};

pub(super) struct Screen {
    json: bool,
    quiet: bool,
    log: LogWriter,
    items: usize,
    run: Mutex<Shown>,
}

#[derive(Default)]
struct Shown {
    number: u32,
    about: String,
    records: Option<mpsc::Receiver<Record>>,
    view: Option<JoinHandle<RunStatus>>,
}

impl Screen {
    pub(super) fn new(output: &OutputArgs, log: &LogWriter, items: usize) -> Self {
        let json = output.log_format == LogFormat::Json;
        Self { json, quiet: output.quiet, log: log.clone(), items, run: Mutex::default() }
    }
}

impl BatchObserver for Screen {
    fn begins(&self, item: &ItemRow, task: &Task) -> Vec<Watcher> {
        let (records, shown) = mpsc::channel::<Record>();
        *self.run.lock().unwrap_or_else(PoisonError::into_inner) =
            Shown { number: item.number, about: task.describe(), records: Some(shown), view: None };
        vec![Box::new(move |record| drop(records.send(record.clone())))]
    }

    fn begun(&self, entry: &BegunRun) {
        let mut run = self.run.lock().unwrap_or_else(PoisonError::into_inner);
        if self.json {
            let folder = entry.run.folder().display().to_string();
            let event =
                json!({ "event": "item_begun", "item": run.number, "run": entry.run.id(), "folder": folder });
            errln!("{}", shown::json(&event.to_string()));
        } else if !self.quiet {
            errln!("== item {} of {}: {}", run.number, self.items, run.about);
        }
        let Some(records) = run.records.take() else { return };
        let style = Style::choose(self.json, self.quiet);
        let (log, control) = (self.log.clone(), entry.run.control().clone());
        let show =
            move || terminal::show((style, AtEof::Continue), &log, &records, &control, RunStatus::default());
        run.view = Some(std::thread::spawn(show));
    }

    fn ended(&self, item: &ItemRow, state: ItemState, reason: Option<&str>, folder: Option<&Path>) {
        let view = self.run.lock().unwrap_or_else(PoisonError::into_inner).view.take();
        if let Some(view) = view {
            // A failure of the view has already been reported, and the batch does not depend on the view.
            let _ = view.join();
        }
        if self.json {
            let folder = folder.map(|folder| folder.display().to_string());
            let event = json!({
                "event": "item_ended", "item": item.number, "state": state, "reason": reason, "folder": folder,
            });
            errln!("{}", shown::json(&event.to_string()));
        } else if !self.quiet || state != ItemState::Done {
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            let folder = folder.map(|folder| format!(" ({})", folder.display())).unwrap_or_default();
            let again = if state == ItemState::Queued { " again" } else { "" };
            errln!("== item {} {state}{again}{reason}{folder}", item.number);
        }
    }

    fn waits(&self, until: DateTime<Utc>) {
        if self.json {
            errln!("{}", json!({ "event": "waits", "until": until }));
        } else if !self.quiet {
            errln!("== waiting until {}", until.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S"));
        }
    }
}

/// The state of a batch, as a table and a few lines.
pub(super) fn table(summary: &Summary) -> String {
    let mut table = Table::new();
    let mut header = vec!["item", "state", "attempts", "recipe", "run folder", "reason"];
    if summary.verdict.is_some() {
        header.insert(2, "verdict");
    }
    table.load_style(presets::NOTHING).set_header(header);
    for item in &summary.list {
        let mut row = vec![
            item.number.to_string(),
            item.state.to_string(),
            item.attempts.to_string(),
            item.task.describe(),
            item.folders.last().cloned().unwrap_or_default(),
            item.reason.clone().unwrap_or_default(),
        ];
        if summary.verdict.is_some() {
            row.insert(2, item.verdict.map(|verdict| verdict.to_string()).unwrap_or_default());
        }
        table.add_row(row);
    }
    let mut text = format!("{table}\n");
    let _ = writeln!(text, "batch {}: {}", summary.batch, summary.tally());
    if let Some(verdict) = summary.verdict {
        let _ = writeln!(text, "verdict: {verdict}");
    }
    if let Some(reason) = &summary.reason {
        let _ = writeln!(text, "ended: {reason}");
    }
    if let Some(command) = &summary.go_on {
        let _ = writeln!(text, "continue with: {command}");
    }
    text
}
