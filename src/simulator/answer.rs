//! What a line of commands makes a session do: carries out the commands and says what is to be sent, with what the
//! faults make of it.

use std::net::SocketAddr;
use std::time::Duration;

use super::commands::{Reply, execute};
use super::errors::Rejection;
use super::faults::Kind;
use super::grammar::parse;
use super::headers::resolve;
use super::session::Shared;

/// One thing that a session does.
#[derive(Debug)]
pub(super) enum Step {
    Reply(Reply, Option<Spoil>),
    Pause(Duration),
    /// Closes the connection.
    Close,
    /// Says nothing any more.
    FallSilent,
    /// Restarts the instrument, which takes connections again after this time.
    Reboot(Duration),
}

/// What is wrong with a reply.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Spoil {
    /// Unreadable, or a block that announces so many bytes too many.
    Garbled(Option<i32>),
    /// Only the first half comes.
    Halved,
    /// A text is halved, a block or a list of values misses its last byte.
    CutShort,
    /// Bytes per second.
    Slow(f64),
}

/// Carries out every command of a line. A command in error sends nothing and leaves its reason in the queue.
pub(super) fn answer(shared: &Shared, peer: SocketAddr, text: &str) -> Vec<Step> {
    // Held for the whole line: nobody's command gets between, and faults count commands as they are carried out.
    let mut bench = shared.bench();
    let about: String = text.chars().take(60).collect();
    let mut steps = Vec::new();
    let mut path = Vec::new();
    for parsed in parse(text) {
        let call = parsed.as_ref().map_or(Err(Rejection::Syntax), |parsed| resolve(parsed, &mut path));
        let fault = shared.fault(call.as_ref().ok(), peer);
        let result = match fault {
            Some(Kind::Reboot(seconds)) => {
                steps.push(Step::Reboot(Duration::from_secs_f64(seconds)));
                return steps;
            }
            Some(Kind::Refuse) => Err(Rejection::Execution),
            _ => call.and_then(|call| execute(&mut bench, &call)),
        };
        match fault {
            Some(Kind::Hang) if result.is_ok() => bench.hang(),
            Some(Kind::ErrorQueue) => bench.errors.push(Rejection::System, ""),
            _ => {}
        }
        let reply = match result {
            Ok(Reply::Nothing) => None,
            Ok(reply) => Some(reply),
            Err(rejection) => {
                bench.errors.push(rejection, &about);
                None
            }
        };
        spoiled(reply, fault, &mut steps);
        if matches!(steps.last(), Some(Step::Close | Step::FallSilent)) {
            return steps;
        }
    }
    steps
}

/// What becomes of a reply.
fn spoiled(reply: Option<Reply>, fault: Option<Kind>, steps: &mut Vec<Step>) {
    let (before, spoil, after) = match fault {
        Some(Kind::Stall) => return steps.push(Step::FallSilent),
        // A text is not even begun.
        Some(Kind::Drop) if !matches!(reply, Some(Reply::Trace(_))) => return steps.push(Step::Close),
        Some(Kind::Drop) => (None, Some(Spoil::Halved), Some(Step::Close)),
        Some(Kind::Truncate) => (None, Some(Spoil::CutShort), Some(Step::Close)),
        Some(Kind::Late(seconds)) => (Some(Step::Pause(Duration::from_secs_f64(seconds))), None, None),
        Some(Kind::Garble(bytes)) => (None, Some(Spoil::Garbled(bytes)), None),
        Some(Kind::Slow(bandwidth)) => (None, Some(Spoil::Slow(bandwidth)), None),
        Some(Kind::Reboot(_) | Kind::Refuse | Kind::ErrorQueue | Kind::Hang) | None => (None, None, None),
    };
    let reply = reply.map(|reply| Step::Reply(reply, spoil));
    steps.extend([before, reply, after].into_iter().flatten());
}
