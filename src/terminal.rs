//! The output of a run at the terminal: a banner, progress bars or plain lines, questions, a summary. It reads only
//! the events of the run, and controls the run only through [`Control`].

mod bars;
mod closable;
mod colours;
mod findings;
mod lines;
mod night;
pub(crate) mod output;
mod results;
mod summary;
mod table;

use std::io::{BufRead, ErrorKind, IsTerminal};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use crate::run::control::Control;
use crate::run::events::{Emitted, RunEvent};
use crate::run::state::status::RunStatus;

pub use crate::units::duration;
pub use bars::LogWriter;
pub use findings::tell_findings;
pub use night::{Active, Ended, Night};
pub use output::end as end_of_output;
pub use summary::summary;
pub use table::{table, table_with, width};

/// Events that follow each other within this time are shown together.
const PAUSE: Duration = Duration::from_millis(10);

/// The end of a line about values that may be simulated; empty for a real instrument.
#[must_use]
pub fn simulated_mark(simulated: bool) -> &'static str {
    if simulated { "  SIMULATED" } else { "" }
}

/// How much of a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Detail {
    /// Only warnings, faults and questions.
    Quiet,
    /// Also the results.
    Results,
    /// Also each step and file.
    Steps,
}

/// The style in which a run is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Progress bars, redrawn in place; `steps`: also a line for each step.
    Bars {
        /// Whether each step has a line.
        steps: bool,
    },
    /// One line per event.
    Lines,
    /// One JSON object per event, as in the journal.
    Json,
    /// Only warnings and questions.
    Quiet,
}

impl Style {
    /// The style for stderr and the options of the user; `steps`: the user wants to see each step.
    #[must_use]
    pub fn choose(json: bool, quiet: bool, steps: bool) -> Self {
        match (json, quiet) {
            (true, _) => Self::Json,
            (false, true) => Self::Quiet,
            (false, false) if std::io::stderr().is_terminal() => Self::Bars { steps },
            (false, false) => Self::Lines,
        }
    }
}

/// What the end of standard input means for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AtEof {
    /// Standard input has no more answers, and the run continues. The page can still answer.
    Continue,
    /// The same without a page: no one can answer any more.
    Leave,
    /// The program that started the run has ended, so the run stops.
    Stop,
}

impl AtEof {
    /// What the end of standard input means for a run with or without a page.
    #[must_use]
    pub fn with_page(self, has_page: bool) -> Self {
        if self == Self::Continue && !has_page { Self::Leave } else { self }
    }
}

/// Shows a run on stderr until its events end, and returns its final state. `status` is its state before these
/// events.
pub fn show(
    (style, at_eof): (Style, AtEof),
    log: &LogWriter,
    records: &mpsc::Receiver<Arc<Emitted>>,
    control: &Control,
    status: RunStatus,
) -> RunStatus {
    let view: Box<dyn View> = match style {
        Style::Bars { steps } => Box::new(bars::Bars::new(log, steps)),
        Style::Lines => Box::new(lines::Lines::new(Detail::Steps)),
        Style::Quiet => Box::new(lines::Lines::new(Detail::Quiet)),
        Style::Json => Box::new(lines::JsonLines::default()),
    };
    show_with((view, at_eof), records, control, status)
}

fn show_with(
    (mut view, at_eof): (Box<dyn View>, AtEof),
    records: &mpsc::Receiver<Arc<Emitted>>,
    control: &Control,
    mut status: RunStatus,
) -> RunStatus {
    let mut reads_input = at_eof == AtEof::Stop;
    if reads_input {
        read_input(control.clone(), at_eof);
    }
    let mut waited = PAUSE;
    while let Ok(record) = next(records, &mut waited, view.as_mut()) {
        status.apply(&record);
        view.take(&record, &status);
        // Otherwise, stdin is not used before the first question.
        if matches!(record.event, RunEvent::Question { .. }) && !reads_input {
            reads_input = true;
            read_input(control.clone(), at_eof);
        }
    }
    view.close();
    status
}

/// The next event. When events come quickly, those of a moment are shown together: waking this thread for each of them would
/// slow the run. `waited` is how long the thread waited for the last one.
fn next(
    records: &mpsc::Receiver<Arc<Emitted>>,
    waited: &mut Duration,
    view: &mut dyn View,
) -> Result<Arc<Emitted>, mpsc::RecvError> {
    if let Ok(record) = records.try_recv() {
        return Ok(record);
    }
    view.flush();
    if *waited < PAUSE {
        std::thread::sleep(PAUSE);
    }
    let began = Instant::now();
    let record = records.recv();
    *waited = began.elapsed();
    record
}

/// A style of showing events.
trait View {
    fn take(&mut self, record: &Emitted, status: &RunStatus);
    /// Prints what it has gathered.
    fn flush(&mut self) {}
    fn close(&mut self) {}
}

/// Reads stdin on a thread. Each line answers the open question.
fn read_input(control: Control, at_eof: AtEof) {
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            match line {
                // Text typed without an open question is discarded, so that it does not answer the next one.
                Ok(line) => drop(control.answer(line.trim())),
                // Text that is not UTF-8 is no answer.
                Err(error) if error.kind() == ErrorKind::InvalidData => {}
                Err(_) => break,
            }
        }
        match at_eof {
            AtEof::Continue => {
                tracing::warn!("this terminal accepts no more input: answer the question on the dashboard");
            }
            AtEof::Leave => {
                tracing::warn!(
                    "standard input has ended, and there is no dashboard: questions take their `unattended` answer"
                );
                control.leave();
            }
            AtEof::Stop => control.stop("the program that started the run has ended"),
        }
    });
}
