//! A bad wire between the program and the instrument: nothing that was read out of step is stored, nothing waits for
//! ever, and what is good is kept.

use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use crate::proxy::{Proxy, Rule, Spoil, rule};
use crate::support::{Bench, Running, journal, manifest, simulate, text};

/// A bench, a simulated instrument that is quick, and a wire that spoils what it says.
struct Wire {
    bench: Bench,
    _simulator: Running,
    proxy: Proxy,
}

impl Wire {
    fn new(rules: &[Rule]) -> Self {
        Self::slow(rules, Duration::ZERO, "0.01")
    }

    fn slow(rules: &[Rule], latency: Duration, time_scale: &str) -> Self {
        let bench = Bench::new();
        let simulator = simulate(&bench, &["--time-scale", time_scale, "--noise", "by-settings"]);
        let proxy = Proxy::to(&simulator.address, rules, latency);
        bench.write("ctp10.toml", DEADLINES);
        Self { bench, _simulator: simulator, proxy }
    }

    fn run(&self, recipe: &str) -> Output {
        let name = if recipe.contains("recipe(#{") { "r.rhai" } else { "r.yaml" };
        self.bench.write(name, recipe);
        self.bench.run(&["run", name, "--instrument", &self.proxy.address, "--unattended"])
    }

    /// Runs a recipe; gives its folder and the state it ended in.
    fn ends(&self, recipe: &str) -> (PathBuf, String) {
        let output = self.run(recipe);
        let folder = self.bench.run_folder(&output);
        let state = manifest(&folder)["status"].as_str().unwrap().to_owned();
        assert_eq!(output.status.success(), state == "done", "{}", text(&output.stderr));
        // What is seen when the test fails.
        eprintln!("{}", text(&output.stderr));
        (folder, state)
    }
}

const DEADLINES: &str = "
[deadlines]
question_s = 2
command_s = 5
trace_start_s = 5
trace_gap_s = 2
scan_s = 5
reconnect_s = 20
";

/// Channel and value of every reading that is stored.
fn power(folder: &Path) -> Vec<(i32, Option<f64>)> {
    let Ok(files) = std::fs::read_dir(folder.join("power")) else { return Vec::new() };
    let mut files: Vec<PathBuf> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut rows = Vec::new();
    for file in files {
        let file = std::fs::File::open(file).unwrap();
        for batch in ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap() {
            let batch = batch.unwrap();
            let channels = batch.column_by_name("channel").unwrap().as_primitive::<Int32Type>().clone();
            let values = batch.column_by_name("value").unwrap().as_primitive::<Float64Type>().clone();
            rows.extend(channels.values().iter().copied().zip(values.iter()));
        }
    }
    rows
}

fn traces(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("traces")).map_or(0, Iterator::count)
}

/// What two detectors say, on a good wire.
fn truth() -> [(i32, Option<f64>); 2] {
    let wire = Wire::new(&[]);
    let (folder, state) = wire.ends(&both(""));
    assert_eq!(state, "done");
    let rows: [(i32, Option<f64>); 2] = power(&folder).try_into().unwrap();
    assert_ne!(rows[0].1, rows[1].1);
    rows
}

fn both(options: &str) -> String {
    format!(
        "name: both\nsteps:\n  - configure_laser: {{ laser: 1, power_dbm: 0, wavelength_nm: 1550, output: true }}\n  \
         - read_power: {{ detectors: [4/1, 4/2]{options} }}\n"
    )
}

const TWICE: [Spoil; 2] = [Spoil::Double, Spoil::DoubleBeforeNext];

#[test]
fn a_reply_that_comes_twice_fails_its_step_and_nothing_of_it_is_stored() {
    let truth = truth();
    // The units are asked too: their replies would be read as powers, and the other way round.
    let commands = [("CHAN1:POW?", 1), ("CHAN2:POW?", 1), ("UNIT:Y?", 1), ("UNIT:Y?", 2)];
    for (command, which) in commands {
        for spoil in TWICE {
            let about = format!("{spoil:?} {command} {which}");
            let rules = [rule(command, which, spoil)];
            let wire = Wire::new(&rules);
            let (folder, state) = wire.ends(&both(""));
            // A reply that is no answer to the question that it comes to is noticed before anything is read wrong.
            let rows = power(&folder);
            match state.as_str() {
                "failed" => assert_eq!(rows, [], "{about}"),
                _ => assert_eq!(rows, truth, "{about}"),
            }
            let is_told = matches!((command, &rules[0].spoil), ("CHAN1:POW?", Spoil::Double));
            assert!(state == "failed" || !is_told, "{about}");
            let wire = Wire::new(&rules);
            let (folder, state) = wire.ends(&both(", retry: { times: 1 }"));
            assert_eq!((state.as_str(), power(&folder)), ("done", truth.to_vec()), "{about}");
        }
    }
}

