//! Shows a run as plain lines for logs and pipes, or as JSON lines for programs.

use indicatif::HumanBytes;

use super::colours::Colours;
use super::{Detail, View, duration, results};
use crate::measurement::Age;
use crate::operation::Surroundings;
use crate::run::events::{Activity, AfterFault, Emitted, RunEvent};
use crate::run::state::status::RunStatus;
use crate::shown;
use crate::step::{FaultKind, Step};
use crate::store::{InstrumentRecord, NamedRecord, RunState};
use crate::terminal::output::print_coloured;

/// Lines that are printed together: a system call for each of them would slow a quick run.
#[derive(Default)]
struct Gathered(String);

/// The number of bytes after which lines are printed.
const MANY: usize = 8 << 10;

impl Gathered {
    /// Adds a line that is escaped already.
    fn push(&mut self, line: &str) {
        self.0.push_str(line);
        self.0.push('\n');
        if self.0.len() >= MANY {
            self.print();
        }
    }

    fn print(&mut self) {
        print_coloured(format_args!("{}", self.0));
        self.0.clear();
    }
}

pub(super) struct Lines {
    detail: Detail,
    colours: Colours,
    gathered: Gathered,
}

impl Lines {
    pub(super) fn new(detail: Detail) -> Self {
        Self { detail, colours: Colours::of_stderr(), gathered: Gathered::default() }
    }
}

impl View for Lines {
    fn take(&mut self, record: &Emitted, status: &RunStatus) {
        for text in text(&record.event, status, self.detail, self.colours) {
            self.gathered.push(&text);
        }
    }

    fn flush(&mut self) {
        self.gathered.print();
    }
}

/// Prints the lines of the journal, with progress events.
#[derive(Default)]
pub(super) struct JsonLines {
    gathered: Gathered,
}

impl View for JsonLines {
    fn take(&mut self, record: &Emitted, _: &RunStatus) {
        self.gathered.push(&shown::json(record.json()));
    }

    fn flush(&mut self) {
        self.gathered.print();
    }
}

/// The lines for an event. Everything in them is escaped.
pub(super) fn text(event: &RunEvent, status: &RunStatus, detail: Detail, colours: Colours) -> Vec<String> {
    let line = line(event, status, detail).map(|text| {
        let text = shown::visible(&text);
        if needs_attention(event) { colours.warning(&text) } else { text.into_owned() }
    });
    let result = results::of_event(event, status, colours).filter(|_| detail >= Detail::Results);
    line.into_iter().chain(result).collect()
}

/// Whether the event tells about something that may be wrong.
fn needs_attention(event: &RunEvent) -> bool {
    matches!(
        event,
        RunEvent::Warning { .. }
            | RunEvent::LinkLost { .. }
            | RunEvent::DiskFull { .. }
            | RunEvent::Suspended { .. }
            | RunEvent::Stopping { .. }
            | RunEvent::StepFailed { .. }
    ) || matches!(event, RunEvent::LasersOff { unknown, .. } if !unknown.is_empty())
        || matches!(event, RunEvent::InstrumentsSafe { unknown, .. } if !unknown.is_empty())
}

