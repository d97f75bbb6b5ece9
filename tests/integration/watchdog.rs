//! Lasers go off whatever becomes of the process that lit them.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::probe_station::Gate;
use crate::support::{Bench, Running, Watched, manifest, simulate, text, until, until_some, watch};

/// A sweep that takes long after one that is over soon.
const LONG: &str = "
name: long
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 5, power_dbm: 0 }
  - sweep: { start_nm: 1520, stop_nm: 1620, resolution_pm: 10 }
  - fetch_trace: { detector: 4/1, trace: raw }
";

/// A light that is on while the run waits.
const LIT: &str = "
name: lit
steps:
  - configure_laser: { laser: 1, output: true }
  - wait: 600
  - configure_laser: { laser: 1, output: true }
";

fn begin(bench: &Bench, simulator: &Running, recipe: &str) -> (Watched, PathBuf) {
    bench.write("recipe.yaml", recipe);
    let mut run = watch(bench, &["recipe.yaml", "--instrument", &simulator.address]);
    let started = run.wait_for(|event| event["event"] == "started");
    let folder = bench.folder.path().join(started["folder"].as_str().unwrap());
    (run, folder)
}

/// The guards that a process has started and that are there.
fn guards_of(pid: u32) -> Vec<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let is_guard_of = |process: &Path| {
        let (stat, line) =
            (std::fs::read_to_string(process.join("stat")), std::fs::read(process.join("cmdline")));
        let (Ok(stat), Ok(line)) = (stat, line) else { return false };
        // After the name in brackets: the state, and the parent.
        let parent = stat.rsplit(')').next().unwrap_or_default().split_whitespace().nth(1).map(str::to_owned);
        parent == Some(pid.to_string()) && line.ends_with(b"\0guard\0")
    };
    processes
        .filter(|process| is_guard_of(&process.path()))
        .filter_map(|process| process.file_name().to_str()?.parse().ok())
        .collect()
}

/// What the guard left, once it has.
fn record(folder: &Path) -> Value {
    let path = folder.join("guard.jsonl");
    until_some("the guard has left its record", || {
        let text = std::fs::read_to_string(&path).ok()?;
        let (line, _) = text.split_once('\n').filter(|(_, more)| more.is_empty())?;
        Some(serde_json::from_str(line).unwrap())
    })
}

/// Where one client is all that is taken, the guard is one until it has gone: then it is asked again.
fn laser_and_condition(simulator: &Running) -> String {
    let ask = || {
        let mut stream = TcpStream::connect(&simulator.address).ok()?;
        stream.write_all(b"CTP:RLAS1:POW:STAT?;:STAT:OPER:COND?\r\n").ok()?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line).ok()?;
        Some(line.trim().to_owned()).filter(|reply| !reply.is_empty())
    };
    until_some("the instrument takes another client", ask)
}

#[test]
fn kill_9_during_a_sweep_leaves_no_laser_on_even_where_one_client_is_all_that_is_taken() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--max-connections", "1"]);
    let (mut run, folder) = begin(&bench, &simulator, LONG);
    run.wait_for(|event| event["event"] == "progress" && event["activity"] == "sweep");
    run.signal("KILL");
    let record = record(&folder);
    assert_eq!(run.finish().0, None);
    assert_eq!((&record["cause"], &record["killed"]), (&"gone".into(), &false.into()), "{record}");
    assert_eq!((&record["off"], &record["unknown"]), (&serde_json::json!([1]), &serde_json::json!([])));
    assert_eq!(record["aborted"], true);
    assert_eq!(laser_and_condition(&simulator), "0;0");
    let shown = text(&bench.run(&["runs", "show", folder.to_str().unwrap()]).stdout);
    assert!(
        shown.contains("interrupted") && shown.contains("the process of the run had ended; lasers off: 1"),
        "{shown}"
    );
}

#[test]
fn a_runner_that_hangs_is_ended_and_its_lasers_go_off_and_it_does_not_wake_up_to_go_on() {
    let bench = Bench::new();
    bench.write("ctp10.toml", "guard_after_s = 1\n");
    let simulator = simulate(&bench, &["--max-connections", "1", "--log", "commands.log"]);
    let (mut run, folder) = begin(&bench, &simulator, LIT);
    run.wait_for(|event| event["event"] == "progress" && event["activity"] == "wait");
    run.signal("STOP");
    until("the guard has set up its fence", || folder.join("fenced").exists());
    run.signal("CONT");
    let record = record(&folder);
    assert_eq!((&record["cause"], &record["off"]), (&"silent".into(), &serde_json::json!([1])), "{record}");
    // It was ended, or saw the fence first.
    assert!(run.finish().0.is_none_or(|code| code == 1));
    assert_eq!(laser_and_condition(&simulator), "0;0");
    let log = std::fs::read_to_string(bench.folder.path().join("commands.log")).unwrap();
    let last = log.lines().rev().find(|line| line.contains("POW:STAT O")).unwrap();
    assert!(last.contains("POW:STAT OFF"), "{last}");
}

