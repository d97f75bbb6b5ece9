//! What the hardware of a bench may be besides one mainframe with two lasers: a second mainframe, lasers that meet in one
//! scan, detectors of photocurrent, traces by number. Each test runs a recipe and looks at the lines that the instrument
//! has received.

use std::path::PathBuf;

use parquet::file::reader::{FileReader, SerializedFileReader};
use serde_json::Value;

use crate::support::{Bench, Running, Talk, journal, said_by, simulate, text};

/// The scan of most tests.
const SCAN: &str = "
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 0 }
  - configure_scan: { start_nm: 1549, stop_nm: 1551, resolution_pm: 10 }
";

/// A run that has succeeded.
struct Ended {
    folder: PathBuf,
    summary: Value,
    said: String,
    /// The lines that the instrument has received.
    received: String,
    /// The simulator, which is still there.
    simulator: Running,
}

impl Ended {
    fn trace(&self, index: usize) -> &Value {
        &self.summary["traces"][index]
    }

    /// The metadata of a trace file under a key.
    fn metadata(&self, index: usize, key: &str) -> Option<String> {
        let file =
            std::fs::File::open(self.folder.join(self.trace(index)["file"].as_str().unwrap())).unwrap();
        let reader = SerializedFileReader::new(file).unwrap();
        let metadata = reader.metadata().file_metadata().key_value_metadata().unwrap().clone();
        metadata.into_iter().find(|mark| mark.key == key).and_then(|mark| mark.value)
    }

    /// The result of the step with this number, from 1.
    fn outcome(&self, number: u64) -> Value {
        let records = journal(&self.folder);
        let ended = |record: &&Value| record["event"] == "step_finished" && record["number"] == number;
        records.iter().find(ended).unwrap()["outcome"]["value"].clone()
    }

    #[track_caller]
    fn has_received(&self, line: &str) {
        assert!(self.received.contains(&format!(" {line}\n")), "`{line}` is not in\n{}", self.received);
    }
}

/// Runs a recipe, or a script, on a simulator with these options.
#[track_caller]
fn ended(options: &[&str], name: &str, recipe: &str) -> Ended {
    let bench = Bench::new();
    let log = bench.write("lines.log", "");
    let mut arguments = vec!["--time-scale", "0.01", "--log", log.to_str().unwrap()];
    arguments.extend(options);
    let simulator = simulate(&bench, &arguments);
    bench.write(name, recipe);
    let output = bench.run(&["run", name, "--instrument", &simulator.address]);
    assert!(output.status.success(), "{}", said_by(&output));
    let folder = bench.run_folder(&output);
    // The folder of the bench is deleted with the bench.
    std::mem::forget(bench);
    let summary = serde_json::from_slice(&std::fs::read(folder.join("summary.json")).unwrap()).unwrap();
    let received = std::fs::read_to_string(&log).unwrap();
    Ended { folder, summary, said: text(&output.stderr), received, simulator }
}

#[track_caller]
fn ran(options: &[&str], steps: &str) -> Ended {
    ended(options, "recipe.yaml", &format!("name: hardware\nsteps:{steps}"))
}

/// Checks a recipe against a simulator with these options; gives what is said.
fn checked(options: &[&str], steps: &str) -> String {
    let bench = Bench::new();
    let simulator = simulate(&bench, options);
    bench.write("recipe.yaml", &format!("name: hardware\nsteps:{steps}"));
    said_by(&bench.run(&["check", "recipe.yaml", "--instrument", &simulator.address]))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is not a number"))
}

#[test]
fn one_run_uses_the_modules_of_both_mainframes() {
    let steps = format!(
        "{SCAN}
  - create_reference: {{ detectors: [4/1, 11/3, 20/2] }}
  - sweep:
  - fetch_trace: {{ detectors: [4/1, 11/3, 20/2], traces: [tf, raw] }}
  - configure_detector: {{ detector: 20/2, wavelength_nm: 1550 }}
  - configure_laser: {{ laser: 1, power_dbm: 0, wavelength_nm: 1550, output: true }}
  - read_power: {{ detectors: [4/1, 11/3, 20/2] }}
"
    );
    let ended = ran(&["--modules", "4,11,20"], &steps);
    let files: Vec<&str> = (0..6).map(|index| ended.trace(index)["file"].as_str().unwrap()).collect();
    assert_eq!(files[2], "traces/0003_m11c3_tf.parquet");
    assert_eq!(files[5], "traces/0006_m20c2_raw.parquet");
    for line in ["REF:SENS20:CHAN2:INIT", "TRAC:SENS11:CHAN3:TYPE1:DATA? BIN,DB", "CTP:SENS20:CHAN2:POW?"] {
        ended.has_received(line);
    }
    assert_eq!(ended.outcome(8)[1]["detector"], "11/3");
    // The register shows that a scan updates the secondary mainframe, and each of these scans was waited for.
    let mut talk = Talk::to(&ended.simulator.address);
    assert_eq!(talk.ask("INIT;*OPC?"), "1");
    let events: u32 = talk.ask("STAT:OPER:EVEN?").parse().unwrap();
    assert_eq!(events & 1024, 1024, "{events}");
}

