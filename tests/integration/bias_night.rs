//! A night of bias sweeps: three bands, two polarisations, eleven currents, with a source-meter, a switch and a thermostat.
//! The run is killed, its output is off, and the resumed run measures the same.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::resume::measured;
use crate::support::{Bench, Running, Talk, journal, manifest, simulate, text, until, watch};

/// The tuning efficiency of the simulator, pm/mW.
const PM_PER_MW: f64 = 100.0;
const CURRENTS: &str = "[0, 0.6, 1.2, 1.8, 2.4, 3, 3.6, 4.2, 4.8, 5.4, 6]";
const BANDS: &str = "band,laser,from_nm,to_nm,start_nm
O,2,1260,1360,1302
C,1,1500,1630,1540
L,1,1500,1630,1580
";
const NIGHT: &str = r#"name: bias-night
detectors: { through: 4/1 }
steps:
  - scpi: { to: thermostat, command: ":SOUR:TEMP 30" }
  - scpi: { to: thermostat, command: ":OUTP ON" }
  - wait: { stable: { to: thermostat, query: ":MEAS:TEMP?", target: 30, within: 0.0001, for_s: 0.1, timeout_s: 60 } }
  - scpi: { to: smu, command: ":SOUR:FUNC CURR" }
  - scpi: { to: smu, command: ":OUTP ON" }
  - repeat:
      for: band
      in_csv: bands.csv
      steps:
        - configure_tls: { tls: 1, laser: "${band.laser}", start_nm: "${band.from_nm}", stop_nm: "${band.to_nm}", speed_nm_s: 100, power_dbm: 5 }
        - configure_scan: { start_nm: "${band.start_nm}", stop_nm: "${band.start_nm + 14}", resolution_pm: 2 }
        - repeat:
            for: polarisation
            in: [1, 2]
            steps:
              - scpi: { to: switch, command: "ROUT:CLOS (@${polarisation})" }
              - set: { low_nm: "${band.start_nm}", high_nm: "${band.start_nm + 11}" }
              - repeat:
                  for: current_ma
                  in: CURRENTS
                  steps:
                    - scpi: { to: smu, command: ":SOUR:CURR ${current_ma / 1000}" }
                    - scpi: { id: iv, to: smu, query: ":READ?", parse: numbers, assume: [2.5, 0.005] }
                    - set: { heater_mw: "${steps.iv.values[0] * steps.iv.values[1] * 1000}" }
                    - sweep:
                    - fetch_trace: { id: out, detector: through, trace: raw, columns: { heater_mw: "${heater_mw}" } }
                    - analyze: { id: dip, trace: out, lines: dips, band_nm: ["${low_nm}", "${high_nm}"], figures: [resonance_nm] }
                    - set: { low_nm: "${steps.dip.resonance_nm - 0.6}", high_nm: "${steps.dip.resonance_nm + 1}" }
              - analyze:
                  id: tuning
                  over: dip
                  fit: { y: resonance_nm, x: heater_mw, unit: pm }
                  expect: { slope_pm_per_mw: { min: 99, max: 101 } }
finally:
  - scpi: { to: smu, command: ":OUTP OFF" }
"#;
const WITH: [&str; 6] = ["--with-real", "smu", "--with-real", "switch", "--with-real", "thermostat"];

/// A bench whose instruments are simulated by a process of their own, so that they outlive the run.
struct Night {
    bench: Bench,
    instruments: Running,
}

