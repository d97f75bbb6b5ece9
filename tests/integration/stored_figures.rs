//! Figures of runs that have been measured: `ctp10 figures`, `judge`, `compare`, and `analyze` of a run.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{Bench, text};

/// Two chips; the second needs a Q that the ring does not have.
const RECIPE: &str = "
name: rings
instrument: sim
simulator: { dut: ring, noise: by-settings, time_scale: 0.01 }
parameters: { top_dbm: { default: 5 } }
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: \"${top_dbm}\" }
  - configure_scan: { start_nm: 1545, stop_nm: 1555, resolution_pm: 1 }
  - create_reference: { detector: 4/1 }
  - create_reference: { detector: 4/2 }
  - repeat:
      for: chip
      in_csv: chips.csv
      steps:
        - sweep:
        - fetch_trace: { id: out, detectors: [4/1, 4/2], trace: tf }
        - analyze:
            id: ring
            trace: out
            detector: 4/1
            figures: [dips]
            expect:
              q_loaded: { min: \"${chip.least_q}\" }
";
const CHIPS: &str = "chip,wafer,least_q\nA,W12,1000\nB,W12,1000000\n";

fn measure(bench: &Bench, arguments: &[&str]) -> String {
    bench.write("rings.yaml", RECIPE);
    bench.write("chips.csv", CHIPS);
    let output = bench.run(&[&["run", "rings.yaml", "--unattended"], arguments].concat());
    assert_eq!(output.status.code(), Some(4), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout).lines().last().unwrap().to_owned()
}

fn json_of(bench: &Bench, arguments: &[&str], code: i32) -> Value {
    let output = bench.run(arguments);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// All files of a folder with their content.
fn content(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> =
        walk(folder).into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect();
    files.sort();
    files
}

fn walk(folder: &Path) -> Vec<String> {
    let paths = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    paths
        .flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path.to_str().unwrap().to_owned()] })
        .collect()
}

#[test]
fn figures_are_one_row_per_device_in_a_table_in_csv_and_in_json() {
    let bench = Bench::new();
    measure(&bench, &[]);
    let rows = json_of(&bench, &["figures", "last", "--json"], 0);
    let rows = rows["rows"].as_array().unwrap();
    let told: Vec<_> = rows
        .iter()
        .map(|row| (row["columns"]["chip"].as_str().unwrap(), row["verdict"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("A", "pass"), ("B", "fail")]);
    let figure = |row: &Value, name: &str| {
        let figures = row["figures"].as_array().unwrap();
        figures.iter().find(|figure| figure["figure"] == name).unwrap().clone()
    };
    let q = figure(&rows[1], "q_loaded");
    assert!((q["value"].as_f64().unwrap() - 9140.0).abs() < 400.0, "{q}");
    assert_eq!((&q["verdict"], &q["detector"], &q["unit"]), (&"fail".into(), &"4/1".into(), &"1".into()));
    let csv = text(&bench.run(&["figures", "rings", "--figures", "q_loaded,dip_nm", "--csv"]).stdout);
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines[0], "run,name,started,simulated,verdict,chip,least_q,wafer,dip_nm,q_loaded,bounds");
    assert!(lines.len() == 3 && lines[2].contains(",true,fail,B,1000000,W12,15"), "{csv}");
    let table = text(&bench.run(&["figures", "last"]).stdout);
    assert!(table.contains("SIMULATED") && table.contains("wafer = W12") && table.contains(" !"), "{table}");
    assert!(table.lines().skip(1).all(|line| line.chars().count() <= 80), "{table}");
    let shown = text(&bench.run(&["runs", "show", "last"]).stdout);
    assert!(shown.contains("verdict     fail (devices: 1 pass, 1 fail)"), "{shown}");
    assert!(shown.contains("      4/2 · chip=B\n"), "{shown}");
    // Several runs, chosen by a condition.
    measure(&bench, &["--set", "top_dbm=0"]);
    let both = json_of(&bench, &["figures", "--where", "wafer = 'W12' and verdict = 'fail'", "--json"], 0);
    assert_eq!(both["rows"].as_array().unwrap().len(), 4);
    let one = json_of(&bench, &["figures", "--where", "top_dbm = 0", "--json"], 0);
    assert_eq!(one["rows"].as_array().unwrap().len(), 2);
}

