//! The connection of a service, as clients close it, open it and need it.

use std::fs::File;
use std::net::TcpListener;
use std::time::Duration;

use serde_json::{Value, json};

use crate::probe_station::{Answer, Station};
use crate::sidecar::{request, serve};
use crate::support::{Bench, Running, Talk, said_by, simulate, text, until};

/// A service that has found its instrument.
fn connected(bench: &Bench, instrument: &str) -> Running {
    let service = serve(bench, &["--instrument", instrument]);
    until("the instrument has been found", || status(&service)["connected"] == true);
    service
}

fn status(service: &Running) -> Value {
    request(&service.address, "GET", "/connection/status", None).1
}

fn post(service: &Running, path: &str, body: Option<&Value>) -> (u16, Value) {
    request(&service.address, "POST", path, body)
}

fn is_lit(instrument: &str) -> bool {
    Talk::to(instrument).ask("CTP:RLAS1:POW:STAT?") == "1"
}

#[test]
fn the_emergency_stop_turns_the_lasers_off_although_the_connection_was_closed_and_leaves_it_closed() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    let service = connected(&bench, &simulator.address);
    for by_command in [false, true] {
        assert_eq!(post(&service, "/connection/connect", None).0, 200);
        assert_eq!(post(&service, "/rlaser/1/on", None).0, 200);
        assert_eq!(post(&service, "/connection/disconnect", None).0, 200);
        assert!(is_lit(&simulator.address));
        if by_command {
            let off = bench.run(&["off", "--instrument", &simulator.address]);
            assert!(off.status.success(), "{}", said_by(&off));
            assert_eq!(text(&off.stdout), "lasers off: 1, 2\n");
        } else {
            let (code, off) = post(&service, "/off", None);
            let expected = (200, &json!(true), &json!([1, 2]), &json!([]));
            let told = (code, &off["aborted"], &off["lasers_off"], &off["lasers_unknown"]);
            assert_eq!(told, expected, "{off}");
        }
        assert!(!is_lit(&simulator.address));
        assert_eq!(status(&service)["connected"], false, "closed on request, so it stays closed");
    }
}

/// The claim of another program, whose HTTP server is `runner`, to an instrument.
fn claimed(bench: &Bench, instrument: &str, runner: &Station) -> File {
    let claims = bench.folder.path().join("state").join("ctp10");
    std::fs::create_dir_all(&claims).unwrap();
    let holder = json!({ "pid": 1, "what": "serve", "sidecar": runner.url(""), "token": null });
    let path = claims.join(format!("{}.json", instrument.replace(':', "_")));
    std::fs::write(&path, holder.to_string()).unwrap();
    let claim = File::open(&path).unwrap();
    claim.lock().unwrap();
    claim
}

#[test]
fn off_does_not_wait_for_a_program_that_hangs_and_waits_for_one_that_is_slow() {
    let bench = Bench::new();
    let simulator = simulate(&bench, &[]);
    Talk::to(&simulator.address).send("CTP:RLAS1:POW:STAT ON");
    // The other program replies never, or late while the instrument accepts no second connection.
    let taken = Bench::new();
    let busy = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for (instrument, is_late) in [(&simulator.address, false), (&busy, true)] {
        let runner = Station::start(move |_, _| match is_late {
            false => Answer::Silence,
            true => {
                let done = json!({
                    "aborted": true, "lasers_off": [1, 2], "lasers_unknown": [], "instruments_safe": [],
                    "instruments_unknown": [], "run": "7abc",
                });
                Answer::Late(Duration::from_secs(5), Box::new(Answer::Json(200, done)))
            }
        });
        let _claim = claimed(&taken, instrument, &runner);
        let off = taken.run(&["off", "--instrument", instrument]);
        let said = said_by(&off);
        assert!(off.status.success() && said.contains("connecting directly too"), "{said}");
        let expected = if is_late { "run 7abc ended\nlasers off: 1, 2\n" } else { "lasers off: 1, 2\n" };
        assert_eq!(text(&off.stdout), expected);
        assert_eq!(runner.said(), ["POST /off"]);
    }
    assert!(!is_lit(&simulator.address));
}

#[test]
fn off_connects_directly_if_the_program_with_the_claim_has_no_connection() {
    for (connected, is_direct) in [(false, true), (true, false)] {
        let bench = Bench::new();
        let simulator = simulate(&bench, &[]);
        Talk::to(&simulator.address).send("CTP:RLAS1:POW:STAT ON");
        let runner = Station::start(move |_, asked| match asked.what.as_str() {
            "POST /off" => Answer::Json(
                200,
                json!({
                    "aborted": false, "lasers_off": [], "lasers_unknown": [1, 2], "instruments_safe": [],
                    "instruments_unknown": [], "run": null,
                }),
            ),
            _ => Answer::Json(200, json!({ "connected": connected })),
        });
        let _claim = claimed(&bench, &simulator.address, &runner);
        let off = bench.run(&["off", "--instrument", &simulator.address]);
        assert_eq!(off.status.success(), is_direct, "{}", said_by(&off));
        assert_eq!(text(&off.stdout), if is_direct { "lasers off: 1, 2\n" } else { "lasers off: none\n" });
        assert_eq!(is_lit(&simulator.address), !is_direct);
    }
}

#[test]
fn a_wrong_address_changes_nothing_and_the_right_one_moves_the_service() {
    let bench = Bench::new();
    let (first, second) = (simulate(&bench, &[]), simulate(&bench, &["--seed", "7"]));
    let service = connected(&bench, &first.address);
    let before = status(&service);
    assert_eq!(post(&service, "/connection/disconnect", None).0, 200);
    let (code, refused) = post(&service, "/connection/connect", Some(&json!({ "address": "127.0.0.1:1" })));
    assert!(code == 503 && refused["detail"].as_str().unwrap().starts_with("Not connected"), "{refused}");
    let after = status(&service);
    assert_eq!((&after["connected"], &after["address"]), (&json!(false), &before["address"]));
    assert_eq!(post(&service, "/connection/connect", None), (200, before.clone()));
    // While there is a connection, another address is not used.
    let elsewhere = json!({ "address": &second.address });
    assert_eq!(post(&service, "/connection/connect", Some(&elsewhere)), (200, before.clone()));
    assert_eq!(post(&service, "/connection/disconnect", None).0, 200);
    let (code, moved) = post(&service, "/connection/connect", Some(&elsewhere));
    assert!(code == 200 && moved["address"] != before["address"], "{moved}");
    assert_eq!(status(&service), moved);
}
