//! Folders that are shared, or that cannot be written any more.

use serde_json::Value;

use crate::goes_on::series;
use crate::probe_station::Gate;
use crate::support::{Bench, Talk, journal, manifest, simulate, text, watch};

#[test]
fn two_runners_share_a_folder_of_runs_and_a_catalogue() {
    let bench = Bench::new();
    let gate = Gate::new(&bench, 0);
    bench.write("series.yaml", &series(5, &gate));
    let simulators = [(); 2].map(|()| simulate(&bench, &["--time-scale", "0.02"]));
    let both: Vec<_> = simulators
        .iter()
        .map(|simulator| watch(&bench, &["series.yaml", "--instrument", &simulator.address]))
        .collect();
    // Both are in the middle at the same time.
    gate.wait_for(2);
    gate.open();
    for run in both {
        let (code, stdout) = run.finish();
        assert_eq!(code, Some(0), "{stdout}");
    }
    let listed = bench.run(&["runs", "list", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    let text = listed.to_string();
    assert_eq!(text.matches("\"status\":\"done\"").count(), 2, "{text}");
    let catalogue = ctp10::catalogue::Catalogue::open(&bench.folder.path().join("runs")).unwrap();
    let rows = catalogue.runs().unwrap();
    assert!(
        rows.len() == 2 && rows.iter().all(|row| row.status == "done" && row.traces == Some(5)),
        "{rows:?}"
    );
}

#[test]
fn a_folder_that_takes_no_more_files_ends_the_run_cleanly_with_its_lasers_off() {
    let bench = Bench::new();
    let gate = Gate::new(&bench, 0);
    bench.write("series.yaml", &series(5, &gate));
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let run = watch(&bench, &["series.yaml", "--instrument", &simulator.address]);
    gate.wait_for(1);
    let folder = bench.only_run();
    // Whoever is root may write anywhere: what is no folder takes no file from anybody.
    std::fs::rename(folder.join("traces"), folder.join("kept")).unwrap();
    std::fs::write(folder.join("traces"), "").unwrap();
    gate.open();
    let (code, _) = run.finish();
    assert_eq!(code, Some(1));
    let manifest = manifest(&folder);
    assert_eq!(manifest["status"], "failed");
    let reason = manifest["reason"].as_str().unwrap();
    assert!(reason.contains("traces"), "{reason}");
    assert_eq!(Talk::to(&simulator.address).ask("CTP:RLAS1:POW:STAT?"), "0");
    // With the folder back, what was stored is whole.
    std::fs::remove_file(folder.join("traces")).unwrap();
    std::fs::rename(folder.join("kept"), folder.join("traces")).unwrap();
    let verified = bench.run(&["runs", "verify", folder.to_str().unwrap()]);
    assert!(verified.status.success(), "{}", text(&verified.stdout));
    assert!(journal(&folder).iter().any(|record| record["event"] == "trace_stored"));
}
