//! What happens in a run, as it happens. Terminal, journal, sidecar and report know a run by these events alone.

pub(super) mod log;

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::measurement::{Detector, TraceSummary};
use crate::run::bench::Source;
use crate::run::state::outline::OutlineStep;
use crate::step::{Column, Fault, Outcome, Step};
use crate::store::{InstrumentRecord, PowerSegment, RunState};

/// What takes its time within a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// A scan of the lasers.
    Sweep,
    /// A reference scan.
    Reference,
    /// A trace on its way from the instrument.
    Transfer,
    /// A wait.
    Wait,
    /// Power readings one after another.
    Power,
}

/// One thing that happened.
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
        /// What it measures with.
        instrument: InstrumentRecord,
        /// Operations foreseen, if the recipe could be walked beforehand.
        operations: Option<u64>,
        /// Time foreseen, s.
        estimated_s: Option<f64>,
        /// The recipe's steps as they were foreseen, each place once.
        #[serde(default)]
        outline: Vec<OutlineStep>,
    },
    /// Another process goes on with an interrupted run. Of what came before, the first `steps` steps hold; everything
    /// after them is done again.
    TakenUp {
        /// The process.
        pid: u32,
        /// The computer.
        host: String,
        /// Version of ctp10.
        ctp10: String,
        /// What the recipe is told from the journal: steps and times, in the order in which it asked for them.
        replayed: u64,
        /// How many of these are steps.
        steps: u64,
        /// Files that were never finished, or that were withdrawn: they are deleted.
        removed: Vec<String>,
        /// Files that the journal did not know: they are in `aside/` now.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        aside: Vec<String>,
    },
    /// A sweep that others have followed is done again, with its fetches: traces of it are missing or changed. Steps
    /// that have been done before come again until the run goes on.
    SweepRepeated {
        /// The sweep; the fetch, where only that is repeated.
        number: u64,
        /// The traces, relative to the run folder.
        files: Vec<String>,
    },
    /// A segment of recorded power is missing or changed: what the journal has of its readings is stored anew.
    PowerWithdrawn {
        /// The file, relative to the run folder.
        file: String,
        /// Readings that were in it.
        rows: u64,
        /// Why.
        reason: String,
    },
    /// Somebody has said what became of a step whose end is not recorded and that may not be repeated by itself.
    Decided {
        /// The step.
        number: u64,
        /// It was done, and counts as having given this; `None`: it is to be done again.
        outcome: Option<Outcome>,
    },
    /// A stored trace is gone again, because its sweep is done once more.
    TraceWithdrawn {
        /// Its number within the run; the next trace with this number takes its place.
        trace_index: u64,
        /// The file, relative to the run folder.
        file: String,
        /// Why.
        reason: String,
    },
    /// What the instrument is set to was read, where the run could not know it: a resumed run intends the same.
    SettingsRead {
        /// The step.
        number: u64,
        /// Before the run had changed anything.
        at_beginning: bool,
        /// The commands that set it so.
        commands: Vec<String>,
    },
    /// A reference was taken: at what, for those who would keep it.
    ReferenceTaken {
        /// The step.
        number: u64,
        /// Of which detector.
        detector: Detector,
        /// When, by the instrument's clock.
        taken: NaiveDateTime,
        /// With which light.
        sources: Vec<Source>,
    },
    /// A step waits for a moment: recorded, so that a resumed run waits for the same.
    WaitsUntil {
        /// The step.
        number: u64,
        /// The moment.
        until: DateTime<Utc>,
    },
    /// A step is about to be performed: written before anything is sent.
    StepStarted {
        /// Its number within the run, from 1.
        number: u64,
        /// Which attempt, from 1.
        attempt: u32,
        /// The step.
        step: Step,
        /// Time foreseen, s.
        estimated_s: Option<f64>,
    },
    /// How far the current step is. Not kept in the journal.
    Progress {
        /// The step.
        number: u64,
        /// What takes its time.
        activity: Activity,
        /// Share done, 0 to 1, where it can be told.
        done: Option<f64>,
        /// Time left, s, where it can be told.
        remaining_s: Option<f64>,
    },
    /// The types of further columns of the trace files are decided, for all files of the run.
    ColumnsDecided {
        /// By name.
        columns: BTreeMap<String, Column>,
    },
    /// A trace has its final name.
    TraceStored {
        /// What and where it is.
        trace: TraceSummary,
    },
    /// A closed segment of recorded power has its final name.
    PowerStored {
        /// What and where it is.
        #[serde(flatten)]
        segment: PowerSegment,
    },
    /// A step succeeded.
    StepFinished {
        /// The step.
        number: u64,
        /// What it gave.
        outcome: Outcome,
        /// Time it took, s.
        seconds: f64,
    },
    /// An attempt at a step failed.
    StepFailed {
        /// The step.
        number: u64,
        /// Why.
        fault: Fault,
        /// What follows.
        then: AfterFault,
    },
    /// The operator is asked.
    Question {
        /// The step that asks.
        number: u64,
        /// The question.
        message: String,
        /// The answers to choose from; empty: any.
        choices: Vec<String>,
        /// When nobody is waited for any longer; `None`: the question waits until it is answered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<DateTime<Utc>>,
    },
    /// A question has its answer.
    Answered {
        /// The step that asked.
        number: u64,
        /// The answer.
        answer: String,
        /// False when it was taken because nobody was there.
        by_operator: bool,
    },
    /// A line from the recipe.
    Log {
        /// The text.
        message: String,
    },
    /// Something the operator should know and that does not fail the step.
    Warning {
        /// The text.
        message: String,
    },
    /// The recipe asked for the time: recorded, so that a resumed run sees the same.
    Now {
        /// Seconds since 1970-01-01 UTC.
        time_s: f64,
    },
    /// The link to the instrument was lost.
    LinkLost {
        /// Why.
        reason: String,
    },
    /// The link is back, and the instrument is the same.
    LinkRegained {
        /// How long it was away, s.
        after_s: f64,
    },
    /// The run holds before its next step.
    Paused,
    /// Held for long, the run has turned its lasers off.
    Darkened {
        /// Off until it goes on.
        off: Vec<u8>,
        /// Could not be confirmed off.
        unknown: Vec<u8>,
    },
    /// The run goes on.
    Resumed {
        /// How long it held, s.
        after_s: f64,
        /// Lasers that are on again.
        relit: Vec<u8>,
    },
    /// The run holds because the disk has no room.
    DiskFull {
        /// Room that there is, bytes, where that can be told.
        free_bytes: Option<u64>,
        /// Room that is needed, bytes.
        needed_bytes: u64,
        /// How long it is waited for, s.
        wait_s: f64,
    },
    /// There is room again, and the run goes on.
    RoomAgain {
        /// How long it held, s.
        after_s: f64,
        /// Lasers that are on again.
        relit: Vec<u8>,
    },
    /// The recipe's `suspend_when` holds the run.
    Suspended {
        /// The condition as it is written.
        condition: String,
    },
    /// The suspension is over; a sweep that it has spoilt is done again.
    SuspensionOver,
    /// A stop was asked for.
    Stopping {
        /// By whom or what.
        reason: String,
    },
    /// The recipe's `finally` begins.
    Finally,
    /// What became of the lasers at the end.
    LasersOff {
        /// Off, as the instrument confirmed.
        off: Vec<u8>,
        /// Could not be confirmed off.
        unknown: Vec<u8>,
    },
    /// The run is over.
    Finished {
        /// How.
        state: RunState,
        /// Why, when it is not `done`.
        reason: Option<String>,
        /// Steps that failed and were passed over.
        failed_steps: u64,
        /// Traces stored.
        traces: u64,
    },
}

