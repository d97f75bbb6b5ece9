//! The state of a run as a pure fold over its events: what the terminal and the sidecar show.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;

use crate::measurement::{Detector, Extreme, TraceKind, TraceSummary};
use crate::operation::Surroundings;
use crate::run::events::{Activity, AfterFault, Record, RunEvent};
use crate::run::state::counts::Counts;
use crate::run::state::tree::{StepState, StepTree};
use crate::run::state::verdicts::Verdicts;
use crate::step::Step;
use crate::store::{InstrumentRecord, NamedRecord, RunState};

/// A status lists at most this many traces, and counts the others.
const LISTED_TRACES: usize = 20;

/// A status keeps at most this many warnings: the last ones.
const KEPT_WARNINGS: usize = 20;

/// A question that waits for the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Question {
    /// The number of the step that asks.
    pub number: u64,
    /// The question.
    pub message: String,
    /// The allowed answers; if empty, any answer.
    pub choices: Vec<String>,
    /// When the question is given up; null: it waits for an answer without limit.
    pub until: Option<DateTime<Utc>>,
}

/// The current activity of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct CurrentStep {
    /// Its number within the run, from 1.
    pub number: u64,
    /// Counts the attempts, from 1.
    pub attempt: u32,
    /// The step.
    pub step: Arc<Step>,
    /// The activity that takes time.
    pub activity: Option<Activity>,
    /// Share done, 0 to 1.
    pub done: Option<f64>,
    /// Time left, s.
    pub remaining_s: Option<f64>,
}

/// The deepest or highest point over the traces of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct Highlight {
    /// Level and wavelength.
    #[serde(flatten)]
    pub extreme: Extreme,
    /// The detector.
    pub detector: Detector,
    /// The number of the trace within the run.
    pub trace_index: u64,
}

impl Highlight {
    fn told(&self, extreme: Extreme, detector: &str) -> String {
        format!("{} {} on {detector} (trace {})", extreme.level("dB"), extreme.place(), self.trace_index)
    }
}

/// The status of a run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RunStatus {
    /// The run's identifier.
    pub run: String,
    /// The recipe's name.
    pub name: String,
    /// The run folder.
    pub folder: String,
    /// The state of the run; `None` before it has started.
    pub state: Option<RunState>,
    /// The reason of the state, if it is not `done`.
    pub reason: Option<String>,
    /// The instrument.
    pub instrument: Option<InstrumentRecord>,
    /// Expected number of operations.
    pub operations: Option<u64>,
    /// Expected time, s.
    pub estimated_s: Option<f64>,
    /// Number of steps that have ended, failed ones included.
    pub finished_steps: u64,
    /// Number of steps that failed and were passed over.
    pub failed_steps: u64,
    /// Number of attempts that failed and were repeated.
    pub retries: u64,
    /// The step in progress.
    pub current: Option<CurrentStep>,
    /// The step that ended last.
    pub last: Option<CurrentStep>,
    /// Expected time of the steps that have ended, s. The remaining time is computed from it.
    pub finished_estimate_s: f64,
    /// Number of stored traces.
    pub traces: u64,
    /// Number of stored power readings.
    pub readings: u64,
    /// The number of the last event.
    pub events: u64,
    /// The first traces.
    pub first_traces: Vec<TraceSummary>,
    /// The highest transmission over all TF traces: the lowest insertion loss, with the opposite sign.
    pub highest_tf: Option<Highlight>,
    /// The lowest transmission over all TF traces with dips. In a trace with peaks, the lowest point has no meaning.
    pub deepest_tf: Option<Highlight>,
    /// The verdicts on figures.
    pub verdicts: Verdicts,
    /// Lasers that could not be confirmed off at the end.
    pub lasers_unknown: Vec<u8>,
    /// The named instruments that the recipe is known to use.
    pub instruments: Vec<NamedRecord>,
    /// Instruments on the bench that could not be confirmed safe at the end.
    pub instruments_unknown: Vec<String>,
    /// When the run began.
    pub started: Option<DateTime<Utc>>,
    /// When the run ended.
    pub finished: Option<DateTime<Utc>>,
    /// When the last event was recorded, and how long the run had lasted then, s. Journals of older programs lack this time.
    pub last_event: Option<(DateTime<Utc>, Option<f64>)>,
    /// Whether the run is paused.
    pub held: bool,
    /// What the run waits for, other than the operator.
    pub waiting: Option<String>,
    /// The question that waits for an answer.
    pub question: Option<Question>,
    /// The last warnings and faults.
    pub warnings: VecDeque<String>,
    /// The state of each step.
    pub tree: StepTree,
    /// How often the run was resumed.
    pub taken_up: u64,
    /// The names of the detectors, and the settings that the words of a step depend on.
    pub around: Surroundings,
    current_estimate_s: f64,
    /// The counts of steps and traces.
    counts: Counts,
    /// The highest point of each TF trace and, if it has dips, the lowest point, by the number of the trace.
    extremes: BTreeMap<u64, (Option<Highlight>, Option<Highlight>)>,
}

