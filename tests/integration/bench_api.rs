//! Named instruments with a REST API: what recipes may ask of a stage, and that no secret appears anywhere.

use std::path::Path;
use std::process::Output;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use crate::probe_station::{Answer, Asked, Station};
use crate::support::{Bench, journal, manifest, said_by, simulate, text};

/// The secrets of the stage.
pub(crate) const TOKEN: &str = "t0ken-of-the-stage";
const KEY: &str = "k3y/of\"the-stage";

/// The answer of a stage that is there at once.
pub(crate) fn well(asked: &Asked) -> Answer {
    match asked.what.as_str() {
        "GET /api/info" => Answer::Json(200, json!({ "product": "ACME STAGE", "serial": 7 })),
        "GET /api/position" => Answer::Json(200, json!({ "x_um": 12.5 })),
        "GET /api/state" => Answer::Json(200, json!({ "state": "stopped" })),
        _ => Answer::Json(200, Value::Null),
    }
}

/// A stage that is there at once, unless `odd` has another answer.
pub(crate) fn stage(odd: impl Fn(&Asked) -> Option<Answer> + Send + Sync + 'static) -> Station {
    Station::start(move |_, asked| odd(asked).unwrap_or_else(|| well(asked)))
}

pub(crate) fn config(station: &Station, more: &str) -> String {
    format!(
        "[deadlines]\nquestion_s = 0.5\ncommand_s = 1\n[instruments.stage]\nurl = \"{}\"\nidentify = \"/info\"\nidentity = \"ACME\"
safe = [{{ method = \"POST\", path = \"/stop\" }}]\n{more}",
        station.url("/api")
    )
}

pub(crate) fn bench_with(station: &Station, more: &str, steps: &str) -> Bench {
    let bench = Bench::new();
    bench.write("ctp10.toml", &config(station, more));
    bench.write("r.yaml", &format!("name: r\ninstrument: sim\nsteps:\n{steps}"));
    bench
}

pub(crate) fn run(bench: &Bench) -> Output {
    bench.run(&["run", "r.yaml", "--with-real", "stage"])
}

pub(crate) const MOVE: &str = "  - http: { to: stage, method: POST, url: /move, json: { x_um: 12.5 } }
  - http: { to: stage, url: /position, assume: { x_um: 0 }, id: at }
  - log: \"at ${steps.at.reply.x_um} µm\"
";

#[test]
fn a_recipe_moves_a_stage_by_its_name_and_leaves_it_stopped() {
    let station = stage(|_| None);
    let bench = bench_with(&station, "", MOVE);
    let output = run(&bench);
    assert!(output.status.success(), "{}", said_by(&output));
    let said = station.said();
    let steps = ["POST /api/move", "GET /api/position", "GET /api/info", "POST /api/stop"];
    assert!(said.ends_with(&steps.map(str::to_owned)), "{said:?}");
    assert!(said[..said.len() - steps.len()].iter().all(|said| said == "GET /api/info"), "{said:?}");
    let records = journal(&bench.only_run());
    assert!(records.iter().any(|record| record["message"] == "at 12.5 µm"), "{records:?}");
    let moved = records.iter().find(|record| record["step"]["operation"]["http"].is_object()).unwrap();
    assert_eq!(
        moved["step"]["operation"]["http"],
        json!({ "to": "stage", "method": "POST", "url": "/move", "json": { "x_um": 12.5 } })
    );
    let known = &manifest(&bench.only_run())["instruments"];
    assert_eq!((&known[0]["address"], &known[0]["simulated"]), (&json!(station.url("/api")), &json!(false)));
    assert!(known[0]["identity"].as_str().unwrap().contains("ACME STAGE"), "{known}");
    let safe = records.iter().find(|record| record["event"] == "instruments_safe").unwrap();
    assert_eq!((&safe["safe"], &safe["unknown"]), (&json!(["stage"]), &json!([])));
    let page = std::fs::read_to_string(bench.only_run().join("report.html")).unwrap();
    assert!(page.contains("ACME STAGE"), "the report names the stage");
}

#[test]
fn a_script_sends_the_same_requests() {
    let station = stage(|_| None);
    let bench = bench_with(&station, "", "");
    let script = "recipe(#{ name: \"r\", instrument: \"sim\" });
http(#{ to: \"stage\", method: \"POST\", url: \"/move\", json: #{ x_um: 12.5 } });
let at = http(#{ to: \"stage\", url: \"/position\", assume: #{ x_um: 0.0 } });
log(`at ${at.reply.x_um} µm`);
";
    bench.write("r.rhai", script);
    let output = bench.run(&["run", "r.rhai", "--with-real", "stage"]);
    assert!(output.status.success(), "{}", said_by(&output));
    assert!(journal(&bench.only_run()).iter().any(|record| record["message"] == "at 12.5 µm"));
}

#[test]
fn a_request_that_would_leave_the_stage_is_refused_before_light() {
    let station = stage(|_| None);
    for (step, words) in [
        ("http: { to: stage, url: \"http://127.0.0.1:1/move\" }", "is a whole address"),
        ("http: { to: stage, url: \"//elsewhere/move\" }", "a path begins with one `/`"),
        ("http: { to: stage, url: \"/../admin\" }", "a part `.` or `..`"),
        ("http: { to: stage, url: \"/%2e%2e/admin\" }", "a part `.` or `..`"),
        ("http: { to: stage, url: move }", "is not valid"),
        ("http: { url: /move }", "name the instrument with `to`"),
        (
            "http: { to: stage, url: /a, poll: { url: \"http://elsewhere/{id}\", ready: 'true', timeout_s: 5 } }",
            "poll: path `http://elsewhere/0`",
        ),
        ("http: { to: oven, url: /a }", "no instrument is named `oven` (known: `stage`)"),
        ("scpi: { to: stage, command: \"MOVE 1\" }", "takes requests (`http`), not lines of text"),
    ] {
        let bench = bench_with(&station, "", &format!("  - {step}\n"));
        for command in [&["check", "r.yaml"][..], &["run", "r.yaml", "--with-real", "stage"]] {
            let output = bench.run(command);
            let said = said_by(&output);
            assert!(!output.status.success() && said.contains(words), "{step}: {said}");
        }
    }
    assert_eq!(station.said(), Vec::<String>::new());
}

#[test]
fn a_field_of_a_reply_cannot_lead_a_poll_elsewhere() {
    for (reply, words) in [
        (Answer::Json(202, json!({ "id": ".." })), "a part `.` or `..`"),
        (Answer::Elsewhere(202, "http://127.0.0.1:1/tasks/1".to_owned()), "the reply has no `id`"),
    ] {
        let reply = std::sync::Mutex::new(Some(reply));
        let station = stage(move |asked| match asked.what.as_str() {
            "POST /api/move" => reply.lock().unwrap().take(),
            _ => None,
        });
        let steps = "  - http: { to: stage, method: POST, url: /move, poll: { url: \"/tasks/{id}\", ready: 'true', timeout_s: 5 } }\n";
        let output = run(&bench_with(&station, "", steps));
        assert!(said_by(&output).contains(words), "{}", said_by(&output));
        assert!(!station.said().iter().any(|said| said.contains("tasks")), "{:?}", station.said());
    }
    let elsewhere = stage(|_| None);
    let location = elsewhere.url("/api/tasks/1");
    let station = stage(move |asked| {
        (asked.what == "POST /api/move").then(|| Answer::Elsewhere(202, location.clone()))
    });
    let steps = "  - http: { to: stage, method: POST, url: /move, poll: { ready: 'true', timeout_s: 5 } }\n";
    let output = run(&bench_with(&station, "", steps));
    assert!(said_by(&output).contains("is not below"), "{}", said_by(&output));
    assert_eq!(elsewhere.said(), Vec::<String>::new());
}

#[test]
fn a_simulation_reaches_the_stage_only_where_a_person_names_it() {
    let station = stage(|_| None);
    let bench = bench_with(&station, "", MOVE);
    for (arguments, words) in [
        (&["run", "r.yaml"][..], "--with-real stage"),
        (&["rehearse", "r.yaml"], "would really be sent"),
        (&["rehearse", "r.yaml", "--with-http"], "a rehearsal reaches no real one"),
        (&["run", "r.yaml", "--with-real", "stagee"], "`stagee` (configured: `stage`)"),
    ] {
        let output = bench.run(arguments);
        assert!(!output.status.success() && said_by(&output).contains(words), "{}", said_by(&output));
    }
    for command in ["check", "plan"] {
        assert!(bench.run(&[command, "r.yaml"]).status.success());
    }
    assert_eq!((station.said(), bench.run_folders().len()), (Vec::new(), 0));
    // A check asks who is there, and nothing else.
    let output = bench.run(&["check", "r.yaml", "--with-real", "stage"]);
    assert!(said_by(&output).contains("stage: {\"product\":\"ACME STAGE\""), "{}", said_by(&output));
    assert_eq!(station.said(), ["GET /api/info"]);
}

#[test]
fn another_instrument_at_the_address_is_asked_who_it_is_and_nothing_else() {
    let station =
        stage(|asked| (asked.what == "GET /api/info").then(|| Answer::Text(200, "OVEN".to_owned())));
    let bench = bench_with(&station, "", MOVE);
    let output = run(&bench);
    let words = "stage: the reply to `GET /info` does not contain `ACME`: OVEN";
    assert!(!output.status.success() && said_by(&output).contains(words), "{}", said_by(&output));
    let simulator = simulate(&bench, &[]);
    let output = bench.run(&["off", "--instrument", &simulator.address]);
    assert!(!output.status.success() && said_by(&output).contains(words), "{}", said_by(&output));
    assert!(station.said().iter().all(|said| said == "GET /api/info"), "{:?}", station.said());
}

const SECRETS: &str =
    "token = { env = \"STAGE_TOKEN\" }\nheaders = { X-Api-Key = { file = \"key\" }, X-Plain = \"yes\" }\n";

/// Everything in a folder that mentions a text.
fn mentions(folder: &Path, secret: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() {
            found.extend(mentions(&path, secret));
        } else if path.file_name().unwrap() != "key" {
            let bytes = std::fs::read(&path).unwrap();
            if bytes.windows(secret.len()).any(|part| part == secret.as_bytes()) {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

#[test]
fn a_secret_is_sent_and_appears_nowhere_even_if_the_stage_repeats_it() {
    let station = stage(|asked| {
        let repeated = format!("refused for {:?}", asked.headers);
        match asked.what.as_str() {
            "POST /api/move" => Some(Answer::Text(500, repeated)),
            "GET /api/echo" => {
                Some(Answer::Json(200, json!({ "you_sent": asked.headers, "text": repeated })))
            }
            "POST /api/poll" => Some(Answer::Elsewhere(202, format!("/elsewhere?token={TOKEN}"))),
            "POST /api/stop" => Some(Answer::Json(403, json!({ "error": asked.headers["x-api-key"] }))),
            "GET /api/info" => Some(Answer::Text(200, format!("ACME {repeated}"))),
            _ => None,
        }
    });
    let steps = "  - http: { to: stage, url: /echo, id: echo, assume: { text: a } }
  - log: \"${steps.echo.reply.text}\"
  - http: { to: stage, method: POST, url: /poll, poll: { ready: 'true', timeout_s: 5 }, on_error: continue }
  - http: { to: stage, method: POST, url: /move }\n";
    let bench = bench_with(&station, SECRETS, steps);
    bench.write("key", &format!("{KEY}\n"));
    let mut command = bench.command(&["-vv", "run", "r.yaml", "--with-real", "stage"]);
    let output = command.env("STAGE_TOKEN", TOKEN).env("CTP10_LOG", "trace").output().unwrap();
    let said = said_by(&output);
    assert!(!output.status.success() && said.contains("returned status 500: refused for"), "{said}");
    assert_eq!(manifest(&bench.only_run())["instruments_unknown"], json!(["stage"]));
    for asked in station.asked() {
        assert_eq!(asked.headers["authorization"], format!("Bearer {TOKEN}"));
        assert_eq!((&*asked.headers["x-api-key"], &*asked.headers["x-plain"]), (KEY, "yes"));
    }
    for secret in [TOKEN, KEY, "k3y", "t0ken"] {
        assert!(!said.contains(secret), "{said}");
        assert_eq!(mentions(bench.folder.path(), secret), Vec::<String>::new());
    }
}

#[test]
fn a_secret_that_cannot_be_read_is_named_by_its_source_before_the_run() {
    let station = stage(|_| None);
    let bench = bench_with(&station, SECRETS, MOVE);
    let output = run(&bench);
    assert!(
        said_by(&output).contains("stage: the environment variable `STAGE_TOKEN` is not set"),
        "{}",
        said_by(&output)
    );
    let output =
        bench.command(&["run", "r.yaml", "--with-real", "stage"]).env("STAGE_TOKEN", TOKEN).output().unwrap();
    let said = said_by(&output);
    assert!(said.contains("the file `") && said.contains("key` cannot be read"), "{said}");
    // Other commands need no secret.
    assert!(bench.run(&["check", "r.yaml"]).status.success());
    assert_eq!((station.said(), bench.run_folders().len()), (Vec::new(), 0));
}

/// The ways in which services answer a request to move.
#[test]
fn a_stage_service_may_answer_in_many_ways() {
    let polls = std::sync::atomic::AtomicUsize::new(0);
    let station = stage(move |asked| {
        let state = |state: &str| {
            Some(Answer::Json(200, json!({ "status": state, "message": "axis x: limit switch" })))
        };
        let is_first = || polls.fetch_add(1, Ordering::SeqCst) == 0;
        match asked.what.as_str() {
            // FastAPI and others: the task is named by a relative `Location`.
            "POST /api/located" => Some(Answer::Elsewhere(202, "tasks/7".to_owned())),
            "GET /api/tasks/7" => if is_first() { state("running") } else { state("completed") },
            "GET /api/tasks/8" => state("failed"),
            "POST /api/fails" => Some(Answer::Json(202, json!({ "task": { "id": 8 } }))),
            "GET /api/tasks/9" => Some(Answer::HangUp).filter(|_| is_first()).or_else(|| state("completed")),
            "POST /api/slow" => Some(Answer::Late(Duration::from_millis(700), Box::new(Answer::Json(202, json!({ "id": 9 }))))),
            // LabThings: 201 and an invocation, whose `href` is a whole address.
            "POST /api/things" => {
                Some(Answer::Json(201, json!({ "id": 7, "status": "pending", "href": "http://elsewhere/tasks/7" })))
            }
            "POST /api/plain" => Some(Answer::Text(200, "OK\r\n".to_owned())),
            "POST /api/empty" => Some(Answer::Text(204, String::new())),
            "POST /api/moved" => Some(Answer::Elsewhere(307, "/api/v2/moved".to_owned())),
            "POST /api/chunked" => Some(Answer::Raw(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n8\r\n{\"x\": 1}\r\n0\r\n\r\n".to_owned(),
            )),
            _ => None,
        }
    });
    let poll = |path: &str, url: &str| {
        format!(
            "http: {{ to: stage, method: POST, url: {path}, {url} poll: {{ {} ready: \"reply.status == `completed`\", failed: \"reply.status == `failed`\", interval_s: 0.02, timeout_s: 60 }} }}",
            if path == "/located" {
                ""
            } else if path == "/fails" {
                "url: \"/tasks/{task.id}\","
            } else {
                "url: \"/tasks/{id}\","
            }
        )
    };
    let post = |path: &str| format!("http: {{ to: stage, method: POST, url: {path} }}");
    for (step, words) in [
        (poll("/located", ""), None),
        (poll("/slow", ""), None),
        (poll("/things", ""), None),
        (post("/plain"), None),
        (post("/empty"), None),
        (post("/chunked"), None),
        (poll("/fails", ""), Some("says that it has failed: {\"message\":\"axis x: limit switch\"")),
        (post("/moved"), Some("this one points to `/api/v2/moved`")),
    ] {
        let bench = bench_with(&station, "", &format!("  - {step}\n"));
        let output = run(&bench);
        let said = said_by(&output);
        match words {
            None => assert!(output.status.success(), "{step}: {said}"),
            Some(words) => assert!(!output.status.success() && said.contains(words), "{step}: {said}"),
        }
    }
    let said = station.said();
    assert!(!said.iter().any(|said| said.contains("v2")), "{said:?}");
    for once in ["located", "things", "fails", "slow", "plain", "empty", "moved", "chunked"] {
        assert_eq!(said.iter().filter(|said| said.ends_with(once)).count(), 1, "{once}: {said:?}");
    }
}

#[test]
fn a_check_of_a_batch_is_json_where_that_is_wanted() {
    let station = stage(|_| None);
    let bench = bench_with(&station, "", "");
    bench.write("a.yaml", "name: a\nsteps:\n  - http: { to: oven, url: /a }\n");
    bench.write("batch.yaml", "name: night\nitems: [ { recipe: a.yaml } ]\n");
    let output = bench.run(&["--log-format", "json", "batch", "check", "batch.yaml"]);
    let told: Vec<Value> =
        text(&output.stderr).lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    let [error] = &told[..] else { panic!("{told:?}") };
    assert_eq!((&error["severity"], &error["item"]), (&json!("error"), &json!(1)));
    assert!(error["message"].as_str().unwrap().contains("no instrument is named `oven`"), "{error}");
}
