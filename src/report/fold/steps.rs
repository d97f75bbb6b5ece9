//! The effect of a step on the report: its end, faults, traces and question.

use chrono::{DateTime, Utc};

use super::Fold;
use crate::measurement::{TraceKind, TraceSummary};
use crate::operation::Question;
use crate::report::format::clip;
use crate::report::value::{Consequence, FaultLine, PlaceLine, PromptLine, TraceLine};
use crate::run::events::AfterFault;
use crate::run::state::counts::{Change, StepCount, StepEnd};
use crate::step::{Fault, FaultKind, Step};

/// Highest number of traces in a report.
const MOST_TRACES: usize = 10_000;
/// Highest number of faults, of link losses, of questions and of warnings in a report.
const MOST_LINES: usize = 1_000;

/// A step in progress.
pub(super) struct Current {
    number: u64,
    attempt: u32,
    step: Step,
    estimated_s: Option<f64>,
    began: DateTime<Utc>,
}

impl Fold {
    pub(super) fn begin_step(
        &mut self,
        number: u64,
        attempt: u32,
        step: &Step,
        estimated_s: Option<f64>,
        began: DateTime<Utc>,
    ) {
        // A recipe that goes on after a fault was raised has caught it.
        if attempt == 1 && !self.finally {
            self.caught();
        }
        self.under_way.retain(|outer| outer.number > number);
        self.under_way.push(Current { number, attempt, step: step.clone(), estimated_s, began });
    }

    /// Another process continues the run.
    pub(super) fn resume(&mut self) {
        self.under_way.clear();
        self.finally = false;
    }

    /// Counts a change, in the run and at the step's place in the recipe.
    pub(super) fn count(&mut self, change: Change) {
        match change {
            Change::Begun(number) => {
                self.begun += 1;
                if let Some(line) = self.line_of(number) {
                    line.begun += 1;
                }
            }
            Change::Ended { number, before, now } => {
                self.add(number, before, u64::wrapping_sub);
                self.add(number, now, u64::wrapping_add);
            }
            Change::Dropped { number, before } => {
                self.add(number, before, u64::wrapping_sub);
                self.begun = self.begun.saturating_sub(1);
                if let Some(line) = self.line_of(number) {
                    line.begun = line.begun.saturating_sub(1);
                }
                self.place_of.remove(&number);
            }
        }
    }

    fn line_of(&mut self, number: u64) -> Option<&mut PlaceLine> {
        self.places.at(self.place_of.get(&number).copied().flatten())
    }

    /// Adds a step to the counts, or takes it away from them.
    fn add(&mut self, number: u64, step: StepCount, add: fn(u64, u64) -> u64) {
        let done = u64::from(step.ended == Some(StepEnd::Done));
        let failed = u64::from(matches!(step.ended, Some(StepEnd::PassedOver | StepEnd::Failed)));
        let retried = u64::from(step.retried);
        let counts = &mut self.report.counts;
        counts.done = add(counts.done, done);
        counts.failed = add(counts.failed, failed);
        counts.retried = add(counts.retried, retried);
        if let Some(line) = self.line_of(number) {
            line.done = add(line.done, done);
            line.failed = add(line.failed, failed);
            line.retried = add(line.retried, retried);
        }
    }

    /// Removes a withdrawn trace; its replacement counts instead.
    pub(super) fn withdraw_trace(&mut self, file: &str) {
        let Some(place) = self.stored.remove(file) else { return };
        self.report.counts.traces = self.report.counts.traces.saturating_sub(1);
        if let Some(line) = self.places.at(place) {
            line.traces = line.traces.saturating_sub(1);
        }
        let listed = self.report.traces.len();
        self.report.traces.retain(|line| line.trace.file != file);
        if self.report.traces.len() == listed {
            self.report.more.traces = self.report.more.traces.saturating_sub(1);
        }
    }

    pub(super) fn caught(&mut self) {
        if let Some(fault) = self.report.faults.last_mut()
            && fault.consequence == Consequence::EndedRun
        {
            fault.consequence = Consequence::Caught;
        }
    }

    pub(super) fn finish_step(&mut self, seconds: f64) {
        let Some(current) = self.under_way.pop() else { return };
        let first = (current.attempt == 1).then(|| current.estimated_s.unwrap_or(0.0));
        self.places.spend(&current.step, self.finally, first, seconds);
        let faults = self.report.faults.iter_mut().rev();
        faults.take_while(|fault| fault.number == current.number).for_each(|fault| fault.recovered = true);
    }

