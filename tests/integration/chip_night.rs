//! A night on a chip: a stage with a REST API moves from device to device and drifts, the run is killed at random
//! moments, and the stage is somewhere else afterwards. No trace is of a device that was not coupled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::probe_station::{Answer, Asked, Station};
use crate::support::{Bench, Running, Talk, journal, manifest, simulate, text, until, watch_program};

/// The devices of the chip, in five rows.
const DEVICES: usize = 40;
/// The radius at which the loss of the coupling is 4.3 dB, µm.
const SPOT_UM: f64 = 4.0;
/// The loss while the stage moves, and beside the device.
const LOST_DB: f64 = 60.0;

/// A small generator: the same seed gives the same night.
struct Chance(u64);

impl Chance {
    /// A number from 0 to below 1.
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 11) as f64) / (1_u64 << 53) as f64
    }

    fn vector(&mut self, length: f64) -> [f64; 2] {
        let angle = self.next() * std::f64::consts::TAU;
        [length * angle.cos(), length * angle.sin()]
    }
}

/// A stage whose position is not quite what it was told, and the fibres on it.
struct Stage {
    /// Sets the loss of the simulated coupling.
    light: Talk,
    chance: Chance,
    /// Where it was told to go, which is a device.
    target: [f64; 2],
    /// How far the chip has moved since the stage was set up.
    drift: [f64; 2],
    /// What the last search has found of the drift.
    correction: [f64; 2],
    /// The tasks: what they do at their end, and the polls until then.
    tasks: BTreeMap<String, (Task, u32)>,
}

#[derive(Clone, Copy)]
enum Task {
    Move([f64; 2]),
    Search,
}

impl Stage {
    fn loss_db(&self) -> f64 {
        let [x, y] = [0, 1].map(|axis| self.drift[axis] - self.correction[axis]);
        (4.343 * (x * x + y * y) / (SPOT_UM * SPOT_UM)).min(LOST_DB)
    }

    fn shine(&mut self, loss_db: f64) {
        // The reply proves that the light has changed before the stage answers.
        self.light.send(&format!("SIM:COUP:LOSS {loss_db}"));
        let told: f64 = self.light.ask("SIM:COUP:LOSS?").parse().unwrap();
        assert!((told - loss_db).abs() < 1e-6, "{told} and not {loss_db}");
    }

    fn jump(&mut self, length: f64) {
        let [x, y] = self.chance.vector(length);
        self.drift = [self.drift[0] + x, self.drift[1] + y];
        let loss_db = self.loss_db();
        self.shine(loss_db);
    }

    fn answer(&mut self, number: usize, asked: &Asked) -> Answer {
        if let Some((_, id)) = asked.what.split_once("/tasks/") {
            let Some((task, polls)) = self.tasks.get_mut(id) else { return Answer::Json(404, Value::Null) };
            *polls = polls.saturating_sub(1);
            if *polls > 0 {
                return Answer::Json(200, json!({ "state": "running" }));
            }
            match *task {
                Task::Move(target) if self.target != target => {
                    self.target = target;
                    // A little further away with each move.
                    self.jump(0.7);
                }
                Task::Move(_) => {}
                Task::Search => self.correction = self.drift,
            }
            let loss_db = self.loss_db();
            self.shine(loss_db);
            return Answer::Json(200, json!({ "state": "done" }));
        }
        let task = match asked.what.as_str() {
            "POST /move" => Task::Move(["x_um", "y_um"].map(|axis| asked.json[axis].as_f64().unwrap())),
            "POST /search" => Task::Search,
            _ => return Answer::Json(404, Value::Null),
        };
        let id = format!("t{number}");
        self.tasks.insert(id.clone(), (task, 2));
        self.shine(LOST_DB);
        Answer::Json(202, json!({ "task_id": id }))
    }
}

struct Night {
    bench: Bench,
    simulator: Running,
    stage: Arc<Mutex<Stage>>,
    station: Station,
}

