//! A resumed run trusts files, and not only what its journal says of them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use ctp10::store::hex_sha256;
use serde_json::{Value, json};

use crate::probe_station::{Answer, Station};
use crate::resume::{measured, readings};
use crate::support::{Bench, Running, journal, said_by, simulate, text, watch};

/// Three turns with two traces each; what stands before the sweep is put in, and what stands before the loop.
const TURNS: &str = "
name: turns
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 5 }
  - configure_scan: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
BEFORE
  - repeat:
      for: power
      in: [5, 0, -5]
      steps:
        - configure_tls: { tls: 1, power_dbm: \"${power}\" }
WITHIN
        - sweep:
        - fetch_trace: { detector: 4/1, trace: raw, name: \"at${power}\" }
        - fetch_trace: { detector: 4/2, trace: raw }
        - read_power: { detectors: [4/3], samples: 2, interval_s: 0.01 }
  - log: measured
  - wait: SECONDS
";

/// Does something to a file.
type Damage<'a> = &'a dyn Fn(&Path);

/// The traces of the second turn.
const MIDDLE: [&str; 2] = ["traces/0003_m4c1_raw_at0.parquet", "traces/0004_m4c2_raw.parquet"];

fn turns(before: &str, within: &str, seconds: &str) -> String {
    let text = TURNS.replace("BEFORE\n", before).replace("WITHIN\n", within);
    text.replace("SECONDS", seconds)
}

struct Scene {
    bench: Bench,
    simulator: Running,
    station: Station,
}

impl Scene {
    fn new() -> Self {
        let bench = Bench::new();
        let station = Station::start(|_, _| Answer::Json(200, json!({})));
        bench.write("ctp10.toml", &format!("allow_http = [\"{}\"]\nguard_after_s = 0\n", station.address));
        let simulator =
            simulate(&bench, &["--noise", "by-settings", "--time-scale", "0.01", "--log", "commands.log"]);
        Self { bench, simulator, station }
    }

    /// A run of the three turns that was killed in its last step, as if that step were short.
    fn stopped(&self, before: &str, within: &str) -> PathBuf {
        let folder = self.killed(before, within);
        shorten(&folder, &turns(before, within, "600"), &turns(before, within, "0.1"));
        folder
    }

    /// A run of the three turns that was killed in its last step, which is long.
    fn killed(&self, before: &str, within: &str) -> PathBuf {
        self.bench.write("turns.yaml", &turns(before, within, "600"));
        let mut run = watch(&self.bench, &["turns.yaml", "--instrument", &self.simulator.address]);
        run.wait_for(|event| event["event"] == "log" && event["message"] == "measured");
        run.wait_for(|event| event["event"] == "progress");
        run.signal("KILL");
        run.finish();
        let mut folders = self.bench.run_folders();
        folders.sort_by_key(|folder| fs::metadata(folder.join("journal.jsonl")).unwrap().modified().unwrap());
        folders.pop().unwrap()
    }

    fn resume(&self, folder: &Path, more: &[&str]) -> Output {
        self.bench.run(&[&["resume", folder.to_str().unwrap()], more].concat())
    }
}

/// The run as if its recipe had a shorter wait at its end.
fn shorten(folder: &Path, before: &str, after: &str) {
    fs::write(folder.join("recipe/turns.yaml"), after).unwrap();
    for file in ["run.json", "journal.jsonl"] {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        let text = text.replace(&hex_sha256(before.as_bytes()), &hex_sha256(after.as_bytes()));
        fs::write(folder.join(file), text.replace("\"seconds\":600.0", "\"seconds\":0.1")).unwrap();
    }
}

/// The files of the traces with their contents.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(folder.join("traces")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .map(|path| {
            (format!("traces/{}", path.file_name().unwrap().to_string_lossy()), fs::read(&path).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn a_sweep_in_the_middle_is_done_again_with_its_fetches_and_nothing_else_is() {
    let scene = Scene::new();
    let damages: [(&str, &str, Damage); 4] = [
        ("is missing", "", &|file| fs::remove_file(file).unwrap()),
        ("is torn", "aside/0003_m4c1_raw_at0.parquet", &|file| {
            let bytes = fs::read(file).unwrap();
            fs::write(file, &bytes[..bytes.len() / 2]).unwrap();
        }),
        ("has changed", "aside/0003_m4c1_raw_at0.parquet", &|file| {
            let other = file.with_file_name("0005_m4c1_raw_at-5.parquet");
            fs::copy(other, file).unwrap();
        }),
        ("has changed", "aside/0003_m4c1_raw_at0.parquet", &|file| {
            let mut bytes = fs::read(file).unwrap();
            bytes[200] ^= 1;
            fs::write(file, bytes).unwrap();
        }),
    ];
    for (what, aside, damage) in damages {
        let folder = scene.stopped("", "");
        let (before, values) = (files(&folder), measured(&folder));
        damage(&folder.join(MIDDLE[0]));
        let plan = said_by(&scene.resume(&folder, &["--plan"]));
        assert!(plan.contains(&format!("damaged: {} {what}", MIDDLE[0])), "{plan}");
        assert!(plan.contains("to repeat first: (power=0) sweep"), "{plan}");
        assert!(!plan.contains("(power=5) sweep") && !plan.contains("(power=-5) sweep"), "{plan}");
        let output = scene.resume(&folder, &[]);
        assert!(output.status.success(), "{what}: {}", said_by(&output));
        assert!(said_by(&output).contains(&format!("`{}` {what}", MIDDLE[0])), "{}", said_by(&output));
        assert_eq!(measured(&folder), values, "{what}: the same is measured");
        for (file, content) in files(&folder) {
            let same = before.iter().any(|known| known == &(file.clone(), content.clone()));
            assert_eq!(same, !MIDDLE.contains(&file.as_str()), "{what}: {file}");
        }
        assert!(aside.is_empty() || folder.join(aside).exists(), "{what}");
        let verified = scene.bench.run(&["runs", "verify", folder.to_str().unwrap()]);
        assert!(verified.status.success(), "{what}: {}", text(&verified.stdout));
    }
}

#[test]
fn a_run_that_is_killed_while_it_mends_its_past_mends_the_rest_the_next_time() {
    let scene = Scene::new();
    for moment in ["sweep_repeated", "step_started", "trace_withdrawn", "trace_stored"] {
        let folder = scene.killed("", "");
        let values = measured(&folder);
        for file in ["traces/0001_m4c1_raw_at5.parquet", MIDDLE[0]] {
            fs::remove_file(folder.join(file)).unwrap();
        }
        let resume = ["--log-format", "json", "resume", folder.to_str().unwrap()];
        let mut run = crate::support::watch_command(scene.bench.command(&resume));
        run.wait_for(|event| event["event"] == "sweep_repeated");
        if moment != "sweep_repeated" {
            run.wait_for(|event| event["event"] == moment);
        }
        run.signal("KILL");
        run.finish();
        shorten(&folder, &turns("", "", "600"), &turns("", "", "0.1"));
        let output = scene.resume(&folder, &[]);
        assert!(output.status.success(), "{moment}: {}", said_by(&output));
        assert_eq!(measured(&folder), values, "{moment}: {}", said_by(&output));
        let verified = scene.bench.run(&["runs", "verify", folder.to_str().unwrap()]);
        assert!(verified.status.success(), "{moment}: {}", text(&verified.stdout));
    }
}

#[test]
fn what_moved_the_stage_in_its_turn_is_repeated_before_the_sweep_and_undone_behind_it() {
    let scene = Scene::new();
    let url = scene.station.url("/move");
    let moves = format!(
        "        - http: {{ method: POST, url: \"{url}\", json: {{ x: \"${{power}}\" }}, effect: configure }}\n"
    );
    let folder = scene.stopped("  - log: begin\n", &moves);
    let values = measured(&folder);
    fs::remove_file(folder.join(MIDDLE[1])).unwrap();
    let before = scene.station.asked().len();
    let output = scene.resume(&folder, &[]);
    assert!(output.status.success(), "{}", said_by(&output));
    let moved: Vec<Value> =
        scene.station.asked()[before..].iter().map(|asked| asked.json["x"].clone()).collect();
    assert_eq!(moved, [json!(0), json!(-5)], "to the die of the trace, and back");
    assert_eq!(measured(&folder), values);

    let raw = "        - scpi: { command: \"CTP:RLAS2:POW ${power + 2}DBM\", effect: configure }\n";
    let folder = scene.stopped("", raw);
    fs::remove_file(folder.join(MIDDLE[1])).unwrap();
    let log = || fs::read_to_string(scene.bench.folder.path().join("commands.log")).unwrap();
    let before = log().len();
    let output = scene.resume(&folder, &[]);
    assert!(output.status.success(), "{}", said_by(&output));
    assert!(log()[before..].contains("CTP:RLAS2:POW 2DBM"), "{}", &log()[before..]);
}

#[test]
fn where_what_came_before_it_may_not_be_repeated_the_run_is_refused_and_the_trace_is_named() {
    let scene = Scene::new();
    let url = scene.station.url("/move");
    let ask = format!("http: {{ method: POST, url: \"{url}\", json: {{ x: 1 }} }}");
    let prompt = "prompt: { message: \"next die\", unattended: \"ok\" }";
    let raw = "scpi: { command: \"CTP:RLAS2:POW 5DBM\" }";
    let within = |step: &str| format!("        - {step}\n");
    for (what, step) in [("http", within(&ask)), ("prompt", within(prompt)), ("scpi", within(raw))] {
        let folder = scene.stopped("", &step);
        let untouched = files(&folder);
        fs::remove_file(folder.join(MIDDLE[0])).unwrap();
        let lines = journal(&folder).len();
        for more in [&["--plan"][..], &[]] {
            let output = scene.resume(&folder, more);
            assert_eq!(output.status.code(), Some(1), "{what}: {}", said_by(&output));
            let told = said_by(&output);
            assert!(told.contains(&format!("`{}` is missing", MIDDLE[0])), "{what}: {told}");
            assert!(told.contains("came before it in its turn and must not be repeated"), "{what}: {told}");
        }
        assert_eq!((files(&folder).len(), journal(&folder).len()), (untouched.len() - 1, lines), "{what}");
    }
    // Before the loop it was not in the turn.
    let folder = scene.stopped(&format!("  - {prompt}\n"), "");
    fs::remove_file(folder.join(MIDDLE[0])).unwrap();
    let output = scene.resume(&folder, &[]);
    assert!(output.status.success(), "{}", said_by(&output));
}

#[test]
fn a_segment_of_power_that_is_damaged_is_stored_anew_from_the_journal() {
    let scene = Scene::new();
    let folder = scene.stopped("", "");
    // The segment is closed at the end only: the run is stopped in good order for that.
    let output = scene.resume(&folder, &[]);
    assert!(output.status.success(), "{}", said_by(&output));
    let all = readings(&folder);
    assert_eq!(all, 6);
    let text = fs::read_to_string(folder.join("journal.jsonl")).unwrap();
    let end = text.find("\"event\":\"finished\"").unwrap();
    let end = text[..end].rfind('\n').unwrap() + 1;
    fs::write(folder.join("journal.jsonl"), &text[..end]).unwrap();
    let manifest = fs::read_to_string(folder.join("run.json")).unwrap();
    fs::write(folder.join("run.json"), manifest.replace("\"done\"", "\"running\"")).unwrap();
    fs::write(folder.join("power/0001.parquet"), "something else").unwrap();
    let plan = said_by(&scene.resume(&folder, &["--plan"]));
    assert!(plan.contains("damaged: power/0001.parquet is torn"), "{plan}");
    let output = scene.resume(&folder, &[]);
    assert!(output.status.success(), "{}", said_by(&output));
    assert_eq!(fs::read_to_string(folder.join("aside/0001.parquet")).unwrap(), "something else");
    let verified = scene.bench.run(&["runs", "verify", folder.to_str().unwrap(), "--json"]);
    let verified: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert_eq!(verified["verified"]["findings"], json!([]));
    let mut stored = journal(&folder).into_iter().filter(|record| record["event"] == "power_stored");
    assert_eq!(stored.next_back().unwrap()["rows"], 6);
}