impl RunStatus {
    /// Takes one more event into account.
    pub fn apply(&mut self, record: &Record) {
        self.verdicts.apply(&record.event);
        match &record.event {
            RunEvent::Started {
                run,
                name,
                folder,
                instrument,
                instruments,
                operations,
                estimated_s,
                outline,
                detectors,
            } => {
                *self = Self {
                    run: run.clone(),
                    name: name.clone(),
                    folder: folder.clone(),
                    state: Some(RunState::Running),
                    instrument: Some(instrument.clone()),
                    instruments: instruments.clone(),
                    operations: *operations,
                    estimated_s: *estimated_s,
                    started: Some(record.time),
                    tree: StepTree::foresee(outline),
                    around: Surroundings::new(detectors),
                    ..Self::default()
                };
            }
            RunEvent::StepStarted { number, attempt, step, estimated_s } => {
                self.current_estimate_s = estimated_s.unwrap_or(0.0);
                self.around.take(&step.operation);
                self.tree.begin(step, *attempt == 1, &self.around);
                self.current = Some(CurrentStep {
                    number: *number,
                    attempt: *attempt,
                    step: step.clone(),
                    activity: None,
                    done: None,
                    remaining_s: *estimated_s,
                });
            }
            RunEvent::Progress { activity, done, remaining_s, .. } => {
                if let Some(current) = &mut self.current {
                    current.activity = Some(*activity);
                    current.done = *done;
                    current.remaining_s = *remaining_s;
                }
            }
            RunEvent::RunResumed { .. } => self.resume(),
            RunEvent::TraceStored { trace } => self.take_trace(trace),
            RunEvent::TraceWithdrawn { trace_index, file, .. } => {
                self.first_traces.retain(|trace| trace.file != *file);
                self.extremes.remove(trace_index);
                self.look_for_highlights();
            }
            RunEvent::StepFinished { .. } => self.finish_step(StepState::Done),
            RunEvent::StepFailed { then, fault, .. } => {
                self.warn(&fault.message);
                self.question = None;
                match then {
                    AfterFault::Retry { .. } => {}
                    AfterFault::Continue | AfterFault::Raise => self.finish_step(StepState::Failed),
                }
            }
            RunEvent::Question { number, message, choices, until } => {
                let (message, choices) = (message.clone(), choices.clone());
                self.question = Some(Question { number: *number, message, choices, until: *until });
            }
            RunEvent::Answered { .. } => self.question = None,
            RunEvent::Paused => self.held = true,
            RunEvent::PauseEnded { .. } => self.held = false,
            RunEvent::DiskFull { .. } => self.waiting = Some("disk space".to_owned()),
            RunEvent::Suspended { condition } => self.waiting = Some(format!("the end of {condition}")),
            RunEvent::DiskSpaceAgain { .. } | RunEvent::SuspensionOver => self.waiting = None,
            RunEvent::Stopping { .. } | RunEvent::Finally => (self.held, self.waiting) = (false, None),
            RunEvent::Warning { message } => self.warn(message),
            RunEvent::LinkLost { reason } => self.warn(&format!("connection lost: {reason}")),
            RunEvent::LasersOff { unknown, .. } => self.lasers_unknown.clone_from(unknown),
            RunEvent::InstrumentsSafe { unknown, .. } => self.instruments_unknown.clone_from(unknown),
            RunEvent::Finished { state, reason, .. } => {
                self.state = Some(*state);
                self.reason.clone_from(reason);
                self.finished = Some(record.time);
                self.close();
            }
            RunEvent::PowerStored { segment } => self.readings += segment.rows,
            RunEvent::PowerWithdrawn { rows, .. } => self.readings = self.readings.saturating_sub(*rows),
            RunEvent::SweepRepeated { .. }
            | RunEvent::Decided { .. }
            | RunEvent::SettingsRead { .. }
            | RunEvent::ReferenceTaken { .. }
            | RunEvent::ReferenceUsed { .. }
            | RunEvent::WaitsUntil { .. }
            | RunEvent::ColumnsDecided { .. }
            | RunEvent::Log { .. }
            | RunEvent::Now { .. }
            | RunEvent::LinkRegained { .. }
            | RunEvent::LasersPaused { .. } => {}
        }
        self.counts.apply(&record.event);
        let Counts { ended, passed_over, retries, traces, ended_estimate_s, .. } = self.counts;
        (self.finished_steps, self.failed_steps) = (ended, passed_over);
        (self.retries, self.traces, self.finished_estimate_s) = (retries, traces, ended_estimate_s);
        self.events = self.events.max(record.n);
        self.last_event = Some((record.time, record.elapsed_s));
    }

    /// How long the run has lasted, s: until its end, else until now.
    ///
    /// The clock of the computer may be set during a run, so it only counts since the last event.
    #[must_use]
    pub fn elapsed_s(&self, now: DateTime<Utc>) -> Option<f64> {
        let until = self.finished.unwrap_or(now);
        let (since, before_s) = match self.last_event {
            Some((time, Some(elapsed_s))) => (time, elapsed_s),
            Some((_, None)) | None => (self.started?, 0.0),
        };
        Some(before_s + (until - since).as_seconds_f64().max(0.0))
    }

