//! A run that holds while its conditions are bad, and goes on by itself.

use crate::probe_station::Gate;
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
    assert!(said.contains("suspended for 0.5 s, and the run still cannot continue"), "{said}");
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
    // The second sweep begins when the lamp has changed.
    let gate = Gate::new(&bench, 0);
    let gated = format!("trace: raw }}\n        - {}\n", gate.step());
    bench.write("lamp.yaml", &RECIPE.replace("trace: raw }\n", &gated));
    let mut talk = Talk::to(&simulator.address);
    talk.send("CTP:RLAS2:POW 3DBM");
    assert!(talk.ask("CTP:RLAS2:POW?").starts_with("3.0"));
    let mut run = watch(&bench, &["lamp.yaml", "--instrument", &simulator.address]);
    let started = run.wait_for(|event| event["event"] == "started");
    let folder = bench.folder.path().join(started["folder"].as_str().unwrap());
    run.wait_for(|event| event["event"] == "trace_stored");
    gate.wait_for(1);
    talk.send("CTP:RLAS2:POW 1DBM");
    assert!(talk.ask("CTP:RLAS2:POW?").starts_with("1.0"));
    gate.open();
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

/// Judged by time, the recipe spoils its second sweep itself, after the fetch: the lamp is put to 1 dBm.
const EVERY: &str = "
name: lamp
steps:
  - repeat:
      for: turn
      in: [1, 2]
      steps:
        - sweep: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
        - fetch_trace: { detector: 4/1, trace: raw }
        - if:
            condition: '${turn == 2}'
            then: [ { scpi: { command: \"CTP:RLAS2:POW 1DBM\", effect: measure } } ]
suspend_when:
  every_s: 1000
  probe:
    - scpi: { id: lamp, query: \"CTP:RLAS2:POW?\", effect: measure }
  condition: '${!steps.lamp.reply.starts_with(\"3.0\")}'
  probe_every_s: 0.1
  timeout_s: 60
";

fn light(talk: &mut Talk) {
    talk.send("CTP:RLAS2:POW 3DBM");
    assert!(talk.ask("CTP:RLAS2:POW?").starts_with("3.0"));
}

/// Sweep and attempt of each trace as it was stored.
fn stored(folder: &std::path::Path) -> Vec<(u64, u64)> {
    let numbers = |trace: &serde_json::Value| {
        (trace["sweep_index"].as_u64().unwrap(), trace["attempt"].as_u64().unwrap())
    };
    let records = journal(folder);
    let stored = records.iter().filter(|record| record["event"] == "trace_stored");
    stored.map(|record| numbers(&record["trace"])).collect()
}

const SCRIPT: &str = "
recipe(#{
    name: `lamp`,
    suspend_when: #{
        probe: [#{ scpi: #{ id: `lamp`, query: `CTP:RLAS2:POW?`, effect: `measure` } }],
        condition: `!steps.lamp.reply.starts_with(wanted)`,
        probe_every_s: 0.1,
        timeout_s: 60,
    },
});
let wanted = parameter(`wanted`, `3.0`);
for turn in 0..2 {
    sweep(#{ start_nm: 1540, stop_nm: 1541, resolution_pm: 10 });
    fetch_trace(#{ detector: `4/1`, trace: `raw` });
}
";

#[test]
fn a_script_is_suspended_by_what_it_declares() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    bench.write("lamp.rhai", SCRIPT);
    let mut run = watch(&bench, &["lamp.rhai", "--instrument", &simulator.address]);
    let suspended = run.wait_for(|event| event["event"] == "suspended");
    assert_eq!(suspended["condition"], "${!steps.lamp.reply.starts_with(wanted)}");
    light(&mut Talk::to(&simulator.address));
    let (code, stdout) = run.finish();
    assert_eq!(code, Some(0), "{stdout}");
    let folder = bench.folder.path().join(stdout.lines().last().unwrap());
    assert_eq!(stored(&folder), [(2, 1), (3, 1)]);
}

#[test]
fn what_is_wrong_with_a_suspension_of_a_script_is_shown_where_it_stands() {
    let bench = Bench::new();
    for (written, instead, said, place) in [
        (
            "reply.starts_with(wanted)",
            "reply.starts_with(wonted)",
            "unknown variable `wonted`",
            "lamp.rhai:6:",
        ),
        ("probe_every_s", "probe_each_s", "unknown field `probe_each_s`", "lamp.rhai:7:9"),
        ("effect: `measure`", "effect: `guess`", "guess", "lamp.rhai:5:"),
        ("        timeout_s: 60,\n", "", "has no `timeout_s`", "lamp.rhai:4:"),
    ] {
        assert!(SCRIPT.contains(written));
        bench.write("lamp.rhai", &SCRIPT.replace(written, instead));
        let output = bench.run(&["check", "lamp.rhai"]);
        let told = [text(&output.stdout), text(&output.stderr)].concat();
        assert!(!output.status.success() && told.contains(said) && told.contains(place), "{told}");
    }
}

#[test]
fn a_sweep_that_is_judged_by_time_is_done_again_with_its_fetches() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    bench.write("lamp.yaml", EVERY);
    let mut talk = Talk::to(&simulator.address);
    light(&mut talk);
    let mut run = watch(&bench, &["lamp.yaml", "--instrument", &simulator.address]);
    run.wait_for(|event| event["event"] == "suspended");
    light(&mut talk);
    let (code, stdout) = run.finish();
    assert_eq!(code, Some(0), "{stdout}");
    let folder = bench.folder.path().join(stdout.lines().last().unwrap());
    // The first sweep was found good, and stays; the trace of the second takes the place that it had.
    assert_eq!(stored(&folder), [(1, 1), (2, 1), (2, 2)]);
    assert_eq!(manifest(&folder)["traces"], 2);
    assert!(bench.run(&["runs", "verify", folder.to_str().unwrap()]).status.success());
}

#[test]
fn a_run_that_is_killed_while_it_repeats_a_sweep_repeats_it_when_it_is_taken_up() {
    let bench = Bench::new();
    // The third scan is the second sweep's other try.
    let simulator = simulate(&bench, &["--time-scale", "0.02", "--fault", "hang@sweep:3"]);
    bench.write("lamp.yaml", EVERY);
    let mut talk = Talk::to(&simulator.address);
    light(&mut talk);
    let mut run = watch(&bench, &["lamp.yaml", "--instrument", &simulator.address]);
    let started = run.wait_for(|event| event["event"] == "started");
    let folder = bench.folder.path().join(started["folder"].as_str().unwrap());
    run.wait_for(|event| event["event"] == "suspended");
    light(&mut talk);
    run.wait_for(|event| event["event"] == "step_started" && event["attempt"] == 2);
    // The scan is under way, and will not end.
    run.wait_for(|event| event["event"] == "progress" && event["activity"] == "sweep");
    run.signal("KILL");
    run.finish();
    let mut run = watch_program(&bench, &["resume", folder.to_str().unwrap()]);
    // The recipe has put the lamp out once more.
    run.wait_for(|event| event["event"] == "suspended");
    light(&mut talk);
    assert_eq!(run.finish().0, Some(0));
    assert_eq!(stored(&folder), [(1, 1), (2, 1), (2, 3), (2, 4)]);
    assert!(bench.run(&["runs", "verify", folder.to_str().unwrap()]).status.success());
}

#[test]
fn a_wait_is_interrupted_by_a_suspension_and_what_was_found_good_before_it_is_kept() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let text = EVERY.replace("every_s: 1000", "every_s: 0.2");
    let spoils = text.find("        - if:").unwrap()..text.find("suspend_when:").unwrap();
    let text = [&text[..spoils.start], "        - wait: { seconds: 3600 }\n", &text[spoils.end..]].concat();
    bench.write("lamp.yaml", &text);
    let mut talk = Talk::to(&simulator.address);
    light(&mut talk);
    let mut run = watch(&bench, &["lamp.yaml", "--instrument", &simulator.address]);
    let started = run.wait_for(|event| event["event"] == "started");
    let folder = bench.folder.path().join(started["folder"].as_str().unwrap());
    let waits = |event: &serde_json::Value| {
        event["event"] == "step_started" && event["step"]["place"]["path"] == "suspend_when.wait"
    };
    run.wait_for(waits);
    // Found good once more within the wait, so that what has been measured is safe.
    run.wait_for(waits);
    talk.send("CTP:RLAS2:POW 1DBM");
    run.wait_for(|event| event["event"] == "suspended");
    light(&mut talk);
    run.wait_for(|event| event["event"] == "suspension_over");
    run.wait_for(waits);
    run.signal("INT");
    assert_eq!(run.finish().0, Some(130));
    assert_eq!(stored(&folder), [(1, 1)]);
}

/// Runs a recipe that is not given the time to become good, and takes it up once in vain; gives what was stored by the
/// end, after `mend` has mended things.
fn goes_on_after_a_timeout(
    bench: &Bench,
    recipe: &str,
    address: &str,
    mend: impl FnOnce(),
) -> Vec<(u64, u64)> {
    bench.write("lamp.yaml", &recipe.replace("timeout_s: 60", "timeout_s: 0.3"));
    let output = bench.run(&["run", "lamp.yaml", "--instrument", address]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let folder = bench.run_folder(&output);
    assert!(manifest(&folder)["reason"].as_str().unwrap().contains("still cannot continue"));
    let resume = || bench.run(&["resume", folder.to_str().unwrap()]);
    // It fails as it did, and can go on all the same.
    let in_vain = resume();
    let said = text(&in_vain.stderr);
    assert!(in_vain.status.code() == Some(1) && said.contains("still cannot continue"), "{said}");
    mend();
    let output = resume();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(manifest(&folder)["taken_up"], 2);
    assert!(bench.run(&["runs", "verify", folder.to_str().unwrap()]).status.success());
    stored(&folder)
}

#[test]
fn a_run_that_failed_in_a_suspension_goes_on_with_its_sweep() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let mend = || light(&mut Talk::to(&simulator.address));
    let stored = goes_on_after_a_timeout(&bench, RECIPE, &simulator.address, mend);
    assert_eq!(stored, [(1, 3), (2, 1)]);
}

#[test]
fn a_run_that_was_judged_by_time_and_failed_goes_on_with_its_last_sweep() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    light(&mut Talk::to(&simulator.address));
    // The recipe puts its lamp out again each time; with the other one on that does not matter.
    let other = "    - scpi: { id: other, query: \"CTP:RLAS1:POW?\", effect: measure }\n  condition: '${!steps.other.reply.starts_with(\"3.0\") && ";
    let recipe = EVERY.replace("  condition: '${!steps", &format!("{other}!steps"));
    let mend = || {
        let mut talk = Talk::to(&simulator.address);
        talk.send("CTP:RLAS1:POW 3DBM");
        assert!(talk.ask("CTP:RLAS1:POW?").starts_with("3.0"));
    };
    let stored = goes_on_after_a_timeout(&bench, &recipe, &simulator.address, mend);
    // The first sweep was found good and is kept.
    assert_eq!(stored, [(1, 1), (2, 1), (2, 2), (2, 3)]);
}

/// The steps of `RECIPE`, with nothing that holds it.
fn plain_recipe() -> &'static str {
    RECIPE.split("suspend_when:").next().unwrap()
}

