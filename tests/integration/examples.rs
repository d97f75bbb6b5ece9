//! Every shipped recipe and script runs to its end, and its files are whole.

use crate::probe_station::Station;
use crate::support::{Bench, manifest, shipped, simulate, text};

/// Values that keep long recipes short, and show the others where their bench is.
fn parameters(name: &str, station: &Station) -> Vec<String> {
    let set: &[(&str, &str)] = match name {
        "drift-monitor.yaml" => &[("turns", "2"), ("pause_s", "0.1")],
        "adaptive_stop.rhai" => &[("most", "4")],
        "die-map.yaml" => &[("station", &station.url(""))],
        "chip-night.yaml" => &[("stage", &station.url(""))],
        _ => &[],
    };
    set.iter().flat_map(|(name, value)| ["--set".to_owned(), format!("{name}={value}")]).collect()
}

/// The simulator that the recipe asks for: the tests give it one whose time runs faster.
fn simulator_options(recipe: &str) -> Vec<&str> {
    let after = |key: &str| recipe.find(key).map(|at| &recipe[at + key.len()..]);
    let dut = after("dut: ").unwrap().split([' ', ',', '\n']).next().unwrap().trim_matches('"');
    let lasers = after("lasers: [").map(|rest| rest.split(']').next().unwrap());
    let models = lasers.into_iter().flat_map(|models| models.split(", "));
    ["--dut", dut].into_iter().chain(models.flat_map(|model| ["--lasers", model])).collect()
}

/// The simulated instruments that a recipe can ask for beside the CTP10.
const INSTRUMENTS: [&str; 3] = ["smu", "switch", "thermostat"];

fn runs_whole(folder: &str) {
    for path in shipped(folder) {
        let bench = Bench::new();
        let name = path.file_name().unwrap().to_str().unwrap();
        let recipe = std::fs::read_to_string(&path).unwrap();
        let named: Vec<&str> =
            INSTRUMENTS.into_iter().filter(|name| recipe.contains(&format!("{name}: true"))).collect();
        let ports: Vec<String> = named.iter().map(|name| format!("--{name}")).collect();
        let mut options = simulator_options(&recipe);
        options.extend(ports.iter().flat_map(|port| [port, "127.0.0.1:0"]));
        options.extend(["--time-scale", "0.02"]);
        let simulator = simulate(&bench, &options);
        let station = Station::with_a_stage();
        let mut config = format!("allow_http = [\"{}\"]\n", station.address);
        for name in &named {
            let address = simulator.instrument(name);
            config += &format!(
                "[instruments.{name}]\naddress = \"{address}\"\nidentity = \"SIMULATED\"\nallow = [\"*\"]\n"
            );
        }
        bench.write("ctp10.toml", &config);
        let set = parameters(name, &station);
        let mut arguments = vec!["run", path.to_str().unwrap(), "--instrument", &simulator.address];
        arguments.extend(set.iter().map(String::as_str));
        // They are simulated by another process, which the program knows only by its addresses.
        arguments.extend(named.iter().flat_map(|name| ["--with-real", name]));
        let output = bench.run(&arguments);
        assert!(output.status.success(), "{name}: {}", text(&output.stderr));
        let folder = bench.run_folder(&output);
        let manifest = manifest(&folder);
        assert_eq!(manifest["status"], "done", "{name}");
        assert_eq!(manifest["instrument"]["simulated"], true, "{name}");
        assert!(manifest["traces"].as_u64().unwrap() > 0, "{name}");
        assert!(manifest["lasers_unknown"].as_array().unwrap().is_empty(), "{name}");
        let verified = bench.run(&["runs", "verify", folder.to_str().unwrap()]);
        assert!(verified.status.success(), "{name}: {}", text(&verified.stdout));
    }
}

#[test]
fn every_shipped_recipe_runs_and_leaves_whole_files() {
    assert!(shipped("recipes").len() >= 6);
    runs_whole("recipes");
}

#[test]
fn every_shipped_script_runs_and_leaves_whole_files() {
    assert!(shipped("scripts").len() >= 3);
    runs_whole("scripts");
}

#[test]
fn every_shipped_recipe_and_script_passes_a_strict_check_and_can_be_planned() {
    let bench = Bench::new();
    for path in shipped("recipes").into_iter().chain(shipped("scripts")) {
        let path = path.to_str().unwrap();
        let checked = bench.run(&["check", "--strict", path]);
        assert!(checked.status.success(), "{path}: {}", text(&checked.stderr));
        let planned = bench.run(&["plan", "--json", path]);
        assert!(planned.status.success(), "{path}: {}", text(&planned.stderr));
        let plan: serde_json::Value = serde_json::from_slice(&planned.stdout).unwrap();
        assert!(plan["total"]["points"].as_u64().unwrap() > 0, "{path}");
    }
}