/// A scan over the joint of laser 2 (below 1500 nm) and laser 1 (above).
const JOINT: &str = "
  - configure_tls: { tls: 1, laser: 2, start_nm: 1440, stop_nm: 1500, speed_nm_s: 50, power_dbm: 3 }
  - configure_tls: { tls: 2, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 3 }
  - configure_scan: { start_nm: 1495, stop_nm: 1505, resolution_pm: 10 }
  - create_reference: { detector: 4/1 }
  - sweep:
  - fetch_trace: { detector: 4/1, traces: [tf, raw] }
  - fetch_trace: { id: again, detector: 4/1, trace: tf }
  - if:
      condition: steps.again.seam_step_db < -0.5
      then: [ { log: 'there is a step of ${steps.again.seam_step_db} dB' } ]
";

#[test]
fn a_step_where_two_lasers_of_a_scan_meet_is_a_warning_with_its_size() {
    let lasers = ["--lasers", "T100S-HP,T500S", "--dut", "loopback"];
    let ended = ran(&[&lasers[..], &["--seam-db", "0.6"]].concat(), JOINT);
    for index in 0..2 {
        let seam = &ended.trace(index)["seams"][0];
        assert_eq!((&seam["lasers"][0], &seam["lasers"][1]), (&Value::from(2), &Value::from(1)));
        assert!((number(&seam["step_db"]) + 0.6).abs() < 0.02 && number(&seam["nm"]) == 1500.0, "{seam}");
        assert_eq!(
            serde_json::from_str::<Value>(&ended.metadata(index, "seams").unwrap()).unwrap()[0],
            *seam
        );
    }
    let warnings = ended.said.matches("at 1500 nm, where laser 1 takes over from laser 2").count();
    assert!(warnings >= 2 && ended.said.contains("dB at 1500 nm"), "{}", ended.said);
    assert!(ended.said.contains("there is a step of -0.6") || ended.said.contains("there is a step of -0.5"));
    let report = std::fs::read_to_string(ended.folder.join("report.html")).unwrap();
    assert!(report.contains("where laser 1 takes over from laser 2"));

    // Powers that differ as they were set are no warning, and a joint without a step is none.
    for power in ["3", "1"] {
        let steps = JOINT.replacen("power_dbm: 3", &format!("power_dbm: {power}"), 1);
        let ended = ran(&lasers, &steps);
        assert!(!ended.said.contains("takes over") && !ended.said.contains("a step of"), "{}", ended.said);
        let raw = number(&ended.trace(1)["seams"][0]["step_db"]);
        let set = 3.0 - power.parse::<f64>().unwrap();
        assert!((raw - set).abs() < 0.02, "{raw} {set}");
    }
}

#[test]
fn a_detector_of_photocurrent_has_its_own_units_and_no_power_reading() {
    let options = ["--modules", "4,6", "--photocurrent", "6"];
    let configure = "
  - configure_detector: { detector: 6/1, power_unit: dBmA }
";
    let steps = format!(
        "{SCAN}{configure}  - sweep:\n  - fetch_trace: {{ detectors: [6/1, 6/2, 4/1], trace: raw }}\n"
    );
    let ended = ran(&options, &steps);
    ended.has_received("CTP:SENS6:CHAN1:UNIT:Y DBMA");
    assert_eq!(ended.outcome(3)["power_unit"], "dBmA");
    assert!(ended.outcome(3).get("wavelength_nm").is_none());
    let units: Vec<&str> = (0..3).map(|index| ended.trace(index)["unit"].as_str().unwrap()).collect();
    // Nothing but the recipe tells that 6/2 measures photocurrent too.
    assert_eq!(units, ["dBmA", "dBm", "dBm"]);
    assert!(ended.metadata(0, "units").unwrap().contains("dBmA"));
    let said = checked(&options, &format!("{configure}  - read_power: {{ detector: 6/1 }}\n"));
    assert!(said.contains("6/1 measures photocurrent, so the instrument cannot read its power"), "{said}");
}