fn night() -> String {
    let suspension = &RECIPE[RECIPE.find("suspend_when:").unwrap()..];
    format!("name: night\nitems:\n  - recipe: plain.yaml\n  - recipe: own.yaml\n{suspension}")
}

#[test]
fn a_batch_suspends_the_recipes_that_do_not_say_themselves_when_and_so_does_their_resumption() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    bench.write("plain.yaml", plain_recipe());
    let own = RECIPE.replace("steps.lamp.reply.starts_with(\"3.0\")", "steps.lamp.reply.contains(\".\")");
    bench.write("own.yaml", &own);
    bench.write("night.yaml", &night().replace("timeout_s: 60", "timeout_s: 0.3"));
    let output = bench.run(&["batch", "night.yaml", "--instrument", &simulator.address]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let folders = bench.run_folders();
    let of =
        |item: u64| folders.iter().find(|path| manifest(path)["metadata"]["batch_item"] == item).unwrap();
    // The second has a condition of its own, which does not hold.
    assert_eq!((&manifest(of(1))["status"], &manifest(of(2))["status"]), (&"failed".into(), &"done".into()));
    let reason = manifest(of(1))["reason"].clone();
    assert!(reason.as_str().unwrap().starts_with("suspend_when:"), "{reason}");
    light(&mut Talk::to(&simulator.address));
    let output = bench.run(&["resume", of(1).to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert_eq!(stored(of(1)), [(1, 2), (2, 1)]);
}

#[test]
fn what_is_wrong_with_the_suspension_of_a_batch_is_shown_in_its_file() {
    let bench = Bench::new();
    bench.write("plain.yaml", plain_recipe());
    bench.write("own.yaml", RECIPE);
    for (written, instead, said, place) in [
        ("steps.lamp", "steps.limp", "no step before this one has the id `limp`", "night.yaml:9:"),
        ("effect: measure", "effect: guess", "guess", "night.yaml:8:"),
        ("for_s", "four_s", "unknown field `four_s`", "night.yaml:10:3"),
    ] {
        bench.write("night.yaml", &night().replace(written, instead));
        let output = bench.run(&["batch", "check", "night.yaml"]);
        let told = [text(&output.stdout), text(&output.stderr)].concat();
        assert!(!output.status.success() && told.contains(said) && told.contains(place), "{told}");
    }
    bench.write("night.yaml", &night());
    let output = bench.run(&["batch", "check", "night.yaml"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
}