#[test]
fn quick_readings_in_a_loop_share_a_proof_a_second_and_are_measured_again_when_it_fails() {
    let truth = truth();
    let recipe = both("")
        .replace("  - read_power", "  - repeat:\n      times: 40\n      steps:\n        - read_power");
    let expected: Vec<_> = std::iter::repeat_n(truth, 40).flatten().collect();
    let wire = Wire::new(&[]);
    let (folder, state) = wire.ends(&recipe);
    assert_eq!((state.as_str(), power(&folder)), ("done", expected.clone()));
    // The proofs of the laser's settings and of the last readings, who is there, and one for each second that it lasted.
    let seconds = manifest_seconds(&folder);
    let proofs = wire.proxy.count("*IDN?");
    assert!(proofs <= 8 + seconds, "{proofs} in {seconds} s");
    for (command, which) in [("CHAN1:POW?", 1), ("CHAN2:POW?", 7), ("CHAN2:POW?", 40)] {
        for spoil in TWICE {
            let about = format!("{spoil:?} {command} {which}");
            let wire = Wire::new(&[rule(command, which, spoil)]);
            let (folder, state) = wire.ends(&recipe);
            assert_eq!((state.as_str(), power(&folder)), ("done", expected.clone()), "{about}");
            let told = journal(&folder);
            let finished = told.iter().filter(|event| event["event"] == "step_finished").count();
            assert_eq!(finished, 41, "{about}");
        }
    }
}

fn manifest_seconds(folder: &Path) -> usize {
    let at = |name: &str| {
        chrono::DateTime::parse_from_rfc3339(manifest(folder)[name].as_str().unwrap()).unwrap().timestamp()
    };
    usize::try_from(at("finished") - at("started")).unwrap() + 1
}

#[test]
fn each_reading_of_a_script_has_its_proof() {
    let script = "recipe(#{ name: \"s\" });\nfor turn in 0..10 { read_power(#{ detector: \"4/1\" }); }\n";
    let wire = Wire::new(&[]);
    let (folder, state) = wire.ends(script);
    assert_eq!((state.as_str(), power(&folder).len()), ("done", 10));
    assert!(wire.proxy.count("*IDN?") >= 10);
    let wire = Wire::new(&[rule("CHAN1:POW?", 3, Spoil::DoubleBeforeNext)]);
    let (folder, state) = wire.ends(script);
    assert_eq!((state.as_str(), power(&folder).len()), ("failed", 2));
}

const SWEEP: &str = "
name: sweep
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1600, speed_nm_s: 100, power_dbm: 0 }
  - sweep: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
  - fetch_trace: { detector: 4/1, trace: raw }
";

#[test]
fn a_trace_of_which_any_reply_comes_twice_is_never_stored() {
    for command in [":LENG?", ":DATA:STAR?", ":DATA:SAMP?", "TYPE11:DATA? "] {
        for spoil in TWICE {
            let about = format!("{spoil:?} {command}");
            let wire = Wire::new(&[rule(command, 1, spoil)]);
            let (folder, state) = wire.ends(SWEEP);
            assert_eq!((state.as_str(), traces(&folder)), ("failed", 0), "{about}");
        }
    }
}

/// The facts of the reference that the run has recorded, without those that differ from run to run.
fn reference(folder: &Path) -> serde_json::Value {
    let records = journal(folder);
    let mut record = records.iter().rfind(|record| record["event"] == "reference_taken").unwrap().clone();
    for name in ["n", "time", "elapsed_s", "id", "taken", "why"] {
        record.as_object_mut().unwrap().remove(name);
    }
    record
}

