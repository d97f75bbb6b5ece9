//! The limits of a bench hold for whatever emits light.

use serde_json::json;

use crate::sidecar::{request, serve};
use crate::support::{Bench, Running, Talk, manifest, simulate, text, until};

const LIMITS: &str = "
[limits.laser.1]
max_power_dbm = 3
wavelength_nm = [1520, 1600]
[limits.laser.2]
off = true
";

/// A bench with limits and an instrument with a log. `before` is what somebody else has set on it.
fn instrument(bench: &Bench, before: &[&str]) -> Running {
    bench.write("ctp10.toml", LIMITS);
    let log = bench.folder.path().join("commands.log");
    let simulator = simulate(bench, &["--time-scale", "0.01", "--log", log.to_str().unwrap()]);
    let mut talk = Talk::to(&simulator.address);
    for line in before {
        talk.send(line);
    }
    assert_eq!(talk.ask("SYST:ERR?"), "0,No error");
    simulator
}

fn sent(bench: &Bench) -> String {
    std::fs::read_to_string(bench.folder.path().join("commands.log")).unwrap().to_uppercase()
}

fn run(bench: &Bench, simulator: &Running, steps: &[&str]) -> (Option<i32>, String) {
    let steps: String = steps.iter().map(|step| format!("  - {step}\n")).collect();
    bench.write("light.yaml", &format!("name: light\nsteps:\n{steps}"));
    let output = bench.run(&["run", "light.yaml", "--instrument", &simulator.address]);
    (output.status.code(), text(&output.stderr))
}

#[test]
fn light_is_refused_by_what_the_instrument_has_and_not_by_what_is_written() {
    let strong = ["INIT:TLS1:POW 8DBM", "INIT:TLS1:WAV:STAR 1520NM", "INIT:TLS1:WAV:STOP 1590NM"];
    let wide = ["INIT:WAV:STAR 1520NM", "INIT:WAV:STOP 1625NM"];
    let other_laser = ["INIT:WAV:STAR 1300NM", "INIT:WAV:STOP 1310NM", "INIT:TLS2:WAV:STAR 1290NM"];
    let cases: [(&[&str], &str, &str, i32); 20] = [
        (&["CTP:RLAS1:POW 10DBM"], "configure_laser: { laser: 1, output: true }", "10 dBm of laser 1", 1),
        (&["CTP:RLAS1:WAV 1625NM"], "configure_laser: { laser: 1, output: true }", "1625 nm of laser 1", 1),
        (&["CTP:RLAS1:POW 10DBM"], "scpi: { command: \"ctp:rlaser:power:state 1\" }", "10 dBm of laser 1", 1),
        (&strong, "sweep:", "8 dBm of laser 1", 1),
        (&strong, "create_reference: { detector: 4/1 }", "8 dBm of laser 1", 1),
        (&strong, "scpi: { command: INIT }", "8 dBm of laser 1", 1),
        (&strong, "scpi: { command: \":initiate:immediate\" }", "8 dBm of laser 1", 1),
        (&strong, "scpi: { command: \"REF:SENS4:CHAN1:INIT\" }", "8 dBm of laser 1", 1),
        (&strong, "scpi: { command: \"*CLS;:INIT\" }", "8 dBm of laser 1", 1),
        (&wide, "sweep:", "1625 nm of laser 1", 1),
        (&other_laser, "scpi: { command: INIT }", "light of laser 2", 1),
        (&[], "scpi: { command: \"INIT:TLS1:WAV:STAR 1530NM;STOP 1630NM\" }", "1630 nm of laser 1", 1),
        (&[], "scpi: { command: \"INIT:TLS1:ID 2.0\" }", "light of laser 2", 2),
        (&[], "scpi: { command: \"INIT:TLS1:POW MAX\" }", "unknown in advance", 2),
        (&[], "scpi: { command: \"init:tls1:power 1e1\" }", "10 dBm of laser 1", 1),
        (&[], "scpi: { command: \"INIT:TLS1:POW 1DBM;:INIT\" }", "separate line", 2),
        (&[], "scpi: { command: \"*RST;INIT\" }", "separate line", 2),
        (&[], "scpi: { command: \"*RCL 1\" }", "*RCL 1", 2),
        (&[], "scpi: { command: \"INIT:SMOD CONT\" }", "INIT:SMOD CONT", 2),
        (&["CTP:RLAS1:POW:STAT ON"], "scpi: { command: \"*RST\" }", "laser 1 is on", 1),
    ];
    for (before, step, why, expected) in cases {
        let bench = Bench::new();
        let simulator = instrument(&bench, before);
        let known = sent(&bench).len();
        let (code, said) = run(&bench, &simulator, &[step]);
        // 2: the check refuses the recipe. 1: the run fails, by the state of the instrument and its lasers.
        assert_eq!(code, Some(expected), "{step}: {said}");
        assert!(said.contains("[limits]") && said.contains(why), "{step}: {said}");
        for line in sent(&bench)[known..].lines().filter_map(|line| line.split_whitespace().last()) {
            let lights =
                ["INIT", ":INITIATE:IMMEDIATE", "*RST", "*RST;INIT", "CONT", "ON", "1"].contains(&line);
            assert!(!lights, "{step}: {line}");
        }
    }
}

