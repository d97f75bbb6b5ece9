//! One TCP connection and the exchanges on it, each with a deadline. The link decides whether the connection may be
//! used again.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::frame::{Buffer, FrameError, Sample};
use super::scpi::{ErrorEntry, Query};
use crate::shown;

/// The deadline of each kind of exchange, and the time allowed to reconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// For a TCP connection.
    pub connect: Duration,
    /// For the reply to a query.
    pub query: Duration,
    /// For the confirmation of a command: switching a laser takes seconds.
    pub action: Duration,
    /// For the first byte of a block: the instrument may have to prepare it.
    pub block_start: Duration,
    /// Between two parts of a block.
    pub block_stall: Duration,
    /// For an unreachable instrument to come back: old sessions may block new ones for a while.
    pub reconnect: Duration,
    /// For a scan, in addition to the time that span and speed require. Afterwards the scan counts as hanging.
    pub scan: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(3),
            query: Duration::from_secs(5),
            action: Duration::from_secs(30),
            block_start: Duration::from_secs(120),
            block_stall: Duration::from_secs(15),
            reconnect: Duration::from_secs(180),
            scan: Duration::from_secs(60),
        }
    }
}

/// The lowest average rate of a block, bytes per second. Without this limit, a block of single bytes could hold the
/// link for hours.
const BLOCK_RATE: f64 = 10_000.0;
/// Deadline for reading bytes that have already arrived.
const UNREAD_LIMIT: Duration = Duration::from_secs(1);
/// Number of unexpected bytes that are read.
const UNREAD_SIZE: usize = 64;
/// The reason given for a connection that the instrument closed.
const CLOSED: &str = "the instrument closed the connection";
/// Bytes per read: large enough for full speed, small enough to pass values on early. From 128 KiB on, the C library would
/// get each buffer from the system, and the first use of such a page is slow.
const READ_SIZE: usize = 64 * 1024;
/// At most this many errors are read. A unit with a longer queue never reports "no error".
const MAX_ERRORS: usize = 64;
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Buffer,
}

/// Why an exchange ended early.
pub(super) enum ExchangeFailure {
    /// The connection cannot be used any more.
    Broken(String),
    /// No reply in time. The connection may still be brought back in step.
    Silent,
    /// Unexpected bytes arrived: replies and queries no longer belong together.
    OutOfStep(String),
}

impl ExchangeFailure {
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Broken(reason) => reason.clone(),
            Self::Silent => "the instrument does not reply".to_owned(),
            Self::OutOfStep(found) => out_of_step(found),
        }
    }
}

/// The message for an unexpected reply.
pub(super) fn out_of_step(found: &str) -> String {
    format!("replies no longer match the queries: `{}` arrived without a query", shown::beginning(found))
}

impl From<std::io::Error> for ExchangeFailure {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<FrameError> for ExchangeFailure {
    fn from(error: FrameError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Buffer::default() }
    }

    /// Why the connection cannot be used any more: it was closed, or unexpected bytes arrived. Sends nothing.
    pub(super) fn fault(&mut self) -> Option<String> {
        match self.stream.try_read_buf(self.buffer.for_reading(UNREAD_SIZE)) {
            Ok(0) => Some(CLOSED.to_owned()),
            Ok(_) => self.buffer.unread().map(|found| out_of_step(&found)),
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
            Err(error) => Some(error.to_string()),
        }
    }

    /// Checks that no unexpected bytes have arrived. Does not wait.
    pub(super) async fn expect_nothing(&mut self) -> Result<(), ExchangeFailure> {
        if self.has_unread().await {
            self.fill(UNREAD_LIMIT).await?;
        }
        self.buffer.unread().map_or(Ok(()), |found| Err(ExchangeFailure::OutOfStep(found)))
    }

    /// Whether the socket holds bytes. The system knows this at once, the runtime only after its next poll.
    #[cfg(unix)]
    #[expect(clippy::unused_async, reason = "elsewhere it has to wait")]
    async fn has_unread(&self) -> bool {
        rustix::io::ioctl_fionread(&self.stream).is_ok_and(|count| count > 0)
    }

    #[cfg(not(unix))]
    async fn has_unread(&self) -> bool {
        let peeked = tokio::time::timeout(Duration::ZERO, self.stream.peek(&mut [0])).await;
        matches!(peeked, Ok(Ok(1)))
    }