#[test]
fn a_reply_about_a_reference_that_comes_twice_is_asked_for_again_or_fails_its_step() {
    let recipe = SWEEP.replace("trace: raw", "trace: tf").replace("  - sweep:", REFERENCE);
    let wire = Wire::new(&[]);
    let (folder, state) = wire.ends(&recipe);
    assert_eq!((state.as_str(), traces(&folder)), ("done", 1));
    let truth = reference(&folder);
    let asked = wire.proxy.commands().iter().filter(|line| line.contains("RES?")).count();
    for which in 1..=asked {
        for spoil in TWICE {
            let about = format!("{spoil:?} RES?, number {which} of {asked}");
            let wire = Wire::new(&[rule("RES?", which, spoil)]);
            let (folder, state) = wire.ends(&recipe);
            // The last one belongs to the fetch.
            let expected = if which == asked { ("failed", 0) } else { ("done", 1) };
            assert_eq!((state.as_str(), traces(&folder)), expected, "{about}");
            assert_eq!(reference(&folder), truth, "{about}");
        }
    }
}

const REFERENCE: &str = "  - configure_scan: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
  - create_reference: { detector: 4/1 }
  - sweep:";

#[test]
fn whatever_becomes_of_a_reply_a_reading_is_right_or_is_not_stored() {
    let truth = truth();
    let late = Duration::from_millis(500);
    let spoils = [
        Spoil::Drop,
        Spoil::Delay(late),
        Spoil::Say("no number"),
        Spoil::Alter(|reply| [&b"\r\n\r\n"[..], &reply].concat()),
        Spoil::Truncate(3),
        Spoil::Merge,
        Spoil::Trickle(1, Duration::from_millis(5)),
        Spoil::Repeat("0"),
        Spoil::Repeat("7,EXFO"),
        Spoil::Close,
        Spoil::Lose,
    ];
    std::thread::scope(|scope| {
        for spoil in spoils {
            for command in ["CHAN1:POW?", "CHAN2:UNIT:Y?"] {
                let (spoil, truth) = (spoil.clone(), &truth);
                scope.spawn(move || {
                    let about = format!("{spoil:?} {command}");
                    let wire = Wire::new(&[rule(command, 1 + usize::from(command.contains("UNIT")), spoil)]);
                    let (folder, state) = wire.ends(&both(""));
                    let rows = power(&folder);
                    let is_good = if state == "done" { rows == truth } else { rows.is_empty() };
                    assert!(is_good, "{about}: {state} {rows:?}");
                    assert_eq!(manifest(&folder)["lasers_unknown"], serde_json::json!([]), "{about}");
                });
            }
        }
    });
}

/// Runs each of the rules on a wire of its own, side by side.
fn side_by_side(rules: Vec<Rule>, judge: impl Fn(&Rule, &Wire) + Sync) {
    std::thread::scope(|scope| {
        for rule in rules {
            let judge = &judge;
            scope.spawn(move || judge(&rule, &Wire::new(std::slice::from_ref(&rule))));
        }
    });
}

fn told(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("journal.jsonl")).unwrap()
}

#[test]
fn an_axis_or_a_count_that_cannot_be_true_fails_the_fetch_at_once() {
    let says = [
        (":LENG?", "5"),
        (":LENG?", "0"),
        (":LENG?", "103"),
        (":LENG?", "1000000000000"),
        (":LENG?", "18446744073709551615"),
        (":DATA:STAR?", "9.91E37"),
        (":DATA:STAR?", "0"),
        (":DATA:STAR?", "1.60000000E-006"),
        (":DATA:STAR?", "1.54003000E-006"),
        (":DATA:SAMP?", "0"),
        (":DATA:SAMP?", "-1.00000000E-011"),
        (":DATA:SAMP?", "9.9E37"),
        (":DATA:SAMP?", "2.00000000E-011"),
        // Two points more than the scan has. One is allowed.
        (":DATA:SAMP?", "1.02100000E-011"),
    ];
    let rules = says.into_iter().map(|(command, says)| rule(command, 0, Spoil::Say(says))).collect();
    side_by_side(rules, |rule, wire| {
        let (folder, state) = wire.ends(SWEEP);
        assert_eq!((state.as_str(), traces(&folder)), ("failed", 0), "{rule:?}");
        let told = told(&folder);
        assert!(
            told.contains("cannot be correct") || told.contains("does not belong to the last sweep"),
            "{told}"
        );
        assert!(!told.contains("disk_full"), "{told}");
    });
    // One point less is a matter of rounding.
    let shorter = |reply: Vec<u8>| [&b"#3400"[..], &reply[5..405]].concat();
    let rules = [rule(":LENG?", 0, Spoil::Say("100")), rule("TYPE11:DATA? ", 0, Spoil::Alter(shorter))];
    let wire = Wire::new(&rules);
    assert_eq!(wire.ends(SWEEP).1, "done");
}