#[test]
fn what_is_within_the_limits_goes_on_typed_and_raw() {
    let bench = Bench::new();
    let simulator = instrument(&bench, &[]);
    let (code, said) = run(
        &bench,
        &simulator,
        &[
            "configure_tls: { tls: 1, laser: 1, start_nm: 1520, stop_nm: 1600, power_dbm: 3 }",
            "configure_scan: { start_nm: 1540, stop_nm: 1541 }",
            "scpi: { command: \"INIT:TLS1:POW 2;SPE 50;:CTP:SENS4:CHAN1:WAV 1550NM\" }",
            "scpi: { command: \"*RST\" }",
            "create_reference: { detector: 4/1 }",
            "sweep:",
            "configure_laser: { laser: 1, power_dbm: 2.9, wavelength_nm: 1550, output: true }",
            "scpi: { command: \"CTP:RLAS1:POW:STAT OFF\" }",
            "scpi: { command: INIT }",
        ],
    );
    assert!(!said.contains("[limits]"), "{said}");
    assert_eq!(code, Some(0), "{said}");
    assert!(sent(&bench).lines().any(|line| line.ends_with(" INIT")), "{}", sent(&bench));
}

#[test]
fn a_run_keeps_its_limits_wherever_it_is_resumed() {
    let bench = Bench::new();
    let simulator = instrument(&bench, &[]);
    let (code, said) = run(&bench, &simulator, &["log: begin", "configure_tls: { tls: 1, power_dbm: 7 }"]);
    assert_eq!(code, Some(1), "{said}");
    let folder = bench.only_run();
    assert_eq!(manifest(&folder)["limits"]["laser"]["1"]["max_power_dbm"], 3.0);
    // Elsewhere there is no ctp10.toml, or another one.
    for elsewhere in ["", "[limits.laser.1]\nmax_power_dbm = 9\n"] {
        let bench = Bench::new();
        bench.write("ctp10.toml", elsewhere);
        let output = bench.run(&["resume", folder.to_str().unwrap()]);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("7 dBm of laser 1 is not allowed"), "{said}");
        assert_eq!(manifest(&folder)["limits"]["laser"]["2"]["off"], true);
    }
}

#[test]
fn raw_text_by_http_is_one_question_or_a_command_within_the_limits() {
    let bench = Bench::new();
    let simulator = instrument(&bench, &[]);
    bench.write("ctp10.toml", &format!("allow_scpi = true\n{LIMITS}"));
    let service = serve(&bench, &["--instrument", &simulator.address]);
    until("the instrument has been found", || {
        request(&service.address, "GET", "/instrument", None).1["connected"] == true
    });
    let post = |body: serde_json::Value| request(&service.address, "POST", "/scpi", Some(&body));
    for (body, status) in [
        (json!({ "query": "*IDN?" }), 200),
        (json!({ "query": "CTP:RLAS1:POW 9DBM;:SYST:ERR?" }), 400),
        (json!({ "query": "*IDN?;*OPC?" }), 400),
        (json!({ "query": "NOTE \"what?\"" }), 400),
        (json!({ "command": "CTP:RLAS1:POW 9DBM" }), 403),
        (json!({ "command": "INIT:TLS1:WAV:STAR 1530NM;STOP 1630NM" }), 403),
        (json!({ "command": "CTP:RLAS1:POW 2DBM" }), 200),
        (json!({ "command": "*IDN?" }), 400),
    ] {
        let (found, told) = post(body.clone());
        assert_eq!(found, status, "{body}: {told}");
    }
    assert_eq!(Talk::to(&simulator.address).ask("CTP:RLAS1:POW?"), "2.00000000E+000");
}

#[test]
fn settings_of_which_one_is_not_allowed_are_refused_together() {
    let bench = Bench::new();
    let simulator = instrument(&bench, &["CTP:RLAS1:POW 8DBM", "CTP:RLAS1:WAV 1625NM"]);
    let service = serve(&bench, &["--instrument", &simulator.address]);
    until("the instrument has been found", || {
        request(&service.address, "GET", "/instrument", None).1["connected"] == true
    });
    let post = |path: &str, body: serde_json::Value| request(&service.address, "POST", path, Some(&body)).0;
    let settings = "CTP:RLAS1:WAV?;POW?;POW:STAT?;:INIT:TLS1:ID?;WAV:STAR?";
    let before = Talk::to(&simulator.address).ask(settings);
    for (path, body) in [
        ("/rlaser/1/config", json!({ "wavelength_nm": 1550, "power_dbm": 9 })),
        // The laser keeps a power or a wavelength at which it may not emit.
        ("/rlaser/1/config", json!({ "wavelength_nm": 1550, "power_state": true })),
        ("/rlaser/1/config", json!({ "power_dbm": 2, "power_state": true })),
        ("/tls/1/config", json!({ "start_wavelength_nm": 1530, "stop_wavelength_nm": 1630 })),
        ("/tls/1/config", json!({ "start_wavelength_nm": 1530, "identifier": 2 })),
    ] {
        assert_eq!(post(path, body.clone()), 403, "{body}");
        assert_eq!(Talk::to(&simulator.address).ask(settings), before, "{body}");
    }
    // The limits are those of the settings after the request.
    let allowed = json!({ "wavelength_nm": 1550, "power_dbm": 2, "power_state": true });
    assert_eq!(post("/rlaser/1/config", allowed), 200);
}
