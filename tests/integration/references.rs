//! References: when one is kept, and what becomes of it.

use std::path::{Path, PathBuf};

use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::{Value, json};

use crate::probe_station::Gate;
use crate::sidecar::{end_of, request, serve};
use crate::support::{Bench, Running, Talk, journal, manifest, simulate, text, until_some, watch};

/// Runs a recipe that would keep a reference, at a power; gives the exit code, whether it took one, and what was said.
fn with_reference(
    bench: &Bench,
    address: &str,
    power: f64,
    more: &str,
) -> (Option<i32>, Option<bool>, String) {
    bench.write(
        "keep.yaml",
        &format!(
            "name: keep
steps:
  - configure_tls: {{ tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: {power} }}
  - configure_scan: {{ start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }}
  - create_reference: {{ detector: 4/1, max_age_min: 60{more} }}
"
        ),
    );
    let output = bench.run(&["run", "keep.yaml", "--instrument", address]);
    let records = journal(&bench.run_folder(&output));
    let created = records.iter().find_map(|record| record["outcome"]["value"]["created"].as_bool());
    (output.status.code(), created, text(&output.stderr))
}

#[test]
fn a_reference_is_kept_only_where_it_is_known_that_it_was_taken_with_the_same_light() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.01"]);
    let keep = |power, more| with_reference(&bench, &simulator.address, power, more);
    assert_eq!(keep(0.0, "").1, Some(true));
    assert_eq!(keep(0.0, "").1, Some(false));
    let (_, created, said) = keep(5.0, "");
    assert_eq!(created, Some(true), "{said}");
    assert!(said.contains("is not kept: it was taken with laser 1 at 0 dBm"), "{said}");
    assert_eq!(keep(5.0, "").1, Some(false));
    // Another client takes one, nobody knows with which light.
    let mut other = Talk::to(&simulator.address);
    let taken = other.ask("REF:SENS4:CHAN1:RES?");
    while other.ask("REF:SENS4:CHAN1:RES?") == taken {
        other.send("REF:SENS4:CHAN1:INIT");
        other.wait_until_idle();
    }
    let (code, created, said) = keep(5.0, ", unattended: fail");
    assert_eq!((code, created), (Some(1), None), "{said}");
    assert!(said.contains("its laser and power are not recorded"), "{said}");
}

#[test]
fn one_step_takes_the_references_of_several_detectors() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.01"]);
    bench.write(
        "several.yaml",
        "name: several
detectors: { through: 4/1, drop: 4/2 }
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 0 }
  - configure_scan: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
  - create_reference: { id: first, detectors: [through, drop], max_age_min: 60 }
  - create_reference: { id: second, detectors: [through, drop, 4/3], max_age_min: 60 }
  - create_reference: { id: third, detectors: [through, drop, 4/3], max_age_min: 60 }
  - sweep:
  - fetch_trace: { detectors: [through, drop], trace: tf }
  - log: \"${steps.first.created} ${steps.second.created} ${steps.third.created}\"
",
    );
    let output = bench.run(&["run", "several.yaml", "--instrument", &simulator.address]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let records = journal(&bench.run_folder(&output));
    let taken: Vec<_> = records.iter().filter(|record| record["event"] == "reference_taken").collect();
    let of: Vec<_> = taken.iter().map(|record| record["detector"].as_str().unwrap()).collect();
    assert_eq!(of, ["4/1", "4/2", "4/3"]);
    assert!(records.iter().any(|record| record["message"] == "true true false"));
}

#[test]
fn a_transmission_above_the_reference_is_marked_wherever_it_is_shown() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.01"]);
    bench.write(
        "above.yaml",
        "name: above
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 0 }
  - configure_scan: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
  - create_reference: { detector: 4/1 }
  - configure_tls: { tls: 1, power_dbm: 10 }
  - sweep:
  - fetch_trace: { detector: 4/1, traces: [tf, raw] }
",
    );
    let output = bench.run(&["run", "above.yaml", "--instrument", &simulator.address]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("impossible for a passive device"), "{}", text(&output.stderr));
    let folder = bench.run_folder(&output);
    let summary: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("summary.json")).unwrap()).unwrap();
    let traces = summary["traces"].as_array().unwrap();
    assert!(traces[0]["above_reference_db"].as_f64().unwrap() > 5.0, "{}", traces[0]);
    assert!(traces[1].get("above_reference_db").is_none_or(serde_json::Value::is_null), "{}", traces[1]);
    let report = std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(report.contains("impossible for a passive device"));
}

