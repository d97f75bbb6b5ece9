//! Requests and replies about the queue of a batch.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::batch::{Expectation, Forecast, Task, Window, in_order};
use crate::catalogue::{ItemRow, ItemState};

/// Which item.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(crate) struct ItemPath {
    /// Its number, from 1.
    #[schemars(range(min = 1))]
    pub(crate) number: u32,
}

/// How an item is queued again.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
pub(crate) struct ReleaseQuery {
    /// It begins from its beginning, instead of going on in the run that was cut off or stopped.
    #[serde(default)]
    pub(crate) anew: bool,
}

/// Where to.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(crate) struct MoveQuery {
    /// Its place among those still to come, from 1.
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
    /// How often it was begun.
    attempts: u32,
    /// How many of these repeated one that had failed.
    retries: u32,
    /// Time foreseen, s.
    estimated_s: Option<f64>,
    /// Bytes foreseen.
    bytes: Option<u64>,
    /// Its runs, in order.
    runs: Vec<String>,
    /// Its place among those still to come, from 1.
    place: Option<usize>,
    /// When it is expected to begin; null when it is not reached, or not still to come.
    begins: Option<DateTime<Utc>>,
    /// When it is expected to end.
    ends: Option<DateTime<Utc>>,
    /// Its time would be over while it is under way.
    cut: bool,
}

/// The queue.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub(crate) struct BatchReply {
    batch: String,
    paused: bool,
    /// Items may be added.
    open: bool,
    not_before: Option<DateTime<Utc>>,
    deadline: Option<DateTime<Utc>>,
    /// How many items are in which state.
    counts: BTreeMap<String, usize>,
    /// Time of what is still to come, s.
    remaining_s: f64,
    /// Bytes of what is still to come.
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
        let order = in_order(items);
        let reply = |item: &ItemRow| {
            let place = order.iter().position(|queued| queued.number == item.number);
            let expected = forecast.items.iter().find(|expected| expected.number == item.number);
            ItemReply::new(item, place, expected)
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
