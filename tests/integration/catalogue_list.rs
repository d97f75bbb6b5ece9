//! The list of runs with its filters, and the ways to name a run.

use std::fs;
use std::path::{Path, PathBuf};

use ctp10::catalogue::FILE;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::sidecar::{request, serve};
use crate::support::{Bench, copy_folder, text};

fn older() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/older-program/runs")
}

/// Adds a run with the files of a finished one, and changes in its manifest.
fn add(bench: &Bench, folder: &str, changes: &Value) -> PathBuf {
    let source = fs::read_dir(older()).unwrap().map(|entry| entry.unwrap().path());
    let source = source.into_iter().find(|path| path.to_string_lossy().ends_with("_die_flpivn")).unwrap();
    let path = bench.folder.path().join("runs").join(folder);
    copy_folder(&source, &path);
    let (_, rest) = folder.split_once('_').unwrap();
    let (name, id) = rest.rsplit_once('_').unwrap();
    let mut manifest: Value = serde_json::from_slice(&fs::read(path.join("run.json")).unwrap()).unwrap();
    (manifest["run"], manifest["name"]) = (json!(id), json!(name));
    for (key, value) in changes.as_object().unwrap() {
        manifest[key] = value.clone();
    }
    fs::write(path.join("run.json"), manifest.to_string()).unwrap();
    path
}

/// Five runs of three recipes on two wafers.
fn bench() -> Bench {
    let bench = Bench::new();
    let runs = [
        ("20260101T100000Z_ring_aaaaaa", "W11", "pass", "done", 1.0),
        ("20260102T100000Z_ring_bbbbbb", "W12", "fail", "done", 2.0),
        ("20260103T100000Z_demux_cccccc", "W12", "pass", "failed", 5.5),
        ("20260104T100000Z_ring-drop_dddddd", "W12", "marginal", "done", 10.0),
        ("20260105T100000Z_demux_abcdef", "W12", "fail", "aborted", 3.0),
    ];
    for (folder, wafer, verdict, status, power) in runs {
        let day = &folder[6..8];
        let changes = json!({
            "status": status, "verdict": verdict, "started": format!("2026-01-{day}T10:00:00.123456Z"),
            "parameters": { "power_dbm": power, "port": "it's 100 %" }, "columns": { "wafer": wafer, "die": "3" },
            "metadata": { "operator": "ab" },
        });
        add(&bench, folder, &changes);
    }
    bench
}

