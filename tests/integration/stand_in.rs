//! The embedded instrument as clients know a real one that are not ours: what they send, and what they rely on.

use crate::support::{Bench, Talk, simulate, until, until_some};

fn number(text: &str) -> f64 {
    text.parse().unwrap_or_else(|_| panic!("`{text}` is no number"))
}

/// Waits as the public drivers do: until the bit "scanning" is cleared.
fn wait_until_scanned(talk: &mut Talk) -> u16 {
    until_some("the scan is over", || {
        let condition: u16 = talk.ask(":STATus:OPERation:CONDition?").parse().unwrap();
        Some(condition).filter(|condition| condition & 4 == 0)
    })
}

#[test]
fn a_client_that_watches_the_bit_scanning_only_gets_the_new_trace_and_can_go_on() {
    let bench = Bench::new();
    // Analyzing takes two seconds: long enough to be met on a busy machine.
    let simulator = simulate(&bench, &["--time-scale", "10", "--points", "1001"]);
    let mut talk = Talk::to(&simulator.address);
    talk.send("INIT:WAV:STAR 1540NM;STOP 1541NM");
    talk.send("REF:SENS4:CHAN1:INIT");
    assert_eq!(wait_until_scanned(&mut talk), 64 + 8);
    assert!(talk.ask("REF:SENS4:CHAN1:RES?").starts_with("1,0,"));
    assert_eq!(talk.ask("STAT:OPER:COND?"), "0");
    talk.send("INIT");
    assert_eq!(wait_until_scanned(&mut talk), 8);
    // Settings are accepted, and none of them changes the scan that was made.
    for setting in
        ["INIT:TLS1:POW 3DBM", "CTP:RLAS1:WAV 1545NM", "CTP:SENS4:CHAN1:UNIT:Y DBM", "INIT:STAB 0,0"]
    {
        assert_eq!(talk.told(setting), "0,No error", "{setting}");
    }
    for kind in [1, 11, 12, 13] {
        assert_eq!(talk.block(&format!("TRAC:SENS4:CHAN1:TYPE{kind}:DATA? BIN,DB")).len(), 4004);
    }
    // The next scan is not refused either: it begins when the analysis is over.
    talk.send("INIT");
    wait_until_scanned(&mut talk);
    talk.send("INIT;*OPC?");
    assert_eq!(talk.raw_line(), b"1\r\n");
    talk.send("ABOR");
    assert_eq!(talk.ask("TRAC:SENS4:CHAN1:TYPE11:DATA:LENG?"), "1001");
    assert_eq!(talk.ask("SYST:ERR?"), "0,No error");
}

#[test]
fn a_laser_that_is_switched_on_while_a_scan_is_analyzed_stays_on() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "10"]);
    let mut talk = Talk::to(&simulator.address);
    talk.send("INIT:TLS1:SPE 5;:INIT:WAV:STAR 1540NM;STOP 1541NM;:INIT");
    assert_eq!(talk.ask("CTP:RLAS1:POW:STAT?"), "1");
    assert_eq!(wait_until_scanned(&mut talk), 8);
    assert_eq!(talk.ask("CTP:RLAS1:POW:STAT?"), "0");
    talk.send("CTP:RLAS1:POW:STAT ON");
    talk.wait_until_idle();
    assert_eq!(talk.ask("CTP:RLAS1:POW:STAT?"), "1");
}

#[test]
fn completion_is_told_when_the_scan_is_over_and_not_before() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "2"]);
    let (mut talk, mut other) = (Talk::to(&simulator.address), Talk::to(&simulator.address));
    assert_eq!(talk.ask("*OPC?"), "1");
    talk.send("INIT:TLS1:SPE 5;:INIT:WAV:STAR 1540NM;STOP 1545NM;:INIT;*OPC;*OPC?");
    until("the scan has begun", || other.ask("STAT:OPER:COND?") != "0");
    assert_eq!(other.ask("STAT:OPER:COND?"), "4");
    assert_eq!(other.ask("*ESR?"), "128", "power on, and no completion yet");
    // Others are answered meanwhile; the reply comes when the register is 0.
    assert_eq!(talk.raw_line(), b"1\r\n");
    assert_eq!(other.ask("STAT:OPER:COND?;:STAT:OPER?"), "0;12");
    assert_eq!(other.ask("*ESR?;*ESR?"), "1;0");
    // `*WAI` holds what follows on the same connection.
    talk.send("INIT;*WAI;:TRAC:SENS4:CHAN1:TYPE11:DATA:LENG?");
    assert_eq!(talk.raw_line(), b"501\r\n");
    assert_eq!(talk.ask("SYST:ERR?"), "0,No error");
    // An abort completes too.
    talk.send("INIT;*OPC?");
    other.send("ABOR");
    assert_eq!(talk.raw_line(), b"1\r\n");
}

