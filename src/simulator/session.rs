//! One client's connection: lines in, replies out.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use super::answer::{Line, Progress, Step};
use super::errors::Rejection;
use super::faults::{Faults, Kind};
use super::headers::Call;
use super::log::CommandLog;
use super::output::Output;
use super::state::SimulatorState;

/// A longer line is no command; the rest of it is thrown away.
const MAX_LINE: u64 = 64 * 1024;
/// Pause between two looks whether the scan is over that a command waits for.
const LOOK: Duration = Duration::from_millis(2);

/// What all sessions share.
#[derive(Debug)]
pub(super) struct SimulatorContext {
    pub(super) state: Mutex<SimulatorState>,
    pub(super) faults: Mutex<Faults>,
    pub(super) log: Option<CommandLog>,
    /// Asks the listener to restart the instrument, which is away for this long.
    pub(super) reboots: mpsc::UnboundedSender<Duration>,
}

impl SimulatorContext {
    pub(super) fn state(&self) -> std::sync::MutexGuard<'_, SimulatorState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn faults(&self) -> std::sync::MutexGuard<'_, Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes wrong with a command. No fault happens without being told.
    pub(super) fn fault(&self, call: Option<&Call<'_>>, peer: SocketAddr) -> Option<Kind> {
        let hit = self.faults().next(call)?;
        tracing::info!(%peer, "fault {hit}");
        if let Some(log) = &self.log {
            log.write(peer, &format!("! {hit}"));
        }
        Some(hit.kind)
    }

    /// Restarts the instrument. The connection lives until the listener closes it together with all others: a client
    /// that sees it close must not find the instrument still there.
    async fn reboot(&self, away: Duration) -> io::Result<()> {
        // Without a listener there is nobody left to restart for.
        let _ = self.reboots.send(away);
        std::future::pending().await
    }
}

/// Serves a client until it leaves.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Arc<SimulatorContext>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (input, output) = stream.into_split();
    let mut input = BufReader::new(input);
    let mut output = Output::new(output, &shared.state().options);
    let mut line = Vec::new();
    loop {
        line.clear();
        if (&mut input).take(MAX_LINE).read_until(b'\n', &mut line).await? == 0 {
            return Ok(());
        }
        if line.last() != Some(&b'\n') && line.len() as u64 == MAX_LINE {
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
        output.end().await?;
    }
}

/// Lets a little time pass for a command that waits, and says whether its client has left meanwhile. One that has
/// sent more already is not watched: its leaving would only be seen behind that.
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

/// Reads on, so that the client's leaving is seen, and answers nothing.
async fn fall_silent(mut input: impl AsyncBufReadExt + Unpin) -> io::Result<()> {
    tokio::io::copy_buf(&mut input, &mut tokio::io::sink()).await.map(drop)
}
