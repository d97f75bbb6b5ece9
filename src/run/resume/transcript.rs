//! The transcript of a run: the requests of its recipe and their results, folded from the journal. Only a resumed run
//! needs a transcript, to replay it to the recipe.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::local_time::Moment;
use crate::measurement::TraceSummary;
use crate::operation::Effect;
use crate::run::events::{AfterFault, RunEvent};
pub use crate::run::resume::performed::Performed;
use crate::run::state::history::History;
use crate::step::{Fault, FaultKind, Now, Outcome, RunTime, Step};
use crate::store::PowerSegment;

/// A request of the recipe, with its result.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// A step.
    Step(Box<Performed>),
    /// The time.
    Now(Now),
}

/// The journal of a run, read for resuming it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transcript {
    /// The history of the steps that hold.
    pub history: History,
    /// The requests of the recipe outside its `finally`, in order.
    pub asked: Vec<Asked>,
    /// Every stored trace, those of `finally` too.
    pub stored: Vec<TraceSummary>,
    /// Files that were withdrawn and not stored again.
    pub withdrawn: BTreeSet<String>,
    /// Stored segments of power.
    pub segments: Vec<PowerSegment>,
    /// Duration of the run so far, s, all its processes together.
    pub elapsed_s: f64,
    /// Attempts at steps that are repeated, by place.
    attempts: BTreeMap<String, u32>,
    /// Steps after the holding part that were done and must not be repeated, by place.
    pub held: BTreeMap<String, Performed>,
    /// Times until which steps after the holding part waited, by place.
    moments: BTreeMap<String, DateTime<Utc>>,
    /// Earlier steps are being repeated, to replace damaged traces.
    repairing: bool,
}

impl Transcript {
    /// Takes one more event into account.
    pub fn apply(&mut self, event: &RunEvent) {
        if let RunEvent::RunResumed { replayed, .. } = event {
            self.keep(usize::try_from(*replayed).unwrap_or(usize::MAX));
            self.repairing = false;
        }
        self.history.apply(event);
        match event {
            RunEvent::SweepRepeated { .. } => self.repairing = true,
            RunEvent::StepStarted { number, attempt, step, .. } => self.begin(*number, *attempt, step),
            RunEvent::StepFinished { number, outcome, .. } => self.end(*number, Ok(outcome.clone())),
            RunEvent::StepFailed { number, fault, then } => self.fail(*number, fault, *then),
            RunEvent::Answered { number, answer, .. } => {
                let asks = |step: &&mut Performed| step.step.operation.traits().is_prompt();
                if self.step(*number).as_ref().is_some_and(asks) {
                    self.end(*number, Ok(Outcome::Answer(answer.clone())));
                }
            }
            RunEvent::Decided { number, outcome } => {
                if let Some(step) = self.step(*number) {
                    (step.open, step.fault) = (false, None);
                    step.told = outcome.clone().map(Ok);
                }
            }
            RunEvent::SettingsRead { number, at_beginning: false, commands } => {
                let is_over = self.history.current() != *number;
                if let Some(step) = self.step(*number) {
                    let is_after = is_over && step.is_done();
                    let read = if is_after { &mut step.settings_read_after } else { &mut step.settings_read };
                    read.extend_from_slice(commands);
                }
            }
            RunEvent::WaitsUntil { number, until } => {
                if let Some(step) = self.step(*number) {
                    step.until = Some(*until);
                }
            }
            RunEvent::TraceStored { trace } => {
                self.withdrawn.remove(&trace.file);
                self.stored.push(trace.clone());
                let current = self.history.current();
                if let Some(step) = self.step(current) {
                    step.traces.push(trace.clone());
                }
            }
            RunEvent::TraceWithdrawn { file, trace_index, .. } => {
                self.stored.retain(|trace| trace.file != *file);
                self.withdrawn.insert(file.clone());
                for step in self.asked.iter_mut().filter_map(Asked::step_mut) {
                    step.traces.retain(|trace| trace.file != *file);
                    step.is_stale |= step.analysis().is_some_and(|known| known.rests_on(*trace_index));
                }
            }
            RunEvent::PowerStored { segment } => {
                self.withdrawn.remove(&segment.file);
                self.segments.push(segment.clone());
            }
            RunEvent::PowerWithdrawn { file, .. } => self.withdraw_power(file),
            RunEvent::Now { time_s, ahead_s } if !self.history.in_finally => {
                let wall = Moment { time_s: *time_s, ahead_s: *ahead_s };
                let run = RunTime { elapsed_s: self.elapsed_s, process: self.history.resumed };
                self.asked.push(Asked::Now(Now { wall, run }));
            }
            RunEvent::Started { .. }
            | RunEvent::RunResumed { .. }
            | RunEvent::SettingsRead { at_beginning: true, .. }
            | RunEvent::ReferenceTaken { .. }
            | RunEvent::ReferenceUsed { .. }
            | RunEvent::ColumnsDecided { .. }
            | RunEvent::Progress { .. }
            | RunEvent::Question { .. }
            | RunEvent::Log { .. }
            | RunEvent::Warning { .. }
            | RunEvent::Now { .. }
            | RunEvent::LinkLost { .. }
            | RunEvent::LinkRegained { .. }
            | RunEvent::Paused
            | RunEvent::LasersPaused { .. }
            | RunEvent::PauseEnded { .. }
            | RunEvent::DiskFull { .. }
            | RunEvent::DiskSpaceAgain { .. }
            | RunEvent::Suspended { .. }
            | RunEvent::SuspensionOver
            | RunEvent::Stopping { .. }
            | RunEvent::Finally
            | RunEvent::LasersOff { .. }
            | RunEvent::InstrumentsSafe { .. }
            | RunEvent::Finished { .. } => {}
        }
    }