#[test]
fn traces_are_there_as_the_detector_and_the_memory_have_them() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02", "--points", "101"]);
    let mut talk = Talk::to(&simulator.address);
    let length = |talk: &mut Talk, detector: &str, kind: u8| -> Option<String> {
        let answer = talk.ask(&format!("TRAC:{detector}:TYPE{kind}:DATA:LENG?;*OPC?"));
        assert!(answer == "1" || answer.ends_with(";1"), "{answer}");
        talk.send("*CLS");
        answer.strip_suffix(";1").map(str::to_owned)
    };
    assert_eq!(talk.ask("REF:SENS4:CHAN1:RES?"), "0");
    assert_eq!(length(&mut talk, "SENS4:CHAN1", 13), None);
    talk.send("REF:SENS4:CHAN1:INIT:IMM;*WAI;:INIT;*WAI");
    assert!(talk.ask("REF:SENS4:CHAN1:RES?").starts_with("1,0,20"));
    let points = || Some("101".to_owned());
    for kind in 1..=23 {
        let expected = if [1, 11, 12, 13].contains(&kind) { points() } else { None };
        assert_eq!(length(&mut talk, "SENS4:CHAN1", kind), expected, "type {kind}");
    }
    assert_eq!(length(&mut talk, "SENS4:CHAN2", 13), points());
    // Another kind of module has no quick reference.
    assert_eq!(length(&mut talk, "SENS5:CHAN1", 11), points());
    assert_eq!(length(&mut talk, "SENS5:CHAN1", 13), None);
    // Every way to write the request.
    let name = "TRAC:SENS4:CHAN1:TYPE11:DATA";
    let block = talk.block(&format!("{name}? BIN,DB"));
    for more in [":Y? BIN,DB", ":IMM? BIN,DB", ":Y:IMMEDIATE? 1,DB"] {
        assert_eq!(talk.block(&format!("{name}{more}")), block, "{more}");
    }
    assert_eq!(talk.block(&format!("{name}:X:IMM? BIN,M")).len(), 808);
    let wavelengths = talk.ask(&format!("{name}:X? ASCII,M"));
    assert_eq!(wavelengths.split(',').count(), 101);
    assert_eq!(talk.ask(&format!("{name}:X:IMM?")), wavelengths);
    assert_eq!(talk.ask(&format!("{name}:X:IMM? 0,M")), wavelengths);
    for (arguments, code) in
        [("", "-109"), (" BIN", "-109"), (" BIN,M,1", "-108"), (" TEXT,DB", "-224"), (" BIN,M", "-224")]
    {
        assert!(talk.told(&format!("{name}?{arguments}")).starts_with(code), "{arguments}");
    }
    // The trace queue is emptied; the reference is none of it.
    talk.send("CLE");
    for (kind, expected) in [(1, None), (11, None), (12, points()), (13, None)] {
        assert_eq!(length(&mut talk, "SENS4:CHAN1", kind), expected, "type {kind}");
    }
}

#[test]
fn a_calibration_wavelength_is_shared_within_an_il_rl_opm2_and_nowhere_else() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--modules", "3,4,20", "--channels", "6"]);
    let mut talk = Talk::to(&simulator.address);
    talk.send("CTP:SENS4:CHAN2:WAV 1310NM;:CTP:SENS20:CHAN6:WAV 1480NM");
    let mut at = |module: u8, channel: u8| -> f64 {
        (number(&talk.ask(&format!("CTP:SENS{module}:CHAN{channel}:WAV?"))) * 1e9).round()
    };
    assert!((1..=4).all(|channel| at(4, channel) == 1310.0));
    assert!((1..=5).all(|channel| at(20, channel) == 1550.0));
    assert_eq!((at(20, 6), at(3, 6)), (1480.0, 1550.0));
    let outputs = talk.ask("CTP:SENS20:CHAN6:POW?");
    assert!(number(&outputs) < -70.0, "{outputs}");
    for detector in ["SENS5:CHAN1", "SENS4:CHAN5", "SENS20:CHAN7"] {
        assert!(talk.told(&format!("CTP:{detector}:POW?")).starts_with("-241"), "{detector}");
    }
}