/// Every value of a block of float32 replaced.
fn filled(reply: Vec<u8>, value: f32, from: usize) -> Vec<u8> {
    let head = 2 + usize::from(reply[1] - b'0');
    let (head, data) = reply.split_at(head);
    let kept = &data[..from * 4];
    let replaced = std::iter::repeat_n(value.to_be_bytes(), data.len() / 4 - from).flatten();
    head.iter().copied().chain(kept.iter().copied()).chain(replaced).collect()
}

#[test]
fn what_scpi_writes_for_no_number_is_null_and_a_trace_without_numbers_is_a_warning() {
    let alter = |alter| rule("TYPE11:DATA? ", 0, Spoil::Alter(alter));
    let cases: [(Rule, u64, Option<&str>); 5] = [
        (alter(|reply| filled(reply, 9.91e37, 0)), 101, Some("contains no value")),
        (alter(|reply| filled(reply, -9.9e37, 0)), 101, Some("contains no value")),
        (alter(|reply| filled(reply, 9.9e37, 1)), 100, None),
        (alter(|reply| filled(reply, 1e38, 100)), 0, Some("cannot be a measured value")),
        (alter(|reply| filled(reply, -1e38, 100)), 0, Some("cannot be a measured value")),
    ];
    for (rule, nulls, warning) in cases {
        let wire = Wire::new(&[rule]);
        let output = wire.run(SWEEP);
        let folder = wire.bench.run_folder(&output);
        assert!(output.status.success(), "{}", text(&output.stderr));
        let stored = journal(&folder).into_iter().find(|event| event["event"] == "trace_stored").unwrap();
        assert_eq!(stored["trace"]["nulls"], nulls, "{stored}");
        let shown = text(&output.stderr);
        assert_eq!(warning.is_some(), shown.contains("warning"), "{shown}");
        assert!(warning.is_none_or(|warning| shown.contains(warning)), "{shown}");
    }
    for word in ["9.91E+37", "9.90000000E+037", "-9.9E37"] {
        let wire = Wire::new(&[rule("CHAN1:POW?", 0, Spoil::Say(word))]);
        let (folder, state) = wire.ends(&both(""));
        assert_eq!((state.as_str(), power(&folder)[0]), ("done", (1, None)), "{word}");
    }
}

#[test]
fn readings_of_an_attempt_that_failed_are_not_stored() {
    let recipe = "name: r\nsteps:\n  - read_power: { detector: 4/1, samples: 4, interval_s: 0.01, retry: { times: 1 } }\n";
    for spoil in [Spoil::Lose, Spoil::Double, Spoil::Close] {
        let wire = Wire::new(&[rule("CHAN1:POW?", 3, spoil.clone())]);
        let (folder, state) = wire.ends(recipe);
        assert_eq!((state.as_str(), power(&folder).len()), ("done", 4), "{spoil:?}");
    }
}

#[test]
fn an_empty_identity_is_refused_and_another_instrument_is_a_warning() {
    for empty in [",,,", ", , ,", ",,SIMULATED-1,1.0"] {
        let wire = Wire::new(&[rule("*IDN?", 0, Spoil::Say(empty))]);
        let output = wire.run(SWEEP);
        assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("must name an instrument"), "{}", text(&output.stderr));
    }
    let wire = Wire::new(&[rule("*IDN?", 0, Spoil::Say("ACME,OSA-7,SIMULATED-1,1.0"))]);
    let output = wire.run(SWEEP);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("is not a CTP10"), "{}", text(&output.stderr));
    let status = wire.bench.run(&["status", "--instrument", &wire.proxy.address]);
    assert!(text(&status.stdout).contains("this instrument is not a CTP10"), "{}", text(&status.stdout));
}

/// Idle for four looks in the middle of the second scan.
fn idle_for_a_moment(reply: Vec<u8>) -> Vec<u8> {
    static BUSY: AtomicUsize = AtomicUsize::new(0);
    let is_busy = reply != b"0\r\n";
    let count = if is_busy { BUSY.fetch_add(1, Ordering::SeqCst) } else { 0 };
    if is_busy && (1..5).contains(&count) { b"0\r\n".to_vec() } else { reply }
}

#[test]
fn a_register_that_says_idle_in_the_midst_of_a_scan_does_not_end_it() {
    let wire =
        Wire::slow(&[rule("STAT:OPER:COND?", 0, Spoil::Alter(idle_for_a_moment))], Duration::ZERO, "1");
    let (folder, state) = wire.ends(&SWEEP.replace("speed_nm_s: 100", "speed_nm_s: 5"));
    // One that does not say when it has completed its scan gets no trace fetched in its midst either.
    assert_eq!(traces(&folder), usize::from(state == "done"), "{}", told(&folder));
}