/// The line for an event; `None` for an event without one at this detail.
fn line(event: &RunEvent, status: &RunStatus, wanted: Detail) -> Option<String> {
    let detail = |text: String| Some(text).filter(|_| wanted >= Detail::Results);
    let told = |text: String| Some(text).filter(|_| wanted >= Detail::Steps);
    match event {
        RunEvent::Question { message, choices, .. } => Some(question(message, choices)),
        RunEvent::Warning { message } => Some(format!("warning: {message}")),
        RunEvent::LinkLost { reason } => Some(format!("connection lost: {reason}")),
        RunEvent::DiskFull { free_bytes, needed_bytes, wait_s } => {
            Some(no_room(*free_bytes, *needed_bytes, *wait_s))
        }
        RunEvent::Suspended { condition } => Some(format!("suspended: {condition}")),
        RunEvent::SuspensionOver => Some("the run continues after its suspension".to_owned()),
        RunEvent::Stopping { reason } => Some(format!("stopping: {reason}")),
        // `Stopping` has a line already.
        RunEvent::StepFailed { fault, .. } if fault.kind == FaultKind::Stopped => None,
        RunEvent::StepFailed { fault, then, .. } => {
            let hint = fault.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
            let then = match then {
                AfterFault::Retry { after_s } => format!("; next attempt in {}", duration(*after_s)),
                AfterFault::Continue => "; the run continues".to_owned(),
                AfterFault::Raise => String::new(),
            };
            Some(format!("fault: {fault}{hint}{then}"))
        }
        RunEvent::Started { instrument, instruments, .. } => {
            detail(format!("{}{}", banner(instrument), named(instruments)))
        }
        RunEvent::RunResumed { steps, removed, .. } => {
            let banner =
                status.instrument.as_ref().map(|instrument| banner(instrument) + "\n").unwrap_or_default();
            let banner = format!("{banner}{}", named(&status.instruments).trim_start());
            let banner = if banner.is_empty() || banner.ends_with('\n') { banner } else { banner + "\n" };
            let count = status.operations.map(|count| format!(" of {count}")).unwrap_or_default();
            let gone = removed
                .iter()
                .map(|file| format!("\n      {file} was never finished or was withdrawn: deleted"));
            detail(format!(
                "{banner}resumed after {steps}{count} {}{}",
                if *steps == 1 && count.is_empty() { "step" } else { "steps" },
                gone.collect::<String>()
            ))
        }
        RunEvent::SweepRepeated { files, .. } => detail(format!("repeated for {}:", files.join(", "))),
        RunEvent::TraceWithdrawn { file, reason, .. } => detail(format!("      {file} withdrawn: {reason}")),
        RunEvent::WaitsUntil { until, .. } => {
            detail(format!("      until {}", until.with_timezone(&chrono::Local).to_rfc3339()))
        }
        RunEvent::StepStarted { number, attempt, step, .. } => {
            let of = status.operations.map(|count| format!("/{count}")).unwrap_or_default();
            let again = if *attempt > 1 { format!(" (attempt {attempt})") } else { String::new() };
            told(format!("[{number}{of}] {}{again}", describe(step, &status.around)))
        }
        RunEvent::ReferenceTaken { reference, why, .. } => {
            let why =
                why.as_ref().map(|why| format!("; the one before was not used: {why}")).unwrap_or_default();
            let name = status.around.name(reference.detector);
            detail(format!("      reference of {name} taken: {}{why}", reference.name()))
        }
        RunEvent::ReferenceUsed { reference, age_s, drift_db, .. } => {
            let age = age_s.map(|seconds| format!(", {} old", Age { seconds })).unwrap_or_default();
            // A drift that rounds to zero has no sign.
            let drift = drift_db.map(|drift| (drift * 100.0).round() / 100.0 + 0.0);
            let drift = drift.map(|drift| format!(", drift {drift} dB")).unwrap_or_default();
            let run = reference.run.as_ref().map(|run| format!(", from run {run}")).unwrap_or_default();
            detail(format!(
                "      reference of {} used: {}{age}{drift}{run}",
                status.around.name(reference.detector),
                reference.name()
            ))
        }
        RunEvent::TraceStored { trace } => {
            told(format!("      {} ({})", trace.file, shown::counted(trace.grid.points, "point")))
        }
        RunEvent::Answered { answer, by_operator: false, .. } => {
            detail(format!("      unattended: `{answer}`"))
        }
        RunEvent::Log { message } => detail(format!("      {}", shown::indented(message))),
        RunEvent::LinkRegained { after_s } => {
            detail(format!("connection restored after {}", duration(*after_s)))
        }
        RunEvent::DiskSpaceAgain { after_s, .. } => {
            detail(format!("there is enough disk space again, after {}", duration(*after_s)))
        }
        RunEvent::Finally => told("finally".to_owned()),
        RunEvent::LasersOff { off, unknown } => match (off.as_slice(), unknown.as_slice()) {
            ([], []) => None,
            (off, []) => detail(format!("{} off", lasers(off, "", ""))),
            (_, unknown) => {
                let lasers = lasers(unknown, "is", "are");
                Some(format!("warning: could not confirm that {lasers} off: check the instrument"))
            }
        },
        RunEvent::InstrumentsSafe { safe, unknown } => match (safe.as_slice(), unknown.as_slice()) {
            ([], []) => None,
            (safe, []) => detail(format!("{} safe", safe.join(", "))),
            (_, unknown) => Some(format!(
                "warning: could not confirm that these instruments are safe: {}; check them",
                shown::one_line(&unknown.join(", "))
            )),
        },
        // The summary says how the run has ended.
        RunEvent::Finished { state, reason, .. } => told(finish(*state, reason.as_deref())),
        RunEvent::Answered { .. }
        | RunEvent::PowerStored { .. }
        | RunEvent::PowerWithdrawn { .. }
        | RunEvent::Decided { .. }
        | RunEvent::SettingsRead { .. }
        | RunEvent::Progress { .. }
        | RunEvent::ColumnsDecided { .. }
        | RunEvent::StepFinished { .. }
        | RunEvent::Now { .. }
        | RunEvent::Paused
        | RunEvent::LasersPaused { .. }
        | RunEvent::PauseEnded { .. } => None,
    }
}

