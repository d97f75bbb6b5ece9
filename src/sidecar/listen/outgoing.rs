//! The sending half of a client's connection. Two tasks share it: the task of the connection, and the task that sends live
//! power to many clients.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use axum::body::Bytes;
use tokio::io::AsyncWrite;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::Notify;

/// The sending half of a connection. A message of the other task never comes between two parts of a message.
#[derive(Debug)]
pub(in crate::sidecar) struct Outgoing {
    state: Mutex<State>,
    /// Notified when a message leaves a rest.
    rest: Notify,
}

#[derive(Debug)]
struct State {
    half: OwnedWriteHalf,
    /// The part of a message that the socket did not take. Nothing else is sent before it.
    rest: Bytes,
    /// Whether the socket did not take everything that the task of the connection wanted to send.
    is_blocked: bool,
}

impl Outgoing {
    pub(super) fn new(half: OwnedWriteHalf) -> Self {
        let state = State { half, rest: Bytes::new(), is_blocked: false };
        Self { state: Mutex::new(state), rest: Notify::new() }
    }

    /// Sends a whole message without waiting. If the socket does not take all of it, the task of the connection must send the
    /// rest. Returns false if an earlier message waits: then this one is dropped.
    pub(in crate::sidecar) fn send_now(&self, message: &Bytes) -> bool {
        let mut state = self.state();
        if state.is_blocked || !state.rest.is_empty() {
            return false;
        }
        // The task of the connection meets the same error when it sends the rest.
        let sent = state.half.try_write(message).unwrap_or(0);
        if sent < message.len() {
            state.rest = message.slice(sent..);
            self.rest.notify_one();
        }
        true
    }

    /// Resolves when a message has left a rest.
    pub(in crate::sidecar) async fn has_rest(&self) {
        self.rest.notified().await;
    }

    /// Sends the rest. Only the task of the connection may do this, because a socket wakes one task.
    pub(in crate::sidecar) async fn send_rest(&self) -> io::Result<()> {
        poll_fn(|cx| self.poll_rest(cx)).await
    }

    pub(super) fn poll_rest(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.state().poll_rest(cx)
    }

    /// Sends `length` bytes of the task of the connection, after the rest of a message.
    pub(super) fn poll_write(
        &self,
        cx: &mut Context<'_>,
        length: usize,
        write: impl FnOnce(Pin<&mut OwnedWriteHalf>, &mut Context<'_>) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        let mut state = self.state();
        ready!(state.poll_rest(cx))?;
        let written = write(Pin::new(&mut state.half), cx);
        state.is_blocked = !matches!(written, Poll::Ready(Ok(count)) if count == length);
        written
    }

    pub(super) fn poll_shutdown(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.state().half).poll_shutdown(cx)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            let sent = ready!(Pin::new(&mut self.half).poll_write(cx, &self.rest))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.rest = self.rest.slice(sent..);
        }
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::super::socket::tests::connected;

    #[tokio::test]
    async fn messages_of_both_tasks_arrive_whole_and_a_client_that_does_not_read_loses_the_later_ones() {
        let (mut socket, mut client) = connected().await;
        let outgoing = Arc::clone(socket.outgoing());
        // More than the system buffers, so that the client takes only a part of it.
        let large = vec![b'a'; 64 << 20];
        assert!(outgoing.send_now(&large.clone().into()));
        outgoing.has_rest().await;
        assert!(!outgoing.send_now(&"dropped".into()), "an earlier message waits");
        let sending = tokio::spawn(async move {
            socket.write_all(b"own").await.unwrap();
            assert!(socket.outgoing().send_now(&"last".into()));
            socket.flush().await.unwrap();
        });
        drop(outgoing);
        let mut arrived = Vec::new();
        client.read_to_end(&mut arrived).await.unwrap();
        sending.await.unwrap();
        assert!(arrived[..large.len()] == large && &arrived[large.len()..] == b"ownlast");
    }

    #[tokio::test]
    async fn nothing_is_sent_between_two_parts_of_a_message_of_the_connection() {
        let (mut socket, mut client) = connected().await;
        let outgoing = Arc::clone(socket.outgoing());
        let large = vec![b'a'; 64 << 20];
        let part = socket.write(&large).await.unwrap();
        assert!(part < large.len() && !outgoing.send_now(&"dropped".into()));
        let rest = large[part..].to_vec();
        let sending = tokio::spawn(async move { socket.write_all(&rest).await.unwrap() });
        drop(outgoing);
        let mut arrived = Vec::new();
        client.read_to_end(&mut arrived).await.unwrap();
        sending.await.unwrap();
        assert!(arrived == large);
    }
}
