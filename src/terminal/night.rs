//! Shows a batch at the terminal as one bar with its expected end, and one line for each item that has ended.

use std::sync::{Arc, mpsc};
use std::time::Duration;

use chrono::{DateTime, Local, TimeDelta};
use indicatif::ProgressBar;

use super::bars::{Canvas, LogWriter, units};
use super::colours::Colours;
use super::{AtEof, Detail, View, duration, lines, show_with};
use crate::analysis::verdict::Verdict;
use crate::run::control::Control;
use crate::run::events::Emitted;
use crate::run::state::status::RunStatus;
use crate::shown;

/// The bar of a batch.
#[derive(Debug, Clone)]
pub struct Night {
    canvas: Canvas,
    bar: ProgressBar,
    colours: Colours,
    items: usize,
}

/// What is known about the active item.
#[derive(Debug, Clone, Default)]
pub struct Active {
    /// What the item measures.
    pub about: String,
    /// Whether the instrument is named: once in a batch.
    pub has_banner: bool,
    /// Number of items that have ended before it.
    pub ended: usize,
    /// Time that the batch needs after this item.
    pub after: TimeDelta,
}

/// An item that has ended.
#[derive(Debug, Clone)]
pub struct Ended<'a> {
    /// Its number.
    pub number: u32,
    /// What it measures.
    pub about: &'a str,
    /// Its state, in a word.
    pub state: String,
    /// Whether it was done.
    pub is_done: bool,
    /// The verdict of its run.
    pub verdict: Option<Verdict>,
    /// The reason for its state.
    pub reason: Option<&'a str>,
    /// How long its run took, s.
    pub took: Option<f64>,
}

impl Night {
    /// A bar for a batch with so many items.
    #[must_use]
    pub fn new(log: &LogWriter, items: usize) -> Self {
        let canvas = Canvas::new(log);
        let bar = canvas.bar("{prefix:>10} {bar:20.cyan} {wide_msg}");
        bar.set_prefix("batch");
        bar.enable_steady_tick(Duration::from_millis(250));
        Self { canvas, bar, colours: Colours::of_stderr(), items }
    }

    /// Shows the run of an item until its events end, and returns its final state.
    #[must_use]
    pub fn show(
        &self,
        (active, at_eof): (Active, AtEof),
        records: &mpsc::Receiver<Arc<Emitted>>,
        control: &Control,
    ) -> RunStatus {
        let view = ItemView { night: self.clone(), active };
        show_with((Box::new(view), at_eof), records, control, RunStatus::default())
    }

    /// The line of an item that has ended.
    pub fn item_ended(&self, item: &Ended) {
        self.canvas.line(&line(item, self.items, self.colours));
    }

    /// The batch waits until this time.
    pub fn waits(&self, until: &DateTime<Local>) {
        self.bar.set_message(format!("waits until {}", until.format("%Y-%m-%d %H:%M")));
    }

    /// Removes the bar.
    pub fn close(&self) {
        self.bar.finish_and_clear();
    }
}

fn line(item: &Ended, items: usize, colours: Colours) -> String {
    let Ended { number, about, state, is_done, verdict, reason, took } = item;
    let width = items.to_string().len();
    let mut line = format!("{number:>width$}/{items}  {}", colours.ending(*is_done, &format!("{state:<6}")));
    if let Some(verdict) = verdict {
        line += &format!("  {}", colours.verdict(Some(*verdict), &verdict.to_string()));
    }
    line += &format!("  {}", shown::one_line(about));
    if let Some(took) = took {
        line += &format!("  {}", duration(*took));
    }
    if let Some(reason) = reason {
        line += &format!(": {}", shown::one_line(reason));
    }
    line
}

/// The run of an item.
struct ItemView {
    night: Night,
    active: Active,
}

impl View for ItemView {
    fn take(&mut self, record: &Emitted, status: &RunStatus) {
        if let Some(instrument) = status.instrument.as_ref().filter(|_| self.active.has_banner) {
            self.active.has_banner = false;
            self.night.canvas.line(&shown::visible(&lines::banner(instrument)));
        }
        let Night { canvas, bar, colours, items, .. } = &self.night;
        canvas.print(&lines::text(&record.event, status, Detail::Quiet, *colours), status);
        let left = status.remaining_s();
        let share = match (status.estimated_s, left) {
            (Some(total), Some(left)) if total > 0.0 => (1.0 - left / total).clamp(0.0, 1.0),
            _ => 0.0,
        };
        #[expect(clippy::cast_precision_loss, reason = "numbers of items are small")]
        let done = (self.active.ended as f64 + share) / (*items).max(1) as f64;
        bar.set_position(units(done));
        let ends = left.map(|left| Local::now() + seconds(left) + self.active.after);
        bar.set_message(message(&self.active, *items, ends, Local::now()));
    }
}

/// What stands beside the bar. The time comes first, because a narrow terminal cuts off the rest.
fn message(active: &Active, items: usize, ends: Option<DateTime<Local>>, now: DateTime<Local>) -> String {
    let ends = ends.map(|ends| {
        let left = duration((ends - now).as_seconds_f64());
        let form = if ends.date_naive() == now.date_naive() { "%H:%M" } else { "%a %H:%M" };
        format!(", ends {} ({left})", ends.format(form))
    });
    let about = shown::one_line(&active.about).into_owned();
    format!("{}/{items}{}  {about}", active.ended, ends.unwrap_or_default())
}

#[expect(clippy::cast_possible_truncation, reason = "clamped to a year")]
fn seconds(seconds: f64) -> TimeDelta {
    TimeDelta::milliseconds((seconds.clamp(0.0, 3.2e7) * 1e3) as i64)
}

#[cfg(test)]
mod tests {
    use chrono::TimeZone as _;

    use super::*;

    #[test]
    fn an_item_that_has_ended_is_one_line() {
        let ended = Ended {
            number: 3,
            about: "recipes/ring.yaml device=7",
            state: "done".to_owned(),
            is_done: true,
            verdict: Some(Verdict::Fail),
            reason: None,
            took: Some(75.0),
        };
        let text = line(&ended, 12, Colours::NONE);
        assert_eq!(text, " 3/12  done    fail  recipes/ring.yaml device=7  1 min 15 s");
        let failed = Ended {
            state: "failed".to_owned(),
            is_done: false,
            verdict: None,
            reason: Some("no\nlight\u{1b}"),
            took: None,
            ..ended
        };
        assert_eq!(
            line(&failed, 12, Colours::NONE),
            " 3/12  failed  recipes/ring.yaml device=7: no\\nlight\\u{1b}"
        );
    }

    #[test]
    fn the_bar_names_the_end_with_its_day_if_that_is_another_one() {
        let now = Local.with_ymd_and_hms(2026, 11, 27, 22, 30, 0).unwrap();
        let active = Active { about: "ring.yaml".to_owned(), ended: 2, ..Active::default() };
        let at = |hours| Some(now + TimeDelta::hours(hours));
        assert_eq!(message(&active, 9, at(1), now), "2/9, ends 23:30 (1 h 00 min)  ring.yaml");
        assert_eq!(message(&active, 9, at(8), now), "2/9, ends Sat 06:30 (8 h 00 min)  ring.yaml");
        assert_eq!(message(&active, 9, None, now), "2/9  ring.yaml");
    }
}
