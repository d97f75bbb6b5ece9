//! What a step brings to the report: its end, its faults, its traces, its question.

use chrono::{DateTime, Utc};

use super::Fold;
use crate::measurement::{TraceKind, TraceSummary};
use crate::operation::Operation;
use crate::report::value::{Consequence, FaultLine, PromptLine, TraceLine};
use crate::report::words::clip;
use crate::run::event::AfterFault;
use crate::run::status::is_dip;
use crate::step::{Fault, FaultKind, Step};

/// Traces that a report lists.
const MOST_TRACES: usize = 10_000;
/// Faults, link losses, questions and warnings that a report lists, each.
const MOST_LINES: usize = 1_000;

/// The step under way.
pub(super) struct Current {
    number: u64,
    attempt: u32,
    /// It was done before, and counts as done.
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
        if attempt == 1 {
            self.begun += 1;
            if let Some(line) = self.places.of(step, self.finally) {
                line.begun += 1;
            }
            // A recipe that goes on after a fault was raised has caught it.
            if !self.finally {
                self.caught();
            }
        }
        // What is still under way with a higher number has this one done again; what has a lower one has lost its end.
        self.under_way.retain(|outer| outer.number > number);
        let again = !self.under_way.is_empty();
        self.under_way.push(Current { number, attempt, again, step: step.clone(), estimated_s, began });
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
            self.report.counts.done += 1;
            self.report.counts.retried += u64::from(retried);
            if let Some(line) = self.places.of(&current.step, self.finally) {
                line.done += 1;
                line.retried += u64::from(retried);
            }
        }
        let first = (!retried).then(|| current.estimated_s.unwrap_or(0.0));
        self.places.spend(&current.step, self.finally, first, seconds);
        let faults = self.report.faults.iter_mut().rev();
        faults.take_while(|fault| fault.number == current.number).for_each(|fault| fault.recovered = true);
    }

    pub(super) fn take_fault(&mut self, time: DateTime<Utc>, fault: &Fault, then: AfterFault) {
        let Some(current) = self.under_way.pop() else { return };
        let (counts, finally) = (&mut self.report.counts, self.finally);
        let first = (current.attempt == 1).then(|| current.estimated_s.unwrap_or(0.0));
        let seconds = (time - current.began).as_seconds_f64().max(0.0);
        self.places.spend(&current.step, finally, first, seconds);
        let (consequence, after_s) = match then {
            AfterFault::Retry { after_s } => (Consequence::Retried, Some(after_s)),
            AfterFault::Continue => (Consequence::PassedOver, None),
            AfterFault::Raise if finally => (Consequence::EndedFinally, None),
            AfterFault::Raise => (Consequence::EndedRun, None),
        };
        let line = self.places.of(&current.step, finally);
        // A stop breaks the step off that is under way; that is no fault of the step's.
        if fault.kind == FaultKind::Stopped {
            return;
        }
        if consequence == Consequence::Retried {
            counts.repeats += 1;
        } else if !current.again {
            counts.failed += 1;
            line.into_iter().for_each(|line| line.failed += 1);
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
        // What ended the run is told, however long the list is.
        if faults.len() >= MOST_LINES && then == AfterFault::Raise {
            faults.pop();
            *more += 1;
        }
        keep(faults, more, told);
    }

    pub(super) fn take_trace(&mut self, trace: &TraceSummary) {
        self.report.counts.traces += 1;
        let mut repeated = trace.attempt > 1;
        let mut turns = String::new();
        if let Some(current) = self.under_way.last() {
            repeated |= current.attempt > 1;
            turns = clip(current.step.place.turns().trim().trim_matches(['(', ')']));
            if let Some(line) = self.places.of(&current.step, self.finally) {
                line.traces += 1;
            }
        }
        let tf = trace.trace == TraceKind::Tf;
        let line = TraceLine {
            turns,
            repeated,
            insertion_loss: trace.max.filter(|_| tf).map(|max| max.as_loss()),
            dip: trace.min.filter(|_| tf && is_dip(trace)),
            trace: trace.clone(),
        };
        if self.report.traces.len() < MOST_TRACES {
            self.report.traces.push(line);
        } else {
            self.report.more.traces += 1;
        }
    }

    pub(super) fn ask(&mut self, time: DateTime<Utc>, number: u64, message: &str) {
        let known = self.report.prompts.last();
        // An answer that is none of the choices makes the same question come again.
        if known.is_some_and(|prompt| prompt.number == number && prompt.answer.is_none()) {
            return;
        }
        let message = clip(message);
        let prompt = PromptLine { time, number, message, answer: None, by_operator: false, seconds: None };
        keep(&mut self.report.prompts, &mut self.report.more.prompts, prompt);
    }

    pub(super) fn answer(&mut self, time: DateTime<Utc>, number: u64, answer: &str, by_operator: bool) {
        let open = self.report.prompts.last().is_some_and(|p| p.number == number && p.answer.is_none());
        if !open {
            // Nobody was there, so that nobody was asked; the step knows the question.
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

/// Adds to a list while there is room, and counts from then on.
pub(super) fn keep<T>(list: &mut Vec<T>, more: &mut u64, line: T) {
    if list.len() < MOST_LINES {
        list.push(line);
    } else {
        *more += 1;
    }
}
