use super::*;
use crate::batch::{Expectation, Forecast, expect};
use proptest::prelude::*;
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
        unfinished: None,
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
    assert!(matches!(next(&items, Window::default(), 5), Decision::Skip { item: 1, .. }));
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
    assert!(
        matches!(next_item(&situation, at(0)), Decision::Stop(reason) if reason.contains("3 consecutive items"))
    );
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

#[test]
fn an_empty_queue_needs_no_time_without_a_sign() {
    let seconds = expect(&[], Window::default(), at(0)).seconds;
    assert_eq!(json!(seconds).to_string(), "0.0");
}

/// The forecast by the rules of the worker alone, with a look at all items for each decision.
fn slow_forecast(
    items: &[ItemRow],
    window: Window,
    now: DateTime<Utc>,
) -> (Vec<Expectation>, Option<DateTime<Utc>>) {
    let mut left: Vec<ItemRow> = in_order(items).into_iter().cloned().collect();
    let (mut at, mut ends) = (now, None);
    let (mut begun, mut late) = (Vec::new(), Vec::new());
    let never = |number| Expectation { number, begins: None, ends: None, cut: false };
    loop {
        match next_item(&Situation { items: &left, window, ..Situation::default() }, at) {
            Decision::Begin(number) => {
                let index = left.iter().position(|item| item.number == number).unwrap();
                let item = left.remove(index);
                let done = at + span(item.estimated_s.unwrap_or_default());
                let limit = item.deadline.into_iter().chain(window.deadline).min();
                let cut = limit.is_some_and(|limit| done > limit);
                begun.push(Expectation { number, begins: Some(at), ends: Some(done), cut });
                at = limit.map_or(done, |limit| done.min(limit));
                ends = Some(at);
            }
            Decision::Skip { item: number, .. } => {
                left.retain(|item| item.number != number);
                late.push(never(number));
            }
            Decision::Wait { until } => at = until,
            Decision::Paused | Decision::Idle | Decision::Stop(_) => break,
        }
    }
    let rest = left.iter().map(|item| never(item.number));
    (begun.into_iter().chain(late).chain(rest).collect(), ends)
}

fn some_items() -> impl Strategy<Value = Vec<ItemRow>> {
    let moment = || prop::option::weighted(0.4, (-10..120_i64).prop_map(at));
    let state = prop_oneof![
        8 => Just(ItemState::Queued),
        1 => Just(ItemState::Held),
        1 => Just(ItemState::Done),
    ];
    let minutes = prop::option::weighted(0.9, 0..15_u32);
    // A repetition after a failure waits with a `not_before`, and a moved item has another place.
    let one = (-2..3_i64, 0..20_i64, state, moment(), moment(), minutes);
    prop::collection::vec(one, 0..24).prop_map(|all| {
        let row = |(number, (priority, place, state, not_before, deadline, minutes))| {
            let estimated_s = Option::<u32>::map(minutes, |minutes| 60.0 * f64::from(minutes));
            ItemRow { place, state, not_before, deadline, estimated_s, ..item(number, priority) }
        };
        (1..).zip(all).map(row).collect()
    })
}

proptest! {
    #[test]
    fn the_forecast_follows_the_decisions_of_the_worker(
        items in some_items(),
        begin in prop::option::of(-10..60_i64),
        end in prop::option::of(-10..150_i64),
    ) {
        let window = Window { not_before: begin.map(at), deadline: end.map(at) };
        let Forecast { items: found, ends, .. } = expect(&items, window, at(0));
        prop_assert_eq!((found, ends), slow_forecast(&items, window, at(0)));
    }
}

/// Each decision looks at three items at most. A forecast that looks at all items for each decision takes many minutes
/// here.
#[test]
fn the_forecast_of_a_hundred_thousand_items_needs_no_patience() {
    let mut items: Vec<ItemRow> = (1..=100_000).map(|number| item(number, i64::from(number % 7))).collect();
    for item in items.iter_mut().step_by(3) {
        item.not_before = Some(at(i64::from(item.number % 1000)));
        item.deadline = Some(at(20 * i64::from(item.number)));
    }
    let forecast = expect(&items, Window::default(), at(0));
    assert_eq!(forecast.items.len(), items.len());
}
