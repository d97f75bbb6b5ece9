//! What follows a verdict: limits with a version, another attempt, an early end, the exit code of a batch, scripts.

use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::figures::{after, cut, is_end_of};
use crate::support::{Bench, events, journal, manifest, text};

/// A ring whose Q is near 9,100.
const HEAD: &str = "
name: ring
instrument: sim
simulator: { dut: ring, noise: by-settings, time_scale: 0.01 }
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 5 }
  - configure_scan: { start_nm: 1545, stop_nm: 1555, resolution_pm: 1 }
  - create_reference: { detector: 4/1 }
  - sweep:
  - fetch_trace: { id: out, detector: 4/1, trace: tf }
";

fn run(bench: &Bench, name: &str, text_of_recipe: &str) -> (Option<i32>, PathBuf) {
    bench.write(name, text_of_recipe);
    let output = bench.run(&["run", name, "--unattended"]);
    assert!(matches!(output.status.code(), Some(0 | 4)), "{}{}", text(&output.stdout), text(&output.stderr));
    (output.status.code(), bench.run_folder(&output))
}

fn analysis(folder: &Path) -> Value {
    let records = journal(folder);
    let end = records.iter().rfind(|record| record["outcome"]["kind"] == "analysis").unwrap();
    end["outcome"]["value"].clone()
}

#[test]
fn limits_of_a_file_are_recorded_with_their_version_and_copied_with_the_recipe() {
    let bench = Bench::new();
    let limits =
        "version: 3\nname: ring-v3\nfigures:\n  q_loaded: { min: 1000 }\n  extinction_db: { min: 90 }\n";
    bench.write("limits.yaml", limits);
    let recipe = format!(
        "{HEAD}  - analyze: {{ trace: out, limits: limits.yaml, expect: {{ extinction_db: {{ min: 10 }} }} }}\n"
    );
    let (code, folder) = run(&bench, "ring.yaml", &recipe);
    assert_eq!(code, Some(0), "`expect` replaces the limit of the file");
    let found = analysis(&folder);
    assert_eq!((&found["limits"]["name"], &found["limits"]["version"]), (&"ring-v3".into(), &3.into()));
    assert_eq!(found["limits"]["sha256"], ctp10::store::hex_sha256(limits.as_bytes()));
    assert_eq!(fs::read_to_string(folder.join("recipe/limits.yaml")).unwrap(), limits);
    assert!(manifest(&folder)["recipe"]["source_sha256"]["recipe/limits.yaml"].is_string());
    for (wrong, said) in [
        ("name: a\nfigures: { q_loaded: { min: 1 } }\n", "limits.yaml:1:1: missing field `version`"),
        ("version: 1\nname: a\nfigures: { q_load: { min: 1 } }\n", "there is no figure `q_load`"),
        ("version: 1\nname: a\nfigures: { q_loaded: {} }\n", "has neither `min` nor `max`"),
        ("version: 1\nname: a\nfigures: {}\n", "`figures` has no limit"),
    ] {
        bench.write("limits.yaml", wrong);
        let output = bench.run(&["check", "ring.yaml"]);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{wrong}: {told}");
        let place = said.split(": ").next().filter(|place| place.contains(".yaml"));
        assert!(told.contains(said.rsplit(": ").next().unwrap()), "{wrong}: {told}");
        assert!(place.is_none_or(|place| told.contains(place)), "{wrong}: {told}");
    }
}

