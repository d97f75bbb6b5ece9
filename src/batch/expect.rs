//! The forecast of a queue: the decisions of the worker, with a simulated clock.

use chrono::{DateTime, Utc};

use super::schedule::{Decision, Situation, in_order, next_item, span};
use super::times::Window;
use crate::catalogue::ItemRow;

/// The expected times of an item.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expectation {
    /// Which.
    pub number: u32,
    /// Expected start; `None` if the item is not reached.
    pub begins: Option<DateTime<Utc>>,
    /// Expected end.
    pub ends: Option<DateTime<Utc>>,
    /// Whether the deadline would stop its run.
    pub cut: bool,
}

/// The forecast of a batch if every item succeeds at its first attempt and needs its estimated time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Forecast {
    /// The remaining items in the order of their start; those that are not reached come last.
    pub items: Vec<Expectation>,
    /// The end of the last one.
    pub ends: Option<DateTime<Utc>>,
    /// Time of all remaining items, s.
    pub seconds: f64,
    /// Bytes of all remaining items.
    pub bytes: u64,
}

impl Forecast {
    /// Items that are not reached or would not finish in time.
    #[must_use]
    pub fn not_reached(&self) -> Vec<u32> {
        self.items.iter().filter(|item| item.begins.is_none() || item.cut).map(|item| item.number).collect()
    }
}

/// The forecast from now on. A pause of the queue is ignored.
#[must_use]
pub fn expect(items: &[ItemRow], window: Window, now: DateTime<Utc>) -> Forecast {
    let mut left: Vec<ItemRow> = in_order(items).into_iter().cloned().collect();
    let mut forecast = Forecast {
        // The sum of no seconds is −0.0.
        seconds: 0.0 + left.iter().filter_map(|item| item.estimated_s).sum::<f64>(),
        bytes: left.iter().filter_map(|item| item.bytes).sum(),
        ..Forecast::default()
    };
    let mut at = now;
    let mut late = Vec::new();
    loop {
        let situation = Situation { items: &left, window, ..Situation::default() };
        let taken = match next_item(&situation, at) {
            Decision::Begin(number) => number,
            Decision::Skip { item: number, .. } => {
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
        // A run that the deadline stops ends then.
        at = end.map_or(at, |end| at.min(end));
        forecast.ends = Some(at);
    }
    let never = |number| Expectation { number, begins: None, ends: None, cut: false };
    forecast.items.extend(late.into_iter().chain(left.iter().map(|item| item.number)).map(never));
    forecast
}
