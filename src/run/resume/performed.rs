//! A step as recorded in the journal.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::measurement::TraceSummary;
use crate::operation::Effect;
use crate::run::events::RunEvent;
use crate::step::{AnalysisOutcome, Fault, FaultKind, Outcome, Step};

/// A step as recorded in the journal.
#[derive(Debug, Clone, PartialEq)]
pub struct Performed {
    /// The step.
    pub step: Arc<Step>,
    /// Its number within the run.
    pub number: u64,
    /// The last attempt at it.
    pub attempt: u32,
    /// Whether an attempt has begun whose end is not recorded.
    pub open: bool,
    /// The result that the recipe got. If the step was repeated later, the first result stays.
    pub told: Option<Result<Outcome, Fault>>,
    /// The figures of the last repetition of an analysis, which replace those that the recipe got.
    pub repeated: Option<AnalysisOutcome>,
    /// A trace of the analysis was withdrawn since: the analysis has to be repeated.
    pub is_stale: bool,
    /// Why the last attempt failed.
    pub fault: Option<Fault>,
    /// The time until which the step waits.
    pub until: Option<DateTime<Utc>>,
    /// The traces that the step has stored and that are still there.
    pub traces: Vec<TraceSummary>,
    /// The commands for the settings that were read during it.
    pub settings_read: Vec<String>,
    /// The commands for the settings that were read after it: a raw command may have changed any.
    pub settings_read_after: Vec<String>,
}

impl Performed {
    pub(super) fn new(step: Arc<Step>, number: u64, attempt: u32) -> Self {
        Self {
            step,
            number,
            attempt,
            open: true,
            told: None,
            repeated: None,
            is_stale: false,
            fault: None,
            until: None,
            traces: Vec::new(),
            settings_read: Vec::new(),
            settings_read_after: Vec::new(),
        }
    }

    /// The events that lead to this state of the step.
    pub(super) fn events(&self) -> impl Iterator<Item = RunEvent> {
        let (number, attempt, step) = (self.number, self.attempt, self.step.clone());
        let started = RunEvent::StepStarted { number, attempt, step, estimated_s: None };
        let begun = started.clone();
        let read = |commands: &[String]| RunEvent::SettingsRead {
            number,
            at_beginning: false,
            commands: commands.to_vec(),
        };
        let told = self.told_traces();
        let is_there = |told: &TraceSummary| self.traces.iter().any(|trace| trace.file == told.file);
        let withdrawn = told.iter().filter(|told| !is_there(told)).map(|told| RunEvent::TraceWithdrawn {
            trace_index: told.trace_index,
            file: told.file.clone(),
            reason: String::new(),
        });
        let stored = told.iter().chain(&self.traces).cloned().map(|trace| RunEvent::TraceStored { trace });
        let ended = self.told.clone().map(|told| RunEvent::step_ended(number, told, 0.0));
        let repeated = self.repeated.clone().into_iter().flat_map(move |repeated| {
            let outcome = Outcome::Analysis(Box::new(repeated));
            [begun.clone(), RunEvent::StepFinished { number, outcome, seconds: 0.0 }]
        });
        let stored: Vec<RunEvent> = stored.chain(withdrawn).collect();
        let after = [read(&self.settings_read_after)];
        [started, read(&self.settings_read)]
            .into_iter()
            .chain(stored)
            .chain(ended)
            .chain(repeated)
            .chain(after)
    }

    /// The traces that the recipe got, if the step is a fetch.
    #[must_use]
    pub fn told_traces(&self) -> &[TraceSummary] {
        match &self.told {
            Some(Ok(Outcome::Traces(traces))) => traces,
            Some(Ok(_) | Err(_)) | None => &[],
        }
    }

    /// The analysis that holds, if the step is one.
    #[must_use]
    pub fn analysis(&self) -> Option<&AnalysisOutcome> {
        match &self.told {
            Some(Ok(Outcome::Analysis(told))) => Some(self.repeated.as_ref().unwrap_or(told)),
            Some(Ok(_) | Err(_)) | None => None,
        }
    }

    /// Whether the step ended well, or the recipe continued after its fault.
    #[must_use]
    pub fn is_done(&self) -> bool {
        !self.open && self.told.is_some()
    }

    /// Whether nobody can know if the step was finished, while a repetition may do harm.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        let unknown = |fault: &Fault| matches!(fault.kind, FaultKind::Link | FaultKind::Timeout);
        let traits = self.step.operation.traits();
        traits.effect == Effect::Ask
            && (self.open || (!traits.is_prompt() && self.fault.as_ref().is_some_and(unknown)))
    }
}
