//! The sidecar as those see it who start and end it. What it answers, row by row, is in `tests/python`.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::fake_instrument::{Answer as Said, FakeInstrument};
use crate::probe_station::{Answer, Station, bench_with};
use crate::proxy::{Proxy, Spoil, rule};
use crate::support::{Bench, Running, Talk, manifest, simulate, text, until, until_some};

/// A sweep that lasts until it is ended.
const LONG: &str = "
name: long
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 5, power_dbm: 0 }
  - sweep: { start_nm: 1520, stop_nm: 1620, resolution_pm: 10 }
";
/// One that is over soon.
const SHORT: &str = "
name: short
steps:
  - configure_tls: { tls: 1, laser: 1, start_nm: 1500, stop_nm: 1630, speed_nm_s: 5, power_dbm: 0 }
  - sweep: { start_nm: 1520, stop_nm: 1530, resolution_pm: 10 }
  - fetch_trace: { detector: 4/1, trace: raw }
";

/// `ctp10 serve` on a port of its own.
pub(crate) fn serve(bench: &Bench, arguments: &[&str]) -> Running {
    let mut command = bench.command(&[&["serve", "--listen", "127.0.0.1:0"], arguments].concat());
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
    Running::new(child, address)
}

/// One request; gives the status and the body, which is a text where it is no JSON.
pub(crate) fn request(address: &str, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
    let body = body.map(Value::to_string).unwrap_or_default();
    let mut stream = TcpStream::connect(address).unwrap();
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut reply = String::new();
    stream.read_to_string(&mut reply).unwrap();
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let text = if body.is_empty() { Value::Null } else { body.into() };
    (status, serde_json::from_str(body).unwrap_or(text))
}

pub(crate) fn begin(address: &str, recipe: &str) -> String {
    // The instrument is looked for from the start on; a run can begin when it has been found.
    until_some("the instrument has been found", || {
        let (status, run) = request(address, "POST", "/runs", Some(&json!({ "recipe": recipe })));
        match status {
            201 => Some(run["run"].as_str().unwrap().to_owned()),
            503 => None,
            _ => panic!("{status} {run}"),
        }
    })
}

/// The state of a run once it has ended.
pub(crate) fn end_of(address: &str, run: &str) -> Value {
    until_some("the run has ended", || {
        let state = request(address, "GET", &format!("/runs/{run}"), None).1["state"].take();
        Some(state).filter(|state| state != "running")
    })
}

fn wait_for_activity(address: &str, operation: &str) {
    until(operation, || request(address, "GET", "/instrument", None).1["activity"]["operation"] == operation);
}

pub(crate) fn signal(process: &Running, name: &str) {
    let id = process.child.id().to_string();
    let sent = std::process::Command::new("kill").args([&format!("-{name}"), &id]).status().unwrap();
    assert!(sent.success());
}

#[test]
fn a_service_that_is_terminated_waits_for_its_run_and_begins_no_other() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    let mut service = serve(&bench, &["--instrument", &simulator.address]);
    let run = begin(&service.address, SHORT);
    wait_for_activity(&service.address, "sweep");
    signal(&service, "TERM");
    let refused = until_some("the signal has arrived", || {
        let (status, reply) = request(&service.address, "POST", "/runs", Some(&json!({ "recipe": SHORT })));
        assert_eq!(status, 409);
        // Until then, the run is the reason for the refusal.
        Some(reply).filter(|reply| reply["detail"].as_str().unwrap().contains("shutting down"))
    });
    assert!(refused["detail"].as_str().unwrap().contains("no new run"));
    assert!(service.child.wait().unwrap().success());
    let listed = bench.run(&["runs", "--json"]);
    let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
    assert_eq!(listed["runs"][0]["manifest"]["run"], json!(run));
    assert_eq!(listed["runs"][0]["manifest"]["status"], "done");
    assert_eq!(listed["runs"][0]["manifest"]["traces"], 1);
}

#[test]
fn a_second_signal_ends_the_run_in_good_order() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    let mut service = serve(&bench, &["--instrument", &simulator.address]);
    begin(&service.address, LONG);
    wait_for_activity(&service.address, "sweep");
    signal(&service, "INT");
    assert!(service.child.wait().unwrap().success());
    let listed: Value = serde_json::from_slice(&bench.run(&["runs", "--json"]).stdout).unwrap();
    assert_eq!(listed["runs"][0]["manifest"]["status"], "aborted");
    assert_eq!(Talk::to(&simulator.address).ask("STAT:OPER:COND?;:CTP:RLAS1:POW:STAT?"), "0;0");
}

