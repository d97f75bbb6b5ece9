//! Recipes as a user meets them: what runs, in which order, and what is said about one that is wrong.

use std::fs;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

mod align;
mod bench;
mod expressions;
mod flow;
mod habits;
mod large;
mod times;
mod words;

use super::*;
use crate::operation::Operation;
use crate::operation::samples::samples;
use crate::step::FaultKind;
use crate::step::recorder::Recorder;

fn recipe(text: &str) -> Recipe {
    let set = [];
    Recipe::from_text("r.yaml", text, None, &set).unwrap_or_else(|found| panic!("{}", shown(&found)))
}

fn shown(found: &[Diagnostic]) -> String {
    found.iter().map(|finding| format!("{finding}\n\n")).collect()
}

/// What a recipe with these steps is refused with.
fn refused(text: &str) -> String {
    shown(&Recipe::from_text("r.yaml", text, None, &[]).expect_err(text))
}

/// Performs the steps (and what else is in `text` at the top) of a recipe.
fn perform(text: &str) -> (Arc<Recorder>, Result<(), Fault>) {
    let host = Recorder::shared();
    let ended = recipe(&format!("name: t\n{text}")).perform(host.clone());
    assert!(host.finally.load(Ordering::SeqCst), "finally always begins");
    (host, ended)
}

fn told(text: &str) -> Vec<String> {
    let (host, ended) = perform(text);
    ended.unwrap_or_else(|fault| panic!("{fault}"));
    host.performed()
}

#[test]
fn every_operation_is_reachable_from_yaml_and_from_rhai_and_is_the_same() {
    for (name, fields) in samples() {
        let header = "recipe(#{ name: \"t\" });\n";
        // JSON is YAML; with `#` before its braces it is Rhai.
        let yaml = format!("name: t\nsteps: [{{ \"{name}\": {fields} }}]\n");
        let rhai = format!("{header}{name}({});", fields.to_string().replace('{', "#{"));
        // Expressions take the way through evaluation.
        let evaluated = format!(
            "name: t\nsteps:\n  - set: {{ nothing: 0 }}\n  - {name}: {}\n",
            json!({ "on_error": "${\"stop\"}" }).as_object().map_or(Value::Null, |more| {
                let mut fields = fields.clone();
                fields.as_object_mut().unwrap().extend(more.clone());
                fields
            })
        );
        let steps: Vec<_> = [("r.yaml", yaml), ("r.rhai", rhai), ("r.yaml", evaluated)]
            .into_iter()
            .map(|(file, text)| {
                let recipe = Recipe::from_text(file, &text, None, &[]);
                let host = Recorder::shared();
                recipe
                    .unwrap_or_else(|found| panic!("{text}\n{}", shown(&found)))
                    .perform(host.clone())
                    .unwrap();
                // An alignment consists of several steps.
                host.steps().into_iter().find(|step| step.operation.name() == name).unwrap()
            })
            .collect();
        assert_eq!(steps[0].operation.name(), name);
        assert_eq!(steps[0].operation, steps[1].operation);
        assert_eq!(steps[0].options, steps[1].options);
        assert_eq!(steps[0].operation, steps[2].operation);
    }
}

