//! The pauses of items before their repetitions. The wall clock may be set during a pause, so the monotonic clock measures
//! its length.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use chrono::{DateTime, Local, TimeDelta, Utc};

use super::schedule::span;
use super::task::Task;
use super::times::Moment;
use crate::catalogue::{ItemRow, ItemState};

/// The clocks may differ by this much before a time in a reply changes.
const DRIFT: TimeDelta = TimeDelta::seconds(1);

/// The ends of the pauses that this process has seen, each by its item and by its end in the catalogue.
#[derive(Debug, Default)]
pub(super) struct Pauses(Mutex<BTreeMap<(u32, DateTime<Utc>), Instant>>);

impl Pauses {
    /// Moves the end of each pause to where the wall clock shows it now. `now` and `at` are the same moment.
    pub(super) fn follow(&self, items: &mut [ItemRow], now: DateTime<Utc>, at: Instant) {
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for item in items.iter_mut().filter(|item| item.retries > 0 && item.state == ItemState::Queued) {
            let Some(noted) = item.not_before else { continue };
            let end = match ends.get(&(item.number, noted)) {
                Some(end) => *end,
                None if noted <= now => continue,
                None => {
                    let Some(length) = pause(item, noted) else { continue };
                    // If the clock was set back before this process began, the pause seems to be longer than it is.
                    let end = at + (noted - now).min(length).to_std().unwrap_or_default();
                    ends.insert((item.number, noted), end);
                    end
                }
            };
            let shown = now + between(at, end);
            if (shown - noted).abs() > DRIFT {
                item.not_before = Some(shown);
            }
        }
    }

    /// The end of the pause that ends first after a moment.
    pub(super) fn next(&self, at: Instant) -> Option<Instant> {
        let ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ends.values().copied().filter(|end| *end > at).min()
    }
}

/// The length of the pause that ends at this time; `None` if this is the item's own `not_before`.
fn pause(item: &ItemRow, noted: DateTime<Utc>) -> Option<TimeDelta> {
    let task: Task = serde_json::from_value(item.payload.clone()).ok()?;
    let is_own = match task.not_before {
        None => false,
        Some(Moment::Once(own)) => own == noted,
        Some(Moment::Daily(own)) => own == noted.with_timezone(&Local).time(),
    };
    let length = task.retry.and_then(|retry| retry.backoff_s);
    (!is_own).then(|| span(length.map_or(0.0, |length| length.get())))
}

fn between(from: Instant, to: Instant) -> TimeDelta {
    let time = |first: Instant, last: Instant| {
        TimeDelta::from_std(last.saturating_duration_since(first)).unwrap_or(TimeDelta::MAX)
    };
    time(from, to) - time(to, from)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::*;

    const PAUSE: i64 = 60;
    const HOUR: i64 = 3600;

    fn wall(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    /// An item that waits for its repetition from 0 s to 60 s of the wall clock.
    fn item(own: &Value) -> ItemRow {
        ItemRow {
            number: 1,
            place: 1,
            priority: 0,
            state: ItemState::Queued,
            reason: None,
            attempts: 1,
            retries: 1,
            not_before: Some(wall(PAUSE)),
            deadline: None,
            estimated_s: None,
            bytes: None,
            payload: json!({ "retry": { "times": 1, "backoff_s": PAUSE }, "not_before": own }),
            recovered: false,
            runs: Vec::new(),
            unfinished: None,
        }
    }

    /// The time that the item has to wait, s. The wall clock is `set` by so many seconds, and `passed` seconds have passed.
    fn left(pauses: &Pauses, start: Instant, (set, passed): (i64, u32), own: &Value) -> i64 {
        let (now, mut items) = (wall(set + i64::from(passed)), [item(own)]);
        pauses.follow(&mut items, now, start + Duration::from_secs(passed.into()));
        (items[0].not_before.unwrap() - now).num_seconds()
    }

    #[test]
    fn a_pause_lasts_as_long_as_it_should_however_the_clock_is_set_meanwhile() {
        let (pauses, start) = (Pauses::default(), Instant::now());
        let left = |set, passed| left(&pauses, start, (set, passed), &Value::Null);
        assert_eq!(left(0, 0), 60);
        for set in [0, -HOUR, HOUR] {
            assert_eq!([0, 20, 59, 60, 70].map(|passed| left(set, passed)), [60, 40, 1, 0, -10], "{set}");
        }
        assert_eq!(pauses.next(start), Some(start + Duration::from_secs(60)));
        assert_eq!(pauses.next(start + Duration::from_secs(60)), None);
    }

    #[test]
    fn after_a_restart_no_pause_is_longer_than_its_length_and_an_own_time_is_kept() {
        let own = json!(wall(PAUSE).to_rfc3339());
        for (set, own, expected) in [
            (0, &Value::Null, 60),
            (30, &Value::Null, 30),
            (-HOUR, &Value::Null, 60),
            (HOUR, &Value::Null, PAUSE - HOUR),
            (-HOUR, &own, PAUSE + HOUR),
        ] {
            let restarted = Pauses::default();
            assert_eq!(left(&restarted, Instant::now(), (set, 0), own), expected, "{set} {own}");
        }
    }
}