#[test]
fn a_second_program_on_one_instrument_is_told_who_holds_it() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    let service = serve(&bench, &["--instrument", &simulator.address]);
    bench.write("short.yaml", SHORT);
    let refused = bench.run(&["run", "short.yaml", "--instrument", &simulator.address]);
    assert_eq!(refused.status.code(), Some(3));
    let told = text(&refused.stderr);
    assert!(told.contains(&format!("process {} (`ctp10 serve`)", service.child.id())), "{told}");
    assert!(told.contains(&service.address), "{told}");
}

#[test]
fn a_port_that_is_taken_does_not_keep_a_run_from_its_night() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().to_string();
    bench.write("short.yaml", SHORT);
    let run = bench.run(&["run", "short.yaml", "--instrument", &simulator.address, "--sidecar", &port]);
    assert!(run.status.success(), "{}", text(&run.stderr));
    assert!(
        text(&run.stderr)
            .contains(&format!("no dashboard and no HTTP API for this run: cannot listen on {port}"))
    );
    assert_eq!(manifest(&bench.run_folder(&run))["status"], "done");
}

#[test]
fn beyond_loopback_nothing_listens_without_a_token() {
    let bench = Bench::new();
    let listen = |arguments: &[&str]| {
        bench.run(&[&["serve", "--instrument", "sim", "--listen", "0.0.0.0:0"], arguments].concat())
    };
    let refused = listen(&[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("--token-file"), "{}", text(&refused.stderr));
    bench.write("token", "short\n");
    let refused = listen(&["--token-file", "token"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("at least 16"), "{}", text(&refused.stderr));
}

#[test]
fn a_recipe_that_comes_over_http_asks_only_the_hosts_that_the_bench_allows() {
    let stage = Station::start(|_, _| Answer::Json(200, json!({})));
    let (bench, simulator) = bench_with(&stage);
    let service = serve(&bench, &["--instrument", &simulator.address]);
    let asking = |url: &str| format!("name: ask\nsteps:\n  - http: {{ url: \"{url}\" }}\n");
    let body = json!({ "recipe": asking("http://127.0.0.1:1/state") });
    for path in ["/check", "/plan", "/runs"] {
        // The instrument is looked for from the start on.
        let reply = until_some("the instrument is connected", || {
            let (status, reply) = request(&service.address, "POST", path, Some(&body));
            (status != 503).then_some(reply)
        });
        assert!(reply.to_string().contains("`127.0.0.1:1` is not an allowed host"), "{path}: {reply}");
    }
    begin(&service.address, &asking(&stage.url("/state")));
    assert_eq!(stage.next(), "GET /state");
}

#[test]
fn off_goes_through_the_runner_that_holds_the_only_connection() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--max-connections", "1"]);
    let service = serve(&bench, &["--instrument", &simulator.address]);
    let run = begin(&service.address, LONG);
    wait_for_activity(&service.address, "sweep");
    let off = bench.run(&["off", "--instrument", &simulator.address]);
    assert!(off.status.success(), "{}", text(&off.stderr));
    assert_eq!(text(&off.stdout), format!("run {run} ended\nlasers off: 1, 2\n"));
    let status = bench.run(&["status", "--instrument", &simulator.address, "--json"]);
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!((&status["simulated"], &status["connected"]), (&json!(true), &json!(true)));
    assert_eq!(end_of(&service.address, &run), "aborted");
}

/// Calls `POST path` and does `meanwhile` before the reply to a query of the call is released. Gives the response, and
/// what `meanwhile` gave.
fn post_held<T>(
    service: &str,
    (path, body): (&str, Option<&Value>),
    (proxy, query, released): (&Proxy, &str, &AtomicBool),
    meanwhile: impl FnOnce() -> T,
) -> ((u16, Value), T) {
    std::thread::scope(|scope| {
        let held = scope.spawn(|| request(service, "POST", path, body));
        until("the query is held", || proxy.count(query) > 0);
        let done = meanwhile();
        released.store(true, Ordering::SeqCst);
        (held.join().unwrap(), done)
    })
}

/// A service behind a proxy that holds the first reply to a query, when the service has found the instrument.
fn serve_held(bench: &Bench, instrument: &str, query: &'static str) -> (Running, Proxy, Arc<AtomicBool>) {
    let released = Arc::new(AtomicBool::new(false));
    let hold = rule(query, 1, Spoil::Hold(Arc::clone(&released)));
    let proxy = Proxy::to(instrument, &[hold], Duration::ZERO);
    let service = serve(bench, &["--instrument", &proxy.address]);
    until("the instrument has been found", || {
        request(&service.address, "GET", "/connection/status", None).1["connected"] == true
    });
    (service, proxy, released)
}

/// Sends an emergency stop, waits until it is on its way, and gives the thread that waits for its end.
fn send_off(service: &str, proxy: &Proxy) -> std::thread::JoinHandle<Value> {
    let service = service.to_owned();
    let off = std::thread::spawn(move || request(&service, "POST", "/off", None).1);
    until("the emergency stop aborts", || proxy.count("ABOR") > 0);
    off
}

/// Whether a command that makes light was sent.
fn is_lit(proxy: &Proxy) -> bool {
    proxy.commands().iter().any(|line| line == "INIT" || line.contains("POW:STAT ON"))
}

#[test]
fn an_emergency_stop_prevents_a_run_that_is_still_starting() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    let query = "INIT:TLS4:ID?";
    let (service, proxy, released) = serve_held(&bench, &simulator.address, query);
    let body = json!({ "recipe": LONG });
    let call = ("/runs", Some(&body));
    let ((status, refused), off) =
        post_held(&service.address, call, (&proxy, query, &released), || send_off(&service.address, &proxy));
    let off = off.join().unwrap();
    assert_eq!((&off["lasers_unknown"], &off["run"]), (&json!([]), &Value::Null), "{off}");
    let detail = refused["detail"].as_str().unwrap();
    assert!(status == 409 && detail.contains("all lasers were turned off"), "{status} {refused}");
    assert!(!is_lit(&proxy), "{:?}", proxy.commands());
    assert_eq!(request(&service.address, "POST", "/runs", Some(&json!({ "recipe": SHORT }))).0, 201);
}

