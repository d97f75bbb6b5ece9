//! What a person at the terminal sees of a run: a banner, bars or plain lines, questions, a summary.
//! It knows the run by its events alone and steers it by [`Control`] alone.

mod bars;
mod lines;
pub(crate) mod output;
mod summary;

use std::io::{BufRead, IsTerminal};
use std::sync::mpsc;

use crate::run::control::Control;
use crate::run::events::{Record, RunEvent};
use crate::run::state::status::RunStatus;

pub use crate::units::duration;
pub use bars::LogWriter;
pub use output::end as end_of_output;
pub use summary::summary;

/// How a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Progress bars, redrawn in place.
    Bars,
    /// One line for each thing that happened.
    Lines,
    /// One JSON object for each thing that happened, as in the journal.
    Json,
    /// Warnings and questions only.
    Quiet,
}

impl Style {
    /// The style that fits stderr and what the user asked for.
    #[must_use]
    pub fn choose(json: bool, quiet: bool) -> Self {
        match (json, quiet) {
            (true, _) => Self::Json,
            (false, true) => Self::Quiet,
            (false, false) if std::io::stderr().is_terminal() => Self::Bars,
            (false, false) => Self::Lines,
        }
    }
}

/// Shows a run on stderr until its events end, and gives the state it ended in. `status` is its state before them.
pub fn show(
    style: Style,
    log: &LogWriter,
    records: &mpsc::Receiver<Record>,
    control: &Control,
    mut status: RunStatus,
) -> RunStatus {
    let mut view: Box<dyn View> = match style {
        Style::Bars => Box::new(bars::Bars::new(log)),
        Style::Lines => Box::new(lines::Lines::new(false)),
        Style::Quiet => Box::new(lines::Lines::new(true)),
        Style::Json => Box::new(lines::JsonLines),
    };
    let mut reads_answers = false;
    while let Ok(record) = records.recv() {
        status.apply(&record);
        view.take(&record, &status);
        // The thread that reads stdin starts with the first question: a run without questions leaves stdin alone.
        if matches!(record.event, RunEvent::Question { .. }) && !reads_answers {
            reads_answers = true;
            forward_answers(control.clone());
        }
    }
    view.close();
    status
}

/// One way of showing events.
trait View {
    fn take(&mut self, record: &Record, status: &RunStatus);
    fn close(&mut self) {}
}

fn forward_answers(control: Control) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            match line {
                // Text typed while no question is open is thrown away: it was not meant for the next one.
                Ok(line) => drop(control.answer(line.trim())),
                Err(_) => return,
            }
        }
        tracing::warn!("this terminal gives no more answers: the question waits for one from the dashboard");
    });
}
