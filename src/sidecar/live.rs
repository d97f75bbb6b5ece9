//! The WebSockets: live power and heartbeat.

pub(super) mod health;
pub(super) mod power;

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};
use axum::http::request::Parts;

use super::problem::Problem;
use super::wire::power::Frame;

/// A client that reads nothing for this time is disconnected.
const SEND_LIMIT: Duration = Duration::from_secs(60);
/// Largest message of a client. Messages are ignored.
const MOST_INCOMING: usize = 64 * 1024;
/// Bytes of a client that are read at once. The buffer is filled with zeros before each read, and each client has its own.
const READ_AT_ONCE: usize = 1024;

/// The upgrade of a request to a WebSocket. The memory for what a client sends is limited, because nothing is expected from it.
pub(super) struct Upgrade(WebSocketUpgrade);

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let upgrade = WebSocketUpgrade::from_request_parts(parts, state).await;
        let upgrade = upgrade.map_err(|error| Problem::new(error.status(), error.body_text()))?;
        Ok(Self(upgrade.max_message_size(MOST_INCOMING).read_buffer_size(READ_AT_ONCE)))
    }
}

/// Sends a frame; returns false if the client has disconnected.
async fn send(socket: &mut WebSocket, text: Utf8Bytes) -> bool {
    matches!(tokio::time::timeout(SEND_LIMIT, socket.send(Message::Text(text))).await, Ok(Ok(())))
}

/// Sends a close frame before the server closes the connection.
async fn say_goodbye(socket: &mut WebSocket, reason: &str) {
    let goodbye = Frame::Reconnect { reason: reason.to_owned(), retry_after: 2.0 };
    if send(socket, goodbye.text().into()).await {
        let _ = socket.send(Message::Close(None)).await;
    }
}