fn listed(bench: &Bench, arguments: &[&str]) -> Vec<String> {
    let output = bench.run(&[&["runs", "--json"], arguments].concat());
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let runs = listed["runs"].as_array().unwrap();
    runs.iter().map(|run| run["manifest"]["run"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn runs_are_listed_by_condition_name_status_and_time() {
    let bench = bench();
    let cases: [(&[&str], &[&str]); 24] = [
        (&[], &["abcdef", "dddddd", "cccccc", "bbbbbb", "aaaaaa"]),
        (&["--limit", "2"], &["abcdef", "dddddd"]),
        (&["--where", "wafer = 'W12' and verdict = 'fail'"], &["abcdef", "bbbbbb"]),
        (&["--where", "power_dbm >= 3 and not (name like 'ring%')"], &["abcdef", "cccccc"]),
        (&["--where", "parameter.power_dbm < 2 or column.wafer = 'W11'"], &["aaaaaa"]),
        (&["--where", "wafer != 'W12'"], &["aaaaaa"]),
        (&["--where", "port = 'it''s 100 %' and \"operator\" = 'ab' and power_dbm = 10"], &["dddddd"]),
        (&["--where", "port like '%100 \\%' and status = 'failed'"], &["cccccc"]),
        (
            &["--where", "started >= '2026-01-03T10:00:00Z' and simulated = true"],
            &["abcdef", "dddddd", "cccccc"],
        ),
        (&["--where", "not (reason like '%')", "--limit", "1"], &["abcdef"]),
        (&["--where", "run = 'abcdef' or folder like '%aaaaaa'"], &["abcdef", "aaaaaa"]),
        (&["--name", "demux"], &["abcdef", "cccccc"]),
        (&["--name", "ring*"], &["dddddd", "bbbbbb", "aaaaaa"]),
        (&["--status", "failed,aborted"], &["abcdef", "cccccc"]),
        (&["--since", "2026-01-04T00:00:00Z"], &["abcdef", "dddddd"]),
        (&["--since", "2h"], &[]),
        (&["--until", "2026-01-02T10:00:00.123456Z"], &["aaaaaa"]),
        (&["--since", "2026-01-01", "--until", "2026-01-02"], &["bbbbbb", "aaaaaa"]),
        (&["--verdict", "fail,marginal"], &["abcdef", "dddddd", "bbbbbb"]),
        (&["--verdict", "not-measured"], &[]),
        (&["--text", "w12 DEMUX"], &["abcdef", "cccccc"]),
        (&["--text", "100 % IT'S ring-"], &["dddddd"]),
        (&["--text", "_ % w1_"], &[]),
        (
            &[
                "--name",
                "ring",
                "--status",
                "done",
                "--where",
                "wafer = 'W12'",
                "--since",
                "2026-01-01T00:00:00Z",
            ],
            &["bbbbbb"],
        ),
    ];
    for (arguments, expected) in cases {
        assert_eq!(listed(&bench, arguments), expected, "{arguments:?}");
    }
    let table = text(&bench.run(&["runs", "--where", "wafer = 'W12'"]).stdout);
    assert!(table.contains("marginal") && table.lines().count() == 6, "{table}");
    assert!(table.ends_with("instrument of all runs: simulated\n"), "{table}");
}

#[test]
fn a_wrong_condition_is_refused_with_the_reason_and_a_hint() {
    let bench = bench();
    let cases = [
        ("wafr = 'W12'", "no run has a column or parameter `wafr`", "did you mean `wafer`?"),
        ("metadata.wafer = 'W12'", "no run has a metadata `wafer`", "`operator`"),
        ("wafer = 12", "`wafer` is a text in these runs, and a number is given", "'12'"),
        ("power_dbm = '5.5'", "`power_dbm` is a number in these runs, and a text is given", "5.5"),
        ("traces > 'many'", "`traces` is a number, and a text is given", "traces > 10"),
        ("verdict = 'failed'", "`verdict` is never `failed`", "'fail'"),
        ("status = 'finished'", "`status` is never `finished`", "'done'"),
        ("started > 'soon'", "`soon` is no time", "2026-11-28"),
        ("wafer = W12", "expected a value after `=`, got `W12`", "'W12'"),
        ("wafer = 'W12'; DROP TABLE runs", "`;` is not part of a condition", "wafer = 'W12'"),
    ];
    for (condition, message, hint) in cases {
        let output = bench.run(&["runs", "--where", condition]);
        assert_eq!(output.status.code(), Some(2), "{condition}");
        let said = text(&output.stderr);
        assert!(
            said.contains(message) && said.contains(hint) && said.contains("--where:1:"),
            "{condition}: {said}"
        );
    }
    // A value is never part of the SQL.
    for text in ["x' OR '1'='1", "'; DELETE FROM runs; --", "\\", "%"] {
        let condition = format!("wafer = '{}'", text.replace('\'', "''"));
        assert_eq!(listed(&bench, &["--where", &condition]), [""; 0], "{condition}");
    }
    assert_eq!(listed(&bench, &[]).len(), 5);
    let said = text(&bench.run(&["runs", "--name", "demx"]).stderr);
    assert!(said.contains("did you mean `--name demux`?"), "{said}");
    let said = text(&bench.run(&["runs", "--since", "soon"]).stderr);
    assert!(said.contains("`--since`: `soon` is no time"), "{said}");
}

#[test]
fn the_server_filters_its_runs_by_the_same_conditions_page_by_page() {
    let bench = bench();
    let server = serve(&bench, &["--instrument", "sim"]);
    let page = |query: &str| request(&server.address, "GET", &format!("/runs?{query}"), None);
    let ids = |reply: &Value| -> Vec<String> {
        let runs = reply["runs"].as_array().unwrap().iter();
        runs.map(|run| run["run"].as_str().unwrap().to_owned()).collect()
    };
    let (status, reply) = page("where=wafer%20%3D%20%27W12%27%20and%20power_dbm%20%3E%202&limit=2");
    assert_eq!((status, ids(&reply)), (200, vec!["abcdef".to_owned(), "dddddd".to_owned()]), "{reply}");
    let next = reply["next"].as_str().unwrap();
    let (_, reply) =
        page(&format!("where=wafer%20%3D%20%27W12%27%20and%20power_dbm%20%3E%202&limit=2&before={next}"));
    assert_eq!((ids(&reply), &reply["next"]), (vec!["cccccc".to_owned()], &Value::Null));
    let (_, reply) = page("name=ring*&status=done&since=2026-01-02T00:00:00Z");
    assert_eq!(ids(&reply), ["dddddd", "bbbbbb"]);
    for (query, part) in [
        ("where=wafr%3D1", "did you mean `wafer`"),
        ("status=finished", "not allowed"),
        ("since=soon", "no time"),
    ] {
        let (status, reply) = page(query);
        assert!(
            status == 422 && reply["detail"][0]["msg"].as_str().unwrap().contains(part),
            "{query}: {reply}"
        );
    }
}

#[test]
fn the_list_shows_the_folders_as_they_are_whatever_the_catalogue_contains() {
    let bench = bench();
    assert_eq!(listed(&bench, &[]).len(), 5);
    let runs = bench.folder.path().join("runs");
    // Moved away, copied here, and changed by a program that could not write the catalogue.
    fs::rename(runs.join("20260101T100000Z_ring_aaaaaa"), bench.folder.path().join("away")).unwrap();
    add(
        &bench,
        "20260106T100000Z_new_eeeeee",
        &json!({ "started": "2026-01-06T10:00:00Z", "parameters": { "fresh": 1 } }),
    );
    let changed = runs.join("20260105T100000Z_demux_abcdef/run.json");
    let manifest = fs::read_to_string(&changed).unwrap();
    fs::write(&changed, manifest.replace("\"aborted\"", "\"done\"")).unwrap();
    fs::create_dir(runs.join("20260107T100000Z_bad_ffffff")).unwrap();
    fs::write(runs.join("20260107T100000Z_bad_ffffff/run.json"), "{").unwrap();
    assert_eq!(listed(&bench, &[]), ["eeeeee", "abcdef", "dddddd", "cccccc", "bbbbbb"]);
    assert_eq!(listed(&bench, &["--where", "fresh = 1"]), ["eeeeee"]);
    assert_eq!(listed(&bench, &["--status", "aborted"]), [""; 0]);
    assert!(text(&bench.run(&["runs"]).stderr).contains("20260107T100000Z_bad_ffffff"));
    // A catalogue that cannot be used only makes the list slower.
    for ending in ["-wal", "-shm", ""] {
        let _ = fs::remove_file(runs.join(format!("{FILE}{ending}")));
    }
    fs::write(runs.join(FILE), "this is no database at all, and long enough to be one").unwrap();
    assert_eq!(
        listed(&bench, &["--where", "fresh = 1 or wafer = 'W12'", "--limit", "2"]),
        ["eeeeee", "abcdef"]
    );
    // A list of nothing creates nothing.
    let empty = bench.folder.path().join("empty");
    fs::create_dir(&empty).unwrap();
    assert_eq!(listed(&bench, &["--out", "empty", "--where", "wafer = 'W12'"]), [""; 0]);
    assert_eq!(fs::read_dir(empty).unwrap().count(), 0);
}

#[test]
fn a_catalogue_of_an_older_program_keeps_its_queue_and_gets_the_columns() {
    let bench = Bench::new();
    copy_folder(&older(), &bench.folder.path().join("runs"));
    let file = bench.folder.path().join("runs").join(FILE);
    let queue = || -> Vec<(u32, String, String)> {
        let connection = Connection::open(&file).unwrap();
        let mut asked =
            connection.prepare("SELECT number, state, payload FROM items ORDER BY number").unwrap();
        let rows = asked.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let before = queue();
    assert_eq!(before.len(), 2);
    // The columns of loops come from the journals.
    assert_eq!(listed(&bench, &["--where", "power = 5 and status = 'done'"]), ["xepa6e"]);
    assert_eq!(listed(&bench, &["--where", "batch = 'night' and item = 1"]), ["flpivn"]);
    assert_eq!(listed(&bench, &[]).len(), 9);
    assert_eq!(queue(), before);
}

#[test]
fn a_run_is_named_by_id_beginning_folder_recipe_or_last() {
    let bench = bench();
    let folder = bench.folder.path().join("runs/20260102T100000Z_ring_bbbbbb");
    let cases = [
        ("last", "abcdef"),
        ("ring", "bbbbbb"),
        ("demux", "abcdef"),
        ("ring-drop", "dddddd"),
        ("bbbbbb", "bbbbbb"),
        ("aa", "aaaaaa"),
        ("20260103", "cccccc"),
        ("20260104T100000Z_ring-drop_dddddd", "dddddd"),
        (folder.to_str().unwrap(), "bbbbbb"),
    ];
    for (given, expected) in cases {
        for command in [&["runs", "show"][..], &["runs", "verify"]] {
            let output = bench.run(&[command, &[given]].concat());
            assert!(text(&output.stdout).contains(expected), "{command:?} {given}: {}", text(&output.stderr));
        }
    }
    // A renamed folder is found by what its manifest says.
    fs::rename(&folder, folder.with_file_name("the good one")).unwrap();
    for given in ["bbbbbb", "ring", "the good one"] {
        assert!(text(&bench.run(&["runs", "show", given]).stdout).contains("bbbbbb"), "{given}");
    }
    assert!(text(&bench.run(&["runs", "show", "last"]).stdout).contains("abcdef"));
    for (given, part) in [
        ("demx", "did you mean `demux`"),
        ("abcdfe", "did you mean `abcdef`"),
        ("zzzzzzzzzzzz", "the newest are `abcdef`, `dddddd`, `cccccc`, and `ctp10 runs` lists all"),
        ("a", "`a` matches 2 runs"),
    ] {
        for command in [&["runs", "show"][..], &["runs", "report"], &["resume"]] {
            let output = bench.run(&[command, &[given]].concat());
            let said = text(&output.stderr);
            assert!(output.status.code() == Some(2) && said.contains(part), "{command:?} {given}: {said}");
        }
    }
    let said = text(&bench.run(&["runs", "show", "last", "--out", "nowhere"]).stderr);
    assert!(said.contains("there is no run below `nowhere`"), "{said}");
}