#[test]
fn a_trace_is_fetched_by_any_number_and_its_unit_is_what_the_recipe_says() {
    let steps = format!(
        "{SCAN}
  - create_reference: {{ detector: 4/1 }}
  - sweep:
  - fetch_trace: {{ detector: 4/1, traces: [2, 23, tf, raw] }}
  - fetch_trace: {{ detector: 4/1, trace: 23, unit: dB }}
"
    );
    let ended = ran(&["--trace-types", "2,23"], &steps);
    ended.has_received("TRAC:SENS4:CHAN1:TYPE2:DATA? BIN,DB");
    ended.has_received("TRAC:SENS4:CHAN1:TYPE23:DATA:LENG?");
    let of = |field: &str| (0..5).map(|index| ended.trace(index)[field].to_string()).collect::<Vec<_>>();
    assert_eq!(of("trace"), ["2", "23", "\"tf\"", "\"raw\"", "23"]);
    assert_eq!(of("unit"), ["\"dB\"", "\"dBm\"", "\"dB\"", "\"dBm\"", "\"dB\""]);
    assert_eq!(ended.trace(1)["file"], "traces/0002_m4c1_23.parquet");
    assert_eq!(ended.trace(0)["mean"], ended.trace(2)["mean"]);
    let said = checked(&[], "\n  - fetch_trace: { detector: 4/1, trace: raw, unit: dB }\n");
    assert!(said.contains("`unit` is for traces by number"), "{said}");
}

#[test]
fn the_back_reflection_is_fetched_without_a_channel() {
    let steps = format!(
        "{SCAN}
  - sweep:
  - fetch_trace: {{ detector: 4/4, trace: raw, without_channel: true, transfer_x: true }}
  - fetch_trace: {{ detector: 4/4, trace: raw }}
"
    );
    let ended = ran(&["--dut", "bragg"], &steps);
    for line in
        ["TRAC:SENS4:TYPE11:DATA:LENG?", "TRAC:SENS4:TYPE11:DATA:X? BIN,M", "TRAC:SENS4:TYPE11:DATA? BIN,DB"]
    {
        ended.has_received(line);
    }
    assert_eq!(ended.trace(0)["detector"], "4/4");
    assert_eq!(ended.trace(0)["mean"], ended.trace(1)["mean"]);
    let said =
        checked(&[], "\n  - fetch_trace: { detectors: [4/3, 4/4], trace: raw, without_channel: true }\n");
    assert!(said.contains("one channel of each"), "{said}");
}

#[test]
fn an_analog_output_follows_a_detector_whether_the_unit_replies_to_the_command_or_not() {
    let steps = "\n  - configure_detector: { detector: 4/2, analog_output: 3 }\n";
    for reply in ["silent", "answers"] {
        let ended = ran(&["--analog-output", reply], steps);
        ended.has_received("SYST:ANLG:OUT3:SOUR 4,2");
        assert_eq!(ended.outcome(1)["analog_output"], 3);
        assert_eq!(Talk::to(&ended.simulator.address).ask("SYST:ANLG:OUT3:SOUR?"), "4,2");
    }
}

#[test]
fn a_recipe_may_select_the_laser_of_the_static_light() {
    let light = |laser: u8, nm: u16, fbc: &str| {
        format!(
            "  - configure_laser: {{ laser: {laser}, power_dbm: 0, wavelength_nm: {nm}, output: true{fbc} }}\n"
        )
    };
    let steps = |fbc| {
        let read = "  - read_power: { detector: 4/3 }\n";
        format!("\n{}{}{read}", light(1, 1550, ""), light(2, 1310, fbc))
    };
    let level = |steps: &str| {
        let ended = ran(&["--fbc", "selects"], steps);
        (number(&ended.outcome(3)[0]["value"]), ended.outcome(2)["fbc"].clone(), ended.received)
    };
    let (both, fbc, received) = level(&steps(""));
    assert!(fbc.is_null() && !received.contains("FBC"), "{received}");
    let (one, fbc, received) = level(&steps(", fbc: true"));
    assert_eq!(fbc, true);
    assert!((both - one - 3.01).abs() < 0.05, "{both} {one}");
    // The laser is selected before its light comes on.
    let at = |line: &str| received.find(line).unwrap_or_else(|| panic!("{line} in {received}"));
    assert!(at("CTP:SENS:FBC 2") < at("CTP:RLAS2:POW:STAT ON"));
}

