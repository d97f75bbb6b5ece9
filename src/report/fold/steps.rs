//! The effect of a step on the report: its end, faults, traces and question.

use chrono::{DateTime, Utc};

use super::Fold;
use crate::measurement::{TraceKind, TraceSummary};
use crate::operation::Operation;
use crate::report::format::clip;
use crate::report::value::{Consequence, FaultLine, PromptLine, TraceLine};
use crate::run::events::AfterFault;
use crate::run::state::status::is_dip;
use crate::step::{Fault, FaultKind, Step};

/// Highest number of traces in a report.
const MOST_TRACES: usize = 10_000;
/// Highest number of faults, of link losses, of questions and of warnings in a report.
const MOST_LINES: usize = 1_000;

/// A step in progress.
pub(super) struct Current {
    number: u64,
    attempt: u32,
    /// Whether the step is repeated after it had succeeded, so that it already counts as done.
    again: bool,
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
        if !self.steps.contains_key(&number) {
            let place = self.places.index_of(step, self.finally);
            self.steps.insert(number, Counted { place, ..Counted::default() });
            self.begun += 1;
            if let Some(line) = self.places.at(place) {
                line.begun += 1;
            }
        }
        // If steps follow a raised fault, the recipe has caught it.
        if attempt == 1 && !self.finally {
            self.caught();
        }
        // A step with a higher number waits for the repetition of this one. A step with a lower number has lost its
        // end.
        self.under_way.retain(|outer| outer.number > number);
        let again = !self.under_way.is_empty();
        self.under_way.push(Current { number, attempt, again, step: step.clone(), estimated_s, began });
    }

    /// A resumed run continues after the first `steps` steps, so later steps no longer count.
    pub(super) fn resume_after(&mut self, steps: u64) {
        for counted in self.steps.split_off(&(steps + 1)).into_values() {
            self.begun = self.begun.saturating_sub(1);
            if let Some(line) = self.places.at(counted.place) {
                line.begun = line.begun.saturating_sub(1);
            }
            self.uncount(&counted);
        }
        self.under_way.clear();
        self.finally = false;
    }

    /// Removes a step from the counts.
    fn uncount(&mut self, counted: &Counted) {
        let (counts, line) = (&mut self.report.counts, self.places.at(counted.place));
        let [done, failed, retried] = [counted.done, counted.failed, counted.retried].map(u64::from);
        let take = |count: &mut u64, less: u64| *count = count.saturating_sub(less);
        take(&mut counts.done, done);
        take(&mut counts.failed, failed);
        take(&mut counts.retried, retried);
        if let Some(line) = line {
            take(&mut line.done, done);
            take(&mut line.failed, failed);
            take(&mut line.retried, retried);
        }
    }

    /// Counts the end of a step. A repeated step counts once, with its last end.
    fn count(&mut self, number: u64, counted: Counted) {
        if let Some(before) = self.steps.insert(number, counted) {
            self.uncount(&before);
        }
        let [done, failed, retried] = [counted.done, counted.failed, counted.retried].map(u64::from);
        let counts = &mut self.report.counts;
        for (count, more) in
            [(&mut counts.done, done), (&mut counts.failed, failed), (&mut counts.retried, retried)]
        {
            *count += more;
        }
        if let Some(line) = self.places.at(counted.place) {
            line.done += done;
            line.failed += failed;
            line.retried += retried;
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
        let retried = current.attempt > 1;
        if !current.again {
            let place = self.places.index_of(&current.step, self.finally);
            self.count(current.number, Counted { place, done: true, failed: false, retried });
        }
        let first = (!retried).then(|| current.estimated_s.unwrap_or(0.0));
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
        let place = self.places.index_of(&current.step, finally);
        // A stop interrupts the step in progress. This is not a fault of the step.
        if fault.kind == FaultKind::Stopped {
            return;
        }
        if consequence == Consequence::Retried {
            self.report.counts.repeats += 1;
        } else if !current.again {
            self.count(current.number, Counted { place, failed: true, ..Counted::default() });
        }
        let step = &current.step;
        let told = FaultLine {
            time,
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
            dip: trace.min.filter(|_| tf && is_dip(trace)),
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
        let prompt = PromptLine { time, number, message, answer: None, by_operator: false, seconds: None };
        push_bounded(&mut self.report.prompts, &mut self.report.more.prompts, prompt);
    }

    pub(super) fn answer(&mut self, time: DateTime<Utc>, number: u64, answer: &str, by_operator: bool) {
        let open = self.report.prompts.last().is_some_and(|p| p.number == number && p.answer.is_none());
        if !open {
            // The question was not asked, because no operator was present. Its text is in the step.
            let message = match self.under_way.last().map(|current| &current.step.operation) {
                Some(Operation::Prompt(prompt)) => prompt.message.clone(),
                Some(Operation::CreateReference(reference)) => reference.connect.clone().unwrap_or_default(),
                _ => String::new(),
            };
            self.ask(time, number, &message);
        }
        let prompts = &mut self.report.prompts;
        if let Some(prompt) = prompts.last_mut().filter(|prompt| prompt.number == number) {
            prompt.seconds = open.then(|| (time - prompt.time).as_seconds_f64());
            prompt.answer = Some(clip(answer));
            prompt.by_operator = by_operator;
        }
    }
}

/// The counts of a step.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counted {
    place: Option<usize>,
    done: bool,
    failed: bool,
    retried: bool,
}

/// Adds to a list up to its limit, and counts the rest.
pub(super) fn push_bounded<T>(list: &mut Vec<T>, more: &mut u64, line: T) {
    if list.len() < MOST_LINES {
        list.push(line);
    } else {
        *more += 1;
    }
}