    /// The process of the run is gone, so nothing is in progress any more.
    pub fn close(&mut self) {
        self.current = None;
        self.question = None;
        (self.held, self.waiting) = (false, None);
        self.tree.close();
    }

    fn warn(&mut self, message: &str) {
        self.warnings.push_back(message.to_owned());
        if self.warnings.len() > KEPT_WARNINGS {
            self.warnings.pop_front();
        }
    }

    /// The highlights of the transmissions as text: a name and a value each.
    #[must_use]
    pub fn highlights(&self) -> Vec<(&'static str, String)> {
        let name = |found: &Highlight| self.around.name(found.detector);
        let lowest_loss = self
            .highest_tf
            .map(|found| ("lowest insertion loss", found.told(found.extreme.as_loss(), &name(&found))));
        let deepest_dip =
            self.deepest_tf.map(|found| ("deepest dip", found.told(found.extreme, &name(&found))));
        lowest_loss.into_iter().chain(deepest_dip).collect()
    }

    /// Remaining time by the estimates, s; `None` without an estimate.
    #[must_use]
    pub fn remaining_s(&self) -> Option<f64> {
        let current = self.current.as_ref().and_then(|current| current.remaining_s).unwrap_or(0.0);
        let after = self.estimated_s? - self.finished_estimate_s - self.current_estimate_s;
        Some(after.max(0.0) + current)
    }

    fn finish_step(&mut self, state: StepState) {
        if let Some(current) = &self.current {
            self.tree.end(&current.step, state);
        }
        self.current_estimate_s = 0.0;
        self.last = self.current.take();
    }

    /// Another process resumes the run.
    fn resume(&mut self) {
        self.taken_up += 1;
        self.state = Some(RunState::Running);
        (self.reason, self.finished, self.current, self.question) = (None, None, None, None);
        (self.held, self.current_estimate_s) = (false, 0.0);
        self.lasers_unknown.clear();
        self.instruments_unknown.clear();
        self.tree.reopen();
    }

    /// Computes the highlights over all traces. Of equal values, the first one is used.
    fn look_for_highlights(&mut self) {
        let higher = |a: &Highlight, b: &Highlight| a.extreme.value >= b.extreme.value;
        let highest = self.extremes.values().filter_map(|(highest, _)| *highest);
        self.highest_tf = highest.reduce(|known, next| if higher(&known, &next) { known } else { next });
        let deepest = self.extremes.values().filter_map(|(_, deepest)| *deepest);
        self.deepest_tf = deepest.reduce(|known, next| if higher(&next, &known) { known } else { next });
    }

    fn take_trace(&mut self, trace: &TraceSummary) {
        if let Some(name) = &trace.detector_name {
            self.around.detectors.insert(trace.detector, name.clone());
        }
        let at = self.first_traces.partition_point(|known| known.trace_index < trace.trace_index);
        self.first_traces.insert(at, trace.clone());
        self.first_traces.truncate(LISTED_TRACES);
        if trace.trace != TraceKind::Tf {
            return;
        }
        let highlight = |extreme: Extreme| Highlight {
            extreme,
            detector: trace.detector,
            trace_index: trace.trace_index,
        };
        let deepest = trace.min.filter(|_| trace.has_dips()).map(highlight);
        self.extremes.insert(trace.trace_index, (trace.max.map(highlight), deepest));
        self.look_for_highlights();
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn record(time: DateTime<Utc>, elapsed_s: Option<f64>, event: RunEvent) -> Record {
        Record { n: 1, time, elapsed_s, event }
    }

    #[test]
    fn a_clock_that_is_set_during_a_run_does_not_change_how_long_the_run_took() {
        let began = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let log = |message: &str| RunEvent::Warning { message: message.to_owned() };
        let ended = || RunEvent::Finished {
            state: RunState::Done,
            reason: None,
            failed_steps: 0,
            traces: 0,
            verdict: None,
        };
        for jump in [TimeDelta::hours(-2), TimeDelta::zero(), TimeDelta::days(1)] {
            let later = |seconds: i64| began + jump + TimeDelta::seconds(seconds);
            let mut status = RunStatus { started: Some(began), ..RunStatus::default() };
            status.apply(&record(began, Some(0.0), log("a")));
            status.apply(&record(later(5), Some(5.0), log("b")));
            assert_eq!(status.elapsed_s(later(7)), Some(7.0), "{jump}");
            status.apply(&record(later(8), Some(8.0), ended()));
            assert_eq!(status.elapsed_s(later(1000)), Some(8.0), "{jump}");
        }
        // An older program recorded no time of its own.
        let mut status = RunStatus { started: Some(began), ..RunStatus::default() };
        status.apply(&record(began + TimeDelta::seconds(3), None, ended()));
        assert_eq!(status.elapsed_s(began), Some(3.0));
        status.finished = Some(began - TimeDelta::hours(1));
        assert_eq!(status.elapsed_s(began), Some(0.0), "never negative");
    }
}