#[test]
fn a_scan_that_the_tls_does_not_cover_sweeps_what_both_allow_or_is_refused() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let mut talk = Talk::to(&simulator.address);
    let grid = "TRAC:SENS4:CHAN1:TYPE11:DATA:STAR?;LENG?";
    for (range, tls, expected) in [
        ("1520NM;STOP 1580NM", "1520NM;STOP 1580NM", "1.52000000E-006;6001"),
        ("1520NM;STOP 1580NM", "1530NM;STOP 1560NM", "1.53000000E-006;3001"),
        ("1500NM;STOP 1550NM", "1540NM;STOP 1600NM", "1.54000000E-006;1001"),
        // On the grid of the scan, within the TLS's range.
        ("1520NM;STOP 1580NM", "1530.004NM;STOP 1560.006NM", "1.53001000E-006;3000"),
        // Two lasers with a gap between: it is dark.
        ("1300NM;STOP 1600NM", "1500NM;STOP 1630NM", "1.30000000E-006;30001"),
    ] {
        talk.send(&format!("INIT:WAV:STAR {range};:INIT:TLS1:WAV:STAR {tls};:INIT;*WAI"));
        assert_eq!(talk.ask(grid), expected, "{range}, {tls}");
    }
    let levels = talk.ask("TRAC:SENS4:CHAN3:TYPE11:DATA? ASCII,DB");
    let levels: Vec<f64> = levels.split(',').map(number).collect();
    assert!(levels[100] > -2.0 && levels[15_000] < -60.0 && levels[29_000] > -2.0);
    assert_eq!(talk.ask("SYST:ERR?"), "0,No error");
    // Nothing in common: no scan.
    assert!(talk.told("INIT:WAV:STAR 1400NM;STOP 1450NM;:INIT").starts_with("-221"));
    let strict = simulate(&bench, &["--time-scale", "0.02", "--tls-range", "refuse"]);
    let mut talk = Talk::to(&strict.address);
    assert!(talk.told("INIT:TLS1:WAV:STAR 1530NM;STOP 1560NM;:INIT").starts_with("-221"));
    assert_eq!(talk.told("INIT:WAV:STAR 1530NM;STOP 1560NM;:INIT;*WAI"), "0,No error");
}

#[test]
fn scan_after_scan_the_last_trace_can_be_read_at_any_time() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.5"]);
    let mut talk = Talk::to(&simulator.address);
    talk.send("INIT:SMOD CONT;WAV:STAR 1540NM;STOP 1545NM;:INIT:TLS1:SPE 5;:INIT;*WAI");
    let read = |talk: &mut Talk| talk.block("TRAC:SENS4:CHAN1:TYPE11:DATA? BIN,DB");
    let first = read(&mut talk);
    until("the next trace can be read", || read(&mut talk) != first);
    assert_ne!(talk.ask("STAT:OPER:COND?"), "0");
    talk.send("ABOR;*WAI");
    assert_eq!(talk.ask("INIT:SMOD?;:STAT:OPER:COND?;:SYST:ERR?"), "SING;0;0,No error");
}

#[test]
fn power_follows_the_light_of_a_scan_or_is_refused() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    let mut talk = Talk::to(&simulator.address);
    // 26 s: this is looked at in the middle of it.
    talk.send("INIT:TLS1:POW 5DBM;SPE 5;:INIT:WAV:STAR 1500NM;STOP 1630NM;:INIT");
    let tap = number(&talk.ask("CTP:SENS4:CHAN3:POW?"));
    assert!((tap - 4.4).abs() < 0.1, "{tap}");
    assert_eq!(talk.ask("STAT:OPER:COND?"), "4");
    let strict = simulate(&bench, &["--power-in-scan", "refused"]);
    let mut talk = Talk::to(&strict.address);
    talk.send("INIT:TLS1:SPE 5;:INIT");
    assert!(talk.told("CTP:SENS4:CHAN3:POW?").starts_with("-221"));
    talk.send("ABOR;*WAI");
    assert!(number(&talk.ask("CTP:SENS4:CHAN3:POW?")) < -70.0);
}

