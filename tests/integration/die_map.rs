//! A wafer, die by die: a probe station moves, the instrument sweeps, the run keeps which die it was.

use std::collections::BTreeMap;
use std::path::Path;

use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::{Value, json};

use crate::probe_station::{Gate, Station, bench_with};
use crate::support::{journal, manifest, text, watch};

/// The constants of a trace file, from its first row.
fn constants(file: &Path) -> BTreeMap<String, Value> {
    let file = std::fs::File::open(file).unwrap();
    let mut batches = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
    let first = batches.next().unwrap().unwrap().slice(0, 1);
    // Texts stand in a dictionary.
    let cell = |column: &dyn Array| match column.as_any_dictionary_opt() {
        Some(texts) => json!(texts.values().as_string::<i32>().value(texts.normalized_keys()[0])),
        None => {
            column.as_primitive_opt::<Float64Type>().map_or(Value::Null, |numbers| json!(numbers.value(0)))
        }
    };
    let names = first.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
    names.into_iter().zip(first.columns().iter().map(|column| cell(column))).collect()
}

/// Moves to each die of `dies.csv`, sweeps and fetches, and does what follows.
fn die_map(station: &Station, place: &str, then: &str) -> String {
    let url = station.url("/move");
    format!(
        "name: map
steps:
  - configure_scan: {{ start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }}
  - repeat:
      for: die
      in_csv: dies.csv
      steps:
        - http:
            method: POST
            url: \"{url}\"
            json: {place}
            expect_status: 202
            poll: {{ url: \"/tasks/{{task_id}}\", ready: 'reply.state == \"done\"', interval_s: 0.02, timeout_s: 60 }}
        - sweep:
        - fetch_trace: {{ detector: 4/1, trace: raw, name: \"die_${{die.die}}\" }}
{then}"
    )
}

#[test]
fn a_die_map_moves_to_each_die_and_stores_a_trace_of_it_with_the_dies_columns() {
    let station = Station::with_a_stage();
    let (bench, simulator) = bench_with(&station);
    bench.write("dies.csv", "die,x_um,y_um\nA1,0,0\nA2,5000,-12.5\n");
    bench.write("map.yaml", &die_map(&station, "{ x_um: \"${die.x_um}\", y_um: \"${die.y_um}\" }", ""));
    let output = bench.run(&["run", "map.yaml", "--instrument", &simulator.address]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let poll = |number: usize| format!("GET /tasks/t{number}");
    let moves = |number| ["POST /move".to_owned(), poll(number), poll(number), poll(number)];
    assert_eq!(station.said(), [moves(1), moves(5)].concat());
    let sent: Vec<Value> =
        station.asked().into_iter().map(|asked| asked.json).filter(|json| !json.is_null()).collect();
    assert_eq!(sent, [json!({ "x_um": 0, "y_um": 0 }), json!({ "x_um": 5000, "y_um": -12.5 })]);

    let folder = bench.run_folder(&output);
    let records = journal(&folder);
    let stored: Vec<&str> = records
        .iter()
        .filter(|record| record["event"] == "trace_stored")
        .filter_map(|record| record["trace"]["file"].as_str())
        .collect();
    assert_eq!(stored, ["traces/0001_m4c1_raw_die_A1.parquet", "traces/0002_m4c1_raw_die_A2.parquet"]);
    for (file, (die, x_um, y_um)) in stored.iter().zip([("A1", 0.0, 0.0), ("A2", 5000.0, -12.5)]) {
        let constants = constants(&folder.join(file));
        assert_eq!(
            (&constants["die"], &constants["x_um"], &constants["y_um"]),
            (&json!(die), &json!(x_um), &json!(y_um))
        );
    }
    // The list of dies is part of what was done.
    assert!(folder.join("recipe/dies.csv").exists());
}

#[test]
fn a_die_map_that_is_killed_goes_on_with_its_own_list_and_moves_to_no_die_twice() {
    let station = Station::with_a_stage();
    let (bench, simulator) = bench_with(&station);
    bench.write("dies.csv", "die,x_um\nA1,0\nA2,5000\nA3,10000\n");
    let gate = Gate::new(&bench, 1);
    let after = format!("        - {}\n", gate.step());
    bench.write("map.yaml", &die_map(&station, "{ x_um: \"${die.x_um}\" }", &after));
    let run = watch(&bench, &["map.yaml", "--instrument", &simulator.address]);
    // The trace of the second die is stored, and the third one is not reached.
    gate.wait_for(2);
    run.signal("KILL");
    run.finish();
    gate.open();
    bench.write("dies.csv", "die,x_um\nB1,-1\n");
    let folder = bench.only_run();
    let output = bench.run(&["resume", folder.to_str().unwrap()]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let moves: Vec<Value> =
        station.asked().into_iter().map(|asked| asked.json).filter(|json| !json.is_null()).collect();
    assert_eq!(moves, [json!({ "x_um": 0 }), json!({ "x_um": 5000 }), json!({ "x_um": 10000 })]);
    let records = journal(&folder);
    let stored = records.iter().filter(|record| record["event"] == "trace_stored");
    let names: Vec<&Value> = stored.map(|record| &record["trace"]["name"]).collect();
    assert_eq!(names, ["die_A1", "die_A2", "die_A3"]);
    assert_eq!(manifest(&folder)["status"], "done");
}
