//! A catalogue that is locked, damaged or gone never stops a measurement, and the run folders override what it says.

use std::fs;
use std::path::{Path, PathBuf};

use ctp10::catalogue::FILE;
use rusqlite::Connection;
use serde_json::Value;

use crate::batch::{DIE, folder, states, summary};
use crate::goes_on::series;
use crate::probe_station::Gate;
use crate::support::{Bench, Running, manifest, simulate, text, watch_program};

const NIGHT: &str = "name: night\nitems:\n  - { recipe: die.yaml, matrix: { power_dbm: [1, 2, 3] } }\n";

/// Does something to the file.
type Damage<'a> = &'a dyn Fn(&Path);

fn night() -> (Bench, Running) {
    let bench = Bench::new();
    bench.write("die.yaml", DIE);
    bench.write("night.yaml", NIGHT);
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    (bench, simulator)
}

fn file(bench: &Bench) -> PathBuf {
    bench.folder.path().join("runs").join(FILE)
}

fn remove(bench: &Bench) {
    for ending in ["", "-wal", "-shm"] {
        let _ = fs::remove_file(file(bench).with_file_name(format!("{FILE}{ending}")));
    }
}

/// The folders of runs.
fn runs(bench: &Bench) -> Vec<PathBuf> {
    let entries = fs::read_dir(bench.folder.path().join("runs")).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.is_dir()).collect()
}

/// The batch is measured as a whole, says so, and a second start finds nothing left.
fn measured(bench: &Bench, simulator: &Running, case: &str) {
    let command = ["batch", "night.yaml", "--instrument", &simulator.address];
    let output = bench.run(&command);
    let said = text(&output.stdout) + text(&output.stderr).as_str();
    assert!(output.status.success(), "{case}: {said}");
    assert!(said.contains("3 done of 3 items"), "{case}: {said}");
    assert_eq!(states(&summary(bench)), ["done"; 3], "{case}");
    let count = runs(bench).len();
    let again = bench.run(&command);
    assert!(again.status.success(), "{case}: {}", text(&again.stderr));
    assert_eq!(runs(bench).len(), count, "{case}: something was measured twice");
}

fn states_in_file(bench: &Bench) -> Vec<String> {
    let connection = Connection::open(file(bench)).unwrap();
    let mut asked =
        connection.prepare("SELECT state FROM items WHERE batch = 'night' ORDER BY number").unwrap();
    asked.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

#[test]
fn whatever_has_become_of_the_catalogue_the_batch_is_measured() {
    let (bench, simulator) = night();
    let at = |place: &Path| fs::create_dir_all(place.parent().unwrap()).unwrap();
    let cases: [(&str, Damage); 5] = [
        ("no database", &|file| {
            fs::write(file, "this is no database at all, and long enough to be one").unwrap();
        }),
        ("a damaged one", &|file| {
            drop(ctp10::catalogue::Catalogue::open(file.parent().unwrap()).unwrap());
            let mut bytes = fs::read(file).unwrap();
            bytes[100..].fill(0xff);
            fs::write(file, bytes).unwrap();
        }),
        ("a folder", &|file| fs::create_dir(file).unwrap()),
        ("a pipe", &|file| {
            assert!(std::process::Command::new("mkfifo").arg(file).status().unwrap().success());
        }),
        ("a later version", &|file| {
            let connection = Connection::open(file).unwrap();
            connection.pragma_update(None, "user_version", 99).unwrap();
        }),
    ];
    for (case, damage) in cases {
        let _ = fs::remove_dir_all(bench.folder.path().join("runs"));
        at(&file(&bench));
        damage(&file(&bench));
        let before = fs::symlink_metadata(file(&bench)).unwrap().file_type();
        measured(&bench, &simulator, case);
        assert_eq!(fs::symlink_metadata(file(&bench)).unwrap().file_type(), before, "{case}");
        // Once it is moved away, the next start writes it.
        if before.is_dir() {
            fs::remove_dir(file(&bench)).unwrap();
        }
        remove(&bench);
        measured(&bench, &simulator, case);
        assert_eq!(states_in_file(&bench), ["done"; 3], "{case}");
    }
}

#[test]
fn a_catalogue_that_is_locked_for_the_whole_batch_is_written_later() {
    let (bench, simulator) = night();
    drop(ctp10::catalogue::Catalogue::open(&bench.folder.path().join("runs")).unwrap());
    let browser = Connection::open(file(&bench)).unwrap();
    browser.execute_batch("BEGIN EXCLUSIVE").unwrap();
    measured(&bench, &simulator, "locked");
    assert!(states_in_file(&bench).is_empty());
    browser.execute_batch("ROLLBACK").unwrap();
    measured(&bench, &simulator, "let go");
    assert_eq!(states_in_file(&bench), ["done"; 3]);
}

#[test]
fn a_catalogue_that_vanishes_or_is_locked_while_a_batch_runs_is_made_anew() {
    let (bench, simulator) = night();
    let gate = Gate::new(&bench, 0);
    bench.write("series.yaml", &series(2, &gate));
    bench.write("night.yaml", "name: night\nitems:\n  - recipe: series.yaml\n  - recipe: die.yaml\n");
    let command = ["batch", "night.yaml", "--instrument", &simulator.address];
    let batch = watch_program(&bench, &command);
    gate.wait_for(1);
    remove(&bench);
    gate.open();
    let (code, said) = batch.finish();
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("2 done of 2 items"), "{said}");
    assert_eq!(states_in_file(&bench), ["done"; 2]);
}

