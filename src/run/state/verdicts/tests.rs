//! The fold of verdicts, on events as an engine emits them.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::step::{AnalysisOutcome, LoopPoint, Outcome, Step};

fn started(number: u64, row: Option<u64>) -> RunEvent {
    let fields = json!({ "traces": [number], "figures": ["dips"] });
    let (operation, options) = crate::step::read("analyze", &fields, &BTreeMap::new()).unwrap();
    let turn = |index| LoopPoint { name: "dev".into(), value: json!({ "die": index }), index, count: None };
    let path = "steps[0].repeat.steps[1]".to_owned();
    let place = Place { path, loops: row.map(turn).into_iter().collect(), ..Place::default() };
    let step = Arc::new(Step { operation, options, place });
    RunEvent::StepStarted { number, attempt: 1, step, estimated_s: None }
}

fn finished(number: u64, verdict: Value) -> RunEvent {
    let judged = |figure: &str, verdict: &Value| json!({ "figure": figure, "value": 1.0, "limit": { "max": 2.0 }, "verdict": verdict });
    let judged = if verdict.is_null() {
        json!([])
    } else {
        json!([judged("peak_db", &json!("pass")), judged("fsr_nm", &verdict)])
    };
    let trace =
        json!({ "trace_index": number, "detector": "4/1", "trace": "tf", "figures": [], "judged": judged });
    let value = json!({ "verdict": verdict, "definitions": 1, "traces": [trace] });
    let analysis: AnalysisOutcome = serde_json::from_value(value).unwrap();
    RunEvent::StepFinished { number, outcome: Outcome::Analysis(Box::new(analysis)), seconds: 0.1 }
}

fn folded(events: impl IntoIterator<Item = RunEvent>) -> Verdicts {
    let mut verdicts = Verdicts::default();
    events.into_iter().for_each(|event| verdicts.apply(&event));
    verdicts
}

/// Analyses with these verdicts, each of the row of its number divided by `in_row`.
fn run(verdicts: &[&str], in_row: u64) -> Vec<RunEvent> {
    let numbered = (1..).zip(verdicts);
    numbered
        .flat_map(|(number, verdict)| {
            [started(number, Some((number - 1) / in_row)), finished(number, json!(verdict))]
        })
        .collect()
}

#[test]
fn the_worst_verdict_wins_for_a_device_and_for_the_run() {
    let all = folded(run(&["pass", "marginal", "pass", "not measured", "fail", "pass", "pass", "pass"], 2));
    let analyses = VerdictCounts { pass: 5, marginal: 1, not_measured: 1, fail: 1 };
    let devices = VerdictCounts { pass: 1, marginal: 1, not_measured: 1, fail: 1 };
    assert_eq!((all.worst(), all.of_analyses(), all.of_devices()), (Some(Verdict::Fail), analyses, devices));
    assert_eq!(folded(run(&["pass", "not measured", "marginal"], 1)).worst(), Some(Verdict::NotMeasured));
    assert_eq!(folded(run(&["pass", "marginal"], 1)).worst(), Some(Verdict::Marginal));
    let without = folded([started(1, None), finished(1, Value::Null)]);
    assert_eq!((without.worst(), without.of_analyses().all(), without.of_devices().all()), (None, 0, 0));
}

#[test]
fn the_yield_of_a_figure_counts_each_device_once() {
    let of_devices = folded(run(&["pass", "fail", "marginal", "pass"], 2)).yields();
    let of_analyses =
        folded([started(1, None), finished(1, json!("fail")), started(2, None), finished(2, json!("pass"))]);
    let counts = |pass, marginal, fail| VerdictCounts { pass, marginal, not_measured: 0, fail };
    let yields = |fsr, peak| {
        let of = |figure: &str, counts| FigureYield { figure: figure.to_owned(), counts };
        vec![of("fsr_nm", fsr), of("peak_db", peak)]
    };
    assert_eq!(of_devices, yields(counts(0, 1, 1), counts(2, 0, 0)));
    assert_eq!(of_analyses.yields(), yields(counts(1, 0, 1), counts(2, 0, 0)));
}

#[test]
fn a_verdict_is_withdrawn_with_its_trace_and_comes_back_with_the_repetition() {
    let file = "traces/0002_m4c1_tf.parquet".to_owned();
    let withdrawn = RunEvent::TraceWithdrawn { trace_index: 2, file, reason: String::new() };
    let mut events = run(&["pass", "fail", "pass"], 1);
    events.push(withdrawn);
    assert_eq!(folded(events.clone()).worst(), Some(Verdict::Pass));
    events.extend([started(2, Some(1)), finished(2, json!("marginal"))]);
    let again = folded(events);
    assert_eq!((again.worst(), again.of_devices().all()), (Some(Verdict::Marginal), 3));
}

#[test]
fn a_resumed_run_forgets_the_verdicts_that_it_measures_again() {
    let mut events = run(&["pass", "pass", "fail"], 1);
    events.push(RunEvent::RunResumed {
        pid: 1,
        host: String::new(),
        ctp10: String::new(),
        replayed: 2,
        steps: 2,
        removed: Vec::new(),
        aside: Vec::new(),
    });
    assert_eq!(folded(events).worst(), Some(Verdict::Pass));
}
