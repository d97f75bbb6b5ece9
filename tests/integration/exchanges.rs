//! Whatever goes wrong at whichever exchange with the instrument: a run ends cleanly, leaves no half file and no light,
//! and can be finished. And `ctp10 rehearse`, which finds out the same for a user's own recipe.

use serde_json::Value;

use crate::support::{Bench, text};

/// Every kind of operation that a night is made of, small enough to be cut at each exchange.
const SMALL: &str = "
name: small
simulator: { time_scale: 0.001 }
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 100, power_dbm: 0, retry: { times: 1 } }
  - configure_laser: { laser: 1, wavelength_nm: 1550, power_dbm: 0, output: true, retry: { times: 1 } }
  - read_power: { detector: 4/1, retry: { times: 1 } }
  - configure_scan: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10, retry: { times: 1 } }
  - create_reference: { detector: 4/1 }
  - configure_tls: { tls: 1, power_dbm: 3, retry: { times: 1 } }
  - repeat:
      times: 2
      steps:
        - sweep: { retry: { times: 1 } }
        - fetch_trace: { detector: 4/1, traces: [tf, raw], retry: { times: 1 } }
";

/// As short as a busy computer allows: silence need not be waited for as long as that of a real unit.
const DEADLINES: &str = "
[deadlines]
question_s = 1
command_s = 2
trace_start_s = 2
trace_gap_s = 2
scan_s = 2
reconnect_s = 20
";

fn rehearse(bench: &Bench, more: &[&str]) -> (i32, Value) {
    let output = bench.run(&[&["rehearse", "small.yaml", "--json"], more].concat());
    let told = serde_json::from_slice(&output.stdout);
    let told = told.unwrap_or_else(|error| panic!("{error}: {}", text(&output.stderr)));
    (output.status.code().unwrap(), told)
}

/// How many exchanges the recipe has when nothing goes wrong.
fn exchanges(bench: &Bench) -> u64 {
    let (_, told) = rehearse(bench, &["--fault", "error-queue@1000000"]);
    told["rehearsals"][0]["commands"].as_u64().unwrap()
}

#[test]
fn a_run_that_is_cut_at_any_exchange_ends_safely_and_can_be_finished() {
    let thorough = std::env::var_os("CTP10_TEST_THOROUGH").is_some();
    let bench = Bench::new();
    bench.write("small.yaml", SMALL);
    bench.write("ctp10.toml", DEADLINES);
    let count = exchanges(&bench);
    assert!(count > 40, "{count} exchanges are no recipe");
    // Silence is waited for, so that a few of those have to do.
    let kinds = [
        ("drop", 37),
        ("garble", 43),
        ("truncate", 53),
        ("error-queue", 41),
        ("refuse", 59),
        ("reboot", 61),
        ("stall", 89),
        ("late", 127),
    ];
    let kinds = kinds.iter();
    let value = |kind: &str| match kind {
        "reboot" => "=0.2",
        "late" => "=3",
        _ => "",
    };
    let mut faults = vec!["reboot@sweep:2=0.2".to_owned()];
    for (turn, (kind, step)) in kinds.enumerate() {
        let every = if thorough { 1 } else { *step };
        faults.extend(
            (1 + turn as u64 % 3..=count).step_by(every).map(|n| format!("{kind}@{n}{}", value(kind))),
        );
    }
    let arguments: Vec<&str> = faults.iter().flat_map(|fault| ["--fault", fault]).collect();
    let (code, told) = rehearse(&bench, &arguments);
    let rehearsals = told["rehearsals"].as_array().unwrap();
    let wrong: Vec<&Value> =
        rehearsals.iter().filter(|rehearsal| rehearsal["violations"] != serde_json::json!([])).collect();
    // The number of questions about a scan varies, so the last faults may find no command.
    let missed = rehearsals.iter().any(|rehearsal| rehearsal["missed"] == true);
    assert!(wrong.is_empty() && code == i32::from(missed), "of {}: {wrong:#?}", rehearsals.len());
    assert_eq!(rehearsals.len(), faults.len() + 1);
    // That every one is safe would say little if none had come to harm.
    let harmed = rehearsals.iter().filter(|one| one["commands"].as_u64().unwrap() > count + 3).count();
    assert!(harmed > 10, "{harmed} of {}", rehearsals.len());
}

