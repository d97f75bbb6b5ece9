//! One TCP connection and the exchanges on it, each under its deadline. Whether it may be used again is the link's
//! to decide.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::frame::{Buffer, FrameError, Sample};
use super::scpi::{ErrorEntry, Query};

/// How long each kind of exchange may take, and how long an instrument that went away is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadlines {
    /// To make a TCP connection.
    pub connect: Duration,
    /// For the reply to a question.
    pub query: Duration,
    /// For a command to be confirmed: switching a laser takes seconds.
    pub action: Duration,
    /// For the first byte of a block: the instrument may have to prepare it.
    pub block_start: Duration,
    /// Between two arrivals within a block.
    pub block_stall: Duration,
    /// For an instrument that went away to come back: old sessions may block new ones for a while.
    pub reconnect: Duration,
    /// For a scan, beyond what span and speed demand, before it counts as hanging.
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

/// Bytes asked of the socket at once: large enough for wire speed, small enough to hand on early.
const READ_SIZE: usize = 128 * 1024;
/// The error queue is read this far; a longer one is a unit that never says "no error".
const MAX_ERRORS: usize = 64;
#[derive(Debug)]
pub(super) struct Connection {
    stream: TcpStream,
    buffer: Buffer,
}

/// Why an exchange on a connection ended early.
pub(super) enum Cut {
    /// The connection is of no use any more.
    Broken(String),
    /// No reply in time; the connection may still be brought back into step.
    Silent,
}

impl Cut {
    pub(super) fn reason(&self) -> String {
        match self {
            Self::Broken(reason) => reason.clone(),
            Self::Silent => "the instrument does not answer".to_owned(),
        }
    }
}

impl From<std::io::Error> for Cut {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<FrameError> for Cut {
    fn from(error: FrameError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Buffer::default() }
    }

    /// Whether the other end has closed it, or says something that nobody asked for. Asks nothing.
    pub(super) fn is_closed(&self) -> bool {
        let mut byte = [0];
        match self.stream.try_read(&mut byte) {
            Ok(_) => true,
            Err(error) => error.kind() != std::io::ErrorKind::WouldBlock,
        }
    }

    pub(super) async fn send(&mut self, text: &str) -> Result<(), Cut> {
        self.stream.write_all(format!("{text}\r\n").as_bytes()).await?;
        Ok(())
    }

    /// Waits for more bytes.
    pub(super) async fn fill(&mut self, deadline: Duration) -> Result<(), Cut> {
        let space = self.buffer.spare(READ_SIZE);
        let read = tokio::time::timeout(deadline, self.stream.read(space)).await;
        let arrived = if let Ok(Ok(count)) = &read { *count } else { 0 };
        self.buffer.keep(READ_SIZE - arrived);
        match read {
            Err(_) => Err(Cut::Silent),
            Ok(Err(error)) => Err(error.into()),
            Ok(Ok(0)) => Err(Cut::Broken("the instrument closed the connection".to_owned())),
            Ok(Ok(_)) => Ok(()),
        }
    }

    pub(super) async fn line(&mut self, deadline: Duration) -> Result<String, Cut> {
        let until = tokio::time::Instant::now() + deadline;
        loop {
            if let Some(line) = self.buffer.line()? {
                return Ok(line);
            }
            self.fill(until.saturating_duration_since(tokio::time::Instant::now())).await?;
        }
    }

    pub(super) async fn query(&mut self, text: &str, deadline: Duration) -> Result<String, Cut> {
        self.send(text).await?;
        self.line(deadline).await
    }

    pub(super) async fn errors(&mut self, deadline: Duration) -> Result<Vec<ErrorEntry>, Cut> {
        let query = Query::next_error();
        let mut errors = Vec::new();
        while errors.len() < MAX_ERRORS {
            let reply = self.query(&query.text, deadline).await?;
            match query.read(&reply) {
                Some(entry) if entry.code == 0 => break,
                Some(entry) => errors.push(entry),
                None => return Err(Cut::Broken(format!("`{reply}` is no entry of an error queue"))),
            }
        }
        Ok(errors)
    }

    pub(super) async fn block<S: Sample>(
        &mut self,
        command: &str,
        points: u64,
        values: &mpsc::Sender<Vec<S>>,
        deadlines: &Deadlines,
        seen: impl Fn(u64, u64),
    ) -> Result<(), Cut> {
        self.send(command).await?;
        let until = tokio::time::Instant::now() + deadlines.block_start;
        let length = loop {
            if let Some(length) = self.buffer.block_header()? {
                break length;
            }
            self.fill(until.saturating_duration_since(tokio::time::Instant::now())).await?;
        };
        if Some(length) != points.checked_mul(S::SIZE as u64) {
            return Err(Cut::Broken(format!("the block has {length} bytes, {points} points were announced")));
        }
        let mut left = length;
        while left > 0 {
            let part = self.buffer.values(left, S::SIZE);
            if part.is_empty() {
                self.fill(deadlines.block_stall).await.map_err(|cut| match cut {
                    Cut::Silent => {
                        Cut::Broken(format!("the block stalled with {left} of {length} bytes missing"))
                    }
                    Cut::Broken(reason) => Cut::Broken(format!("{reason}, {left} of {length} bytes missing")),
                })?;
                continue;
            }
            left -= part.len() as u64;
            seen(length - left, length);
            let decoded = S::decode(part);
            if values.send(decoded).await.is_err() {
                return Err(Cut::Broken("the receiver of the block gave up".to_owned()));
            }
        }
        Ok(())
    }
}
