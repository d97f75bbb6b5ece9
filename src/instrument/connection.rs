//! One connection and the exchanges on it, each with a deadline. The link decides whether the connection may be used
//! again.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::frame::{Buffer, FrameError, Sample};
use super::reply::ErrorEntry;
use super::transport::{LineEnd, Stream, Transport};
use crate::shown;

/// The deadline of each kind of exchange, and the time allowed to reconnect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// For a connection.
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
/// After this silence, an earlier connection has left nothing more.
const QUIET: Duration = Duration::from_millis(100);
/// Number of unexpected bytes that are read.
const UNREAD_SIZE: usize = 64;
/// The reason given for a connection that the instrument closed.
const CLOSED: &str = "the instrument closed the connection";
/// Bytes per read: large enough for full speed, small enough to pass values on early. From 128 KiB on, the C library would
/// get each buffer from the system, and the first use of such a page is slow.
const READ_SIZE: usize = 64 * 1024;
/// At most this many errors are read. A unit with a longer queue never reports "no error".
const MAX_ERRORS: usize = 64;
/// Asks a GPIB adapter for the reply of the instrument.
const READ_FROM_ADAPTER: &str = "++read eoi\n";
/// For a GPIB adapter, the next character belongs to the line.
const ESCAPE: char = '\u{1b}';

#[derive(Debug)]
pub(super) struct Connection {
    stream: Stream,
    buffer: Buffer,
    end: LineEnd,
    /// A reply comes only when the adapter is asked for it.
    is_behind_adapter: bool,
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

/// The line as a GPIB adapter passes it on. Otherwise a `+` is lost, and a line that begins with `++` is a command for the
/// adapter.
fn for_adapter(text: &str) -> String {
    let mut line = String::new();
    for char in text.chars() {
        if matches!(char, '+' | ESCAPE | '\r' | '\n') {
            line.push(ESCAPE);
        }
        line.push(char);
    }
    line
}

impl From<FrameError> for ExchangeFailure {
    fn from(error: FrameError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl Connection {
    /// Opens a connection.
    pub(super) async fn open(transport: &Transport, end: LineEnd, limit: Duration) -> Result<Self, String> {
        let stream = Stream::open(transport, limit).await?;
        let is_behind_adapter = matches!(transport, Transport::Prologix { .. });
        Ok(Self { stream, buffer: Buffer::default(), end, is_behind_adapter })
    }

    /// Why the connection cannot be used any more: it was closed, or unexpected bytes arrived. Sends nothing.
    pub(super) fn fault(&mut self) -> Option<String> {
        let mut bytes = [0; UNREAD_SIZE];
        match self.stream.try_read(&mut bytes) {
            Ok(0) => Some(CLOSED.to_owned()),
            Ok(count) => {
                self.buffer.push(&bytes[..count]);
                self.buffer.unread().map(|found| out_of_step(&found))
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
            Err(error) => Some(error.to_string()),
        }
    }

    /// Checks that no unexpected bytes have arrived. Does not wait.
    pub(super) async fn expect_nothing(&mut self) -> Result<(), ExchangeFailure> {
        if self.stream.has_unread().await {
            self.fill(UNREAD_LIMIT).await?;
        }
        self.buffer.unread().map_or(Ok(()), |found| Err(ExchangeFailure::OutOfStep(found)))
    }

    /// Discards what an earlier connection has left: reads until nothing arrives for a while.
    pub(super) async fn discard_until_quiet(&mut self) -> Result<(), ExchangeFailure> {
        let give_up = Instant::now() + UNREAD_LIMIT;
        loop {
            match self.fill(QUIET).await {
                Ok(()) => drop(std::mem::take(&mut self.buffer)),
                Err(ExchangeFailure::Silent) => return Ok(()),
                Err(failure) => return Err(failure),
            }
            if Instant::now() >= give_up {
                let reason = "the instrument does not stop sending".to_owned();
                return Err(ExchangeFailure::Broken(reason));
            }
        }
    }

    pub(super) async fn send(&mut self, text: &str) -> Result<(), ExchangeFailure> {
        let line = match self.is_behind_adapter {
            true => format!("{}{}", for_adapter(text), self.end.text()),
            false => format!("{text}{}", self.end.text()),
        };
        self.stream.write_all(line.as_bytes()).await?;
        Ok(())
    }

    /// Sends a query. Its reply follows.
    pub(super) async fn send_query(&mut self, text: &str) -> Result<(), ExchangeFailure> {
        self.send(text).await?;
        if self.is_behind_adapter {
            self.stream.write_all(READ_FROM_ADAPTER.as_bytes()).await?;
        }
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
            if let Some(line) = self.buffer.line_to(self.end.last())? {
                return Ok(line);
            }
            self.fill(until.saturating_duration_since(Instant::now())).await?;
        }
    }

    pub(super) async fn query(&mut self, text: &str, deadline: Duration) -> Result<String, ExchangeFailure> {
        self.expect_nothing().await?;
        self.send_query(text).await?;
        self.line(deadline).await
    }

    /// Reads all entries of the error queue with this query.
    pub(super) async fn errors(
        &mut self,
        query: &str,
        deadline: Duration,
    ) -> Result<Vec<ErrorEntry>, ExchangeFailure> {
        let mut errors = Vec::new();
        while errors.len() < MAX_ERRORS {
            let reply = self.query(query, deadline).await?;
            match ErrorEntry::read(reply.trim()) {
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