#[test]
fn a_device_that_fails_is_measured_again_and_every_attempt_is_kept() {
    let bench = Bench::new();
    let recipe = format!(
        "{HEAD}  - analyze: {{ trace: out, expect: {{ q_loaded: {{ min: 1000000 }} }}, on_fail: remeasure, remeasure: 2 }}\n  - log: over\n"
    );
    let (code, folder) = run(&bench, "ring.yaml", &recipe);
    assert_eq!(code, Some(4));
    let found = analysis(&folder);
    let traces = |attempt: &Value| {
        (attempt["traces"][0]["trace_index"].clone(), attempt["traces"][0]["attempt"].clone())
    };
    let attempts: Vec<_> = found["earlier"].as_array().unwrap().iter().chain([&found]).map(traces).collect();
    assert_eq!(attempts, [(1.into(), 1.into()), (2.into(), 2.into()), (3.into(), 3.into())]);
    let records = journal(&folder);
    assert!(!events(&records).contains(&"trace_withdrawn"));
    assert_eq!(fs::read_dir(folder.join("traces")).unwrap().count(), 3);
    let table = fs::File::open(folder.join("results.parquet")).unwrap();
    let rows = ParquetRecordBatchReaderBuilder::try_new(table).unwrap().build().unwrap();
    let counts = |batch: RecordBatch| -> Vec<Option<bool>> {
        batch.column_by_name("counts").unwrap().as_boolean().iter().collect()
    };
    let counts: Vec<Option<bool>> = rows.flat_map(|batch| counts(batch.unwrap())).collect();
    assert_eq!(counts, [Some(false), Some(false), Some(true)], "only the last attempt counts");
    assert_eq!(manifest(&folder)["verdicts"]["analyses"]["fail"], 1);
    let verified = bench.run(&["runs", "verify", folder.to_str().unwrap()]);
    assert!(verified.status.success(), "{}", text(&verified.stdout));

    // A device that passes is measured once.
    let good = recipe.replace("1000000", "1000");
    let (code, folder) = run(&bench, "ring.yaml", &good);
    assert_eq!((code, fs::read_dir(folder.join("traces")).unwrap().count()), (Some(0), 1));
}

#[test]
fn a_run_that_is_killed_while_a_device_is_measured_again_counts_the_attempts_anew() {
    let recipe = format!(
        "{HEAD}  - analyze: {{ trace: out, expect: {{ q_loaded: {{ min: 1000000 }} }}, on_fail: remeasure, remeasure: 2 }}\n"
    );
    // Within the second sweep, and between the second fetch and its analysis.
    let kills: [fn(&[Value]) -> usize; 2] = [
        |records| after(records, 1, |record| record["event"] == "step_started" && record["number"] == 4),
        |records| after(records, 1, |record| is_end_of(record, "traces")),
    ];
    for kill in kills {
        let bench = Bench::new();
        let (_, folder) = run(&bench, "ring.yaml", &recipe);
        let records = journal(&folder);
        cut(&folder, kill(&records));
        let output = bench.run(&["resume", folder.to_str().unwrap()]);
        assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
        let found = analysis(&folder);
        assert_eq!(found["earlier"].as_array().unwrap().len(), 2, "{found}");
        let verified = bench.run(&["runs", "verify", folder.to_str().unwrap()]);
        assert!(verified.status.success(), "{}", text(&verified.stdout));
    }
}

#[test]
fn only_the_last_sweep_is_measured_again() {
    let bench = Bench::new();
    let recipe = format!(
        "{HEAD}  - sweep:\n  - analyze: {{ trace: out, expect: {{ q_loaded: {{ min: 1000000 }} }}, on_fail: remeasure }}\n"
    );
    let (code, folder) = run(&bench, "ring.yaml", &recipe);
    assert_eq!((code, fs::read_dir(folder.join("traces")).unwrap().count()), (Some(4), 1));
    let records = journal(&folder);
    let is_told = |record: &Value| {
        record["event"] == "warning"
            && record["message"].as_str().unwrap().contains("cannot be repeated any more")
    };
    assert!(records.iter().any(is_told));
}

#[test]
fn a_marginal_device_is_marked_and_has_not_failed() {
    let bench = Bench::new();
    let recipe = format!(
        "{HEAD}  - analyze: {{ trace: out, expect: {{ q_loaded: {{ min: 1000, guard: 100000 }} }}, on_fail: stop }}\n  - log: reached\n"
    );
    let (code, folder) = run(&bench, "ring.yaml", &recipe);
    assert_eq!((code, &manifest(&folder)["verdict"]), (Some(0), &"marginal".into()));
    assert!(journal(&folder).iter().any(|record| record["message"] == "reached"));
}

