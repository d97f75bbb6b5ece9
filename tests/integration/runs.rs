//! What a run leaves behind, whatever becomes of it.

use std::process::Stdio;

use crate::probe_station::Gate;
use crate::support::{
    Bench, Talk, events, journal, manifest, shipped, simulate, text, until, watch, watch_command,
};

const LONG_SWEEP: &str = "
name: long-sweep
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 5, power_dbm: 0 }
  - configure_scan: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
  - sweep:
  - fetch_trace: { detector: 4/1, trace: raw, name: finished }
  - sweep: { start_nm: 1520, stop_nm: 1580 }
  - fetch_trace: { detector: 4/1, trace: raw, name: never }
finally:
  - log: cleaning up
";

#[test]
fn a_stop_aborts_the_sweep_runs_finally_and_turns_the_lasers_off() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    bench.write("long.yaml", LONG_SWEEP);
    // `timeout` and the end of a login session send two signals. They are pending together when the program continues.
    for signals in [&["TERM"][..], &["INT"], &["HUP"], &["STOP", "TERM", "INT", "CONT"]] {
        let mut run = watch(&bench, &["long.yaml", "--instrument", &simulator.address]);
        run.wait_for(|event| event["event"] == "trace_stored");
        run.wait_for(|event| event["event"] == "progress" && event["activity"] == "sweep");
        signals.iter().for_each(|signal| run.signal(signal));
        run.wait_for(|event| event["event"] == "log" && event["message"] == "cleaning up");
        let (code, stdout) = run.finish();
        assert_eq!(code, Some(130));
        let folder = bench.folder.path().join(stdout.lines().last().unwrap());
        let manifest = manifest(&folder);
        assert_eq!(manifest["status"], "aborted");
        assert_eq!(manifest["traces"], 1);
        let mut talk = Talk::to(&simulator.address);
        assert_eq!(talk.ask("STAT:OPER:COND?;:CTP:RLAS1:POW:STAT?"), "0;0");
        assert!(bench.run(&["runs", "verify", folder.to_str().unwrap()]).status.success());
    }
}

#[test]
fn a_second_stop_leaves_at_once_and_the_run_is_listed_as_interrupted() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    // A `finally` that takes its time.
    bench.write("slow.yaml", &LONG_SWEEP.replace("- log: cleaning up", "- log: cleaning up\n  - wait: 600"));
    let mut run = watch(&bench, &["slow.yaml", "--instrument", &simulator.address]);
    run.wait_for(|event| event["event"] == "progress" && event["activity"] == "sweep");
    run.signal("INT");
    run.wait_for(|event| event["event"] == "log" && event["message"] == "cleaning up");
    // A signal that comes soon after the first one belongs to it, so a person presses Ctrl-C until the program ends.
    until("the program has ended", || {
        run.signal("INT");
        run.child.try_wait().unwrap().is_some()
    });
    assert_eq!(run.finish().0, Some(130));
    assert!(text(&bench.run(&["runs"]).stdout).contains("interrupted"));
}

#[test]
fn a_program_that_was_started_with_nohup_goes_on_when_its_terminal_is_closed() {
    let bench = Bench::new();
    let gate = Gate::new(&bench, 0);
    bench.write("gate.yaml", &format!("name: gate\nsteps:\n  - {}\n", gate.step()));
    let run = bench.command(&["--log-format", "json", "run", "gate.yaml", "--instrument", "sim"]);
    let mut command = std::process::Command::new("nohup");
    command.arg(run.get_program()).args(run.get_args()).current_dir(bench.folder.path()).stdin(Stdio::null());
    for (name, value) in run.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let run = watch_command(command);
    gate.wait_for(1);
    run.signal("HUP");
    gate.open();
    assert_eq!(run.finish().0, Some(0));
}

