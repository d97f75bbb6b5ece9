//! Batches as a lab has them: whole nights, cut ones, ones on an instrument with faults.

use std::path::PathBuf;

use ctp10::catalogue::{Catalogue, FILE, RunRow};
use serde_json::{Value, json};

use crate::sidecar::{request, serve, signal};
use crate::support::{Bench, Talk, Watched, manifest, simulate, text, watch_program};

/// Over soon, with a parameter.
const DIE: &str = "
name: die
parameters:
  power_dbm: { default: 0, min: -10, max: 10 }
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: \"${power_dbm}\" }
  - sweep: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
  - fetch_trace: { detector: 4/1, trace: raw }
";
/// Lasts until it is stopped.
const LONG: &str = "
name: long
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 5, power_dbm: 0 }
  - sweep: { start_nm: 1520, stop_nm: 1521, resolution_pm: 10 }
  - wait: 3000
";
/// Fails, and nobody can know that before.
const FAILS: &str = "
name: fails
steps:
  - configure_scan: { start_nm: 1400, stop_nm: 1450 }
  - sweep:
";

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("die.yaml", DIE);
    bench.write("long.yaml", LONG);
    bench.write("fails.yaml", FAILS);
    bench
}

fn summary(bench: &Bench) -> Value {
    let path = bench.folder.path().join("runs/batch-night.json");
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn states(summary: &Value) -> Vec<&str> {
    summary["list"].as_array().unwrap().iter().map(|item| item["state"].as_str().unwrap()).collect()
}

fn runs(bench: &Bench) -> Vec<RunRow> {
    Catalogue::open(&bench.folder.path().join("runs")).unwrap().runs().unwrap()
}

fn folder(bench: &Bench, name: &Value) -> PathBuf {
    bench.folder.path().join("runs").join(name.as_str().unwrap())
}

fn begins(batch: &mut Watched, item: u32) {
    batch.wait_for(|event| event["event"] == "item_begun" && event["item"] == item);
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
    let before = runs(&bench);
    assert_eq!(before.len(), 3);
    for ending in ["", "-wal", "-shm"] {
        let path = bench.folder.path().join(format!("runs/{FILE}{ending}"));
        assert!(std::fs::remove_file(&path).is_ok() || !path.exists());
    }
    assert!(bench.run(&["runs", "reindex"]).status.success());
    assert_eq!(runs(&bench), before);
    // The batch goes on from what its runs say of it.
    let output = bench.run(&["batch", "night.yaml", "--instrument", &simulator.address]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(states(&summary(&bench)), ["done", "failed", "done"]);
    assert_eq!(runs(&bench).len(), 3);
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
fn a_killed_batch_goes_on_and_what_was_under_way_is_held_or_begun_anew() {
    let bench = bench();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let night = |auto: bool| {
        format!(
            "name: night\nitems:\n  - recipe: die.yaml\n  - {{ recipe: long.yaml, timeout_s: 1, auto_resume: {auto} }}\n  - recipe: die.yaml\n"
        )
    };
    for (auto, last) in [(false, "held"), (true, "failed")] {
        let _ = std::fs::remove_dir_all(bench.folder.path().join("runs"));
        bench.write("night.yaml", &night(auto).replace("timeout_s: 1", "timeout_s: 3000"));
        let mut batch = watch_program(&bench, &["batch", "night.yaml", "--instrument", &simulator.address]);
        begins(&mut batch, 2);
        batch.wait_for(|event| event["event"] == "progress" && event["activity"] == "wait");
        batch.signal("KILL");
        batch.finish();
        let mut talk = Talk::to(&simulator.address);
        talk.wait_until_idle();
        bench.write("night.yaml", &night(auto));
        let output = bench.run(&["batch", "night.yaml", "--instrument", &simulator.address]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
        let told = summary(&bench);
        assert_eq!(states(&told), ["done", last, "done"]);
        assert_eq!(told["list"][0]["attempts"], 1, "what is done stays done");
        let reason = told["list"][1]["reason"].as_str().unwrap();
        if auto {
            assert_eq!(told["list"][1]["attempts"], 2);
            assert!(reason.contains("not over after 1 s"), "{reason}");
        } else {
            assert!(reason.contains("was cut off"), "{reason}");
        }
        assert!(told["go_on"].as_str().unwrap().ends_with("--release"));
    }
    let refused = bench.run(&["batch", "--continue", "nigth", "--instrument", &simulator.address]);
    assert!(text(&refused.stderr).contains("did you mean `night`?"), "{}", text(&refused.stderr));
    let go_on = ["batch", "--continue", "night", "--release", "--instrument", &simulator.address];
    assert_eq!(bench.run(&go_on).status.code(), Some(1));
    assert_eq!(summary(&bench)["list"][1]["attempts"], 3, "a person has released it");
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
    assert!(told["list"][0]["reason"].as_str().unwrap().contains("-221"), "{told}");
    assert_eq!((told["retried"].clone(), told["queued"].clone()), (json!(2), json!(1)));
    assert!(told["reason"].as_str().unwrap().contains("2 items have failed one after another"));
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
    assert_eq!(told["list"][0]["reason"], "stopped: not over after 1 s");
    assert_eq!(manifest(&folder(&bench, &told["list"][0]["folders"][0]))["status"], "aborted");
}

#[test]
fn at_the_deadline_the_run_is_stopped_and_nothing_more_begins() {
    let bench = bench();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let deadline = (chrono::Utc::now() + chrono::TimeDelta::seconds(6)).to_rfc3339();
    bench.write(
        "night.yaml",
        &format!(
            "name: night\ndeadline: \"{deadline}\"\nitems:\n  - recipe: long.yaml\n  - recipe: die.yaml\n"
        ),
    );
    let output = bench.run(&["batch", "night.yaml", "--instrument", &simulator.address]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("leaves no time for 2 items: 1 to 2"), "{}", text(&output.stderr));
    let told = summary(&bench);
    assert_eq!(states(&told), ["queued", "queued"]);
    assert!(
        told["list"][0]["reason"].as_str().unwrap().contains("stopped at the batch's deadline"),
        "{told}"
    );
    assert!(told["reason"].as_str().unwrap().contains("the deadline"), "{told}");
    assert_eq!(Talk::to(&simulator.address).ask("CTP:RLAS1:POW:STAT?"), "0");
}

#[test]
fn a_signal_lets_the_run_end_or_stops_it_and_the_rest_stays_queued() {
    let bench = bench();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let patient = LONG.replace("wait: 3000", "wait: 2");
    bench.write("patient.yaml", &patient);
    bench.write(
        "night.yaml",
        "name: night\nitems:\n  - recipe: patient.yaml\n  - recipe: long.yaml\n  - recipe: die.yaml\n",
    );
    let command = ["batch", "night.yaml", "--instrument", &simulator.address];
    for (item, name, expected) in
        [(1, "TERM", ["done", "queued", "queued"]), (2, "INT", ["done", "queued", "queued"])]
    {
        let mut batch = watch_program(&bench, &command);
        begins(&mut batch, item);
        batch.wait_for(|event| event["event"] == "progress" && event["activity"] == "wait");
        batch.signal(name);
        let (code, stdout) = batch.finish();
        assert_eq!(code, Some(130), "{stdout}");
        assert_eq!(states(&summary(&bench)), expected);
    }
    assert_eq!(summary(&bench)["list"][1]["reason"], "stopped by Ctrl-C");
    assert_eq!(Talk::to(&simulator.address).ask("CTP:RLAS1:POW:STAT?"), "0");
}

#[test]
fn a_batch_on_an_instrument_with_faults_ends_and_tells_the_truth() {
    let thorough = std::env::var_os("CTP10_TEST_THOROUGH").is_some();
    for seed in 1..=if thorough { 10 } else { 1 } {
        let bench = bench();
        let fault = format!("random@{seed}=0.003");
        let simulator = simulate(&bench, &["--time-scale", "0.005", "--fault", &fault]);
        let powers: Vec<String> = (0..40).map(|item| format!("{}", f64::from(item) / 4.0)).collect();
        let powers = powers.join(", ");
        bench.write(
            "night.yaml",
            &format!(
                "name: night
defaults: {{ retry: {{ times: 1, backoff_s: 0 }}, timeout_s: 60 }}
items: [{{ recipe: die.yaml, matrix: {{ power_dbm: [{powers}] }} }}]
"
            ),
        );
        let output = bench.run(&["batch", "night.yaml", "--instrument", &simulator.address]);
        let told = summary(&bench);
        let done = told["done"].as_u64().unwrap();
        assert_eq!(output.status.code(), Some(if done == 40 { 0 } else { 1 }), "seed {seed}");
        assert_eq!(done + told["failed"].as_u64().unwrap(), 40, "seed {seed}: {told}");
        for item in told["list"].as_array().unwrap() {
            let folders = item["folders"].as_array().unwrap();
            let Some(last) = folders.last() else {
                assert_ne!(item["state"], "done", "seed {seed}: done without a run: {item}");
                continue;
            };
            let kept = manifest(&folder(&bench, last));
            assert_eq!(kept["status"] == "done", item["state"] == "done", "seed {seed}: {item} {kept}");
            assert!(item["state"] == "done" || item["reason"].is_string(), "seed {seed}: {item}");
            assert_eq!(kept["metadata"]["batch_item"], item["number"]);
            let path = folder(&bench, last);
            assert!(bench.run(&["runs", "verify", path.to_str().unwrap()]).status.success(), "seed {seed}");
        }
    }
}

#[test]
fn the_queue_of_a_service_is_filled_and_changed_over_http_and_survives_it() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    std::fs::create_dir(bench.folder.path().join("recipes")).unwrap();
    bench.write("recipes/die.yaml", DIE);
    let mut service = serve(&bench, &["--instrument", &simulator.address]);
    let ask = |address: &str, method: &str, path: &str, body: Option<Value>| {
        request(address, method, path, body.as_ref())
    };
    let address = service.address.clone();
    assert_eq!(ask(&address, "POST", "/batch/pause", None).1["paused"], true);
    let items = json!({ "recipe": "recipes/die.yaml", "matrix": { "power_dbm": [1, 2, 3, 4] } });
    let (status, added) = ask(&address, "POST", "/batch/items", Some(items));
    assert_eq!((status, added["numbers"].clone()), (201, json!([1, 2, 3, 4])), "{added}");
    let refused = |body: Value| ask(&address, "POST", "/batch/items", Some(body)).0;
    assert_eq!(refused(json!({ "recipe": "elsewhere.yaml" })), 404);
    assert_eq!(refused(json!({ "recipe": "recipes/die.yaml", "set": { "power_dbm": 40 } })), 422);
    assert_eq!(refused(json!({ "recipe": "recipes/die.yaml", "devices": "/etc/passwd" })), 400);
    assert_eq!(ask(&address, "POST", "/batch/items/4/move?to=1", None).0, 200);
    assert_eq!(ask(&address, "POST", "/batch/items/1/remove", None).0, 200);
    assert_eq!(ask(&address, "POST", "/batch/items/2/hold", None).0, 200);
    assert_eq!(ask(&address, "POST", "/batch/items/1/hold", None).0, 409);
    assert_eq!(ask(&address, "POST", "/batch/items/9/hold", None).0, 404);
    signal(&service, "TERM");
    assert!(service.child.wait().unwrap().success());

    let service = serve(&bench, &["--instrument", &simulator.address]);
    let address = service.address.clone();
    let batch = ask(&address, "GET", "/batch", None).1;
    assert_eq!(batch["counts"], json!({ "queued": 2, "held": 1, "removed": 1 }), "{batch}");
    let places: Vec<Value> =
        batch["items"].as_array().unwrap().iter().map(|item| item["place"].clone()).collect();
    assert_eq!(places, [Value::Null, Value::Null, json!(2), json!(1)]);
    assert_eq!(ask(&address, "POST", "/batch/resume", None).1["paused"], false);
    while ask(&address, "GET", "/batch", None).1["counts"]["done"] != 2 {}
    assert_eq!(ask(&address, "POST", "/batch/items/2/release", None).0, 200);
    while ask(&address, "GET", "/batch", None).1["counts"]["done"] != 3 {}
    let rows = runs(&bench);
    let order: Vec<u32> = rows.iter().rev().filter_map(|run| run.item).collect();
    assert_eq!((order.len(), order.last()), (3, Some(&2)));
}