/// A recipe that sets the scan, does these steps, and fetches the transmission of a sweep.
fn recipe(stop_nm: u32, steps: &str) -> String {
    format!(
        "name: dated
detectors: {{ through: 4/1, tap: 4/3 }}
steps:
  - configure_tls: {{ tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 0 }}
  - configure_scan: {{ start_nm: 1540, stop_nm: {stop_nm}, resolution_pm: 10 }}
{steps}  - sweep:
  - fetch_trace: {{ detector: through, traces: [tf, raw] }}
"
    )
}

struct Ended {
    code: Option<i32>,
    stderr: String,
    folder: PathBuf,
    records: Vec<Value>,
}

impl Ended {
    fn event(&self, name: &str) -> &Value {
        let event = self.records.iter().find(|record| record["event"] == name);
        event.unwrap_or_else(|| panic!("no {name}: {}", self.stderr))
    }

    fn has(&self, name: &str) -> bool {
        self.records.iter().any(|record| record["event"] == name)
    }
}

fn ended(bench: &Bench, output: &std::process::Output) -> Ended {
    let folder = bench.run_folder(output);
    let (code, stderr) = (output.status.code(), text(&output.stderr));
    Ended { code, stderr, records: journal(&folder), folder }
}

fn run(bench: &Bench, simulator: &Running, stop_nm: u32, steps: &str) -> Ended {
    bench.write("dated.yaml", &recipe(stop_nm, steps));
    ended(bench, &bench.run(&["run", "dated.yaml", "--instrument", &simulator.address]))
}

/// Changes the record of a reference in the journal of a finished run.
fn rewrite(run: &Ended, change: impl Fn(&mut Value)) {
    let mut lines = String::new();
    for mut record in run.records.iter().cloned() {
        if record["event"] == "reference_taken" {
            change(&mut record);
        }
        lines += &format!("{record}\n");
    }
    std::fs::write(run.folder.join("journal.jsonl"), lines).unwrap();
}

const NEW: &str = "  - create_reference: { detector: through, max_age_min: 60 }\n";
const REFUSES: &str = "  - create_reference: { detector: through, max_age_min: 60, if_stale: refuse }\n";
const CHECKS: &str = "  - create_reference: { detector: through, max_age_min: 60, check: { detector: tap, max_drift_db: 0.1 }, if_stale: refuse }\n";

#[test]
fn a_reference_names_its_conditions_and_every_transmission_names_its_reference() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.01"]);
    let first = run(&bench, &simulator, 1541, NEW);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let taken = first.event("reference_taken");
    assert_eq!(taken["serial"], "SIMULATED-1");
    assert_eq!(taken["range"], json!({ "start_nm": 1540.0, "stop_nm": 1541.0, "resolution_pm": 10.0 }));
    assert_eq!(taken["sources"][0]["laser"], 1);
    let id = taken["id"].as_str().unwrap();
    assert!(
        id.starts_with("4/1@20") && first.stderr.contains(&format!("reference of through taken: {id}")),
        "{}",
        first.stderr
    );
    let stored = |run: &Ended| -> Vec<Value> {
        let stored = run.records.iter().filter(|record| record["event"] == "trace_stored");
        stored.map(|record| record["trace"]["reference"].clone()).collect()
    };
    assert_eq!(stored(&first), [json!(id), Value::Null]);
    assert_eq!(manifest(&first.folder)["references"][0]["id"], id);

    // A run that takes none names the one that its transmissions rest on, and the run that has taken it.
    let second = run(&bench, &simulator, 1541, "");
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    let used = second.event("reference_used");
    assert_eq!((&used["id"], &used["run"]), (&json!(id), &manifest(&first.folder)["run"]));
    assert_eq!(stored(&second), [json!(id), Value::Null]);
    assert_eq!(manifest(&second.folder)["references"][0]["sources"], taken["sources"]);
    let of_file = file_metadata(&second.folder, "reference");
    assert_eq!((&of_file["id"], &of_file["sources"]), (&json!(id), &taken["sources"]));

    // A kept reference has its age.
    let third = run(&bench, &simulator, 1541, REFUSES);
    assert_eq!(third.code, Some(0), "{}", third.stderr);
    assert!(third.event("reference_used")["age_s"].as_f64().unwrap() >= 0.0);
    assert!(third.stderr.contains(&format!("reference of through used: {id}, ")), "{}", third.stderr);
}

