//! Decides the next item: pure functions of the queue and the time.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::num::NonZeroU32;

use chrono::{DateTime, Local, TimeDelta, Utc};

use super::times::Window;
use crate::catalogue::{ItemRow, ItemState};

/// What a decision needs to know of an item. The queue of one bench and the queue of many benches both decide by it.
pub trait Candidate {
    /// The name of the item in its queue. Among items of the same priority and place, the lowest comes first.
    type Key: Ord + Clone;

    /// The name of the item.
    fn key(&self) -> Self::Key;
    /// Whether the item waits for its turn.
    fn is_queued(&self) -> bool;
    /// Items with a higher priority come first.
    fn priority(&self) -> i64;
    /// The order among items of the same priority.
    fn place(&self) -> i64;
    /// The item does not start before this time.
    fn not_before(&self) -> Option<DateTime<Utc>>;
    /// The item does not start after this time.
    fn deadline(&self) -> Option<DateTime<Utc>>;
}

impl Candidate for ItemRow {
    type Key = u32;

    fn key(&self) -> u32 {
        self.number
    }

    fn is_queued(&self) -> bool {
        self.state == ItemState::Queued
    }

    fn priority(&self) -> i64 {
        self.priority
    }

    fn place(&self) -> i64 {
        self.place
    }

    fn not_before(&self) -> Option<DateTime<Utc>> {
        self.not_before
    }

    fn deadline(&self) -> Option<DateTime<Utc>> {
        self.deadline
    }
}

/// The input of a decision, except the time.
#[derive(Debug)]
pub struct Situation<'a, C = ItemRow> {
    /// The items of the queue.
    pub items: &'a [C],
    /// The times during which the batch may measure.
    pub window: Window,
    /// Whether a person has paused the queue.
    pub paused: bool,
    /// Number of consecutive failed items.
    pub failures_in_a_row: u32,
    /// Number of consecutive failures that ends the batch.
    pub most_failures: Option<NonZeroU32>,
}

impl<C> Default for Situation<'_, C> {
    fn default() -> Self {
        Self {
            items: &[],
            window: Window::default(),
            paused: false,
            failures_in_a_row: 0,
            most_failures: None,
        }
    }
}

/// The next action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision<K = u32> {
    /// Start this item.
    Begin(K),
    /// Skip this item, because its own deadline has passed.
    Skip {
        /// Which.
        item: K,
        /// The reason, as text.
        reason: String,
    },
    /// Wait until a time.
    Wait {
        /// The time.
        until: DateTime<Utc>,
    },
    /// Wait until a person resumes the queue.
    Paused,
    /// Nothing is queued.
    Idle,
    /// Stop, although items are queued.
    Stop(String),
}

/// The next action.
#[must_use]
pub fn next_item<C: Candidate>(situation: &Situation<'_, C>, now: DateTime<Utc>) -> Decision<C::Key> {
    let queued = || situation.items.iter().filter(|item| item.is_queued());
    if queued().next().is_none() {
        return Decision::Idle;
    }
    if let Some(most) = situation.most_failures
        && situation.failures_in_a_row >= most.get()
    {
        let count = situation.failures_in_a_row;
        return Decision::Stop(format!("{count} consecutive items have failed"));
    }
    if let Some(late) = queued().find(|item| item.deadline().is_some_and(|deadline| deadline <= now)) {
        let deadline = late.deadline().map(clock).unwrap_or_default();
        return Decision::Skip { item: late.key(), reason: format!("its deadline {deadline} has passed") };
    }
    let deadline = situation.window.deadline;
    if let Some(deadline) = deadline.filter(|deadline| *deadline <= now) {
        return Decision::Stop(format!("the deadline {} has passed", clock(deadline)));
    }
    if situation.paused {
        return Decision::Paused;
    }
    if let Some(begin) = situation.window.not_before.filter(|begin| *begin > now) {
        return Decision::Wait { until: begin };
    }
    let ready = queued()
        .filter(|item| item.not_before().is_none_or(|begin| begin <= now))
        .min_by_key(|item| rank(*item));
    if let Some(item) = ready {
        return Decision::Begin(item.key());
    }
    match queued().filter_map(Candidate::not_before).min() {
        Some(until) if deadline.is_none_or(|deadline| until < deadline) => Decision::Wait { until },
        _ => Decision::Stop("the remaining items start only after the deadline".to_owned()),
    }
}

fn rank<C: Candidate>(item: &C) -> (Reverse<i64>, i64, C::Key) {
    (Reverse(item.priority()), item.place(), item.key())
}

/// The waiting items in the order in which they would start now.
#[must_use]
pub fn in_order<C: Candidate>(items: &[C]) -> Vec<&C> {
    let mut queued: Vec<&C> = items.iter().filter(|item| item.is_queued()).collect();
    queued.sort_by_key(|item| rank(*item));
    queued
}

/// A moment in local time, for messages.
#[must_use]
pub(super) fn clock(time: DateTime<Utc>) -> String {
    time.with_timezone(&Local).format("%Y-%m-%d %H:%M").to_string()
}

/// Seconds as a duration; values longer than any batch are clipped.
#[expect(clippy::cast_possible_truncation, reason = "clamped")]
#[must_use]
pub fn span(seconds: f64) -> TimeDelta {
    TimeDelta::milliseconds((seconds.clamp(0.0, 1e10) * 1000.0) as i64)
}
