//! Batches whose process was killed or stopped: an item goes on in the run that it had begun.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::{Bench, journal, simulate, text, watch_program};

/// Stores so many traces, and waits after each of them, long enough to be stopped then.
pub(crate) fn series(times: u32) -> String {
    format!(
        "name: series
steps:
  - configure_tls: {{ tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 0 }}
  - repeat:
      times: {times}
      steps:
        - sweep: {{ start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }}
        - fetch_trace: {{ detector: 4/1, trace: raw }}
        - wait: 0.5
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
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    bench.write("series.yaml", &series(3));
    let goes_on: &[(usize, usize)] = &[(3, 1)];
    for (signal, auto_resume, more, state, runs) in [
        ("KILL", true, &[][..], "done", goes_on),
        ("INT", false, &[], "done", goes_on),
        ("KILL", false, &["--release"], "done", goes_on),
        ("KILL", true, &["--anew"], "done", &[(1, 0), (3, 0)]),
        ("KILL", false, &[], "held", &[(1, 0)]),
    ] {
        let case = format!("{signal} {auto_resume} {more:?}");
        let _ = std::fs::remove_dir_all(bench.folder.path().join("runs"));
        bench.write(
            "night.yaml",
            &format!("name: night\nitems: [{{ recipe: series.yaml, auto_resume: {auto_resume} }}]\n"),
        );
        let command = ["batch", "night.yaml", "--instrument", &simulator.address];
        let mut batch = watch_program(&bench, &command);
        batch.wait_for(|event| event["event"] == "trace_stored");
        // The fetch has ended, too, and the wait behind it has begun.
        batch.wait_for(|event| event["event"] == "step_started");
        batch.signal(signal);
        batch.finish();
        let output = bench.run(&[&command, more].concat());
        let item = items(&bench)[0].take();
        assert_eq!(item["state"], state, "{case}: {item} {}", text(&output.stderr));
        assert_eq!(measured(&bench, &item), runs, "{case}");
        if state == "held" {
            assert!(item["reason"].as_str().unwrap().contains("was cut off"), "{item}");
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
    let simulator = simulate(&bench, &["--latency-ms", "30"]);
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
    let mut batch = watch_program(&bench, &command);
    batch.wait_for(|event| event["event"] == "step_started");
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
