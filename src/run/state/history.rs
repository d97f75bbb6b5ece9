//! The history of a run: a pure fold over its events. The live run and a resumed run use this one fold, so that both
//! know the same of the same journal.
//!
//! The size of a history depends on the recipe and on one sweep, and not on the length of the run. The list of all
//! steps, which only a resumed run needs, is the [transcript](crate::run::resume::transcript).

mod sweep;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::configuration::Configuration;
use super::verdicts::Verdicts;
use crate::measurement::{Detector, ReferenceRecord, TraceSummary};
use crate::operation::{Lasers, Memory, Operation};
use crate::run::events::{AfterFault, RunEvent};
use crate::step::{Column, Fault, FaultKind, Outcome, Step};
use crate::store::RunState;
pub use sweep::{FetchRecord, Slot, SweepRecord};

/// What a run has done so far, as far as its next steps and its end depend on it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    /// Whether the run has begun.
    pub started: bool,
    /// How often the run was resumed.
    pub resumed: u64,
    /// The state in which the run ended, if it has ended.
    pub ended: Option<RunState>,
    /// The `finally` of the recipe has begun.
    pub in_finally: bool,
    /// A step of `finally` failed in the last process.
    pub finally_failed: bool,
    /// The highest number of a step.
    pub steps: u64,
    /// The highest number of a trace.
    pub traces: u64,
    /// The last sweep, with the fetches after it.
    pub sweep: Option<SweepRecord>,
    /// Steps that failed and were passed over (`on_error: continue`), by number.
    pub passed_over: BTreeSet<u64>,
    /// The verdicts on figures.
    pub verdicts: Verdicts,
    /// The columns of the trace files whose types are decided.
    pub columns: BTreeMap<String, Column>,
    /// The last reference of each detector that the run has taken or used.
    pub references: BTreeMap<Detector, ReferenceRecord>,
    /// What the run may have left on the instrument, whatever became of its steps.
    pub touched: Touched,
    /// The commands for the settings that the instrument had before the run changed any of them.
    pub settings_at_beginning: Option<Vec<String>>,
    /// The settings that the run intends.
    pub(in crate::run) intended: Configuration,
    /// The steps under way. The last one is performed; those before it wait while it is performed again.
    under_way: Vec<UnderWay>,
    /// Steps before the last one are performed again, to replace damaged traces.
    repairing: bool,
}

/// What a run may have left on the instrument.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Touched {
    /// Lasers that it set, switched, or made a source of the scan.
    pub lasers: BTreeSet<u8>,
    /// It has begun a scan, which turns on the lasers of the scan.
    pub scanned: bool,
    /// It has sent raw SCPI.
    pub used_scpi: bool,
    /// It has sent a raw SCPI command, which may have turned on any laser.
    pub commanded: bool,
    /// Named instruments that it has used.
    pub named: BTreeSet<String>,
}

/// A step that has begun and has not ended.
#[derive(Debug, Clone, PartialEq)]
struct UnderWay {
    number: u64,
    step: Arc<Step>,
    /// An attempt is being made; false between two attempts.
    is_attempt: bool,
    /// The traces that this step has stored, also in earlier attempts.
    slots: Vec<Slot>,
}

impl History {
    /// Takes one more event into account.
    pub fn apply(&mut self, event: &RunEvent) {
        self.verdicts.apply(event);
        match event {
            RunEvent::Started { .. } => self.started = true,
            RunEvent::RunResumed { .. } => self.resume(),
            RunEvent::StepStarted { number, attempt, step, .. } => self.begin_step(*number, *attempt, step),
            RunEvent::StepFinished { number, outcome, .. } => self.finish_step(*number, outcome),
            RunEvent::StepFailed { number, fault, then } => self.fail_step(*number, fault, *then),
            RunEvent::SettingsRead { commands, at_beginning, .. } => {
                if *at_beginning {
                    self.settings_at_beginning.get_or_insert_with(|| commands.clone());
                }
                if !self.repairing {
                    self.intended.note_read(commands, *at_beginning);
                }
            }
            RunEvent::ReferenceTaken { reference, .. } => {
                self.references.insert(reference.detector, reference.clone());
                if !self.repairing {
                    self.intended.note_scan();
                }
            }
            RunEvent::ReferenceUsed { reference, .. } => {
                self.references.insert(reference.detector, reference.clone());
            }
            RunEvent::TraceStored { trace } => self.store_trace(trace),
            RunEvent::TraceWithdrawn { file, .. } => self.withdraw_trace(file),
            RunEvent::ColumnsDecided { columns } => self.columns.extend(columns.clone()),
            RunEvent::SweepRepeated { .. } => self.repairing = true,
            RunEvent::Finally => self.in_finally = true,
            RunEvent::Finished { state, .. } => self.ended = Some(*state),
            RunEvent::PowerStored { .. }
            | RunEvent::PowerWithdrawn { .. }
            | RunEvent::Decided { .. }
            | RunEvent::WaitsUntil { .. }
            | RunEvent::Progress { .. }
            | RunEvent::Question { .. }
            | RunEvent::Answered { .. }
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
            | RunEvent::LasersOff { .. }
            | RunEvent::InstrumentsSafe { .. } => {}
        }
    }

