//! The report that a run leaves, and the one that is written afterwards.

use std::path::Path;

use serde_json::Value;

use crate::support::{Bench, manifest, simulate, text, watch};

const RECIPE: &str = "
name: night
metadata: { device: \"<b>ring</b>\" }
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 0 }
  - configure_scan: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
  - scpi: { command: \"INIT:TLS1:SPE 999\", on_error: continue }
  - sweep:
  - fetch_trace: { detector: 4/1, trace: raw, name: first }
  - WAIT
  - repeat:
      for: power_dbm
      in: [1, 2]
      steps:
        - sweep:
        - fetch_trace: { detectors: [4/1, 4/2], trace: raw }
";

fn summary(folder: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(folder.join("summary.json")).unwrap()).unwrap()
}

fn page(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("report.html")).unwrap()
}

#[test]
fn a_run_leaves_a_report_that_says_what_its_manifest_and_journal_say() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    bench.write("night.yaml", &RECIPE.replace("WAIT", "log: on"));
    let output = bench.run(&["run", "night.yaml", "--instrument", &simulator.address]);
    let folder = bench.run_folder(&output);
    let (summary, page) = (summary(&folder), page(&folder));
    assert_eq!((&summary["state"], &summary["run"]), (&"failed".into(), &manifest(&folder)["run"]));
    assert_eq!(summary["unreadable_lines"], 0);
    assert_eq!((&summary["counts"]["failed"], &summary["counts"]["traces"]), (&1.into(), &5.into()));
    assert_eq!(summary["counts"]["traces_foreseen"], 5);
    assert_eq!(summary["faults"][0]["consequence"], "passed_over");
    assert_eq!(summary["missing"][0]["path"], "steps[2]");
    assert!(page.contains("SIMULATED") && page.contains("&lt;b&gt;ring&lt;/b&gt;"));
    assert_eq!(page.matches("class=\"trace\"").count(), 5, "each trace has its picture");
    // Each trace is a link that works from the report's own place, with the checksum of the file.
    for trace in summary["traces"].as_array().unwrap() {
        let file = trace["file"].as_str().unwrap();
        assert!(page.contains(&format!("href=\"./{file}\"")) && folder.join(file).exists());
        assert_eq!(trace["sha256"].as_str().unwrap().len(), 64);
    }
    // The folder is as whole with the report as without.
    let verified = bench.run(&["runs", "verify", folder.to_str().unwrap()]);
    assert!(verified.status.success(), "{}", text(&verified.stdout));
}

#[test]
fn an_aborted_run_reports_what_it_did_not_reach() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    bench.write("night.yaml", &RECIPE.replace("WAIT", "wait: 600"));
    let mut run = watch(&bench, &["night.yaml", "--instrument", &simulator.address]);
    run.wait_for(|event| event["event"] == "progress" && event["activity"] == "wait");
    run.signal("TERM");
    let (_, stdout) = run.finish();
    let folder = bench.folder.path().join(stdout.lines().last().unwrap());
    let summary = summary(&folder);
    assert_eq!((&summary["state"], &summary["lasers"]), (&"aborted".into(), &"off".into()));
    assert_eq!((&summary["counts"]["cut_short"], &summary["counts"]["skipped"]), (&1.into(), &4.into()));
    assert!(summary["finish_command"].as_str().unwrap().starts_with("ctp10 resume "));
}

#[test]
fn a_killed_run_gets_its_report_on_demand_with_the_command_that_finishes_it() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    bench.write("night.yaml", &RECIPE.replace("WAIT", "wait: 600"));
    let mut run = watch(&bench, &["night.yaml", "--instrument", &simulator.address, "--out", "nights"]);
    run.wait_for(|event| event["event"] == "progress" && event["activity"] == "wait");
    run.signal("KILL");
    run.finish();
    let listed = bench.run(&["runs", "--json", "--out", "nights"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let id = listed["runs"][0]["manifest"]["run"].as_str().unwrap();
    let written = bench.run(&["runs", "report", id, "--out", "nights"]);
    assert!(written.status.success(), "{}", text(&written.stderr));
    let report = bench.folder.path().join(text(&written.stdout).trim());
    let folder = report.parent().unwrap();
    let (summary, page) = (summary(folder), page(folder));
    let command = format!("ctp10 resume {}", folder.display());
    assert_eq!(
        (&summary["state"], &summary["finish_command"]),
        (&"interrupted".into(), &command.as_str().into())
    );
    assert!(page.contains(&command), "{page}");
    // One trace came; the four of the loop did not, and the lasers were left to themselves.
    assert_eq!(summary["counts"]["traces"], 1);
    let missing: u64 =
        summary["missing"].as_array().unwrap().iter().map(|place| place["traces"].as_u64().unwrap()).sum();
    assert_eq!(missing, 4);
    assert!(!summary["lasers_unknown"].as_array().unwrap().is_empty());
    let verified = bench.run(&["runs", "verify", id, "--out", "nights"]);
    assert!(verified.status.success(), "{}", text(&verified.stdout));
}

#[test]
fn a_trace_that_is_gone_does_not_keep_the_rest_from_being_reported() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    bench.write("night.yaml", &RECIPE.replace("WAIT", "log: on"));
    let folder = bench.run_folder(&bench.run(&["run", "night.yaml", "--instrument", &simulator.address]));
    let file = summary(&folder)["traces"][0]["file"].as_str().unwrap().to_owned();
    std::fs::remove_file(folder.join(file)).unwrap();
    assert!(bench.run(&["runs", "report", folder.to_str().unwrap()]).status.success());
    let page = page(&folder);
    assert_eq!((page.matches("class=\"trace\"").count(), page.matches("cannot be read").count()), (4, 1));
}
