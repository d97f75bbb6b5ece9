//! What is to be expected of a queue: the same decisions as the worker's, with the clock turned on.

use chrono::{DateTime, Utc};

use super::schedule::{Decision, Situation, in_order, next_item, span};
use super::times::Window;
use crate::catalogue::ItemRow;

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
