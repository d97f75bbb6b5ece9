//! Figures and dies, on events as an engine emits them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::run::events::RunEvent;
use crate::step::{LoopPoint, Outcome};
use crate::wafer::{Axes, DieState};

fn started(number: u64, row: &Value) -> RunEvent {
    let fields = json!({ "traces": [number], "figures": ["dips"] });
    let (operation, options) = crate::step::read("analyze", &fields, &BTreeMap::new()).unwrap();
    let turn = LoopPoint { name: "dev".into(), value: row.clone(), index: number, count: None };
    let place = Place { path: "steps[0].repeat.steps[1]".to_owned(), loops: vec![turn], ..Place::default() };
    let step = Arc::new(Step { operation, options, place });
    RunEvent::StepStarted { number, attempt: 1, step, estimated_s: None }
}

fn finished(number: u64, loss_db: Option<f64>, verdict: &str) -> RunEvent {
    let figure = json!({ "figure": "insertion_loss_max_db", "value": loss_db, "unit": "dB", "not_measured": "too dark" });
    let judged = json!({ "figure": "insertion_loss_max_db", "value": loss_db, "limit": { "max": 1.5, "guard": 0.1 },
        "verdict": verdict, "reason": "told" });
    let trace = json!({ "trace_index": number, "detector": "4/1", "trace": "tf", "figures": [figure], "judged": [judged] });
    let limit_only = json!({ "figure": "fsr_nm", "value": null, "limit": { "min": 2.0 }, "verdict": "not measured",
        "reason": "no trace of the analysis has this figure" });
    let value = json!({ "verdict": verdict, "definitions": 1, "traces": [trace], "judged": [limit_only] });
    let outcome = Outcome::Analysis(Box::new(serde_json::from_value(value).unwrap()));
    RunEvent::StepFinished { number, outcome, seconds: 0.1 }
}

fn folded(events: impl IntoIterator<Item = RunEvent>) -> Results {
    let mut results = Results::default();
    events.into_iter().for_each(|event| results.apply(&event));
    results
}

fn row(die: &str, x_um: f64, wafer: &str) -> Value {
    json!({ "die": die, "x_um": x_um, "y_um": 0, "wafer": wafer })
}

#[test]
fn each_figure_has_its_value_its_limits_and_its_verdict_in_words() {
    let results = folded([started(1, &row("A1", 0.0, "W1")), finished(1, Some(1.234_56), "pass")]);
    let lines: Vec<FigureLine> = results.lines().collect();
    assert_eq!(lines.len(), 2, "a limit without a figure is a line too");
    assert_eq!((lines[0].text.as_str(), lines[0].limits.as_str()), ("1.23 dB", "max 1.5"));
    assert_eq!((lines[0].verdict, lines[0].turns.as_str()), (Some(Verdict::Pass), "dev=A1"));
    assert_eq!((lines[1].figure.name.as_str(), lines[1].text.as_str()), ("fsr_nm", ""));
    assert_eq!(lines[1].reason.as_deref(), Some("no trace of the analysis has this figure"));
    let kept: FigureLine = serde_json::from_value(json!(lines[0])).unwrap();
    assert_eq!(kept, lines[0], "a summary can be read back");
}

#[test]
fn every_wafer_has_a_map_with_the_worst_verdict_of_each_die() {
    let results = folded([
        started(1, &row("A1", 0.0, "W1")),
        finished(1, Some(1.0), "pass"),
        started(2, &row("A1", 0.0, "W1")),
        finished(2, Some(2.0), "fail"),
        started(3, &row("A2", 5000.0, "W1")),
        started(4, &row("A1", 0.0, "W2")),
        finished(4, None, "not measured"),
    ]);
    let maps = results.maps();
    let states =
        |map: &WaferMap| map.dies.iter().map(|die| (die.name.clone(), die.state)).collect::<Vec<_>>();
    assert_eq!(maps[0].wafer.as_deref(), Some("W1"));
    assert_eq!(
        states(&maps[0]),
        [("A1".to_owned(), DieState::Fail), ("A2".to_owned(), DieState::NotMeasured)]
    );
    let loss = &maps[0].dies[0].figures["insertion_loss_max_db"];
    assert_eq!((loss.value, loss.verdict), (Some(2.0), Some(Verdict::Fail)));
    assert_eq!(states(&maps[1]), [("A1".to_owned(), DieState::NotMeasured)]);
    assert_eq!(maps[1].dies[0].figures["insertion_loss_max_db"].text, "not measured: too dark");
}

#[test]
fn a_die_whose_trace_was_withdrawn_is_shown_as_withdrawn_until_it_is_measured_again() {
    let withdrawn = RunEvent::TraceWithdrawn { trace_index: 1, file: String::new(), reason: String::new() };
    let mut events = vec![started(1, &row("A1", 0.0, "W1")), finished(1, Some(1.0), "pass"), withdrawn];
    let state = |results: &Results| results.maps()[0].dies[0].state;
    assert_eq!(state(&folded(events.clone())), DieState::Withdrawn);
    assert_eq!(folded(events.clone()).lines().count(), 0);
    events.extend([started(1, &row("A1", 0.0, "W1")), finished(1, Some(1.0), "marginal")]);
    assert_eq!(state(&folded(events)), DieState::Marginal);
}

#[test]
fn rows_and_columns_are_positions_too_and_a_row_without_a_position_has_no_map() {
    let die = json!({ "row": 3, "col": 7 });
    let maps = folded([started(1, &die), finished(1, Some(1.0), "pass")]).maps();
    assert_eq!((maps[0].axes, maps[0].dies[0].x, maps[0].dies[0].y), (Axes::RowsAndColumns, 7.0, 3.0));
    assert_eq!(maps[0].dies[0].name, "row 3, column 7");
    let without = json!({ "gap_nm": 150, "x_um": "left", "y_um": 0 });
    assert!(folded([started(1, &without), finished(1, Some(1.0), "pass")]).maps().is_empty());
}
