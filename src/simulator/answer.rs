//! Processes a line of commands: executes them, and collects the replies as changed by faults.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::call::{Call, resolve};
use super::commands::Reply;
use super::errors::Rejection;
use super::faults::Kind;
use super::grammar::{Node, Parsed, parse};
use super::session::Context;
use super::simulated::Simulated;

/// One action of a session.
#[derive(Debug)]
pub(super) enum Step {
    Reply(Reply, Option<Spoil>),
    Pause(Duration),
    /// Closes the connection.
    Close,
    /// Sends no more replies.
    FallSilent,
    /// Restarts the instrument, which accepts connections again after this time.
    Reboot(Duration),
}

/// A defect of a reply.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Spoil {
    /// The reply is unreadable, or its block announces this many additional bytes.
    Garbled(Option<i32>),
    /// Only the first half is sent.
    Halved,
    /// A text is cut in half; a block or a list of values lacks its last byte.
    CutShort,
    /// Bytes per second.
    Slow(f64),
}

/// A line of commands that is being executed.
pub(super) struct Line {
    peer: SocketAddr,
    /// The beginning of the line, for the error queue.
    about: String,
    commands: VecDeque<Option<Parsed>>,
    path: Vec<Node>,
    replied: bool,
    waiting: Option<u64>,
}

/// The progress of a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// No command is left, or no more will be executed.
    Done,
    /// The next command waits for the end of a scan, and must be tried again.
    Waits,
}

impl Line {
    pub(super) fn new(text: &str, peer: SocketAddr) -> Self {
        Self {
            peer,
            about: text.chars().take(60).collect(),
            commands: parse(text).into(),
            path: Vec::new(),
            replied: false,
            waiting: None,
        }
    }

    /// Executes commands until the end of the line, or until one must wait. A wrong command has no reply, and leaves
    /// an error in the queue.
    pub(super) fn proceed<I: Simulated>(&mut self, shared: &Context<I>, steps: &mut Vec<Step>) -> Progress {
        // Locked for as many commands as possible. No command of another client comes in between, and faults count
        // commands in the order of their execution.
        let mut state = shared.state();
        while let Some(parsed) = self.commands.pop_front() {
            let mut path = self.path.clone();
            let call = parsed.as_ref().ok_or(Rejection::Syntax);
            let call = call.and_then(|parsed| resolve::<I::Header>(parsed, &mut path));
            let scan = call.as_ref().ok().and_then(|call| state.waits_for(call));
            let waited = self.waiting.is_some() && self.waiting != scan;
            if scan.is_some() && !waited {
                self.waiting = scan;
                drop(call);
                self.commands.push_front(parsed);
                return Progress::Waits;
            }
            (self.path, self.waiting) = (path, None);
            let fault = shared.fault(call.as_ref().ok().map(Call::command), self.peer);
            state.mark_replied(self.replied);
            let result = match fault {
                Some(Kind::Reboot(seconds)) => {
                    steps.push(Step::Reboot(Duration::from_secs_f64(seconds)));
                    return Progress::Done;
                }
                Some(Kind::Refuse) => Err(Rejection::Execution),
                _ => call.and_then(|call| state.execute(&call, waited)),
            };
            match fault {
                Some(Kind::Hang) if result.is_ok() => state.hang(),
                Some(Kind::ErrorQueue) => state.reject(Rejection::System, ""),
                _ => {}
            }
            let reply = match result {
                Ok(Reply::Nothing) => None,
                Ok(reply) => Some(reply),
                Err(rejection) => {
                    state.reject(rejection, &self.about);
                    None
                }
            };
            self.replied |= reply.is_some();
            spoiled(reply, fault, steps);
            if matches!(steps.last(), Some(Step::Close | Step::FallSilent)) {
                return Progress::Done;
            }
        }
        Progress::Done
    }
}

/// Applies a fault to a reply.
fn spoiled(reply: Option<Reply>, fault: Option<Kind>, steps: &mut Vec<Step>) {
    let (before, spoil, after) = match fault {
        Some(Kind::Stall) => return steps.push(Step::FallSilent),
        // A text is not sent at all.
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use proptest::prelude::*;
    use tokio::sync::mpsc;

    use super::super::SimulatorOptions;
    use super::super::chip::SharedChip;
    use super::super::faults::Faults;
    use super::super::state::SimulatorState;
    use super::*;

    fn shared() -> Context<SimulatorState> {
        let options = SimulatorOptions { preload: true, points: Some(11), ..SimulatorOptions::default() };
        Context {
            state: Mutex::new(SimulatorState::new(options.clone(), SharedChip::default())),
            faults: Mutex::new(Faults::default()),
            log: None,
            options,
            reboots: mpsc::unbounded_channel().0,
        }
    }

    /// The number of replies to a line, and of the errors that it added to the queue.
    fn said(shared: &Context<SimulatorState>, text: &str) -> (usize, usize) {
        let mut steps = Vec::new();
        let before = shared.state().errors.len();
        let progress = Line::new(text, ([127, 0, 0, 1], 1).into()).proceed(shared, &mut steps);
        assert_eq!(progress, Progress::Done, "{text}");
        (steps.len(), shared.state().errors.len().saturating_sub(before))
    }

    proptest! {
        #[test]
        fn a_command_is_answered_or_carried_out_or_leaves_one_error(
            text in prop_oneof![
                "\\PC{0,30}",
                "[:*]?(INIT|TRAC|CTP|SYST|SENS4|CHAN1|TYPE11|TLS1|WAV|STAR|DATA|POW|RLAS1|IDN|ESE|:|1|2){1,9}\\??( [-+0-9.E,NMDBHZ#\"' ]{0,9})?",
            ]
        ) {
            prop_assume!(!text.contains(';') && !text.trim_matches(|c: char| c <= ' ').is_empty());
            let shared = shared();
            let (replies, errors) = said(&shared, &text);
            // A query has one reply or one error, a command at most one error.
            let asked = text.split([' ', '\t']).find(|part| !part.is_empty()).is_some_and(|part| part.ends_with('?'));
            prop_assert_eq!(replies + errors, if asked { 1 } else { errors }, "{}", text);
            prop_assert!(errors <= 1);
            prop_assert_eq!(said(&shared, "*CLS;*IDN?").0, 1);
        }
    }

    #[test]
    fn as_many_replies_come_as_queries_were_understood() {
        let shared = shared();
        for (line, replies, errors) in [
            ("*IDN?;*OPC?;:STAT:OPER:COND?", 3, 0),
            ("*IDN?;NO?;:INIT:TLS1:POW?;SPE?;*ESE 4", 3, 1),
            ("TRAC:SENS4:CHAN1:TYPE1:DATA? BIN,DB;DATA:X? BIN,M;LENG?", 3, 0),
            ("; ;;", 0, 0),
            ("?;??;:;*;1", 0, 5),
        ] {
            assert_eq!(said(&shared, line), (replies, errors), "{line}");
        }
    }
}