#[test]
fn what_public_programs_contradict_each_other_on_is_an_option() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    let mut talk = Talk::to(&simulator.address);
    talk.send("INIT:TLS1:POW 8DBM;SPE 20;TRIG 3;ID 2");
    assert_eq!(talk.ask("INIT:STAB?;:INIT:TLS1:ID?;POW?;SPE?;TRIG?"), "0,0;2;8.00000000E+000;20;3");
    talk.send("SYST:ANLG:OUT1:SOUR 4,1");
    assert_eq!(talk.ask("*OPC?"), "1");
    let options = [
        "--stabilization-output",
        "1",
        "--identifier",
        "resets",
        "--analog-output",
        "answers",
        "--lasers-after-scan",
        "actual",
        "--time-scale",
        "0.02",
    ];
    let simulator = simulate(&bench, &options);
    let mut talk = Talk::to(&simulator.address);
    assert_eq!(talk.ask("INIT:STAB?"), "1,0");
    talk.send("INIT:TLS1:POW 8DBM;SPE 20;TRIG 3;ID 2");
    assert_eq!(talk.ask("INIT:TLS1:POW?;SPE?;TRIG?"), "0.00000000E+000;50;0");
    assert_eq!(talk.ask("INIT:TLS1:WAV:STAR?;STOP?"), "1.26000000E-006;1.36000000E-006");
    assert_eq!(talk.ask("SYST:ANLG:OUT1:SOUR 4,1"), "4,1");
    talk.send("INIT:TLS1:ID 1;POW 3DBM;:CTP:RLAS1:POW -5DBM;:INIT;*WAI");
    assert_eq!(talk.ask("CTP:RLAS1:WAV?;POW?;POW:STAT?"), "1.58000000E-006;3.00000000E+000;1");
    assert_eq!(talk.ask("SYST:ERR?"), "0,No error");
}

#[test]
fn a_distributed_unit_has_no_lasers_of_its_own_and_waits_for_its_controller() {
    let bench = Bench::new();
    // Each state lasts a second.
    let simulator = simulate(&bench, &["--distributed", "--time-scale", "10"]);
    let mut talk = Talk::to(&simulator.address);
    for command in ["IDN?", "TYPE?", "POW?", "POW:STAT?", "WAV?", "POW 3DBM", "POW:STAT OFF", "WAV 1550NM"] {
        assert!(talk.told(&format!("CTP:RLAS1:{command}")).starts_with("-200"), "{command}");
    }
    talk.send("INIT:WAV:STAR 1540NM;STOP 1545NM;:INIT:TLS1:ID 1;POW 3DBM;:INIT");
    let mut seen = vec![talk.ask("STAT:OPER:COND?")];
    while seen.last().unwrap() != "0" {
        let condition = talk.ask("STAT:OPER:COND?");
        if *seen.last().unwrap() != condition {
            seen.push(condition);
        }
    }
    assert_eq!(seen, ["256", "512", "4", "8", "0"]);
    assert_eq!(talk.ask("TRAC:SENS4:CHAN1:TYPE11:DATA:LENG?"), "501");
    assert_eq!(talk.ask("SYST:ERR?"), "0,No error");
}

#[test]
fn a_preloaded_unit_has_a_trace_and_references_from_the_start() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--preload", "--modules", "4,7"]);
    let mut talk = Talk::to(&simulator.address);
    assert_eq!(talk.ask("STAT:OPER:COND?"), "0");
    for detector in ["SENS4:CHAN1", "SENS4:CHAN4", "SENS7:CHAN4"] {
        assert!(talk.ask(&format!("REF:{detector}:RES?")).starts_with("1,0,20"), "{detector}");
        for kind in [1, 11, 12] {
            let points = talk.ask(&format!("TRAC:{detector}:TYPE{kind}:DATA:LENG?"));
            assert_eq!(points, "6001", "{detector} {kind}");
        }
    }
    assert_eq!(talk.ask("TRAC:SENS4:CHAN1:TYPE13:DATA:LENG?"), "6001");
    let through = talk.ask("TRAC:SENS4:CHAN1:TYPE1:DATA? ASCII,DB");
    let dip = through.split(',').map(number).fold(f64::MAX, f64::min);
    assert!(dip < -8.0, "{dip}");
    assert_eq!(talk.ask("SYST:ERR?"), "0,No error");
}

