//! Analyses that combine traces: what does not fit together has no verdict `pass`.

use serde_json::Value;

use crate::support::{Bench, manifest, text};

const TLS: &str =
    "configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 100, power_dbm: 1 }";

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
        - fetch_trace: { id: out, detectors: [4/1], trace: raw }
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
            format!("name: cut{cut_back}"),
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