#[test]
fn what_never_ends_fails_its_step_and_is_quoted() {
    // Settings are put again five times; a stream of lines and a block that drips have their deadlines.
    let rules = vec![
        rule("RLAS1:POW?", 0, Spoil::Close),
        rule("CHAN1:POW?", 0, Spoil::Repeat("+1.25E+000 for ever")),
        rule("TYPE11:DATA? ", 0, Spoil::Trickle(1, Duration::from_millis(50))),
    ];
    side_by_side(rules, |rule, wire| {
        let began = Instant::now();
        let (folder, state) = wire.ends(if rule.command.contains("TYPE11") { SWEEP } else { BOTH });
        assert_eq!(state, "failed", "{rule:?}");
        assert_eq!((traces(&folder), power(&folder)), (0, Vec::new()), "{rule:?}");
        let told = told(&folder);
        let quoted = match &rule.spoil {
            Spoil::Close => "closed the connection",
            Spoil::Repeat(line) => line,
            _ => "slower than 10 kB/s",
        };
        assert!(told.contains(quoted), "{quoted}: {told}");
        assert_eq!(manifest(&folder)["lasers_unknown"], serde_json::json!([]), "{rule:?}");
        assert!(began.elapsed() < Duration::from_secs(120), "{rule:?}");
    });
}

const BOTH: &str = "
name: both
steps:
  - configure_laser: { laser: 1, power_dbm: 0, output: true }
  - read_power: { detectors: [4/1, 4/2] }
";

/// Characters that steer a terminal, or turn the direction of text.
fn steers(text: &str) -> Option<char> {
    let steers = |letter: &char| {
        letter.is_control() && !"\n\t".contains(*letter) || ('\u{202a}'..='\u{202e}').contains(letter)
    };
    text.chars().find(steers)
}

#[test]
fn what_steers_a_terminal_is_escaped_where_it_is_shown_and_kept_in_files() {
    let nasty = "EXFO,CTP10\u{1b}[2J\u{9b}1m,SIMULATED-1\u{202e},0.1\u{7}";
    let wire = Wire::new(&[
        rule("*IDN?", 0, Spoil::Say(nasty)),
        rule("FBC?", 0, Spoil::Say("\u{1b}]0;title\u{7}7")),
        rule("SYST:ERR?", 1, Spoil::Say("-310,\"\u{1b}[31mSystem\"")),
    ]);
    let log = "fine\\e[1A\\e[2K\\r[2/3] nothing\\u202E";
    let recipe = format!(
        "name: n\nsteps:\n  - log: \"{log}\"\n  - scpi: {{ query: \"CTP:SENS:FBC?\" }}\n  - prompt: {{ message: \"{log}\", \
         unattended: \"yes\" }}\n  - scpi: {{ command: \"NONSENSE\\e[5m\" }}\n"
    );
    let output = wire.run(&recipe);
    let folder = wire.bench.run_folder(&output);
    let run = folder.file_name().unwrap().to_str().unwrap();
    let address = wire.proxy.address.as_str();
    let json = wire.bench.run(&["--log-format", "json", "run", "r.yaml", "--instrument", address]);
    let mut shown = vec![text(&output.stderr), text(&output.stdout), text(&json.stderr)];
    for arguments in [
        &["status", "--instrument", address][..],
        &["status", "--json", "--instrument", address],
        &["runs", "show", run],
        &["plan", "r.yaml"],
    ] {
        let output = wire.bench.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
        shown.extend([text(&output.stdout), text(&output.stderr)]);
    }
    shown.push(std::fs::read_to_string(folder.join("report.html")).unwrap());
    for shown in &shown {
        assert_eq!(steers(shown), None, "{shown}");
    }
    assert!(shown[0].contains("\\u{1b}[2K"), "{}", shown[0]);
    let told = journal(&folder);
    let reply = told.iter().find(|event| event["outcome"]["kind"] == "reply").unwrap();
    assert_eq!(reply["outcome"]["value"], "\u{1b}]0;title\u{7}7");
    assert!(manifest(&folder)["instrument"]["identity"].as_str().unwrap().contains("\u{1b}[2J"));
}