#[test]
fn the_recipe_that_shows_the_language_runs() {
    let text = r#"
name: ring-power-series            # [a-z0-9-]+
description: Through and drop port of a ring at three powers.
instrument: sim
simulator: { dut: ring }
parameters:
  top_dbm: { default: 5, min: -10, max: 10, unit: dBm, description: highest laser power }
detectors: { through: 4/1, drop: 4/2 }
metadata: { wafer: W12, die: "3,4" }
record_power: { detectors: [4/1, drop], interval_s: 0.1 }
steps:
  - configure_tls:  { tls: 1, laser: 1, speed_nm_s: 50, power_dbm: 5 }
  - configure_detector: { detector: through, power_unit: dBm, wavelength_nm: 1550 }
  - create_reference: { detector: through, connect: "patch cord from OUT to IN1", max_age_min: 720 }
  - prompt: { message: "Connect the device.", unattended: continue }
  - repeat:
      for: power
      in: [-5, 0, "${top_dbm}"]
      steps:
        - configure_tls: { tls: 1, power_dbm: "${power}" }
        - sweep: { retry: { times: 2, backoff_s: 5 }, timeout_s: 120 }
        - fetch_trace: { detectors: [through, drop], traces: [tf, raw], name: "ring_${power}dBm" }
finally:
  - configure_laser: { laser: 1, output: false }
"#;
    let set = [("top_dbm".to_owned(), Given::Text("6.5".to_owned()))];
    let recipe =
        Recipe::from_text("r.yaml", text, None, &set).unwrap_or_else(|found| panic!("{}", shown(&found)));
    assert_eq!(recipe.header().record_power.as_ref().unwrap().detectors[1].to_string(), "4/2");
    let host = Recorder::shared();
    recipe.perform(host.clone()).unwrap();
    let steps = host.steps();
    assert_eq!(steps.len(), 4 + 3 * 3 + 1);
    let Operation::FetchTrace(fetch) = &steps[12].operation else { panic!("{:?}", steps[12]) };
    assert_eq!(fetch.name.as_deref(), Some("ring_6.5dBm"));
    assert_eq!(steps[13].place.path, "finally[0]");
}

