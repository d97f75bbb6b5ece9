//! The socket of a client. It holds its place while it is open, for any protocol. A client that reads nothing is
//! disconnected after a limit.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedReadHalf;
use tokio::time::Sleep;

use super::outgoing::Outgoing;
use super::places::Place;

pub(super) struct Socket {
    incoming: OwnedReadHalf,
    outgoing: Arc<Outgoing>,
    /// A client that reads nothing for this time is disconnected.
    stall_limit: Duration,
    /// Running while a write makes no progress.
    stalled: Option<Pin<Box<Sleep>>>,
    _place: Place,
}

impl Socket {
    pub(super) fn new(stream: TcpStream, place: Place, stall_limit: Duration) -> Self {
        let (incoming, outgoing) = stream.into_split();
        let outgoing = Arc::new(Outgoing::new(outgoing));
        Self { incoming, outgoing, stall_limit, stalled: None, _place: place }
    }

    pub(super) fn outgoing(&self) -> &Arc<Outgoing> {
        &self.outgoing
    }

    fn write_with<R>(
        &mut self,
        cx: &mut Context<'_>,
        write: impl FnOnce(&Outgoing, &mut Context<'_>) -> Poll<io::Result<R>>,
    ) -> Poll<io::Result<R>> {
        match write(&self.outgoing, cx) {
            Poll::Ready(done) => {
                self.stalled = None;
                Poll::Ready(done)
            }
            Poll::Pending => {
                let limit = self.stall_limit;
                let stalled = self.stalled.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit)));
                stalled.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
            }
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.incoming).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write_with(cx, |out, cx| out.poll_write(cx, bytes.len(), |half, cx| half.poll_write(cx, bytes)))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let length = parts.iter().map(|part| part.len()).sum();
        self.write_with(cx, |out, cx| {
            out.poll_write(cx, length, |half, cx| half.poll_write_vectored(cx, parts))
        })
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write_with(cx, Outgoing::poll_rest)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.poll_shutdown(cx)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use tokio::io::AsyncWriteExt;
    use tokio::net::TcpListener;

    use super::super::places::Places;
    use super::*;

    /// A socket, and its client.
    pub(in super::super) async fn connected() -> (Socket, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        (Socket::new(stream, Places::new(1).take().await, Duration::from_secs(60)), client)
    }

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_disconnected() {
        let (mut socket, _client) = connected().await;
        socket.stall_limit = Duration::from_millis(10);
        // More than the system buffers.
        let error = socket.write_all(&vec![1; 64 << 20]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
