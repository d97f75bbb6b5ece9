//! The WebSockets: live power and health.

pub(super) mod health;
pub(super) mod power;

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use tokio::sync::watch;

use super::wire::power::Frame;

/// A client that takes nothing for this long is let go.
const SEND_LIMIT: Duration = Duration::from_secs(60);
/// What clients send is ignored, and small.
const MOST_INCOMING: usize = 64 * 1024;

/// Sends a frame; false when the client has gone.
async fn send(socket: &mut WebSocket, text: String) -> bool {
    matches!(tokio::time::timeout(SEND_LIMIT, socket.send(Message::Text(text.into()))).await, Ok(Ok(())))
}

/// Says goodbye before the server closes on purpose.
async fn say_goodbye(socket: &mut WebSocket) {
    let goodbye = Frame::Reconnect { reason: "the server is ending".to_owned(), retry_after: 2.0 };
    if send(socket, goodbye.text()).await {
        let _ = socket.send(Message::Close(None)).await;
    }
}

/// Resolves when the sidecar is about to end.
async fn closed(closing: &mut watch::Receiver<bool>) {
    if closing.wait_for(|closing| *closing).await.is_err() {
        std::future::pending::<()>().await;
    }
}