#[test]
fn texts_and_lists_of_the_instrument_are_bounded_and_a_reply_that_is_too_long_is_a_fault() {
    let many = |_: Vec<u8>| format!("-310,\"{}\"\r\n", "x".repeat(1 << 19)).into_bytes();
    // 64 entries of half a megabyte, behind the command of the step.
    let mut rules: Vec<Rule> = (6..70).map(|which| rule("SYST:ERR?", which, Spoil::Alter(many))).collect();
    rules.push(rule("FBC?", 0, Spoil::Alter(|_| "y".repeat(3 << 20).into_bytes())));
    let wire = Wire::new(&rules);
    let step = "  - scpi: { command: \"*CLS\", effect: configure, on_error: continue }\n";
    let recipe = format!(
        "name: n\nsteps:\n{}  - scpi: {{ query: \"CTP:SENS:FBC?\", on_error: continue }}\n",
        step.repeat(8)
    );
    let (folder, state) = wire.ends(&recipe);
    assert_eq!(state, "failed");
    let told = told(&folder);
    assert!(told.len() < 100_000 && told.contains("and 54 more"), "{} bytes", told.len());
    let too_long = "a reply line is longer than";
    assert!(told.contains(too_long), "{}", &told[told.len() - 2000..]);
    assert!(std::fs::metadata(folder.join("run.json")).unwrap().len() < 20_000);
}

#[test]
fn a_slow_wire_takes_time_and_changes_nothing() {
    let quick = "name: p\nsteps:\n  - read_power: { detectors: [4/1, 4/2] }\n";
    // Every line waits for the one before it: a scan of 10 ms is over before anybody can look.
    let cases = [(0, SWEEP), (50, SWEEP), (300, SWEEP), (900, quick)];
    std::thread::scope(|scope| {
        for (latency, recipe) in cases {
            scope.spawn(move || {
                let wire = Wire::slow(&[], Duration::from_millis(latency), "0.001");
                let (folder, state) = wire.ends(recipe);
                assert_eq!(state, "done", "{latency} ms: {}", told(&folder));
                let stored = if recipe == SWEEP { traces(&folder) } else { power(&folder).len() / 2 };
                assert_eq!(stored, 1, "{latency} ms");
                let off = wire.bench.run(&["off", "--instrument", &wire.proxy.address]);
                let said = text(&off.stdout);
                assert!(off.status.success() && said.contains("lasers off: 1, 2\n"), "{latency} ms: {said}");
            });
        }
    });
}

#[test]
fn a_scan_whose_start_never_arrives_did_not_start() {
    let mut rules: Vec<Rule> = ["INIT:", "STAT"].map(|other| rule(other, 0, Spoil::Keep)).to_vec();
    rules.push(rule("INIT", 0, Spoil::Lose));
    let wire = Wire::slow(&rules, Duration::from_millis(50), "0.001");
    let (folder, state) = wire.ends("name: s\nsteps:\n  - sweep: { start_nm: 1540, stop_nm: 1541 }\n");
    assert_eq!(state, "failed");
    assert!(told(&folder).contains("the scan did not start"), "{}", told(&folder));
}

#[test]
fn lasers_that_do_not_answer_are_unknown_and_not_absent() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--distributed", "--time-scale", "0.01"]);
    let address = simulator.address.as_str();
    let off = bench.run(&["off", "--instrument", address]);
    assert_eq!(off.status.code(), Some(3), "{}", text(&off.stdout));
    assert!(
        text(&off.stderr).contains("could not confirm that these lasers are off: 1, 2"),
        "{}",
        text(&off.stderr)
    );
    assert!(!text(&off.stdout).contains("there are none"), "{}", text(&off.stdout));
    let status = bench.run(&["status", "--instrument", address]);
    assert!(status.status.success(), "{}", text(&status.stderr));
    assert!(text(&status.stdout).contains("does not reply"), "{}", text(&status.stdout));
    bench.write("r.yaml", SWEEP.replace("laser: 1, ", "").as_str());
    let run = bench.run(&["run", "r.yaml", "--instrument", address]);
    let said = text(&run.stderr);
    assert!(run.status.success() && said.contains("no laser replies"), "{said}");
    assert!(said.contains("could not confirm that laser 1 is off"), "{said}");
    bench.write("r.yaml", SWEEP);
    let run = bench.run(&["run", "r.yaml", "--instrument", address]);
    assert!(text(&run.stderr).contains("laser 1 does not exist"), "{}", text(&run.stderr));
}