    /// Whether an attempt at a step has begun whose end is not recorded: a scan may still be under way.
    #[must_use]
    pub fn is_within_step(&self) -> bool {
        self.under_way.last().is_some_and(|step| step.is_attempt)
    }

    /// The step that the latest events belong to.
    #[must_use]
    pub fn current(&self) -> u64 {
        self.under_way.last().map_or(0, |step| step.number)
    }

    /// The traces of a fetch so far: those of the sweep's fetches, or those of the step under way.
    #[must_use]
    pub fn slots(&self, number: u64) -> &[Slot] {
        let fetched = self.sweep.iter().flat_map(|sweep| &sweep.fetches);
        let fetched = fetched.filter(|fetch| fetch.number == number).map(|fetch| &fetch.slots);
        let under_way = self.under_way.iter().filter(|step| step.number == number).map(|step| &step.slots);
        fetched.chain(under_way).next().map_or(&[], Vec::as_slice)
    }

    /// Whether the last sweep did not end well: the traces in the instrument's memory are those of an earlier one.
    #[must_use]
    pub fn has_old_traces_in_memory(&self) -> bool {
        self.sweep.as_ref().is_some_and(|sweep| !sweep.is_in_memory)
    }

    /// Whether the step under way may have taken a reference of this detector that is not recorded yet.
    #[must_use]
    pub fn is_taking_reference(&self, detector: Detector) -> bool {
        let reference = self.under_way.last().and_then(|step| step.step.operation.traits().reference());
        reference.is_some_and(|reference| reference.detectors.contains(&detector))
    }

    /// The last sweep, if it can be repeated together with its fetches.
    #[must_use]
    pub fn repeatable_sweep(&self) -> Option<&SweepRecord> {
        self.sweep.as_ref().filter(|sweep| sweep.can_repeat)
    }

    /// The history of a run of which only the given steps hold. `kept` are their events, in order.
    #[must_use]
    pub fn rewound(&self, kept: impl IntoIterator<Item = RunEvent>) -> Self {
        let mut rewound = Self {
            started: self.started,
            resumed: self.resumed,
            ended: self.ended,
            finally_failed: self.finally_failed,
            columns: self.columns.clone(),
            touched: self.touched.clone(),
            settings_at_beginning: self.settings_at_beginning.clone(),
            ..Self::default()
        };
        if let Some(commands) = &self.settings_at_beginning {
            rewound.intended.note_read(commands, true);
        }
        for event in kept {
            rewound.apply(&event);
        }
        // The instrument has these references, whatever became of the steps.
        rewound.references.clone_from(&self.references);
        // A step that is dropped may have left a scan under way.
        rewound.under_way.clone_from(&self.under_way);
        rewound
    }

    /// Another process continues the run.
    fn resume(&mut self) {
        self.resumed += 1;
        self.ended = None;
        self.in_finally = false;
        self.finally_failed = false;
        self.repairing = false;
        self.under_way.clear();
    }

    fn begin_step(&mut self, number: u64, attempt: u32, step: &Arc<Step>) {
        self.touched.note(&step.operation);
        let is_new = number > self.steps;
        if is_new {
            self.steps = number;
            self.repairing = false;
            self.under_way.clear();
        }
        match self.under_way.last_mut().filter(|known| known.number == number) {
            Some(known) => known.is_attempt = true,
            None => {
                let (step, slots) = (Arc::clone(step), Vec::new());
                self.under_way.push(UnderWay { number, step, is_attempt: true, slots });
            }
        }
        let traits = step.operation.traits();
        if !self.repairing && traits.is_sweep() {
            self.begin_sweep(number, attempt, step);
        }
        if traits.reference().is_some_and(|reference| reference.check.is_some()) {
            // The scan for the check detector replaces the traces of the sweep.
            if let Some(sweep) = &mut self.sweep {
                sweep.is_in_memory = false;
                sweep.forget_fetches();
            }
        }
    }

    fn begin_sweep(&mut self, number: u64, attempt: u32, step: &Arc<Step>) {
        match &mut self.sweep {
            Some(known) if known.number == number => {
                known.attempt = attempt;
                known.is_in_memory = false;
            }
            known => {
                let index = known.as_ref().map_or(0, |known| known.index) + 1;
                *known = Some(SweepRecord {
                    number,
                    step: Arc::clone(step),
                    index,
                    attempt,
                    is_in_memory: false,
                    can_repeat: false,
                    fetches: Vec::new(),
                    analyses: BTreeMap::new(),
                });
            }
        }
    }

