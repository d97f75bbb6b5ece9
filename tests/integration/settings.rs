//! What a run intends is what it measures with: nobody changes it unnoticed, and no restart loses it.

use std::sync::{Arc, OnceLock};

use crate::probe_station::{Answer, Station, bench_with};
use crate::support::{Bench, Running, Talk, manifest, simulate, simulate_at, text, until, watch};

const SWEEP: &str = "
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 2 }
  - configure_scan: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
  - configure_laser: { laser: 1, power_dbm: 0, wavelength_nm: 1550 }
";

/// Runs `first`, has another client send `change`, and sweeps; gives the exit code, what was said, and the traces.
fn changed(first: &str, change: &str) -> (Option<i32>, String, u64) {
    let simulator_at = Arc::new(OnceLock::<String>::new());
    let (at, line) = (Arc::clone(&simulator_at), change.to_owned());
    let station = Station::start(move |_, _| {
        let mut other = Talk::to(at.get().unwrap());
        other.send(&line);
        assert_eq!(other.ask("SYST:ERR?"), "0,No error");
        Answer::Text(200, "changed".into())
    });
    let (bench, simulator) = bench_with(&station);
    simulator_at.set(simulator.address.clone()).unwrap();
    let url = station.url("/change");
    bench.write(
        "sweep.yaml",
        &format!(
            "name: sweep\nsteps:{SWEEP}{first}  - http: {{ url: \"{url}\" }}\n  - sweep:\n  - fetch_trace: {{ detector: 4/1, trace: raw }}\n"
        ),
    );
    let output = bench.run(&["run", "sweep.yaml", "--instrument", &simulator.address]);
    let traces = manifest(&bench.run_folder(&output))["traces"].as_u64().unwrap();
    (output.status.code(), text(&output.stderr), traces)
}

#[test]
fn what_another_client_has_changed_fails_the_sweep_and_is_named() {
    for (change, setting) in [
        ("INIT:TLS1:POW -9DBM", "the power of TLS 1: the run has set 2 dBm, but the instrument has -9 dBm"),
        ("INIT:TLS1:SPE 20", "the speed of TLS 1"),
        ("INIT:TLS1:TRIG 3", "the trigger input of TLS 1"),
        ("INIT:TLS3:ID 1", "the laser of TLS 3"),
        ("INIT:WAV:STOP 1550NM", "the stop of the scan"),
        ("INIT:WAV:SAMP 20PM", "the resolution"),
        ("INIT:STAB 1,0", "the stabilization: the run has set 0 s, lasers turn off"),
        ("INIT:SMOD CONT", "the scan mode"),
        ("CTP:RLAS1:POW 5DBM", "the power of laser 1"),
        ("CTP:SENS4:CHAN1:UNIT:Y MW", "the power unit of 4/1"),
        ("CTP:SENS4:CHAN1:WAV 1310NM", "the wavelength of 4/1"),
    ] {
        let (code, said, traces) = changed("", change);
        assert_eq!((code, traces), (Some(1), 0), "{change}: {said}");
        assert!(said.contains(setting), "{change}: {said}");
    }
    // A laser tells its power within 0.5 dB; and after a scan its wavelength is that of the scan.
    for (first, change) in [("", "CTP:RLAS1:POW 0.3DBM"), ("  - sweep:\n", "CTP:RLAS1:WAV 1541NM")] {
        let (code, said, traces) = changed(first, change);
        assert_eq!((code, traces), (Some(0), 1), "{change}: {said}");
    }
}

/// The sweep is aborted by another client while it runs, and perhaps started again by it.
#[test]
fn a_sweep_that_another_client_aborts_has_failed() {
    // Without the events, which `*CLS` clears, only the register shows the abort. There it takes a second, so that the run
    // sees it on a slow computer too.
    for (others, time_scale) in [(["ABOR", "*CLS"], "20"), (["ABOR", "INIT"], "1")] {
        let bench = Bench::new();
        let simulator = simulate(&bench, &["--preload", "--time-scale", time_scale]);
        let steps = SWEEP.replace("stop_nm: 1541", "stop_nm: 1600").replace("s: 50", "s: 20");
        bench.write(
            "sweep.yaml",
            &format!(
                "name: sweep\nsteps:{steps}  - sweep:\n  - fetch_trace: {{ detector: 4/1, trace: raw }}\n"
            ),
        );
        let mut run = watch(&bench, &["sweep.yaml", "--instrument", &simulator.address]);
        run.wait_for(|event| event["event"] == "step_started" && event["number"] == 4);
        let mut other = Talk::to(&simulator.address);
        until("the scan is under way", || other.ask("STAT:OPER:COND?") == "4");
        others.iter().for_each(|line| other.send(line));
        let (code, stdout) = run.finish();
        let run = manifest(&bench.folder.path().join(stdout.lines().last().unwrap()));
        assert_eq!((code, run["traces"].as_u64()), (Some(1), Some(0)), "{others:?}");
        assert!(run["reason"].as_str().unwrap().contains("the scan was aborted"), "{others:?}: {run}");
    }
}

