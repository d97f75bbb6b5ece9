//! Sends replies to a client at the configured rate.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::task::JoinHandle;

use super::answer::Spoil;
use super::commands::Reply;
use super::options::{BlockEnd, SimulatorOptions};
use super::transfer::Transfer;

/// The most bytes sent at once with a limited bandwidth: the amount of a twentieth of a second, and at most this.
const THROTTLED_PIECE: usize = 8 * 1024;

/// Number of trace pieces computed in advance.
const PIECES_AHEAD: usize = 4;

/// The writing half of a connection.
pub(super) struct Output {
    stream: OwnedWriteHalf,
    latency: Duration,
    bandwidth: Option<f64>,
    block_end: BlockEnd,
    line: Line,
}

/// The replies to the present line so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Nothing,
    Text,
    /// The last reply was a block, which ends by its length.
    Block,
}

impl Output {
    pub(super) fn new(stream: OwnedWriteHalf, options: &SimulatorOptions) -> Self {
        Self {
            stream,
            latency: Duration::from_secs_f64(options.latency_ms / 1e3),
            bandwidth: options.bandwidth,
            block_end: options.block_end,
            line: Line::Nothing,
        }
    }

    /// Sends one reply to the present line, separated from the previous one by `;`.
    pub(super) async fn reply(&mut self, reply: Reply, spoil: Option<Spoil>) -> io::Result<()> {
        if self.line != Line::Nothing {
            self.write(b";").await?;
        } else if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
        let usual = self.bandwidth;
        if let Some(Spoil::Slow(bandwidth)) = spoil {
            self.bandwidth = Some(usual.map_or(bandwidth, |usual| usual.min(bandwidth)));
        }
        match reply {
            Reply::Nothing => {}
            Reply::Text(text) => {
                self.line = Line::Text;
                self.text(&text, spoil).await?;
            }
            Reply::Trace(transfer) => {
                self.line = if transfer.binary { Line::Block } else { Line::Text };
                self.trace(Arc::from(transfer), spoil).await?;
            }
        }
        self.bandwidth = usual;
        Ok(())
    }

    /// Ends the replies to a line.
    pub(super) async fn end(&mut self, line_end: &str) -> io::Result<()> {
        match std::mem::replace(&mut self.line, Line::Nothing) {
            Line::Nothing => Ok(()),
            Line::Block if self.block_end == BlockEnd::None => Ok(()),
            Line::Block | Line::Text => self.write(line_end.as_bytes()).await,
        }
    }

    async fn text(&mut self, text: &str, spoil: Option<Spoil>) -> io::Result<()> {
        match spoil {
            Some(Spoil::Garbled(_)) => self.write(&garbled(text.as_bytes())).await,
            Some(Spoil::CutShort | Spoil::Halved) => {
                self.write(&text.as_bytes()[..text.len().div_ceil(2)]).await
            }
            Some(Spoil::Slow(_)) | None => self.write(text.as_bytes()).await,
        }
    }

    async fn trace(&mut self, transfer: Arc<Transfer>, spoil: Option<Spoil>) -> io::Result<()> {
        let head = match spoil {
            Some(Spoil::Garbled(None)) => garbled(&transfer.head(0)),
            Some(Spoil::Garbled(Some(too_many))) => transfer.head(too_many),
            _ => transfer.head(0),
        };
        self.write(&head).await?;
        let last = transfer.piece_count() - 1;
        let mut pieces = Pieces::of(&transfer);
        for index in 0..=last {
            let piece = pieces.next().await?;
            match spoil {
                Some(Spoil::Halved) if index == last / 2 => {
                    return self.write(&piece[..piece.len() / 2]).await;
                }
                Some(Spoil::CutShort) if index == last => self.write(&piece[..piece.len() - 1]).await?,
                // A list has no header that could be wrong.
                Some(Spoil::Garbled(_)) if !transfer.binary => self.write(&garbled(&piece)).await?,
                _ => self.write(&piece).await?,
            }
        }
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let Some(bandwidth) = self.bandwidth else {
            return self.stream.write_all(bytes).await;
        };
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a positive limit")]
        let at_once = ((bandwidth / 20.0) as usize).clamp(1, THROTTLED_PIECE);
        for piece in bytes.chunks(at_once) {
            let began = Instant::now();
            self.stream.write_all(piece).await?;
            #[expect(clippy::cast_precision_loss, reason = "a piece has a few thousand bytes")]
            let due = Duration::from_secs_f64(piece.len() as f64 / bandwidth);
            tokio::time::sleep(due.saturating_sub(began.elapsed())).await;
        }
        Ok(())
    }
}

/// The pieces of a trace in order. Some are computed in advance on other processors while others are sent.
struct Pieces {
    transfer: Arc<Transfer>,
    begun: u64,
    ahead: VecDeque<JoinHandle<Vec<u8>>>,
}

impl Pieces {
    fn of(transfer: &Arc<Transfer>) -> Self {
        Self { transfer: Arc::clone(transfer), begun: 0, ahead: VecDeque::new() }
    }

    async fn next(&mut self) -> io::Result<Vec<u8>> {
        while self.ahead.len() < PIECES_AHEAD && self.begun < self.transfer.piece_count() {
            let (transfer, piece) = (Arc::clone(&self.transfer), self.begun);
            self.ahead.push_back(tokio::spawn(async move { transfer.piece(piece) }));
            self.begun += 1;
        }
        let piece = self.ahead.pop_front().ok_or(io::ErrorKind::UnexpectedEof)?;
        piece.await.map_err(io::Error::other)
    }
}

/// Inverts the top bit of every byte. No digit, letter or line end remains, so that no part of it looks like a reply.
fn garbled(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte ^ 0x80).collect()
}
