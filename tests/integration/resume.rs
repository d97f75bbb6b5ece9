//! Runs that are killed, and go on as if nothing had happened.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use ctp10::measurement::TraceSummary;
use ctp10::step::TraceReader;
use ctp10::store::{open_trace, runs};

use crate::probe_station::Gate;
use crate::support::{Bench, Running, Talk, journal, manifest, said_by, simulate, text, until, watch};

/// Set to kill after every record and at many more moments.
const THOROUGH: &str = "CTP10_TEST_THOROUGH";

const MANY_STEPS: &str = "
name: many-steps
parameters: { top: { default: 2 } }
steps:
  - log: begin
  - configure_laser: { laser: 1, power_dbm: 3, wavelength_nm: 1550 }
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 5 }
  - configure_scan: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
  - create_reference: { detector: 4/1 }
  - create_reference: { detector: 4/2, max_age_min: 60 }
  - repeat:
      for: power
      in: [-5, 0, \"${top}\"]
      steps:
        - configure_tls: { tls: 1, power_dbm: \"${power}\" }
        - sweep:
        - fetch_trace: { detector: 4/1, traces: [tf, raw], id: one, name: \"at${power}\" }
        - log: \"lowest ${steps.one.traces[0].min.value}\"
        - fetch_trace: { detector: 4/2, trace: tf }
        - configure_laser: { laser: 1, output: true }
        - read_power: { detectors: [4/3], samples: 2, interval_s: 0.01, name: \"p${power}\", id: p }
        - if: { condition: \"${steps.p.readings[0].value > -100}\", then: [ { log: bright } ], else: [ { log: dark } ] }
        - set: { last: \"${steps.p.readings[1].value}\" }
        - wait: 0.01
  - scpi: { command: \"NO:SUCH\", effect: configure, on_error: continue, id: no }
  - log: \"refused ${steps.no.failed}\"
  - scpi: { query: \"*IDN?\" }
  - fetch_trace: { detector: 4/1, trace: reference }
finally:
  - configure_laser: { laser: 1, output: false }
  - log: the end
";

const SCRIPT: &str = "
recipe(#{ name: \"script\" });
let begun = now();
configure_tls(#{ tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 5 });
configure_scan(#{ start_nm: 1540, stop_nm: 1541, resolution_pm: 10 });
create_reference(#{ detector: \"4/1\" });
try { scpi(#{ command: \"NO:SUCH:THING\" }); } catch (fault) { log(`caught ${fault.kind}`); }
let start = 1540;
for turn in 0..3 {
    sweep(#{ start_nm: start, stop_nm: start + 1 });
    let trace = fetch_trace(#{ detector: \"4/1\", trace: \"raw\" });
    // Read from the file, which a resumed run has from its past.
    let middle = trace.slice(start + 0.25, start + 0.75).max_nm();
    if now() < begun { throw \"the clock goes backwards\"; }
    log(`highest at ${middle}, ${trace.at(middle)} dB`);
    if middle > start + 0.5 { start += 1; } else { start += 2; }
    configure_laser(#{ laser: 1, output: true, wavelength_nm: middle });
    let power = read_power(#{ detector: \"4/3\" });
    log(`power ${power > -100}`);
}
";

fn instrument(bench: &Bench) -> Running {
    simulate(bench, &["--noise", "by-settings", "--time-scale", "0.01"])
}

fn is_thorough() -> bool {
    std::env::var_os(THOROUGH).is_some()
}

/// What a trace is, beside the circumstances of its run.
#[derive(Debug, PartialEq)]
pub(crate) struct Measured {
    sweep_index: u64,
    name: String,
    values: Vec<u32>,
}

pub(crate) fn measured(folder: &Path) -> BTreeMap<String, Measured> {
    let traces: Vec<TraceSummary> = runs::traces(folder).unwrap().map(Result::unwrap).collect();
    let count = traces.len();
    let all: BTreeMap<_, _> = traces
        .into_iter()
        .map(|trace| {
            let mut values = Vec::new();
            let file = open_trace(folder, &trace).unwrap();
            file.read(0..trace.grid.points, &mut |_, piece| values.extend(piece.iter().map(|v| v.to_bits())))
                .unwrap();
            assert_eq!(values.len() as u64, trace.grid.points);
            (trace.file, Measured { sweep_index: trace.sweep_index, name: trace.name, values })
        })
        .collect();
    assert_eq!(all.len(), count, "a trace is there twice");
    all
}

/// Messages of the recipe's `log` steps outside `finally`, as they hold at the end.
fn logged(folder: &Path) -> Vec<String> {
    let records = journal(folder);
    let logs = records.iter().filter(|record| record["event"] == "log");
    let mut messages: Vec<String> = logs.map(|log| log["message"].as_str().unwrap().to_owned()).collect();
    messages.sort();
    messages.dedup();
    messages
}

fn resume(bench: &Bench, folder: &Path, more: &[&str]) -> Output {
    bench.run(&[&["resume", folder.to_str().unwrap()], more].concat())
}

/// The newest run folder.
fn newest(bench: &Bench) -> Option<PathBuf> {
    let changed = |path: &PathBuf| std::fs::metadata(path.join("run.json")).and_then(|data| data.modified());
    bench.run_folders().into_iter().max_by_key(|path| changed(path).unwrap())
}

struct Whole {
    measured: BTreeMap<String, Measured>,
    said: Vec<String>,
    records: u64,
    readings: u64,
}

fn whole(bench: &Bench, recipe: &str, address: &str, code: i32) -> Whole {
    let output = bench.run(&["run", recipe, "--instrument", address]);
    assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
    let folder = bench.run_folder(&output);
    let records = journal(&folder);
    let last = records.last().unwrap()["n"].as_u64().unwrap();
    Whole { measured: measured(&folder), said: logged(&folder), records: last, readings: readings(&folder) }
}

pub(crate) fn readings(folder: &Path) -> u64 {
    let records = journal(folder);
    let stored = records.iter().filter(|record| record["event"] == "power_stored");
    stored.map(|record| record["rows"].as_u64().unwrap()).sum()
}

/// The run goes on until its end, and is then what it would have been.
fn goes_on(bench: &Bench, folder: &Path, whole: &Whole, address: &str, code: i32, when: &str) {
    let before = journal_text(folder);
    let output = resume(bench, folder, &["--unfinished", "again"]);
    let told = format!("{when} {}\n{before}\n---\n{}", folder.display(), text(&output.stderr));
    assert_eq!(output.status.code(), Some(code), "{told}");
    let after = measured(folder);
    assert_eq!(after.keys().collect::<Vec<_>>(), whole.measured.keys().collect::<Vec<_>>(), "{told}");
    for (file, trace) in &whole.measured {
        assert!(after[file] == *trace, "{file} is another {told}");
    }
    assert_eq!(logged(folder), whole.said, "{told}");
    assert!(readings(folder) >= whole.readings, "readings were lost {told}");
    let verified = bench.run(&["runs", "verify", folder.to_str().unwrap()]);
    assert!(verified.status.success(), "{} {told}", text(&verified.stdout));
    let numbers: Vec<u64> = journal(folder).iter().map(|record| record["n"].as_u64().unwrap()).collect();
    assert!(numbers.iter().zip(1..).all(|(n, expected)| *n == expected), "{numbers:?} {told}");
    if address != "sim" {
        assert_eq!(Talk::to(address).ask("STAT:OPER:COND?;:CTP:RLAS1:POW:STAT?"), "0;0", "{told}");
    }
}

fn journal_text(folder: &Path) -> String {
    let text = std::fs::read_to_string(folder.join("journal.jsonl")).unwrap_or_default();
    text.lines().map(|line| line.chars().take(200).collect::<String>() + "\n").collect()
}

/// Runs that are killed very often need no guard each time, which turns off what the run that goes on turns off too.
fn unguarded(bench: &Bench) {
    bench.write("ctp10.toml", "guard_after_s = 0\n");
}

fn killed_after_each_record(recipe: &str, body: &str, code: i32, every: u64) {
    let bench = Bench::new();
    let simulator = instrument(&bench);
    killed_after_each_record_at(&bench, &simulator.address, recipe, body, code, every);
}

fn killed_after_each_record_at(
    bench: &Bench,
    address: &str,
    recipe: &str,
    body: &str,
    code: i32,
    every: u64,
) {
    unguarded(bench);
    bench.write(recipe, body);
    let whole = whole(bench, recipe, address, code);
    let step = if is_thorough() { 1 } else { every };
    let mut interrupted = 0;
    for n in (1..whole.records).step_by(usize::try_from(step).unwrap()) {
        let mut run = watch(bench, &[recipe, "--instrument", address]);
        run.wait_for(|event| event["n"].as_u64().is_some_and(|seen| seen >= n));
        run.signal("KILL");
        run.finish();
        let folder = newest(bench).unwrap();
        // Towards its end a run may be quicker than the signal.
        if manifest(&folder)["status"] == "running" {
            interrupted += 1;
            goes_on(bench, &folder, &whole, address, code, &format!("killed after {n}:"));
        }
    }
    assert!(interrupted > 0, "every run had ended before it was killed");
}

#[test]
fn a_recipe_that_is_killed_after_any_record_goes_on_and_measures_the_same() {
    // The refused command that it passes over makes it a failed run.
    killed_after_each_record("many.yaml", MANY_STEPS, 1, 9);
}

#[test]
fn on_the_embedded_instrument_which_dies_with_the_process_it_is_the_same() {
    let sim = "\nsimulator: { noise: by-settings, time_scale: 0.01 }\nsteps:";
    let body = MANY_STEPS.replacen("\nsteps:", sim, 1);
    killed_after_each_record_at(&Bench::new(), "sim", "many.yaml", &body, 1, 25);
}

#[test]
fn a_script_that_is_killed_after_any_record_goes_on_and_measures_the_same() {
    killed_after_each_record("script.rhai", SCRIPT, 0, 7);
}

#[test]
fn a_run_that_is_killed_at_any_moment_and_again_while_it_goes_on_measures_the_same() {
    let bench = Bench::new();
    let simulator = instrument(&bench);
    unguarded(&bench);
    bench.write("many.yaml", MANY_STEPS);
    let began = std::time::Instant::now();
    let whole = whole(&bench, "many.yaml", &simulator.address, 1);
    let took = began.elapsed();
    let kills = if is_thorough() { 500 } else { 4 };
    // Moments spread evenly, in an order that looks random: each run is killed at another one.
    let moment = |kill: u32| took.mul_f64(f64::from(kill * 7919 % 1009) / 1009.0) + Duration::from_millis(20);
    let mut interrupted = 0;
    for kill in 1..=kills {
        let kill_after = |arguments: &[&str], time: Duration| {
            let mut child =
                bench.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
            std::thread::sleep(time);
            child.kill().unwrap();
            child.wait().unwrap();
        };
        kill_after(&["run", "many.yaml", "--instrument", &simulator.address], moment(kill));
        let Some(folder) = newest(&bench) else { continue };
        for again in 0..kill % 3 {
            if manifest(&folder)["status"] == "running" {
                kill_after(
                    &["resume", folder.to_str().unwrap(), "--unfinished", "again"],
                    moment(kill * 31 + again),
                );
            }
        }
        if manifest(&folder)["status"] == "running" {
            interrupted += 1;
            goes_on(&bench, &folder, &whole, &simulator.address, 1, &format!("kill {kill}:"));
        }
    }
    assert!(interrupted > 0, "every run had ended before it was killed");
}

/// Two sweeps with two fetches each.
const TWO_SWEEPS: &str = "
name: two-sweeps
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 5 }
  - configure_scan: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
  - create_reference: { detector: 4/1 }
  - repeat:
      for: power
      in: [5, 0]
      steps:
        - configure_tls: { tls: 1, power_dbm: \"${power}\" }
        - sweep:
        - fetch_trace: { detector: 4/1, trace: tf }
        - log: between
        - fetch_trace: { detector: 4/2, trace: raw }
        - log: behind
";

/// A sweep of 10 nm.
const LONG_SWEEP: &str = "
name: long
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 5 }
  - sweep: { start_nm: 1540, stop_nm: 1550, resolution_pm: 100 }
  - fetch_trace: { detector: 4/1, trace: raw }
";

/// The recipe with a gate behind each step that has this text.
fn with_gate(body: &str, step: &str, gate: &Gate) -> String {
    let line = body.lines().find(|line| line.contains(step)).unwrap();
    let indent = &line[..line.find('-').unwrap()];
    body.replace(&format!("{line}\n"), &format!("{line}\n{indent}- {}\n", gate.step()))
}

fn is_log(event: &serde_json::Value, message: &str) -> bool {
    event["event"] == "log" && event["message"] == message
}

/// A run of this recipe that was killed when an event came that fits.
fn killed(
    bench: &Bench,
    body: &str,
    simulator: &Running,
    fits: impl Fn(&serde_json::Value) -> bool,
) -> PathBuf {
    bench.write("killed.yaml", body);
    let mut run = watch(bench, &["killed.yaml", "--instrument", &simulator.address]);
    run.wait_for(fits);
    run.signal("KILL");
    run.finish();
    let folder = newest(bench).unwrap();
    assert_eq!(manifest(&folder)["status"], "running", "the run had ended before it was killed");
    folder
}

/// A run of this recipe that was killed at the gate, after this many requests to it. The gate is open afterwards.
fn killed_at(bench: &Bench, body: &str, simulator: &Running, gate: &Gate, requests: usize) -> PathBuf {
    bench.write("killed.yaml", body);
    let run = watch(bench, &["killed.yaml", "--instrument", &simulator.address]);
    gate.wait_for(requests);
    run.signal("KILL");
    run.finish();
    gate.open();
    let folder = newest(bench).unwrap();
    assert_eq!(manifest(&folder)["status"], "running");
    folder
}

fn attempts(folder: &Path) -> Vec<(u64, u64, u32)> {
    let traces = runs::traces(folder).unwrap().map(Result::unwrap);
    let mut all: Vec<_> = traces.map(|trace| (trace.trace_index, trace.sweep_index, trace.attempt)).collect();
    all.sort_unstable();
    all
}

#[test]
fn a_sweep_without_all_of_its_fetches_is_done_again_and_its_traces_say_so() {
    let bench = Bench::new();
    let simulator = instrument(&bench);
    let gate = Gate::new(&bench, 1);
    let folder = killed_at(&bench, &with_gate(TWO_SWEEPS, "log: between", &gate), &simulator, &gate, 2);
    assert_eq!(attempts(&folder), [(1, 1, 1), (2, 1, 1), (3, 2, 1)]);
    let output = resume(&bench, &folder, &[]);
    assert!(output.status.success(), "{}", said_by(&output));
    assert_eq!(attempts(&folder), [(1, 1, 1), (2, 1, 1), (3, 2, 2), (4, 2, 2)]);
    let records = journal(&folder);
    let withdrawn = records.iter().find(|record| record["event"] == "trace_withdrawn").unwrap();
    assert_eq!(withdrawn["file"], "traces/0003_m4c1_tf.parquet");
    let shown = text(&bench.run(&["runs", "show", folder.to_str().unwrap()]).stdout);
    assert!(shown.contains("resumed     once"), "{shown}");
    assert_eq!(manifest(&folder)["taken_up"], 1);
    let again = resume(&bench, &folder, &[]);
    assert_eq!(again.status.code(), Some(2));
    assert!(said_by(&again).contains("is done: nothing is left to do"), "{}", said_by(&again));
}

#[test]
fn a_scan_that_a_killed_process_has_left_is_ended_or_waited_for_when_the_run_goes_on() {
    let bench = Bench::new();
    // The scan takes about a second, and its analysis too: long enough to be met on a busy computer.
    let simulator = simulate(&bench, &["--time-scale", "5"]);
    unguarded(&bench);
    bench.write("long.yaml", LONG_SWEEP);
    let mut talk = Talk::to(&simulator.address);
    for (phase, bit) in [("scanning", 4), ("analyzing", 8)] {
        let run = watch(&bench, &["long.yaml", "--instrument", &simulator.address]);
        until(phase, || talk.ask("STAT:OPER:COND?").parse::<u16>().unwrap() & 12 == bit);
        run.signal("KILL");
        run.finish();
        let folder = newest(&bench).unwrap();
        let output = resume(&bench, &folder, &[]);
        assert!(output.status.success(), "{phase}: {}", said_by(&output));
        assert_eq!(measured(&folder).len(), 1, "{phase}");
    }
}

#[test]
fn the_plan_of_what_is_left_touches_neither_folder_nor_instrument() {
    let bench = Bench::new();
    unguarded(&bench);
    let gate = Gate::new(&bench, 0);
    let simulator = instrument(&bench);
    let folder = killed_at(&bench, &with_gate(TWO_SWEEPS, "log: between", &gate), &simulator, &gate, 1);
    drop(simulator);
    let before = std::fs::read(folder.join("journal.jsonl")).unwrap();
    let output = resume(&bench, &folder, &["--plan"]);
    assert!(output.status.success(), "{}", said_by(&output));
    let said = text(&output.stdout);
    for part in
        ["two-sweeps  interrupted", "kept: ", "2 configure_tls, 1 configure_scan", "remaining:", "sweep"]
    {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert_eq!(std::fs::read(folder.join("journal.jsonl")).unwrap(), before);
    let output = resume(&bench, &folder, &[]);
    assert_eq!(output.status.code(), Some(3), "{}", said_by(&output));
    assert_eq!(std::fs::read(folder.join("journal.jsonl")).unwrap(), before);
}

#[test]
fn a_run_goes_on_with_its_own_instrument_its_own_recipe_and_never_beside_its_process() {
    let bench = Bench::new();
    let simulator = instrument(&bench);
    let refused = |folder: &Path, code: i32, part: &str| {
        let output = resume(&bench, folder, &[]);
        assert_eq!(output.status.code(), Some(code), "{}", said_by(&output));
        assert!(said_by(&output).contains(part), "no {part:?} in {}", said_by(&output));
    };
    bench.write("part.rhai", "log(\"first\"); log(\"second\"); wait(30);");
    let body = "name: parts\nsteps:\n  - script: part.rhai\n";
    let folder = killed(&bench, body, &simulator, |event| is_log(event, "second"));
    let part = folder.join("recipe/part.rhai");
    let whole = std::fs::read_to_string(&part).unwrap();
    std::fs::write(&part, whole.replace("first", "other")).unwrap();
    refused(&folder, 1, "part.rhai` has changed: it is not the recipe that run");
    // A run of an earlier version has no hash of what its recipe includes.
    let kept = std::fs::read_to_string(folder.join("run.json")).unwrap();
    let mut without: serde_json::Value = serde_json::from_str(&kept).unwrap();
    without["recipe"].as_object_mut().unwrap().remove("source_sha256").unwrap();
    std::fs::write(folder.join("run.json"), without.to_string()).unwrap();
    refused(&folder, 1, "expected `log { message: first }`");
    refused(&folder, 1, "got `log { message: other }`");
    std::fs::write(folder.join("run.json"), kept).unwrap();
    std::fs::write(&part, whole).unwrap();
    let recipe = folder.join("recipe/killed.yaml");
    std::fs::write(&recipe, format!("{body}  - log: more\n")).unwrap();
    refused(&folder, 1, "killed.yaml` has changed: it is not the recipe that run");
    std::fs::write(&recipe, body).unwrap();
    let run = folder.join("run.json");
    let text = std::fs::read_to_string(&run).unwrap();
    let identity = manifest(&folder)["instrument"]["identity"].as_str().unwrap().to_owned();
    std::fs::write(&run, text.replace(&identity, "EXFO,CTP10,1,2")).unwrap();
    refused(&folder, 3, "the run started with `EXFO,CTP10,1,2`");
    std::fs::write(&run, text.replace("\"simulated\": true", "\"simulated\": false")).unwrap();
    refused(&folder, 3, "the run started with `a real instrument`");
    std::fs::write(&run, text).unwrap();
    bench.write("waits.yaml", "name: waits\nsteps:\n  - wait: 600\n");
    let mut alive = watch(&bench, &["waits.yaml", "--instrument", &simulator.address]);
    alive.wait_for(|event| event["event"] == "step_started");
    refused(&newest(&bench).unwrap(), 2, "is active");
    alive.signal("KILL");
    alive.finish();
}

#[test]
fn what_may_not_be_repeated_by_itself_is_asked_about_and_done_as_it_is_said() {
    for (word, times) in [("done", 0), ("again", 1)] {
        let bench = Bench::new();
        // The step cannot end before its process is killed.
        let simulator = simulate(&bench, &["--fault", "late@laser=600", "--log", "commands.log"]);
        let body = "name: moves\nsteps:\n  - scpi: { command: \"CTP:RLAS1:POW 4DBM\" }\n  - log: moved\n";
        let log = || std::fs::read_to_string(bench.folder.path().join("commands.log")).unwrap();
        let folder = killed(&bench, body, &simulator, |event| {
            let started = event["event"] == "step_started";
            if started {
                until("the command has been received", || log().contains("! late@"));
            }
            started
        });
        let output = resume(&bench, &folder, &[]);
        assert_eq!(output.status.code(), Some(1));
        let said = said_by(&output);
        assert!(said.contains("cannot know whether it finished"), "{said}");
        assert!(said.contains("killed.yaml:3:5"), "{said}");
        let sent = || log().matches("CTP:RLAS1:POW 4DBM").count();
        let before = sent();
        let output = resume(&bench, &folder, &["--unfinished", word]);
        assert!(output.status.success(), "{}", said_by(&output));
        assert_eq!(sent() - before, times);
    }
}

#[test]
fn what_was_done_between_a_sweep_and_its_fetch_and_may_not_be_repeated_is_not_repeated_with_them() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.01", "--log", "commands.log"]);
    let gate = Gate::new(&bench, 0);
    let moved = "- scpi: { command: \"CTP:RLAS2:POW 4DBM\" }\n        - log: between";
    let body = with_gate(&TWO_SWEEPS.replace("- log: between", moved), "log: between", &gate);
    let folder = killed_at(&bench, &body, &simulator, &gate, 1);
    let output = resume(&bench, &folder, &[]);
    assert!(output.status.success(), "{}", said_by(&output));
    let log = std::fs::read_to_string(bench.folder.path().join("commands.log")).unwrap();
    assert_eq!(log.matches("CTP:RLAS2:POW 4DBM").count(), 2, "{log}");
    assert_eq!(attempts(&folder).len(), 4);
}

#[test]
fn a_torn_journal_is_mended_and_files_that_nobody_recorded_go_aside() {
    let bench = Bench::new();
    let simulator = instrument(&bench);
    let gate = Gate::new(&bench, 0);
    let folder = killed_at(&bench, &with_gate(TWO_SWEEPS, "log: behind", &gate), &simulator, &gate, 1);
    let mut torn = std::fs::read(folder.join("journal.jsonl")).unwrap();
    torn.extend(b"{\"n\":99,\"ti");
    std::fs::write(folder.join("journal.jsonl"), torn).unwrap();
    let known = folder.join("traces/0001_m4c1_tf.parquet");
    std::fs::copy(&known, folder.join("traces/0099_m4c1_tf.parquet")).unwrap();
    std::fs::copy(&known, folder.join("traces/.0003_m4c1_tf.parquet.part")).unwrap();
    let output = resume(&bench, &folder, &[]);
    assert!(output.status.success(), "{}", said_by(&output));
    let said = said_by(&output);
    assert!(
        said.contains("`traces/0099_m4c1_tf.parquet` is not in the journal of this run: it was moved to"),
        "{said}"
    );
    let copies = ["aside/0099_m4c1_tf.parquet", "aside/0003_m4c1_tf.parquet"];
    assert!(copies.iter().all(|copy| folder.join(copy).exists()), "{said}");
    assert_eq!(attempts(&folder).len(), 4);
    let verified = bench.run(&["runs", "verify", folder.to_str().unwrap()]);
    assert!(verified.status.success(), "{}", text(&verified.stdout));
}

#[test]
fn the_embedded_instrument_comes_back_as_it_was_with_its_reference() {
    let bench = Bench::new();
    let simulator = instrument(&bench);
    let embedded = "\ninstrument: sim\nsimulator: { noise: by-settings, time_scale: 0.01 }\nsteps:";
    bench.write("whole.yaml", TWO_SWEEPS);
    let whole = whole(&bench, "whole.yaml", &simulator.address, 0);
    let gate = Gate::new(&bench, 1);
    let body = with_gate(TWO_SWEEPS, "log: between", &gate).replacen("\nsteps:", embedded, 1);
    bench.write("sim.yaml", &body);
    let run = watch(&bench, &["sim.yaml"]);
    gate.wait_for(2);
    run.signal("KILL");
    run.finish();
    gate.open();
    let folder = newest(&bench).unwrap();
    let output = resume(&bench, &folder, &[]);
    assert!(output.status.success(), "{}", said_by(&output));
    assert_eq!(measured(&folder), whole.measured);
    assert!(said_by(&output).contains("the instrument has lost the reference of 4/1: it is taken again"));
}

#[test]
fn a_failed_and_a_stopped_run_go_on_where_they_ended() {
    let bench = Bench::new();
    let simulator =
        simulate(&bench, &["--noise", "by-settings", "--time-scale", "0.01", "--fault", "refuse@sweep:2"]);
    bench.write("fails.yaml", TWO_SWEEPS);
    let output = bench.run(&["run", "fails.yaml", "--instrument", &simulator.address]);
    assert_eq!(output.status.code(), Some(1), "{}", said_by(&output));
    let folder = bench.run_folder(&output);
    let output = resume(&bench, &folder, &[]);
    assert!(output.status.success(), "{}", said_by(&output));
    assert_eq!(attempts(&folder), [(1, 1, 1), (2, 1, 1), (3, 2, 2), (4, 2, 2)]);

    let gate = Gate::new(&bench, 0);
    let body = "name: waits\nsteps:\n  - log: before\n  - log: after\nfinally:\n  - log: last\n";
    bench.write("waits.yaml", &with_gate(body, "log: before", &gate));
    let run = watch(&bench, &["waits.yaml", "--instrument", &simulator.address]);
    gate.wait_for(1);
    run.signal("INT");
    run.finish();
    gate.open();
    let folder = newest(&bench).unwrap();
    assert_eq!(manifest(&folder)["status"], "aborted");
    let output = resume(&bench, &folder, &[]);
    assert!(output.status.success(), "{}", said_by(&output));
    let said: Vec<_> =
        journal(&folder).iter().filter_map(|record| record["message"].as_str().map(str::to_owned)).collect();
    assert_eq!(said, ["before", "last", "after", "last"]);
}

#[test]
fn a_moment_that_was_waited_for_is_over_when_it_has_passed() {
    let bench = Bench::new();
    let simulator = instrument(&bench);
    let later = chrono::Local::now() + chrono::TimeDelta::hours(2);
    let body =
        format!("name: waits\nsteps:\n  - wait: {{ at: \"{}\" }}\n  - log: over\n", later.format("%H:%M"));
    let folder = killed(&bench, &body, &simulator, |event| event["event"] == "waits_until");
    // The same run, if it had been killed hours ago.
    let text = std::fs::read_to_string(folder.join("journal.jsonl")).unwrap();
    let until = journal(&folder).last().unwrap()["until"].as_str().unwrap().to_owned();
    assert!(text.contains(&until));
    std::fs::write(folder.join("journal.jsonl"), text.replace(&until, "2026-01-01T00:00:00Z")).unwrap();
    let output = resume(&bench, &folder, &[]);
    assert!(output.status.success(), "{}", said_by(&output));
}

#[test]
fn a_reference_that_ended_the_run_is_taken_when_it_goes_on() {
    let bench = Bench::new();
    bench.write("ctp10.toml", "[deadlines]\nscan_s = 3\n");
    let simulator = simulate(&bench, &["--time-scale", "0.01", "--fault", "hang@reference"]);
    bench.write("two.yaml", TWO_SWEEPS);
    let output = bench.run(&["run", "two.yaml", "--instrument", &simulator.address]);
    assert_eq!(output.status.code(), Some(1), "{}", said_by(&output));
    let folder = bench.run_folder(&output);
    assert!(manifest(&folder)["reason"].as_str().unwrap().contains("was not finished after"));
    let output = resume(&bench, &folder, &[]);
    assert!(output.status.success(), "{}", said_by(&output));
    assert_eq!(attempts(&folder).len(), 4);
}

#[test]
fn a_recipe_that_goes_on_has_the_times_that_it_had_before_it_was_killed() {
    let bench = Bench::new();
    let recipe = "name: times\ninstrument: sim\nsteps:\n  - set: { begun: \"${now()}\", turn: 0 }\n  - repeat:\n      until: turn >= 3 || now() > begun + 3600\n      steps:\n        - set: { turn: \"${turn + 1}\" }\n        - log: \"turn ${turn} of ${begun}, day ${next_time(\\\"06:00\\\") > begun}\"\n        - wait: 0.5\n";
    bench.write("times.yaml", recipe);
    let mut run = watch(&bench, &["times.yaml"]);
    run.wait_for(|event| event["event"] == "log");
    run.signal("KILL");
    run.finish();
    let folder = bench.only_run();
    let before = logged(&folder);
    let output = resume(&bench, &folder, &["--unfinished", "again"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let after = logged(&folder);
    assert_eq!((after.len(), &after[0]), (3, &before[0]), "the time of the beginning has changed");
    let begun = |message: &String| message.split(" of ").nth(1).unwrap().to_owned();
    assert!(after.iter().all(|message| begun(message) == begun(&after[0])), "{after:?}");
    assert!(after.iter().all(|message| message.ends_with("day true")), "{after:?}");
}
