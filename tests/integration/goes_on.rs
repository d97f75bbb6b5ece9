//! Batches whose process was killed or stopped: an item goes on in the run that it had begun.

use std::path::PathBuf;

use serde_json::Value;

use crate::probe_station::Gate;
use crate::support::{Bench, journal, simulate, text, until, watch_program};

/// Stores this many traces, and waits at the gate after each of them.
pub(crate) fn series(times: u32, gate: &Gate) -> String {
    let wait = gate.step();
    format!(
        "name: series
steps:
  - configure_tls: {{ tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 0 }}
  - repeat:
      times: {times}
      steps:
        - sweep: {{ start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }}
        - fetch_trace: {{ detector: 4/1, trace: raw }}
        - {wait}
"
    )
}

fn items(bench: &Bench) -> Value {
    let text = std::fs::read(bench.folder.path().join("runs/batch-night.json")).unwrap();
    serde_json::from_slice::<Value>(&text).unwrap()["list"].take()
}

/// What the journals of an item's runs say: for each, traces stored and how often it was taken up.
fn measured(bench: &Bench, item: &Value) -> Vec<(usize, usize)> {
    let folders = item["folders"].as_array().unwrap().iter();
    let folders = folders.map(|folder| bench.folder.path().join("runs").join(folder.as_str().unwrap()));
    let count = |folder: PathBuf| {
        let records = journal(&folder);
        let count = |event: &str| records.iter().filter(|record| record["event"] == event).count();
        (count("trace_stored"), count("taken_up"))
    };
    folders.map(count).collect()
}

#[test]
fn an_item_goes_on_in_its_run_after_a_kill_or_a_stop_and_is_held_unless_it_may_by_itself() {
    let simulated = Bench::new();
    let simulator = simulate(&simulated, &["--time-scale", "0.02"]);
    let goes_on: &[(usize, usize)] = &[(3, 1)];
    for (signal, auto_resume, more, state, runs) in [
        ("KILL", true, &[][..], "done", goes_on),
        ("INT", false, &[], "done", goes_on),
        ("KILL", false, &["--release"], "done", goes_on),
        ("KILL", true, &["--anew"], "done", &[(1, 0), (3, 0)]),
        ("KILL", false, &[], "held", &[(1, 0)]),
    ] {
        let case = format!("{signal} {auto_resume} {more:?}");
        let bench = Bench::new();
        let gate = Gate::new(&bench, 0);
        bench.write("series.yaml", &series(3, &gate));
        bench.write(
            "night.yaml",
            &format!("name: night\nitems: [{{ recipe: series.yaml, auto_resume: {auto_resume} }}]\n"),
        );
        let command = ["batch", "night.yaml", "--instrument", &simulator.address];
        let batch = watch_program(&bench, &command);
        gate.wait_for(1);
        batch.signal(signal);
        batch.finish();
        gate.open();
        let output = bench.run(&[&command, more].concat());
        let item = items(&bench)[0].take();
        assert_eq!(item["state"], state, "{case}: {item} {}", text(&output.stderr));
        assert_eq!(measured(&bench, &item), runs, "{case}");
        if state == "held" {
            assert!(item["reason"].as_str().unwrap().contains("was interrupted"), "{item}");
        } else {
            assert_eq!(item["attempts"], 2, "{case}");
        }
        let folder = item["folders"].as_array().unwrap().last().unwrap().as_str().unwrap();
        let verified = bench.run(&["runs", "verify", folder]);
        assert!(verified.status.success(), "{case}: {}", text(&verified.stdout));
    }
}

#[test]
fn a_step_that_nobody_can_know_about_holds_its_item_until_a_person_has_finished_the_run() {
    let bench = Bench::new();
    // The step cannot end before its process is killed.
    let simulator = simulate(&bench, &["--fault", "late@laser=600", "--log", "commands.log"]);
    bench.write(
        "moves.yaml",
        "name: moves\nsteps:\n  - scpi: { command: \"CTP:RLAS1:POW 4DBM\" }\n  - log: moved\n",
    );
    bench.write("rests.yaml", "name: rests\nsteps: [{ log: here }]\n");
    bench.write(
        "night.yaml",
        "name: night\nitems: [{ recipe: moves.yaml, auto_resume: true }, { recipe: rests.yaml }]\n",
    );
    let command = ["batch", "night.yaml", "--instrument", &simulator.address];
    let batch = watch_program(&bench, &command);
    until("the command has been received", || {
        std::fs::read_to_string(bench.folder.path().join("commands.log"))
            .is_ok_and(|log| log.contains("! late@"))
    });
    batch.signal("KILL");
    batch.finish();
    assert_eq!(bench.run(&command).status.code(), Some(1));
    let told = items(&bench);
    let states: Vec<&Value> = told.as_array().unwrap().iter().map(|item| &item["state"]).collect();
    assert_eq!(states, ["held", "done"], "the next item does not wait for a person");
    let folder = told[0]["folders"][0].as_str().unwrap();
    let reason = told[0]["reason"].as_str().unwrap();
    assert!(reason.contains("cannot know whether it finished"), "{reason}");
    let advice = format!("ctp10 resume {folder} --unfinished done|again");
    assert!(reason.contains(&advice), "{reason}");

    let address = &simulator.address;
    let resumed = bench.run(&["resume", folder, "--unfinished", "done", "--instrument", address]);
    assert!(resumed.status.success(), "{}", text(&resumed.stderr));
    let released = bench.run(&[&command[..], &["--release"]].concat());
    assert!(released.status.success(), "{}", text(&released.stderr));
    let item = &items(&bench)[0];
    assert_eq!((&item["state"], item["folders"].as_array().unwrap().len()), (&"done".into(), 1), "{item}");
}