#[test]
fn an_emergency_stop_ends_a_manual_scan_that_is_still_starting() {
    // Before the last look at the emergency stop, and after it.
    for query in ["INIT:TLS4:ID?", "STAT:OPER:EVEN?"] {
        let bench = Bench::new();
        let simulator = simulate(&bench, &[]);
        Talk::to(&simulator.address).send("INIT:TLS1:SPE 5;:INIT:WAV:STAR 1520NM;STOP 1620NM");
        let (service, proxy, released) = serve_held(&bench, &simulator.address, query);
        let call = ("/measurement/sweep/start", None);
        let ((status, reply), off) = post_held(&service.address, call, (&proxy, query, &released), || {
            send_off(&service.address, &proxy)
        });
        off.join().unwrap();
        let mut talk = Talk::to(&simulator.address);
        talk.wait_until_idle();
        assert_eq!(talk.ask("CTP:RLAS1:POW:STAT?"), "0");
        assert!(proxy.count("INIT") == 0 || proxy.count("ABOR") > 1, "{:?}", proxy.commands());
        if query == "INIT:TLS4:ID?" {
            assert!(status == 409 && !is_lit(&proxy), "{status} {reply}");
        }
    }
}

#[test]
fn a_service_that_is_terminated_does_not_leave_a_run_that_is_still_starting() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    let query = "INIT:TLS4:ID?";
    let (mut service, proxy, released) = serve_held(&bench, &simulator.address, query);
    let body = json!({ "recipe": LONG });
    let address = service.address.clone();
    let ((status, refused), ()) =
        post_held(&address, ("/runs", Some(&body)), (&proxy, query, &released), || {
            signal(&service, "TERM");
            until("the signal has arrived", || {
                let (status, reply) = request(&address, "POST", "/runs", Some(&body));
                assert_eq!(status, 409);
                reply["detail"].as_str().unwrap().contains("shutting down")
            });
        });
    assert_eq!(status, 409, "{refused}");
    assert!(service.child.wait().unwrap().success());
    assert!(!is_lit(&proxy), "{:?}", proxy.commands());
}