fn night(seed: u64) -> Night {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.005", "--dut", "loopback"]);
    let stage = Arc::new(Mutex::new(Stage {
        light: Talk::to(&simulator.address),
        chance: Chance(seed),
        target: [0.0; 2],
        drift: [0.0; 2],
        correction: [0.0; 2],
        tasks: BTreeMap::new(),
    }));
    let asked = Arc::clone(&stage);
    let station = Station::start(move |number, request| asked.lock().unwrap().answer(number, request));
    bench.write("ctp10.toml", &format!("allow_http = [\"{}\"]\n", station.address));
    let recipe =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/recipes/chip-night.yaml")).unwrap();
    bench.write("chip-night.yaml", &recipe.replace("interval_s: 0.1", "interval_s: 0.02"));
    let row = |index: usize| {
        let (x, y) = (250 * (index % 8), 127 * (index / 8));
        format!("D{},{x},{y},{},{}\n", index + 1, 12_000 + x, 5_000 + y)
    };
    let head = "id,x_um,y_um,stage_x_um,stage_y_um\n";
    let there: String = (0..DEVICES).map(row).collect();
    let back: String = (0..DEVICES).rev().map(row).collect();
    bench.write("chip-night.csv", &format!("{head}{there}"));
    bench.write("chip-night-back.csv", &format!("{head}{back}"));
    Night { bench, simulator, stage, station }
}

impl Night {
    fn arguments(&self) -> Vec<String> {
        let stage = format!("stage={}", self.station.url(""));
        [
            "run",
            "chip-night.yaml",
            "--instrument",
            &self.simulator.address,
            "--set",
            &stage,
            "--set",
            "least_dbm=-13",
        ]
        .map(str::to_owned)
        .to_vec()
    }

    /// The traces of a run, each with its name, its direction and its highest level.
    fn traces(&self) -> Vec<(String, f64)> {
        let folder = self.bench.only_run();
        let records = journal(&folder);
        let mut traces = BTreeMap::new();
        for record in &records {
            match record["event"].as_str() {
                Some("trace_stored") => {
                    let trace = &record["trace"];
                    let level = trace["max"]["value"].as_f64().unwrap();
                    traces.insert(trace["file"].to_string(), (trace["name"].to_string(), level));
                }
                Some("trace_withdrawn") => drop(traces.remove(&record["file"].to_string())),
                _ => {}
            }
        }
        traces.into_values().collect()
    }

    fn check(&self) {
        assert_eq!(manifest(&self.bench.only_run())["status"], "done");
        let traces = self.traces();
        let names: BTreeSet<&String> = traces.iter().map(|(name, _)| name).collect();
        assert_eq!((names.len(), traces.len()), (DEVICES, 2 * DEVICES), "each device once in each direction");
        let best = traces.iter().map(|(_, level)| *level).fold(f64::MIN, f64::max);
        for (name, level) in &traces {
            assert!(level > &(best - 2.5), "{name} was not coupled: {level} dB, and the best {best} dB");
        }
        let folder = self.bench.only_run();
        assert!(self.bench.run(&["runs", "verify", folder.to_str().unwrap()]).status.success());
    }
}

#[test]
fn a_chip_night_aligns_where_it_is_needed_and_every_trace_is_of_a_coupled_device() {
    let night = night(1);
    let arguments = night.arguments();
    let output = night.bench.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(output.status.success(), "{}", text(&output.stderr));
    night.check();
    let searches = night.station.said().iter().filter(|said| *said == "POST /search").count();
    // Every fifth turn of each direction, and some more because of the drift, but by far not every turn.
    assert!((2 * DEVICES / 5..DEVICES).contains(&searches), "{searches} searches");
}

