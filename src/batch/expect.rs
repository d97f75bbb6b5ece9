//! The forecast of a queue: the decisions of the worker, with a simulated clock.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::schedule::{Candidate, Decision, Situation, in_order, next_item, span};
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
    let queue = in_order(items);
    let mut forecast = Forecast {
        // The sum of no seconds is −0.0.
        seconds: 0.0 + queue.iter().filter_map(|item| item.estimated_s).sum::<f64>(),
        bytes: queue.iter().filter_map(|item| item.bytes).sum(),
        ..Forecast::default()
    };
    let mut at = now;
    let mut late = Vec::new();
    let mut left = Left::new(&queue);
    loop {
        let taken = match left.decide(window, at) {
            Decision::Begin(taken) => taken,
            Decision::Skip { item: place, .. } => {
                late.push(place);
                left.remove(place);
                continue;
            }
            Decision::Wait { until } => {
                at = until;
                continue;
            }
            Decision::Paused | Decision::Idle | Decision::Stop(_) => break,
        };
        left.remove(taken);
        let item = queue[taken];
        let begins = at;
        at += span(item.estimated_s.unwrap_or_default());
        let end = item.deadline.into_iter().chain(window.deadline).min();
        let cut = end.is_some_and(|end| at > end);
        forecast.items.push(Expectation { number: item.number, begins: Some(begins), ends: Some(at), cut });
        // A run that the deadline stops ends then.
        at = end.map_or(at, |end| at.min(end));
        forecast.ends = Some(at);
    }
    let never =
        |place: usize| Expectation { number: queue[place].number, begins: None, ends: None, cut: false };
    forecast.items.extend(late.into_iter().chain(left.places()).map(never));
    forecast
}

/// The remaining items by their place in the order of the queue. A decision is found without a look at all of them.
struct Left<'a> {
    queue: &'a [&'a ItemRow],
    /// Items that begin later.
    closed: BTreeSet<(DateTime<Utc>, usize)>,
    /// Items that may begin.
    open: BTreeSet<usize>,
    /// Items with a deadline in the future. They are also among `closed` or `open`.
    limited: BTreeSet<(DateTime<Utc>, usize)>,
    /// Items whose deadline has passed. They are also among `closed` or `open`.
    overdue: BTreeSet<usize>,
}

impl<'a> Left<'a> {
    fn new(queue: &'a [&'a ItemRow]) -> Self {
        let places = || queue.iter().enumerate();
        Self {
            queue,
            closed: places().filter_map(|(place, item)| Some((item.not_before?, place))).collect(),
            open: places().filter(|(_, item)| item.not_before.is_none()).map(|(place, _)| place).collect(),
            limited: places().filter_map(|(place, item)| Some((item.deadline?, place))).collect(),
            overdue: BTreeSet::new(),
        }
    }

    /// The next action. The times of the calls never decrease.
    fn decide(&mut self, window: Window, at: DateTime<Utc>) -> Decision<usize> {
        pass(&mut self.closed, &mut self.open, at);
        pass(&mut self.limited, &mut self.overdue, at);
        // Every other item comes after one of these, whatever the decision is.
        let first = [self.overdue.first(), self.open.first(), self.closed.first().map(|(_, place)| place)];
        let items: Vec<Placed<'_>> = (first.into_iter().flatten())
            .map(|place| Placed { place: *place, item: self.queue[*place] })
            .collect();
        next_item(&Situation { items: &items, window, ..Situation::default() }, at)
    }

    fn remove(&mut self, place: usize) {
        let item = self.queue[place];
        self.open.remove(&place);
        self.overdue.remove(&place);
        item.not_before.map(|time| self.closed.remove(&(time, place)));
        item.deadline.map(|time| self.limited.remove(&(time, place)));
    }

    /// The places of all remaining items.
    fn places(self) -> BTreeSet<usize> {
        self.closed.into_iter().map(|(_, place)| place).chain(self.open).collect()
    }
}

/// Moves the items whose time has come.
fn pass(timed: &mut BTreeSet<(DateTime<Utc>, usize)>, come: &mut BTreeSet<usize>, at: DateTime<Utc>) {
    while let Some((_, place)) = timed.first().filter(|(time, _)| *time <= at).copied() {
        timed.pop_first();
        come.insert(place);
    }
}

/// An item whose name is its place in the order of the queue.
struct Placed<'a> {
    place: usize,
    item: &'a ItemRow,
}

impl Candidate for Placed<'_> {
    type Key = usize;

    fn key(&self) -> usize {
        self.place
    }

    fn is_queued(&self) -> bool {
        true
    }

    fn priority(&self) -> i64 {
        self.item.priority
    }

    fn place(&self) -> i64 {
        self.item.place
    }

    fn not_before(&self) -> Option<DateTime<Utc>> {
        self.item.not_before
    }

    fn deadline(&self) -> Option<DateTime<Utc>> {
        self.item.deadline
    }
}
