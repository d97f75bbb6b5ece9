//! What comes next: plain functions of the queue and the time.

use std::cmp::Reverse;
use std::num::NonZeroU32;

use chrono::{DateTime, Local, TimeDelta, Utc};

use super::times::Window;
use crate::catalogue::{ItemRow, ItemState};

/// What a decision depends on beside the time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Situation<'a> {
    /// The items of the batch.
    pub items: &'a [ItemRow],
    /// When the batch may measure.
    pub window: Window,
    /// A person has paused it.
    pub paused: bool,
    /// Items that have failed since the last one that did not.
    pub failures_in_a_row: u32,
    /// So many of these end the batch.
    pub most_failures: Option<NonZeroU32>,
}

/// What comes next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// This item begins.
    Begin(u32),
    /// This item's own deadline has passed.
    Skip {
        /// Which.
        number: u32,
        /// The reason in words.
        reason: String,
    },
    /// Nothing before this.
    Wait {
        /// Until when.
        until: DateTime<Utc>,
    },
    /// Nothing until a person lets it go on.
    Paused,
    /// Nothing is queued.
    Idle,
    /// Nothing more, although something is queued.
    Stop(String),
}

/// What comes next.
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
        return Decision::Stop(format!("{count} items have failed one after another"));
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
        _ => Decision::Stop("what is left begins only after the deadline".to_owned()),
    }
}

fn rank(item: &&ItemRow) -> (Reverse<i64>, i64, u32) {
    (Reverse(item.priority), item.place, item.number)
}

/// The items that are still to come, as they would begin if all could now.
#[must_use]
pub fn in_order(items: &[ItemRow]) -> Vec<&ItemRow> {
    let mut queued: Vec<&ItemRow> = items.iter().filter(|item| item.state == ItemState::Queued).collect();
    queued.sort_by_key(rank);
    queued
}

/// A moment as people here say it.
#[must_use]
pub(super) fn clock(time: DateTime<Utc>) -> String {
    time.with_timezone(&Local).format("%Y-%m-%d %H:%M").to_string()
}

/// When an item is expected.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expectation {
    /// Which.
    pub number: u32,
    /// When it begins; `None` when it is not reached.
    pub begins: Option<DateTime<Utc>>,
    /// When it would end.
    pub ends: Option<DateTime<Utc>>,
    /// It would be under way when its time is over.
    pub cut: bool,
}

/// What is expected of a batch when every item succeeds at once and takes as long as foreseen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Forecast {
    /// The items still to come, in the order in which they begin; those that are not reached last.
    pub items: Vec<Expectation>,
    /// When the last one ends.
    pub ends: Option<DateTime<Utc>>,
    /// Time of all items still to come, s.
    pub seconds: f64,
    /// Bytes of all items still to come.
    pub bytes: u64,
}

impl Forecast {
    /// Items that are not reached, or would not be over in time.
    #[must_use]
    pub fn not_reached(&self) -> Vec<u32> {
        self.items.iter().filter(|item| item.begins.is_none() || item.cut).map(|item| item.number).collect()
    }
}

/// What is to be expected from now on. Somebody's pause is left out of account.
#[must_use]
pub fn expect(items: &[ItemRow], window: Window, now: DateTime<Utc>) -> Forecast {
    let mut left: Vec<ItemRow> = in_order(items).into_iter().cloned().collect();
    let mut forecast = Forecast {
        seconds: left.iter().filter_map(|item| item.estimated_s).sum(),
        bytes: left.iter().filter_map(|item| item.bytes).sum(),
        ..Forecast::default()
    };
    let mut at = now;
    let mut late = Vec::new();
    loop {
        let situation = Situation { items: &left, window, ..Situation::default() };
        let taken = match next_item(&situation, at) {
            Decision::Begin(number) => number,
            Decision::Skip { number, .. } => {
                late.push(number);
                left.retain(|item| item.number != number);
                continue;
            }
            Decision::Wait { until } => {
                at = until;
                continue;
            }
            Decision::Paused | Decision::Idle | Decision::Stop(_) => break,
        };
        let Some(index) = left.iter().position(|item| item.number == taken) else { break };
        let item = left.remove(index);
        let begins = at;
        at += span(item.estimated_s.unwrap_or_default());
        let end = item.deadline.into_iter().chain(window.deadline).min();
        let cut = end.is_some_and(|end| at > end);
        forecast.items.push(Expectation { number: taken, begins: Some(begins), ends: Some(at), cut });
        // What is cut ends then.
        at = end.map_or(at, |end| at.min(end));
        forecast.ends = Some(at);
    }
    let never = |number| Expectation { number, begins: None, ends: None, cut: false };
    forecast.items.extend(late.into_iter().chain(left.iter().map(|item| item.number)).map(never));
    forecast
}

