//! What a run has done to the instrument so far, as far as later steps and the cleanup need to know it.

use std::collections::BTreeSet;

/// The run's footprint on the instrument.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// Sweeps started, counted from 1; 0 before the first.
    pub(super) sweep_index: u64,
    /// Traces stored.
    pub(super) trace_index: u64,
    /// Which attempt at the present sweep.
    pub(super) attempt: u32,
    /// True when the last sweep did not end well: the live traces in memory are those of an earlier one.
    pub(super) live_is_old: bool,
    /// True from the start of a scan until the instrument was seen idle again.
    pub(super) scanning: bool,
    /// Lasers that the run set or switched on.
    pub(super) lasers: BTreeSet<u8>,
    /// Raw text was sent.
    pub(super) used_scpi: bool,
    /// A raw command was sent: whatever it did, every laser counts as on.
    pub(super) all_lasers: bool,
    /// The settings of the last sweep as re-read, for the files of its traces; `None` before the first.
    pub(super) sweep_settings: Option<serde_json::Map<String, serde_json::Value>>,
}
