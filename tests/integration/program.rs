//! The program as a user meets it: which instrument, exit codes, messages.

use std::process::Stdio;

use crate::support::{Bench, Talk, simulate, text};

const SWEEP: &str = "
name: sweep
steps:
  - configure_scan: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
  - sweep:
  - fetch_trace: { detector: 4/1, trace: raw }
";

#[test]
fn an_instrument_that_nobody_named_is_asked_for_with_a_hint() {
    let bench = Bench::new();
    bench.write("sweep.yaml", SWEEP);
    let output = bench.run(&["run", "sweep.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    assert!(said.contains("no instrument is given") && said.contains("--instrument sim"), "{said}");
}

#[test]
fn the_simulated_instrument_says_so_on_the_terminal_in_the_manifest_and_in_the_summary() {
    let bench = Bench::new();
    bench.write("sweep.yaml", SWEEP);
    let output = bench.run(&["run", "sweep.yaml", "--instrument", "sim"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("SIMULATED INSTRUMENT"));
    assert!(text(&output.stdout).contains("SIMULATED"));
    let manifest = crate::support::manifest(&bench.run_folder(&output));
    assert_eq!(manifest["instrument"]["simulated"], true);
    assert!(manifest["instrument"]["identity"].as_str().unwrap().contains("SIMULATED"));
    // The embedded instrument is known by what it answers, not by how it was named.
    let simulator = simulate(&bench, &[]);
    let output = bench.run(&["run", "sweep.yaml", "--instrument", &simulator.address]);
    let manifest = crate::support::manifest(&bench.run_folder(&output));
    assert_eq!(manifest["instrument"]["simulated"], true);
    assert_eq!(manifest["instrument"]["address"], simulator.address);
}

/// What the program says, without what differs from machine to machine.
fn said(bench: &Bench, arguments: &[&str]) -> String {
    let output = bench.run(arguments);
    let folder = bench.folder.path().canonicalize().unwrap();
    let all = format!("{}{}", text(&output.stderr), text(&output.stdout));
    let all = all
        .replace(folder.to_str().unwrap(), "<bench>")
        .replace(bench.folder.path().to_str().unwrap(), "<bench>");
    format!("$ ctp10 {}\n{all}exit code {}\n", arguments.join(" "), output.status.code().unwrap())
}

#[test]
fn every_mistake_on_the_command_line_and_in_the_configuration_is_answered_in_plain_words() {
    let bench = Bench::new();
    bench.write("sweep.yaml", SWEEP);
    bench.write("notes.txt", "");
    bench.write(
        "odd.yaml",
        "name: odd\ninstrument: sim\nsimulator: { dut: rign, time_scale: 0 }\nsteps:\n  - sweep:\n",
    );
    bench.write(
        "faulty.yaml",
        "name: faulty\ninstrument: sim\nsimulator: { faults: [drop@swep] }\nsteps:\n  - sweep:\n",
    );
    bench.write("rows.csv", "1550,-3\n1551,deep\n");
    let cases: &[&[&str]] = &[
        &["run", "sweep.yaml"],
        &["run", "missing.yaml"],
        &["run", "notes.txt"],
        &["run", "sweep.yaml", "--set", "power=3", "--instrument", "sim"],
        &["run", "sweep.yaml", "--instrument", "http://bench"],
        &["run", "odd.yaml"],
        &["check", "odd.yaml"],
        &["simulate", "--dut", "rign"],
        &["simulate", "--dut", "rows.csv"],
        &["simulate", "--noise", "none"],
        &["simulate", "--time-scale", "0"],
        &["simulate", "--fault", "dorp@trace"],
        &["simulate", "--fault", "@missing.txt"],
        &["run", "faulty.yaml"],
        &["runs", "show", "abc"],
        &["runs", "verify", "abc"],
        &["status"],
    ];
    let all: String = cases.iter().map(|case| said(&bench, case) + "\n").collect();
    bench.write("ctp10.toml", "[limits]\nmax_power = 3\n");
    insta::assert_snapshot!(format!("{all}{}", said(&bench, &["off"])));
}

#[test]
fn an_unreachable_or_busy_instrument_ends_with_exit_code_3_and_no_run_folder() {
    let bench = Bench::new();
    bench.write("sweep.yaml", SWEEP);
    let output = bench.run(&["run", "sweep.yaml", "--instrument", "127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output.stderr));
    let simulator = simulate(&bench, &[]);
    let mut talk = Talk::to(&simulator.address);
    talk.send("INIT:SMOD CONT;:INIT");
    assert_ne!(talk.ask("STAT:OPER:COND?"), "0");
    let output = bench.run(&["run", "sweep.yaml", "--instrument", &simulator.address]);
    assert_eq!(output.status.code(), Some(3));
    assert!(text(&output.stderr).contains("the instrument is busy: scanning"), "{}", text(&output.stderr));
    assert!(!bench.folder.path().join("runs").exists());
}

#[test]
fn a_wrong_recipe_is_refused_before_anything_is_reached() {
    let bench = Bench::new();
    bench
        .write("wrong.yaml", "name: wrong\nsteps:\n  - configure_scan: { start_nm: 1540, stopp_nm: 1541 }\n");
    let output = bench.run(&["run", "wrong.yaml", "--instrument", "127.0.0.1:1"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    for part in ["unknown field `stopp_nm`", "wrong.yaml:3:39", "did you mean `stop_nm`?", "^^^^"] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
}

#[test]
fn check_names_what_cannot_hold_and_what_is_probably_wrong_with_its_place() {
    let bench = Bench::new();
    bench.write(
        "doubtful.yaml",
        "name: doubtful
steps:
  - fetch_trace: { detector: 4/1, trace: tf }
  - create_reference: { detector: 4/1, unattended: recreate }
  - set: { low: 1550, high: 1540 }
  - configure_scan: { start_nm: \"${low}\", stop_nm: \"${high}\" }
",
    );
    let output = bench.run(&["check", "doubtful.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    for part in [
        "a trace is fetched before any sweep",
        "the transmission function of 4/1 is fetched without a reference in this recipe",
        "the reference of 4/1 has no `connect`",
        "the reference of 4/1 may be taken while no person is present",
        "stop_nm `1540` must be above start_nm `1550`",
        "doubtful.yaml:6:",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    assert!(text(&output.stdout).contains("doubtful.yaml: 1 error, 4 warnings"), "{}", text(&output.stdout));
}

#[test]
fn check_with_an_instrument_finds_what_is_not_there_without_changing_anything() {
    let bench = Bench::new();
    let log = bench.folder.path().join("commands.log");
    let simulator = simulate(&bench, &["--log", log.to_str().unwrap()]);
    bench.write(
        "wishes.yaml",
        "name: wishes
steps:
  - configure_tls: { tls: 1, laser: 3 }
  - configure_tls: { tls: 2, laser: 2, speed_nm_s: 40, stop_nm: 1400 }
  - sweep:
  - fetch_trace: { detector: 4/1, trace: tf }
  - read_power: { detector: 9/1 }
",
    );
    let output = bench.run(&["check", "wishes.yaml", "--instrument", &simulator.address]);
    assert_eq!(output.status.code(), Some(2));
    let said = text(&output.stderr);
    for part in [
        "laser 3 does not exist",
        "laser 2 (T200S-O-M) cannot sweep at 40 nm/s",
        "1400 nm is outside the band of laser 2",
        "`4/1` has no valid reference on this instrument",
        "detector `9/1` of this instrument does not reply",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    let sent = std::fs::read_to_string(log).unwrap();
    assert!(sent.lines().all(|line| line.ends_with('?')), "{sent}");
}

#[test]
fn the_plan_walks_every_loop_point_and_shows_the_commands() {
    let bench = Bench::new();
    bench.write(
        "series.yaml",
        "name: series
steps:
  - repeat:
      for: power
      in: [-5, 0, 5]
      steps:
        - configure_tls: { tls: 1, power_dbm: \"${power}\" }
        - sweep: { start_nm: 1540, stop_nm: 1550, resolution_pm: 1 }
        - fetch_trace: { detector: 4/1, trace: raw }
",
    );
    let said = text(&bench.run(&["plan", "series.yaml", "--scpi"]).stdout);
    for part in [
        "(power=-5) configure_tls",
        "> INIT:TLS1:POW -5DBM",
        "> INIT:WAV:STOP 1550NM",
        "> INIT\n",
        "9 operations",
        "30003 points",
    ] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
}

#[test]
fn a_recipe_without_an_end_is_planned_as_far_as_that_goes_and_may_run() {
    let bench = Bench::new();
    bench.write(
        "forever.yaml",
        "name: forever
steps:
  - repeat:
      while: true
      steps:
        - log: once more
",
    );
    let checked = bench.run(&["check", "forever.yaml"]);
    assert!(checked.status.success());
    assert!(
        text(&checked.stderr).contains("warning: the recipe has more than 100000 operations, or never ends")
    );
    let simulator = simulate(&bench, &[]);
    let mut run = crate::support::watch(&bench, &["forever.yaml", "--instrument", &simulator.address]);
    for _ in 0..100 {
        run.wait_for(|event| event["event"] == "log");
    }
    run.signal("TERM");
    assert_eq!(run.finish().0, Some(130));
}

#[test]
fn status_only_asks_and_off_turns_everything_off() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.1"]);
    let mut talk = Talk::to(&simulator.address);
    talk.send("CTP:RLAS1:POW:STAT ON;:CTP:RLAS2:POW:STAT ON");
    let status = bench.run(&["status", "--json", "--instrument", &simulator.address]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["simulated"], true);
    assert_eq!(status["lasers"][0]["on"], true);
    let off = bench.run(&["off", "--instrument", &simulator.address]);
    assert!(off.status.success(), "{}", text(&off.stderr));
    assert_eq!(text(&off.stdout).trim(), "lasers off: 1, 2");
    assert_eq!(talk.ask("CTP:RLAS1:POW:STAT?;:CTP:RLAS2:POW:STAT?"), "0;0");
}

#[test]
fn a_reader_that_goes_away_ends_the_program_without_a_word() {
    let bench = Bench::new();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = bench.command(&["schema"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(141));
    assert_eq!(text(&output.stderr), "");
}

#[test]
fn every_document_that_names_the_version_names_this_one() {
    let version = env!("CARGO_PKG_VERSION");
    let bench = Bench::new();
    assert!(text(&bench.run(&["--version"]).stdout).starts_with(&format!("ctp10 {version} (")));
    let changelog = include_str!("../../CHANGELOG.md");
    let newest = changelog.lines().find(|line| line.starts_with("## ")).unwrap();
    assert!(newest.starts_with(&format!("## [{version}]")) || newest == "## [Unreleased]", "{newest}");
    let citation = include_str!("../../CITATION.cff");
    assert!(citation.lines().any(|line| line == format!("version: {version}")), "CITATION.cff");
}

#[cfg(unix)]
#[test]
fn an_output_that_is_no_file_is_refused_and_stays() {
    use std::os::unix::fs::FileTypeExt;
    let bench = Bench::new();
    bench.write("devices.csv", "id,x_um,y_um\nr1,1,2\n");
    let socket = bench.folder.path().join("socket");
    let _open = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    for (output, words) in [("socket", "it is a socket, not a file"), ("-", "not written to standard output")]
    {
        let said = bench.run(&["devices", "import", "devices.csv", "-o", output, "--force"]);
        assert_eq!(said.status.code(), Some(2), "{}", text(&said.stderr));
        assert!(text(&said.stderr).contains(words), "{}", text(&said.stderr));
    }
    assert!(std::fs::symlink_metadata(&socket).unwrap().file_type().is_socket());
    assert!(!bench.folder.path().join("-").exists());
}
