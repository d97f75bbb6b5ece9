//! Response bodies that a blocking thread writes while they are sent, in bounded memory.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::problem::Problem;

/// Bytes per piece. Buffers below 128 KiB are reused; larger ones come from the system each time, which is slow.
const PIECE: usize = 64 * 1024;
/// Number of pieces that may wait for a slow client.
const PIECES_WAITING: usize = 8;
/// Highest number of bodies at the same time, because each needs a thread.
const MOST: usize = 32;
/// Another body waits up to this time for one of them to end.
const WAIT_LIMIT: Duration = Duration::from_secs(10);

/// Permits for bodies.
#[derive(Debug)]
pub(super) struct Downloads(Arc<Semaphore>);

/// The permit for one body.
#[derive(Debug)]
pub(super) struct Turn(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

impl Default for Downloads {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Downloads {
    /// Waits for a permit.
    pub(super) async fn turn(&self) -> Result<Turn, Problem> {
        let turn = tokio::time::timeout(WAIT_LIMIT, Arc::clone(&self.0).acquire_owned()).await;
        turn.ok().and_then(Result::ok).map(Turn).ok_or_else(|| {
            let message = format!("{MOST} downloads are active: try again when one has ended");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, message)
        })
    }
}

impl Turn {
    /// A body that `write` produces. An error breaks the connection, so that the client notices that the body is
    /// incomplete.
    pub(super) fn body<E: std::fmt::Display>(
        self,
        write: impl FnOnce(&mut dyn Write) -> Result<(), E> + Send + 'static,
    ) -> Body {
        let (pieces, sent) = mpsc::channel::<io::Result<Bytes>>(PIECES_WAITING);
        tokio::task::spawn_blocking(move || {
            let _turn = self;
            let mut out = Pieces { pieces, waiting: Vec::with_capacity(PIECE) };
            let written = write(&mut out).map_err(|error| io::Error::other(error.to_string()));
            if let Err(error) = written.and_then(|()| out.flush()) {
                tracing::debug!(%error, "a body was not sent completely");
                // The client may have disconnected.
                let _ = out.pieces.blocking_send(Err(error));
            }
        });
        Body::from_stream(stream::unfold(sent, |mut sent| async move { Some((sent.recv().await?, sent)) }))
    }
}

struct Pieces {
    pieces: mpsc::Sender<io::Result<Bytes>>,
    waiting: Vec<u8>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.waiting.len() + bytes.len() > PIECE {
            self.flush()?;
        }
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= PIECE {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.waiting, Vec::with_capacity(PIECE));
        self.pieces.blocking_send(Ok(piece.into())).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
