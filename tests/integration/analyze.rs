//! `ctp10 analyze`: figures of merit of a trace in a file.

use serde_json::Value;

use crate::support::{Bench, text};

/// Dips of 0.1 nm every 5 nm, with these separators and decimals.
fn comb() -> String {
    let rows = (0..20_001).map(|point| {
        let nm = 1540.0 + 1e-3 * f64::from(point);
        let power: f64 = [1542.5, 1547.5, 1552.5, 1557.5]
            .into_iter()
            .map(|center| 1.0 - 0.9 / (1.0 + (2.0 * (nm - center) / 0.1f64).powi(2)))
            .product();
        format!("{nm:.3},{:.6}\n", 10.0 * power.log10() - 3.0)
    });
    format!("wavelength_nm,transmission_db\n{}", rows.collect::<String>())
}

fn json(bench: &Bench, arguments: &[&str]) -> Value {
    let output = bench.run(&[&["analyze"], arguments, &["--json"]].concat());
    assert!(output.status.success(), "{}", text(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn values(answer: &Value, name: &str) -> Vec<f64> {
    let figures = answer["figures"].as_array().unwrap().iter();
    figures
        .filter(|figure| figure["figure"] == name)
        .map(|figure| figure["value"].as_f64().unwrap())
        .collect()
}

#[test]
fn a_csv_file_gives_its_figures_as_json_and_as_a_table() {
    let bench = Bench::new();
    bench.write("comb.csv", &comb());
    let answer = json(&bench, &["comb.csv", "--figures", "dips,fsr,q,loss", "--band", "1545:1560"]);
    assert_eq!(values(&answer, "dip_nm"), [1547.5, 1552.5, 1557.5]);
    let (spacings, loaded) = (values(&answer, "fsr_nm"), values(&answer, "q_loaded"));
    assert_eq!((spacings.len(), loaded.len()), (2, 3));
    assert!(spacings.iter().all(|fsr| (fsr - 5.0).abs() < 1e-4));
    assert!(loaded.iter().all(|q| (q / 15_500.0 - 1.0).abs() < 0.02));
    assert!((values(&answer, "insertion_loss_max_db")[0] - 13.0).abs() < 0.01);
    for figure in answer["figures"].as_array().unwrap() {
        for key in ["figure", "value", "unit", "window", "definition"] {
            assert!(!figure[key].is_null(), "{key} of {figure}");
        }
    }
    assert_eq!(
        (&answer["settings"]["distance_nm"], &answer["settings"]["lines"]),
        (&0.5.into(), &"dip".into())
    );
    let table = bench.run(&["analyze", "comb.csv", "--figures", "dips,notch@30"]);
    let table = text(&table.stdout);
    assert!(table.contains("prominence 3 dB; distance 0.5 nm"), "{table}");
    assert!(table.contains("not measured") && table.contains("30 dB below the base"), "{table}");
}

#[test]
fn a_trace_of_a_run_gives_its_figures() {
    let bench = Bench::new();
    bench.write(
        "one.yaml",
        "name: one\ninstrument: sim\nsimulator: { time_scale: 0.001, dut: filter }\nsteps:\n  - sweep: { start_nm: 1521, stop_nm: 1541, resolution_pm: 10 }\n  - fetch_trace: { detector: 4/1, trace: raw }\n",
    );
    let run = bench.run(&["run", "one.yaml"]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    let traces = bench.run_folder(&run).join("traces");
    let file = std::fs::read_dir(traces).unwrap().next().unwrap().unwrap().path();
    let answer = json(&bench, &[file.to_str().unwrap(), "--figures", "loss,bandwidth@3"]);
    assert_eq!(answer["column"], "value");
    assert!(answer["warnings"][0].as_str().unwrap().contains("powers in dBm"), "{answer}");
    assert_eq!(answer["settings"]["samples"], 2001);
    // The warning is only about losses.
    let widths = json(&bench, &[file.to_str().unwrap(), "--figures", "bandwidth@3"]);
    assert!(widths.get("warnings").is_none(), "{widths}");
    assert!(values(&answer, "insertion_loss_min_db")[0] < values(&answer, "insertion_loss_max_db")[0]);
    // The filter of the simulator is 13 nm wide at half power.
    let widths = values(&answer, "bandwidth_3db_nm");
    assert!(widths.len() == 1 && (widths[0] - 13.0).abs() < 0.05, "{widths:?}");
}

#[test]
fn a_topology_and_a_length_add_their_figures() {
    let bench = Bench::new();
    bench.write("comb.csv", &comb());
    let figures = ["comb.csv", "--figures", "q,group_index"];
    let ring = ["--topology", "add-drop", "--length-um", "114.4"];
    let answer = json(&bench, &[&figures[..], &ring[..]].concat());
    let (loaded, intrinsic) = (values(&answer, "q_loaded"), values(&answer, "q_intrinsic"));
    assert_eq!((loaded.len(), intrinsic.len()), (4, 4));
    // The dips reach a tenth of the base.
    for (loaded, intrinsic) in loaded.iter().zip(intrinsic) {
        assert!((intrinsic / (loaded * 10f64.sqrt()) - 1.0).abs() < 1e-3, "{loaded} {intrinsic}");
    }
    let expected = [(1542.5, 1547.5), (1547.5, 1552.5), (1552.5, 1557.5)]
        .map(|(first, second)| first * second / (5.0 * 114.4e3));
    let indices = values(&answer, "group_index");
    assert_eq!(indices.len(), expected.len());
    for (index, expected) in indices.iter().zip(expected) {
        assert!((index - expected).abs() < 1e-4, "{index} {expected}");
    }
}

#[test]
fn smoothing_gives_the_same_figures_for_rising_and_falling_wavelengths() {
    let bench = Bench::new();
    // Up to 1557 nm only, so that the reversed trace is another one.
    let comb = comb();
    let (header, rows) = comb.split_once('\n').unwrap();
    let mut rows: Vec<&str> = rows.lines().take(17_001).collect();
    for name in ["rising.csv", "falling.csv"] {
        bench.write(name, &format!("{header}\n{}\n", rows.join("\n")));
        rows.reverse();
    }
    let smooth = |name: &str| json(&bench, &[name, "--figures", "dips,q,loss", "--smooth", "5"]);
    let (rising, falling) = (smooth("rising.csv"), smooth("falling.csv"));
    assert_eq!(values(&rising, "dip_nm"), [1542.5, 1547.5, 1552.5]);
    assert_eq!(values(&rising, "q_loaded").len(), 3);
    assert_eq!(rising["figures"], falling["figures"]);
    assert_eq!(rising["smoothing"], "moving mean over 5 samples, in dB");
    let plain = json(&bench, &["rising.csv", "--figures", "loss"]);
    assert!(values(&rising, "insertion_loss_max_db") < values(&plain, "insertion_loss_max_db"));
}

#[test]
fn a_trace_of_nothing_but_nan_has_no_level_above_0_db() {
    let bench = Bench::new();
    bench.write("nan.csv", "wavelength_nm,transmission_db\n1550,nan\n1551,\n");
    let answer = json(&bench, &["nan.csv", "--figures", "loss"]);
    assert_eq!(answer["warnings"], serde_json::json!(["unusable samples: 2 NaN; they are not used"]));
    bench.write("gain.csv", "wavelength_nm,transmission_db\n1550,3\n1551,4\n");
    let answer = json(&bench, &["gain.csv", "--figures", "loss"]);
    assert!(answer["warnings"][0].as_str().unwrap().contains("all levels are above 0 dB"), "{answer}");
}

#[test]
fn a_port_of_a_multiplexer_has_the_figures_of_its_channel() {
    let bench = Bench::new();
    let level = |nm: f64| (-1.0 - 3.0 * ((nm - 1551.5) / 7.0).powi(8)).max(-41.0);
    let rows: Vec<String> = (0..=5000)
        .map(|point| 1500.0 + 0.02 * f64::from(point))
        .map(|nm| format!("{nm:.2},{:.6}", level(nm)))
        .collect();
    bench.write("port.csv", &format!("wavelength_nm,transmission_db\n{}\n", rows.join("\n")));
    let answer = json(&bench, &["port.csv", "--channels", "cwdm:5"]);
    // 1511 to 1591 nm: the window of 1491 nm begins before the trace, and that of 1611 nm ends behind it.
    let first = &answer["figures"][0];
    assert_eq!(
        (&first["figure"], &first["of"]),
        (&"insertion_loss_center_db".into(), &"channel 1551 nm".into())
    );
    assert!((values(&answer, "center_offset_nm")[0] - 0.5).abs() < 0.01);
    assert!((values(&answer, "bandwidth_3db_nm")[0] - 14.0).abs() < 0.01);
    let isolation = level(1556.0).min(level(1546.0)) + 41.0;
    assert!((values(&answer, "isolation_adjacent_db")[0] - isolation).abs() < 0.01);
    let crosstalk = isolation - 10.0 * 4f64.log10();
    assert!((values(&answer, "crosstalk_cumulative_db")[0] - crosstalk).abs() < 0.01);
    let dwdm = json(
        &bench,
        &["port.csv", "--channels", "dwdm:200", "--figures", "bandwidth@1", "--band", "1540:1560"],
    );
    assert!(
        dwdm["figures"]
            .as_array()
            .unwrap()
            .iter()
            .any(|figure| figure["figure"] == "bandwidth_defined_1db_nm")
    );
    for (grid, said) in [
        ("dwdm:30", "30 GHz is not in G.694.1"),
        ("cwdm:60", "no channel has its window within 1500 to 1600 nm"),
        ("grid", "as in `dwdm:100` or `cwdm`"),
    ] {
        let failed = bench.run(&["analyze", "port.csv", "--channels", grid]);
        let error = text(&failed.stderr);
        assert!(failed.status.code() == Some(2) && error.contains(said), "{grid}: {error}");
    }
}

#[test]
fn wrong_use_names_the_mistake_and_ends_with_the_usage_code() {
    let bench = Bench::new();
    bench.write("comb.csv", &comb());
    bench.write("columns.csv", "wavelength_nm,time,power\n1550,0,-3\n");
    bench.write("linear.csv", "1550,0.1\n1551,0.9\n1552,0.5\n");
    bench.write("um.csv", "wavelength_um,transmission_db\n1.55,-3\n");
    bench.write("unsorted.csv", "1550,-3\n1552,-3\n1551,-3\n");
    bench.write("fake.parquet", "PAR1 and no more");
    for (arguments, said) in [
        (
            vec!["comb.csv", "--figures", "dips", "--band", "1600:1610"],
            "is outside the trace, which reaches from 1540 to 1560 nm",
        ),
        (
            vec!["comb.csv", "--figures", "loss@1550", "--band", "1540:1545"],
            "`loss@1550`: 1550 nm is outside the band, 1540 to 1545 nm",
        ),
        (vec!["comb.csv", "--figures", "dips", "--band", "1.54:1.55"], "it looks like micrometres"),
        (vec!["comb.csv", "--figures", "dip,qq"], "there are no figures `qq`"),
        (vec!["comb.csv", "--figures", "dips", "--band", "1560:1550"], "1560 nm is not below 1550 nm"),
        (vec!["comb.csv", "--figures", "dips", "--smooth", "4"], "an odd number is needed"),
        (vec!["comb.csv", "--figures", "dips", "--column", "x"], "no column `x`"),
        (vec!["comb.csv", "--figures", "dips", "--floor", "nan"], "a finite number is needed"),
        (vec!["comb.csv", "--figures", "dips", "--floor", "inf"], "a finite number is needed"),
        (vec!["comb.csv", "--figures", "dips", "--saturation", "nan"], "a finite number is needed"),
        (vec!["columns.csv", "--figures", "dips"], "columns of levels: `time`, `power`; name one of them"),
        (vec!["linear.csv", "--figures", "dips"], "looks like linear transmission"),
        (vec!["um.csv", "--figures", "dips"], "`wavelength_um` has another unit"),
        (vec!["unsorted.csv", "--figures", "dips"], "sample 3: the wavelength 1551 nm follows 1552 nm"),
        (vec!["fake.parquet", "--figures", "dips"], "is damaged"),
        (vec!["nowhere.csv", "--figures", "dips"], "cannot read `nowhere.csv`"),
    ] {
        let output = bench.run(&[vec!["analyze"], arguments.clone()].concat());
        let error = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {error}");
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
}
