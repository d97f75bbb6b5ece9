//! The client for other instruments, against a station that answers as it likes.

use std::time::Duration;

use ctp10::http::{AllowedHosts, Client, HttpError, HttpRequest, Reply};
use serde_json::{Value, json};

use crate::probe_station::{Answer, Station};

fn allowing(hosts: &[&str]) -> Client {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    Client::new(AllowedHosts::try_from(hosts).unwrap())
}

async fn ask(station: &Station, json: Option<&Value>, limit: Duration) -> Result<Reply, HttpError> {
    ask_at(&station.url("/state?all=1"), json, limit).await
}

async fn ask_at(url: &str, json: Option<&Value>, limit: Duration) -> Result<Reply, HttpError> {
    let client = allowing(&["127.0.0.1"]);
    let url = url.parse().unwrap();
    client
        .send(HttpRequest {
            method: if json.is_some() { "PUT" } else { "GET" },
            url: &url,
            json,
            headers: &[],
            limit,
        })
        .await
}

const LONG: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_request_arrives_as_it_was_meant_and_its_reply_comes_back_whole() {
    let station = Station::start(|_, _| Answer::Json(418, json!({ "state": "idle" })));
    let sent = json!({ "x_um": 5, "fast": true });
    let reply = ask(&station, Some(&sent), LONG).await.unwrap();
    assert_eq!((reply.status, reply.value()), (418, Ok(json!({ "state": "idle" }))));
    let asked = &station.asked()[0];
    assert_eq!((asked.what.as_str(), &asked.json), ("PUT /state?all=1", &sent));
    assert_eq!(asked.headers["content-type"], "application/json");
    assert!(asked.headers["user-agent"].starts_with("ctp10/"));
}

#[tokio::test]
async fn a_host_that_is_not_allowed_hears_nothing() {
    let station = Station::start(|_, _| Answer::Text(200, "here".into()));
    let url = station.url("/").parse().unwrap();
    let request = HttpRequest { method: "GET", url: &url, json: None, headers: &[], limit: LONG };
    let refused = allowing(&["probe-station:8000"]).send(request).await.unwrap_err();
    assert!(matches!(&refused, HttpError::NotAllowed { host, advice }
        if *host == station.address && advice.contains("\"probe-station:8000\", \"127.0.0.1:")));
    assert!(station.asked().is_empty());
}

#[tokio::test]
async fn a_redirect_is_a_reply_and_nobody_follows_it() {
    let station = Station::start(|_, _| Answer::Elsewhere(307, "/elsewhere".into()));
    let reply = ask(&station, None, LONG).await.unwrap();
    assert_eq!((reply.status, reply.location.as_deref()), (307, Some("/elsewhere")));
    assert_eq!(station.said(), ["GET /state?all=1"]);
}

#[tokio::test]
async fn a_reply_is_taken_up_to_a_limit() {
    let mebibyte = ctp10::http::LARGEST_REPLY;
    let station = Station::start(move |number, _| Answer::Text(200, "x".repeat(mebibyte + number - 1)));
    assert_eq!(ask(&station, None, LONG).await.unwrap().body.len(), mebibyte);
    let refused = ask(&station, None, LONG).await.unwrap_err();
    assert!(matches!(refused, HttpError::TooLarge { .. }), "{refused}");
}

#[tokio::test]
async fn a_request_that_is_lost_is_told_and_not_made_again() {
    let station = Station::start(|_, _| Answer::HangUp);
    let lost = ask(&station, None, LONG).await.unwrap_err();
    assert!(matches!(lost, HttpError::Lost { .. }), "{lost}");
    assert_eq!(station.asked().len(), 1);
    // Nobody listens there.
    let nobody = ask_at("http://127.0.0.1:1/", None, LONG).await.unwrap_err();
    assert!(matches!(&nobody, HttpError::Unreachable { .. }), "{nobody}");
    assert!(nobody.to_string().contains("refused"), "{nobody}");
}

#[tokio::test]
async fn a_request_ends_with_its_time() {
    let station = Station::start(|_, _| Answer::Silence);
    let late = ask(&station, None, Duration::from_millis(50)).await.unwrap_err();
    assert!(matches!(late, HttpError::TimedOut { .. }), "{late}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_request_ends_when_nobody_waits_for_it_any_more() {
    let station = Station::start(|_, _| Answer::Silence);
    let url = station.url("/state");
    let waiting = tokio::spawn(async move { ask_at(&url, None, LONG).await });
    assert_eq!(station.next(), "GET /state");
    waiting.abort();
    assert_eq!(station.next(), "closed");
}
