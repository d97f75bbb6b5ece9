//! What a line of commands makes a session do: carries out the commands and says what is to be sent, with what the
//! faults make of it.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use super::commands::{Reply, execute, waits_for};
use super::errors::Rejection;
use super::faults::Kind;
use super::grammar::{Node, Parsed, parse};
use super::headers::resolve;
use super::session::SimulatorContext;

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

/// A line of commands that is being carried out.
pub(super) struct Line {
    peer: SocketAddr,
    /// Its beginning, for the error queue.
    about: String,
    commands: VecDeque<Option<Parsed>>,
    path: Vec<Node>,
    replied: bool,
    waiting: Option<u64>,
}

/// How far a line has come.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// Every command has been carried out, or no more will be.
    Done,
    /// The next command waits for the end of a scan. It is to be tried again.
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

    /// Carries out commands until the end of the line, or until one has to wait. A command in error sends nothing and
    /// leaves its reason in the queue.
    pub(super) fn proceed(&mut self, shared: &SimulatorContext, steps: &mut Vec<Step>) -> Progress {
        // Held for as many commands as possible: nobody's command gets between, and faults count commands as they are
        // carried out.
        let mut state = shared.state();
        while let Some(parsed) = self.commands.pop_front() {
            let mut path = self.path.clone();
            let call = parsed.as_ref().map_or(Err(Rejection::Syntax), |parsed| resolve(parsed, &mut path));
            let scan = call.as_ref().ok().and_then(|call| waits_for(&mut state, call));
            let waited = self.waiting.is_some() && self.waiting != scan;
            if scan.is_some() && !waited {
                self.waiting = scan;
                drop(call);
                self.commands.push_front(parsed);
                return Progress::Waits;
            }
            (self.path, self.waiting) = (path, None);
            let fault = shared.fault(call.as_ref().ok(), self.peer);
            state.status.message_available = self.replied;
            let result = match fault {
                Some(Kind::Reboot(seconds)) => {
                    steps.push(Step::Reboot(Duration::from_secs_f64(seconds)));
                    return Progress::Done;
                }
                Some(Kind::Refuse) => Err(Rejection::Execution),
                _ => call.and_then(|call| execute(&mut state, &call, waited)),
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

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use proptest::prelude::*;
    use tokio::sync::mpsc;

    use super::super::SimulatorOptions;
    use super::super::device::Device;
    use super::super::faults::Faults;
    use super::super::state::SimulatorState;
    use super::*;

    fn shared() -> SimulatorContext {
        let options = SimulatorOptions { preload: true, points: Some(11), ..SimulatorOptions::default() };
        SimulatorContext {
            state: Mutex::new(SimulatorState::new(options, Device::Ring)),
            faults: Mutex::new(Faults::new(&[])),
            log: None,
            reboots: mpsc::unbounded_channel().0,
        }
    }

    /// The replies to a line, and the errors that it added to the queue.
    fn said(shared: &SimulatorContext, text: &str) -> (usize, usize) {
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
            // A query has one reply or one error, a command none or one error.
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
