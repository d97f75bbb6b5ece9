//! Uploads to an object store, and runs that are read from there. The runs are those of an older program.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::object_store_server::{Fault, Server};
use crate::support::{Bench, copy_folder, said_by, text, until, watch_command};

/// What must never be shown or written.
const SECRET: &str = "hush-hush-hush";
/// A run with three traces.
const FINISHED: &str = "20261129T075140Z_finished_xepa6e";

/// A bench with one run of an older program.
fn bench() -> Bench {
    let bench = Bench::new();
    let runs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/older-program/runs");
    copy_folder(&runs.join(FINISHED), &bench.folder.path().join("runs").join(FINISHED));
    bench
}

fn with_keys(mut command: Command, endpoint: &str) -> Command {
    command
        .env("CTP10_STORE", "s3://lab/bench-a")
        .env("CTP10_STORE_ENDPOINT", endpoint)
        .env("AWS_ACCESS_KEY_ID", "key")
        .env("AWS_SECRET_ACCESS_KEY", SECRET);
    command
}

fn run(bench: &Bench, server: &Server, arguments: &[&str]) -> Output {
    let mut command = with_keys(bench.command(arguments), &server.endpoint);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).output().unwrap()
}

fn folder(bench: &Bench) -> PathBuf {
    bench.folder.path().join("runs").join(FINISHED)
}

/// The files of the run that belong into the store, with their content.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fn add(folder: &Path, inner: &str, found: &mut BTreeMap<String, Vec<u8>>) {
        for entry in fs::read_dir(folder.join(inner)).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let file = if inner.is_empty() { name.clone() } else { format!("{inner}/{name}") };
            if entry.path().is_dir() {
                add(folder, &file, found);
            } else if !["lock", "stored.json"].contains(&name.as_str()) {
                found.insert(file, fs::read(entry.path()).unwrap());
            }
        }
    }
    let mut found = BTreeMap::new();
    add(folder, "", &mut found);
    found
}

/// Every file of the run is in the store as it is on the disk, once, and so is the index.
fn assert_complete(bench: &Bench, server: &Server) {
    let state = server.state();
    let above = format!("bench-a/runs/{FINISHED}/");
    let stored = state.objects.iter().filter_map(|(key, object)| Some((key.strip_prefix(&above)?, object)));
    let stored: BTreeMap<String, Vec<u8>> =
        stored.map(|(key, object)| (key.to_owned(), object.clone())).collect();
    let local = files(&folder(bench));
    assert_eq!(stored.keys().collect::<Vec<_>>(), local.keys().collect::<Vec<_>>());
    assert!(stored == local, "an object differs from its file");
    let index = format!("bench-a/index/day=2026-11-29/{FINISHED}.parquet");
    assert!(state.objects[&index].starts_with(b"PAR1"));
    assert!(state.created.values().all(|times| *times == 1), "{:?}", state.created);
    assert!(folder(bench).join("stored.json").exists());
}

#[test]
fn a_store_that_fails_for_a_while_gets_everything_once() {
    let (bench, server) = (bench(), Server::start());
    server.fail("PUT", "", 5, Fault::Status(503));
    server.fail("PUT", "0001_", 1, Fault::CutUpload);
    server.fail("PUT", "0002_", 1, Fault::LoseReply);
    server.fail("GET", "0003_", 1, Fault::CutReply);
    let synced = run(&bench, &server, &["store", "sync"]);
    assert!(synced.status.success(), "{}", said_by(&synced));
    assert_complete(&bench, &server);
    // The index comes last, because it announces the run to others.
    let puts: Vec<String> =
        server.state().asked.iter().filter(|asked| asked.starts_with("PUT")).cloned().collect();
    assert!(puts.last().unwrap().contains("/index/"), "{puts:?}");
    let again = run(&bench, &server, &["store", "sync"]);
    assert!(text(&again.stdout).contains("nothing to upload"), "{}", said_by(&again));
}

#[test]
fn an_object_with_other_content_is_never_replaced() {
    let (bench, server) = (bench(), Server::start());
    let key = format!("bench-a/runs/{FINISHED}/journal.jsonl");
    server.state().objects.insert(key.clone(), b"of another bench".to_vec());
    let synced = run(&bench, &server, &["store", "sync"]);
    assert_eq!(synced.status.code(), Some(1));
    assert!(
        said_by(&synced).contains("journal.jsonl` exists in the store with other content"),
        "{}",
        said_by(&synced)
    );
    assert_eq!(server.state().objects[&key], b"of another bench");
    assert!(!folder(&bench).join("stored.json").exists());
    assert!(!server.state().objects.keys().any(|key| key.contains("/index/")));
}

#[test]
fn a_run_is_stored_only_when_the_store_returns_its_bytes() {
    let (bench, server) = (bench(), Server::start());
    server.fail("GET", "0002_", usize::MAX, Fault::OtherByte);
    let synced = run(&bench, &server, &["store", "sync"]);
    assert_eq!(synced.status.code(), Some(1));
    assert!(said_by(&synced).contains("0002_"), "{}", said_by(&synced));
    assert!(!folder(&bench).join("stored.json").exists());
    server.state().failing.clear();
    let synced = run(&bench, &server, &["store", "sync"]);
    assert!(synced.status.success(), "{}", said_by(&synced));
    assert_complete(&bench, &server);
}