fn no_room(free: Option<u64>, needed: u64, wait_s: f64) -> String {
    let free = free.map(|free| format!(", {} are free", HumanBytes(free))).unwrap_or_default();
    let (needed, wait) = (HumanBytes(needed), duration(wait_s));
    format!("warning: not enough disk space: {needed} are needed{free}; waiting for space for {wait}")
}

fn lasers(numbers: &[u8], is: &str, are: &str) -> String {
    let list: Vec<String> = numbers.iter().map(u8::to_string).collect();
    let (noun, verb) = if numbers.len() == 1 { ("laser", is) } else { ("lasers", are) };
    format!("{noun} {} {verb}", list.join(", ")).trim_end().to_owned()
}

pub(super) fn finish(state: RunState, reason: Option<&str>) -> String {
    reason.map_or_else(|| state.to_string(), |reason| format!("{state}: {reason}"))
}

pub(super) fn question(message: &str, choices: &[String]) -> String {
    let message = shown::indented(message);
    if choices.is_empty() {
        return format!("? {message} [press Enter to continue]");
    }
    format!("? {message} [{}]", choices.join(" / "))
}

/// A banner that names the instrument. It makes clear when the instrument is simulated.
pub(super) fn banner(instrument: &InstrumentRecord) -> String {
    if !instrument.simulated {
        return format!("instrument {} at {}", instrument.identity, instrument.address);
    }
    let text = "SIMULATED INSTRUMENT: no light, no device; all values below are computed";
    let rule = "=".repeat(text.len() + 4);
    format!("{rule}\n  {text}\n{rule}")
}

/// A line for each named instrument. Each says whether it is a real one.
fn named(instruments: &[NamedRecord]) -> String {
    let line = |known: &NamedRecord| {
        let NamedRecord { name, address, simulated, identity } = known;
        let kind = if *simulated { "simulated" } else { "a real instrument" };
        let identity = identity.as_deref().unwrap_or("no identity");
        format!("\n{}", shown::one_line(&format!("{name}: {identity} at {address} ({kind})")))
    };
    instruments.iter().map(line).collect()
}

/// A step as written in the recipe, with the names of detectors, preceded by its loop values.
pub(super) fn describe(step: &Step, around: &Surroundings) -> String {
    shown::one_line(&format!("{}{}", step.place.turns(), step.operation.named(around))).into_owned()
}

/// The text for an activity in progress.
pub(super) fn activity(activity: Activity) -> &'static str {
    match activity {
        Activity::Sweep => "sweep",
        Activity::Reference => "reference",
        Activity::Transfer => "transfer",
        Activity::Wait => "wait",
        Activity::Power => "power",
    }
}
