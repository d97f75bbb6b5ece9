//! `check` knows what `run` will refuse, and says it in the same words.

use serde_json::json;

use crate::sidecar::{request, serve};
use crate::support::{Bench, text};

/// A bench with limits in its configuration: laser 1 has at most 3 dBm, within 1520 to 1600 nm; laser 2 stays off.
fn limited() -> Bench {
    let bench = Bench::new();
    bench.write(
        "ctp10.toml",
        "instrument = \"sim\"\n\n[limits.laser.1]\nmax_power_dbm = 3\nwavelength_nm = [1520, 1600]\n\n[limits.laser.2]\noff = true\n",
    );
    bench
}

#[test]
fn a_limit_of_the_bench_is_an_error_with_its_file_and_line_before_anything_is_sent() {
    let bench = limited();
    let recipes = [
        ("power.yaml", "configure_tls: { tls: 1, laser: 1, power_dbm: 5 }", "ctp10.toml:4"),
        ("range.yaml", "configure_tls: { tls: 1, laser: 1, start_nm: 1520, stop_nm: 1610 }", "ctp10.toml:5"),
        ("off.yaml", "configure_laser: { laser: 2, output: true }", "ctp10.toml:8"),
    ];
    for (name, step, place) in recipes {
        bench.write(name, &format!("name: limits\nsteps:\n  - {step}\n"));
        bench.write("night.yaml", &format!("name: night\nitems:\n  - recipe: {name}\n"));
        for command in
            [vec!["check", name], vec!["plan", name], vec!["run", name], vec!["batch", "check", "night.yaml"]]
        {
            let ended = bench.run(&command);
            let said = format!("{}{}", text(&ended.stderr), text(&ended.stdout));
            assert_eq!(ended.status.code(), Some(2), "{command:?}: {said}");
            assert!(said.contains(&format!("the limit is defined in {place}")), "{command:?}: {said}");
            assert!(said.contains(&format!("{name}:3:")), "{command:?}: {said}");
        }
        assert!(!bench.folder.path().join("runs").exists(), "nothing has run");
    }
    let server = serve(&bench, &[]);
    let recipe = json!({ "recipe": format!("name: limits\nsteps:\n  - {}\n", recipes[0].1) });
    let (status, reply) = request(&server.address, "POST", "/check", Some(&recipe));
    assert_eq!((status, &reply["errors"]), (200, &json!(1)), "{reply}");
    assert_eq!(reply["findings"][0]["hint"], "the limit is defined in ctp10.toml:4");
}

#[test]
fn a_recipe_for_the_embedded_instrument_is_held_against_what_that_has() {
    let bench = Bench::new();
    let of = |steps: &str| format!("name: tf\ninstrument: sim\nsteps:\n{steps}");
    let reference = "  - configure_scan: { start_nm: 1540, stop_nm: 1550 }\n  - create_reference: { detector: 4/1, connect: cord }\n";
    let fetch = "  - fetch_trace: { detector: 4/1, trace: tf }\n";
    for (name, steps, said) in [
        (
            "none.yaml",
            format!("  - sweep: {{ start_nm: 1540, stop_nm: 1550 }}\n{fetch}"),
            "`4/1` has no valid reference on this instrument",
        ),
        (
            "other.yaml",
            format!("{reference}  - sweep: {{ start_nm: 1535, stop_nm: 1550 }}\n{fetch}"),
            "the reference of 4/1 covers 1540 to 1550 nm, but the sweep covers 1535 to 1550 nm",
        ),
        (
            "short.yaml",
            "  - sweep: { start_nm: 1549.75, stop_nm: 1550.25 }\n".to_owned(),
            "the scan covers 0.5 nm, but the shortest scan of the instrument is 1 nm",
        ),
    ] {
        bench.write(name, &of(&steps));
        for command in ["check", "plan", "run"] {
            let ended = bench.run(&[command, name]);
            let told = text(&ended.stderr);
            assert_eq!(ended.status.code(), Some(2), "{command} {name}: {told}");
            assert!(told.contains(said), "{command} {name}: {told}");
        }
    }
}

/// Where a measured value decides, `check` cannot be certain; then the run restates its sentence, not an error number.
#[test]
fn what_shows_only_in_the_run_is_said_in_the_words_of_check() {
    let bench = Bench::new();
    let of = |step: &str| {
        format!(
            "name: late\ninstrument: sim\nsimulator: {{ tls_range: refuse }}\nsteps:\n  - configure_scan: {{ start_nm: 1540, stop_nm: 1560, resolution_pm: 100 }}\n  - create_reference: {{ detector: 4/1, connect: cord }}\n  - read_power: {{ id: p, detector: 4/1 }}\n  - if:\n      condition: \"${{steps.p.value < 100}}\"\n      then: [ {step} ]\n"
        )
    };
    for (name, step, said) in [
        (
            "short.yaml",
            "{ sweep: { start_nm: 1549.75, stop_nm: 1550.25 } }",
            "the scan covers 0.5 nm, but the shortest scan of the instrument is 1 nm",
        ),
        (
            "range.yaml",
            "{ sweep: { start_nm: 1530 } }, { fetch_trace: { detector: 4/1, trace: tf } }",
            "the reference of 4/1 covers 1540 to 1560 nm, but the sweep covers 1530 to 1560 nm",
        ),
        (
            "gap.yaml",
            "{ configure_tls: { tls: 1, laser: 1, start_nm: 1545, stop_nm: 1560 } }, { sweep: {} }",
            "no TLS of this recipe sweeps 1540 to 1545 nm of the scan",
        ),
    ] {
        bench.write(name, &of(step));
        let ended = bench.run(&["run", name]);
        let told = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(1), "{name}: {told}");
        assert!(told.contains(&format!("failed: {said}")), "{name}: {told}");
    }
}

#[test]
fn an_instrument_is_named_in_a_recipe_as_on_the_command_line() {
    let bench = Bench::new();
    for (address, is_fine) in [
        ("192.168.1.20", true),
        ("localhost", true),
        ("ctp10.lab", true),
        ("bench:5025", true),
        ("\"[fe80::1]:5025\"", true),
        ("tcpip0::bench::5025::socket", true),
        ("bench", false),
        ("simm", false),
        ("http://192.168.1.20", false),
        ("http://192.168.1.20:5025", false),
        ("192.168.1.20:0", false),
        ("192.168.1.20:99999", false),
    ] {
        bench.write("r.yaml", &format!("name: r\ninstrument: {address}\nsteps: [ {{ sweep: {{}} }} ]\n"));
        let ended = bench.run(&["check", "r.yaml"]);
        assert_eq!(ended.status.success(), is_fine, "{address}: {}", text(&ended.stderr));
    }
}
