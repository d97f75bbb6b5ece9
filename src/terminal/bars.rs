//! Shows a run as two progress bars: for the whole run, and for the current step. Lines are printed above them.

use std::borrow::Cow;
use std::io::Write;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::fmt::MakeWriter;

use super::closable;
use super::colours::Colours;
use super::output::coloured;
use super::{Detail, View, duration, lines};
use crate::run::events::Emitted;
use crate::run::state::status::RunStatus;
use crate::shown::{self, counted};

/// Resolution of the bars: a share of 1 has this many units.
const FULL: u64 = 1000;

/// The target of log lines: above the bars if there are bars, otherwise stderr.
#[derive(Debug, Clone, Default)]
pub struct LogWriter {
    bars: MultiProgress,
}

impl Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        self.bars.suspend(|| std::io::stderr().write_all(shown::json(&text).as_bytes()))?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

impl<'a> MakeWriter<'a> for LogWriter {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Lines and bars on stderr. While a person is asked, no bar is drawn: the answer moves the cursor, and what was drawn
/// before it would stay on the screen.
#[derive(Debug, Clone)]
pub(super) struct Canvas {
    all: MultiProgress,
}

impl Canvas {
    pub(super) fn new(log: &LogWriter) -> Self {
        let all = log.bars.clone();
        all.set_draw_target(closable::stderr());
        Self { all }
    }

    pub(super) fn bar(&self, template: &str) -> ProgressBar {
        let style = ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        let bar = self.all.add(ProgressBar::new(FULL));
        bar.set_style(style.progress_chars("━╸ "));
        bar
    }

    /// Prints the lines of an event above the bars. Everything in them is escaped.
    pub(super) fn print(&self, lines: &[String], status: &RunStatus) {
        let is_asking = status.question.is_some();
        if is_asking && !self.all.is_hidden() {
            // A bar that cannot be removed must not stop a measurement.
            let _ = self.all.clear();
            self.all.set_draw_target(ProgressDrawTarget::hidden());
        } else if !is_asking && self.all.is_hidden() {
            self.all.set_draw_target(closable::stderr());
        }
        for line in lines {
            self.line(line);
        }
    }

    /// Prints a line above the bars.
    pub(super) fn line(&self, line: &str) {
        self.all.suspend(|| coloured!("{line}"));
    }
}

pub(super) struct Bars {
    canvas: Canvas,
    run: ProgressBar,
    step: ProgressBar,
    colours: Colours,
    detail: Detail,
}

impl Bars {
    pub(super) fn new(log: &LogWriter, steps: bool) -> Self {
        let canvas = Canvas::new(log);
        let run = canvas.bar("{prefix:>10} {bar:30.cyan} {wide_msg}");
        let step = canvas.bar("{prefix:>10} {bar:30.green} {wide_msg}");
        run.set_prefix("run");
        run.enable_steady_tick(Duration::from_millis(250));
        let detail = if steps { Detail::Steps } else { Detail::Results };
        Self { canvas, run, step, colours: Colours::of_stderr(), detail }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1")]
pub(super) fn units(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * 1000.0).round() as u64
}

impl View for Bars {
    fn take(&mut self, record: &Emitted, status: &RunStatus) {
        self.canvas.print(&lines::text(&record.event, status, self.detail, self.colours), status);
        let count = status.operations.map(|count| format!("/{count}")).unwrap_or_default();
        let left = status.remaining_s().map(|left| format!(", {} left", duration(left))).unwrap_or_default();
        let steps = if count.is_empty() {
            counted(status.finished_steps, "step")
        } else {
            format!("{}{count} steps", status.finished_steps)
        };
        self.run.set_message(format!("{steps}{left}"));
        if let (Some(total), Some(left)) = (status.estimated_s, status.remaining_s())
            && total > 0.0
        {
            self.run.set_position(units(1.0 - left / total));
        }
        let Some(current) = &status.current else { return };
        let prefix: Cow<'static, str> = match current.activity {
            Some(activity) => lines::activity(activity).into(),
            None => "step".into(),
        };
        self.step.set_prefix(prefix);
        self.step.set_position(current.done.map_or(0, units));
        let left = current.remaining_s.filter(|left| *left > 0.05);
        let left = left.map(|left| format!("{} left  ", duration(left))).unwrap_or_default();
        // The time left comes first, because a narrow terminal cuts off the rest.
        self.step
            .set_message(format!("{left}{}", shown::one_line(&current.step.operation.words(&status.around))));
    }

    fn close(&mut self) {
        self.step.finish_and_clear();
        self.run.finish_and_clear();
    }
}
