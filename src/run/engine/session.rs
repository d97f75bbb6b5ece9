//! What a run has done to the instrument so far, as far as later steps and the cleanup need to know it.

use std::collections::BTreeSet;

use crate::instrument::ScanSettings;
use crate::measurement::{Detector, TraceSummary};
use crate::run::engine::repeat::Unit;
use crate::run::state::configuration::Configuration;
use crate::step::{Outcome, Step};

/// The run's footprint on the instrument.
#[derive(Debug, Default)]
pub(in crate::run) struct Session {
    /// Sweeps started, counted from 1; 0 before the first.
    pub(in crate::run) sweep_index: u64,
    /// Traces stored.
    pub(in crate::run) trace_index: u64,
    /// Which attempt at the present sweep.
    pub(in crate::run) attempt: u32,
    /// True when the last sweep did not end well: the live traces in memory are those of an earlier one.
    pub(in crate::run) live_is_old: bool,
    /// True from the start of a scan until the instrument was seen idle again.
    pub(in crate::run) scanning: bool,
    /// Lasers that the run set or switched on.
    pub(in crate::run) lasers: BTreeSet<u8>,
    /// Raw text was sent.
    pub(in crate::run) used_scpi: bool,
    /// A raw command was sent: whatever it did, every laser counts as on.
    pub(in crate::run) all_lasers: bool,
    /// The settings of the last sweep as re-read, for the files of its traces; `None` before the first.
    pub(in crate::run) swept: Option<ScanSettings>,
    /// What the run has set.
    pub(in crate::run) configuration: Configuration,
    /// It need not be on the instrument any more.
    pub(in crate::run) unsettled: bool,
    /// How often it was set again within the present attempt.
    pub(in crate::run) rounds: u32,
    /// References that are being taken again: what the instrument has of them may be of other settings.
    pub(in crate::run) doubtful: BTreeSet<Detector>,
    /// Lasers that the run has on and that need not be on any more.
    pub(in crate::run) unlit: BTreeSet<u8>,
    /// An earlier process of the run may have lit the lasers of the scan, and they have not been asked for yet.
    pub(in crate::run) lasers_of_scan_unknown: bool,
    /// The last sweep with what was fetched after it.
    pub(in crate::run) unit: Option<Unit>,
    /// Traces of earlier attempts at the fetch under way, whose places its traces take.
    pub(in crate::run) slots: Vec<Slot>,
}

/// The place of a trace that is fetched again.
#[derive(Debug, Clone)]
pub(in crate::run) struct Slot {
    pub(in crate::run) trace_index: u64,
    /// The trace that is there until the new one has arrived.
    pub(in crate::run) stored: Option<TraceSummary>,
}

impl From<TraceSummary> for Slot {
    fn from(trace: TraceSummary) -> Self {
        Self { trace_index: trace.trace_index, stored: Some(trace) }
    }
}

impl Session {
    /// Takes a step into account that is over.
    pub(in crate::run) fn note(&mut self, number: u64, step: &Step, outcome: &Outcome) {
        // What raw text has done is asked within its step.
        let traits = step.operation.traits();
        if traits.raw.is_none() {
            self.configuration.note(&step.operation, outcome);
        }
        Unit::note(&mut self.unit, number, step, outcome);
        if let Some(laser) = traits.lasers.switched() {
            self.unlit.remove(&laser);
        }
    }
}