#[test]
fn a_recipe_states_the_number_of_sweeps_of_a_reference() {
    let steps = |fields: &str| format!("{SCAN}  - create_reference: {{ detector: 4/1{fields} }}\n");
    let four = ["--reference-sweeps", "4"];
    let ended = ran(&four, &steps(", sweeps: 4"));
    let records = journal(&ended.folder);
    let taken = records.iter().find(|record| record["event"] == "reference_taken").unwrap();
    assert_eq!(taken["sweeps"], 4);

    // An existing reference of the other kind is not kept, and a new one of the other kind is not accepted.
    let bench = Bench::new();
    bench.write("recipe.yaml", &format!("name: hardware\nsteps:{}", steps(", sweeps: 1, max_age_min: 60")));
    let address = &ended.simulator.address;
    let output = bench.run(&["run", "recipe.yaml", "--instrument", address]);
    let said = said_by(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("it has 4 sweeps (TF/PDL), but the recipe requires 1 sweep (TF)"), "{said}");
    assert!(said.contains("the new reference of 4/1 cannot be used"), "{said}");
}

#[test]
fn lasers_of_other_models_are_used_with_what_they_have() {
    let lasers = ["--lasers", "mSWS,T500S", "--dut", "loopback"];
    let steps = |trigger: &str| {
        format!(
            "
  - configure_tls: {{ tls: 1, laser: 1, start_nm: 1520, stop_nm: 1620, speed_nm_s: 33.5, power_dbm: 0{trigger} }}
  - configure_tls: {{ tls: 2, laser: 2, start_nm: 1440, stop_nm: 1520, speed_nm_s: 200, power_dbm: 11, trigger_in: 2 }}
  - sweep: {{ start_nm: 1519, stop_nm: 1521, resolution_pm: 10 }}
  - fetch_trace: {{ detector: 4/1, trace: raw }}
"
        )
    };
    let ended = ran(&lasers, &steps(""));
    assert!(ended.outcome(1).get("trigger_in").is_none());
    assert_eq!(ended.outcome(2)["trigger_in"], 2);
    assert_eq!(number(&ended.trace(0)["seams"][0]["set_db"]), -11.0);
    assert!(!ended.said.contains("takes over"), "{}", ended.said);
    let said = checked(&lasers, &steps(", trigger_in: 1"));
    assert!(said.contains("laser 1 (VIAVI, mSWS-A1SLS) has no trigger input"), "{said}");
}

#[test]
fn a_script_reaches_everything_that_a_recipe_reaches() {
    let script = "
recipe(#{ name: \"hardware\" });
configure_tls(#{ tls: 1, laser: 2, start_nm: 1440, stop_nm: 1500, speed_nm_s: 50, power_dbm: 3 });
configure_tls(#{ tls: 2, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 3 });
configure_scan(#{ start_nm: 1495, stop_nm: 1505, resolution_pm: 10 });
configure_detector(#{ detector: \"12/1\", power_unit: \"dBmA\", analog_output: 1 });
configure_laser(#{ laser: 1, power_dbm: 0, fbc: true });
create_reference(#{ detector: \"4/1\", sweeps: 4 });
sweep();
fetch_trace(#{ detectors: [\"4/1\", \"12/1\"], traces: [\"raw\"] });
fetch_trace(#{ detector: \"4/1\", trace: 14, unit: \"dB\" });
fetch_trace(#{ detector: \"4/4\", trace: \"raw\", without_channel: true });
let seam = fetch_trace(#{ detector: \"4/1\", trace: \"tf\" }).seam_step_db();
if seam < -0.5 { log(`a script sees the step of ${seam} dB`); }
";
    let options = [
        ["--lasers", "T100S-HP,T500S"],
        ["--modules", "4,12"],
        ["--photocurrent", "12"],
        ["--trace-types", "14"],
        ["--reference-sweeps", "4"],
        ["--seam-db", "0.6"],
    ];
    let ended = ended(options.as_flattened(), "hardware.rhai", script);
    for line in [
        "CTP:SENS12:CHAN1:UNIT:Y DBMA",
        "SYST:ANLG:OUT1:SOUR 12,1",
        "CTP:SENS:FBC 1",
        "TRAC:SENS4:CHAN1:TYPE14:DATA? BIN,DB",
        "TRAC:SENS4:TYPE11:DATA? BIN,DB",
    ] {
        ended.has_received(line);
    }
    let units: Vec<&str> = (0..4).map(|index| ended.trace(index)["unit"].as_str().unwrap()).collect();
    assert_eq!(units, ["dBm", "dBmA", "dB", "dBm"]);
    assert!(ended.said.contains("a script sees the step of -0."), "{}", ended.said);
    assert!(ended.said.contains("where laser 1 takes over from laser 2"), "{}", ended.said);
}
