//! Verdicts, figures, wafer maps and golden devices on the page and in the summary.

use super::bounds::ATTACK;
use super::*;
use crate::analysis::verdict::Verdict;
use crate::step::LoopPoint;

fn analyze(row: &Value) -> Step {
    let mut step =
        step("analyze", &json!({ "traces": [1], "figures": ["dips"] }), "steps[0].repeat.steps[1]");
    step.place.loops = vec![LoopPoint { name: "die".to_owned(), value: row.clone(), index: 0, count: None }];
    step
}

fn outcome(trace: u64, loss_db: Option<f64>, verdict: &str) -> Outcome {
    let name = "insertion_loss_max_db";
    let figure = json!({ "figure": name, "value": loss_db, "unit": "dB", "nm": 1550.0, "not_measured": "too dark",
        "window": { "from_nm": 1525.0, "to_nm": 1565.0 } });
    let judged = json!({ "figure": name, "value": loss_db, "limit": { "max": 1.5 }, "verdict": verdict });
    let trace = json!({ "trace_index": trace, "detector": "4/1", "trace": "tf", "figures": [figure], "judged": [judged] });
    let value = json!({ "verdict": verdict, "definitions": 1, "traces": [trace] });
    Outcome::Analysis(Box::new(serde_json::from_value(value).unwrap()))
}

/// A run with an analysis for each row, loss and verdict.
fn judged(rows: &[(Value, Option<f64>, &str)]) -> FakeRun {
    let mut run = FakeRun::new(&[]);
    run.begin();
    for (number, (row, loss_db, verdict)) in (1..).zip(rows) {
        let mut step = analyze(row);
        step.place.loops[0].index = number;
        run.try_step(number, 1, &step).trace(number);
        run.event(RunEvent::StepFinished {
            number,
            outcome: outcome(number, *loss_db, verdict),
            seconds: 0.1,
        });
    }
    run.end(RunState::Done, None);
    run
}

fn text_of(report: &Report) -> String {
    page(report, &|_| drawn(&[-1.0, -2.0]))
}

#[test]
fn the_page_begins_with_the_verdict_and_lists_the_figures_with_their_limits() {
    let die = |name: &str, x: f64| json!({ "die": name, "x_um": x, "y_um": 0 });
    let rows = [
        (die("A1", 0.0), Some(1.234), "pass"),
        (die("A2", 5000.0), Some(2.0), "fail"),
        (die("A3", 10_000.0), None, "not measured"),
    ];
    let report = judged(&rows).report();
    assert_eq!(report.verdict, Some(Verdict::Fail));
    assert_eq!((report.yields[0].counts.pass, report.yields[0].counts.all()), (1, 3));
    let page = text_of(&report);
    for text in [
        "1 of 3 devices pass, 1 fail, 1 not measured.",
        "1.23 dB",
        "max 1.5",
        "1525.0000 to 1565.0000 nm",
        "too dark",
    ] {
        assert!(page.contains(text), "{text}");
    }
    assert!(
        page.find("1 of 3 devices").unwrap() < page.find("Steps done").unwrap(),
        "the verdict is at the top"
    );
    assert!(page.contains("Wafer map") && page.contains("A2: fail"));
    // The fake curve is between -2 and -1 dB; the limit of 1.5 dB lies within.
    assert!(page.matches("#C00000").count() >= 3, "the limit is drawn over each trace");
    let kept: Report = serde_json::from_slice(&summary::json(&report)).unwrap();
    assert_eq!(kept, report);
}

#[test]
fn a_golden_device_counts_once_and_has_a_control_chart() {
    let golden = || json!({ "die": "G", "golden": "true" });
    let losses = [1.0, 1.1, 1.0, 1.1];
    let rows: Vec<_> = losses.into_iter().map(|loss| (golden(), Some(loss), "pass")).collect();
    let report = judged(&rows).report();
    assert_eq!(report.verdicts.unwrap().devices.all(), 1);
    assert_eq!(report.golden[0].values, losses);
    let chart = report.golden[0].chart.as_ref().unwrap();
    assert!((chart.repeatability - 0.1 / 1.128).abs() < 1e-9, "{chart:?}");
    let page = text_of(&report);
    assert!(page.contains("Golden devices") && page.contains("proposed guard 0.266 dB"));
}

#[test]
fn a_bound_is_no_value_of_a_control_chart_and_is_counted() {
    let losses = [Some(1.0), None, Some(1.1), Some(1.0), None, Some(1.1)];
    let mut run = FakeRun::new(&[]);
    run.begin();
    for (number, loss) in (1..).zip(losses) {
        let mut step = analyze(&json!({ "die": "G", "golden": true }));
        step.place.loops[0].index = number;
        let mut outcome = outcome(number, Some(loss.unwrap_or(60.0)), "pass");
        if let (None, Outcome::Analysis(analysis)) = (loss, &mut outcome) {
            analysis.traces[0].figures[0].bound = Some(crate::analysis::Bound::AtLeast);
        }
        run.try_step(number, 1, &step).trace(number);
        run.event(RunEvent::StepFinished { number, outcome, seconds: 0.1 });
    }
    run.end(RunState::Done, None);
    let report = run.report();
    let golden = &report.golden[0];
    assert_eq!((&golden.values[..], golden.bounds), (&[1.0, 1.1, 1.0, 1.1][..], 2));
    assert!(golden.chart.as_ref().unwrap().upper < 2.0, "{golden:?}");
    assert!(text_of(&report).contains("4 measurements, 2 with only a bound left out"));
}

#[test]
fn a_run_without_analyses_has_no_verdict_and_names_of_dies_stay_text() {
    let report = judged(&[]).report();
    let page = text_of(&report);
    assert!(report.verdict.is_none() && !page.contains("Wafer map") && !page.contains("Yield"));
    let row = json!({ "die": ATTACK, "x_um": 0, "y_um": 0, "wafer": ATTACK, "golden": true });
    let rows: Vec<_> = (0..3).map(|_| (row.clone(), Some(1.0), "pass")).collect();
    let page = text_of(&judged(&rows).report());
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script") && !page.contains("<img"));
    assert!(!page.contains("http:") && !page.contains("https:"), "nothing comes from elsewhere");
}

#[test]
fn ten_thousand_devices_give_a_report_of_a_few_megabytes() {
    let rows: Vec<_> = (0..10_000)
        .map(|n| {
            let row = json!({ "die": format!("D{n}"), "row": n / 100, "col": n % 100 });
            (row, Some(1.0), if n == 9_999 { "fail" } else { "pass" })
        })
        .collect();
    let report = judged(&rows).report();
    assert_eq!((report.wafers[0].dies.len(), report.figures.len()), (10_000, 10_000));
    let page = text_of(&report);
    assert!(page.len() < 4_000_000, "{} bytes", page.len());
    assert!(page.contains("die=D9999"), "a device that fails is listed however many there are");
}
