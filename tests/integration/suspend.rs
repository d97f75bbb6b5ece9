//! A run that holds while its conditions are bad, and goes on by itself.

use crate::support::{Bench, Talk, events, journal, manifest, simulate, text, watch, watch_program};

/// Measures only while laser 2, which it does not touch, is set to 3 dBm.
const RECIPE: &str = "
name: lamp
steps:
  - repeat:
      times: 2
      steps:
        - sweep: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
        - fetch_trace: { detector: 4/1, trace: raw }
suspend_when:
  after: sweep
  probe:
    - scpi: { id: lamp, query: \"CTP:RLAS2:POW?\", effect: measure }
  condition: '${!steps.lamp.reply.starts_with(\"3.0\")}'
  for_s: 0.2
  settle_s: 0.2
  probe_every_s: 0.1
  timeout_s: 60
";

#[test]
fn a_run_is_suspended_after_a_sweep_and_does_it_again_once_all_is_well() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02", "--log", "commands.log"]);
    bench.write("lamp.yaml", RECIPE);
    let mut run = watch(&bench, &["lamp.yaml", "--instrument", &simulator.address]);
    let suspended = run.wait_for(|event| event["event"] == "suspended");
    assert_eq!(suspended["condition"], "${!steps.lamp.reply.starts_with(\"3.0\")}");
    let mut talk = Talk::to(&simulator.address);
    talk.send("CTP:RLAS2:POW 3DBM");
    assert!(talk.ask("CTP:RLAS2:POW?").starts_with("3.0"));
    run.wait_for(|event| event["event"] == "suspension_over");
    let (code, stdout) = run.finish();
    assert_eq!(code, Some(0), "{stdout}");
    let folder = bench.folder.path().join(stdout.lines().last().unwrap());
    assert_eq!(manifest(&folder)["traces"], 2);
    let records = journal(&folder);
    assert_eq!(events(&records).iter().filter(|event| **event == "suspended").count(), 1);
    // The first trace is the one of the second sweep: nothing of the first was fetched.
    let stored: Vec<_> = records.iter().filter(|record| record["event"] == "trace_stored").collect();
    assert_eq!(stored[0]["trace"]["sweep_index"], 2);
    assert_eq!(stored[1]["trace"]["sweep_index"], 3);
}

#[test]
fn a_suspension_that_does_not_end_fails_the_run_and_a_stop_ends_it_at_once() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    bench.write("lamp.yaml", &RECIPE.replace("timeout_s: 60", "timeout_s: 0.5"));
    let output = bench.run(&["run", "lamp.yaml", "--instrument", &simulator.address]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("suspended for 0.5 s and still not good"), "{said}");
    bench.write("lamp.yaml", RECIPE);
    let mut run = watch(&bench, &["lamp.yaml", "--instrument", &simulator.address]);
    run.wait_for(|event| event["event"] == "suspended");
    run.signal("INT");
    assert_eq!(run.finish().0, Some(130));
}

#[test]
fn a_run_that_was_killed_while_it_was_suspended_is_suspended_again_until_all_is_well() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    bench.write("lamp.yaml", RECIPE);
    let mut talk = Talk::to(&simulator.address);
    talk.send("CTP:RLAS2:POW 3DBM");
    assert!(talk.ask("CTP:RLAS2:POW?").starts_with("3.0"));
    let mut run = watch(&bench, &["lamp.yaml", "--instrument", &simulator.address]);
    let started = run.wait_for(|event| event["event"] == "started");
    let folder = bench.folder.path().join(started["folder"].as_str().unwrap());
    run.wait_for(|event| event["event"] == "trace_stored");
    talk.send("CTP:RLAS2:POW 1DBM");
    run.wait_for(|event| event["event"] == "suspended");
    run.wait_for(|event| event["event"] == "step_finished");
    run.signal("KILL");
    run.finish();

    let plan = bench.run(&["resume", folder.to_str().unwrap(), "--plan"]);
    assert!(plan.status.success(), "{}", text(&plan.stderr));
    let mut run = watch_program(&bench, &["resume", folder.to_str().unwrap()]);
    run.wait_for(|event| event["event"] == "suspended");
    talk.send("CTP:RLAS2:POW 3DBM");
    assert!(talk.ask("CTP:RLAS2:POW?").starts_with("3.0"));
    run.wait_for(|event| event["event"] == "suspension_over");
    let (code, stdout) = run.finish();
    assert_eq!(code, Some(0), "{stdout}");
    assert_eq!(manifest(&folder)["traces"], 2);
    let records = journal(&folder);
    let stored = records.iter().filter(|record| record["event"] == "trace_stored").count();
    assert_eq!((stored, manifest(&folder)["taken_up"].as_u64()), (2, Some(1)));
}