    fn begin(&mut self, number: u64, attempt: u32, step: &Arc<Step>) {
        if self.history.in_finally {
            return;
        }
        let repairing = self.repairing;
        match self.step(number) {
            // A step that holds still holds while its files are replaced.
            Some(known) if repairing => known.attempt = known.attempt.max(attempt),
            Some(known) => (known.open, known.attempt) = (true, attempt),
            None => {
                self.repairing = false;
                let mut performed = Performed::new(Arc::clone(step), number, attempt);
                if let Some(held) = self.held.get(&place(step)).filter(|held| same(&held.step, step)) {
                    (performed.open, performed.told) = (false, held.told.clone());
                }
                self.insert(performed);
            }
        }
    }

    fn fail(&mut self, number: u64, fault: &Fault, then: AfterFault) {
        if self.repairing {
            return;
        }
        if let Some(step) = self.step(number) {
            step.fault = Some(fault.clone());
            // A step that was done, and is repeated for a later step, stays open until it is done again.
            step.open = step.told.is_some() && matches!(then, AfterFault::Retry { .. });
            step.told = step.told.take().or_else(|| match then {
                _ if fault.kind == FaultKind::Stopped => None,
                AfterFault::Retry { .. } => None,
                AfterFault::Continue => Some(Ok(Outcome::Failed(fault.clone()))),
                AfterFault::Raise => Some(Err(fault.clone())),
            });
        }
    }

    /// A step outside `finally`. Numbers increase with the order of the requests, so the search begins at the end.
    fn step(&mut self, number: u64) -> Option<&mut Performed> {
        if self.history.in_finally {
            return None;
        }
        self.asked.iter_mut().rev().filter_map(Asked::step_mut).find(|step| step.number == number)
    }

    fn end(&mut self, number: u64, told: Result<Outcome, Fault>) {
        if let Some(step) = self.step(number) {
            (step.open, step.is_stale) = (false, false);
            if let (Some(_), Ok(Outcome::Analysis(repeated))) = (&step.told, &told) {
                step.repeated = Some((**repeated).clone());
            }
            step.told.get_or_insert(told);
        }
    }

    /// A segment of power is missing.
    pub fn withdraw_power(&mut self, file: &str) {
        let known = self.segments.len();
        self.segments.retain(|segment| segment.file != file);
        if self.segments.len() < known {
            self.withdrawn.insert(file.to_owned());
        }
    }

