//! What the program prints does not arrive: on a full disk, or where the reader has gone.

use std::fs::OpenOptions;
use std::process::Stdio;

use crate::support::{Bench, manifest, text};

const QUICK: &str = "name: quick\ninstrument: sim\nsimulator: { time_scale: 0.001 }\nsteps:\n  - sweep: { start_nm: 1540, stop_nm: 1550, resolution_pm: 100 }\n  - fetch_trace: { detector: 4/1, trace: raw }\n";

fn commands() -> Vec<Vec<&'static str>> {
    vec![
        vec!["run", "quick.yaml"],
        vec!["check", "quick.yaml"],
        vec!["plan", "quick.yaml"],
        vec!["plan", "--json", "quick.yaml"],
        vec!["batch", "check", "night.yaml"],
        vec!["batch", "plan", "night.yaml"],
        vec!["batch", "night.yaml"],
        vec!["runs", "list"],
        vec!["schema"],
        vec!["schema", "--markdown"],
        vec!["completions", "bash"],
    ]
}

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("quick.yaml", QUICK);
    bench.write("night.yaml", "name: night\nitems:\n  - recipe: quick.yaml\n");
    assert!(bench.run(&["run", "quick.yaml"]).status.success());
    bench
}

fn states(bench: &Bench) -> Vec<String> {
    let runs = bench.run_folders().into_iter();
    runs.map(|run| manifest(&run)["status"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_full_disk_behind_stdout_is_one_line_and_a_code_and_harms_no_run() {
    let bench = bench();
    for command in commands() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut program = bench.command(&command);
        let ended = program.stdout(full).stderr(Stdio::piped()).output().unwrap();
        let told = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(5), "{command:?}: {told}");
        assert_eq!(told.matches("cannot write to standard output").count(), 1, "{command:?}: {told}");
        assert!(!told.contains("panicked"), "{command:?}: {told}");
    }
    assert!(states(&bench).iter().all(|state| state == "done"), "{:?}", states(&bench));
}

#[test]
fn a_reader_that_has_gone_is_no_word_and_a_code_of_its_own() {
    let bench = bench();
    for command in commands() {
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ended = bench.command(&command).stdout(writer).stderr(Stdio::piped()).output().unwrap();
        let told = text(&ended.stderr);
        assert_eq!(ended.status.code(), Some(141), "{command:?}: {told}");
        assert!(!told.contains("standard output") && !told.contains("panicked"), "{command:?}: {told}");
    }
    assert!(states(&bench).iter().all(|state| state == "done"), "{:?}", states(&bench));
}

#[test]
fn stderr_that_cannot_be_written_harms_no_run() {
    let bench = bench();
    for command in [vec!["run", "quick.yaml"], vec!["batch", "night.yaml"]] {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ended = bench.command(&command).stdout(Stdio::piped()).stderr(full).output().unwrap();
        assert_eq!(ended.status.code(), Some(0), "{command:?}");
    }
    assert!(states(&bench).iter().all(|state| state == "done"), "{:?}", states(&bench));
}
