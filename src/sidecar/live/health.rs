//! `/ws/health`: sends a heartbeat, and answers `ping`.

use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket};
use axum::response::Response;

use super::{Upgrade, say_goodbye, send};
use crate::sidecar::access::Granted;
use crate::sidecar::state::App;
use crate::sidecar::stream_end::StreamEnd;
use crate::sidecar::wire::power::{Frame, timestamp};

const HEARTBEAT: Duration = Duration::from_secs(10);

/// Sends a heartbeat at once and every 10 s, and answers `ping`.
pub(in crate::sidecar) async fn stream(
    State(app): State<App>,
    Extension(granted): Extension<Granted>,
    Upgrade(upgrade): Upgrade,
) -> Response {
    upgrade.on_upgrade(move |socket| serve(socket, app, granted))
}

async fn serve(mut socket: WebSocket, app: App, granted: Granted) {
    let _stream = app.streams.open("health");
    let mut end = StreamEnd::of(&app, granted);
    let mut heartbeat = tokio::time::interval(HEARTBEAT);
    loop {
        let frame = tokio::select! {
            _ = heartbeat.tick() => {
                Frame::Heartbeat { timestamp: timestamp(), active_streams: app.streams.count("power") }
            }
            reason = end.reached() => return say_goodbye(&mut socket, reason).await,
            incoming = socket.recv() => match incoming {
                Some(Ok(Message::Text(text))) if text.trim() == "ping" => Frame::Pong { timestamp: timestamp() },
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => return,
            },
        };
        if !send(&mut socket, frame.text().into()).await {
            return;
        }
    }
}
