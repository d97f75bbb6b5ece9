//! Named instruments with a REST API are stopped whatever becomes of the run, and get their settings again when the run is
//! resumed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::bench_api::{MOVE, TOKEN, bench_with, config, run, stage};
use crate::probe_station::{Answer, Station};
use crate::support::{Bench, Running, manifest, said_by, simulate, text, until, until_some, watch};

/// A stage whose move is not done until it may be.
fn patient(may_end: &Arc<AtomicBool>) -> Station {
    let may_end = Arc::clone(may_end);
    stage(move |asked| match asked.what.as_str() {
        "POST /api/scan" => Some(Answer::Json(202, json!({ "task_id": "a b" }))),
        "GET /api/tasks/a%20b" => {
            let state = if may_end.load(Ordering::SeqCst) { "done" } else { "running" };
            Some(Answer::Json(200, json!({ "state": state })))
        }
        _ => None,
    })
}

const WAITS: &str = "name: r
steps:
  - http: { to: stage, method: POST, url: /move, json: { x_um: 1 } }
  - http: { to: stage, method: PUT, url: /vacuum, json: true }
  - http: { to: stage, method: POST, url: /nudge, effect: ask }
  - http: { to: stage, method: POST, url: /move, json: { x_um: 2 } }
  - http: { to: stage, method: POST, url: /scan, effect: measure, poll: { url: \"/tasks/{task_id}\", ready: \"reply.state == `done`\", interval_s: 0.02, timeout_s: 600 } }
";

fn waiting(station: &Station, more: &str) -> (Bench, Running) {
    let bench = Bench::new();
    bench.write("ctp10.toml", &config(station, more));
    bench.write("r.yaml", WAITS);
    let simulator = simulate(&bench, &[]);
    (bench, simulator)
}

fn count(station: &Station, what: &str) -> usize {
    station.said().iter().filter(|said| *said == what).count()
}

#[test]
fn a_killed_run_leaves_the_stage_stopped_and_a_resumed_one_moves_it_there_again() {
    let may_end = Arc::new(AtomicBool::new(false));
    let station = patient(&may_end);
    let (bench, simulator) = waiting(&station, "token = { file = \"token\" }\n");
    let token = bench.write("token", TOKEN);
    let mut run = watch(&bench, &["r.yaml", "--instrument", &simulator.address, "--with-real", "stage"]);
    let started = run.wait_for(|event| event["event"] == "started");
    until("the run polls", || count(&station, "GET /api/tasks/a%20b") > 0);
    #[cfg(target_os = "linux")]
    for process in std::fs::read_dir("/proc").unwrap().map(Result::unwrap) {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        assert!(!text(&line).contains(TOKEN), "{}", text(&line));
    }
    // The watchdog has read the token.
    std::fs::remove_file(&token).unwrap();
    run.child.kill().unwrap();
    until("the watchdog has stopped the stage", || count(&station, "POST /api/stop") == 1);
    let folder = bench.folder.path().join(started["folder"].as_str().unwrap());
    let record: Value = until_some("the watchdog has left its record", || {
        let text = std::fs::read_to_string(folder.join("guard.jsonl")).ok()?;
        text.ends_with('\n').then(|| serde_json::from_str(text.lines().last()?).ok()).flatten()
    });
    assert_eq!(
        (&record["instruments_safe"], &record["trouble"]),
        (&json!(["stage"]), &Value::Null),
        "{record}"
    );
    let stop = station.asked().into_iter().find(|asked| asked.what == "POST /api/stop").unwrap();
    assert_eq!(stop.headers["authorization"], format!("Bearer {TOKEN}"));
    bench.write("token", TOKEN);
    may_end.store(true, Ordering::SeqCst);
    let before = station.said().len();
    let resumed = bench.run(&["resume", "last", "--instrument", &simulator.address, "--with-real", "stage"]);
    assert!(resumed.status.success(), "{}", said_by(&resumed));
    let again: Vec<(String, Value)> = station.asked()[before..]
        .iter()
        .filter(|asked| !asked.what.starts_with("GET"))
        .map(|asked| (asked.what.clone(), asked.json.clone()))
        .collect();
    let expected = [
        ("PUT /api/vacuum", json!(true)),
        ("POST /api/move", json!({ "x_um": 2 })),
        ("POST /api/scan", Value::Null),
        ("POST /api/stop", Value::Null),
    ];
    assert_eq!(again, expected.map(|(what, json)| (what.to_owned(), json)));
    assert_eq!(manifest(&folder)["status"], "done");
}

#[test]
fn a_stopped_run_and_the_emergency_stop_stop_the_stage() {
    let station = patient(&Arc::default());
    let (bench, simulator) = waiting(&station, "");
    let mut run = watch(&bench, &["r.yaml", "--instrument", &simulator.address, "--with-real", "stage"]);
    until("the run polls", || count(&station, "GET /api/tasks/a%20b") > 0);
    run.signal("INT");
    let told = run.wait_for(|event| event["event"] == "instruments_safe");
    assert_eq!(told["safe"], json!(["stage"]));
    assert!(run.finish().0 != Some(0));
    assert_eq!(
        (count(&station, "POST /api/stop"), &manifest(&bench.only_run())["status"]),
        (1, &json!("aborted"))
    );
    let output = bench.run(&["off", "--instrument", &simulator.address]);
    assert!(output.status.success() && said_by(&output).contains("safe: stage"), "{}", said_by(&output));
    assert_eq!(count(&station, "POST /api/stop"), 2);
}

#[test]
fn a_stage_that_does_not_confirm_is_unknown_and_everybody_is_told() {
    for (odd, more, words) in [
        (Some(Answer::Text(500, "no".to_owned())), "", "`POST /stop` returned status 500: no"),
        (Some(Answer::HangUp), "", "the connection to"),
        (Some(Answer::Silence), "", "did not"),
        (Some(Answer::Json(202, json!({}))), "", "give `confirm`"),
        (None, "confirm = { path = \"/state\", contains = \"parked\" }\n", "did not confirm within"),
    ] {
        let odd = std::sync::Mutex::new(odd);
        let again = |answer: &Answer| match answer {
            Answer::Text(status, text) => Answer::Text(*status, text.clone()),
            Answer::Json(status, value) => Answer::Json(*status, value.clone()),
            Answer::Silence => Answer::Silence,
            _ => Answer::HangUp,
        };
        let station = stage(move |asked| match asked.what.as_str() {
            "POST /api/stop" => odd.lock().unwrap().as_ref().map(again),
            _ => None,
        });
        let bench = bench_with(&station, more, MOVE);
        let output = run(&bench);
        let said = said_by(&output);
        assert!(said.contains("stage"), "{said}");
        let folder = bench.only_run();
        let manifest = manifest(&folder);
        assert_eq!(manifest["instruments_unknown"], json!(["stage"]), "{words}: {said}");
        let reason = "could not confirm that these instruments are safe: stage";
        assert_eq!((&manifest["status"], &manifest["reason"]), (&json!("failed"), &json!(reason)), "{said}");
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(std::fs::read_to_string(folder.join("report.html")).unwrap().contains("stage"));
        let simulator = simulate(&bench, &[]);
        let off = bench.run(&["off", "--instrument", &simulator.address]);
        assert!(!off.status.success() && said_by(&off).contains(words), "{words}: {}", said_by(&off));
        assert!(said_by(&off).contains("could not confirm that these instruments are safe: stage"));
    }
}

#[test]
fn a_stage_that_only_accepts_the_stop_is_safe_when_its_state_says_so() {
    let looks = std::sync::atomic::AtomicUsize::new(0);
    let station = stage(move |asked| match asked.what.as_str() {
        "POST /api/stop" => Some(Answer::Json(202, json!({ "task_id": 1 }))),
        "GET /api/state" if looks.fetch_add(1, Ordering::SeqCst) < 2 => {
            Some(Answer::Json(200, json!({ "state": "moving" })))
        }
        _ => None,
    });
    let bench = bench_with(&station, "confirm = { path = \"/state\", contains = \"stopped\" }\n", MOVE);
    let output = run(&bench);
    assert!(output.status.success(), "{}", said_by(&output));
    assert_eq!((count(&station, "POST /api/stop"), count(&station, "GET /api/state")), (1, 3));
}

#[test]
fn a_batch_keeps_a_stage_between_its_items_and_says_what_is_not_confirmed_safe() {
    for refuses in [false, true] {
        let station = stage(move |asked| {
            (refuses && asked.what == "POST /api/stop").then(|| Answer::Text(500, "no".to_owned()))
        });
        let bench = bench_with(&station, "keep_between_items = true\n", "");
        let keep = if refuses { "false" } else { "true" };
        let file = bench.folder.path().join("ctp10.toml");
        let config = std::fs::read_to_string(&file)
            .unwrap()
            .replace("keep_between_items = true", &format!("keep_between_items = {keep}"));
        std::fs::write(&file, config).unwrap();
        bench.write("a.yaml", &format!("name: a\nsteps:\n{MOVE}"));
        bench.write("batch.yaml", "name: night\nitems: [ { recipe: a.yaml }, { recipe: a.yaml } ]\n");
        let simulator = simulate(&bench, &[]);
        let arguments = ["batch", "batch.yaml", "--instrument", &simulator.address, "--with-real", "stage"];
        let output = bench.run(&arguments);
        let said = said_by(&output);
        if refuses {
            assert!(said.contains("not confirmed safe after item 2: stage"), "{said}");
            let summary = std::fs::read(bench.folder.path().join("runs/batch-night.json")).unwrap();
            let summary: Value = serde_json::from_slice(&summary).unwrap();
            assert_eq!(summary["list"][1]["instruments_unknown"], json!(["stage"]));
            let page = std::fs::read_to_string(bench.folder.path().join("runs/batch-night.html")).unwrap();
            assert!(page.contains("these did not confirm that they are safe: stage"));
        } else {
            assert!(output.status.success() && !said.contains("not confirmed safe"), "{said}");
            assert_eq!(count(&station, "POST /api/stop"), 1);
        }
    }
}

#[test]
fn all_requests_that_make_a_stage_safe_are_sent_although_one_has_no_reply() {
    for silent in ["GET /api/info", "POST /api/stop", "POST /api/lamp-off"] {
        let station = stage(move |asked| (asked.what == silent).then_some(Answer::Silence));
        let bench = Bench::new();
        let config = config(&station, "");
        bench.write(
            "ctp10.toml",
            &config.replace(
                "{ method = \"POST\", path = \"/stop\" }",
                "{ path = \"/stop\" }, { path = \"/lamp-off\" }",
            ),
        );
        let simulator = simulate(&bench, &[]);
        let off = bench.run(&["off", "--instrument", &simulator.address]);
        assert!(!off.status.success(), "{}", said_by(&off));
        let said = station.said();
        let first = |what: &str| {
            said.iter().position(|said| said == what).unwrap_or_else(|| panic!("{what}: {said:?}"))
        };
        assert!(first("GET /api/info") < first("POST /api/stop"), "{said:?}");
        assert!(first("POST /api/stop") < first("POST /api/lamp-off"), "{said:?}");
        assert!(count(&station, "POST /api/stop") <= 2, "{said:?}");
    }
}
