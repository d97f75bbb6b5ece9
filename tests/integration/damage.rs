//! Run folders that somebody or something has damaged: no command panics, hangs, or deletes what was measured.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::probe_station::Gate;
use crate::sidecar::{request, serve};
use crate::support::{Bench, copy_folder, journal, manifest, said_by, text, watch};

/// No command takes as long as this, on however slow a machine.
const LIMIT: Duration = Duration::from_secs(120);
/// What every command stays below, kilobytes.
#[cfg(target_os = "linux")]
const MEMORY_KB: u64 = 200_000;

/// Four traces in two turns, readings of power, and then a wait in which it is killed.
const RECIPE: &str = "
name: damaged
instrument: sim
simulator: { noise: by-settings, time_scale: 0.01 }
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 5 }
  - configure_scan: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
  - repeat:
      for: power
      in: [5, 0]
      steps:
        - configure_tls: { tls: 1, power_dbm: \"${power}\" }
        - sweep:
        - fetch_trace: { detectors: [4/1, 4/2], trace: raw }
  - run_recipe: { path: inner.yaml }
  - wait: 0.2
";
const INNER: &str = "name: inner\nsteps:\n  - log: within\n";

struct Killed {
    bench: Bench,
    folder: PathBuf,
    /// The journal, line by line.
    lines: Vec<String>,
    id: String,
}

/// A run that was killed in its last step, with its four traces stored.
fn killed() -> Killed {
    let bench = Bench::new();
    bench.write("inner.yaml", INNER);
    bench.write("damaged.yaml", &RECIPE.replace("wait: 0.2", "wait: 600"));
    let mut run = watch(&bench, &["damaged.yaml"]);
    run.wait_for(|event| event["event"] == "progress" && event["activity"] == "wait");
    run.signal("KILL");
    run.finish();
    // The wait was long enough to be killed in, and is short for those who go on.
    let folder = bench.only_run();
    fs::write(folder.join("traces/my-analysis.parquet"), "not a trace, and mine").unwrap();
    shorten(&folder);
    let lines = fs::read_to_string(folder.join("journal.jsonl")).unwrap();
    let lines = lines.lines().map(|line| format!("{line}\n")).collect();
    let id = manifest(&folder)["run"].as_str().unwrap().to_owned();
    Killed { bench, folder, lines, id }
}

/// Makes the recipe that the run began with one whose last wait is short.
fn shorten(folder: &Path) {
    let copy = folder.join("recipe/damaged.yaml");
    let before = fs::read(&copy).unwrap();
    fs::write(&copy, RECIPE).unwrap();
    let hash = |bytes: &[u8]| ctp10::store::hex_sha256(bytes);
    for file in ["run.json", "journal.jsonl"] {
        let text = fs::read_to_string(folder.join(file)).unwrap();
        let text = text
            .replace(&hash(&before), &hash(RECIPE.as_bytes()))
            .replace("{\"seconds\":600.0}", "{\"seconds\":0.2}");
        fs::write(folder.join(file), text).unwrap();
    }
}

impl Killed {
    /// A copy of the folder to be damaged, in a folder of runs of its own.
    fn copy(&self, name: &str) -> PathBuf {
        let out = self.bench.folder.path().join(name);
        let folder = out.join(self.folder.file_name().unwrap());
        copy_folder(&self.folder, &folder);
        folder
    }
}

/// Runs a command to its end, which comes soon; it neither panics nor takes much memory.
fn run(bench: &Bench, arguments: &[&str]) -> Output {
    let mut child = bench.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (out, err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let read = |mut from: Box<dyn Read + Send>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            from.read_to_end(&mut bytes).unwrap();
            bytes
        })
    };
    let (stdout, stderr) = (read(Box::new(out)), read(Box::new(err)));
    let began = Instant::now();
    let mut most = 0;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        most = most.max(memory_kb(child.id()));
        if began.elapsed() > LIMIT {
            child.kill().unwrap();
            panic!("{arguments:?} hangs");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let output = Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() };
    let said = said_by(&output);
    assert!(
        output.status.code().is_some_and(|code| code != 101) && !said.contains("panicked"),
        "{arguments:?}: {said}"
    );
    #[cfg(target_os = "linux")]
    assert!(most < MEMORY_KB, "{arguments:?}: {most} kB");
    output
}

/// The most memory that a process has had so far.
fn memory_kb(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).map(str::trim);
    peak.and_then(|peak| peak.split(' ').next()?.parse().ok()).unwrap_or(0)
}