/// Seconds as a span; more than any batch lasts is clipped.
#[expect(clippy::cast_possible_truncation, reason = "clamped")]
pub(super) fn span(seconds: f64) -> TimeDelta {
    TimeDelta::milliseconds((seconds.clamp(0.0, 1e10) * 1000.0) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + 60 * minutes, 0).unwrap()
    }

    fn item(number: u32, priority: i64) -> ItemRow {
        ItemRow {
            number,
            place: i64::from(number),
            priority,
            state: ItemState::Queued,
            reason: None,
            attempts: 0,
            retries: 0,
            not_before: None,
            deadline: None,
            estimated_s: Some(600.0),
            bytes: Some(1000),
            payload: json!({}),
            recovered: false,
            runs: Vec::new(),
        }
    }

    fn until(minutes: i64) -> Window {
        Window { not_before: None, deadline: Some(at(minutes)) }
    }

    fn next(items: &[ItemRow], window: Window, minutes: i64) -> Decision {
        next_item(&Situation { items, window, ..Situation::default() }, at(minutes))
    }

    #[test]
    fn higher_priorities_come_first_and_equal_ones_in_order() {
        let items = [item(1, 0), item(2, 5), item(3, 5)];
        let order: Vec<u32> = in_order(&items).iter().map(|item| item.number).collect();
        assert_eq!(order, [2, 3, 1]);
        assert_eq!(next(&items, Window::default(), 0), Decision::Begin(2));
    }

    #[test]
    fn what_pauses_before_its_repetition_lets_others_pass() {
        let mut items = [item(1, 5), item(2, 0)];
        items[0].not_before = Some(at(10));
        assert_eq!(next(&items, Window::default(), 0), Decision::Begin(2));
        assert_eq!(next(&items, Window::default(), 10), Decision::Begin(1));
        items[1].state = ItemState::Done;
        assert_eq!(next(&items, Window::default(), 0), Decision::Wait { until: at(10) });
    }

    #[test]
    fn nothing_begins_before_the_beginning_nor_after_the_deadline() {
        let items = [item(1, 0)];
        let window = Window { not_before: Some(at(30)), deadline: Some(at(60)) };
        assert_eq!(next(&items, window, 0), Decision::Wait { until: at(30) });
        assert_eq!(next(&items, window, 30), Decision::Begin(1));
        assert!(matches!(next(&items, window, 60), Decision::Stop(reason) if reason.contains("deadline")));
        let mut late = item(1, 0);
        late.not_before = Some(at(90));
        assert!(matches!(next(&[late], window, 40), Decision::Stop(reason) if reason.contains("after the")));
    }

    #[test]
    fn an_item_whose_own_deadline_has_passed_is_skipped() {
        let mut items = [item(1, 0), item(2, 0)];
        items[0].deadline = Some(at(5));
        assert_eq!(next(&items, Window::default(), 0), Decision::Begin(1));
        assert!(matches!(next(&items, Window::default(), 5), Decision::Skip { number: 1, .. }));
    }

    #[test]
    fn failures_in_a_row_end_the_batch_and_a_pause_holds_it() {
        let items = [item(1, 0)];
        let mut situation = Situation {
            items: &items,
            failures_in_a_row: 2,
            most_failures: NonZeroU32::new(3),
            ..Situation::default()
        };
        assert_eq!(next_item(&situation, at(0)), Decision::Begin(1));
        situation.failures_in_a_row = 3;
        assert!(matches!(next_item(&situation, at(0)), Decision::Stop(reason) if reason.contains("3 items")));
        situation.failures_in_a_row = 0;
        situation.paused = true;
        assert_eq!(next_item(&situation, at(0)), Decision::Paused);
        assert_eq!(next(&[], Window::default(), 0), Decision::Idle);
    }

    #[test]
    fn a_forecast_names_what_the_deadline_does_not_leave_time_for() {
        let items = [item(1, 0), item(2, 0), item(3, 0), item(4, 9)];
        let forecast = expect(&items, until(25), at(0));
        let order: Vec<u32> = forecast.items.iter().map(|item| item.number).collect();
        assert_eq!(order, [4, 1, 2, 3]);
        assert_eq!(forecast.not_reached(), [2, 3]);
        assert_eq!(forecast.ends, Some(at(25)));
        assert_eq!(forecast.bytes, 4000);
        assert!(expect(&items, until(40), at(0)).not_reached().is_empty());
    }

    #[test]
    fn a_forecast_waits_for_what_begins_later() {
        let mut items = [item(1, 0), item(2, 0)];
        items[0].not_before = Some(at(30));
        let forecast = expect(&items, Window::default(), at(0));
        assert_eq!(forecast.items[0].begins, Some(at(0)));
        assert_eq!(forecast.items[1].begins, Some(at(30)));
        assert_eq!(forecast.ends, Some(at(40)));
    }
}
