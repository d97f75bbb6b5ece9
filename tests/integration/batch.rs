//! Batches: what they measure, in which order, and what they say of it.

use std::path::PathBuf;

use ctp10::catalogue::{Catalogue, FILE, RunRow};
use serde_json::{Value, json};

use crate::support::{Bench, manifest, said_by, simulate, text};

/// Over soon, with a parameter.
pub(crate) const DIE: &str = "
name: die
parameters:
  power_dbm: { default: 0, min: -10, max: 10 }
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: \"${power_dbm}\" }
  - sweep: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
  - fetch_trace: { detector: 4/1, trace: raw }
";
/// Lasts until it is stopped.
pub(crate) const LONG: &str = "
name: long
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 5, power_dbm: 0 }
  - sweep: { start_nm: 1520, stop_nm: 1521, resolution_pm: 10 }
  - wait: 3000
";
/// Fails, and nobody can know that before.
pub(crate) const FAILS: &str = "
name: fails
steps:
  - configure_scan: { start_nm: 1400, stop_nm: 1450 }
  - sweep:
";

pub(crate) fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("die.yaml", DIE);
    bench.write("long.yaml", LONG);
    bench.write("fails.yaml", FAILS);
    bench
}

pub(crate) fn summary(bench: &Bench) -> Value {
    let path = bench.folder.path().join("runs/batch-night.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

pub(crate) fn states(summary: &Value) -> Vec<&str> {
    summary["list"].as_array().unwrap().iter().map(|item| item["state"].as_str().unwrap()).collect()
}

pub(crate) fn runs(bench: &Bench) -> Vec<RunRow> {
    Catalogue::open(&bench.folder.path().join("runs")).unwrap().runs().unwrap()
}

pub(crate) fn folder(bench: &Bench, name: &Value) -> PathBuf {
    bench.folder.path().join("runs").join(name.as_str().unwrap())
}

#[test]
fn a_night_is_measured_in_its_order_and_told_of_truthfully() {
    let bench = bench();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    bench.write("devices.csv", "die,power_dbm\n\"3,4\",1\n\"3,5\",2\n");
    bench.write(
        "night.yaml",
        "name: night
items:
  - { recipe: die.yaml, devices: devices.csv }
  - { recipe: die.yaml, priority: 5, matrix: { power_dbm: [-5, 5], wafer: [W1] } }
",
    );
    let output = bench.run(&["batch", "night.yaml", "--instrument", &simulator.address]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stdout).contains("batch night: 4 done of 4 items"), "{}", text(&output.stdout));
    let told = summary(&bench);
    assert_eq!(states(&told), ["done"; 4]);
    assert_eq!((told["done"].clone(), told["go_on"].clone()), (json!(4), Value::Null));
    let mut manifests: Vec<Value> = told["list"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| manifest(&folder(&bench, &item["folders"][0])))
        .collect();
    assert_eq!(manifests[0]["metadata"], json!({ "die": "3,4", "batch": "night", "batch_item": 1 }));
    assert_eq!(manifests[3]["parameters"]["power_dbm"], 5);
    manifests.sort_by_key(|manifest| manifest["started"].as_str().unwrap().to_owned());
    let order: Vec<u64> =
        manifests.iter().map(|manifest| manifest["metadata"]["batch_item"].as_u64().unwrap()).collect();
    assert_eq!(order, [3, 4, 1, 2]);
    // What is done stays done.
    let again = bench.run(&["batch", "night.yaml", "--instrument", &simulator.address]);
    assert!(again.status.success() && runs(&bench).len() == 4, "{}", text(&again.stderr));
}

#[test]
fn the_catalogue_can_be_made_anew_from_the_run_folders() {
    let bench = bench();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let items = "items:\n  - recipe: die.yaml\n  - recipe: fails.yaml\n  - recipe: die.yaml\n";
    bench.write("night.yaml", &format!("name: night\n{items}"));
    let output = bench.run(&["batch", "night.yaml", "--instrument", &simulator.address]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert!(bench.run(&["run", "die.yaml", "--instrument", &simulator.address]).status.success());
    let before = runs(&bench);
    assert_eq!(before.len(), 4, "a run by itself is in the catalogue too");
    for ending in ["", "-wal", "-shm"] {
        let path = bench.folder.path().join(format!("runs/{FILE}{ending}"));
        assert!(std::fs::remove_file(&path).is_ok() || !path.exists());
    }
    assert!(bench.run(&["runs", "reindex"]).status.success());
    assert_eq!(runs(&bench), before);
    // The batch goes on from what its runs say of it.
    let output = bench.run(&["batch", "run", "night.yaml", "--instrument", &simulator.address]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(states(&summary(&bench)), ["done", "failed", "done"]);
    assert_eq!(runs(&bench).len(), 4);
}

#[test]
fn a_batch_with_a_wrong_recipe_does_not_begin_and_names_the_item_and_the_place() {
    let bench = bench();
    bench.write("bad.yaml", "name: bad\nsteps:\n  - sweeep:\n");
    bench.write("night.yaml", "name: night\nitems:\n  - recipe: die.yaml\n  - recipe: bad.yaml\n  - { recipe: die.yaml, set: { power_dbm: 40 } }\n");
    for command in [vec!["batch", "night.yaml", "--instrument", "sim"], vec!["batch", "check", "night.yaml"]]
    {
        let output = bench.run(&command);
        assert_eq!(output.status.code(), Some(2));
        let told = text(&output.stderr);
        assert!(told.contains("item 2 (bad.yaml)") && told.contains("bad.yaml:3:5"), "{told}");
        assert!(told.contains("item 3 (die.yaml power_dbm=40)") && told.contains("`40`"), "{told}");
    }
    assert!(!bench.folder.path().join("runs").exists());
}

#[test]
fn what_fails_is_repeated_and_failures_in_a_row_end_the_batch() {
    let bench = bench();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    bench.write(
        "night.yaml",
        "name: night
defaults: { retry: { times: 1, backoff_s: 0 } }
max_consecutive_failures: 2
items:
  - { recipe: fails.yaml, matrix: { wafer: [W1, W2, W3] } }
",
    );
    let output = bench.run(&["batch", "night.yaml", "--instrument", &simulator.address]);
    assert_eq!(output.status.code(), Some(1));
    let told = summary(&bench);
    assert_eq!(states(&told), ["failed", "failed", "queued"]);
    assert_eq!(told["list"][0]["attempts"], 2);
    assert_eq!(told["list"][0]["folders"].as_array().unwrap().len(), 2);
    assert!(
        told["list"][0]["reason"].as_str().unwrap().contains("no TLS of this recipe sweeps 1400 to 1450 nm"),
        "{told}"
    );
    assert_eq!((told["retried"].clone(), told["queued"].clone()), (json!(2), json!(1)));
    assert!(told["reason"].as_str().unwrap().contains("2 consecutive items have failed"));
    bench.write(
        "night.yaml",
        "name: night\nitems:\n  - { recipe: fails.yaml, on_failure: stop }\n  - recipe: die.yaml\n",
    );
    let refused = bench.run(&["batch", "night.yaml", "--instrument", &simulator.address]);
    assert_eq!(refused.status.code(), Some(2), "another batch under the same name");
    assert!(text(&refused.stderr).contains("give the changed batch another `name`"));
}

#[test]
fn an_item_that_takes_too_long_is_stopped_in_good_order_and_the_next_one_begins() {
    let bench = bench();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    bench.write(
        "night.yaml",
        "name: night\nitems:\n  - { recipe: long.yaml, timeout_s: 1 }\n  - recipe: die.yaml\n",
    );
    let output = bench.run(&["batch", "night.yaml", "--instrument", &simulator.address]);
    assert_eq!(output.status.code(), Some(1));
    let told = summary(&bench);
    assert_eq!(states(&told), ["failed", "done"]);
    assert_eq!(told["list"][0]["reason"], "stopped: not finished after 1 s");
    assert_eq!(manifest(&folder(&bench, &told["list"][0]["folders"][0]))["status"], "aborted");
}

#[test]
fn a_batch_that_the_disk_has_no_room_for_does_not_begin() {
    let bench = Bench::new();
    let steps = "
name: big
steps:
  - repeat:
      for: n
      from: 1
      to: 400
      step: 1
      steps:
        - sweep: { start_nm: 1500, stop_nm: 1630, resolution_pm: 1 }
        - fetch_trace: { detectors: [4/1, 4/2, 4/3, 4/4], trace: raw }
";
    bench.write("big.yaml", steps);
    let room = ctp10::store::free_bytes(bench.folder.path()).unwrap();
    // One item is half a gigabyte.
    let items: Vec<String> = (0..room / (400 << 20) + 2).map(|item| item.to_string()).collect();
    let items = items.join(", ");
    bench.write(
        "night.yaml",
        &format!("name: night\nitems: [{{ recipe: big.yaml, matrix: {{ n: [{items}] }} }}]\n"),
    );
    let output = bench.run(&["batch", "night.yaml", "--instrument", "sim"]);
    assert_eq!(output.status.code(), Some(2));
    let told = text(&output.stderr);
    assert!(told.contains("batch `night` needs about") && told.contains("are free"), "{told}");
    let planned = bench.run(&["batch", "plan", "night.yaml", "--json"]);
    let planned: Value = serde_json::from_slice(&planned.stdout).unwrap();
    assert_eq!(planned["fits_disk"], false);
}

#[test]
fn a_column_detector_of_a_batch_is_a_warning_unless_it_is_what_the_traces_have_there_anyway() {
    let bench = Bench::new();
    let recipe = |fetch: &str| {
        format!(
            "name: named\ndetectors: {{ through: 4/1 }}\nsteps:\n  - sweep: {{ start_nm: 1540, stop_nm: 1541 }}\n  - fetch_trace: {{ detector: through, trace: raw{fetch} }}\n"
        )
    };
    bench.write("named.yaml", &recipe(""));
    bench.write("own.yaml", &recipe(", columns: { detector: tap }"));
    for (file, value, warns) in [
        ("named.yaml", "tap", true),
        ("named.yaml", "through", false),
        ("named.yaml", "4/1", false),
        ("own.yaml", "tap", false),
        ("own.yaml", "through", true),
    ] {
        let items = format!("items: [{{ recipe: {file}, matrix: {{ detector: [\"{value}\"] }} }}]\n");
        bench.write("night.yaml", &format!("name: night\n{items}"));
        let output = bench.run(&["batch", "check", "night.yaml"]);
        let said = text(&output.stdout) + text(&output.stderr).as_str();
        assert!(output.status.success(), "{file} {value}: {said}");
        let warned = said.contains("`detector` of the batch does not become a column of the trace files");
        assert_eq!(warned, warns, "{file} {value}: {said}");
    }
}

#[test]
fn times_at_which_nothing_can_be_measured_are_an_error() {
    let bench = Bench::new();
    bench.write("die.yaml", "name: die\nsteps: [log: here]\n");
    let (ten, eleven) = ("\"2099-11-30T22:00:00Z\"", "\"2099-11-30T23:00:00Z\"");
    let item = "items: [{ recipe: die.yaml";
    for text_of_batch in [
        format!("not_before: {eleven}\ndeadline: {ten}\n{item} }}]"),
        format!("{item}, not_before: {eleven}, deadline: {ten} }}]"),
        format!("deadline: {ten}\n{item}, not_before: {eleven} }}]"),
        format!("not_before: {eleven}\n{item}, deadline: {ten} }}]"),
    ] {
        bench.write("night.yaml", &format!("name: night\n{text_of_batch}\n"));
        let output = bench.run(&["batch", "check", "night.yaml"]);
        let said = said_by(&output);
        assert_eq!(output.status.code(), Some(2), "{text_of_batch}: {said}");
        assert_eq!(said.matches("nothing would be measured").count(), 1, "{text_of_batch}: {said}");
    }
}