/// What a command is expected to do: its exit code, and a part of what it says.
type Expected = (i32, &'static str);

/// Puts something where a file was.
type Put = fn(&Path);

/// Does something to a run folder whose journal has these lines.
type Damage = Box<dyn Fn(&Path, &[String])>;

struct Case {
    name: &'static str,
    damage: Damage,
    plan: Expected,
    resume: Expected,
    verify: Expected,
    show: Expected,
    list: Expected,
    report: Expected,
    /// Status and a part of the reply.
    http: (u16, &'static str),
}

fn write_journal(folder: &Path, lines: &[String]) {
    fs::write(folder.join("journal.jsonl"), lines.concat()).unwrap();
}

/// A journal is damaged in the way that `edit` says. `resume` and `verify` refuse and name the line.
fn journal_case(
    name: &'static str,
    wrong: &'static str,
    lines: &'static str,
    edit: impl Fn(&mut Vec<String>) + 'static,
) -> Case {
    Case {
        name,
        damage: Box::new(move |folder, lines| {
            let mut lines = lines.to_vec();
            edit(&mut lines);
            write_journal(folder, &lines);
        }),
        plan: (1, wrong),
        resume: (1, wrong),
        verify: (1, wrong),
        show: (0, wrong),
        list: (0, "interrupted"),
        report: (0, lines),
        http: (200, lines),
    }
}

/// A journal that a power cut has torn: everything goes on.
fn torn_case(name: &'static str, edit: impl Fn(&mut Vec<String>) + 'static) -> Case {
    let whole = "\"unreadable_lines\":0";
    Case {
        plan: (0, "remaining:"),
        resume: (0, "damaged done"),
        verify: (1, "extra    traces/my-analysis.parquet"),
        show: (0, "my-analysis"),
        report: (0, whole),
        http: (200, whole),
        ..journal_case(name, "", "", edit)
    }
}

/// A file is put in the place of another. Every command says `what` is wrong, or passes over it.
fn file_case(name: &'static str, damage: impl Fn(&Path) + 'static) -> Case {
    let whole = "\"unreadable_lines\":0";
    Case {
        name,
        damage: Box::new(move |folder, _| damage(folder)),
        plan: (0, "remaining:"),
        resume: (0, "damaged done"),
        verify: (1, "extra    traces/my-analysis.parquet"),
        show: (0, "damaged  interrupted"),
        list: (0, "interrupted"),
        report: (0, whole),
        http: (200, whole),
    }
}

fn replace(path: &Path, with: impl Fn(&Path)) {
    if path.is_dir() {
        fs::remove_dir_all(path).unwrap();
    } else {
        fs::remove_file(path).unwrap();
    }
    with(path);
}

fn pipe(path: &Path) {
    assert!(std::process::Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn sparse(path: &Path) {
    File::create(path).unwrap().set_len(2 << 30).unwrap();
}

fn link(target: &str) -> impl Fn(&Path) {
    move |path| std::os::unix::fs::symlink(target, path).unwrap()
}

const FIRST: &str = "traces/0001_m4c1_raw.parquet";
const LAST: &str = "traces/0004_m4c2_raw.parquet";

const OTHERS: [&str; 3] = ["report.html", "summary.json", "guard.jsonl"];

fn is_thorough() -> bool {
    std::env::var_os("CTP10_TEST_THOROUGH").is_some()
}

fn cases() -> Vec<Case> {
    let mut cases = vec![
        journal_case("swapped", "line 5 of", "\"unreadable_lines\":2", |lines| lines.swap(4, 5)),
        journal_case("doubled", "line 6 of", "\"unreadable_lines\":1", |lines| {
            let line = lines[4].clone();
            lines.insert(5, line);
        }),
        journal_case("dropped", "line 5 of", "\"unreadable_lines\":1", |lines| drop(lines.remove(4))),
        journal_case("without-beginning", "line 1 of", "\"unreadable_lines\":1", |lines| {
            drop(lines.remove(0));
        }),
        journal_case("altered", "line 16 of", "\"unreadable_lines\":1", |lines| {
            lines[15] = "garbage\n".to_owned();
        }),
        journal_case("foreign", "line 6 of", "\"unreadable_lines\":1", |lines| {
            lines.insert(5, "hello\n".to_owned());
        }),
        journal_case("blank", "line 6 of", "\"unreadable_lines\":1", |lines| {
            lines.insert(5, "\n".to_owned());
        }),
        journal_case("nul-within", "line 6 of", "\"unreadable_lines\":1", |lines| {
            lines.insert(5, "\0\0\0\n".to_owned());
        }),
        journal_case("foreign-end", "is not valid", "\"unreadable_lines\":1", |lines| {
            lines.push("hello\n".to_owned());
        }),
        Case {
            // Whoever lists traces need not understand every event.
            show: (0, "damaged  interrupted"),
            ..journal_case("later-event", "unknown variant `teleported`", "\"unreadable_lines\":1", |lines| {
                let n = lines.len() + 1;
                lines.push(format!(
                    "{{\"n\":{n},\"time\":\"2026-11-24T22:00:00Z\",\"event\":\"teleported\"}}\n"
                ));
            })
        },
        torn_case("no-newline", |lines| {
            let last = lines.pop().unwrap();
            lines.push(last.trim_end().to_owned());
        }),
        torn_case("half-a-line", |lines| lines.push("{\"n\":99,\"ti".to_owned())),
        torn_case("nul-tail", |lines| lines.push("\0".repeat(4096))),
        torn_case("nul-line", |lines| lines.push("\0\0\0\n".to_owned())),
        Case {
            resume: (1, "its folder contains 4 finished files"),
            plan: (1, "has no start"),
            verify: (1, "extra    traces/0001_m4c1_raw.parquet"),
            ..torn_case("empty", |lines| lines.clear())
        },
        file_case("journal-with-a-sparse-tail", |folder| {
            File::options()
                .append(true)
                .open(folder.join("journal.jsonl"))
                .unwrap()
                .set_len(2 << 30)
                .unwrap();
        }),
        file_case("unknown-trace", |folder| {
            fs::copy(folder.join(FIRST), folder.join("traces/0099_m4c1_raw.parquet")).unwrap();
        }),
    ];
    let in_the_way: [(&'static str, &'static str, Put); 4] = [
        ("pipe", "named pipe", pipe),
        ("folder", "it is a folder", |path| fs::create_dir(path).unwrap()),
        ("sparse", "bytes", sparse),
        ("device", "device", |path| link("/dev/zero")(path)),
    ];
    for (kind, what, put) in in_the_way {
        let name = |file: &str| -> &'static str { Box::leak(format!("{file}-{kind}").into_boxed_str()) };
        let sparse = kind == "sparse";
        let outside = kind == "device";
        let refused = if outside { "leads out of the folder" } else { what };
        if !sparse {
            cases.push(Case {
                plan: (1, refused),
                resume: (1, refused),
                verify: (1, refused),
                show: (1, refused),
                report: (1, refused),
                http: (503, refused),
                ..file_case(name("journal"), move |folder| replace(&folder.join("journal.jsonl"), put))
            });
        }
        cases.push(Case {
            plan: (2, refused),
            resume: (2, refused),
            verify: (2, refused),
            show: (2, refused),
            list: (0, refused),
            report: (2, refused),
            http: (503, refused),
            ..file_case(name("manifest"), move |folder| replace(&folder.join("run.json"), put))
        });
        cases.push(Case {
            plan: (1, "is not the recipe that run"),
            resume: (1, "is not the recipe that run"),
            verify: (1, "recipe/inner.yaml"),
            ..file_case(name("source"), move |folder| replace(&folder.join("recipe/inner.yaml"), put))
        });
        cases.push(Case {
            plan: (0, "to repeat first: (power=5) sweep"),
            verify: (1, FIRST),
            ..file_case(name("first-trace"), move |folder| replace(&folder.join(FIRST), put))
        });
        cases.push(Case {
            plan: (0, "to withdraw and measure again: traces/0003_m4c1_raw.parquet"),
            verify: (1, LAST),
            ..file_case(name("last-trace"), move |folder| replace(&folder.join(LAST), put))
        });
        cases.push(file_case(name("lock"), move |folder| replace(&folder.join("lock"), put)));
        if !sparse {
            let last = cases.last_mut().unwrap();
            last.resume = (1, what.trim_start_matches("named ").trim_start_matches("it is a "));
            if outside {
                last.resume = (1, "it is a link");
            }
        }
        // A folder or a large file is no other case there than a pipe is.
        let others = if is_thorough() || kind == "pipe" || outside { &OTHERS[..] } else { &[] };
        for file in others {
            cases.push(file_case(name(file), move |folder| put(&folder.join(file))));
            if kind == "folder" && *file != "guard.jsonl" {
                cases.last_mut().unwrap().report = (1, "cannot write");
            }
        }
    }
    cases.extend([
        Case {
            plan: (0, "traces/0001_m4c1_raw.parquet is missing"),
            verify: (1, "missing  traces/0001_m4c1_raw.parquet"),
            ..file_case("deleted", |folder| fs::remove_file(folder.join(FIRST)).unwrap())
        },
        Case {
            plan: (0, "traces/0001_m4c1_raw.parquet is torn"),
            verify: (1, "torn     traces/0001_m4c1_raw.parquet"),
            ..file_case("truncated", |folder| {
                File::options().write(true).open(folder.join(FIRST)).unwrap().set_len(100).unwrap();
            })
        },
        Case {
            plan: (0, "traces/0001_m4c1_raw.parquet has changed"),
            verify: (1, "changed  traces/0001_m4c1_raw.parquet"),
            ..file_case("rewritten", |folder| {
                fs::copy(folder.join(LAST), folder.join(FIRST)).unwrap();
            })
        },
        Case {
            plan: (0, "`trace_index` is 1, but the journal records 2"),
            verify: (1, "`trace_index` is 1, but the journal records 2"),
            ..file_case("contradicted", |folder| {
                let text = fs::read_to_string(folder.join("journal.jsonl")).unwrap();
                fs::write(
                    folder.join("journal.jsonl"),
                    text.replacen("\"trace_index\":1,", "\"trace_index\":2,", 1),
                )
                .unwrap();
            })
        },
        Case {
            plan: (0, "leads out of the folder"),
            verify: (1, "leads out of the folder"),
            ..file_case("led-out", |folder| {
                let text = fs::read_to_string(folder.join("journal.jsonl")).unwrap();
                fs::write(
                    folder.join("journal.jsonl"),
                    text.replace(FIRST, "../../../../../../../../../etc/passwd"),
                )
                .unwrap();
            })
        },
        Case {
            plan: (2, "has version 2 of its format"),
            resume: (2, "this program supports version 1"),
            verify: (2, "has version 2"),
            show: (2, "has version 2"),
            list: (0, "has version 2"),
            report: (2, "has version 2"),
            http: (503, "has version 2"),
            ..file_case("later-version", |folder| {
                let text = fs::read_to_string(folder.join("run.json")).unwrap();
                fs::write(
                    folder.join("run.json"),
                    text.replace("\"schema_version\": 1", "\"schema_version\": 2"),
                )
                .unwrap();
            })
        },
        Case {
            plan: (1, "it is a link or a file"),
            resume: (1, "it is a link or a file"),
            verify: (1, "extra"),
            ..file_case("linked-traces", |folder| {
                fs::rename(folder.join("traces"), folder.join("../elsewhere")).unwrap();
                link("../elsewhere")(&folder.join("traces"));
            })
        },
    ]);
    cases
}

/// Every file that was measured, by its content: where it is does not matter.
fn contents(folder: &Path) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    for inner in ["traces", "power", "aside"] {
        for entry in fs::read_dir(folder.join(inner)).into_iter().flatten().map(Result::unwrap) {
            let about = fs::symlink_metadata(entry.path()).unwrap();
            if about.is_file() && about.len() < 1 << 20 {
                found.push(fs::read(entry.path()).unwrap());
            }
        }
    }
    found
}

#[test]
fn whatever_is_damaged_every_command_ends_says_so_and_deletes_nothing_that_was_measured() {
    let killed = killed();
    for case in cases() {
        let name = case.name;
        let damaged = |command: &str| {
            let folder = killed.copy(&format!("{name}-{command}"));
            (case.damage)(&folder, &killed.lines);
            folder
        };
        let told = |what: &str, output: &Output, (code, part): Expected| {
            let said = said_by(output);
            assert_eq!(output.status.code(), Some(code), "{name}: {what}: {said}");
            assert!(said.contains(part), "{name}: {what}: no {part:?} in {said}");
        };
        let folder = damaged("reads");
        let out = folder.parent().unwrap().to_str().unwrap().to_owned();
        // By its name below `--out`: a folder that is named itself has no further message about its name.
        let id = killed.id.as_str();
        told("plan", &run(&killed.bench, &["resume", id, "--plan", "--out", &out]), case.plan);
        told("verify", &run(&killed.bench, &["runs", "verify", id, "--out", &out]), case.verify);
        if case.show.1 != "my-analysis" {
            told("show", &run(&killed.bench, &["runs", "show", id, "--out", &out]), case.show);
        }
        told("list", &run(&killed.bench, &["runs", "list", "--out", &out]), case.list);
        let service = serve(&killed.bench, &["--instrument", "sim", "--out", &out]);
        assert_eq!(request(&service.address, "GET", "/runs", None).0, 200, "{name}");
        let (status, reply) = request(&service.address, "GET", &format!("/runs/{id}"), None);
        assert_eq!(status, case.http.0, "{name}: {reply}");
        assert!(reply.to_string().contains(case.http.1), "{name}: no {:?} in {reply}", case.http.1);
        for path in ["traces", "traces/1.csv", "report", "traces/1/view"] {
            let (status, reply) = request(&service.address, "GET", &format!("/runs/{id}/{path}"), None);
            assert!([200, 404, 410, 503].contains(&status), "{name} {path}: {status} {reply}");
            assert!(!reply.to_string().contains("root:"), "{name} {path}: {reply}");
        }
        drop(service);
        let report = run(&killed.bench, &["runs", "report", id, "--json", "--out", &out]);
        let compact = Output { stdout: text(&report.stdout).replace("\": ", "\":").into_bytes(), ..report };
        told("report", &compact, case.report);

        let folder = damaged("resume");
        let before = contents(&folder);
        let secret = folder.parent().unwrap().join("secret");
        fs::write(&secret, "secret").unwrap();
        let output = run(&killed.bench, &["resume", folder.to_str().unwrap()]);
        let (code, part) = case.resume;
        // Named by its folder a damaged manifest is an error of the folder, not of the name.
        let code = if code == 2 { 1 } else { code };
        told("resume", &output, (code, part));
        assert_eq!(fs::read_to_string(&secret).unwrap(), "secret");
        let mine = folder.join("traces/my-analysis.parquet");
        assert_eq!(fs::read_to_string(mine).unwrap(), "not a trace, and mine", "{name}");
        let withdrawn = said_by(&output).contains("withdrawn:");
        let after = contents(&folder);
        let lost = before.iter().filter(|content| !after.contains(content)).count();
        assert!(
            lost == 0 || withdrawn,
            "{name}: {lost} of {} files are gone: {}",
            before.len(),
            said_by(&output)
        );
        if code == 0 {
            let verified = run(&killed.bench, &["runs", "verify", folder.to_str().unwrap(), "--json"]);
            let verified: Value = serde_json::from_slice(&verified.stdout).unwrap();
            let findings = verified["verified"]["findings"].as_array().unwrap();
            let files: Vec<&Value> = findings.iter().map(|finding| &finding["file"]).collect();
            assert_eq!(files, ["traces/my-analysis.parquet"], "{name}: {verified}");
            assert_eq!(verified["verified"]["whole"], 4, "{name}: {verified}");
        }
    }
}

#[test]
fn a_journal_that_ends_anywhere_is_read_as_far_as_it_goes() {
    let killed = killed();
    let whole = killed.lines.concat();
    let step = if is_thorough() { 101 } else { whole.len() / 12 };
    for end in (1..whole.len()).step_by(step) {
        let folder = killed.copy(&format!("cut-{end}"));
        fs::write(folder.join("journal.jsonl"), &whole[..end]).unwrap();
        let before = contents(&folder);
        let output = run(&killed.bench, &["resume", folder.to_str().unwrap()]);
        let after = contents(&folder);
        let begun = whole[..end].contains("\n");
        assert_eq!(output.status.code(), Some(i32::from(!begun)), "{end}: {}", said_by(&output));
        for content in &before {
            let known = whole[..end].contains(&ctp10::store::hex_sha256(content));
            assert!(after.contains(content) || known, "{end}: a file is gone that the journal did not know");
        }
    }
}

#[test]
fn without_a_beginning_and_without_files_a_run_begins_anew() {
    let killed = killed();
    for (name, lines) in [("no-lines", 0), ("torn", 1)] {
        let folder = killed.copy(name);
        for entry in fs::read_dir(folder.join("traces")).unwrap().map(Result::unwrap) {
            fs::remove_file(entry.path()).unwrap();
        }
        fs::write(folder.join("journal.jsonl"), "{\"n\":1,".repeat(lines)).unwrap();
        let output = run(&killed.bench, &["resume", folder.to_str().unwrap()]);
        assert!(output.status.success(), "{}", said_by(&output));
        let records = journal(&folder);
        assert_eq!(records[0]["event"], "started");
        assert_eq!(manifest(&folder)["traces"], 4);
    }
}

#[test]
fn links_in_the_path_of_the_runs_are_followed_and_a_linked_lock_spares_its_target() {
    let killed = killed();
    let folder = killed.copy("disk");
    let place = killed.bench.folder.path();
    std::os::unix::fs::symlink(place.join("disk"), place.join("linked")).unwrap();
    let shown = run(&killed.bench, &["runs", "show", &killed.id, "--out", "linked"]);
    assert!(shown.status.success(), "{}", said_by(&shown));
    let target = killed.bench.write("precious", "precious");
    replace(&folder.join("lock"), |path| std::os::unix::fs::symlink(&target, path).unwrap());
    for file in ["guard.jsonl", ".run.json.part", ".reserve"] {
        let _ = fs::remove_file(folder.join(file));
        std::os::unix::fs::symlink(&target, folder.join(file)).unwrap();
    }
    let refused = run(&killed.bench, &["resume", &killed.id, "--out", "linked"]);
    assert_eq!(refused.status.code(), Some(1), "{}", said_by(&refused));
    fs::remove_file(folder.join("lock")).unwrap();
    let output = run(&killed.bench, &["resume", &killed.id, "--out", "linked"]);
    assert!(output.status.success(), "{}", said_by(&output));
    assert_eq!(fs::read_to_string(target).unwrap(), "precious");
}

#[test]
fn a_journal_that_vanishes_during_the_run_is_a_warning_in_its_result() {
    let bench = Bench::new();
    let gate = Gate::new(&bench, 0);
    let step = gate.step();
    bench.write("waits.yaml", &format!("name: waits\ninstrument: sim\nsteps:\n  - {step}\n  - log: here\n"));
    let mut running = watch(&bench, &["waits.yaml"]);
    gate.wait_for(1);
    let folder = bench.only_run();
    fs::remove_file(folder.join("journal.jsonl")).unwrap();
    gate.open();
    let warned = running.wait_for(|event| event["event"] == "warning");
    assert!(
        warned["message"]
            .as_str()
            .unwrap()
            .contains("does not exist any more: the further records of this run are lost"),
        "{warned}"
    );
    assert_eq!(running.finish().0, Some(0));
    let warnings = manifest(&folder)["warnings"].clone();
    assert!(warnings[0].as_str().unwrap().contains("journal.jsonl` does not exist any more"), "{warnings}");
    let shown = run(&bench, &["runs", "list"]);
    assert!(text(&shown.stdout).contains("done"), "{}", said_by(&shown));
}

#[test]
fn what_failed_in_finally_only_is_done_again() {
    let bench = Bench::new();
    bench.write("ctp10.toml", "allow_http = [\"127.0.0.1\"]\n");
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = closed.local_addr().unwrap();
    drop(closed);
    let body = format!(
        "name: ends\ninstrument: sim\nsteps:\n  - log: measured\nfinally:\n  - http: {{ url: \"http://{address}/park\", method: POST }}\n"
    );
    bench.write("ends.yaml", &body);
    let output = run(&bench, &["run", "ends.yaml"]);
    assert_eq!(output.status.code(), Some(1), "{}", said_by(&output));
    let folder = bench.run_folder(&output);
    let listener = std::net::TcpListener::bind(address).unwrap();
    let served = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = [0; 1024];
        let read = stream.read(&mut request).unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        text(&request[..read])
    });
    let output = run(&bench, &["resume", folder.to_str().unwrap()]);
    assert!(output.status.success(), "{}", said_by(&output));
    assert!(served.join().unwrap().starts_with("POST /park"));
    let logs = journal(&folder).iter().filter(|record| record["event"] == "log").count();
    assert_eq!(logs, 1, "what was done is not done again");
}

#[test]
fn an_output_folder_whose_name_is_no_utf_8_is_measured_into_with_a_guard() {
    use std::os::unix::ffi::OsStringExt;
    let bench = Bench::new();
    let simulator = crate::support::simulate(&bench, &["--time-scale", "0.01"]);
    bench.write("short.yaml", "name: short\nsteps:\n  - log: here\n");
    let out = std::ffi::OsString::from_vec(b"b\xe4nk".to_vec());
    let mut command = bench.command(&["run", "short.yaml", "--instrument", &simulator.address, "--out"]);
    let output = command.arg(&out).output().unwrap();
    assert!(output.status.success() && !said_by(&output).contains("panicked"), "{}", said_by(&output));
    assert!(!said_by(&output).contains("no watchdog"), "{}", said_by(&output));
    let mut command = bench.command(&["runs", "list", "--json", "--out"]);
    let output = command.arg(&out).output().unwrap();
    assert!(output.status.success(), "{}", said_by(&output));
}