#[test]
fn what_a_run_says_overrides_every_state_that_the_catalogue_has() {
    let (bench, simulator) = night();
    measured(&bench, &simulator, "first");
    for state in ["queued", "running", "held", "failed", "skipped"] {
        let connection = Connection::open(file(&bench)).unwrap();
        connection.execute("UPDATE items SET state = ?1", [state]).unwrap();
        connection.execute("UPDATE attempts SET state = 'running', run = NULL, folder = NULL", []).unwrap();
        drop(connection);
        measured(&bench, &simulator, state);
        assert_eq!(runs(&bench).len(), 3, "{state}");
        assert_eq!(states_in_file(&bench), ["done"; 3], "{state}");
    }
    // An attempt that the catalogue has never heard of.
    let connection = Connection::open(file(&bench)).unwrap();
    connection.execute("DELETE FROM attempts", []).unwrap();
    connection.execute("UPDATE items SET state = 'queued', attempts = 0", []).unwrap();
    drop(connection);
    measured(&bench, &simulator, "no attempts");
    let told = summary(&bench);
    for item in told["list"].as_array().unwrap() {
        let run = manifest(&folder(&bench, &item["folders"][0]));
        assert_eq!(run["metadata"]["batch_item"], item["number"], "{told}");
    }
}

#[test]
fn an_item_whose_run_was_killed_before_its_manifest_begins_as_a_new_run() {
    let (bench, simulator) = night();
    measured(&bench, &simulator, "first");
    let told = summary(&bench);
    let first = folder(&bench, &told["list"][0]["folders"][0]);
    for (case, keeps_folder) in [("without a manifest", true), ("without a folder", false)] {
        for entry in ["traces", "power"] {
            let _ = fs::remove_dir_all(first.join(entry));
        }
        let _ = fs::remove_file(first.join("run.json"));
        if !keeps_folder {
            let _ = fs::remove_dir_all(&first);
        }
        let connection = Connection::open(file(&bench)).unwrap();
        connection.execute("UPDATE items SET state = 'running' WHERE number = 1", []).unwrap();
        connection.execute("UPDATE attempts SET state = 'running' WHERE item = 1", []).unwrap();
        drop(connection);
        let output = bench.run(&["batch", "night.yaml", "--instrument", &simulator.address]);
        assert!(output.status.success(), "{case}: {}", text(&output.stderr));
        let told: Value = summary(&bench);
        assert_eq!(states(&told), ["done"; 3], "{case}: {told}");
        let last = told["list"][0]["folders"].as_array().unwrap().last().unwrap();
        fs::remove_dir_all(folder(&bench, last)).unwrap();
    }
}