/// What follows a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AfterFault {
    /// Another attempt.
    Retry {
        /// After this pause, s.
        after_s: f64,
    },
    /// The run goes on with the next step (`on_error: continue`).
    Continue,
    /// The fault goes to the recipe, which stops or, in a script, may catch it.
    Raise,
}

/// An event with its number and time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Counts the run's events from 1; events that are not kept have the number of the last kept one.
    pub n: u64,
    /// When.
    pub time: DateTime<Utc>,
    /// How long the run has lasted, s, by a clock that nobody sets: the time of all its processes together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_s: Option<f64>,
    /// What.
    #[serde(flatten)]
    pub event: RunEvent,
}

impl RunEvent {
    pub(super) fn suspended(condition: String) -> Self {
        Self::Suspended { condition }
    }

    /// Whether the journal keeps it.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        !matches!(self, Self::Progress { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_journal_keeps_of_the_start_can_be_read_again() {
        let event = RunEvent::Started {
            run: "abcdef".to_owned(),
            name: "test".to_owned(),
            folder: "runs/test".to_owned(),
            instrument: InstrumentRecord {
                address: "sim".to_owned(),
                simulated: true,
                identity: "EXFO,CTP10,SIMULATED-1,0.1.0".to_owned(),
                lasers: [(1, "EXFO,T100S-HP,0,6.06".to_owned())].into(),
            },
            operations: Some(3),
            estimated_s: None,
            outline: Vec::new(),
        };
        let record = Record { n: 1, time: Utc::now(), elapsed_s: Some(0.5), event };
        let line = serde_json::to_string(&record).unwrap();
        assert_eq!(serde_json::from_str::<Record>(&line).unwrap(), record);
    }
}
