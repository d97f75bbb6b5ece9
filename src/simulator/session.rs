//! One client's connection: lines in, replies out, at the pace that the unit is set to.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;

use super::bench::Bench;
use super::commands::{Reply, execute};
use super::errors::Rejection;
use super::grammar::parse;
use super::log::CommandLog;
use super::options::BlockEnd;
use super::transfer::Transfer;

/// A longer line is no command; the rest of it is thrown away.
const MAX_LINE: u64 = 64 * 1024;
/// Sent at once when the bandwidth is limited: small enough for an even flow.
const THROTTLED_PIECE: usize = 8 * 1024;

/// What all sessions share.
pub(super) struct Shared {
    pub(super) bench: Mutex<Bench>,
    pub(super) log: Option<CommandLog>,
}

impl Shared {
    pub(super) fn bench(&self) -> std::sync::MutexGuard<'_, Bench> {
        self.bench.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Serves a client until it leaves.
pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, shared: Arc<Shared>) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (input, output) = stream.into_split();
    let mut input = BufReader::new(input);
    let (latency, bandwidth, block_end) = {
        let options = &shared.bench().options;
        (Duration::from_secs_f64(options.latency_ms / 1e3), options.bandwidth, options.block_end)
    };
    let mut output = Output { stream: output, bandwidth };
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut input).take(MAX_LINE).read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') && line.len() as u64 == MAX_LINE {
            shared.bench().errors.push(Rejection::Syntax, "line too long");
            skip_line(&mut input).await?;
            continue;
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        if let Some(log) = &shared.log {
            log.write(peer, text);
        }
        let replies = answer(&mut shared.bench(), text);
        if replies.is_empty() {
            continue;
        }
        if !latency.is_zero() {
            tokio::time::sleep(latency).await;
        }
        output.send(replies, block_end).await?;
    }
}

async fn skip_line(input: &mut (impl AsyncBufReadExt + Unpin)) -> io::Result<()> {
    loop {
        let bytes = input.fill_buf().await?;
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (length, over) = (end.map_or(bytes.len(), |end| end + 1), end.is_some() || bytes.is_empty());
        input.consume(length);
        if over {
            return Ok(());
        }
    }
}

/// Carries out every command of a line. A command in error sends nothing and leaves its reason in the queue.
fn answer(bench: &mut Bench, text: &str) -> Vec<Reply> {
    let mut replies = Vec::new();
    let mut path = Vec::new();
    for parsed in parse(text) {
        let result =
            parsed.as_ref().map_or(Err(Rejection::Syntax), |parsed| execute(bench, parsed, &mut path));
        match result {
            Ok(Reply::Nothing) => {}
            Ok(reply) => replies.push(reply),
            Err(rejection) => {
                let about: String = text.chars().take(60).collect();
                bench.errors.push(rejection, &about);
            }
        }
    }
    replies
}

struct Output {
    stream: OwnedWriteHalf,
    bandwidth: Option<f64>,
}

impl Output {
    /// The replies to one line: joined by `;`, ended by a line end, but for a block, which ends by its length.
    async fn send(&mut self, replies: Vec<Reply>, block_end: BlockEnd) -> io::Result<()> {
        let mut ends_in_block = false;
        for (index, reply) in replies.into_iter().enumerate() {
            if index > 0 {
                self.write(b";").await?;
            }
            ends_in_block = false;
            match reply {
                Reply::Nothing => {}
                Reply::Text(text) => self.write(text.as_bytes()).await?,
                Reply::Trace(transfer) => {
                    ends_in_block = transfer.binary;
                    self.trace(&transfer).await?;
                }
            }
        }
        if ends_in_block && block_end == BlockEnd::None { Ok(()) } else { self.write(b"\r\n").await }
    }

    async fn trace(&mut self, transfer: &Transfer) -> io::Result<()> {
        self.write(&transfer.head()).await?;
        for piece in transfer.pieces() {
            self.write(&piece).await?;
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(bandwidth) = self.bandwidth else {
            return self.stream.write_all(bytes).await;
        };
        for piece in bytes.chunks(THROTTLED_PIECE) {
            let began = Instant::now();
            self.stream.write_all(piece).await?;
            #[expect(clippy::cast_precision_loss, reason = "a piece has a few thousand bytes")]
            let due = Duration::from_secs_f64(piece.len() as f64 / bandwidth);
            tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
        }
        Ok(())
    }
}
