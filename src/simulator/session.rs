//! One client's connection: lines in, replies out.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::net::TcpStream;

use super::bench::Bench;
use super::commands::{Reply, execute};
use super::errors::Rejection;
use super::grammar::parse;
use super::headers::resolve;
use super::log::CommandLog;
use super::output::Output;

/// A longer line is no command; the rest of it is thrown away.
const MAX_LINE: u64 = 64 * 1024;

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
    let mut output = Output::new(output, &shared.bench().options);
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
        for reply in replies {
            output.reply(reply).await?;
        }
        output.end().await?;
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
        let call = parsed.as_ref().map_or(Err(Rejection::Syntax), |parsed| resolve(parsed, &mut path));
        match call.and_then(|call| execute(bench, &call)) {
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