#[test]
fn a_verdict_ends_the_recipe_early_and_the_run_is_done() {
    let bench = Bench::new();
    let recipe = format!(
        "{HEAD}  - analyze: {{ trace: out, expect: {{ q_loaded: {{ min: 1000000 }} }}, on_fail: stop }}\n  - log: unreached\nfinally:\n  - log: last\n"
    );
    let (code, folder) = run(&bench, "ring.yaml", &recipe);
    let (run, records) = (manifest(&folder), journal(&folder));
    assert_eq!((code, &run["status"], &run["verdict"]), (Some(4), &"done".into(), &"fail".into()));
    assert!(run["reason"].as_str().unwrap().contains("the verdict is fail"), "{run}");
    let logs: Vec<&Value> = records.iter().filter(|record| record["event"] == "log").collect();
    assert_eq!((logs.len(), &logs[0]["message"]), (1, &"last".into()));
}

#[test]
fn a_batch_repeats_no_item_for_its_verdict_and_ends_with_the_exit_code_of_the_worst() {
    let bench = Bench::new();
    let recipe = format!(
        "{}  - analyze: {{ trace: out, expect: {{ q_loaded: {{ min: \"${{least}}\" }} }} }}\n",
        HEAD.replace("steps:", "parameters: { least: { default: 1000 } }\nsteps:")
    );
    bench.write("ring.yaml", &recipe);
    let batch = |least: &str| {
        format!(
            "name: night\nmax_consecutive_failures: 1\nitems:\n  - {{ recipe: ring.yaml, matrix: {{ least: {least} }}, retry: {{ times: 2 }} }}\n"
        )
    };
    bench.write("night.yaml", &batch("[1000, 1000000, 2000]"));
    let output = bench.run(&["batch", "night.yaml", "--instrument", "sim"]);
    let told = text(&output.stdout);
    assert_eq!(output.status.code(), Some(4), "{told}{}", text(&output.stderr));
    let runs = bench.folder.path().join("runs");
    let summary: Value = serde_json::from_slice(&fs::read(runs.join("batch-night.json")).unwrap()).unwrap();
    let items: Vec<(&Value, &Value)> = summary["list"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (&item["verdict"], &item["attempts"]))
        .collect();
    assert_eq!(
        items,
        [(&"pass".into(), &1.into()), (&"fail".into(), &1.into()), (&"pass".into(), &1.into())]
    );
    assert_eq!((&summary["state"], &summary["verdict"]), (&"done".into(), &"fail".into()));
}

