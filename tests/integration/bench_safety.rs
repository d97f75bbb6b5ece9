//! Named instruments are made safe whatever becomes of the run, and get their settings again when the run is resumed.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::fake_instrument::{Answer, FakeInstrument};
use crate::support::{Bench, Running, journal, manifest, said_by, simulate, until, until_some, watch};

const BIASED: &str = "name: biased
steps:
  - scpi: { to: smu, command: \":SOUR:VOLT 1\" }
  - scpi: { to: smu, command: \":OUTP ON\" }
  - scpi: { to: smu, command: \":SOUR:VOLT 2\" }
  - scpi: { to: smu, query: \":MEAS:RES?\", parse: number, poll: { ready: \"reply == 1\", interval_s: 0.02, timeout_s: 600 } }
  - scpi: { to: smu, query: \":MEAS:CURR?\", parse: number, id: iv }
";

/// A source-meter whose resistance is not ready until it may be.
fn patient(may_end: &Arc<AtomicBool>) -> FakeInstrument {
    let may_end = Arc::clone(may_end);
    FakeInstrument::start(move |_, line| match line {
        ":MEAS:RES?" => Answer::reply(u8::from(may_end.load(Ordering::SeqCst))),
        _ => None,
    })
}

fn bench_with(smu: &FakeInstrument, more: &str) -> (Bench, Running) {
    let bench = Bench::new();
    bench.write("ctp10.toml", &smu.config("smu", more));
    bench.write("r.yaml", BIASED);
    let simulator = simulate(&bench, &[]);
    (bench, simulator)
}

fn guard_record(folder: &Path) -> Value {
    until_some("the watchdog has left its record", || {
        let text = std::fs::read_to_string(folder.join("guard.jsonl")).ok()?;
        text.ends_with('\n').then(|| serde_json::from_str(text.lines().last()?).ok()).flatten()
    })
}

#[test]
fn a_killed_run_leaves_the_output_off_and_a_resumed_one_has_the_same_voltage_again() {
    let may_end = Arc::new(AtomicBool::new(false));
    let smu = patient(&may_end);
    let (bench, simulator) = bench_with(&smu, "");
    let mut run = watch(&bench, &["r.yaml", "--instrument", &simulator.address, "--with-real", "smu"]);
    let started = run.wait_for(|event| event["event"] == "started");
    run.wait_for(|event| event["event"] == "step_started" && event["number"] == 4);
    assert!(!smu.is_safe());
    run.child.kill().unwrap();
    until("the watchdog has made the source-meter safe", || smu.is_safe());
    let folder = bench.folder.path().join(started["folder"].as_str().unwrap());
    let record = guard_record(&folder);
    assert_eq!(
        (&record["instruments_safe"], &record["trouble"]),
        (&json!(["smu"]), &Value::Null),
        "{record}"
    );
    let before = smu.commands().len();
    may_end.store(true, Ordering::SeqCst);
    let resumed = bench.run(&["resume", "last", "--instrument", &simulator.address, "--with-real", "smu"]);
    assert!(resumed.status.success(), "{}", said_by(&resumed));
    // In the order of the last use: the output comes before the voltage.
    let again = [":SENS:CURR:PROT 0.02", ":OUTP ON", ":SOUR:VOLT 2", ":OUTP OFF", ":SOUR:VOLT 0"];
    assert_eq!(smu.commands()[before..], again);
    let read = journal(&folder).into_iter().find(|record| record["outcome"]["value"] == 0.002);
    assert!(read.is_some() && manifest(&folder)["status"] == "done");
}

#[test]
fn a_resumed_run_waits_again_for_the_temperature_that_the_safe_end_has_changed() {
    // The thermostat needs four looks to get to a setpoint. Its safe state is room temperature.
    let may_end = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&may_end);
    let looks = std::sync::atomic::AtomicUsize::new(0);
    let thermostat = FakeInstrument::start(move |_, line| match line {
        "TEMP 35" | "TEMP 20" => {
            looks.store(0, Ordering::SeqCst);
            Some(Answer::Reply(String::new()))
        }
        ":MEAS:TEMP?" => Answer::reply(if looks.fetch_add(1, Ordering::SeqCst) < 3 { 20 } else { 35 }),
        ":MEAS:RES?" => Answer::reply(u8::from(ends.load(Ordering::SeqCst))),
        _ => None,
    });
    let bench = Bench::new();
    let config = thermostat.config("oven", "").replace("\":OUTP OFF\", \":SOUR:VOLT 0\"", "\"TEMP 20\"");
    bench.write("ctp10.toml", &config.replace("\":OUTP*\"", "\"TEMP*\""));
    bench.write(
        "r.yaml",
        "name: warm
steps:
  - scpi: { to: oven, command: \"TEMP 35\" }
  - wait: { stable: { to: oven, query: \":MEAS:TEMP?\", target: 35, within: 0.1, for_s: 0.2, timeout_s: 60 } }
  - scpi: { to: oven, query: \":MEAS:RES?\", parse: number, poll: { ready: \"reply == 1\", interval_s: 0.02, timeout_s: 600 } }
",
    );
    let simulator = simulate(&bench, &[]);
    let mut run = watch(&bench, &["r.yaml", "--instrument", &simulator.address, "--with-real", "oven"]);
    run.wait_for(|event| event["event"] == "step_started" && event["number"] == 3);
    run.child.kill().unwrap();
    until("the watchdog has cooled the oven", || thermostat.commands().ends_with(&["TEMP 20".to_owned()]));
    guard_record(&bench.only_run());
    let before = thermostat.heard().len();
    may_end.store(true, Ordering::SeqCst);
    let resumed = bench.run(&["resume", "last", "--instrument", &simulator.address, "--with-real", "oven"]);
    assert!(resumed.status.success(), "{}", said_by(&resumed));
    assert!(said_by(&resumed).contains("the settings of oven were sent again"), "{}", said_by(&resumed));
    let heard = thermostat.heard()[before..].to_vec();
    let at = |line: &str| heard.iter().position(|heard| heard == line).unwrap();
    let looks = heard[..at(":MEAS:RES?")].iter().filter(|line| *line == ":MEAS:TEMP?").count();
    assert!(at("TEMP 35") < at(":MEAS:TEMP?") && looks > 3, "{heard:?}");
}

#[test]
fn a_stopped_run_and_the_emergency_stop_make_the_source_meter_safe() {
    let smu = patient(&Arc::default());
    let (bench, simulator) = bench_with(&smu, "");
    let mut run = watch(&bench, &["r.yaml", "--instrument", &simulator.address, "--with-real", "smu"]);
    run.wait_for(|event| event["event"] == "step_started" && event["number"] == 4);
    run.signal("INT");
    let told = run.wait_for(|event| event["event"] == "instruments_safe");
    assert_eq!(told["safe"], json!(["smu"]));
    assert!(run.finish().0 != Some(0) && smu.is_safe());
    assert_eq!(manifest(&bench.only_run())["status"], "aborted");
    // Somebody has turned the output on by hand.
    smu.state.lock().unwrap().is_on = true;
    let output = bench.run(&["off", "--instrument", &simulator.address]);
    assert!(output.status.success() && said_by(&output).contains("safe: smu"), "{}", said_by(&output));
    assert!(smu.is_safe());
}

#[test]
fn the_emergency_stop_makes_the_source_meter_safe_where_the_ctp10_cannot_be_reached() {
    let smu = FakeInstrument::well();
    let (bench, simulator) = bench_with(&smu, "");
    let address = simulator.address.clone();
    drop(simulator);
    smu.state.lock().unwrap().is_on = true;
    let output = bench.run(&["off", "--instrument", &address]);
    assert!(!output.status.success() && said_by(&output).contains("safe: smu"), "{}", said_by(&output));
    assert!(smu.is_safe());
}

#[test]
fn a_thermostat_stays_as_it_is_between_the_items_of_a_batch_and_not_after_a_fault() {
    for (last, count) in [(":OUTP ON", 1), (":OUTP MAYBE", 2)] {
        let smu = FakeInstrument::start(move |state, line| {
            if line == ":OUTP MAYBE" {
                state.errors.push_back("-224,\"Illegal parameter value\"".to_owned());
            }
            None
        });
        let (bench, simulator) = bench_with(&smu, "keep_between_items = true");
        for (name, command) in [("a", ":OUTP ON"), ("b", ":OUTP ON"), ("c", last)] {
            let steps = format!("name: {name}\nsteps:\n  - scpi: {{ to: smu, command: \"{command}\" }}\n");
            bench.write(&format!("{name}.yaml"), &steps);
        }
        bench.write(
            "batch.yaml",
            "name: night\nitems: [ { recipe: a.yaml }, { recipe: b.yaml }, { recipe: c.yaml } ]\n",
        );
        let arguments = ["batch", "batch.yaml", "--instrument", &simulator.address, "--with-real", "smu"];
        let output = bench.run(&arguments);
        assert_eq!(output.status.success(), last == ":OUTP ON", "{}", said_by(&output));
        let safe = smu.commands().iter().filter(|line| *line == ":OUTP OFF").count();
        assert_eq!((safe, smu.is_safe()), (count, true), "{:?}", smu.commands());
    }
}

#[test]
fn with_the_embedded_instruments_nothing_is_configured_and_nothing_is_real() {
    let bench = Bench::new();
    let text = BIASED.replace("name: biased", "name: biased\ninstrument: sim\nsimulator: { smu: true }");
    let text = text.lines().filter(|line| !line.contains("poll")).collect::<Vec<_>>().join("\n");
    bench.write("r.yaml", &text);
    let checked = bench.run(&["check", "r.yaml"]);
    assert!(checked.status.success(), "{}", said_by(&checked));
    let output = bench.run(&["run", "r.yaml"]);
    assert!(output.status.success(), "{}", said_by(&output));
    let manifest = manifest(&bench.only_run());
    assert_eq!(manifest["instruments"][0]["simulated"], true, "{manifest}");
    assert_eq!(manifest["instruments_unknown"], Value::Null);
}

#[cfg(unix)]
mod serial {
    use ctp10::instrument::Deadlines;
    use ctp10::instrument::text::{TextInstrument, TextSettings};
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio_serial::{SerialPort, SerialStream};

    #[tokio::test(flavor = "multi_thread")]
    async fn a_pseudo_terminal_stands_for_a_serial_port() {
        let (port, other_end) = SerialStream::pair().unwrap();
        let path = other_end.name().unwrap();
        // Kept open without the lock of a serial port, so that the terminal does not end before it is used.
        let terminal = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
        drop(other_end);
        let instrument = tokio::spawn(async move {
            let (read, mut write) = tokio::io::split(port);
            let mut lines = BufReader::new(read).lines();
            let mut heard = Vec::new();
            while let Ok(Some(line)) = lines.next_line().await {
                let reply = match line.as_str() {
                    "*IDN?" => "ACME,OVEN,7,1\r\n",
                    "TEMP?" => "25.5\r\n",
                    _ => "",
                };
                let is_last = line == "OFF";
                heard.push(line);
                write.write_all(reply.as_bytes()).await.unwrap();
                if is_last {
                    break;
                }
            }
            heard
        });
        let settings = TextSettings {
            address: format!("serial://{path}?baud=115200").parse().unwrap(),
            identify: Some("*IDN?".to_owned()),
            identity: "OVEN".to_owned(),
            setup: vec!["MODE HEAT".to_owned()],
            safe: Vec::new(),
            errors: None,
        };
        let oven = TextInstrument::at(settings, Deadlines::default());
        assert_eq!(oven.connect().await.unwrap().unwrap().to_string(), "ACME,OVEN,7,1");
        let mark = oven.mark().await.unwrap();
        oven.act("TEMP 25.5").await.unwrap();
        let read = |reply: &str| reply.parse::<f64>().ok();
        assert!((oven.ask("TEMP?", read).await.unwrap() - 25.5).abs() < 1e-9);
        oven.prove(mark).await.unwrap();
        oven.act("OFF").await.unwrap();
        let heard = instrument.await.unwrap();
        assert_eq!(heard, ["*IDN?", "MODE HEAT", "TEMP 25.5", "TEMP?", "*IDN?", "OFF"]);
        drop(terminal);
    }
}
