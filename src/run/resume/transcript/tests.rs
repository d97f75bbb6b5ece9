//! Journals in a few events, and what they say.

use serde_json::{Value, json};

use super::*;

/// What a journal with these events says.
fn past(lines: &[Value]) -> Transcript {
    let mut past = Transcript::default();
    for line in lines {
        past.apply(&serde_json::from_value(line.clone()).unwrap());
    }
    past
}

fn begun(number: u64, name: &str, fields: &Value) -> Value {
    let (operation, options) = crate::step::read(name, fields, &BTreeMap::new()).unwrap();
    let place = crate::step::Place { path: format!("steps[{number}]"), ..Default::default() };
    let step = Step { operation, options, place };
    json!({ "event": "step_started", "number": number, "attempt": 1, "step": step, "estimated_s": null })
}

fn done(number: u64) -> Value {
    json!({ "event": "step_finished", "number": number, "outcome": { "kind": "done" }, "seconds": 0.0 })
}

fn failed(number: u64, kind: &str, then: &Value) -> Value {
    let fault = json!({ "kind": kind, "message": "no" });
    json!({ "event": "step_failed", "number": number, "fault": fault, "then": then })
}

fn taken_up(replayed: u64) -> Value {
    json!({
        "event": "taken_up", "pid": 1, "host": "bench", "ctp10": "0", "replayed": replayed, "steps": replayed,
        "removed": [],
    })
}

fn stored(index: u64) -> Value {
    json!({ "event": "trace_stored", "trace": {
        "trace_index": index, "sweep_index": 1, "attempt": 1, "detector": "4/1", "trace": "tf", "unit": "dB",
        "name": "", "file": format!("traces/{index}"), "bytes": 1, "sha256": "", "start_nm": 1540.0, "step_pm": 1.0,
        "points": 1, "nulls": 0, "min": null, "max": null, "mean": null,
    } })
}

#[test]
fn what_has_no_good_end_is_not_done() {
    let log = json!("a");
    let raise = json!({ "kind": "raise" });
    let going_on = json!({ "kind": "continue" });
    let retry = json!({ "kind": "retry", "after_s": 1.0 });
    let open = past(&[begun(1, "log", &log), done(1), begun(2, "log", &log)]);
    assert_eq!((open.done(), open.history.is_within_step()), (1, true));
    // What is repeated may have left a scan under way, wherever the steps that hold end.
    for count in [0, 1] {
        let mut kept = open.clone();
        kept.keep(count);
        assert!(kept.history.is_within_step(), "{count}");
    }
    // A fault that the recipe went on after is part of its past; a stop and a retry are not.
    assert_eq!(past(&[begun(1, "log", &log), failed(1, "instrument", &going_on)]).done(), 1);
    assert_eq!(past(&[begun(1, "log", &log), failed(1, "instrument", &raise)]).done(), 1);
    assert_eq!(past(&[begun(1, "log", &log), failed(1, "stopped", &raise)]).done(), 0);
    assert_eq!(past(&[begun(1, "log", &log), failed(1, "link", &retry)]).done(), 0);
    // What stands in `finally` is done anew.
    let finally = [begun(1, "log", &log), done(1), json!({ "event": "finally" }), begun(2, "log", &log)];
    assert_eq!(past(&finally).asked.len(), 1);
}

#[test]
fn a_run_that_was_taken_up_forgets_what_it_does_again_and_counts_the_attempts() {
    let sweep = json!({});
    let lines = [
        begun(1, "log", &json!("a")),
        done(1),
        begun(2, "sweep", &sweep),
        done(2),
        begun(3, "fetch_trace", &json!({ "detector": "4/1", "trace": "tf" })),
        stored(1),
        done(3),
        taken_up(1),
        json!({ "event": "trace_withdrawn", "trace_index": 1, "file": "traces/1", "reason": "" }),
        begun(2, "sweep", &sweep),
    ];
    let before = past(&lines[..7]);
    assert_eq!((before.done(), before.stored.len(), before.left_over().len()), (3, 1, 0));
    let mut kept = before.clone();
    kept.keep(1);
    assert_eq!(kept.left_over().len(), 1);
    let after = past(&lines);
    assert_eq!((after.done(), after.asked.len(), after.stored.len(), after.history.resumed), (1, 2, 0, 1));
    let Some(Asked::Step(sweep)) = after.asked.last() else { panic!("{after:?}") };
    assert_eq!(after.attempts(&sweep.step), 1);
}

#[test]
fn a_step_that_is_repeated_for_a_later_one_is_open_until_it_is_done_again() {
    let again = json!({ "kind": "retry", "after_s": 0.0 });
    let mut lines = vec![begun(1, "sweep", &json!({})), done(1), begun(2, "log", &json!("a")), done(2)];
    lines.push(begun(1, "sweep", &json!({})));
    assert_eq!(past(&lines).done(), 0);
    lines.push(failed(1, "link", &again));
    assert_eq!(past(&lines).done(), 0);
    lines.extend([begun(1, "sweep", &json!({})), done(1)]);
    assert_eq!(past(&lines).done(), 2);
}

#[test]
fn what_moves_or_asks_is_undecided_without_an_end_and_is_held_when_it_was_done() {
    let moves = begun(1, "scpi", &json!({ "command": "MOVE 1" }));
    let undecided = |lines: &[Value]| past(lines).steps().next().unwrap().is_undecided();
    let raise = json!({ "kind": "raise" });
    assert!(undecided(std::slice::from_ref(&moves)));
    assert!(undecided(&[moves.clone(), failed(1, "link", &raise)]));
    assert!(!undecided(&[moves.clone(), failed(1, "instrument", &raise)]));
    assert!(!undecided(&[moves.clone(), json!({ "event": "decided", "number": 1, "outcome": null })]));
    assert!(!undecided(&[begun(1, "sweep", &json!({}))]));
    let answered = json!({ "event": "answered", "number": 1, "answer": "yes", "by_operator": true });
    assert_eq!(past(&[begun(1, "prompt", &json!({ "message": "Ready?" })), answered]).done(), 1);
    // Behind a sweep that is done again, it is not: what it gave is told again.
    let again = past(&[moves.clone(), done(1), taken_up(0), moves]);
    assert_eq!((again.done(), again.held.len()), (1, 1));
}

#[test]
fn readings_that_are_written_behind_what_followed_them_stand_where_they_were_asked_for() {
    let log = json!("a");
    let power = json!({ "detector": "4/1" });
    let lines = [
        begun(1, "log", &log),
        done(1),
        // Measured before it, and proved later.
        begun(3, "log", &log),
        done(3),
        begun(2, "read_power", &power),
        done(2),
    ];
    let numbers = |past: &Transcript| past.steps().map(|step| step.number).collect::<Vec<_>>();
    let whole = past(&lines);
    assert_eq!((numbers(&whole), whole.done()), (vec![1, 2, 3], 3));
    // Killed before it was proved: it is measured again, with what came behind it.
    let cut = past(&lines[..4]);
    assert_eq!((numbers(&cut), cut.done()), (vec![1, 3], 1));
}