#[test]
fn a_question_that_nobody_can_answer_any_more_ends() {
    let bench = Bench::new();
    for (unattended, code) in [(", unattended: \"yes\"", 0), ("", 1)] {
        let prompt =
            format!("{{ message: \"Is the fibre clean?\", choices: [\"yes\", \"no\"]{unattended} }}");
        bench.write("ask.yaml", &format!("name: ask\nsteps:\n  - prompt: {prompt}\n"));
        let output = bench.run(&["run", "ask.yaml", "--instrument", "sim", "--attended", "--sidecar", "off"]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{said}");
        assert!(said.contains("standard input has ended"), "{said}");
    }
}

#[test]
fn a_unit_that_ends_blocks_with_a_line_end_and_answers_slowly_is_understood_too() {
    let bench = Bench::new();
    let simulator = simulate(
        &bench,
        &["--block-end", "crlf", "--latency-ms", "5", "--time-scale", "0.02", "--max-connections", "1"],
    );
    let quickstart = &shipped("recipes").into_iter().find(|path| path.ends_with("quickstart.yaml")).unwrap();
    let output = bench.run(&["run", quickstart.to_str().unwrap(), "--instrument", &simulator.address]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(manifest(&bench.run_folder(&output))["traces"], 2);
}

#[test]
fn a_measured_device_comes_back_as_it_was_measured() {
    let bench = Bench::new();
    let rows = (0..=4000).map(|row| 1535.0 + 0.01 * f64::from(row)).map(|nm| {
        // A resonance that is 0.1 nm wide.
        let dip = 30.0 / (1.0 + ((nm - 1548.773) / 0.05).powi(2));
        format!("{nm:.3},{:.6}\n", -6.0 - dip)
    });
    bench.write("ring.csv", &format!("wavelength_nm,transmission_db\n{}", rows.collect::<String>()));
    let dut = bench.folder.path().join("ring.csv");
    let simulator = simulate(&bench, &["--dut", dut.to_str().unwrap(), "--time-scale", "0.02"]);
    bench.write(
        "measured.yaml",
        "name: measured
steps:
  - configure_tls: { tls: 1, power_dbm: 10 }
  - configure_scan: { start_nm: 1540, stop_nm: 1556, resolution_pm: 4 }
  - create_reference: { detector: 4/1, connect: patch cord }
  - sweep:
  - fetch_trace: { detector: 4/1, trace: tf }
",
    );
    let output = bench.run(&["run", "measured.yaml", "--instrument", &simulator.address]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let records = journal(&bench.run_folder(&output));
    let trace = &records.iter().find(|record| record["event"] == "trace_stored").unwrap()["trace"];
    assert!((trace["min"]["nm"].as_f64().unwrap() - 1548.773).abs() < 0.02, "{trace}");
}

#[test]
fn a_killed_run_keeps_its_finished_traces_and_is_listed_as_interrupted() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--bandwidth", "60000", "--time-scale", "0.02"]);
    bench.write("long.yaml", &LONG_SWEEP.replace("resolution_pm: 10", "resolution_pm: 1"));
    let mut run = watch(&bench, &["long.yaml", "--instrument", &simulator.address]);
    let stored = run.wait_for(|event| event["event"] == "trace_stored");
    run.wait_for(|event| event["event"] == "progress" && event["activity"] == "transfer");
    run.signal("KILL");
    run.finish();
    let listed = bench.run(&["runs", "--json"]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["runs"][0]["manifest"]["status"], "interrupted");
    let id = listed["runs"][0]["manifest"]["run"].as_str().unwrap();
    let verified = bench.run(&["runs", "verify", id, "--json"]);
    assert_eq!(verified.status.code(), Some(1));
    let verified: serde_json::Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(verified["verified"]["whole"], 1, "{stored}");
    // The one that was interrupted is named for what it is, and no `*.parquet` finds it.
    let findings = verified["verified"]["findings"].as_array().unwrap();
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0]["finding"], "torn");
    assert!(findings[0]["file"].as_str().unwrap().ends_with(".part"));
}

#[test]
fn verify_names_what_is_missing_changed_torn_and_extra() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let quickstart = &shipped("recipes").into_iter().find(|path| path.ends_with("quickstart.yaml")).unwrap();
    let run = || {
        bench.run_folder(&bench.run(&[
            "run",
            quickstart.to_str().unwrap(),
            "--instrument",
            &simulator.address,
        ]))
    };
    let findings = |folder: &std::path::Path| {
        let output = bench.run(&["runs", "verify", folder.to_str().unwrap()]);
        (output.status.code(), text(&output.stdout))
    };
    let folder = run();
    assert_eq!(findings(&folder).0, Some(0));
    let [first, second] =
        ["traces/0001_m4c1_tf.parquet", "traces/0002_m4c2_tf.parquet"].map(|file| folder.join(file));
    std::fs::copy(&first, folder.join("traces/0003_m4c1_tf.parquet")).unwrap();
    let whole = std::fs::read(&second).unwrap();
    std::fs::write(&second, &whole[..whole.len() / 2]).unwrap();
    std::fs::remove_file(&first).unwrap();
    let (code, said) = findings(&folder);
    assert_eq!(code, Some(1));
    for part in ["missing  traces/0001_m4c1_tf.parquet", "torn     traces/0002", "extra    traces/0003"] {
        assert!(said.contains(part), "no {part:?} in {said}");
    }
    // One trace in the place of another is whole, and is not what was stored.
    let folder = run();
    std::fs::copy(folder.join("traces/0001_m4c1_tf.parquet"), folder.join("traces/0002_m4c2_tf.parquet"))
        .unwrap();
    assert!(findings(&folder).1.contains("changed  traces/0002"));
}

#[test]
fn a_value_beyond_the_limits_of_a_laser_is_explained_with_the_name_of_the_laser() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    for step in [
        "configure_tls: { tls: 1, laser: 1, start_nm: 1270, stop_nm: 1350 }",
        "configure_tls: { tls: 1, stop_nm: 1650 }",
        "configure_laser: { laser: 1, wavelength_nm: 1310 }",
    ] {
        bench.write("limits.yaml", &format!("name: limits\nsteps: [{{ {step} }}]\n"));
        let output = bench.run(&["run", "limits.yaml", "--instrument", &simulator.address]);
        assert_eq!(output.status.code(), Some(1));
        let said = text(&output.stderr);
        assert!(said.contains("-222 Data out of range"), "{said}");
        assert!(
            said.contains(
                "the laser behind it, does not have this value: laser 1 is `EXFO,T100S-HP,SIMULATED"
            ),
            "{said}"
        );
    }
}