#[test]
fn behind_the_fence_a_run_ends_without_another_word_to_the_instrument() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--log", "commands.log"]);
    let (mut run, folder) = begin(&bench, &simulator, LIT);
    run.wait_for(|event| event["event"] == "progress" && event["activity"] == "wait");
    std::fs::write(folder.join("fenced"), "").unwrap();
    let (code, _) = run.finish();
    assert_eq!(code, Some(1));
    let manifest = manifest(&folder);
    assert_eq!(manifest["status"], "failed");
    assert!(manifest["reason"].as_str().unwrap().contains("the watchdog has acted"), "{manifest}");
    // Without a goodbye the guard does what the fence announced.
    assert_eq!(record(&folder)["off"], serde_json::json!([1]));
    let log = std::fs::read_to_string(bench.folder.path().join("commands.log")).unwrap();
    assert_eq!(log.matches("POW:STAT ON").count(), 1, "{log}");
}

#[test]
fn a_second_ctrl_c_leaves_at_once_and_the_lasers_go_off_all_the_same() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    let recipe = format!("{LONG}finally:\n  - log: cleaning up\n  - wait: 600\n");
    let (mut run, folder) = begin(&bench, &simulator, &recipe);
    run.wait_for(|event| event["event"] == "progress" && event["activity"] == "sweep");
    run.signal("INT");
    run.wait_for(|event| event["event"] == "log" && event["message"] == "cleaning up");
    run.signal_until_it_ends("INT");
    assert_eq!(run.finish().0, Some(130));
    assert_eq!(record(&folder)["off"], serde_json::json!([1]));
    assert_eq!(laser_and_condition(&simulator), "0;0");
}

#[test]
fn a_run_that_ends_by_itself_takes_its_guard_along_and_lasers_that_are_to_stay_on_do() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    let gate = Gate::new(&bench, 0);
    let lights =
        "name: kept\nleave_lasers_on: true\nsteps:\n  - configure_laser: { laser: 1, output: true }\n";
    let (run, folder) = begin(&bench, &simulator, &format!("{lights}  - {}\n", gate.step()));
    gate.wait_for(1);
    let guards = guards_of(run.child.id());
    assert_eq!(guards.len(), 1);
    gate.open();
    assert_eq!(run.finish().0, Some(0));
    assert!(!Path::new(&format!("/proc/{}", guards[0])).exists());
    assert!(!folder.join("guard.jsonl").exists() && !folder.join("fenced").exists());
    assert!(laser_and_condition(&simulator).starts_with('1'));
}

#[test]
fn the_embedded_instrument_and_a_bench_that_wants_none_have_no_guard() {
    let bench = Bench::new();
    bench.write("ctp10.toml", "guard_after_s = 0\n");
    let simulator = simulate(&bench, &[]);
    let without = |address: &str| {
        bench.write("recipe.yaml", LIT);
        let mut run = watch(&bench, &["recipe.yaml", "--instrument", address]);
        run.wait_for(|event| event["event"] == "progress");
        assert!(guards_of(run.child.id()).is_empty());
        run.signal("TERM");
        assert_eq!(run.finish().0, Some(130));
    };
    without(&simulator.address);
    std::fs::remove_file(bench.folder.path().join("ctp10.toml")).unwrap();
    without("sim");
}

#[test]
fn a_run_that_waits_for_long_and_for_an_instrument_that_is_away_is_not_taken_for_one_that_hangs() {
    let bench = Bench::new();
    bench.write("ctp10.toml", "guard_after_s = 1\n");
    let away = ["--fault", "reboot@power:2=2.5", "--bandwidth", "4000", "--max-connections", "1"];
    let simulator = simulate(&bench, &away);
    let recipe = "
name: patient
steps:
  - configure_laser: { laser: 1, output: true }
  - read_power: { detector: 4/1, samples: 2, interval_s: 2.5 }
  - log: back
  - sweep: { start_nm: 1540, stop_nm: 1550, resolution_pm: 10 }
  - fetch_trace: { detector: 4/1, trace: raw }
  - log: fetched
";
    let (mut run, folder) = begin(&bench, &simulator, recipe);
    run.wait_for(|event| event["event"] == "link_regained");
    run.wait_for(|event| event["event"] == "log" && event["message"] == "fetched");
    assert_eq!(run.finish().0, Some(0));
    assert!(!folder.join("guard.jsonl").exists());
}

/// Two sweeps, of which the second takes a while.
const TWO: &str = "
name: two
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 0 }
  - sweep: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
  - fetch_trace: { detector: 4/1, trace: raw }
  - sweep: { start_nm: 1500, stop_nm: 1600, resolution_pm: 10 }
  - fetch_trace: { detector: 4/1, trace: raw }
";

#[test]
fn a_run_that_was_killed_is_taken_up_at_once_and_waits_for_the_guard_that_is_at_work() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--max-connections", "1"]);
    for again in 0..2 {
        let (mut run, folder) = begin(&bench, &simulator, TWO);
        run.wait_for(|event| event["event"] == "trace_stored");
        run.wait_for(|event| event["event"] == "progress" && event["activity"] == "sweep");
        run.signal("KILL");
        if again == 0 {
            run.finish();
        }
        until("the killed process has let go of its run", || {
            manifest(&folder)["status"] != "running"
                || std::fs::File::open(folder.join("lock")).unwrap().try_lock().is_ok()
        });
        let output = bench.run(&["resume", folder.to_str().unwrap()]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        assert_eq!(manifest(&folder)["traces"], 2);
        assert_eq!(laser_and_condition(&simulator), "0;0");
        // On a computer that is busy the run that goes on may be quicker than the guard: then the lasers are its own.
        let guarded = record(&folder);
        let in_use = guarded["trouble"].as_str().is_some_and(|trouble| trouble.contains("in use"));
        assert!(in_use || guarded["off"] == serde_json::json!([1]), "{guarded}");
    }
}