/// A value in the metadata of the first trace file.
fn file_metadata(folder: &Path, key: &str) -> Value {
    let traces = std::fs::read_dir(folder.join("traces")).unwrap().map(|entry| entry.unwrap().path());
    let file = std::fs::File::open(traces.min().unwrap()).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let pairs = reader.metadata().file_metadata().key_value_metadata().unwrap().clone();
    let value = pairs.into_iter().find(|pair| pair.key == key).unwrap().value.unwrap();
    serde_json::from_str(&value).unwrap()
}

#[test]
fn a_reference_of_other_conditions_is_refused_where_the_recipe_says_so() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.01"]);
    let date = || Talk::to(&simulator.address).ask("REF:SENS4:CHAN1:RES?");
    // What the instrument itself reports is foreseen: then the run does not start.
    let refused = |stop_nm, steps: &str, reason: &str| {
        bench.write("dated.yaml", &recipe(stop_nm, steps));
        let before = date();
        let output = bench.run(&["run", "dated.yaml", "--instrument", &simulator.address]);
        let told = text(&output.stderr);
        assert!(!output.status.success() && told.contains(reason), "{reason}: {told}");
        assert_eq!(date(), before);
    };
    refused(1541, REFUSES, "the instrument has no valid reference");
    let first = run(&bench, &simulator, 1541, NEW);
    refused(
        1542,
        REFUSES,
        "it covers 1540 to 1541 nm in steps of 10 pm, but the scan covers 1540 to 1542 nm",
    );
    refused(1541, &REFUSES.replace("60", "0"), "but at most 0 min are allowed");
    let power = format!("  - configure_tls: {{ tls: 1, power_dbm: 3 }}\n{REFUSES}");
    refused(
        1541,
        &power,
        "it was taken with laser 1 at 0 dBm from 1540 to 1541 nm, but the scan uses laser 1 at 3 dBm",
    );
    rewrite(&first, |record| record["serial"] = json!("12345"));
    refused(1541, REFUSES, "the serial number `12345`, but this one has `SIMULATED-1`");
    // Without `refuse`, a new one is taken.
    let again = run(&bench, &simulator, 1541, NEW);
    assert!(again.code == Some(0) && again.has("reference_taken"), "{}", again.stderr);
}

#[test]
fn a_drift_of_the_check_detector_makes_a_reference_stale() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.01"]);
    let first = run(&bench, &simulator, 1541, &CHECKS.replace("refuse", "measure"));
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let check = first.event("reference_taken")["check"].clone();
    assert_eq!(check["detector"], "4/3");
    let second = run(&bench, &simulator, 1541, CHECKS);
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    assert!(second.event("reference_used")["drift_db"].as_f64().unwrap().abs() < 0.1);
    rewrite(&first, |record| record["check"]["dbm"] = json!(check["dbm"].as_f64().unwrap() + 0.5));
    let third = run(&bench, &simulator, 1541, CHECKS);
    assert_eq!(third.code, Some(1), "{}", third.stderr);
    assert!(
        third.stderr.contains("the level of the check detector 4/3 has changed by -0.5"),
        "{}",
        third.stderr
    );
    rewrite(&first, |record| record["check"] = Value::Null);
    let fourth = run(&bench, &simulator, 1541, CHECKS);
    assert!(fourth.stderr.contains("no level of the check detector 4/3 was recorded"), "{}", fourth.stderr);
    // The scan for the check replaces the traces of an earlier sweep.
    let steps = format!(
        "  - sweep:\n{NEW}{}  - fetch_trace: {{ detector: through, trace: raw }}\n",
        CHECKS.replace("refuse", "measure")
    );
    let late = run(&bench, &simulator, 1541, &steps);
    assert_eq!(late.code, Some(1), "{}", late.stderr);
    assert!(late.stderr.contains("a check of `create_reference` has replaced them"), "{}", late.stderr);
}

