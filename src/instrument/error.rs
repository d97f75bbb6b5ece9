//! What can go wrong between a call and the instrument.

use super::limits::LimitExceeded;
use super::scpi::{Condition, ErrorEntry, Identity};
use crate::shown;

/// Why the instrument did not do, or may not have done, what it was asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// There is no connection and none could be made.
    #[error("cannot reach the instrument at {address}: {reason}")]
    Unreachable {
        /// Where it was looked for.
        address: String,
        /// Why not.
        reason: String,
    },
    /// Something answers at the address, and it is not the instrument that was there before.
    #[error("another instrument answers: expected `{expected}`, found `{found}`")]
    OtherInstrument {
        /// Who was there.
        expected: Box<Identity>,
        /// Who is there now.
        found: Box<Identity>,
    },
    /// The connection broke or fell out of step during a question; nothing was changed by it.
    #[error("the connection was lost during `{command}`: {reason}")]
    Lost {
        /// The question.
        command: String,
        /// How it was lost.
        reason: String,
    },
    /// The connection broke before the instrument confirmed a command: it may have carried it out.
    #[error(
        "the connection was lost before `{command}` was confirmed: it may or may not have been done ({reason})"
    )]
    FateUnknown {
        /// The command.
        command: String,
        /// How the connection was lost.
        reason: String,
    },
    /// A question got no answer in time, and the error queue gives no reason.
    #[error("no reply to `{command}` within {seconds} s")]
    NoReply {
        /// The question.
        command: String,
        /// How long it was waited for, s.
        seconds: f64,
    },
    /// A reply came that nobody had asked for: what was read before it may belong to other questions.
    #[error(
        "questions and replies are out of step: `{found}` came unasked, and what was read is not relied on"
    )]
    OutOfStep {
        /// What came.
        found: String,
    },
    /// The instrument put errors into its queue because of a command.
    #[error("the instrument refused `{command}`: {}", list(.errors))]
    Refused {
        /// The command.
        command: String,
        /// What the queue held.
        errors: Vec<ErrorEntry>,
    },
    /// A scan is under way, and what was asked for can only be had between scans; nothing was sent.
    #[error("`{command}` cannot be asked while a scan is under way")]
    Scanning {
        /// The question.
        command: String,
    },
    /// What the instrument says of something cannot be true.
    #[error("what the instrument says of {what} cannot be true: {reason}")]
    Implausible {
        /// Of what.
        what: String,
        /// What is wrong with it, with what is expected.
        reason: String,
    },
    /// A scan is under way although the instrument was idle when its traces were asked for: they may be older ones.
    #[error(
        "the instrument is not idle after the transfer ({condition}): what was fetched may be an older trace"
    )]
    ScanUnderWay {
        /// What the instrument does.
        condition: Condition,
    },
    /// A scan ended because somebody aborted it: what is in memory is not what it should have brought.
    #[error("the scan was aborted (`{command}`)")]
    Aborted {
        /// What had started it.
        command: String,
    },
    /// A scan was started and never seen running: the traces in memory are old ones.
    #[error("the scan did not start: the instrument stayed idle after `{command}`")]
    DidNotStart {
        /// What should have started it.
        command: String,
    },
    /// The bench's own limits forbid it; nothing was sent.
    #[error(transparent)]
    Forbidden(#[from] LimitExceeded),
}

impl Error {
    /// Whether a command that was to start a scan has certainly started none: a scan that is under way all the same is
    /// somebody else's.
    #[must_use]
    pub fn has_started_nothing(&self) -> bool {
        match self {
            Self::Forbidden(_) => true,
            Self::Refused { errors, .. } => errors.iter().any(ErrorEntry::is_init_ignored),
            _ => false,
        }
    }
}

fn list(errors: &[ErrorEntry]) -> String {
    shown::listed(errors, "; ")
}