    pub(super) async fn send(&mut self, text: &str) -> Result<(), ExchangeFailure> {
        self.stream.write_all(format!("{text}\r\n").as_bytes()).await?;
        Ok(())
    }

    /// Waits for more bytes.
    pub(super) async fn fill(&mut self, deadline: Duration) -> Result<(), ExchangeFailure> {
        let read = self.stream.read_buf(self.buffer.for_reading(READ_SIZE));
        match tokio::time::timeout(deadline, read).await {
            Err(_) => Err(ExchangeFailure::Silent),
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(0)) => Err(ExchangeFailure::Broken(CLOSED.to_owned())),
            Ok(Ok(_)) => Ok(()),
        }
    }

    pub(super) async fn line(&mut self, deadline: Duration) -> Result<String, ExchangeFailure> {
        self.line_until(Instant::now() + deadline).await
    }

    pub(super) async fn line_until(&mut self, until: Instant) -> Result<String, ExchangeFailure> {
        loop {
            if let Some(line) = self.buffer.line()? {
                return Ok(line);
            }
            self.fill(until.saturating_duration_since(Instant::now())).await?;
        }
    }

    pub(super) async fn query(&mut self, text: &str, deadline: Duration) -> Result<String, ExchangeFailure> {
        self.expect_nothing().await?;
        self.send(text).await?;
        self.line(deadline).await
    }

    pub(super) async fn errors(&mut self, deadline: Duration) -> Result<Vec<ErrorEntry>, ExchangeFailure> {
        let query = Query::next_error();
        let mut errors = Vec::new();
        while errors.len() < MAX_ERRORS {
            let reply = self.query(&query.text, deadline).await?;
            match query.read(&reply) {
                Some(entry) if entry.code == 0 => break,
                Some(entry) => errors.push(entry),
                None => {
                    let reply = shown::beginning(&reply);
                    return Err(ExchangeFailure::Broken(format!(
                        "`{reply}` is not an entry of an error queue"
                    )));
                }
            }
        }
        Ok(errors)
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate need not be exact")]
    pub(super) async fn block<S: Sample>(
        &mut self,
        command: &str,
        points: u64,
        values: &mpsc::Sender<Vec<S>>,
        deadlines: &Deadlines,
        seen: impl Fn(u64, u64),
    ) -> Result<(), ExchangeFailure> {
        self.expect_nothing().await?;
        self.send(command).await?;
        let until = Instant::now() + deadlines.block_start;
        let length = loop {
            if let Some(length) = self.buffer.block_header()? {
                break length;
            }
            self.fill(until.saturating_duration_since(Instant::now())).await?;
        };
        if Some(length) != points.checked_mul(S::SIZE as u64) {
            return Err(ExchangeFailure::Broken(format!(
                "the block has {length} bytes, but {points} points were announced"
            )));
        }
        let (began, mut left) = (Instant::now(), length);
        while left > 0 {
            let part = self.buffer.values(left, S::SIZE);
            if part.is_empty() {
                // Only the part of a pause beyond the allowed pause counts against the rate.
                let due = Duration::from_secs_f64((length - left) as f64 / BLOCK_RATE);
                let slow = (deadlines.block_stall + due).saturating_sub(began.elapsed());
                let filled = self.fill(slow.min(deadlines.block_stall)).await;
                let missing = format!("{left} of {length} bytes missing");
                filled.map_err(|failure| match failure {
                    ExchangeFailure::Silent if slow < deadlines.block_stall => {
                        let seconds = began.elapsed().as_secs();
                        ExchangeFailure::Broken(format!(
                            "the block is slower than {} kB/s: after {seconds} s {missing}",
                            BLOCK_RATE / 1e3
                        ))
                    }
                    ExchangeFailure::Silent => {
                        ExchangeFailure::Broken(format!("the block stalled with {missing}"))
                    }
                    ExchangeFailure::Broken(reason) => {
                        ExchangeFailure::Broken(format!("{reason}, {missing}"))
                    }
                    ExchangeFailure::OutOfStep(found) => ExchangeFailure::OutOfStep(found),
                })?;
                continue;
            }
            left -= part.len() as u64;
            seen(length - left, length);
            let decoded = S::decode(part);
            if values.send(decoded).await.is_err() {
                return Err(ExchangeFailure::Broken("the receiver of the block gave up".to_owned()));
            }
        }
        Ok(())
    }
}