#[test]
fn many_devices_are_one_row_each_and_a_value_within_its_limit_is_not_marked() {
    let bench = Bench::new();
    bench.write(
        "chips.csv",
        &format!("chip,wafer,least_q\n{}", (1..8).map(|n| format!("C{n},W12,1000\n")).collect::<String>()),
    );
    // The strongest dip fulfils the limit, and another one does not: their resonances have different wavelengths.
    bench.write(
        "rings.yaml",
        &RECIPE.replace("start_nm: 1545, stop_nm: 1555", "start_nm: 1535, stop_nm: 1565"),
    );
    let run = bench.run(&["run", "rings.yaml"]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let table = text(&bench.run(&["figures", "last", "--figures", "q_loaded"]).stdout);
    let rows = || table.lines().filter(|line| line.trim_start().starts_with('C'));
    assert_eq!(rows().count(), 7, "{table}");
    let all = json_of(&bench, &["figures", "last", "--figures", "q_loaded", "--all", "--json"], 0);
    let of_lines: Vec<f64> = all["rows"][0]["figures"]
        .as_array()
        .unwrap()
        .iter()
        .map(|figure| figure["value"].as_f64().unwrap())
        .collect();
    let strongest = json_of(&bench, &["figures", "last", "--figures", "q_loaded", "--json"], 0);
    let strongest = strongest["rows"][0]["figures"][0]["value"].as_f64().unwrap();
    let least = of_lines.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(least < strongest - 20.0, "{of_lines:?} {strongest}");
    // A limit between the two.
    let limit = f64::midpoint(least, strongest);
    bench.write("chips.csv", &format!("chip,wafer,least_q\nC1,W12,{limit:.1}\n"));
    assert_eq!(bench.run(&["run", "rings.yaml"]).status.code(), Some(4));
    let judged = json_of(&bench, &["figures", "last", "--figures", "q_loaded", "--json"], 0);
    let q = &judged["rows"][0]["figures"][0];
    assert_eq!(q["verdict"], "fail");
    assert!(
        q["value"].as_f64().unwrap() > limit && q["decided_by"]["value"].as_f64().unwrap() < limit,
        "{q}"
    );
    let table = text(&bench.run(&["figures", "last", "--figures", "q_loaded"]).stdout);
    let of = q["decided_by"]["of"].as_str().unwrap();
    assert!(table.contains(&format!(", {of} ")) && table.contains(" !"), "{table}");
}

#[test]
fn an_old_night_is_judged_by_new_limits_and_its_folder_stays_as_it_was() {
    let bench = Bench::new();
    let folder = bench.folder.path().join(measure(&bench, &[]));
    let before = content(&folder);
    // The extinction was not stored, so the traces are read again.
    bench.write(
        "strict.yaml",
        "version: 2\nname: strict\nfigures:\n  q_loaded: { min: 5000 }\n  extinction_db: { min: 40 }\n",
    );
    let judged = json_of(&bench, &["judge", "last", "--limits", "strict.yaml", "--json"], 4);
    assert_eq!((&judged["verdict"], &judged["limits"]["version"]), (&"fail".into(), &2.into()));
    let run = &judged["runs"][0];
    assert_eq!(run["stored_verdict"], "fail");
    let lines = run["judged"].as_array().unwrap();
    let of = |chip: &str, figure: &str| {
        lines.iter().find(|line| line["columns"]["chip"] == chip && line["figure"] == figure).unwrap()
    };
    assert_eq!(
        (&of("B", "q_loaded")["verdict"], &of("B", "q_loaded")["stored_verdict"]),
        (&"pass".into(), &"fail".into())
    );
    let extinction = of("A", "extinction_db");
    assert!(extinction["value"].as_f64().unwrap() > 20.0 && extinction["verdict"] == "fail", "{extinction}");
    assert_eq!(extinction["stored_verdict"], Value::Null);
    let table = text(&bench.run(&["judge", "last", "--limits", "strict.yaml"]).stdout);
    assert!(
        table.contains("strict version 2") && table.contains("≥ 40") && table.contains("SIMULATED"),
        "{table}"
    );
    bench.write("loose.yaml", "version: 1\nname: loose\nfigures:\n  q_loaded: { min: 100 }\n");
    let judged = json_of(&bench, &["judge", "--name", "rings", "--limits", "loose.yaml", "--json"], 0);
    assert_eq!(judged["verdict"], "pass");
    // A limit that the recipe's analysis cannot compute is not passed over.
    bench.write("ports.yaml", "version: 1\nname: ports\nfigures:\n  isolation_adjacent_db: { min: 30 }\n");
    let judged = json_of(&bench, &["judge", "last", "--limits", "ports.yaml", "--json"], 4);
    assert_eq!(judged["verdict"], "not measured");
    assert_eq!(content(&folder), before);
    bench.write("wrong.yaml", "version: 1\nname: wrong\nfigures:\n  q_load: { min: 100 }\n");
    let wrong = bench.run(&["judge", "last", "--limits", "wrong.yaml"]);
    let said = text(&wrong.stderr);
    assert!(
        wrong.status.code() == Some(2) && said.contains("wrong.yaml:4:3") && said.contains("q_loaded"),
        "{said}"
    );
}

#[test]
fn two_runs_are_compared_figure_by_figure_with_the_largest_drift_first() {
    let bench = Bench::new();
    let first = measure(&bench, &[]);
    // The second run has a chip more, and another limit for chip B.
    bench.write("more.csv", "chip,wafer,least_q\nA,W12,1000\nB,W12,10\nC,W12,10\n");
    bench.write("more.yaml", &RECIPE.replace("chips.csv", "more.csv"));
    let output = bench.run(&["run", "more.yaml", "--unattended", "--set", "top_dbm=-5"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let second = text(&output.stdout).lines().last().unwrap().to_owned();
    let compared = json_of(&bench, &["compare", &first, &second, "--json"], 0);
    assert_eq!(
        (&compared["before"]["verdict"], &compared["after"]["verdict"]),
        (&"fail".into(), &"pass".into())
    );
    let figures = compared["figures"].as_array().unwrap();
    let of = |chip: &str, figure: &str| {
        let fits = |pair: &&Value| pair["columns"]["chip"] == chip && pair["figure"] == figure;
        figures.iter().filter(fits).cloned().collect::<Vec<_>>()
    };
    // Chip A has the same columns in both runs; chip B has another limit, which is a column of its table.
    let q = &of("A", "q_loaded")[0];
    let value = |side: &str| q[side]["value"].as_f64().unwrap();
    let difference = q["difference"].as_f64().unwrap();
    assert!((difference - (value("after") - value("before"))).abs() < 1e-9, "{q}");
    assert_eq!(of("C", "q_loaded")[0]["before"], Value::Null);
    let drawn = ["compare", &first, &second, "--plot", "both.svg"];
    assert!(bench.run(&drawn).status.success());
    let picture = std::fs::read_to_string(bench.folder.path().join("both.svg")).unwrap();
    for side in ["before", "after"] {
        let run = compared[side]["run"].as_str().unwrap();
        assert!(picture.contains(&format!("{run}: ")), "{run} is in the legend");
    }
    assert_eq!(bench.run(&drawn).status.code(), Some(2), "a picture is not replaced");
    let table = text(&bench.run(&["compare", &first, &second]).stdout);
    assert!(table.contains("only after") && table.contains("SIMULATED"), "{table}");
    assert!(table.lines().skip(2).all(|line| line.chars().count() <= 80), "{table}");
}

#[test]
fn the_traces_of_a_run_are_analysed_with_their_detectors_and_devices() {
    let bench = Bench::new();
    measure(&bench, &[]);
    let found =
        json_of(&bench, &["analyze", "last", "--figures", "q,loss", "--detector", "4/1", "--json"], 0);
    assert_eq!(found["simulated"], true);
    let traces = found["traces"].as_array().unwrap();
    let told: Vec<_> = traces
        .iter()
        .map(|trace| {
            (
                trace["trace_index"].as_u64().unwrap(),
                trace["detector"].as_str().unwrap(),
                trace["columns"]["chip"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(told, [(1, "4/1", "A"), (3, "4/1", "B")]);
    assert!(traces[0]["figures"].as_array().unwrap().iter().any(|figure| figure["figure"] == "q_loaded"));
    let screen = text(&bench.run(&["analyze", "rings", "--figures", "q"]).stdout);
    assert!(screen.contains("SIMULATED") && screen.contains("trace 4  4/2 tf  (chip = B"), "{screen}");
    // The other commands for traces accept the same names of runs.
    for (file, arguments) in
        [("rings.svg", &["plot", "rings"][..]), ("rings.npz", &["export", "last", "--to", "npz"])]
    {
        let output = bench.run(&[arguments, &["-o", file]].concat());
        assert!(output.status.success(), "{file}: {}", text(&output.stderr));
        assert!(bench.folder.path().join(file).exists(), "{file}");
    }
}

#[test]
fn wrong_use_is_refused_with_the_reason_and_what_is_there() {
    let bench = Bench::new();
    measure(&bench, &[]);
    bench.write(
        "plain.yaml",
        "name: plain\ninstrument: sim\nsimulator: { time_scale: 0.01 }\nsteps:\n  - sweep: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }\n  - fetch_trace: { detector: 4/1, trace: raw }\n",
    );
    assert!(bench.run(&["run", "plain.yaml"]).status.success());
    bench.write("limits.yaml", "version: 1\nname: l\nfigures:\n  q_loaded: { min: 1 }\n");
    let cases: [(&[&str], &str, &str); 9] = [
        (&["figures"], "no run is named", "--where"),
        (&["figures", "plain"], "has no figures", "ctp10 analyze RUN"),
        (&["judge", "plain", "--limits", "limits.yaml"], "has no figures", "ctp10 analyze RUN"),
        (&["compare", "rings", "plain"], "has no figures", "ctp10 analyze RUN"),
        (&["figures", "rings", "--figures", "q_load"], "no figure `q_load`", "did you mean `q_loaded`?"),
        (&["figures", "rngs"], "no run `rngs`", "did you mean `rings`"),
        (&["analyze", "plain", "--figures", "q"], "has no trace `tf`", "raw of the detectors 4/1"),
        (&["analyze", "rings", "--figures", "q", "--detector", "4/3"], "of detector 4/3", "4/1, 4/2"),
        (&["judge", "rings", "--limits", "nowhere.yaml"], "nowhere.yaml", "nowhere.yaml"),
    ];
    for (arguments, message, hint) in cases {
        let output = bench.run(arguments);
        let said = text(&output.stderr);
        assert!(
            output.status.code() == Some(2) && said.contains(message) && said.contains(hint),
            "{arguments:?}: {said}"
        );
    }
}
