//! The view of a batch: on a terminal one bar for all items and a line for each item, elsewhere the lines of each run.
//! At the end, a table follows.

use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread::JoinHandle;

use chrono::{DateTime, Local, TimeDelta, Utc};
use serde_json::json;

use crate::batch::{BatchObserver, Summary, Task, Window, expect, in_order, span};
use crate::catalogue::{ItemRow, ItemState};
use crate::cli::{LogFormat, OutputArgs};
use crate::run::Watcher;
use crate::run::events::Emitted;
use crate::run::state::status::RunStatus;
use crate::session::BegunRun;
use crate::shown;
use crate::terminal::output::errln;
use crate::terminal::{self, Active, AtEof, Ended, LogWriter, Night, Style};

pub(super) struct Screen {
    json: bool,
    quiet: bool,
    style: Style,
    log: LogWriter,
    items: usize,
    window: Window,
    at_eof: AtEof,
    /// The bar on a terminal, unless each step is shown.
    night: Option<Night>,
    run: Mutex<Shown>,
}

#[derive(Default)]
struct Shown {
    number: u32,
    active: Active,
    /// The items that have not started.
    left: Vec<ItemRow>,
    records: Option<mpsc::Receiver<Arc<Emitted>>>,
    view: Option<JoinHandle<RunStatus>>,
}

impl Screen {
    /// `has_page`: the questions of runs can also be answered on the dashboard.
    pub(super) fn new(
        output: &OutputArgs,
        log: &LogWriter,
        items: &[ItemRow],
        window: Window,
        has_page: bool,
    ) -> Self {
        let json = output.log_format == LogFormat::Json;
        let style = Style::choose(json, output.quiet, output.verbose > 0);
        let left: Vec<ItemRow> = in_order(items).into_iter().cloned().collect();
        let active = Active { has_banner: true, ended: items.len() - left.len(), ..Active::default() };
        Self {
            json,
            quiet: output.quiet,
            style,
            log: log.clone(),
            items: items.len(),
            window,
            at_eof: AtEof::Continue.with_page(has_page),
            night: (style == Style::Bars { steps: false }).then(|| Night::new(log, items.len())),
            run: Mutex::new(Shown { active, left, ..Shown::default() }),
        }
    }

    fn run(&self) -> MutexGuard<'_, Shown> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Removes the bar.
    pub(super) fn close(&self) {
        if let Some(night) = &self.night {
            night.close();
        }
    }
}

impl Shown {
    /// The time that the other items need after this one.
    fn time_after(&self, item: &ItemRow, window: Window) -> TimeDelta {
        let end = Utc::now() + span(item.estimated_s.unwrap_or_default());
        expect(&self.left, window, end).ends.map_or(TimeDelta::zero(), |ends| ends - end)
    }
}

impl BatchObserver for Screen {
    fn begins(&self, item: &ItemRow, task: &Task) -> Vec<Watcher> {
        let (records, shown) = mpsc::channel::<Arc<Emitted>>();
        let mut run = self.run();
        run.left.retain(|other| other.number != item.number);
        // Only the bar shows this time, and a long queue takes a while to forecast.
        if self.night.is_some() {
            run.active.after = run.time_after(item, self.window);
        }
        run.active.about = task.describe();
        (run.number, run.records, run.view) = (item.number, Some(shown), None);
        vec![Box::new(move |record| drop(records.send(Arc::clone(record))))]
    }

    fn begun(&self, entry: &BegunRun) {
        let mut run = self.run();
        if self.json {
            let folder = entry.run.folder().display().to_string();
            let event =
                json!({ "event": "item_begun", "item": run.number, "run": entry.run.id(), "folder": folder });
            errln!("{}", shown::json(&event.to_string()));
        } else if !self.quiet && self.night.is_none() {
            errln!("== item {} of {}: {}", run.number, self.items, run.active.about);
        }
        let Some(records) = run.records.take() else { return };
        let control = entry.run.control().clone();
        let active = run.active.clone();
        run.active.has_banner = false;
        let (night, style, log) = (self.night.clone(), self.style, self.log.clone());
        let at_eof = self.at_eof;
        run.view = Some(std::thread::spawn(move || match night {
            Some(night) => night.show((active, at_eof), &records, &control),
            None => terminal::show((style, at_eof), &log, &records, &control, RunStatus::default()),
        }));
    }

    fn ended(&self, item: &ItemRow, state: ItemState, reason: Option<&str>, folder: Option<&Path>) {
        let view = self.run().view.take();
        // A failure of the view has already been reported, and the batch does not depend on the view.
        let status = view.and_then(|view| view.join().ok());
        let about = {
            let mut run = self.run();
            run.active.ended += usize::from(state != ItemState::Queued);
            serde_json::from_value::<Task>(item.payload.clone()).unwrap_or_default().describe()
        };
        if self.json {
            let folder = folder.map(|folder| folder.display().to_string());
            let event = json!({
                "event": "item_ended", "item": item.number, "state": state, "reason": reason, "folder": folder,
            });
            errln!("{}", shown::json(&event.to_string()));
        } else if let Some(night) = &self.night {
            let took = status.as_ref().and_then(|status| status.elapsed_s(status.finished?));
            night.item_ended(&Ended {
                number: item.number,
                about: &about,
                state: state.to_string(),
                is_done: state == ItemState::Done,
                verdict: status.and_then(|status| status.verdicts.worst()),
                reason,
                took,
            });
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
        } else if let Some(night) = &self.night {
            night.waits(&until.with_timezone(&Local));
        } else if !self.quiet {
            errln!("== waiting until {}", until.with_timezone(&Local).format("%Y-%m-%d %H:%M:%S"));
        }
    }
}

/// The identifier of the run in a folder, at the end of the folder's name.
fn run_of(folder: &str) -> &str {
    folder.rsplit('_').next().unwrap_or(folder)
}

/// The state of a batch, as a table and a few lines.
pub(super) fn table(summary: &Summary) -> String {
    let mut header = vec!["item", "state", "attempts", "recipe", "run", "reason"];
    if summary.verdict.is_some() {
        header.insert(2, "verdict");
    }
    let has_reasons = summary.list.iter().any(|item| item.reason.is_some());
    if !has_reasons {
        header.pop();
    }
    let mut table = terminal::table_with(&["recipe", "reason"], header);
    for item in &summary.list {
        let mut row = vec![
            item.number.to_string(),
            item.state.to_string(),
            item.attempts.to_string(),
            item.task.describe(),
            item.folders.last().map(|folder| run_of(folder).to_owned()).unwrap_or_default(),
        ];
        if has_reasons {
            row.push(item.reason.clone().unwrap_or_default());
        }
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
    for item in summary.list.iter().filter(|item| !item.instruments_unknown.is_empty()) {
        let names = item.instruments_unknown.join(", ");
        let _ = writeln!(text, "not confirmed safe after item {}: {names}", item.number);
    }
    if let Some(reason) = &summary.reason {
        let _ = writeln!(text, "ended: {reason}");
    }
    if let Some(command) = &summary.go_on {
        let _ = writeln!(text, "continue with: {command}");
    }
    text
}
