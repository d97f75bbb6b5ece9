//! Figures of merit in recipes: values, verdicts, the exit code, the table of results, and how a resumed run keeps them.

use std::fs;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::support::{Bench, journal, manifest, text};

/// Two devices, the second of which needs a Q that the ring does not have.
const RECIPE: &str = "
name: rings
instrument: sim
simulator: { dut: ring, noise: by-settings, time_scale: 0.01 }
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 5 }
  - configure_scan: { start_nm: 1545, stop_nm: 1555, resolution_pm: 1 }
  - create_reference: { detector: 4/1 }
  - create_reference: { detector: 4/2 }
  - repeat:
      for: chip
      in_csv: chips.csv
      steps:
        - sweep:
        - fetch_trace: { id: out, detectors: [4/1, 4/2], trace: tf, columns: { stage: 2 } }
        - analyze:
            id: ring
            trace: out
            detector: 4/1
            figures: [dips]
            expect:
              q_loaded: { min: \"${chip.least_q}\" }
              extinction_db: { min: 10, guard: 1 }
        - log: \"${chip.chip}: ${steps.ring.verdict}, ${steps.ring.all.dip_nm.len()} dips, Q ${steps.ring.q_loaded.to_int()}\"
  - log: last
";
const CHIPS: &str = "chip,least_q,max\nA,1000,7\nB,1000000,8\n";

fn measured(bench: &Bench) -> PathBuf {
    bench.write("rings.yaml", RECIPE);
    bench.write("chips.csv", CHIPS);
    let output = bench.run(&["run", "rings.yaml", "--unattended"]);
    assert_eq!(output.status.code(), Some(4), "{}{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("fail (devices: 1 pass, 1 fail)"), "{}", text(&output.stdout));
    bench.run_folder(&output)
}

/// What a reader of the table looks at.
#[derive(Debug, PartialEq)]
struct Row {
    figure: String,
    value: Option<f64>,
    verdict: Option<String>,
    trace_index: Option<i64>,
    chip: String,
    taken: f64,
}

fn results(folder: &Path) -> Vec<Row> {
    let file = fs::File::open(folder.join("results.parquet")).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let mut rows = Vec::new();
    for batch in reader {
        let batch = batch.unwrap();
        let texts = |name: &str| batch.column_by_name(name).unwrap().as_string::<i32>().clone();
        let numbers = |name: &str| batch.column_by_name(name).unwrap().as_primitive::<Float64Type>().clone();
        let traces = batch.column_by_name("trace_index").unwrap().as_primitive::<Int64Type>().clone();
        let some = |texts: &arrow_array::StringArray, row| texts.iter().nth(row).unwrap().map(str::to_owned);
        for row in 0..batch.num_rows() {
            rows.push(Row {
                figure: some(&texts("figure"), row).unwrap(),
                value: numbers("value").iter().nth(row).unwrap(),
                verdict: some(&texts("verdict"), row),
                trace_index: traces.iter().nth(row).unwrap(),
                chip: some(&texts("chip"), row).unwrap(),
                // The table of chips has a column `max`, and so has the table of results.
                taken: numbers("recipe_max").iter().nth(row).unwrap().unwrap(),
            });
        }
    }
    // Figures that were computed again come last.
    rows.sort_by_key(|row| row.trace_index);
    rows
}

/// The run as if it had been killed after so many records of its journal.
pub(crate) fn cut(folder: &Path, records: usize) {
    let text = fs::read_to_string(folder.join("journal.jsonl")).unwrap();
    let kept: String = text.lines().take(records).map(|line| format!("{line}\n")).collect();
    fs::write(folder.join("journal.jsonl"), kept).unwrap();
    let mut run = manifest(folder);
    let fields = run.as_object_mut().unwrap();
    fields.insert("status".into(), "running".into());
    for field in ["finished", "elapsed_s", "traces", "failed_steps", "verdict", "verdicts", "results"] {
        fields.remove(field);
    }
    fs::write(folder.join("run.json"), run.to_string()).unwrap();
}

/// The position after the record that fits, for the `nth` time.
pub(crate) fn after(records: &[Value], nth: usize, fits: impl Fn(&Value) -> bool) -> usize {
    records.iter().enumerate().filter(|(_, record)| fits(record)).nth(nth).unwrap().0 + 1
}

pub(crate) fn is_end_of(record: &Value, kind: &str) -> bool {
    record["event"] == "step_finished" && record["outcome"]["kind"] == kind
}

/// Resumes the run; it ends with the same verdict, and its table is the same as before.
fn resumes_to(bench: &Bench, folder: &Path, expected: &[Row]) {
    let output = bench.run(&["resume", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(4), "{}{}", text(&output.stdout), text(&output.stderr));
    assert_eq!(results(folder), expected);
    let run = manifest(folder);
    assert_eq!((&run["status"], &run["verdict"]), (&"done".into(), &"fail".into()));
    assert_eq!(
        (&run["verdicts"]["devices"]["pass"], &run["verdicts"]["devices"]["fail"]),
        (&1.into(), &1.into())
    );
}

#[test]
fn a_recipe_judges_its_devices_and_the_exit_code_tells_it() {
    let bench = Bench::new();
    let folder = measured(&bench);
    let run = manifest(&folder);
    assert_eq!((&run["status"], &run["verdict"]), (&"done".into(), &"fail".into()));
    assert_eq!(run["results"]["file"], "results.parquet");
    let logs: Vec<String> = journal(&folder)
        .iter()
        .filter(|record| record["event"] == "log")
        .map(|record| record["message"].as_str().unwrap().to_owned())
        .collect();
    assert!(logs[0].starts_with("A: pass, 1 dips, Q "), "{logs:?}");
    assert!(logs[1].starts_with("B: fail, 1 dips, Q "), "{logs:?}");
    let rows = results(&folder);
    assert_eq!(run["results"]["rows"], rows.len());
    let q: Vec<&Row> = rows.iter().filter(|row| row.figure == "q_loaded").collect();
    let judged: Vec<(&str, Option<&str>, f64)> =
        q.iter().map(|row| (row.chip.as_str(), row.verdict.as_deref(), row.taken)).collect();
    assert_eq!(judged, [("A", Some("pass"), 7.0), ("B", Some("fail"), 8.0)]);
    assert!(q.iter().all(|row| row.value.is_some_and(|q| q > 1000.0)));
    let of_traces: Vec<Option<i64>> = q.iter().map(|row| row.trace_index).collect();
    assert_eq!(of_traces, [Some(1), Some(3)]);
    assert!(rows.iter().any(|row| row.figure == "dip_nm" && row.verdict.is_none()));
    let verified = bench.run(&["runs", "verify", folder.to_str().unwrap()]);
    assert!(verified.status.success(), "{}", text(&verified.stdout));
}

#[test]
fn a_table_of_results_that_is_damaged_changed_or_missing_is_found() {
    let bench = Bench::new();
    let folder = measured(&bench);
    let found = || {
        let output = bench.run(&["runs", "verify", folder.to_str().unwrap(), "--json"]);
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), told["verified"]["whole"].clone(), told["verified"]["findings"].clone())
    };
    assert_eq!(found(), (Some(0), json!(5), json!([])), "four traces and the table");
    let table = folder.join("results.parquet");
    let mut bytes = fs::read(&table).unwrap();
    bytes[10] ^= 1;
    for (content, finding) in
        [(Some(&bytes[..]), "changed"), (Some(&bytes[..100]), "torn"), (None, "missing")]
    {
        match content {
            Some(content) => fs::write(&table, content).unwrap(),
            None => fs::remove_file(&table).unwrap(),
        }
        let expected = json!([{ "finding": finding, "file": "results.parquet" }]);
        assert_eq!(found(), (Some(1), json!(4), expected));
    }
}

#[test]
fn a_run_that_is_killed_between_fetch_and_analysis_has_its_figures_after_all() {
    let bench = Bench::new();
    let folder = measured(&bench);
    let (rows, records) = (results(&folder), journal(&folder));
    cut(&folder, after(&records, 1, |record| is_end_of(record, "traces")));
    fs::remove_file(folder.join("results.parquet")).unwrap();
    resumes_to(&bench, &folder, &rows);
    let ends = journal(&folder).iter().filter(|record| is_end_of(record, "analysis")).count();
    assert_eq!(ends, 2, "the analysis that was done is not repeated");
}

#[test]
fn figures_are_withdrawn_with_their_trace_and_computed_again_from_the_new_one() {
    let bench = Bench::new();
    let folder = measured(&bench);
    let (rows, records) = (results(&folder), journal(&folder));
    // Both devices were measured and judged; a trace of the first one was damaged.
    cut(&folder, after(&records, 1, |record| record["event"] == "log"));
    fs::write(folder.join("traces/0001_m4c1_tf.parquet"), "damaged").unwrap();
    resumes_to(&bench, &folder, &rows);
    let again = journal(&folder);
    let ends = |records: &[Value]| records.iter().filter(|record| is_end_of(record, "analysis")).count();
    assert_eq!(ends(&again), 3, "the analysis of the first device was repeated");

    // Killed after the damaged trace was replaced, and before its figures were.
    let replaced = after(&again, 2, |record| is_end_of(record, "traces"));
    assert!(ends(&again[..replaced]) == 2);
    cut(&folder, replaced);
    resumes_to(&bench, &folder, &rows);
    assert_eq!(ends(&journal(&folder)), 3);
}

#[test]
fn a_trace_of_an_earlier_turn_is_never_taken_for_the_device_of_this_turn() {
    let bench = Bench::new();
    let once = RECIPE
        .replace(
            "        - sweep:\n        - fetch_trace: {",
            "        - sweep:\n        - if: { condition: \"chip.chip == `A`\", then: [ { fetch_trace: {",
        )
        .replace("columns: { stage: 2 } }", "columns: { stage: 2 } } } ] }")
        .replace(", ${steps.ring.all.dip_nm.len()} dips, Q ${steps.ring.q_loaded.to_int()}", "");
    bench.write("rings.yaml", &once.replace("least_q}", "least_q / 1000000}"));
    bench.write("chips.csv", CHIPS);
    let output = bench.run(&["run", "rings.yaml", "--unattended"]);
    assert_eq!(output.status.code(), Some(4), "{}{}", text(&output.stdout), text(&output.stderr));
    let told = text(&output.stdout);
    assert!(told.contains("not measured (devices: 1 pass, 1 not measured)"), "{told}");
    let rows = results(&bench.run_folder(&output));
    let of_second: Vec<&Row> = rows.iter().filter(|row| row.chip == "B").collect();
    assert!(
        of_second.iter().all(|row| row.value.is_none() && row.verdict.as_deref() == Some("not measured"))
    );
    assert_eq!(of_second.len(), 2);
}
