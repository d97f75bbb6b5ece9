//! The events of a run, in order. Terminal, journal, sidecar and report know a run only by these events.

mod emitted;
pub(super) mod log;
mod record;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::analysis::verdict::Verdict;
use crate::measurement::{Detector, ReferenceRecord, TraceSummary};
use crate::run::state::outline::OutlineStep;
use crate::step::{Column, Fault, Outcome, Step};
use crate::store::{InstrumentRecord, NamedRecord, PowerSegment, RunState};
pub use emitted::Emitted;
pub use record::Record;

/// An activity within a step that takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// A scan of the lasers.
    Sweep,
    /// A reference scan.
    Reference,
    /// The transfer of a trace from the instrument.
    Transfer,
    /// A wait.
    Wait,
    /// A series of power readings.
    Power,
}

/// An event of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum RunEvent {
    /// The run folder exists and the instrument has been identified.
    Started {
        /// The run's identifier.
        run: String,
        /// The recipe's name.
        name: String,
        /// The run folder.
        folder: String,
        /// The instrument that measures.
        instrument: InstrumentRecord,
        /// The named instruments that the recipe is known to use.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        instruments: Vec<NamedRecord>,
        /// Expected number of operations, if the recipe could be walked beforehand.
        operations: Option<u64>,
        /// Expected time, s.
        estimated_s: Option<f64>,
        /// The expected steps of the recipe, each place once.
        #[serde(default)]
        outline: Vec<OutlineStep>,
        /// The detectors by their names in the recipe.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        detectors: BTreeMap<String, Detector>,
    },
    /// Another process resumes the interrupted run. The first `steps` steps hold; later steps are repeated.
    #[serde(rename = "taken_up")]
    RunResumed {
        /// The process id.
        pid: u32,
        /// The computer's name.
        host: String,
        /// Version of ctp10.
        ctp10: String,
        /// How many entries are replayed to the recipe from the journal: steps and times, in the order of the recipe's
        /// requests.
        replayed: u64,
        /// How many of these entries are steps.
        steps: u64,
        /// Files that were never complete or that were withdrawn; they are deleted.
        removed: Vec<String>,
        /// Files that are not in the journal; they were moved to `aside/`.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        aside: Vec<String>,
    },
    /// An earlier sweep is repeated with its fetches, because traces of it are missing or changed. Until the run
    /// continues, the following steps are repetitions.
    SweepRepeated {
        /// The step number of the sweep, or of the fetch if only the fetch is repeated.
        number: u64,
        /// The traces, relative to the run folder.
        files: Vec<String>,
    },
    /// A segment of recorded power is missing or changed. Its readings are stored again as far as the journal has them.
    PowerWithdrawn {
        /// The file, relative to the run folder.
        file: String,
        /// Number of readings in the file.
        rows: u64,
        /// The reason.
        reason: String,
    },
    /// A person has decided whether an interrupted step was finished. Such a step is never repeated automatically.
    Decided {
        /// The step number.
        number: u64,
        /// The outcome of the step if it counts as done; `None` if it is repeated.
        outcome: Option<Outcome>,
    },
    /// A stored trace was deleted, because its sweep is repeated.
    TraceWithdrawn {
        /// Its number within the run. The next trace with this number replaces it.
        trace_index: u64,
        /// The file, relative to the run folder.
        file: String,
        /// The reason.
        reason: String,
    },
    /// Settings of the instrument were read that the run did not know. A resumed run intends the same settings.
    SettingsRead {
        /// The step number.
        number: u64,
        /// Whether the run had changed nothing yet.
        at_beginning: bool,
        /// The commands that set these values.
        commands: Vec<String>,
    },
    /// A reference was taken. Later runs compare its conditions before they reuse it.
    ReferenceTaken {
        /// The step number.
        number: u64,
        /// The reference and its conditions.
        #[serde(flatten)]
        reference: ReferenceRecord,
        /// Why the reference before it is not used any more.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
    /// An existing reference is used, and no new one is taken.
    ReferenceUsed {
        /// The step number.
        number: u64,
        /// The reference and its conditions, as far as a run has recorded them.
        #[serde(flatten)]
        reference: ReferenceRecord,
        /// Its age, s, if its time is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        age_s: Option<f64>,
        /// The level of the check detector now minus the level when the reference was taken, dB.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        drift_db: Option<f64>,
    },
    /// A step waits until a time. A resumed run waits until the same time.
    WaitsUntil {
        /// The step number.
        number: u64,
        /// The time.
        until: DateTime<Utc>,
    },
    /// A step begins. The record is written before any command is sent.
    StepStarted {
        /// Its number within the run, from 1.
        number: u64,
        /// Counts the attempts, from 1.
        attempt: u32,
        /// The step.
        #[serde(with = "crate::step::shared")]
        step: Arc<Step>,
        /// Expected time, s.
        estimated_s: Option<f64>,
    },
    /// Progress of the current step. The journal does not keep this event.
    Progress {
        /// The step number.
        number: u64,
        /// The activity.
        activity: Activity,
        /// Share done, 0 to 1, if known.
        done: Option<f64>,
        /// Time left, s, if known.
        remaining_s: Option<f64>,
    },
    /// The types of further columns are decided, for all trace files of the run.
    ColumnsDecided {
        /// The columns by name.
        columns: BTreeMap<String, Column>,
    },
    /// A trace has its final name.
    TraceStored {
        /// Its description and file.
        trace: TraceSummary,
    },
    /// A closed segment of recorded power has its final name.
    PowerStored {
        /// Its description and file.
        #[serde(flatten)]
        segment: PowerSegment,
    },
    /// A step succeeded.
    StepFinished {
        /// The step number.
        number: u64,
        /// The outcome.
        outcome: Outcome,
        /// Time it took, s.
        seconds: f64,
    },
    /// An attempt at a step failed.
    StepFailed {
        /// The step number.
        number: u64,
        /// The reason.
        fault: Fault,
        /// What happens next.
        then: AfterFault,
    },
    /// The operator is asked a question.
    Question {
        /// The number of the step that asks.
        number: u64,
        /// The question.
        message: String,
        /// The allowed answers; if empty, any answer.
        choices: Vec<String>,
        /// When the question is given up; `None`: it waits for an answer without limit.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<DateTime<Utc>>,
    },
    /// A question was answered.
    Answered {
        /// The number of the step that asked.
        number: u64,
        /// The answer.
        answer: String,
        /// False if the answer is the unattended one.
        by_operator: bool,
    },
    /// A line from the recipe.
    Log {
        /// The text.
        message: String,
    },
    /// A warning for the operator. The step does not fail.
    Warning {
        /// The text.
        message: String,
    },
    /// The recipe asked for the time. A resumed run gets the same time.
    Now {
        /// Seconds since 1970-01-01 UTC.
        time_s: f64,
        /// Seconds that the local clock was ahead of UTC. Programs before 0.2 did not record them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ahead_s: Option<i32>,
    },
    /// The link to the instrument was lost.
    LinkLost {
        /// The reason.
        reason: String,
    },
    /// The link is back, to the same instrument.
    LinkRegained {
        /// How long it was away, s.
        after_s: f64,
    },
    /// The run is paused before its next step.
    Paused,
    /// During a long pause the run has turned its lasers off.
    #[serde(rename = "darkened")]
    LasersPaused {
        /// Lasers that are off until the run continues.
        off: Vec<u8>,
        /// Lasers that could not be confirmed off.
        unknown: Vec<u8>,
    },
    /// The run continues after a pause.
    #[serde(rename = "resumed")]
    PauseEnded {
        /// Duration of the pause, s.
        after_s: f64,
        /// Lasers that were turned on again.
        relit: Vec<u8>,
    },
    /// The run waits for disk space.
    DiskFull {
        /// Free disk space, bytes, if known.
        free_bytes: Option<u64>,
        /// Disk space needed, bytes.
        needed_bytes: u64,
        /// How long the run waits at most, s.
        wait_s: f64,
    },
    /// There is enough disk space again, and the run continues.
    #[serde(rename = "room_again")]
    DiskSpaceAgain {
        /// Duration of the wait, s.
        after_s: f64,
        /// Lasers that were turned on again.
        relit: Vec<u8>,
    },
    /// The recipe's `suspend_when` suspends the run.
    Suspended {
        /// The condition as the recipe has it.
        condition: String,
    },
    /// The suspension is over. A sweep that the condition has spoilt is repeated.
    SuspensionOver,
    /// A stop was requested.
    Stopping {
        /// Who or what requested it.
        reason: String,
    },
    /// The recipe's `finally` begins.
    Finally,
    /// The lasers were turned off at the end.
    LasersOff {
        /// Lasers that the instrument has confirmed off.
        off: Vec<u8>,
        /// Lasers that could not be confirmed off.
        unknown: Vec<u8>,
    },
    /// The instruments on the bench that the run has used were made safe at the end.
    InstrumentsSafe {
        /// The instruments that have confirmed this.
        safe: Vec<String>,
        /// The instruments that have not.
        unknown: Vec<String>,
    },
    /// The run has ended.
    Finished {
        /// The final state.
        state: RunState,
        /// The reason, if the state is not `done`.
        reason: Option<String>,
        /// Number of steps that failed and were passed over.
        failed_steps: u64,
        /// Number of traces stored.
        traces: u64,
        /// The worst verdict on figures, if the recipe has limits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        verdict: Option<Verdict>,
    },
}

/// What happens after a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AfterFault {
    /// Another attempt is made.
    Retry {
        /// Pause before it, s.
        after_s: f64,
    },
    /// The run continues with the next step (`on_error: continue`).
    Continue,
    /// The fault is raised in the recipe, which stops. A script may catch it.
    Raise,
}

impl RunEvent {
    pub(super) fn suspended(condition: String) -> Self {
        Self::Suspended { condition }
    }

    /// The event for the end of a step that gave this result to the recipe.
    pub(super) fn step_ended(number: u64, result: Result<Outcome, Fault>, seconds: f64) -> Self {
        match result {
            Ok(Outcome::Failed(fault)) => Self::StepFailed { number, fault, then: AfterFault::Continue },
            Ok(outcome) => Self::StepFinished { number, outcome, seconds },
            Err(fault) => Self::StepFailed { number, fault, then: AfterFault::Raise },
        }
    }

    /// Whether the journal keeps the event.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        !matches!(self, Self::Progress { .. })
    }
}