#[test]
fn the_report_of_a_run_is_served_and_its_links_lead_to_the_traces() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &["--time-scale", "0.02"]);
    let service = serve(&bench, &["--instrument", &simulator.address]);
    let run = begin(&service.address, SHORT);
    let report = format!("/runs/{run}/report");
    until("the report is written", || request(&service.address, "GET", &report, None).0 != 404);
    assert_eq!(request(&service.address, "GET", &report, None).0, 200);
    let traces = request(&service.address, "GET", &format!("/runs/{run}/traces"), None).1;
    let file = traces["traces"][0]["file"].as_str().unwrap().to_owned();
    assert_eq!(request(&service.address, "HEAD", &format!("/runs/{run}/{file}"), None).0, 200);
    assert_eq!(request(&service.address, "GET", "/runs/nobody/report", None).0, 404);
}

#[test]
fn a_run_that_is_held_for_long_goes_dark_keeps_the_instrument_and_lights_up_again() {
    let bench = Bench::new();
    bench.write("ctp10.toml", "dark_after_s = 0\n");
    let simulator = simulate(&bench, &[]);
    let service = serve(&bench, &["--instrument", &simulator.address]);
    let address = service.address.as_str();
    let recipe = "
name: lit
steps:
  - configure_laser: { laser: 1, power_dbm: 0, output: true }
  - repeat: { times: 100000, steps: [ wait: 0.05 ] }
";
    let run = begin(address, recipe);
    let is_on = || request(address, "GET", "/rlaser/1/state", None).1["is_on"] == true;
    until("the laser is on", is_on);
    assert_eq!(request(address, "POST", &format!("/runs/{run}/pause"), None).0, 200);
    until("the run is held", || request(address, "GET", &format!("/runs/{run}"), None).1["pause"] == "held");
    until("the laser is off", || !is_on());
    let (status, refused) = request(address, "POST", "/rlaser/1/on", None);
    assert!(status == 409 && refused["detail"].as_str().unwrap().contains(&run), "{refused}");
    assert_eq!(request(address, "POST", &format!("/runs/{run}/resume"), None).0, 200);
    until("the laser is on again", is_on);
    assert_eq!(request(address, "POST", &format!("/runs/{run}/abort?now=true"), None).0, 200);
    assert_eq!(end_of(address, &run), "aborted");
    assert!(!is_on());
}

#[test]
fn a_request_that_names_another_instrument_is_refused_and_nothing_starts() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    let service = serve(&bench, &["--instrument", &simulator.address]);
    let real = FakeInstrument::start(|_, line| match line {
        "*IDN?" => Said::reply("EXFO,CTP10,12345,1.2.3"),
        "SYST:ERR?" => Said::reply("0,No error"),
        _ => None,
    });
    let at_real = serve(&bench, &["--instrument", &real.address]);
    for service in [&service, &at_real] {
        until("the instrument has been found", || {
            request(&service.address, "GET", "/connection/status", None).1["connected"] == true
        });
    }
    let post = |service: &Running, path: &str, named: &str| {
        let body = json!({ "recipe": SHORT, "instrument": named });
        let (status, reply) = request(&service.address, "POST", path, Some(&body));
        (status, reply.to_string())
    };
    for path in ["/runs", "/check", "/plan"] {
        for (named, expected) in [("10.0.0.9:5025", 409), ("???", 422), ("simulator", 422), ("", 422)] {
            let (status, reply) = post(&service, path, named);
            assert!(status == expected && reply.contains(&format!("`{named}`")), "{path} {status} {reply}");
        }
        // Who asks for a simulation must not use a real instrument.
        let (status, reply) = post(&at_real, path, "sim");
        assert!(status == 409 && reply.contains(&real.address), "{path} {status} {reply}");
    }
    for service in [&service, &at_real] {
        assert_eq!(request(&service.address, "GET", "/runs", None).1["runs"], json!([]));
    }
    assert!(!real.state.lock().unwrap().heard.iter().any(|line| !line.ends_with('?')));
    let visa = format!("TCPIP::{}::SOCKET", simulator.address.replace(':', "::"));
    for named in [simulator.address.as_str(), &visa, "sim"] {
        assert_eq!(post(&service, "/check", named).0, 200, "{named}");
    }
    assert_eq!(post(&service, "/runs", &simulator.address).0, 201);
}
