//! Analyses that combine traces: what does not fit together has no verdict `pass`.

use std::fs;

use arrow_array::cast::AsArray;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;

use crate::support::{Bench, manifest, text};

const TLS: &str =
    "configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 100, power_dbm: 1 }";

/// Waveguides of 1 to 4 cm, whose loss is made by the power of the laser. An analysis of each trace follows.
const WAVEGUIDES: &str = "
instrument: sim
simulator: { dut: ring, time_scale: 0.01 }
steps:
  - TLS
  - configure_scan: { start_nm: 1545, stop_nm: 1546, resolution_pm: 10 }
  - repeat:
      for: length_cm
      in: [1, 2, 3, 4]
      steps:
        - configure_tls: { tls: 1, power_dbm: \"${6 - 3 * length_cm}\" }
        - sweep:
        - fetch_trace: { id: out, detectors: [4/1], trace: raw }";

#[test]
fn nothing_passes_on_ports_bounds_or_units_that_do_not_decide() {
    let twice = "
for turn in 0..2 {
  sweep();
  all.push(fetch_trace(#{ detectors: [\"5/1\"], trace: \"tf\" }));
}";
    let script = |fetch: &str| {
        format!(
            "recipe(#{{ name: \"ports\", instrument: \"sim\", simulator: #{{ dut: \"filter\", time_scale: 0.01 }} }});
configure_tls(#{{ tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 100, power_dbm: 6 }});
configure_scan(#{{ start_nm: 1515, stop_nm: 1610, resolution_pm: 20 }});
create_reference(#{{ detectors: [\"5/1\", \"5/2\"], connect: \"x\" }});
let all = [];{fetch}
analyze(#{{ trace: all, channels: #{{ grid: \"cwdm\", first_nm: 1531, count: 2, half_width_nm: 5 }},
  expect: #{{ insertion_loss_max_db: #{{ max: 9 }}, uniformity_db: #{{ max: 9 }} }} }});
"
        )
    };
    let both = "\nsweep();\nall = fetch_trace(#{ detectors: [\"5/1\", \"5/2\"], trace: \"tf\" });";
    let cut_back = "
        - analyze: { id: il, trace: out, figures: [insertion_loss_mean_db], floor_db: -8 }
  - analyze:
      over: il
      cut_back: { y: insertion_loss_mean_db, x: length_cm }
      expect: { propagation_loss_db_per_cm: { max: 3.5 } }
";
    let photocurrent = "
instrument: sim
simulator: { photocurrent: [5], time_scale: 0.01 }
steps:
  - TLS
  - configure_scan: { start_nm: 1545, stop_nm: 1546, resolution_pm: 10 }
  - configure_detector: { detector: 5/1, power_unit: dBmA }
  - sweep:
  - fetch_trace: { id: raw, detectors: [5/1], trace: raw }
  - analyze: { trace: raw, figures: [ripple_db], expect: { insertion_loss_max_db: { max: 8 } } }
";
    for (name, recipe, verdict, said) in [
        (
            "twice.rhai",
            script(twice),
            "not measured",
            "channel 1531 nm has 2 ports, and channel 1551 nm has no port",
        ),
        ("both.rhai", script(both), "pass", "all traces uniformity"),
        (
            "cut.yaml",
            format!("name: cut{WAVEGUIDES}{cut_back}"),
            "not measured",
            "at least three lengths, and there are 2",
        ),
        ("current.yaml", format!("name: current{photocurrent}"), "not measured", "photocurrents in dBmA"),
    ] {
        let bench = Bench::new();
        bench.write(name, &recipe.replace("TLS", TLS));
        let ended = bench.run(&["run", name, "--unattended"]);
        let told = format!("{}{}", text(&ended.stdout), text(&ended.stderr));
        // The terminal breaks long lines.
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(said), "{name}: {told}");
        assert_eq!(manifest(&bench.run_folder(&ended))["verdict"], Value::from(verdict), "{name}: {told}");
    }
}

const CUT_BACK: &str = "
        - analyze: { id: il, trace: out, figures: [mean_db], limits: waveguide.yaml }
  - analyze:
      over: il
      cut_back: { y: insertion_loss_mean_db, x: length_cm }
      limits: waveguide.yaml
";
const WAVEGUIDE: &str = "version: 1
name: waveguide
figures:
  insertion_loss_mean_db: { max: 90 }
  propagation_loss_db_per_cm: { min: 2.9, max: 3.1 }
";
/// What a reader of a loss from powers must know.
const DBM: &str = "the levels are powers in dBm: insertion losses are relative to 0 dBm";

#[test]
fn one_file_has_the_limits_of_traces_and_of_the_line_through_them() {
    let bench = Bench::new();
    bench.write("waveguides.yaml", &format!("name: waveguides{WAVEGUIDES}{CUT_BACK}").replace("TLS", TLS));
    bench.write("waveguide.yaml", WAVEGUIDE);
    let ended = bench.run(&["run", "waveguides.yaml", "--unattended"]);
    assert!(ended.status.success(), "{}{}", text(&ended.stdout), text(&ended.stderr));
    let folder = bench.run_folder(&ended);
    assert_eq!(manifest(&folder)["verdicts"]["analyses"]["pass"], 5);
    let judged = bench.run(&["judge", "last", "--limits", "waveguide.yaml", "--json"]);
    let judged: Value = serde_json::from_slice(&judged.stdout).unwrap();
    let lines = judged["runs"][0]["judged"].as_array().unwrap();
    assert_eq!((judged["verdict"].as_str(), lines.len()), (Some("pass"), 5), "{judged}");
    assert_eq!((&lines[0]["trace"], &lines[0]["warnings"][0]), (&"raw".into(), &DBM.into()));
    let shown = bench.run(&["judge", "last", "--limits", "waveguide.yaml", "--all"]);
    assert!(text(&shown.stdout).contains("4/1 raw"), "{}", text(&shown.stdout));
    assert!(text(&shown.stderr).contains(&format!("warning (4 traces): {DBM}")), "{}", text(&shown.stderr));

    // The figures stay with their warning wherever they are read.
    let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
    assert!(read("report.html").contains(&format!("Warning: {DBM}")));
    let summary: Value = serde_json::from_str(&read("summary.json")).unwrap();
    let of = |name: &str| {
        summary["figures"].as_array().unwrap().iter().find(|line| line["figure"] == name).unwrap()
    };
    let mean = of("mean_db");
    assert_eq!((&mean["trace"], &mean["warnings"][0]), (&"raw".into(), &DBM.into()));
    assert_eq!(of("propagation_loss_db_per_cm")["trace"], Value::Null);
    let table = fs::File::open(folder.join("results.parquet")).unwrap();
    let rows = ParquetRecordBatchReaderBuilder::try_new(table).unwrap().build().unwrap().next().unwrap();
    let rows = rows.unwrap();
    let column = |name: &str| rows.column_by_name(name).unwrap().as_string::<i32>();
    assert!(column("notes").value(0).contains(DBM), "{:?}", column("notes"));
    let of_line = (0..rows.num_rows()).find(|row| column("figure").value(*row).starts_with("propagation"));
    assert_eq!(column("limits").value(of_line.unwrap()), "waveguide");

    // A limit that nothing judges is told before the run.
    for (limits, code, said) in [
        (
            WAVEGUIDE.replace("propagation_loss_db_per_cm", "slope_nm_per_mw"),
            2,
            "has no limit of `propagation_loss_db_per_cm`",
        ),
        (
            WAVEGUIDE.to_owned() + "  slope_nm_per_mw: { min: 0 }\n",
            0,
            "no analysis computes `slope_nm_per_mw`",
        ),
    ] {
        bench.write("waveguide.yaml", &limits);
        let check = bench.run(&["check", "waveguides.yaml"]);
        let told = format!("{}{}", text(&check.stdout), text(&check.stderr));
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(check.status.code() == Some(code) && told.contains(said), "{told}");
    }
}

#[test]
fn a_bound_decides_only_what_it_decides() {
    let bench = Bench::new();
    let script = |end: &str| {
        format!(
            "recipe(#{{ name: \"deep\", instrument: \"sim\", simulator: #{{ dut: \"ring\", time_scale: 0.01 }} }});
configure_tls(#{{ tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 5 }});
configure_scan(#{{ start_nm: 1545, stop_nm: 1555, resolution_pm: 5 }});
create_reference(#{{ detector: \"4/1\" }});
sweep();
let one = fetch_trace(#{{ detector: \"4/1\", trace: \"tf\" }});
sweep();
let other = fetch_trace(#{{ detector: \"4/1\", trace: \"tf\" }});
let mean = analyze(#{{ trace: [one, other], average: true, floor_db: -12, figures: [\"insertion_loss_max_db\"] }});
let loss = mean.insertion_loss_max_db;
let alone = one.figure(\"insertion_loss_max_db\", #{{ floor_db: -12 }});
log(`mean ${{loss}}, one ${{alone}}`);
if loss > 11 && alone - 1 > 10 && is_bound(loss) {{ log(`beyond ${{loss.value > 11}}`); }}
{end}
"
        )
    };
    for (name, end, code, said) in [
        ("sound", "", 0, "beyond true"),
        (
            "undecided",
            "if loss > 1000 { log(\"never\"); }",
            1,
            "is not decided, because the figure is only a bound",
        ),
        ("field", "wait(loss);", 1, "\u{2265} "),
        (
            "verdict",
            "analyze(#{ trace: one, minus: other, floor_db: -12, expect: #{ insertion_loss_max_db: #{ max: 90 } } });",
            4,
            "the trace that is subtracted is at its floor at",
        ),
    ] {
        bench.write(&format!("{name}.rhai"), &script(end));
        let ended = bench.run(&["run", &format!("{name}.rhai"), "--unattended"]);
        let told = format!("{}{}", text(&ended.stdout), text(&ended.stderr));
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(ended.status.code() == Some(code) && told.contains(said), "{name}: {told}");
        assert!(told.contains("mean \u{2265} ") && told.contains("one \u{2265} "), "{name}: {told}");
    }
}
