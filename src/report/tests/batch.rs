//! The page of a batch: its content, its escaping, and its bounded size.

use std::cell::Cell;

use super::bounds::ATTACK;
use super::*;

fn ended(state: RunState) -> Report {
    let mut run = FakeRun::new(&[(&sweep(), 1), (&fetch(), 3)]);
    run.begin().try_step(1, 1, &sweep()).failed(1, FaultKind::Instrument, AfterFault::Retry { after_s: 1.0 });
    run.try_step(1, 2, &sweep()).done(1, 5).try_step(2, 1, &fetch());
    run.trace(1).trace(2).trace(3);
    match state {
        RunState::Done => run.done(2, 5),
        _ => run.failed(2, FaultKind::Instrument, AfterFault::Raise),
    };
    run.end(state, (state != RunState::Done).then_some("step 2 failed")).report()
}

fn item(number: u32, state: &'static str, report: Option<Report>) -> BatchItem {
    BatchItem {
        number,
        recipe: "die.yaml".to_owned(),
        values: vec![("die".to_owned(), format!("{number},4"))],
        state,
        attempts: 1,
        estimated_s: Some(12.0),
        runs: report.map(|report| ItemRun::of(report, format!("2026_die_{number}"))).into_iter().collect(),
        ..BatchItem::default()
    }
}

fn batch(items: Vec<BatchItem>) -> BatchReport {
    let count = |state| items.iter().filter(|item| item.state == state).count();
    BatchReport {
        batch: "night".to_owned(),
        file: Some("night.yaml".to_owned()),
        state: if count("done") == items.len() { "done" } else { "failed" },
        reason: None,
        written: DateTime::<Utc>::UNIX_EPOCH,
        out: "/data/runs".to_owned(),
        counts: BatchCounts {
            items: items.len(),
            done: count("done"),
            failed: count("failed"),
            queued: count("queued"),
            ..BatchCounts::default()
        },
        go_on: Some("ctp10 batch night.yaml --release".to_owned()),
        items,
    }
}

fn page_of(report: &BatchReport, links: Links) -> String {
    batch_page(report, links, &|_, _| drawn(&[-3.0, -12.0, -3.0]))
}

#[test]
fn a_page_says_of_each_item_what_became_of_it_and_how_to_finish_it() {
    let mut simulated = ended(RunState::Done);
    simulated.simulated = true;
    let report = batch(vec![
        item(1, "done", Some(simulated)),
        item(2, "failed", Some(ended(RunState::Failed))),
        item(3, "queued", None),
    ]);
    let page = page_of(&report, Links::Files);
    for words in [
        "1 of 3 items are done.",
        "href=\"./2026_die_2/report.html\"",
        "ctp10 batch night.yaml --release",
        "<code>ctp10 resume ",
        "No measurement of item 3.",
        "repeated after 1.0 s, and succeeded",
        "ended the run",
        "SIMULATED INSTRUMENT</b> in 1 of 2 runs",
        "die = 2,4",
        "and 1 trace more",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert_eq!(page.matches("<svg").count(), 4, "the first two traces of each run");
    assert!(page_of(&report, Links::Routes).contains("href=\"../runs/abc234/report\""));
}

#[test]
fn nothing_from_a_batch_becomes_markup() {
    let attack = || ATTACK.to_owned();
    let mut told = item(1, "failed", Some(ended(RunState::Failed)));
    told.recipe = attack();
    told.values = vec![(attack(), attack())];
    told.reason = Some(attack());
    told.unreadable = vec![(attack(), attack())];
    let run = &mut told.runs[0];
    (run.run, run.folder, run.finish_command) = (attack(), attack(), Some(attack()));
    run.faults[0].message = attack();
    run.traces[0].turns = attack();
    let report = BatchReport {
        batch: attack(),
        file: Some(attack()),
        reason: Some(attack()),
        out: attack(),
        go_on: Some(attack()),
        ..batch(vec![told])
    };
    for links in [Links::Files, Links::Routes] {
        let page = page_of(&report, links);
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        assert!(page.contains("&lt;script&gt;"));
    }
}

#[test]
fn a_page_of_a_thousand_items_is_bounded() {
    let items = (1..=1_000).map(|number| {
        let state = if number % 3 == 0 { "failed" } else { "done" };
        let mut item =
            item(number, state, Some(ended(if state == "done" { RunState::Done } else { RunState::Failed })));
        if number > 200 {
            item.runs[0].traces.clear();
        }
        item.reason = Some("what happened ".repeat(1_000));
        item
    });
    let (asked, picture) = (Cell::new(0), drawn(&[-12.345; 240]));
    let page = batch_page(&batch(items.collect()), Links::Files, &|_, _| {
        asked.set(asked.get() + 1);
        picture.clone()
    });
    assert!(asked.get() <= PICTURES, "{} pictures", asked.get());
    assert!(page.len() < 5_000_000, "{} bytes of page", page.len());
}
