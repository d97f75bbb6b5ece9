//! The connection of one client: lines in, replies out.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::answer::{Line, Progress, Step};
use super::call::Command;
use super::errors::Rejection;
use super::faults::{Faults, Kind};
use super::log::CommandLog;
use super::options::SimulatorOptions;
use super::output::Output;
use super::simulated::Simulated;

/// A longer line is not a valid command, and its rest is discarded.
const MAX_LINE: u64 = 64 * 1024;
/// Interval at which a waiting command checks whether the scan has ended.
const LOOK: Duration = Duration::from_millis(2);

/// The state that all sessions of an instrument share.
#[derive(Debug)]
pub(super) struct Context<I> {
    pub(super) state: Mutex<I>,
    pub(super) faults: Mutex<Faults>,
    pub(super) log: Option<CommandLog>,
    pub(super) options: SimulatorOptions,
    /// Requests a restart from the listener; the instrument is unreachable for this time.
    pub(super) reboots: mpsc::UnboundedSender<Duration>,
}

impl<I: Simulated> Context<I> {
    pub(super) fn state(&self) -> MutexGuard<'_, I> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn faults(&self) -> MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault at a command. Every fault is logged.
    pub(super) fn fault(&self, command: Option<Command<'_>>, peer: SocketAddr) -> Option<Kind> {
        let hit = self.faults().next(command)?;
        tracing::info!(%peer, "fault {hit}");
        if let Some(log) = &self.log {
            log.write(peer, &format!("! {hit}"));
        }
        Some(hit.kind)
    }

    /// Restarts the instrument. The listener closes this connection together with all others. A client that sees it
    /// close must not be able to connect before the restart.
    async fn reboot(&self, away: Duration) -> io::Result<()> {
        // Without a listener, no restart is needed.
        let _ = self.reboots.send(away);
        std::future::pending().await
    }
}

/// Serves a client until it disconnects.
pub(super) async fn serve<I: Simulated>(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<Context<I>>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (input, output) = stream.into_split();
    let mut input = BufReader::new(input);
    let mut output = Output::new(output, &shared.options);
    let mut line = Vec::new();
    loop {
        line.clear();
        let length = (&mut input).take(MAX_LINE).read_until(b'\n', &mut line).await? as u64;
        let is_whole = line.ends_with(b"\n");
        if !is_whole && length < MAX_LINE {
            // The client has disconnected. The beginning of a command may be another valid command.
            return Ok(());
        }
        if !is_whole {
            shared.state().reject(Rejection::Syntax, "line too long");
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
        let mut line = Line::new(text, peer);
        loop {
            let mut steps = Vec::new();
            let progress = line.proceed(&shared, &mut steps);
            for step in steps {
                match step {
                    Step::Reply(reply, spoil) => output.reply(reply, spoil).await?,
                    Step::Pause(time) => tokio::time::sleep(time).await,
                    Step::Close => return Ok(()),
                    Step::FallSilent => return fall_silent(input).await,
                    Step::Reboot(time) => return shared.reboot(time).await,
                }
            }
            if progress == Progress::Done {
                break;
            }
            if has_left(&mut input).await? {
                return Ok(());
            }
        }
        output.end(I::REPLY_END).await?;
    }
}

/// Waits a moment for a command that cannot be executed yet, and returns whether the client has disconnected. If the
/// client has sent more bytes, this cannot be detected.
async fn has_left(input: &mut BufReader<impl AsyncRead + Unpin>) -> io::Result<bool> {
    if !input.buffer().is_empty() {
        tokio::time::sleep(LOOK).await;
        return Ok(false);
    }
    match tokio::time::timeout(LOOK, input.fill_buf()).await {
        Ok(bytes) => Ok(bytes?.is_empty()),
        Err(_) => Ok(false),
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

/// Reads until the client disconnects, and replies to nothing.
async fn fall_silent(mut input: impl AsyncBufReadExt + Unpin) -> io::Result<()> {
    tokio::io::copy_buf(&mut input, &mut tokio::io::sink()).await.map(drop)
}
