//! The lines that make a named instrument safe: they are sent whatever it replies, and what is not confirmed is told.

use serde_json::json;

use crate::bench_instruments::{BIAS, bench_with, recipe};
use crate::fake_instrument::{Answer, FakeInstrument, IDENTITY};
use crate::support::{Bench, events, journal, manifest, said_by, simulate};

#[test]
fn an_instrument_that_does_not_confirm_that_it_is_safe_is_unknown_everywhere() {
    let smu = FakeInstrument::start(|_, line| (line == ":OUTP OFF").then_some(Answer::HangUp));
    let bench = bench_with(&smu, "");
    recipe(&bench, BIAS);
    let output = bench.run(&["run", "r.yaml", "--with-real", "smu"]);
    assert!(
        said_by(&output).contains("could not confirm that these instruments are safe: smu"),
        "{}",
        said_by(&output)
    );
    let folder = bench.only_run();
    let manifest = manifest(&folder);
    assert_eq!(manifest["instruments_unknown"], json!(["smu"]));
    let reason = "could not confirm that these instruments are safe: smu";
    assert_eq!((&manifest["status"], &manifest["reason"]), (&json!("failed"), &json!(reason)));
    assert_eq!(output.status.code(), Some(1), "{}", said_by(&output));
    let report = std::fs::read_to_string(folder.join("report.html")).unwrap();
    assert!(report.contains("These did not confirm that they are safe: smu"), "{report}");
    assert!(events(&journal(&folder)).contains(&"instruments_safe"));
    // The other line was sent all the same.
    assert_eq!(smu.state.lock().unwrap().volts, 0.0);
}

#[test]
fn all_lines_that_make_an_instrument_safe_are_sent_although_it_does_not_reply() {
    // From the safe end on, one of these has no reply.
    for silent in ["SYST:ERR?", "*IDN?", "*IDN? and SYST:ERR?"] {
        let smu = FakeInstrument::start(move |state, line| {
            let is_ending = state.heard.iter().any(|heard| heard == ":MEAS:CURR?");
            (is_ending && silent.contains(line)).then_some(Answer::Silence)
        });
        let bench = Bench::new();
        let deadlines = "[deadlines]\nquestion_s = 1\ncommand_s = 2\nreconnect_s = 1\n";
        bench.write("ctp10.toml", &format!("{}{deadlines}", smu.config("smu", "")));
        recipe(&bench, BIAS);
        let said = said_by(&bench.run(&["run", "r.yaml", "--with-real", "smu"]));
        assert!(smu.is_safe(), "{silent}: {:?}", smu.heard());
        assert_eq!(manifest(&bench.only_run())["instruments_unknown"], json!(["smu"]), "{said}");
        // Without a connection from before, too.
        smu.state.lock().unwrap().is_on = true;
        let simulator = simulate(&bench, &[]);
        let off = bench.run(&["off", "--instrument", &simulator.address]);
        assert!(!off.status.success() && smu.is_safe(), "{silent}: {}", said_by(&off));
    }
}

#[test]
fn lines_to_make_an_instrument_safe_do_not_reach_another_one_and_need_no_setup() {
    for (identity, commands) in [(IDENTITY, &[":OUTP OFF", ":SOUR:VOLT 0"][..]), ("ACME,OVEN,7,1", &[])] {
        let smu = FakeInstrument::start(move |_, line| {
            (line == "*IDN?").then(|| Answer::reply(identity)).flatten()
        });
        let bench = bench_with(&smu, "");
        let simulator = simulate(&bench, &[]);
        let off = bench.run(&["off", "--instrument", &simulator.address]);
        assert_eq!(off.status.success(), identity == IDENTITY, "{}", said_by(&off));
        assert_eq!(smu.commands(), commands);
    }
}
