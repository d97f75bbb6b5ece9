//! One sample of each operation (`tests/operations.json`) through the whole program.

use std::collections::BTreeMap;

use ctp10::operation::Operation;
use ctp10::step::read;
use serde_json::{Map, Value, json};

use crate::support::{Bench, journal, simulate, text};

const SAMPLES: &str = include_str!("../operations.json");

/// The operations with their fields, in the order of the vocabulary.
fn samples() -> Vec<(&'static str, Value)> {
    let samples: Map<String, Value> = serde_json::from_str(SAMPLES).unwrap();
    let sample = |name: &&'static str| {
        let fields =
            samples.get(*name).unwrap_or_else(|| panic!("`{name}` needs a sample in tests/operations.json"));
        (*name, fields.clone())
    };
    Operation::NAMES.iter().map(sample).collect()
}

/// A recipe with a step for each sample, whose `id` is the name of the operation.
fn recipe(samples: &[(&'static str, Value)]) -> String {
    let step = |(name, fields): &(&'static str, Value)| {
        let mut fields = fields.clone();
        fields["id"] = json!(name);
        json!({ *name: fields })
    };
    json!({ "name": "all", "steps": samples.iter().map(step).collect::<Vec<_>>() }).to_string()
}

#[test]
fn every_operation_is_planned_and_documented() {
    let bench = Bench::new();
    bench.write("all.yaml", &recipe(&samples()));
    let output = bench.run(&["plan", "all.yaml", "--json"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let plan: Value = serde_json::from_slice(&output.stdout).unwrap();
    let steps = plan["steps"].as_array().unwrap();
    let reference = std::fs::read_to_string("docs/recipe-reference.md").unwrap();
    let schema: Value =
        serde_json::from_str(&std::fs::read_to_string("docs/recipe.schema.json").unwrap()).unwrap();
    for (name, _) in samples() {
        assert!(steps.iter().any(|step| step["operation"].get(name).is_some()), "`{name}` is not planned");
        let documented = reference.contains(&format!("### {name}\n")) && !schema["$defs"][name].is_null();
        assert!(
            documented,
            "`{name}` is not in docs/: run `UPDATE_DOCS=1 cargo test --lib the_committed_reference`"
        );
    }
}

#[test]
fn the_simulator_performs_every_operation_and_what_is_set_is_read_back() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--preload"]);
    // Requests need another instrument: `http.rs` tests them.
    let samples: Vec<_> = samples().into_iter().filter(|(name, _)| *name != "http").collect();
    bench.write("all.yaml", &recipe(&samples));
    let output = bench.run(&["run", "all.yaml", "--instrument", &simulator.address, "--unattended"]);
    let said = text(&output.stderr);
    assert!(
        output.status.success(),
        "an operation fails on the simulator: see src/simulator/headers.rs and src/simulator/commands: {said}"
    );
    let records = journal(&bench.run_folder(&output));
    let finished: Vec<&Value> = records.iter().filter(|record| record["event"] == "step_finished").collect();
    let mut read_back = Vec::new();
    for ((name, fields), record) in samples.iter().zip(finished) {
        let settings =
            record["outcome"]["value"].as_object().filter(|_| record["outcome"]["kind"] == "settings");
        let Some(found) = settings else { continue };
        read_back.push(*name);
        let (operation, _) = read(name, fields, &BTreeMap::new()).unwrap();
        for (field, value) in json!(operation)[*name].as_object().unwrap() {
            // The number of the laser, TLS or detector is no setting.
            let Some(found) = found.get(field) else { continue };
            match (found.as_f64(), value.as_f64()) {
                (Some(found), Some(value)) => {
                    assert_eq!(found, value, "`{field}` of `{name}` reads back as {found}");
                }
                _ => assert_eq!(found, value, "`{field}` of `{name}` reads back as {found}"),
            }
        }
    }
    for name in ["configure_laser", "configure_tls", "configure_scan", "configure_detector"] {
        assert!(read_back.contains(&name), "`{name}` reads nothing back: {read_back:?}");
    }
}