impl Night {
    fn new(bands: &str, currents: &str) -> Self {
        let bench = Bench::new();
        let free = "127.0.0.1:0";
        let others = ["--smu", free, "--switch", free, "--thermostat", free];
        let instruments =
            simulate(&bench, &[&others[..], &["--noise", "by-settings", "--time-scale", "0.005"]].concat());
        let mut config = String::new();
        for (name, more) in [
            (
                "smu",
                "setup = [\":SENS:VOLT:PROT 8\"]\nsafe = [\":OUTP OFF\"]\nallow = [\":SOUR:*\", \":OUTP*\", \":READ?\"]
limits = { \":SOUR:CURR\" = [0, 0.01] }\n",
            ),
            ("switch", "allow = [\"ROUT:*\"]\n"),
            ("thermostat", "allow = [\":SOUR:TEMP*\", \":OUTP*\", \":MEAS:*\"]\n"),
        ] {
            let address = instruments.instrument(name);
            config.push_str(&format!(
                "[instruments.{name}]\naddress = \"{address}\"\nidentity = \"SIMULATED\"\nerrors = \"SYST:ERR?\"\n{more}"
            ));
        }
        bench.write("ctp10.toml", &config);
        bench.write("bands.csv", bands);
        bench.write("night.yaml", &NIGHT.replace("CURRENTS", currents));
        Self { bench, instruments }
    }

    fn arguments(&self) -> Vec<&str> {
        [&["night.yaml", "--instrument", &self.instruments.address][..], &WITH].concat()
    }

    /// The night without an interruption.
    fn whole(&self) -> PathBuf {
        let output = self.bench.run(&[&["run"][..], &self.arguments()].concat());
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        self.bench.run_folder(&output)
    }

    /// A run that is killed after a record; `None` if it was quicker than the signal.
    fn killed_after(&self, record: u64) -> Option<PathBuf> {
        let before = self.bench.run_folders();
        let mut run = watch(&self.bench, &self.arguments());
        run.wait_for(|event| event["n"].as_u64().is_some_and(|n| n >= record));
        run.signal("KILL");
        run.finish();
        let folder = self.bench.run_folders().into_iter().find(|folder| !before.contains(folder)).unwrap();
        (manifest(&folder)["status"] == "running").then_some(folder)
    }

    /// The watchdog has turned everything off.
    fn is_off(&self) -> bool {
        let output = Talk::to(self.instruments.instrument("smu")).ask(":OUTP?");
        let lasers = Talk::to(&self.instruments.address).ask("CTP:RLAS1:POW:STAT?;:CTP:RLAS2:POW:STAT?");
        (output.as_str(), lasers.as_str()) == ("0", "0;0")
    }

    fn resume(&self, folder: &Path, when: &str) {
        let resume = ["resume", folder.to_str().unwrap(), "--unfinished", "again"];
        let output = self.bench.run(&[&resume[..], &WITH].concat());
        assert_eq!(output.status.code(), Some(0), "{when}: {}", text(&output.stderr));
        assert!(self.is_off(), "{when}");
    }

    /// Kills a run after each of these records. Each time, the output is off and the resumed run is like the whole one.
    fn killed_after_each(&self, whole: &Path, records: impl Iterator<Item = u64>) {
        let (traces, slopes) = (measured(whole), slopes(whole));
        let mut interrupted = 0;
        for record in records {
            let Some(folder) = self.killed_after(record) else { continue };
            interrupted += 1;
            let when = format!("killed after record {record}, {}", folder.display());
            until(&format!("everything is off: {when}"), || self.is_off());
            self.resume(&folder, &when);
            assert!(measured(&folder) == traces, "other traces: {when}");
            assert_eq!(self::slopes(&folder), slopes, "{when}");
        }
        assert!(interrupted > 0, "every run had ended before it was killed");
    }
}

/// The slopes of a run, as they ended the last time.
fn slopes(folder: &Path) -> Vec<f64> {
    let records = journal(folder);
    let is_slope = |figure: &&Value| figure["figure"] == "slope_pm_per_mw";
    let ended = records.iter().filter(|record| record["event"] == "step_finished");
    let by_number = ended.filter_map(|record| {
        let figures = record["outcome"]["value"]["figures"].as_array()?;
        Some((record["number"].as_u64()?, figures.iter().find(is_slope)?["value"].as_f64()?))
    });
    by_number.collect::<std::collections::BTreeMap<_, _>>().into_values().collect()
}

fn last_record(folder: &Path) -> u64 {
    journal(folder).last().unwrap()["n"].as_u64().unwrap()
}

fn is_thorough() -> bool {
    std::env::var_os("CTP10_TEST_THOROUGH").is_some()
}

#[test]
fn a_bias_night_finds_the_tuning_efficiency_and_a_killed_one_measures_the_same() {
    let night = Night::new(BANDS, CURRENTS);
    let whole = night.whole();
    assert_eq!(measured(&whole).len(), 3 * 2 * 11);
    let slopes = slopes(&whole);
    assert_eq!(slopes.len(), 3 * 2);
    assert!(slopes.iter().all(|slope| (slope - PM_PER_MW).abs() < 0.01 * PM_PER_MW), "{slopes:?}");
    assert!(night.is_off());
    let (last, kills) = (last_record(&whole), if is_thorough() { 50 } else { 3 });
    // Moments spread evenly, in an order that looks random.
    night.killed_after_each(&whole, (1..=kills).map(|kill| 1 + kill * 7919 % 1009 * last / 1009));
}

#[test]
fn a_short_bias_night_that_is_killed_after_any_record_measures_the_same() {
    let (bands, currents) = ("band,laser,from_nm,to_nm,start_nm\nC,1,1500,1630,1540\n", "[0, 2, 3.5]");
    let night = Night::new(bands, currents);
    let whole = night.whole();
    assert_eq!(measured(&whole).len(), 2 * 3);
    let step = if is_thorough() { 1 } else { 23 };
    night.killed_after_each(&whole, (1..last_record(&whole)).step_by(step));
}