#[test]
fn an_option_that_makes_no_sense_is_refused_by_the_command_line_and_in_a_recipe() {
    let bench = Bench::new();
    for (option, value, said) in [
        ("identifier", "forgets", "keeps"),
        ("tls-range", "all", "overlap"),
        ("power-in-scan", "yes", "answered"),
        ("lasers-after-scan", "off", "as-set"),
        ("analog-output", "loud", "silent"),
        ("stabilization-output", "2", "0..=1"),
        ("modules", "4,21", "1 to 20"),
        ("modules", "4,4", "once"),
        ("channels", "7", "1 to 6"),
        ("lasers", "T100S-HP,T9000", "T100S-HP, T200S-O-M, T500S, mSWS"),
        ("seam-db", "30", "0 to 20"),
        ("reference-sweeps", "2", "1 or 4"),
        ("trace-types", "2,11", "2 to 10, 14 to 23"),
        ("photocurrent", "6", "a module of `modules`"),
        ("fbc", "perhaps", "selects"),
    ] {
        let output = bench.run(&["simulate", "--listen", "127.0.0.1:0", &format!("--{option}"), value]);
        let stderr = crate::support::text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{option}: {stderr}");
        assert!(
            stderr.contains(said) && stderr.contains(value.rsplit(',').next().unwrap()),
            "{option}: {stderr}"
        );
        if option == "stabilization-output" {
            continue;
        }
        let is_list = ["modules", "lasers", "trace-types", "photocurrent"].contains(&option);
        let value = if is_list { format!("[{value}]") } else { value.to_owned() };
        let key = option.replace('-', "_");
        bench.write("t.yaml", &format!("name: t\nsimulator: {{ {key}: {value} }}\nsteps:\n  - log: hello\n"));
        let output = bench.run(&["check", "t.yaml", "--instrument", "sim"]);
        let stderr = crate::support::text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{key}: {stderr}");
    }
    let options = "distributed: false, preload: true, identifier: resets, stabilization_output: 1, tls_range: refuse, \
                   power_in_scan: refused, lasers_after_scan: as-set, analog_output: answers, modules: [4, 11], channels: 6";
    bench.write(
        "t.yaml",
        &format!(
            "name: t\ninstrument: sim\nsimulator: {{ {options} }}\nsteps:\n  - read_power: {{ detector: 11/6 }}\n"
        ),
    );
    let output = bench.run(&["run", "t.yaml"]);
    let stderr = crate::support::text(&output.stderr);
    assert!(output.status.success(), "{stderr}");
}

#[test]
fn a_client_that_leaves_in_the_middle_harms_nobody() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--points", "2000000", "--preload", "--max-connections", "2"]);
    let mut talk = Talk::to(&simulator.address);
    for command in ["TRAC:SENS4:CHAN1:TYPE11:DATA:X? BIN,M", "INIT;*OPC?", "*IDN?"] {
        let mut leaving = Talk::to(&simulator.address);
        leaving.send(command);
        if command.starts_with("TRAC") {
            assert_eq!(leaving.bytes(100)[..2], *b"#8");
        }
        drop(leaving);
        // Its place is free again.
        until(&format!("the place of the client that sent `{command}` is free"), || {
            Talk::to(&simulator.address).try_ask("*IDN?").is_some()
        });
        assert!(talk.ask("*IDN?").starts_with("EXFO,CTP10,SIMULATED"), "{command}");
    }
    talk.send_bytes(&[0, 255, 1, b';', b'\n', 0x80, b'\r', b'\n']);
    talk.send_bytes(&[b"*CLS;".repeat(10_000), b"\r\n".to_vec()].concat());
    assert_eq!(talk.ask("SYST:ERR?"), "0,No error");
    // An entry of the queue is one line of printable text.
    talk.send_bytes(b"NO\x01SUCH\rTHING\x7f 1\r\n");
    let error = talk.ask("SYST:ERR?");
    assert!(error.starts_with("-1") && !error.chars().any(char::is_control), "{error:?}");
}