#[test]
fn a_script_analyses_its_traces_and_asks_them_for_figures() {
    let bench = Bench::new();
    bench.write(
        "ring.rhai",
        r#"recipe(#{ name: "ring", instrument: "sim", simulator: #{ dut: "ring", noise: "by-settings", time_scale: 0.01 } });
configure_tls(#{ tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 5 });
configure_scan(#{ start_nm: 1545, stop_nm: 1555, resolution_pm: 1 });
create_reference(#{ detector: "4/1" });
sweep();
let out = fetch_trace(#{ detector: "4/1", trace: "tf" });
let ring = analyze(#{ trace: out, expect: #{ q_loaded: #{ min: 1000000 } } });
let part = analyze(#{ trace: out.slice(1548, 1550), figures: ["dips"] });
let narrow = out.figure("q_loaded", #{ band_nm: [1548, 1550.5] });
log(`${ring.verdict} ${out.figures("dip_nm").len()} ${part.dip_nm == out.figure("dip_nm")} ${narrow > 8000.0}`);
try { out.figure("q_loade") } catch (fault) { log(fault.message) }
"#,
    );
    let checked = bench.run(&["check", "ring.rhai"]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    let output = bench.run(&["run", "ring.rhai", "--unattended"]);
    assert_eq!(output.status.code(), Some(4), "{}{}", text(&output.stdout), text(&output.stderr));
    let records = journal(&bench.run_folder(&output));
    let logs: Vec<&str> = records
        .iter()
        .filter(|record| record["event"] == "log")
        .map(|record| record["message"].as_str().unwrap())
        .collect();
    assert_eq!(logs, ["fail 1 true true", "figures.0: there is no figure `q_loade`"]);
}

#[test]
fn figures_over_a_loop_a_difference_and_a_mean_are_analyses_too() {
    let bench = Bench::new();
    let tail = "  - repeat:
      for: heater_mw
      in: [1, 2, 4]
      steps:
        - sweep:
        - fetch_trace: { id: hot, detector: 4/1, trace: tf, columns: { power_mw: \"${heater_mw * 2}\" } }
        - analyze: { id: dip, trace: hot, lines: dips, figures: [resonance_nm] }
  - analyze: { id: measured, over: dip, fit: { y: resonance_nm, x: power_mw, unit: pm } }
  - analyze: { id: tuning, over: dip, fit: { y: resonance_nm, x: heater_mw }, expect: { slope_nm_per_mw: { min: -0.01, max: 0.01 } } }
  - analyze: { id: loss, over: dip, cut_back: { y: resonance_nm, x: heater_mm } }
  - analyze: { id: nothing, trace: hot, minus: out, expect: { insertion_loss_max_db: { max: 0.2 } } }
  - analyze: { id: mean, trace: hot, average: true, figures: [dips] }
  - log: \"${steps.tuning.slope_nm_per_mw} ${steps.tuning.verdict} ${steps.nothing.verdict}\"
";
    let recipe = format!("{HEAD}{tail}").replace("by-settings", "fresh");
    bench.write("ring.yaml", &recipe);
    let output = bench.run(&["run", "ring.yaml", "--unattended"]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("has no loop variable or column `heater_mm`: `heater_mw`, `power_mw`"), "{told}");
    let right = recipe
        .replace("  - analyze: { id: loss, over: dip, cut_back: { y: resonance_nm, x: heater_mm } }\n", "");
    let (code, folder) = run(&bench, "ring.yaml", &right);
    assert_eq!(code, Some(0));
    let records = journal(&folder);
    let of = |id: &str| -> Value {
        let number = records
            .iter()
            .find(|record| record["event"] == "step_started" && record["step"]["options"]["id"] == id)
            .unwrap()["number"]
            .clone();
        let end =
            records.iter().find(|record| record["event"] == "step_finished" && record["number"] == number);
        end.unwrap()["outcome"]["value"].clone()
    };
    let slope = &of("tuning")["figures"][0];
    assert_eq!((&slope["figure"], &slope["unit"]), (&"slope_nm_per_mw".into(), &"nm/mW".into()));
    assert!(
        slope["error"].as_f64().unwrap() > 0.0 && slope["value"].as_f64().unwrap().abs() < 0.01,
        "{slope}"
    );
    assert_eq!(slope["notes"][0], "3 points");
    // The same line over a column of the fetch, whose values are twice as large, in pm.
    let measured = &of("measured")["figures"][0];
    assert_eq!((&measured["figure"], &measured["unit"]), (&"slope_pm_per_mw".into(), &"pm/mW".into()));
    let ratio = measured["value"].as_f64().unwrap() / slope["value"].as_f64().unwrap();
    assert!((ratio - 500.0).abs() < 0.01, "{ratio}");
    let mean = of("mean");
    assert_eq!(mean["traces"][0]["averaged"], serde_json::json!([2, 3, 4]));
    assert_eq!(of("nothing")["traces"][0]["minus"], 1);
    let wrong = right.replace("over: dip,", "over: hot,").replace("minus: out", "minus: dip");
    bench.write("ring.yaml", &wrong);
    let told = text(&bench.run(&["check", "ring.yaml"]).stderr);
    assert!(
        told.contains("step `hot` is no analyze") && told.contains("step `dip` is no fetch_trace"),
        "{told}"
    );
}
