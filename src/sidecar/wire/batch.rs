//! Requests and replies about the queue of a batch.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::batch::{Expectation, Forecast, Task, Window, in_order};
use crate::catalogue::{ItemRow, ItemState};

/// An item.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(crate) struct ItemPath {
    /// Its number, from 1.
    #[schemars(range(min = 1))]
    pub(crate) number: u32,
}

/// How an item is queued again.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
pub(crate) struct ReleaseQuery {
    /// Start from the beginning instead of resuming the interrupted run.
    #[serde(default)]
    pub(crate) anew: bool,
}

/// The new place of an item.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(crate) struct MoveQuery {
    /// Its place among the items that have not begun, from 1.
    #[schemars(range(min = 1))]
    pub(crate) to: u32,
}

/// An item.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct ItemReply {
    number: u32,
    state: ItemState,
    reason: Option<String>,
    recipe: String,
    set: BTreeMap<String, Value>,
    metadata: BTreeMap<String, Value>,
    priority: i64,
    not_before: Option<DateTime<Utc>>,
    deadline: Option<DateTime<Utc>>,
    /// Number of attempts.
    attempts: u32,
    /// Number of attempts that repeated a failed one.
    retries: u32,
    /// Expected time, s.
    estimated_s: Option<f64>,
    /// Expected disk space, bytes.
    bytes: Option<u64>,
    /// Its runs, in order.
    runs: Vec<String>,
    /// Its place among the items that have not begun, from 1.
    place: Option<usize>,
    /// When it is expected to begin; null if it is not reached, or has begun.
    begins: Option<DateTime<Utc>>,
    /// When it is expected to end.
    ends: Option<DateTime<Utc>>,
    /// Whether its time window is expected to end during the item.
    cut: bool,
}

/// The queue.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct BatchReply {
    batch: String,
    paused: bool,
    /// Whether items may be added.
    open: bool,
    not_before: Option<DateTime<Utc>>,
    deadline: Option<DateTime<Utc>>,
    /// Number of items in each state.
    counts: BTreeMap<String, usize>,
    /// Expected time of the items that have not ended, s.
    remaining_s: f64,
    /// Expected disk space of the items that have not ended, bytes.
    remaining_bytes: u64,
    /// When the last item is expected to end.
    ends: Option<DateTime<Utc>>,
    /// The items in the order of their numbers.
    items: Vec<ItemReply>,
}

impl BatchReply {
    pub(crate) fn new(
        batch: &str,
        open: bool,
        (items, paused): (&[ItemRow], bool),
        window: Window,
        forecast: &Forecast,
    ) -> Self {
        let mut counts = BTreeMap::new();
        for item in items {
            *counts.entry(item.state.to_string()).or_default() += 1;
        }
        // The places that an item can be moved to; what has to wait for its time may begin after those behind it.
        let order: HashMap<u32, usize> =
            in_order(items).iter().enumerate().map(|(place, item)| (item.number, place)).collect();
        let expected: HashMap<u32, &Expectation> =
            forecast.items.iter().map(|expected| (expected.number, expected)).collect();
        let reply = |item: &ItemRow| {
            ItemReply::new(item, order.get(&item.number).copied(), expected.get(&item.number).copied())
        };
        Self {
            batch: batch.to_owned(),
            paused,
            open,
            not_before: window.not_before,
            deadline: window.deadline,
            counts,
            remaining_s: forecast.seconds,
            remaining_bytes: forecast.bytes,
            ends: forecast.ends,
            items: items.iter().map(reply).collect(),
        }
    }
}

impl ItemReply {
    fn new(item: &ItemRow, place: Option<usize>, expected: Option<&Expectation>) -> Self {
        let task: Task = serde_json::from_value(item.payload.clone()).unwrap_or_default();
        Self {
            number: item.number,
            state: item.state,
            reason: item.reason.clone(),
            recipe: task.recipe,
            set: task.set,
            metadata: task.metadata,
            priority: item.priority,
            not_before: item.not_before,
            deadline: item.deadline,
            attempts: item.attempts,
            retries: item.retries,
            estimated_s: item.estimated_s,
            bytes: item.bytes,
            runs: item.runs.iter().map(|(run, _)| run.clone()).collect(),
            place: place.map(|place| place + 1),
            begins: expected.and_then(|expected| expected.begins),
            ends: expected.and_then(|expected| expected.ends),
            cut: expected.is_some_and(|expected| expected.cut),
        }
    }
}

/// What was added.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct AddedReply {
    /// The numbers of the items.
    pub(crate) numbers: Vec<u32>,
    /// What was found and does not keep them from running.
    pub(crate) findings: Vec<Value>,
}