#[test]
fn a_rehearsal_shows_what_becomes_of_a_recipe_and_a_batch_and_leaves_nothing_behind() {
    let bench = Bench::new();
    bench.write("small.yaml", SMALL);
    bench.write(
        "night.yaml",
        "name: night\nnot_before: \"2999-01-01T00:00:00Z\"\nitems: [{ recipe: small.yaml }, { recipe: small.yaml }]\n",
    );
    let (code, told) = rehearse(&bench, &["--kill", "9", "--fault", "drop@sweep"]);
    assert_eq!((code, &told["safe"]), (0, &true.into()), "{told:#}");
    let killed = &told["rehearsals"][2];
    assert_eq!((&killed["trouble"], &killed["resumed"]), (&"kill after 9 events".into(), &"done".into()));
    let output =
        bench.run(&["rehearse", "night.yaml", "--fault", "drop@trace:2", "--fault", "refuse@sweep:every"]);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    let lines: Vec<&str> = said.lines().collect();
    let line = |start: &str| *lines.iter().find(|line| line.contains(start)).unwrap();
    assert!(line("no fault  ").contains("2 done (8 traces, lasers off"), "{said}");
    assert!(line("drop@trace:2").contains("2 done"), "{said}");
    let refused = line("refuse@sweep:every");
    assert!(refused.contains("2 failed (0 traces") && refused.ends_with("resumed: 2 done"), "{said}");
    assert!(!bench.folder.path().join("runs").exists());
}

#[test]
fn a_fault_that_did_not_occur_is_no_rehearsal() {
    let bench = Bench::new();
    bench.write("small.yaml", SMALL);
    let output = bench.run(&["rehearse", "small.yaml", "--fault", "drop@trace:999", "--kill", "99999"]);
    let (said, error) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(1), "{said}{error}");
    assert_eq!(said.matches("NOT TESTED: the fault did not occur").count(), 2, "{said}");
    assert!(!said.contains("safely") && error.contains("in 2 of 3 rehearsals"), "{said}{error}");
}

#[test]
fn a_recipe_that_moves_other_instruments_or_fails_by_itself_is_not_rehearsed() {
    let bench = Bench::new();
    bench.write(
        "small.yaml",
        "name: moves\nsteps:\n  - http: { method: POST, url: \"http://127.0.0.1:9/move\" }\n",
    );
    let output = bench.run(&["rehearse", "small.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("other instruments are not simulated"), "{}", text(&output.stderr));
    bench.write(
        "small.yaml",
        "name: fails\nsteps:\n  - configure_scan: { start_nm: 1400, stop_nm: 1450 }\n  - sweep:\n",
    );
    let output = bench.run(&["rehearse", "small.yaml"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(
        text(&output.stderr).contains("it does not succeed on the simulator even without a fault"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn a_limit_that_is_no_time_and_a_kill_before_the_first_event_are_refused() {
    let bench = Bench::new();
    bench.write("small.yaml", SMALL);
    for (given, said) in [
        (["--limit-s", "nan"], "1 to 1000000 seconds are allowed"),
        (["--limit-s", "0"], "1 to 1000000 seconds are allowed"),
        (["--kill", "0"], "0 is not in 1.."),
    ] {
        let output = bench.run(&[&["rehearse", "small.yaml"][..], &given].concat());
        assert_eq!(output.status.code(), Some(2), "{given:?}");
        assert!(text(&output.stderr).contains(said), "{}", text(&output.stderr));
    }
}
