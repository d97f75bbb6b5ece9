//! Errors of a call to the instrument.

use super::limits::LimitExceeded;
use super::scpi::{Condition, ErrorEntry, Identity};
use crate::shown;

/// Why the instrument did not execute a request, or may not have executed it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// There is no connection, and none could be made.
    #[error("cannot reach the instrument at {address}: {reason}")]
    Unreachable {
        /// The address.
        address: String,
        /// The reason.
        reason: String,
    },
    /// Another instrument answers at the address than before.
    #[error("another instrument replied: expected `{expected}`, found `{found}`")]
    OtherInstrument {
        /// The instrument that answered before.
        expected: Box<Identity>,
        /// The instrument that answers now.
        found: Box<Identity>,
    },
    /// The instrument at the address is not the one that the configuration names.
    #[error(
        "another instrument replied at {address}: the reply to `{query}` is `{found}`, which does not contain `{expected}`"
    )]
    WrongIdentity {
        /// The address.
        address: String,
        /// The query.
        query: String,
        /// The reply.
        found: String,
        /// The text that the reply must contain.
        expected: String,
    },
    /// The connection was lost or out of step during a query. The query changed nothing.
    #[error("the connection was lost during `{command}`: {reason}")]
    Lost {
        /// The query.
        command: String,
        /// The reason.
        reason: String,
    },
    /// The connection was lost before a command was confirmed. The instrument may have executed it.
    #[error(
        "the connection was lost before `{command}` was confirmed: it is unknown whether it was carried out ({reason})"
    )]
    FateUnknown {
        /// The command.
        command: String,
        /// Why the connection was lost.
        reason: String,
    },
    /// A query got no reply in time, and the error queue gives no reason.
    #[error("no reply to `{command}` within {seconds} s")]
    NoReply {
        /// The query.
        command: String,
        /// The time waited, s.
        seconds: f64,
    },
    /// An unexpected reply came. Earlier replies may belong to other queries.
    #[error(
        "replies no longer match the queries: `{found}` arrived without a query, so the last values are not used"
    )]
    OutOfStep {
        /// The unexpected reply.
        found: String,
    },
    /// A command left errors in the error queue of the instrument.
    #[error("the instrument refused `{command}`: {}", list(.errors, .command))]
    Refused {
        /// The command.
        command: String,
        /// The errors in the queue.
        errors: Vec<ErrorEntry>,
    },
    /// A scan is in progress, and the query is only possible between scans. Nothing was sent.
    #[error("`{command}` is not allowed during a scan")]
    Scanning {
        /// The query.
        command: String,
    },
    /// A reply of the instrument cannot be true.
    #[error("the reply about {what} cannot be correct: {reason}")]
    Implausible {
        /// The subject of the reply.
        what: String,
        /// What is wrong, and what is expected.
        reason: String,
    },
    /// A scan is in progress, although the instrument was idle before the transfer. The traces may be older ones.
    #[error(
        "the instrument is not idle after the transfer ({condition}): the fetched trace may be an older one"
    )]
    ScanUnderWay {
        /// The condition register.
        condition: Condition,
    },
    /// The scan was aborted. The memory does not hold the traces of this scan.
    #[error("the scan was aborted (`{command}`)")]
    Aborted {
        /// The command that had started the scan.
        command: String,
    },
    /// A scan was started and never seen running. The traces in memory are old ones.
    #[error("the scan did not start: the instrument stayed idle after `{command}`")]
    DidNotStart {
        /// The command that should have started the scan.
        command: String,
    },
    /// The limits of the bench forbid the command. Nothing was sent.
    #[error(transparent)]
    Forbidden(#[from] LimitExceeded),
}

impl Error {
    /// Whether a command that should start a scan has certainly started none. A scan in progress then belongs to
    /// another client.
    #[must_use]
    pub fn has_started_nothing(&self) -> bool {
        match self {
            Self::Forbidden(_) => true,
            Self::Refused { errors, .. } => errors.iter().any(ErrorEntry::is_init_ignored),
            _ => false,
        }
    }

    /// Whether the instrument has refused the value of a command. The error names neither what is allowed nor the laser that
    /// decides this.
    #[must_use]
    pub fn is_about_value(&self) -> bool {
        matches!(self, Self::Refused { errors, .. } if errors.iter().any(ErrorEntry::is_about_value))
    }
}

/// The errors in words. An instrument may repeat the command in its error, and the message has named the command already.
fn list(errors: &[ErrorEntry], command: &str) -> String {
    let words = errors.iter().map(|error| {
        let said = error.to_string();
        let short = said.strip_suffix(command).and_then(|rest| rest.trim_end().strip_suffix(';'));
        short.map_or_else(|| said.clone(), str::to_owned)
    });
    shown::listed(&words.collect::<Vec<_>>(), "; ")
}
