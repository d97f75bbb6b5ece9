//! Runs that ask another instrument on the bench, and tell it what to do.

use serde_json::{Value, json};

use crate::probe_station::{Answer, Station, bench_with};
use crate::support::{Bench, journal, manifest, text, watch};

/// What the steps gave, by the kind and value of their outcomes.
fn outcomes(records: &[Value]) -> Vec<Value> {
    let finished = records.iter().filter(|record| record["event"] == "step_finished");
    finished.map(|record| record["outcome"].clone()).collect()
}

#[test]
fn a_reply_decides_what_comes_next_and_is_kept_in_the_journal() {
    let station = Station::start(|number, asked| match asked.what.as_str() {
        "GET /temperature" => Answer::Text(200, "25.5".into()),
        _ => Answer::Json(200, json!({ "asked": number, "got": asked.json })),
    });
    let (bench, simulator) = bench_with(&station);
    let url = station.url("");
    bench.write(
        "ask.yaml",
        &format!(
            "name: ask
steps:
  - http: {{ id: oven, url: \"{url}/temperature\" }}
  - http: {{ id: set, method: PUT, url: \"{url}/goal\", json: {{ c: \"${{steps.oven.reply}}\" }}, assume: {{ got: {{ c: 1 }} }} }}
  - log: \"${{steps.set.reply.got.c}} ${{steps.set.status}}\"
"
        ),
    );
    let output = bench.run(&["run", "ask.yaml", "--instrument", &simulator.address]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("25.5 200"), "{}", text(&output.stderr));
    let records = journal(&bench.run_folder(&output));
    assert_eq!(
        outcomes(&records)[..2],
        [
            json!({ "kind": "http", "value": { "status": 200, "reply": "25.5" } }),
            json!({ "kind": "http", "value": { "status": 200, "reply": { "asked": 2, "got": { "c": "25.5" } } } }),
        ]
    );
    bench.write(
        "ask.rhai",
        &format!(
            "recipe(#{{ name: \"ask\" }});
let goal = http(#{{ method: \"POST\", url: \"{url}/goal\", json: #{{ c: 30 }}, assume: #{{ got: #{{ c: 1 }} }} }});
log(`${{goal.reply.got.c}} ${{goal.status}}`);
"
        ),
    );
    let output = bench.run(&["run", "ask.rhai", "--instrument", &simulator.address]);
    assert!(text(&output.stderr).contains("30 200"), "{}", text(&output.stderr));
}

#[test]
fn a_host_that_is_not_listed_is_refused_before_there_is_any_light() {
    let station = Station::start(|_, _| Answer::HangUp);
    let bench = Bench::new();
    let recipe = format!(
        "name: move\nsteps:\n  - sweep: {{ start_nm: 1540, stop_nm: 1541 }}\n  - http: {{ url: \"{}\" }}\n",
        station.url("/state")
    );
    bench.write("move.yaml", &recipe);
    // Without a configuration nobody can say whose bench this will be.
    let checked = bench.run(&["check", "--strict", "move.yaml"]);
    assert!(checked.status.success(), "{}", text(&checked.stderr));
    assert!(text(&checked.stdout).ends_with("fine, 1 note\n"), "{}", text(&checked.stdout));
    let refused_by = |arguments: &[&str]| {
        let refused = bench.run(arguments);
        assert_eq!(refused.status.code(), Some(2), "{}", text(&refused.stderr));
        let said = text(&refused.stderr);
        for part in
            [&format!("`{}` is not an allowed host", station.address), "move.yaml:4:5", "allow_http = ["]
        {
            assert!(said.contains(part), "no {part:?} in {said}");
        }
    };
    refused_by(&["run", "move.yaml", "--instrument", "sim"]);
    bench.write("ctp10.toml", "allow_http = [\"127.0.0.1:1\"]\n");
    refused_by(&["check", "move.yaml"]);
    refused_by(&["plan", "move.yaml"]);
    refused_by(&["run", "move.yaml", "--instrument", "sim"]);
    assert!(!bench.folder.path().join("runs").exists());
    assert!(station.asked().is_empty());
}

#[test]
fn what_moves_is_never_repeated_and_what_asks_is_as_often_as_the_recipe_says() {
    let station = Station::start(|number, _| match number {
        1 | 2 => Answer::Json(503, json!({ "detail": "busy" })),
        3 => Answer::HangUp,
        _ => Answer::Json(200, json!({})),
    });
    let (bench, simulator) = bench_with(&station);
    let url = station.url("");
    let run = |fields: &str| {
        bench.write(
            "ask.yaml",
            &format!("name: ask\nsteps:\n  - http: {{ {fields}, retry: {{ times: 3 }} }}\n"),
        );
        bench.run(&["run", "ask.yaml", "--instrument", &simulator.address])
    };
    let moved = run(&format!("method: POST, url: \"{url}/move\""));
    assert_eq!(moved.status.code(), Some(1));
    let said = text(&moved.stderr);
    assert!(
        said.contains(&format!("`POST {url}/move` returned status 503: {{\"detail\":\"busy\"}}")),
        "{said}"
    );
    assert_eq!(station.said(), ["POST /move"]);
    // Refused, then cut off, then answered.
    let asked = run(&format!("url: \"{url}/state\""));
    assert!(asked.status.success(), "{}", text(&asked.stderr));
    assert_eq!(station.said()[1..], ["GET /state"; 3]);
}

#[test]
fn a_reply_that_is_too_large_is_a_fault_and_no_part_of_it_a_result() {
    let station =
        Station::start(|number, _| Answer::Text(200, "x".repeat([65_536, 65_537, 2 << 20][number - 1])));
    let (bench, simulator) = bench_with(&station);
    let url = station.url("");
    bench.write(
        "ask.yaml",
        &format!("name: ask\nsteps:\n  - http: {{ url: \"{url}\", retry: {{ times: 5 }} }}\n"),
    );
    let run = || bench.run(&["run", "ask.yaml", "--instrument", &simulator.address]);
    let largest = run();
    assert!(largest.status.success(), "{}", text(&largest.stderr));
    assert_eq!(
        outcomes(&journal(&bench.run_folder(&largest)))[0]["value"]["reply"].as_str().unwrap().len(),
        65_536
    );
    for words in ["has 65537 bytes; the result of a step may have at most 65536", "is larger than 1 MiB"] {
        let refused = run();
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused.stderr).contains(words), "{}", text(&refused.stderr));
    }
    // It would be as large the next time.
    assert_eq!(station.asked().len(), 3);
}

#[test]
fn a_poll_goes_where_the_location_points_and_outlives_a_connection_that_is_lost() {
    let station = Station::start(|number, _| match number {
        1 => Answer::Elsewhere(202, "/tasks/7".into()),
        2 => Answer::HangUp,
        3 => Answer::Json(200, json!({ "state": "moving" })),
        4 => Answer::Json(200, json!({ "state": "there", "x_um": 4.9 })),
        _ => Answer::Json(404, json!({ "detail": "no such task" })),
    });
    let (bench, simulator) = bench_with(&station);
    let url = station.url("/move");
    bench.write(
        "move.yaml",
        &format!(
            "name: move
steps:
  - http: {{ id: moved, method: POST, url: \"{url}\", assume: {{ x_um: 5 }}, poll: {{ ready: 'reply.state == \"there\"', interval_s: 0.02, timeout_s: 60 }} }}
  - log: \"at ${{steps.moved.reply.x_um}}\"
  - http: {{ method: POST, url: \"{url}\", expect_status: [202, 404], poll: {{ url: \"/tasks/8\", ready: 'true', timeout_s: 60 }} }}
"
        ),
    );
    let output = bench.run(&["run", "move.yaml", "--instrument", &simulator.address]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("at 4.9"), "{said}");
    assert!(said.contains("/tasks/8` returned status 404: {\"detail\":\"no such task\"}"), "{said}");
    let expected =
        ["POST /move", "GET /tasks/7", "GET /tasks/7", "GET /tasks/7", "POST /move", "GET /tasks/8"];
    assert_eq!(station.said(), expected);
}

#[test]
fn a_poll_that_never_becomes_ready_says_what_it_last_heard() {
    let station = Station::start(|_, asked| match asked.what.as_str() {
        "POST /move" => Answer::Json(202, json!({ "task_id": 1 })),
        _ => Answer::Json(200, json!({ "state": "jammed" })),
    });
    let (bench, simulator) = bench_with(&station);
    let url = station.url("/move");
    let run = |ready: &str| {
        bench.write(
            "move.yaml",
            &format!(
                "name: move
steps:
  - http: {{ method: POST, url: \"{url}\", poll: {{ url: \"/tasks/{{task_id}}\", ready: '{ready}', interval_s: 0.05, timeout_s: 0.2 }} }}
"
            ),
        );
        let output = bench.run(&["run", "move.yaml", "--instrument", &simulator.address]);
        assert_eq!(output.status.code(), Some(1));
        text(&output.stderr)
    };
    let said = run("reply.state == \"there\"");
    assert!(said.contains("was not ready within 0.2 s: its last reply was {\"state\":\"jammed\"}"), "{said}");
    let said = run("reply.done");
    assert!(said.contains("ready `reply.done`: it contains no `done`"), "{said}");
}

#[test]
fn a_stop_ends_a_request_at_once_and_runs_finally() {
    let station = Station::start(|number, _| match number {
        1 => Answer::Silence,
        _ => Answer::Json(200, json!({})),
    });
    let (bench, simulator) = bench_with(&station);
    let url = station.url("");
    bench.write(
        "move.yaml",
        &format!(
            "name: move
steps:
  - http: {{ method: POST, url: \"{url}/move\", timeout_s: 3600 }}
finally:
  - http: {{ method: POST, url: \"{url}/halt\" }}
"
        ),
    );
    let run = watch(&bench, &["move.yaml", "--instrument", &simulator.address]);
    assert_eq!(station.next(), "POST /move");
    run.signal("INT");
    let mut then = [station.next(), station.next()];
    then.sort();
    assert_eq!(then, ["POST /halt", "closed"]);
    let (code, stdout) = run.finish();
    assert_eq!(code, Some(130));
    assert_eq!(manifest(&bench.folder.path().join(stdout.lines().last().unwrap()))["status"], "aborted");
}