#[test]
fn an_upload_that_was_killed_goes_on_where_it_was() {
    let (bench, server) = (bench(), Server::start());
    server.fail("PUT", "journal.jsonl", 1, Fault::Silence);
    let mut command = with_keys(bench.command(&["store", "sync"]), &server.endpoint);
    let mut killed = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the upload reaches the journal", || {
        server.state().asked.iter().any(|asked| asked.starts_with("PUT") && asked.ends_with("journal.jsonl"))
    });
    killed.kill().unwrap();
    killed.wait().unwrap();
    let before = server.state().created.len();
    assert!(before >= 3, "the traces come first");
    let status = run(&bench, &server, &["store", "status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["backlog"]["waiting"].as_array().unwrap().len(), 1);
    let synced = run(&bench, &server, &["store", "sync"]);
    assert!(synced.status.success(), "{}", said_by(&synced));
    assert_complete(&bench, &server);
}

#[test]
fn wrong_keys_are_told_at_once_and_nothing_of_the_request_is_quoted() {
    let (bench, server) = (bench(), Server::start());
    server.fail("PUT", "", usize::MAX, Fault::Status(403));
    let synced = run(&bench, &server, &["store", "sync"]);
    assert_eq!(synced.status.code(), Some(1));
    let said = said_by(&synced);
    assert!(said.contains("the store refuses access: AccessDenied") && !said.contains(SECRET), "{said}");
    assert!(said.contains("AWS_ACCESS_KEY_ID"), "{said}");
}

#[test]
fn a_folder_that_a_person_has_renamed_keeps_its_place_in_the_store() {
    let (bench, server) = (bench(), Server::start());
    fs::rename(folder(&bench), bench.folder.path().join("runs/my-best-ring")).unwrap();
    let synced = run(&bench, &server, &["store", "sync"]);
    assert!(synced.status.success(), "{}", said_by(&synced));
    let stored = server.state();
    let mut runs = stored.objects.keys().filter(|key| key.starts_with("bench-a/runs/"));
    assert!(runs.all(|key| key.contains("_finished_xepa6e/")), "{:?}", stored.objects.keys());
}

#[test]
fn a_damaged_run_is_not_uploaded() {
    let (bench, server) = (bench(), Server::start());
    let trace = fs::read_dir(folder(&bench).join("traces")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = fs::read(&trace).unwrap();
    bytes[100] ^= 1;
    fs::write(&trace, bytes).unwrap();
    let synced = run(&bench, &server, &["store", "sync"]);
    assert_eq!(synced.status.code(), Some(1));
    assert!(said_by(&synced).contains("the run is damaged"), "{}", said_by(&synced));
    assert!(server.state().objects.is_empty());
}

const RECIPE: &str = "\
name: short
simulator: { time_scale: 0.01 }
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 50, power_dbm: 0 }
  - sweep: { start_nm: 1540, stop_nm: 1541, resolution_pm: 10 }
  - fetch_trace: { detector: 4/1, trace: raw }
";

#[test]
fn a_run_ends_well_without_a_network_and_ctrl_c_leaves_the_upload_for_later() {
    let bench = Bench::new();
    bench.write("short.yaml", RECIPE);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let command = bench.command(&["--log-format", "text", "run", "short.yaml", "--instrument", "sim"]);
    let mut command = with_keys(command, &format!("http://{closed}"));
    command.stdout(Stdio::piped()).stderr(fs::File::create(bench.folder.path().join("told")).unwrap());
    let child = command.spawn().unwrap();
    let told = || fs::read_to_string(bench.folder.path().join("told")).unwrap();
    until("the program waits for the store", || told().contains("the upload waits"));
    let stop = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(stop.success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told());
    assert!(told().contains("`ctp10 store sync` uploads later"), "{}", told());
    let run = bench.only_run();
    assert!(!run.join("stored.json").exists());
    // The key is in no file of the run and in no message.
    for (file, content) in files(&run) {
        assert!(!String::from_utf8_lossy(&content).contains(SECRET), "{file}");
    }
    assert!(!told().contains(SECRET));
}

#[test]
fn a_run_is_uploaded_at_its_end_and_read_from_the_store() {
    let bench = Bench::new();
    bench.write("short.yaml", RECIPE);
    let store = bench.folder.path().join("nas");
    fs::create_dir(&store).unwrap();
    let address = format!("file://{}", store.display());
    bench.write("ctp10.toml", &format!("store = \"{address}\"\n"));
    let ran = bench.run(&["run", "short.yaml", "--instrument", "sim"]);
    assert!(ran.status.success(), "{}", said_by(&ran));
    assert!(said_by(&ran).contains("uploaded to file://"), "{}", said_by(&ran));
    let local = bench.run_folder(&ran);
    let stored = store.join("runs").join(local.file_name().unwrap());
    assert!(files(&local) == files(&stored), "an object differs from its file");
    // The next command needs nothing on this computer.
    fs::remove_dir_all(bench.folder.path().join("runs")).unwrap();
    let last = format!("{address}/last");
    for arguments in [
        &["runs", "--out", &address][..],
        &["runs", "show", &last],
        &["runs", "verify", &last],
        &["analyze", &last, "--figures", "peaks", "--trace", "raw"],
        &["export", &last, "--to", "csv"],
        &["plot", &last, "-o", "run.svg"],
        &["runs", "report", &last],
    ] {
        let output = bench.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", said_by(&output));
    }
    let listed = bench.run(&["runs", "--out", &address, "--where", "recipe like '%short%'", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["runs"][0]["manifest"]["name"], "short");
    let report = bench.folder.path().join(local.file_name().unwrap()).join("report.html");
    assert!(report.exists(), "the report stays");
}

#[test]
fn a_local_copy_is_deleted_only_if_the_store_has_all_of_it() {
    let bench = bench();
    let store = bench.folder.path().join("nas");
    fs::create_dir(&store).unwrap();
    bench.write("ctp10.toml", &format!("store = \"file://{}\"\n", store.display()));
    let synced = bench.run(&["store", "sync"]);
    assert!(synced.status.success(), "{}", said_by(&synced));
    let trace = store.join("runs").join(FINISHED).join("traces");
    let trace = fs::read_dir(trace).unwrap().next().unwrap().unwrap().path();
    let kept = fs::read(&trace).unwrap();
    fs::remove_file(&trace).unwrap();
    bench.write("ctp10.toml", &format!("store = \"file://{}\"\nkeep_local = 0\n", store.display()));
    let serving = || {
        let command = bench.command(&[
            "--log-format",
            "json",
            "serve",
            "--instrument",
            "sim",
            "--listen",
            "127.0.0.1:0",
        ]);
        watch_command(command)
    };
    let mut service = serving();
    service.wait_for(|event| {
        event["fields"]["message"].as_str().is_some_and(|told| told.contains("is missing"))
    });
    assert!(folder(&bench).exists());
    // The service may still be starting, and then it does not handle signals yet.
    service.signal("KILL");
    service.finish();
    fs::write(&trace, kept).unwrap();
    let service = serving();
    until("the local copy is deleted", || !folder(&bench).exists());
    service.signal("KILL");
    service.finish();
    assert!(store.join("runs").join(FINISHED).join("run.json").exists());
}

#[test]
fn a_missing_folder_of_a_network_disk_is_never_created() {
    let bench = bench();
    let store = bench.folder.path().join("not-mounted");
    bench.write("ctp10.toml", &format!("store = \"file://{}\"\n", store.display()));
    let synced = bench.run(&["store", "sync"]);
    assert_eq!(synced.status.code(), Some(1));
    assert!(said_by(&synced).contains("not-mounted` does not exist"), "{}", said_by(&synced));
    assert!(!store.exists());
}

/// How many runs are uploaded and how many wait, according to `store status`.
fn backlog(bench: &Bench, server: &Server) -> (u64, usize) {
    let status = run(bench, server, &["store", "status", "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    let backlog = &status["backlog"];
    (backlog["stored"].as_u64().unwrap(), backlog["waiting"].as_array().unwrap().len())
}

#[test]
fn a_run_that_was_resumed_after_its_upload_waits_again_whatever_the_times_of_its_files_are() {
    let (bench, server) = (bench(), Server::start());
    assert!(run(&bench, &server, &["store", "sync"]).status.success());
    assert_eq!(backlog(&bench, &server), (1, 0));
    let (manifest, receipt) = (folder(&bench).join("run.json"), folder(&bench).join("stored.json"));
    let read = |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).unwrap()).unwrap() };
    let write = |path: &Path, value: &Value| fs::write(path, value.to_string()).unwrap();
    // A receipt of an older program does not name the manifest.
    let mut older = read(&receipt);
    assert!(older.as_object_mut().unwrap().remove("manifest").is_some());
    let (known, uploaded) = (fs::read(&receipt).unwrap(), fs::read(&manifest).unwrap());
    write(&receipt, &older);
    assert_eq!(backlog(&bench, &server), (1, 0));

    let mut resumed = read(&manifest);
    resumed["taken_up"] = 1.into();
    write(&manifest, &resumed);
    let touch = |path: &Path, seconds| {
        let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        fs::File::options().append(true).open(path).unwrap().set_modified(at).unwrap();
    };
    for content in [known, older.to_string().into_bytes()] {
        fs::write(&receipt, content).unwrap();
        for (of_manifest, of_receipt) in [(1000, 2000), (2000, 1000), (1000, 1000)] {
            touch(&manifest, of_manifest);
            touch(&receipt, of_receipt);
            assert_eq!(backlog(&bench, &server), (0, 1), "{of_manifest} {of_receipt}");
        }
    }
    fs::write(&manifest, uploaded).unwrap();
    assert_eq!(backlog(&bench, &server), (1, 0));
}