#[test]
fn the_script_that_shows_the_language_runs() {
    let text = r#"
recipe(#{ name: "find-resonance", description: "Coarse, then fine.", instrument: "sim" });
let start_nm = parameter("start_nm", 1520, #{ min: 1240, max: 1520, unit: "nm" });
finally(|| configure_laser(#{ laser: 1, output: false }));
configure_scan(#{ start_nm: start_nm, stop_nm: start_nm + 60, resolution_pm: 10 });
create_reference(#{ detector: "4/1", connect: "patch cord from OUT to IN1", max_age_min: 720 });
prompt(#{ message: "Connect the device.", unattended: "continue" });
sweep();
let coarse = fetch_trace(#{ detector: "4/1", trace: "tf", name: "coarse" });
let dip = coarse.min_nm();
configure_scan(#{ start_nm: dip - 0.5, stop_nm: dip + 0.5, resolution_pm: 0.1 });
sweep();
fetch_trace(#{ detector: "4/1", trace: "tf", name: "fine" });
"#;
    let recipe =
        Recipe::from_text("f.rhai", text, None, &[]).unwrap_or_else(|found| panic!("{}", shown(&found)));
    assert_eq!(recipe.parameters()["start_nm"], json!(1520));
    let host = Recorder::shared();
    recipe.perform(host.clone()).unwrap();
    let steps = host.steps();
    assert_eq!(steps.len(), 9);
    let Operation::ConfigureScan(scan) = &steps[5].operation else { panic!("{:?}", steps[5]) };
    assert_eq!(scan.start_nm.unwrap().get(), 1549.5);
    assert_eq!(steps[8].operation.name(), "configure_laser");
}

#[test]
fn shorthands_are_complete_operations_in_both_languages() {
    let yaml = recipe("name: t\nsteps: [{ sweep: }, { log: hello }, { wait: 5 }]\n");
    let rhai = "recipe(#{ name: \"t\" }); sweep(); log(\"hello\"); wait(5);";
    let rhai = Recipe::from_text("r.rhai", rhai, None, &[]).unwrap();
    let operations = [yaml, rhai].map(|recipe| {
        let host = Recorder::shared();
        recipe.perform(host.clone()).unwrap();
        host.steps().into_iter().map(|step| step.operation).collect::<Vec<_>>()
    });
    assert_eq!(operations[0], operations[1]);
    assert_eq!(operations[0].len(), 3);
}

#[test]
fn no_operation_field_or_declaration_is_a_word_that_rhai_reserves() {
    let mut words: Vec<String> = Operation::NAMES.iter().map(ToString::to_string).collect();
    for (_, schema) in Operation::schemas() {
        words.extend(schema.as_value()["properties"].as_object().unwrap().keys().cloned());
    }
    words.extend(crate::step::StepOptions::NAMES.map(str::to_owned));
    words.extend(crate::decode::fields::<Header>());
    words.extend(crate::decode::fields::<crate::declarations::RecordPower>());
    words.extend(crate::decode::fields::<crate::step::Retry>());
    words.extend(crate::decode::fields::<crate::operation::Stable>());
    words.extend(crate::decode::fields::<crate::operation::Poll>());
    let parameter = crate::decode::fields::<crate::declarations::Parameter>();
    // A script gives the default as an argument, and never as a key.
    words.extend(parameter.into_iter().filter(|word| word != "default"));
    for word in words {
        assert!(crate::script::is_free_word(&word), "`{word}` is reserved");
        let map = format!("recipe(#{{ name: \"t\" }}); let m = #{{ {word}: 1 }}; m.{word} == 1");
        Recipe::from_text("r.rhai", &map, None, &[])
            .unwrap_or_else(|found| panic!("{word}: {}", shown(&found)));
    }
    assert!(!crate::script::is_free_word("default"));
}

/// A folder with the files given.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

#[test]
fn a_recipe_can_run_others_and_their_endings_are_never_lost() {
    let files = [
        (
            "main.yaml",
            "name: main\nsteps:\n  - set: { a: 7 }\n  - repeat: { for: p, in: [1], steps: [{ run_recipe: { path: sub/inner.yaml, set: { n: \"${a}\", text: STOP } } }] }\n  - run_recipe: { path: sub/last.rhai, set: { k: 3 } }\nfinally: [{ log: outermost }]\n",
        ),
        (
            "sub/inner.yaml",
            "name: inner\nparameters: { n: { default: 1, max: 9 }, text: { default: x } }\nsteps:\n  - log: \"n=${n}\"\n  - script: deep.rhai\n  - log: \"${text}\"\nfinally: [{ log: inner }]\n",
        ),
        ("sub/deep.rhai", "log(`deep ${n}`);"),
        (
            "sub/last.rhai",
            "recipe(#{ name: \"last\" }); let k = parameter(\"k\", 1); finally(|| log(\"script\")); log(`k=${k}`);",
        ),
    ];
    let fine = folder(
        &files
            .map(|(name, text)| (name, text.replace("STOP", "go")))
            .each_ref()
            .map(|(n, t)| (*n, t.as_str())),
    );
    let loaded =
        Recipe::load(&fine.path().join("main.yaml"), &[]).unwrap_or_else(|found| panic!("{}", shown(&found)));
    let names: Vec<&str> = loaded.sources().iter().skip(1).map(|source| source.name.as_str()).collect();
    assert_eq!(names, ["sub/inner.yaml", "sub/deep.rhai", "sub/last.rhai"]);
    let host = Recorder::shared();
    loaded.perform(host.clone()).unwrap();
    assert_eq!(host.performed(), ["n=7", "deep 7", "go", "inner", "k=3", "script", "outermost"]);
    let steps = host.steps();
    assert_eq!(steps[1].place.path, "steps[1].repeat.steps[0].run_recipe.steps[1].script.call[1]");
    assert_eq!(steps[1].place.to_string(), "sub/deep.rhai:1:1");
    assert_eq!(steps[4].place.path, "steps[2].run_recipe.call[1]");

    let stopped = folder(
        &files
            .map(|(name, text)| (name, text.replace("STOP", "stop")))
            .each_ref()
            .map(|(n, t)| (*n, t.as_str())),
    );
    let host = Recorder::shared();
    let ended = Recipe::load(&stopped.path().join("main.yaml"), &[]).unwrap().perform(host.clone());
    assert_eq!(ended.unwrap_err().kind, FaultKind::Stopped);
    assert_eq!(host.performed(), ["n=7", "deep 7", "inner", "outermost"]);
}

#[test]
fn what_a_recipe_includes_stays_in_its_folder_and_ends() {
    let files = folder(&[
        ("secret.rhai", "log(\"out\")"),
        ("in/a.yaml", "name: a\nsteps:\n  - run_recipe: { path: b.yaml }\n"),
        ("in/b.yaml", "name: b\nsteps:\n  - run_recipe: { path: a.yaml }\n"),
        ("in/out.yaml", "name: a\nsteps:\n  - script: ../secret.rhai\n  - script: missing.rhai\n"),
        ("in/link.yaml", "name: a\nsteps:\n  - script: link.rhai\n"),
        ("in/absolute.yaml", "name: a\nsteps:\n  - script: /etc/passwd.rhai\n"),
        ("in/set.yaml", "name: a\nsteps:\n  - run_recipe: { path: c.yaml, set: { m: 4, k: 1 } }\n"),
        (
            "in/set2.yaml",
            "name: a\nsteps:\n  - run_recipe: { path: c.yaml, set: { m: 4 } }\n  - run_recipe: { path: c.yaml, set: { mm: \"${1}\" } }\n",
        ),
        (
            "in/c.yaml",
            "name: c\ninstrument: sim\nparameters: { m: { default: 1, max: 3 } }\nsteps: [{ sweep: }]\n",
        ),
        ("in/warned.yaml", "name: a\nsteps:\n  - run_recipe: { path: c.yaml }\n"),
        (
            "in/twice.yaml",
            "name: a\nsteps:\n  - repeat: { for: p, in: [1], steps: [{ run_recipe: { path: loop.yaml } }] }\n",
        ),
        ("in/loop.yaml", "name: l\nsteps:\n  - repeat: { for: p, in: [1], steps: [{ sweep: }] }\n"),
    ]);
    #[cfg(unix)]
    std::os::unix::fs::symlink(files.path().join("secret.rhai"), files.path().join("in/link.rhai")).unwrap();
    let mut all = String::new();
    for name in ["a", "out", "link", "set", "set2", "twice"] {
        let found = Recipe::load(&files.path().join(format!("in/{name}.yaml")), &[]).expect_err(name);
        all += &format!("--- {name}\n{}", shown(&found));
    }
    let warned = Recipe::load(&files.path().join("in/warned.yaml"), &[]).unwrap();
    all += &format!("--- warned\n{}", shown(warned.diagnostics()));
    let root = files.path().display().to_string();
    insta::assert_snapshot!(all.replace(&root, "FOLDER"));
}

#[test]
fn what_is_wrong_with_a_recipe_is_said_with_its_place() {
    let mut all = String::new();
    let texts = [
        "- sweep\n",
        "name: Ring A\ninstrument: somewhere\nsimulator: ring\ndetectors: { through: 4/9 }\nsteps: 5\n",
        "name: a/b\nnme: x\nrecord_power: { detectors: [trough], interval: 1 }\ndetectors: { through: 4/1 }\n",
        "name: t\ninstrument: 10.0.0.1:5025\nsimulator: { dut: ring }\nsteps: []\n",
        "name: t\nparameters:\n  top_dbm: { default: 50, min: -10, max: 10, unit: dBm }\n  low: 5\n  module: { default: 1 }\n  until: { default: 1 }\n  a: { defalt: 1 }\nsteps: []\n",
        "name: t\nsteps:\n  - swep: {}\n  - sweep: {}\n    timeout_s: 5\n  - sweep\n  - [sweep]\n",
        "name: t\ndetectors: { through: 4/1 }\nsteps:\n  - configure_tls: { tls: 1, power_dbm: 40 }\n  - configure_scan: { start_nm: 1560, stop_nm: 1550 }\n  - configure_scan: { resolution_pm: 1.5, speed: 3 }\n  - fetch_trace: { detector: trough, trace: tf }\n  - fetch_trace: { detector: through, trace: tff }\n  - fetch_trace: { trace: tf }\n  - fetch_trace: { detector: through, trace: tf, name: a/b }\n  - configure_laser: { laser: 1, output: }\n  - sweep: { retyr: { times: 2 } }\n  - sweep: { retry: { times: 2, pause_s: 1 } }\n  - sweep: { retry: 3 }\n  - wait: { at: 22:00, seconds: 4 }\n  - wait: { at: 25:00 }\n  - scpi: { command: '*IDN?' }\n",
        "name: t\nparameters: { power: { default: 1 } }\nsteps:\n  - configure_tls: { tls: 9, power_dbm: \"${powr}\", start_nm: 1 }\n  - configure_tls: { tls: \"${1}\", powr: \"${power}\" }\n  - wait: { stable: { detector: \"${'4'}\", within_dB: 1, for_s: -1 } }\n  - fetch_trace: { detectors: [\"${'4/1'}\", 4/99], trace: tf, retry: { times: -1 } }\n  - log: \"ring ${power\"\n  - log: \"${1 +}\"\n",
        "name: t\nsteps:\n  - sweep: { id: a-b }\n  - sweep: { id: f }\n  - sweep: { id: f }\n  - sweep: { id: \"${1}\" }\n  - log: \"${steps.g.min} ${steps.ff.min}\"\n  - sweep: { id: g }\n",
        "name: t\nparameters: { power: { default: 1 } }\nsteps:\n  - repeat: { for: power, in: [1], steps: [] }\n  - repeat: { for: value, in: [1], steps: [] }\n  - repeat: { for: 'a b', in: [1], steps: [] }\n  - repeat: { for: steps, in: [1], steps: [] }\n  - repeat: { for: p, in: [1], times: 2, steps: [] }\n  - repeat: { for: p, steps: [] }\n  - repeat: { in: [1], steps: [] }\n  - repeat: { times: 2 }\n  - repeat: { for: p, times: 2, steps: [] }\n  - repeat: { for: p, from: 1, to: 2, step: 0, steps: [] }\n  - repeat: { for: p, from: 1, to: 2, step: -1, steps: [] }\n  - repeat: { for: p, from: 1, to: 2, steps: [] }\n  - repeat: { for: p, from: 0, to: 1e6, step: 0.001, steps: [] }\n  - repeat: { for: p, in: [[1]], steps: [] }\n  - repeat: { for: p, in: [1], to: 2, steps: [] }\n  - repeat: { times: -1, steps: [], every: 2 }\n  - repeat: { for: p, in: [1], steps: [{ repeat: { for: p, in: [2], steps: [{ fetch_trace: { detector: 4/1, trace: tf, columns: { p: 1, run_id: 2 } } }] } }] }\n",
        "name: t\nparameters: { power: { default: 1 } }\nsteps:\n  - set: { power: 1 }\n  - set: { let: 1 }\n  - set: 5\n  - if: { condition: 1, then: [] }\n  - if: { conditon: true }\n  - script: [a]\n  - run_recipe: { path: a.yaml }\n  - run_recipe: { pth: a.yaml }\n  - script: \"sweep(\"\n  - script: eval(\"1\")\n",
    ];
    for text in texts {
        all += &format!("--- {text:?}\n{}", refused(text));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn what_is_set_is_checked_against_the_parameters() {
    let text = "name: t\nparameters:\n  top_dbm: { default: 5, min: -10, max: 10, unit: dBm }\n  on: { default: true }\nsteps: [{ log: \"${top_dbm} ${on}\" }]\n";
    let set = |pairs: &[(&str, &str)]| {
        let pairs: Vec<_> =
            pairs.iter().map(|(name, text)| ((*name).to_owned(), Given::Text((*text).to_owned()))).collect();
        Recipe::from_text("r.yaml", text, None, &pairs)
    };
    let host = Recorder::shared();
    let bound = set(&[("top_dbm", "2.50"), ("on", "false")]).unwrap();
    assert_eq!(bound.parameters()["top_dbm"], json!(2.5));
    bound.perform(host.clone()).unwrap();
    assert_eq!(host.performed(), ["2.5 false"]);
    let mut all = String::new();
    for wrong in [[("top_dbm", "12")], [("top_dbm", "high")], [("on", "1")], [("topdbm", "1")]] {
        all += &shown(&set(&wrong).unwrap_err());
    }
    insta::assert_snapshot!(all);
}

#[test]
fn a_step_that_fails_to_evaluate_says_where() {
    let mut all = String::new();
    for steps in [
        "- set: { a: 40 }\n  - configure_tls: { tls: 1, power_dbm: \"${a}\" }",
        "- fetch_trace: { id: f, detector: 4/1, trace: tf }\n  - log: \"${steps.f.min.mn}\"",
        "- prompt: { id: q, message: '?' }\n  - configure_laser: { laser: 1, wavelength_nm: \"${steps.q.answer}\" }",
        "- set: { a: [] }\n  - repeat: { for: p, in: \"${a}\", steps: [] }",
        "- repeat: { for: p, in: [-1, 0], steps: [{ repeat: { for: x, from: 0, to: 5, step: \"${p}\", steps: [] } }] }",
        "- if: { condition: \"${1}\", then: [] }",
        "- log: \"${let_me()}\"",
        "- log: \"${[1, 2]}\"",
        "- script: |\n      let a = 1;\n      a.foo();",
    ] {
        let fault = perform(&format!("steps:\n  {steps}\n")).1.expect_err(steps);
        assert_eq!(fault.kind, FaultKind::Recipe, "{fault}");
        all += &format!("{fault}\n  hint: {}\n", fault.hint.as_deref().unwrap_or("none"));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn the_hash_is_that_of_the_file() {
    let loaded = recipe("name: t\nsteps: []\n");
    assert_eq!(loaded.sha256().len(), 64);
    assert_ne!(loaded.sha256(), recipe("name: u\nsteps: []\n").sha256());
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&loaded);
}

#[test]
fn a_suspension_is_checked_with_its_place_and_changes_nothing_in_a_forecast() {
    let recipe = |suspension: &str| {
        format!(
            "name: t\nparameters: {{ limit: {{ default: 5 }} }}\nsteps: [{{ sweep: {{}} }}]\nsuspend_when:\n{suspension}"
        )
    };
    let whole = "  probe: [{ read_power: { id: tap, detector: 4/3 } }]\n  condition: \"${steps.tap.value < limit}\"\n  timeout_s: \"${limit * 60}\"\n";
    let host = Recorder::shared();
    Recipe::from_text("r.yaml", &recipe(whole), None, &[]).unwrap().perform(host.clone()).unwrap();
    assert_eq!(host.performed().len(), 1, "{:?}", host.performed());
    for (written, instead, said, place) in [
        ("steps.tap", "steps.tab", "no step before this one has the id `tab`", ":6:"),
        ("\"${limit * 60}\"", "-1", "timeout_s `-1` is not allowed (0 to 1000000 s)", ":7:14"),
        (
            "\"${steps.tap.value < limit}\"",
            "true",
            "an expression must decide when the run continues, not `true`",
            ":6:14",
        ),
        ("timeout_s", "timeouts", "unknown field `timeouts`", ":7:3"),
        ("4/3", "9", "9", ":5:"),
    ] {
        let refused = refused(&recipe(&whole.replace(written, instead)));
        assert!(refused.contains(said) && refused.contains(place), "{refused}");
    }
    let every = refused(&recipe(&format!("  after: fetch_trace\n{whole}")));
    assert!(every.contains("`after` must be `sweep`, not the text `fetch_trace`"), "{every}");
}