    fn finish_step(&mut self, number: u64, outcome: &Outcome) {
        let Some(UnderWay { step, slots, .. }) = self.end_step(number) else { return };
        self.passed_over.remove(&number);
        if self.repairing {
            return;
        }
        self.intended.note(&step.operation, outcome);
        let Some(sweep) = &mut self.sweep else { return };
        let traits = step.operation.traits();
        match traits.memory {
            Memory::ReplacesLive if sweep.number == number => {
                (sweep.is_in_memory, sweep.can_repeat) = (true, true);
            }
            Memory::ReplacesReference(_) => sweep.forget_fetches(),
            Memory::Reads(_) if traits.reads_live() && sweep.can_repeat => {
                match sweep.fetches.iter_mut().find(|known| known.number == number) {
                    Some(known) => known.keep_last(outcome),
                    None => sweep.fetches.push(FetchRecord { number, step: Arc::clone(&step), slots }),
                }
            }
            Memory::ReplacesLive | Memory::Reads(_) | Memory::Keeps | Memory::Unknown => {}
        }
        if let Outcome::Analysis(analysis) = outcome
            && sweep
                .fetches
                .iter()
                .flat_map(|fetch| &fetch.slots)
                .any(|slot| analysis.rests_on(slot.trace_index))
        {
            sweep.analyses.insert(number, step);
        }
    }

    fn fail_step(&mut self, number: u64, fault: &Fault, then: AfterFault) {
        let is_repeated_for_another = self.under_way.len() > 1;
        let stays = matches!(then, AfterFault::Retry { .. }) && !is_repeated_for_another;
        let step = match self.under_way.last_mut().filter(|step| stays && step.number == number) {
            Some(known) => {
                known.is_attempt = false;
                Some(Arc::clone(&known.step))
            }
            None => self.end_step(number).map(|known| known.step),
        };
        self.finally_failed |= self.in_finally && !matches!(then, AfterFault::Retry { .. });
        if then == AfterFault::Continue && !self.repairing {
            self.passed_over.insert(number);
        }
        let Some(step) = step.filter(|_| !self.repairing) else { return };
        let traits = step.operation.traits();
        // The fields of a sweep stay intended, unless none of them was sent.
        if traits.is_sweep() && fault.kind != FaultKind::Refused {
            self.intended.note_settings(&step.operation, &Outcome::Done);
        }
        if traits.reference().is_some() && then == AfterFault::Continue {
            self.sweep.iter_mut().for_each(SweepRecord::forget_fetches);
        }
    }

    /// Takes a step, and steps that were repeated for its sake, off the list of those under way.
    fn end_step(&mut self, number: u64) -> Option<UnderWay> {
        let at = self.under_way.iter().rposition(|step| step.number == number)?;
        let mut ended = self.under_way.split_off(at);
        ended.truncate(1);
        ended.pop()
    }

    fn store_trace(&mut self, trace: &TraceSummary) {
        self.traces = self.traces.max(trace.trace_index);
        let current = self.current();
        let fetched = self.sweep.iter_mut().flat_map(|sweep| &mut sweep.fetches);
        let fetched = fetched.filter(|fetch| fetch.number == current).map(|fetch| &mut fetch.slots);
        let under_way = self.under_way.iter_mut().rev().take(1).map(|step| &mut step.slots);
        let Some(slots) = fetched.chain(under_way).next() else { return };
        match slots.iter_mut().find(|slot| slot.trace_index == trace.trace_index) {
            Some(slot) => slot.stored = Some(trace.clone()),
            None => slots.push(trace.clone().into()),
        }
    }

    fn withdraw_trace(&mut self, file: &str) {
        let fetched = self.sweep.iter_mut().flat_map(|sweep| &mut sweep.fetches);
        let fetched = fetched.flat_map(|fetch| &mut fetch.slots);
        let under_way = self.under_way.iter_mut().flat_map(|step| &mut step.slots);
        for slot in fetched.chain(under_way) {
            slot.stored.take_if(|stored| stored.file == file);
        }
    }
}

impl Touched {
    fn note(&mut self, operation: &Operation) {
        let traits = operation.traits();
        self.lasers.extend(traits.lasers.named());
        self.scanned |= traits.lasers == Lasers::OfScan;
        self.used_scpi |= traits.raw.is_some();
        self.commanded |= traits.lasers == Lasers::Any;
        self.named.extend(traits.named.map(|named| named.name.to_owned()));
    }
}

#[cfg(test)]
mod tests;
