//! A disk without room, and a folder that cannot be written.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::probe_station::Gate;
use crate::support::{
    Bench, Running, Talk, Watched, events, journal, manifest, simulate, text, watch, watch_command,
};

/// A name space of its own, in which `runs` is a small disk; what is on it at the end is copied to `kept`.
const SMALL_DISK: &str =
    "mount -t tmpfs -o $0 none runs && { \"$@\"; code=$?; cp -a runs/. kept/; exit $code; }";

const RECIPE: &str = "
name: full
steps:
  - configure_laser: { laser: 1, output: true }
  - sweep: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
  - fetch_trace: { detectors: [4/1, 4/2], trace: raw }
";

/// The recipe with a gate between its sweep and its fetch.
fn with_gate(gate: &Gate) -> String {
    RECIPE.replace("  - fetch", &format!("  - {}\n  - fetch", gate.step()))
}

/// Whether this system lets anybody have a disk of their own; without one there is nothing to fill.
fn has_small_disks() -> bool {
    let tried = Command::new("unshare").args(["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).status();
    let can = tried.is_ok_and(|status| status.success());
    if !can {
        eprintln!("skipped: no name spaces here");
    }
    can
}

fn on_small_disk(bench: &Bench, options: &str, arguments: &[&str]) -> Command {
    for folder in ["runs", "kept"] {
        std::fs::create_dir_all(bench.folder.path().join(folder)).unwrap();
    }
    let inner = bench.command(arguments);
    let mut command = Command::new("unshare");
    command.args(["-rm", "sh", "-c", SMALL_DISK, options]).arg(inner.get_program()).args(inner.get_args());
    command.current_dir(bench.folder.path());
    for (name, value) in inner.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

fn begin(bench: &Bench, simulator: &Running, recipe: &str) -> Watched {
    bench.write("full.yaml", recipe);
    let arguments = ["run", "--log-format", "json", "full.yaml", "--instrument", &simulator.address];
    watch_command(on_small_disk(bench, "size=8m", &arguments))
}

/// Takes all the room that there is on the disk of a run; gives the file that took it.
fn fill(bench: &Bench, run: &Watched) -> PathBuf {
    let inside = bench.folder.path().strip_prefix("/").unwrap();
    let disk = Path::new("/proc").join(run.child.id().to_string()).join("root").join(inside).join("runs");
    let path = disk.join("filler");
    let mut file = File::create(&path).unwrap();
    while file.write_all(&[1; 4096]).is_ok() {}
    path
}

/// The one run on the disk, as it was at the end.
fn kept(bench: &Bench) -> PathBuf {
    let mut entries = std::fs::read_dir(bench.folder.path().join("kept")).unwrap();
    entries.find_map(|entry| Some(entry.unwrap().path()).filter(|path| path.is_dir())).unwrap()
}

fn is_whole(bench: &Bench, folder: &Path, traces: u64) {
    let manifest = manifest(folder);
    assert_eq!((&manifest["status"], &manifest["traces"]), (&"done".into(), &traces.into()), "{manifest}");
    let verified = bench.run(&["runs", "verify", folder.to_str().unwrap()]);
    assert!(verified.status.success(), "{}", text(&verified.stdout));
    assert!(!folder.join(".reserve").exists());
}

#[test]
fn a_full_disk_holds_the_run_before_its_next_step_until_there_is_room() {
    if !has_small_disks() {
        return;
    }
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let gate = Gate::new(&bench, 0);
    let mut run = begin(&bench, &simulator, &with_gate(&gate));
    gate.wait_for(1);
    let filler = fill(&bench, &run);
    gate.open();
    let full = run.wait_for(|event| event["event"] == "disk_full");
    assert!(full["free_bytes"].as_u64().unwrap() < full["needed_bytes"].as_u64().unwrap(), "{full}");
    std::fs::remove_file(filler).unwrap();
    run.wait_for(|event| event["event"] == "room_again");
    assert_eq!(run.finish().0, Some(0));
    is_whole(&bench, &kept(&bench), 2);
}

#[test]
fn a_disk_that_fills_up_during_a_transfer_leaves_nothing_torn_and_the_trace_is_fetched_again() {
    if !has_small_disks() {
        return;
    }
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--bandwidth", "1000000", "--time-scale", "0.02"]);
    let recipe = RECIPE.replace("stop_nm: 1541, resolution_pm: 10", "stop_nm: 1550, resolution_pm: 0.05");
    let mut run = begin(&bench, &simulator, &recipe);
    run.wait_for(|event| event["event"] == "trace_stored");
    run.wait_for(|event| event["event"] == "progress" && event["activity"] == "transfer");
    let filler = fill(&bench, &run);
    run.wait_for(|event| event["event"] == "disk_full");
    std::fs::remove_file(filler).unwrap();
    run.wait_for(|event| event["event"] == "room_again");
    run.wait_for(|event| event["event"] == "trace_stored");
    assert_eq!(run.finish().0, Some(0));
    // What was stored before is not fetched again.
    is_whole(&bench, &kept(&bench), 2);
}

#[test]
fn a_disk_that_stays_full_ends_the_run_with_its_end_in_the_journal_and_the_lasers_off() {
    if !has_small_disks() {
        return;
    }
    let bench = Bench::new();
    bench.write("ctp10.toml", "disk_full_wait_s = 1\n");
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let gate = Gate::new(&bench, 0);
    let run = begin(&bench, &simulator, &with_gate(&gate));
    gate.wait_for(1);
    fill(&bench, &run);
    gate.open();
    assert_eq!(run.finish().0, Some(1));
    let folder = kept(&bench);
    let manifest = manifest(&folder);
    assert_eq!(manifest["status"], "failed");
    assert!(manifest["reason"].as_str().unwrap().contains("not enough disk space"), "{manifest}");
    assert_eq!(events(&journal(&folder)).last(), Some(&"finished"));
    assert_eq!(Talk::to(&simulator.address).ask("CTP:RLAS1:POW:STAT?"), "0");
}

#[test]
fn a_disk_that_cannot_be_written_is_named_before_any_light() {
    if !has_small_disks() {
        return;
    }
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--log", "commands.log"]);
    bench.write("full.yaml", RECIPE);
    let output = on_small_disk(&bench, "ro", &["run", "full.yaml", "--instrument", &simulator.address]);
    let output = { output }.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("cannot write `runs/"), "{}", text(&output.stderr));
    let log = std::fs::read_to_string(bench.folder.path().join("commands.log")).unwrap();
    assert!(!log.contains("POW:STAT ON"), "{log}");
}

#[test]
fn a_folder_that_is_removed_under_a_run_is_a_fault_and_the_lasers_go_off() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let gate = Gate::new(&bench, 0);
    bench.write("gone.yaml", &with_gate(&gate));
    let mut run = watch(&bench, &["gone.yaml", "--instrument", &simulator.address]);
    gate.wait_for(1);
    std::fs::remove_dir_all(bench.folder.path().join("runs")).unwrap();
    gate.open();
    let failed = run.wait_for(|event| event["event"] == "step_failed");
    assert!(failed["fault"]["message"].as_str().unwrap().contains("No such file"), "{failed}");
    assert_eq!(run.finish().0, Some(1));
    assert_eq!(Talk::to(&simulator.address).ask("CTP:RLAS1:POW:STAT?"), "0");
}
