//! Bodies that are written while they are sent: by a thread that may block, in bounded memory.

use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::StatusCode;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::problem::Problem;

/// Bytes handed on at once.
const PIECE: usize = 64 * 1024;
/// Pieces that may wait for a slow reader.
const PIECES_WAITING: usize = 4;
/// Bodies that are written at once: each takes a thread for as long as its reader takes.
const MOST: usize = 32;
/// One more waits this long for another to end.
const WAIT_LIMIT: Duration = Duration::from_secs(10);

/// The bodies that may be written at once.
#[derive(Debug)]
pub(super) struct Downloads(Arc<Semaphore>);

/// Leave to write one.
#[derive(Debug)]
pub(super) struct Turn(#[expect(dead_code, reason = "held")] OwnedSemaphorePermit);

impl Default for Downloads {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MOST)))
    }
}

impl Downloads {
    /// Waits for leave to write one more body.
    pub(super) async fn turn(&self) -> Result<Turn, Problem> {
        let turn = tokio::time::timeout(WAIT_LIMIT, Arc::clone(&self.0).acquire_owned()).await;
        turn.ok().and_then(Result::ok).map(Turn).ok_or_else(|| {
            let message = format!("{MOST} downloads are under way: try again when one has ended");
            Problem::new(StatusCode::SERVICE_UNAVAILABLE, message)
        })
    }
}

impl Turn {
    /// A body that `write` writes. What fails breaks the connection: a body never ends short without its reader seeing
    /// it.
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
                tracing::debug!(%error, "a body was not sent whole");
                // A reader that has gone is no news.
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