#[test]
fn a_step_that_fails_is_told_in_the_instruments_words_and_passed_over_when_the_recipe_says_so() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    bench.write(
        "faults.yaml",
        "name: faults
steps:
  - scpi: { command: \"INIT:TLS1:SPE 999\", on_error: continue }
  - scpi: { query: \"TRAC:SENS4:CHAN1:TYPE1:DATA:LENG?\", on_error: continue, retry: { times: 1 } }
  - sweep: { start_nm: 1540, stop_nm: 1541 }
  - fetch_trace: { detector: 4/1, trace: raw }
",
    );
    let output = bench.run(&["run", "faults.yaml", "--instrument", &simulator.address]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("the instrument refused `INIT:TLS1:SPE 999`: -222 Data out of range"), "{said}");
    assert!(said.contains("-230 Data corrupt or stale"), "{said}");
    let folder = bench.run_folder(&output);
    let manifest = manifest(&folder);
    assert_eq!((&manifest["status"], &manifest["failed_steps"]), (&"failed".into(), &2.into()));
    assert_eq!(manifest["traces"], 1);
    assert_eq!(manifest["used_scpi"], true);
    let records = journal(&folder);
    let attempts = records.iter().filter(|r| r["event"] == "step_started" && r["number"] == 2).count();
    assert_eq!(attempts, 2);
    assert_eq!(events(&records).last(), Some(&"finished"));
}

#[test]
fn a_question_is_answered_by_the_recipe_when_nobody_is_there_and_fails_when_it_cannot_be() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    let run = |recipe: &str| {
        bench.write("ask.yaml", recipe);
        bench.run(&["run", "ask.yaml", "--instrument", &simulator.address])
    };
    let answered = run("name: ask
steps:
  - prompt: { id: which, message: \"Which port?\", choices: [through, drop], unattended: drop }
  - log: \"measuring ${steps.which.answer}\"
");
    assert!(answered.status.success(), "{}", text(&answered.stderr));
    assert!(text(&answered.stderr).contains("measuring drop"));
    let refused = run("name: ask\nsteps:\n  - prompt: { message: \"Ready?\" }\n");
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains("no person is present to answer: Ready?"),
        "{}",
        text(&refused.stderr)
    );
}

const GAP: &str = "
name: gap
steps:
  - sweep: { start_nm: 1540, stop_nm: 1541 }
  - configure_scan: { start_nm: 1400, stop_nm: 1450 }
  - sweep:
  - fetch_trace: { detector: 4/1, trace: raw }
";

#[test]
fn a_scan_that_cannot_start_is_a_fault_and_no_old_trace_is_taken_for_new() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    bench.write("gap.yaml", GAP);
    let output = bench.run(&["run", "gap.yaml", "--instrument", &simulator.address]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("-221 Settings conflict"), "{}", text(&output.stderr));
    assert_eq!(manifest(&bench.run_folder(&output))["traces"], 0);
    // Passed over, the failed sweep still does not lend its name to the trace of the one before.
    let passed_over = GAP.replace("- sweep:\n", "- sweep: { on_error: continue }\n");
    bench.write("gap.yaml", &passed_over);
    let output = bench.run(&["run", "gap.yaml", "--instrument", &simulator.address]);
    assert!(text(&output.stderr).contains("the sweep failed"), "{}", text(&output.stderr));
    assert_eq!(manifest(&bench.run_folder(&output))["traces"], 0);
}

#[test]
fn a_script_catches_a_fault_and_goes_on() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    bench.write(
        "catch.rhai",
        "recipe(#{ name: \"catch\" });
try { scpi(#{ command: \"NO:SUCH:THING\" }); } catch (fault) { log(`caught ${fault.kind}`); }
sweep(#{ start_nm: 1540, stop_nm: 1541, resolution_pm: 10 });
let trace = fetch_trace(#{ detector: \"4/1\", trace: \"raw\" });
if trace.points() != 101 { throw \"not the trace that was asked for\"; }
",
    );
    let output = bench.run(&["run", "catch.rhai", "--instrument", &simulator.address]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("caught instrument"), "{}", text(&output.stderr));
}

#[test]
fn the_link_comes_back_by_itself_when_the_instrument_does() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let address = simulator.address.clone();
    let gate = Gate::new(&bench, 0);
    bench.write(
        "waits.yaml",
        &format!(
            "name: waits
steps:
  - log: before
  - {}
  - configure_scan: {{ start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }}
  - sweep:
  - fetch_trace: {{ detector: 4/1, trace: raw }}
",
            gate.step()
        ),
    );
    let mut run = watch(&bench, &["waits.yaml", "--instrument", &address]);
    gate.wait_for(1);
    drop(simulator);
    let _again = crate::support::simulate_at(&bench, &address, &["--time-scale", "0.02"]);
    gate.open();
    run.wait_for(|event| event["event"] == "link_lost");
    run.wait_for(|event| event["event"] == "link_regained");
    let (code, stdout) = run.finish();
    assert_eq!(code, Some(0), "{stdout}");
}
