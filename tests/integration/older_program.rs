//! What an older program has left is read by this one: folders of runs, the catalogue, and each event of a journal.
//! `tests/fixtures/older-program` has them, with the answers of the older program.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use ctp10::run::events::{Record, RunEvent};
use serde_json::{Value, json};

use crate::batch::runs;
use crate::sidecar::{request, serve};
use crate::support::{Bench, Talk, copy_folder, journal, manifest, simulate, text, watch_program};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/older-program")
}

/// A bench with the runs of the older program and their recipes.
fn bench() -> Bench {
    let bench = Bench::new();
    copy_folder(&fixtures().join("recipes"), bench.folder.path());
    copy_folder(&fixtures().join("runs"), &bench.folder.path().join("runs"));
    bench
}

/// The only run of a recipe.
fn run(bench: &Bench, name: &str) -> PathBuf {
    let mut found =
        bench.run_folders().into_iter().filter(|path| path.to_string_lossy().contains(&format!("_{name}_")));
    let folder = found.next().unwrap();
    assert!(found.next().is_none(), "{name} was measured twice");
    folder
}

fn json_of(bench: &Bench, arguments: &[&str]) -> Value {
    let output = bench.run(arguments);
    assert!(output.status.success(), "{arguments:?} {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Fields that this program computes from what the older one has written.
const DERIVED: [&str; 2] = ["words", "elapsed_s"];

/// Leaves out what the older program did not know, if it is empty: a run of that program has no figures, for example.
/// Derived fields are left out too.
fn without_new(answer: Value, expected: &Value) -> Value {
    match (answer, expected) {
        (Value::Object(fields), Value::Object(known)) => {
            let is_empty = |value: &Value| match value {
                Value::Null => true,
                Value::Array(items) => items.is_empty(),
                Value::Object(fields) => fields.is_empty(),
                Value::Number(number) => number.as_f64() == Some(0.0),
                _ => false,
            };
            let is_new = |name: &String, value: &Value| DERIVED.contains(&name.as_str()) || is_empty(value);
            let kept =
                fields.into_iter().filter(|(name, value)| known.contains_key(name) || !is_new(name, value));
            kept.map(|(name, value)| {
                let value = known.get(&name).map_or(value.clone(), |known| without_new(value, known));
                (name, value)
            })
            .collect()
        }
        (Value::Array(items), Value::Array(known)) if items.len() == known.len() => {
            items.into_iter().zip(known).map(|(item, known)| without_new(item, known)).collect()
        }
        (answer, _) => answer,
    }
}

/// Leaves out the texts that the program makes for people, which may be worded better, where the folder lies, and the
/// duration, which no longer contains the time between a stop and its resume.
fn comparable(mut answer: Value) -> Value {
    for key in ["warnings", "guard", "highlights"] {
        if let Some(texts) = answer.get_mut(key) {
            *texts = json!(texts.as_array().unwrap().len());
        }
    }
    for key in ["folder", "finish_command", "report_by", "elapsed_s"] {
        answer.as_object_mut().unwrap().remove(key);
    }
    answer
}

#[test]
fn the_server_answers_about_the_runs_of_an_older_program_as_that_did() {
    let bench = bench();
    let server = serve(&bench, &["--instrument", "sim"]);
    let answers: Value = serde_json::from_slice(&fs::read(fixtures().join("answers.json")).unwrap()).unwrap();
    for (asked, expected) in answers.as_object().unwrap() {
        let (status, answer) = request(&server.address, "GET", asked.strip_prefix("GET ").unwrap(), None);
        assert_eq!(status, 200, "{asked}: {answer}");
        assert_eq!(comparable(without_new(answer, expected)), comparable(expected.clone()), "{asked}");
    }
    for folder in bench.run_folders().iter().filter(|folder| manifest(folder)["finished"].is_string()) {
        let path = format!("/runs/{}/events", manifest(folder)["run"].as_str().unwrap());
        let (_, streamed) = request(&server.address, "GET", &path, None);
        let sent = streamed.as_str().unwrap().lines().filter_map(|line| line.strip_prefix("data: "));
        let sent: Vec<Value> = sent.map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(sent, journal(folder), "{path}");
    }
}

#[test]
fn runs_of_an_older_program_are_listed_verified_and_reported_as_that_did() {
    let bench = bench();
    let listed = json_of(&bench, &["runs", "--json"]);
    let mut states: Vec<(&str, &str)> = listed["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| (run["manifest"]["name"].as_str().unwrap(), run["manifest"]["status"].as_str().unwrap()))
        .collect();
    states.sort_unstable();
    let expected = [
        ("dark", "failed"),
        ("die", "done"),
        ("failing", "failed"),
        ("fetching", "interrupted"),
        ("finished", "done"),
        ("looping", "interrupted"),
        ("scripted", "interrupted"),
        ("stopped", "aborted"),
        ("suspending", "interrupted"),
    ];
    assert_eq!(states, expected);
    for folder in bench.run_folders() {
        let path = folder.to_str().unwrap();
        let verified = json_of(&bench, &["runs", "verify", path, "--json"]);
        assert_eq!(verified["verified"]["findings"], json!([]), "{path}");
        let before = fs::read(folder.join("summary.json"));
        let summary = json_of(&bench, &["runs", "report", path, "--json"]);
        let Ok(before) = before else { continue };
        let before: Value = serde_json::from_slice(&before).unwrap();
        assert_eq!(comparable(without_new(summary, &before)), comparable(before), "{path}");
    }
}

#[test]
fn interrupted_stopped_and_failed_runs_of_an_older_program_are_resumed() {
    let bench = bench();
    let simulator = simulate(&bench, &["--noise", "by-settings", "--time-scale", "0.01"]);
    let address = simulator.address.as_str();
    for (name, instrument, traces) in [
        ("stopped", "sim", 0),
        ("looping", "sim", 3),
        ("scripted", "sim", 3),
        ("fetching", address, 4),
        ("failing", address, 4),
    ] {
        let folder = run(&bench, name);
        let before = journal(&folder);
        let output = bench.run(&["resume", folder.to_str().unwrap(), "--instrument", instrument]);
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        assert_eq!(journal(&folder)[..before.len()], before, "{name}");
        is_whole(&bench, &folder, traces);
    }
}

#[test]
fn a_suspended_run_of_an_older_program_is_suspended_until_its_condition_is_good() {
    let bench = bench();
    let simulator = simulate(&bench, &["--noise", "by-settings", "--time-scale", "0.01"]);
    let folder = run(&bench, "suspending");
    let command = ["resume", folder.to_str().unwrap(), "--instrument", &simulator.address];
    let mut resumed = watch_program(&bench, &command);
    resumed.wait_for(|event| event["event"] == "suspended");
    Talk::to(&simulator.address).send("CTP:RLAS2:POW 3DBM");
    resumed.wait_for(|event| event["event"] == "suspension_over");
    assert_eq!(resumed.finish().0, Some(0));
    is_whole(&bench, &folder, 2);
}

fn is_whole(bench: &Bench, folder: &Path, traces: u64) {
    let manifest = manifest(folder);
    assert_eq!((&manifest["status"], &manifest["traces"]), (&json!("done"), &json!(traces)), "{manifest}");
    let verified = json_of(bench, &["runs", "verify", folder.to_str().unwrap(), "--json"]);
    assert_eq!(verified["verified"]["findings"], json!([]), "{}", folder.display());
}

#[test]
fn the_catalogue_and_the_batch_of_an_older_program_continue() {
    let bench = bench();
    let before = runs(&bench);
    assert!(bench.run(&["runs", "reindex"]).status.success());
    let states = |rows: &[ctp10::catalogue::RunRow]| -> BTreeSet<(String, String, Option<u32>)> {
        rows.iter().map(|row| (row.run.clone(), row.name.clone(), row.item)).collect()
    };
    assert_eq!(states(&runs(&bench)), states(&before));
    let count = bench.run_folders().len();
    let simulator = simulate(&bench, &["--time-scale", "0.01"]);
    let output = bench.run(&["batch", "night.yaml", "--instrument", &simulator.address]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(crate::batch::states(&crate::batch::summary(&bench)), ["done", "failed"]);
    assert_eq!(bench.run_folders().len(), count, "nothing is measured again");
}

#[test]
fn every_event_of_a_journal_is_read_and_written_as_an_older_program_wrote_it() {
    let lines = fs::read_to_string(fixtures().join("every-event.jsonl")).unwrap();
    let mut known = BTreeSet::new();
    for line in lines.lines() {
        let written: Value = serde_json::from_str(line).unwrap();
        let record: Record = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(serde_json::to_value(record).unwrap(), written);
        known.insert(written["event"].as_str().unwrap().to_owned());
    }
    let error = serde_json::from_value::<RunEvent>(json!({ "event": "?" })).unwrap_err().to_string();
    let (_, names) = error.split_once("expected one of").unwrap();
    let missing: Vec<&str> =
        names.split('`').skip(1).step_by(2).filter(|name| !known.contains(*name)).collect();
    assert!(missing.is_empty(), "add an event to every-event.jsonl: {missing:?}");
}