#[test]
fn a_chip_night_that_is_killed_again_and_again_has_the_same_traces_and_none_is_uncoupled() {
    let thorough = std::env::var_os("CTP10_TEST_THOROUGH").is_some();
    let kills = if thorough { 50 } else { 4 };
    let night = night(2);
    let mut chance = Chance(3);
    let mut arguments = night.arguments();
    for kill in 0..kills {
        let given: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let mut run = watch_program(&night.bench, &given);
        // Nobody is there to say whether an interrupted question was answered, so the first kill comes after it.
        let has_begun = |event: &Value| {
            event["event"] == "step_started" && (kill > 0 || event["step"]["operation"]["http"].is_object())
        };
        run.wait_for(has_begun);
        let most = if thorough { 60.0 } else { 500.0 };
        for _ in 0..(chance.next() * most) as usize {
            run.wait_for(|event| event["event"].is_string());
        }
        run.signal("KILL");
        run.finish();
        let mut talk = Talk::to(&night.simulator.address);
        until(&format!("the laser is off after kill {kill}"), || talk.ask("CTP:RLAS1:POW:STAT?") == "0");
        talk.wait_until_idle();
        // Overnight, somebody leans on the table.
        night.stage.lock().unwrap().jump(15.0);
        arguments = vec!["resume".to_owned(), night.bench.only_run().to_str().unwrap().to_owned()];
    }
    let output = night.bench.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(output.status.success(), "{}", text(&output.stderr));
    night.check();
}

#[test]
fn a_device_that_moved_while_the_run_was_interrupted_is_aligned_again_before_its_sweep() {
    let night = night(4);
    let gate = crate::probe_station::Gate::new(&night.bench, 0);
    let recipe = std::fs::read_to_string(night.bench.folder.path().join("chip-night.yaml")).unwrap();
    let sweep = "        - sweep: {";
    assert!(recipe.contains(sweep));
    night
        .bench
        .write("chip-night.yaml", &recipe.replace(sweep, &format!("        - {}\n{sweep}", gate.step())));
    let arguments = night.arguments();
    let run = watch_program(&night.bench, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    // The first device is aligned, and not measured yet.
    gate.wait_for(1);
    run.signal("KILL");
    run.finish();
    gate.open();
    night.stage.lock().unwrap().jump(15.0);
    let folder = night.bench.only_run();
    let output = night.bench.run(&["resume", folder.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    night.check();
    let again = |record: &&Value| {
        let path = record["step"]["place"]["path"].as_str().unwrap_or_default();
        record["event"] == "step_started" && path.contains(".align.again.")
    };
    assert_eq!(journal(&folder).iter().filter(again).count(), 1);
}

#[test]
fn a_sweep_that_relies_on_an_alignment_of_an_included_recipe_is_not_made_of_a_device_that_has_moved() {
    for has_moved in [false, true] {
        let night = night(5);
        let gate = crate::probe_station::Gate::new(&night.bench, 0);
        night.bench.write(
            "couple.yaml",
            "name: couple
steps:
  - align: { detector: 4/1, laser: 1, wavelength_nm: 1552, power_dbm: 0, good: { at_least_dbm: -13 } }
",
        );
        night.bench.write(
            "chip.yaml",
            &format!(
                "name: chip
steps:
  - configure_tls: {{ tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 100, power_dbm: 5 }}
  - configure_scan: {{ start_nm: 1550, stop_nm: 1554, resolution_pm: 10 }}
  - configure_detector: {{ detector: 4/1, power_unit: dBm }}
  - run_recipe: {{ path: couple.yaml }}
  - configure_laser: {{ laser: 1, power_dbm: 3, wavelength_nm: 1551, output: false }}
  - {}
  - sweep:
  - fetch_trace: {{ detector: 4/1, trace: raw, name: chip }}
",
                gate.step()
            ),
        );
        night.stage.lock().unwrap().shine(0.0);
        let run =
            watch_program(&night.bench, &["run", "chip.yaml", "--instrument", &night.simulator.address]);
        gate.wait_for(1);
        run.signal("KILL");
        run.finish();
        gate.open();
        if has_moved {
            night.stage.lock().unwrap().shine(LOST_DB);
        }
        let folder = night.bench.only_run();
        let output = night.bench.run(&["resume", folder.to_str().unwrap()]);
        let said = text(&output.stderr);
        assert_eq!(output.status.success(), !has_moved, "{said}");
        assert_eq!(said.contains("is no longer aligned since the run was interrupted"), has_moved, "{said}");
        let traces = journal(&folder).iter().filter(|record| record["event"] == "trace_stored").count();
        assert_eq!(traces, usize::from(!has_moved));
    }
}
