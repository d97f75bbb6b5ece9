//! One attempt at a step, as everything that takes part in it sees it.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::events::RunEvent;
use super::state::history::Slot;
use crate::step::Step;

/// One attempt at a step. What takes part in the attempt does not change it; a retry makes the next one.
#[derive(Debug, Clone)]
pub(super) struct StepContext {
    /// The step's number within the run, from 1.
    pub(super) number: u64,
    /// Counts the attempts at the step, from 1, those of earlier processes too.
    pub(super) attempt: u32,
    /// The step.
    pub(super) step: Arc<Step>,
    /// The moment that an earlier process of the run was waiting for when it was interrupted.
    pub(super) waits_until: Option<DateTime<Utc>>,
    /// The events of the step are held back until its readings are proved.
    pub(super) is_held_back: bool,
    /// Set for a step of an earlier sweep that is repeated to replace damaged traces.
    pub(super) repair: Option<RepairOf>,
    /// Traces of earlier attempts are kept: the new ones get numbers of their own.
    pub(super) keeps_traces: bool,
}

/// The earlier sweep that a repeated step belongs to.
#[derive(Debug, Clone)]
pub(super) struct RepairOf {
    /// Counts the sweeps of the run, from 1.
    pub(super) sweep_index: u64,
    /// The attempt at that sweep.
    pub(super) attempt: u32,
    /// The traces of the fetch, whose places the new traces take.
    pub(super) slots: Vec<Slot>,
}

impl StepContext {
    /// The event that the attempt begins.
    pub(super) fn started(&self, estimated_s: Option<f64>) -> RunEvent {
        let step = Arc::clone(&self.step);
        RunEvent::StepStarted { number: self.number, attempt: self.attempt, step, estimated_s }
    }

    /// The first attempt at a step in this process, after `earlier` attempts in others.
    pub(super) fn new(
        number: u64,
        earlier: u32,
        step: Arc<Step>,
        waits_until: Option<DateTime<Utc>>,
    ) -> Self {
        Self {
            number,
            attempt: earlier + 1,
            step,
            waits_until,
            is_held_back: false,
            repair: None,
            keeps_traces: false,
        }
    }

    /// The same step repeated, in another attempt.
    pub(super) fn again(number: u64, attempt: u32, step: Arc<Step>) -> Self {
        Self {
            number,
            attempt,
            step,
            waits_until: None,
            is_held_back: false,
            repair: None,
            keeps_traces: false,
        }
    }
}
