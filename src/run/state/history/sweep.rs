//! The last sweep of a run with its fetches: what the memory of the instrument holds, and what is repeated together.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::measurement::TraceSummary;
use crate::step::{Outcome, Step};

/// A sweep with the fetches after it. They are repeated together: the instrument's memory holds one sweep.
#[derive(Debug, Clone, PartialEq)]
pub struct SweepRecord {
    /// The number of the step.
    pub number: u64,
    /// The step.
    pub step: Arc<Step>,
    /// Counts the sweeps of the run, from 1.
    pub index: u64,
    /// The last attempt at it.
    pub attempt: u32,
    /// The last attempt has ended well: the traces in the instrument's memory are those of this sweep.
    pub is_in_memory: bool,
    /// The sweep has ended well at least once, and nothing after it rules out that it is repeated.
    pub can_repeat: bool,
    /// The fetches after it, in order.
    pub fetches: Vec<FetchRecord>,
    /// The analyses of their traces, by number: they are repeated with the fetches.
    pub analyses: BTreeMap<u64, Arc<Step>>,
}

/// A fetch of traces that a sweep has left in memory.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchRecord {
    /// The number of the step.
    pub number: u64,
    /// The step.
    pub step: Arc<Step>,
    /// Its traces, in order.
    pub slots: Vec<Slot>,
}

/// The place of a trace in a run. A trace that is fetched again takes the place of the one before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Slot {
    /// The number of the trace within the run.
    pub trace_index: u64,
    /// The trace that is stored now; `None` after it was withdrawn.
    pub stored: Option<TraceSummary>,
}

impl From<TraceSummary> for Slot {
    fn from(trace: TraceSummary) -> Self {
        Self { trace_index: trace.trace_index, stored: Some(trace) }
    }
}

impl FetchRecord {
    /// Traces of an attempt that was kept are not replaced any more: the last attempt has the places of the fetch.
    pub(super) fn keep_last(&mut self, outcome: &Outcome) {
        if let Outcome::Traces(traces) = outcome {
            self.slots.retain(|slot| traces.iter().any(|trace| trace.trace_index == slot.trace_index));
        }
    }
}

impl SweepRecord {
    /// Another scan is in the instrument's memory: this sweep is not repeated any more.
    pub(super) fn forget_fetches(&mut self) {
        self.can_repeat = false;
        self.fetches.clear();
        self.analyses.clear();
    }
}
