//! The clock of the computer is set while a run measures. Durations do not depend on this clock.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::batch::FAILS;
use crate::probe_station::Gate;
use crate::support::{Bench, Running, Talk, Watched, journal, simulate, watch_command};

/// Moves the wall clock of a program by the seconds in a file.
const SHIFT: &str = r#"
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
int clock_gettime(clockid_t clock, struct timespec *now) {
    int done = syscall(SYS_clock_gettime, clock, now);
    char text[32] = {0};
    int file = open(getenv("CLOCK_SHIFT"), O_RDONLY);
    if (file >= 0) {
        if (read(file, text, 31) > 0 && done == 0 && clock == CLOCK_REALTIME) now->tv_sec += atol(text);
        close(file);
    }
    return done;
}
"#;

struct Scene {
    bench: Bench,
    simulator: Running,
}

impl Scene {
    /// `None` without a C compiler, or on a system where a program cannot get another clock in this way.
    fn new() -> Option<Self> {
        let bench = Bench::new();
        let source = bench.write("shift.c", SHIFT);
        let library = bench.folder.path().join("shift.so");
        let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status();
        if !cfg!(target_os = "linux") || !compiled.is_ok_and(|status| status.success()) {
            eprintln!("skipped: it needs Linux and a C compiler");
            return None;
        }
        let simulator = simulate(&bench, &["--time-scale", "0.02"]);
        Some(Self { bench, simulator })
    }

    fn watch(&self, arguments: &[&str]) -> Watched {
        let mut command = self.bench.command(&[&["--log-format", "json"], arguments].concat());
        command.env("LD_PRELOAD", self.bench.folder.path().join("shift.so"));
        watch_command({
            command.env("CLOCK_SHIFT", self.bench.folder.path().join("shift"));
            command
        })
    }

    fn run(&self, recipe: &str) -> Watched {
        self.bench.write("r.yaml", recipe);
        self.watch(&["run", "r.yaml", "--instrument", &self.simulator.address])
    }

    fn shift(&self, seconds: i64) {
        // A file gets its content at once, so that no reader sees half of it.
        let part = self.bench.write("shift.part", &seconds.to_string());
        std::fs::rename(part, self.bench.folder.path().join("shift")).unwrap();
    }

    /// The second laser, which no recipe here touches, decides whether a run may continue.
    fn light(&self, dbm: u32) {
        let mut talk = Talk::to(&self.simulator.address);
        talk.send(&format!("CTP:RLAS2:POW {dbm}DBM"));
        assert!(talk.ask("CTP:RLAS2:POW?").starts_with(&format!("{dbm}.0")));
    }
}

fn is(event: &Value, name: &str) -> bool {
    event["event"] == name
}

/// Waits until the recipe has checked the laser once more, from beginning to end.
fn wait_for_probes(run: &mut Watched, count: usize) {
    for _ in 0..count {
        let probe = |event: &Value| {
            is(event, "step_started") && event["step"]["place"]["path"] == "suspend_when.probe[0]"
        };
        run.wait_for(probe);
    }
}

fn recorded(folder: &Path) -> Vec<f64> {
    let mut times = Vec::new();
    for record in journal(folder).iter().filter(|record| is(record, "power_stored")) {
        let segment = serde_json::from_value(record.clone()).unwrap();
        ctp10::store::read_power(folder, &segment, &mut |row| times.push(row.time_s)).unwrap();
    }
    times
}

#[test]
fn power_is_recorded_while_the_clock_is_set_back_and_the_journal_says_so() {
    let Some(scene) = Scene::new() else { return };
    let gate = Gate::new(&scene.bench, 0);
    let mut run = scene.run(&format!(
        "name: rec\nrecord_power: {{ detectors: [4/1], interval_s: 0.05 }}\nsteps:\n  - wait: 0.5\n  - {}\n",
        gate.step()
    ));
    let started = run.wait_for(|event| is(event, "started"));
    gate.wait_for(1);
    scene.shift(-3600);
    let warned = run.wait_for(|event| is(event, "warning"));
    let message = warned["message"].as_str().unwrap();
    assert!(message.contains("the clock of this computer was set back by 1 h"), "{message}");
    gate.open();
    assert_eq!(run.finish().0, Some(0));
    let times = recorded(&scene.bench.folder.path().join(started["folder"].as_str().unwrap()));
    let steps: Vec<f64> = times.windows(2).map(|pair| pair[1] - pair[0]).filter(|step| *step < 0.0).collect();
    assert!(steps.len() == 1 && (steps[0] + 3600.0).abs() < 60.0, "{steps:?}");
    // The warning comes after up to five seconds, in which the power was recorded.
    let after = times.iter().filter(|time| **time < times[0]).count();
    assert!(after > 1, "{after} of {}", times.len());
}

/// Measures only while laser 2 is set to 3 dBm.
const SUSPENDED: &str = "
name: lamp
steps:
  - sweep: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
suspend_when:
  after: sweep
  probe:
    - scpi: { id: lamp, query: \"CTP:RLAS2:POW?\", effect: measure }
  condition: '${!steps.lamp.reply.starts_with(\"3.0\")}'
  probe_every_s: 0.1
  settle_s: SETTLE
  timeout_s: 7200
";

#[test]
fn a_clock_that_is_set_ends_no_suspension_and_lets_no_bench_settle() {
    let Some(scene) = Scene::new() else { return };
    let mut run = scene.run(&SUSPENDED.replace("SETTLE", "3600"));
    run.wait_for(|event| is(event, "suspended"));
    wait_for_probes(&mut run, 2);
    scene.shift(10_000);
    wait_for_probes(&mut run, 3);
    scene.light(3);
    wait_for_probes(&mut run, 3);
    scene.shift(20_000);
    // The bench is good, and has not been for an hour.
    wait_for_probes(&mut run, 3);
    run.signal("INT");
    assert_eq!(run.finish().0, Some(130));
    let records = journal(&scene.bench.only_run());
    assert!(!records.iter().any(|record| is(record, "suspension_over")));
}

#[test]
fn a_clock_that_is_set_back_does_not_delay_the_end_of_a_suspension() {
    let Some(scene) = Scene::new() else { return };
    let mut run = scene.run(&SUSPENDED.replace("SETTLE", "0.5"));
    run.wait_for(|event| is(event, "suspended"));
    scene.light(3);
    wait_for_probes(&mut run, 2);
    scene.shift(-10_000);
    run.wait_for(|event| is(event, "suspension_over"));
    assert_eq!(run.finish().0, Some(0));
}

#[test]
fn a_clock_that_is_set_back_does_not_delay_the_repetition_of_an_item() {
    let Some(scene) = Scene::new() else { return };
    scene.bench.write("fails.yaml", FAILS);
    let item = "{ recipe: fails.yaml, retry: { times: 1, backoff_s: 5 } }";
    scene.bench.write("night.yaml", &format!("name: night\nitems: [ {item} ]\n"));
    let mut batch = scene.watch(&["batch", "night.yaml", "--instrument", &scene.simulator.address]);
    batch.wait_for(|event| is(event, "item_ended") && event["state"] == "queued");
    scene.shift(-10_000);
    batch.wait_for(|event| is(event, "item_ended") && event["state"] == "failed");
    assert_eq!(batch.finish().0, Some(1));
}
