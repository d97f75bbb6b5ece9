//! Shows a run as two progress bars: for the whole run, and for the current step.

use std::borrow::Cow;
use std::io::Write;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::fmt::MakeWriter;

use super::colours::Colours;
use super::{View, duration, lines, results};
use crate::run::events::{Record, RunEvent};
use crate::run::state::status::RunStatus;
use crate::shown;

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

pub(super) struct Bars {
    all: MultiProgress,
    run: ProgressBar,
    step: ProgressBar,
    colours: Colours,
}

impl Bars {
    pub(super) fn new(log: &LogWriter) -> Self {
        let all = log.bars.clone();
        all.set_draw_target(ProgressDrawTarget::stderr());
        let bar = |template: &str| {
            let style =
                ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = all.add(ProgressBar::new(FULL));
            bar.set_style(style.progress_chars("━╸ "));
            bar
        };
        let run = bar("{prefix:>10} {bar:30.cyan} {wide_msg}");
        let step = bar("{prefix:>10} {bar:30.green} {wide_msg}");
        run.set_prefix("run");
        run.enable_steady_tick(Duration::from_millis(250));
        Self { all, run, step, colours: Colours::of_stderr() }
    }

    fn print(&self, text: &str) {
        // A line that cannot be drawn must not stop a measurement.
        let _ = self.all.println(shown::visible(text));
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=1")]
fn units(share: f64) -> u64 {
    (share.clamp(0.0, 1.0) * 1000.0).round() as u64
}

impl View for Bars {
    fn take(&mut self, record: &Record, status: &RunStatus) {
        // The bar itself shows the current step.
        let is_shown = matches!(record.event, RunEvent::StepStarted { .. });
        if let Some(text) = lines::line(&record.event, status, false).filter(|_| !is_shown) {
            self.print(&text);
        }
        if let Some(text) = results::of_event(&record.event, status, self.colours) {
            // The text is escaped already, except for its colours.
            let _ = self.all.println(text);
        }
        let count = status.operations.map(|count| format!("/{count}")).unwrap_or_default();
        let left = status.remaining_s().map(|left| format!(", {} left", duration(left))).unwrap_or_default();
        self.run.set_message(format!("{}{count} steps{left}", status.finished_steps));
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
        self.step.set_message(format!("{left}{}", lines::describe(&current.step)));
    }

    fn close(&mut self) {
        self.step.finish_and_clear();
        self.run.finish_and_clear();
    }
}
