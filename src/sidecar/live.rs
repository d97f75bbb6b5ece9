//! The WebSockets: live power and heartbeat.

pub(super) mod health;
pub(super) mod power;

use std::time::Duration;

use axum::extract::ws::{Message, Utf8Bytes, WebSocket, WebSocketUpgrade};

use super::wire::power::Frame;

/// A client that reads nothing for this time is disconnected.
const SEND_LIMIT: Duration = Duration::from_secs(60);
/// Largest message of a client. Messages are ignored.
const MOST_INCOMING: usize = 64 * 1024;
/// Bytes of a client that are read at once. The buffer is filled with zeros before each read, and each client has its own.
const READ_AT_ONCE: usize = 1024;

/// Limits the memory and the time for what clients send, because nothing is expected from them.
fn of_listener(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade.max_message_size(MOST_INCOMING).read_buffer_size(READ_AT_ONCE)
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
