//! Decides the next item: pure functions of the queue and the time.

#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::num::NonZeroU32;

use chrono::{DateTime, Local, TimeDelta, Utc};

use super::times::Window;
use crate::catalogue::{ItemRow, ItemState};

/// The input of a decision, except the time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Situation<'a> {
    /// The items of the batch.
    pub items: &'a [ItemRow],
    /// The times during which the batch may measure.
    pub window: Window,
    /// Whether a person has paused the queue.
    pub paused: bool,
    /// Number of consecutive failed items.
    pub failures_in_a_row: u32,
    /// Number of consecutive failures that ends the batch.
    pub most_failures: Option<NonZeroU32>,
}

/// The next action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Start this item.
    Begin(u32),
    /// Skip this item, because its own deadline has passed.
    Skip {
        /// Which.
        number: u32,
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
pub fn next_item(situation: &Situation<'_>, now: DateTime<Utc>) -> Decision {
    let queued = || situation.items.iter().filter(|item| item.state == ItemState::Queued);
    if queued().next().is_none() {
        return Decision::Idle;
    }
    if let Some(most) = situation.most_failures
        && situation.failures_in_a_row >= most.get()
    {
        let count = situation.failures_in_a_row;
        return Decision::Stop(format!("{count} consecutive items have failed"));
    }
    if let Some(late) = queued().find(|item| item.deadline.is_some_and(|deadline| deadline <= now)) {
        let deadline = late.deadline.map(clock).unwrap_or_default();
        return Decision::Skip { number: late.number, reason: format!("its deadline {deadline} has passed") };
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
    let ready = queued().filter(|item| item.not_before.is_none_or(|begin| begin <= now)).min_by_key(rank);
    if let Some(item) = ready {
        return Decision::Begin(item.number);
    }
    match queued().filter_map(|item| item.not_before).min() {
        Some(until) if deadline.is_none_or(|deadline| until < deadline) => Decision::Wait { until },
        _ => Decision::Stop("the remaining items start only after the deadline".to_owned()),
    }
}

fn rank(item: &&ItemRow) -> (Reverse<i64>, i64, u32) {
    (Reverse(item.priority), item.place, item.number)
}

/// The waiting items in the order in which they would start now.
#[must_use]
pub fn in_order(items: &[ItemRow]) -> Vec<&ItemRow> {
    let mut queued: Vec<&ItemRow> = items.iter().filter(|item| item.state == ItemState::Queued).collect();
    queued.sort_by_key(rank);
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