    pub(super) fn take_fault(&mut self, time: DateTime<Utc>, fault: &Fault, then: AfterFault) {
        let Some(current) = self.under_way.pop() else { return };
        let finally = self.finally;
        let first = (current.attempt == 1).then(|| current.estimated_s.unwrap_or(0.0));
        let seconds = (time - current.began).as_seconds_f64().max(0.0);
        self.places.spend(&current.step, finally, first, seconds);
        let (consequence, after_s) = match then {
            AfterFault::Retry { after_s } => (Consequence::Retried, Some(after_s)),
            AfterFault::Continue => (Consequence::PassedOver, None),
            AfterFault::Raise if finally => (Consequence::EndedFinally, None),
            AfterFault::Raise => (Consequence::EndedRun, None),
        };
        // A stop breaks the step off that is under way; that is no fault of the step's.
        if fault.kind == FaultKind::Stopped {
            return;
        }
        if consequence == Consequence::Retried {
            self.report.counts.repeats += 1;
        }
        let step = &current.step;
        let told = FaultLine {
            time,
            elapsed_s: self.elapsed_s,
            number: current.number,
            attempt: current.attempt,
            place: step.place.to_string(),
            path: step.place.path.clone(),
            step: clip(&format!("{}{}", step.place.turns(), step.operation)),
            kind: fault.kind,
            message: clip(&fault.to_string()),
            hint: fault.hint.as_deref().map(clip),
            consequence,
            after_s,
            recovered: false,
        };
        let (faults, more) = (&mut self.report.faults, &mut self.report.more.faults);
        // The fault that ended the run is always listed.
        if faults.len() >= MOST_LINES && then == AfterFault::Raise {
            faults.pop();
            *more += 1;
        }
        push_bounded(faults, more, told);
    }

    pub(super) fn take_trace(&mut self, trace: &TraceSummary) {
        self.report.counts.traces += 1;
        let mut repeated = trace.attempt > 1;
        let mut turns = String::new();
        let mut place = None;
        if let Some(current) = self.under_way.last() {
            repeated |= current.attempt > 1;
            turns = clip(current.step.place.turns().trim().trim_matches(['(', ')']));
            place = self.places.index_of(&current.step, self.finally);
            if let Some(line) = self.places.at(place) {
                line.traces += 1;
            }
        }
        self.stored.insert(trace.file.clone(), place);
        let tf = trace.trace == TraceKind::Tf;
        let line = TraceLine {
            turns,
            repeated,
            insertion_loss: trace.max.filter(|_| tf).map(|max| max.as_loss()),
            dip: trace.min.filter(|_| tf && trace.has_dips()),
            trace: trace.clone(),
        };
        if self.report.traces.len() < MOST_TRACES {
            let known = &mut self.report.traces;
            // A trace that replaces another has its number, and so its position in the list.
            let at = known.partition_point(|other| other.trace.trace_index < line.trace.trace_index);
            known.insert(at, line);
        } else {
            self.report.more.traces += 1;
        }
    }

    pub(super) fn ask(&mut self, time: DateTime<Utc>, number: u64, message: &str) {
        let known = self.report.prompts.last();
        // An invalid answer repeats the same question.
        if known.is_some_and(|prompt| prompt.number == number && prompt.answer.is_none()) {
            return;
        }
        let message = clip(message);
        let elapsed_s = self.elapsed_s;
        let prompt =
            PromptLine { time, elapsed_s, number, message, answer: None, by_operator: false, seconds: None };
        push_bounded(&mut self.report.prompts, &mut self.report.more.prompts, prompt);
    }

    pub(super) fn answer(&mut self, time: DateTime<Utc>, number: u64, answer: &str, by_operator: bool) {
        let open = self.report.prompts.last().is_some_and(|p| p.number == number && p.answer.is_none());
        if !open {
            // The question was not asked, because no operator was present. Its text is in the step.
            let current = self.under_way.last().map(|current| current.step.operation.traits());
            let message = match current.map_or(Question::None, |traits| traits.question) {
                Question::Prompt(prompt) => prompt.message.clone(),
                Question::Connect(what) => what.to_owned(),
                Question::None => String::new(),
            };
            self.ask(time, number, &message);
        }
        let prompts = &mut self.report.prompts;
        if let Some(prompt) = prompts.last_mut().filter(|prompt| prompt.number == number) {
            let by_clock = || (time - prompt.time).as_seconds_f64();
            let waited = self.elapsed_s.zip(prompt.elapsed_s).map_or_else(by_clock, |(now, then)| now - then);
            prompt.seconds = open.then_some(waited);
            prompt.answer = Some(clip(answer));
            prompt.by_operator = by_operator;
        }
    }
}

/// Adds a line to a list until the list is full. Counts the lines after that.
pub(super) fn push_bounded<T>(list: &mut Vec<T>, more: &mut u64, line: T) {
    if list.len() < MOST_LINES {
        list.push(line);
    } else {
        *more += 1;
    }
}
