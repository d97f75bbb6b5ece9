//! A sweep and its fetches are one unit: what goes wrong with one is made good with all.

use std::path::Path;
use std::time::Instant;

use ctp10::store::runs;

use crate::support::{Bench, LIMIT, Running, Talk, journal, simulate, text};

const RECIPE: &str = "
name: unit
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 7 }
  - configure_scan: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
  - create_reference: { detector: 4/1 }
  - configure_tls: { tls: 1, power_dbm: 3 }
  - sweep: { retry: { times: 2 } }
  - fetch_trace: { detector: 4/1, trace: tf, name: first }
  - fetch_trace: { detector: 4/1, traces: [raw, tf], name: second }
  - fetch_trace: { detector: 4/2, trace: raw, name: third }
";

fn instrument(bench: &Bench, faults: &[&str]) -> Running {
    let faults = faults.iter().flat_map(|fault| ["--fault", fault]);
    let arguments: Vec<&str> =
        ["--noise", "by-settings", "--time-scale", "0.01"].into_iter().chain(faults).collect();
    simulate(bench, &arguments)
}

/// What is stored, by number: file, attempt, level.
fn stored(folder: &Path) -> Vec<(String, u32, Option<f64>)> {
    let mut traces: Vec<_> = runs::traces(folder).unwrap().map(Result::unwrap).collect();
    traces.sort_by_key(|trace| trace.trace_index);
    traces.into_iter().map(|trace| (trace.file, trace.attempt, trace.mean)).collect()
}

fn run(bench: &Bench, recipe: &str, faults: &[&str]) -> std::path::PathBuf {
    let simulator = instrument(bench, faults);
    bench.write("unit.yaml", recipe);
    let output = bench.run(&["run", "unit.yaml", "--instrument", &simulator.address]);
    assert!(output.status.success(), "{faults:?} {}", text(&output.stderr));
    let folder = bench.run_folder(&output);
    let verified = bench.run(&["runs", "verify", folder.to_str().unwrap()]);
    assert!(verified.status.success(), "{faults:?} {}", text(&verified.stdout));
    let mut talk = Talk::to(&simulator.address);
    assert_eq!(talk.ask("STAT:OPER:COND?;:CTP:RLAS1:POW:STAT?"), "0;0");
    folder
}

#[test]
fn a_fetch_that_fails_is_tried_again_with_its_sweep_and_what_was_fetched_before() {
    let bench = Bench::new();
    let whole = stored(&run(&bench, RECIPE, &[]));
    assert_eq!(whole.len(), 4);
    // In the middle of a step that has stored one trace already, and after a restart that forgets everything.
    for fault in ["drop@trace:3", "truncate@trace:4", "reboot@trace:2=0.2", "reboot@sweep=0.2", "drop@sweep"]
    {
        let folder = run(&bench, RECIPE, &[fault]);
        let found = stored(&folder);
        let files = |all: &[(String, u32, Option<f64>)]| {
            all.iter().map(|(file, ..)| file.clone()).collect::<Vec<_>>()
        };
        assert_eq!(files(&found), files(&whole), "{fault}");
        for ((file, attempt, mean), (_, _, expected)) in found.iter().zip(&whole) {
            assert_eq!(mean, expected, "{fault} {file}");
            assert_eq!(*attempt, 2, "{fault} {file}");
        }
    }
}

#[test]
fn without_a_retry_what_was_stored_stays() {
    let bench = Bench::new();
    let simulator = instrument(&bench, &["drop@trace:4"]);
    bench.write("unit.yaml", &RECIPE.replace("sweep: { retry: { times: 2 } }", "sweep:"));
    let output = bench.run(&["run", "unit.yaml", "--instrument", &simulator.address]);
    assert_eq!(output.status.code(), Some(1));
    let folder = bench.run_folder(&output);
    assert_eq!(stored(&folder).len(), 3);
    // Taken up, the whole unit is measured again: nobody knows what is in memory by then.
    let output = bench.run(&["resume", folder.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(stored(&folder).iter().map(|(_, attempt, _)| *attempt).collect::<Vec<_>>(), [2, 2, 2, 2]);
}

#[test]
fn a_connection_that_goes_silent_does_not_keep_the_laser_on() {
    let bench = Bench::new();
    let simulator = instrument(&bench, &["stall@CTP:RLAS1:POW:STAT:2"]);
    bench.write("lit.yaml", "name: lit\nsteps:\n  - configure_laser: { laser: 1, output: true }\n");
    let began = Instant::now();
    let output = bench.run(&["run", "lit.yaml", "--instrument", &simulator.address]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(began.elapsed() < LIMIT, "{:?}", began.elapsed());
    let records = journal(&bench.run_folder(&output));
    let off = records.iter().find(|record| record["event"] == "lasers_off").unwrap();
    assert_eq!(off["off"], serde_json::json!([1]), "{off}");
    assert_eq!(Talk::to(&simulator.address).ask("CTP:RLAS1:POW:STAT?"), "0");
}

#[test]
fn power_that_is_read_while_the_instrument_restarts_is_read_again_with_light() {
    let bench = Bench::new();
    let recipe = "
name: lit
steps:
  - configure_laser: { laser: 1, power_dbm: 3, wavelength_nm: 1550, output: true }
  - read_power: { detector: 4/3, samples: 3, interval_s: 0, id: p }
  - if: { condition: \"${steps.p.readings[2].value > -20}\", then: [ { log: lit } ], else: [ { log: dark } ] }
";
    let folder = run(&bench, recipe, &["reboot@power:2=0.2"]);
    let records = journal(&folder);
    let said: Vec<_> = records.iter().filter(|record| record["event"] == "log").collect();
    assert_eq!(said[0]["message"], "lit", "{said:?}");
}

/// A long sweep with a fault is over when its run is, and so is the light; gives what was said.
fn broken_off(fault: &str) -> String {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--fault", fault]);
    let recipe = "
name: long
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 5, power_dbm: 0 }
  - sweep: { start_nm: 1500, stop_nm: 1630, resolution_pm: 10 }
";
    bench.write("long.yaml", recipe);
    let output = bench.run(&["run", "long.yaml", "--instrument", &simulator.address]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let records = journal(&bench.run_folder(&output));
    assert_eq!(records.last().unwrap()["state"], "failed");
    assert_eq!(Talk::to(&simulator.address).ask("STAT:OPER:COND?;:CTP:RLAS1:POW:STAT?"), "0;0");
    said
}

#[test]
fn a_scan_that_was_begun_and_taken_for_refused_is_broken_off() {
    // An error of somebody else's is in the queue when the start of the scan is confirmed.
    broken_off("error-queue@sweep");
}

#[test]
fn a_reference_is_of_the_settings_of_the_run_wherever_the_instrument_restarts_before_it() {
    let bench = Bench::new();
    let levels =
        |folder: &Path| stored(folder).into_iter().map(|(file, _, mean)| (file, mean)).collect::<Vec<_>>();
    let whole = levels(&run(&bench, RECIPE, &[]));
    // At the first and the last of the questions that say how the reference will be scanned.
    for fault in ["reboot@INIT:TLS2:ID?:2=0.2", "reboot@INIT:STAB?:3=0.2"] {
        assert_eq!(levels(&run(&bench, RECIPE, &[fault])), whole, "{fault}");
    }
}

#[test]
fn a_scan_that_cannot_be_watched_is_broken_off() {
    // A question is refused while the scan is under way, long before its end.
    let said = broken_off("refuse@condition:6");
    assert!(said.contains("refused `STAT:OPER:COND?`"), "{said}");
}
