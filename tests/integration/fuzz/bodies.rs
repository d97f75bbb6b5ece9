//! What clients send: bodies of requests.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::fuzz;
use crate::sidecar::serve;
use crate::support::Bench;

/// Sends a body and gives the status; the connection is closed behind it.
fn post(address: &str, path: &str, body: &[u8]) -> u16 {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(&[head.as_bytes(), body].concat()).unwrap();
    let mut reply = Vec::new();
    stream.read_to_end(&mut reply).unwrap();
    let reply = String::from_utf8_lossy(&reply).into_owned();
    reply
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok())
        .unwrap_or_else(|| panic!("no status in {reply:?}"))
}

#[test]
fn a_damaged_body_is_understood_or_refused() {
    let bench = Bench::new();
    let server = serve(&bench, &["--instrument", "sim"]);
    fuzz("body", |body| {
        for path in ["/check", "/plan", "/batch/items", "/rlaser/1/config", "/measurement/config", "/scpi"] {
            let status = post(&server.address, path, body);
            assert!(status < 500 || matches!(status, 502..=504), "{path} answers {status}");
        }
    });
}