/// What somebody has set before the run, what the run sets, and what the instrument is asked for afterwards.
const BEFORE: [&str; 4] =
    ["INIT:TLS1:POW 6DBM", "INIT:TLS2:SPE 20", "CTP:RLAS1:WAV 1555NM", "CTP:SENS4:CHAN3:WAV 1540NM"];
const STEPS: &str = "
  - read_power: { detector: 4/3 }
  - configure_scan: { start_nm: 1540, stop_nm: 1545, resolution_pm: 20, stabilization_s: 0.5, keep_lasers_on: true }
  - configure_tls: { tls: 1, start_nm: 1510, stop_nm: 1600, speed_nm_s: 20, trigger_in: 4 }
  - configure_tls: { tls: 3, laser: 2 }
  - configure_laser: { laser: 2, power_dbm: -3, wavelength_nm: 1320, output: false }
  - configure_detector: { detector: 5/2, power_unit: mW, spectral_unit: THz, wavelength_nm: 1550, trigger_in: 3 }
  - scpi: { command: \":INIT:TLS2:POW 8DBM\" }
  - configure_tls: { tls: 2, power_dbm: -5 }
  - scpi: { command: \"ctp:rlaser1:power 4\" }
  - scpi: { command: \"INIT:TLS3:WAV:STAR 1270NM;STOP 1.35E-6\", effect: configure }
";
const QUESTIONS: [&str; 21] = [
    "INIT:WAV:STAR?",
    "INIT:WAV:STOP?",
    "INIT:WAV:SAMP?",
    "INIT:STAB?",
    "INIT:TLS1:ID?",
    "INIT:TLS1:WAV:STAR?",
    "INIT:TLS1:WAV:STOP?",
    "INIT:TLS1:SPE?",
    "INIT:TLS1:POW?",
    "INIT:TLS1:TRIG?",
    "INIT:TLS2:SPE?",
    "INIT:TLS2:POW?",
    "INIT:TLS3:ID?",
    "INIT:TLS3:WAV:STAR?",
    "INIT:TLS3:WAV:STOP?",
    "CTP:RLAS1:POW?",
    "CTP:RLAS1:WAV?",
    "CTP:RLAS2:WAV?",
    "CTP:SENS5:CHAN2:UNIT:Y?",
    "CTP:SENS5:CHAN2:FUNC:TRIG?",
    "CTP:SENS4:CHAN3:WAV?",
];

fn state(simulator: &Running) -> Vec<(&'static str, String)> {
    let mut talk = Talk::to(&simulator.address);
    QUESTIONS.iter().map(|question| (*question, talk.ask(question))).collect()
}

fn set_before(simulator: &Running) {
    let mut talk = Talk::to(&simulator.address);
    for line in BEFORE {
        talk.send(line);
    }
    assert_eq!(talk.ask("SYST:ERR?"), "0,No error");
}

#[test]
fn a_restart_loses_nothing_of_what_the_run_has_set_or_found() {
    let bench = Bench::new();
    bench.write(
        "set.yaml",
        &format!("name: set\nsteps:{STEPS}  - read_power: {{ detector: 4/3, samples: 2 }}\n"),
    );
    let run = |fault: &[&str]| {
        let simulator = simulate(&bench, &[&["--noise", "by-settings"], fault].concat());
        set_before(&simulator);
        let output = bench.run(&["run", "set.yaml", "--instrument", &simulator.address]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        (state(&simulator), text(&output.stderr))
    };
    let (whole, _) = run(&[]);
    let (restarted, said) = run(&["--fault", "reboot@power:2=0.2"]);
    assert_eq!(restarted, whole);
    assert!(said.contains("restored settings of the run") && said.contains("the power of TLS"), "{said}");
}

#[test]
fn a_resumed_run_finds_a_restarted_instrument_as_it_was() {
    let bench = Bench::new();
    // Its last step fails, today and tomorrow.
    bench.write("set.yaml", &format!("name: set\nsteps:{STEPS}  - scpi: {{ query: \"NO:SUCH?\" }}\n"));
    let simulator = simulate(&bench, &[]);
    set_before(&simulator);
    let address = simulator.address.clone();
    let output = bench.run(&["run", "set.yaml", "--instrument", &address]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    let folder = bench.run_folder(&output);
    let whole = state(&simulator);
    drop(simulator);
    let restarted = simulate_at(&bench, &address, &[]);
    assert_ne!(state(&restarted), whole);
    let output = bench.run(&["resume", folder.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    assert_eq!(state(&restarted), whole);
}