#[test]
fn the_operator_decides_about_a_stale_reference() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.01"]);
    let first = run(&bench, &simulator, 1541, NEW);
    let asks = "  - create_reference: { detector: through, max_age_min: 0, if_stale: ask }\n";
    // Nobody is there to answer.
    bench.write("dated.yaml", &recipe(1541, &asks.replace("ask", "ask, unattended: fail")));
    let unattended = ended(&bench, &bench.run(&["run", "dated.yaml", "--instrument", &simulator.address]));
    assert_eq!(unattended.code, Some(1), "{}", unattended.stderr);
    let (asked, reason) = ("needs a new reference (it is ", " min old, but at most 0 min are allowed)");
    assert!(unattended.stderr.contains(asked) && unattended.stderr.contains(reason), "{}", unattended.stderr);

    let service = serve(&bench, &["--instrument", &simulator.address]);
    let answered = |stop_nm, answer: &str| {
        let body = json!({ "recipe": recipe(stop_nm, asks), "attend": true });
        let (status, begun) = request(&service.address, "POST", "/runs", Some(&body));
        assert_eq!(status, 201, "{begun}");
        let path = format!("/runs/{}", begun["run"].as_str().unwrap());
        let choices = until_some("the question is asked", || {
            let question = request(&service.address, "GET", &path, None).1["question"].clone();
            (!question.is_null()).then(|| question["choices"].clone())
        });
        let body = json!({ "answer": answer });
        assert_eq!(request(&service.address, "POST", &format!("{path}/answer"), Some(&body)).0, 200);
        let state = end_of(&service.address, begun["run"].as_str().unwrap());
        (choices, state, journal(&bench.folder.path().join(begun["folder"].as_str().unwrap())))
    };
    let taken = |records: &[Value]| records.iter().any(|record| record["event"] == "reference_taken");
    let (choices, state, records) = answered(1541, "keep");
    assert_eq!(
        (choices, state.as_str().unwrap(), taken(&records)),
        (json!(["new", "keep", "stop"]), "done", false)
    );
    let used = records.iter().find(|record| record["event"] == "reference_used").unwrap();
    assert_eq!(used["id"], first.event("reference_taken")["id"]);
    let (_, state, records) = answered(1541, "stop");
    assert_eq!((state.as_str().unwrap(), taken(&records)), ("failed", false));
    // A reference of another range cannot be kept.
    let (choices, state, records) = answered(1542, "new");
    assert_eq!((choices, state.as_str().unwrap(), taken(&records)), (json!(["new", "stop"]), "done", true));
}

#[test]
fn a_resumed_run_says_that_its_reference_has_become_too_old() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.01"]);
    let gate = Gate::new(&bench, 0);
    let steps = "  - create_reference: { detector: through, max_age_min: 0 }
  - create_reference: { detector: tap, max_age_min: 60 }
";
    bench.write("dated.yaml", &recipe(1541, &format!("{steps}  - {}\n", gate.step())));
    let run = watch(&bench, &["dated.yaml", "--instrument", &simulator.address]);
    gate.wait_for(1);
    run.signal("KILL");
    run.finish();
    gate.open();
    let folder = bench.only_run();
    let resumed = bench.run(&["resume", folder.to_str().unwrap()]);
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));
    let records = journal(&folder);
    let messages = records.iter().filter(|record| record["event"] == "warning");
    let messages = messages.map(|record| record["message"].as_str().unwrap());
    let told: Vec<&str> = messages.filter(|message| message.contains("keeps the reference")).collect();
    let [told] = told[..] else { panic!("{told:?}") };
    assert!(told.starts_with("the resumed run keeps the reference of 4/1: it is "), "{told}");
    assert!(told.ends_with(" old, but at most 0 min are allowed"), "{told}");
}

#[test]
fn a_resumed_run_notices_that_another_client_has_taken_the_reference() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.01"]);
    let gate = Gate::new(&bench, 0);
    let fetch = "  - sweep:\n  - fetch_trace: { detector: through, trace: tf }\n";
    bench.write("dated.yaml", &recipe(1541, &format!("{NEW}{fetch}  - {}\n", gate.step())));
    let run = watch(&bench, &["dated.yaml", "--instrument", &simulator.address]);
    gate.wait_for(1);
    run.signal("KILL");
    run.finish();
    gate.open();
    let folder = bench.only_run();
    let mut other = Talk::to(&simulator.address);
    other.wait_until_idle();
    let taken = other.ask("REF:SENS4:CHAN1:RES?");
    while other.ask("REF:SENS4:CHAN1:RES?") == taken {
        other.send("REF:SENS4:CHAN1:INIT");
        other.wait_until_idle();
    }
    let resumed = bench.run(&["resume", folder.to_str().unwrap()]);
    let told = text(&resumed.stderr);
    assert!(resumed.status.success() && told.contains("no longer has the reference 4/1@"), "{told}");
    let records = journal(&folder);
    let taken: Vec<_> = records.iter().filter(|record| record["event"] == "reference_taken").collect();
    let traces = records.iter().filter(|record| record["event"] == "trace_stored");
    let of: Vec<_> = traces.map(|record| &record["trace"]["reference"]).filter(|id| id.is_string()).collect();
    assert_eq!(of, [&taken[0]["id"], &taken[1]["id"]]);
}