    /// Keeps the first `count` requests. The others are repeated.
    pub fn keep(&mut self, count: usize) {
        for again in self.asked.drain(count.min(self.asked.len())..) {
            if let Asked::Step(step) = again {
                let place = place(&step.step);
                self.attempts.insert(place.clone(), step.attempt);
                self.moments.extend(step.until.map(|until| (place.clone(), until)));
                // A check of a condition is always made anew.
                let probes = step.step.place.is_in_suspension();
                if step.is_done() && step.step.operation.traits().effect == Effect::Ask && !probes {
                    self.held.insert(place, *step);
                }
            }
        }
        self.history = self.history.rewound(self.steps().flat_map(Performed::events));
    }

    /// Inserts a step in the order of the requests. Readings that are held back are recorded after later steps.
    fn insert(&mut self, step: Performed) {
        let later = |asked: &Asked| asked.step().is_some_and(|known| known.number > step.number);
        let at = self.asked.iter().rposition(|asked| !later(asked)).map_or(0, |at| at + 1);
        self.asked.insert(at, Asked::Step(Box::new(step)));
    }

    /// How many requests hold: those before the first step that was not done or not recorded.
    #[must_use]
    pub fn done(&self) -> usize {
        let mut next = 1;
        let open = self.asked.iter().position(|asked| {
            asked.step().is_some_and(|step| {
                let is_next = step.number == next;
                next = step.number + 1;
                !is_next || !step.is_done()
            })
        });
        open.unwrap_or(self.asked.len())
    }

    /// The time until which a step waited when it was interrupted.
    #[must_use]
    pub fn until(&self, step: &Step) -> Option<DateTime<Utc>> {
        at(&self.moments, step).copied()
    }

    /// The run has failed with this step, so the step is repeated.
    pub fn let_go(&mut self, step: &Step) {
        self.held.remove(&place(step));
    }

    /// The result of a step that was done and must not be repeated.
    #[must_use]
    pub fn held(&self, step: &Step) -> Option<Result<Outcome, Fault>> {
        at(&self.held, step).filter(|held| same(&held.step, step)).and_then(|held| held.told.clone())
    }

    /// Attempts at a step that is repeated.
    #[must_use]
    pub fn attempts(&self, step: &Step) -> u32 {
        at(&self.attempts, step).copied().unwrap_or(0)
    }

    /// The steps among what was asked.
    pub fn steps(&self) -> impl DoubleEndedIterator<Item = &Performed> {
        self.asked.iter().filter_map(Asked::step)
    }

    /// The files that its journal says are there.
    #[must_use]
    pub fn files(&self) -> BTreeSet<String> {
        let traces = self.stored.iter().map(|trace| trace.file.clone());
        traces.chain(self.segments.iter().map(|segment| segment.file.clone())).collect()
    }

    /// Traces that belong to no step that holds.
    #[must_use]
    pub fn left_over(&self) -> Vec<TraceSummary> {
        let held: BTreeSet<&str> =
            self.steps().flat_map(|step| &step.traces).map(|trace| trace.file.as_str()).collect();
        self.stored.iter().filter(|trace| !held.contains(trace.file.as_str())).cloned().collect()
    }
}

impl Asked {
    /// The step, where it is one.
    #[must_use]
    pub fn step(&self) -> Option<&Performed> {
        match self {
            Self::Step(step) => Some(step),
            Self::Now(_) => None,
        }
    }

    fn step_mut(&mut self) -> Option<&mut Performed> {
        match self {
            Self::Step(step) => Some(step),
            Self::Now(_) => None,
        }
    }
}

/// A step's place and turns: its key in the journal.
fn place(step: &Step) -> String {
    let turns: Vec<String> = step.place.loops.iter().map(|turn| turn.index.to_string()).collect();
    format!("{} {}", step.place.path, turns.join(","))
}

/// What is known of a step by its place. A run that was never interrupted knows nothing, and the key takes time.
fn at<'a, T>(known: &'a BTreeMap<String, T>, step: &Step) -> Option<&'a T> {
    if known.is_empty() { None } else { known.get(&place(step)) }
}

/// Whether it is the same step. The file's name is left out: the recipe may be read from another folder.
pub(in crate::run) fn same(recorded: &Step, asked: &Step) -> bool {
    recorded.operation == asked.operation
        && recorded.options == asked.options
        && recorded.place.path == asked.place.path
        && recorded.place.loops == asked.place.loops
}

#[cfg(test)]
mod tests;
