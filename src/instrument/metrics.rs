//! Metrics of the link: exchanges, their waiting times and durations, and failures.

use std::time::Duration;

use crate::metrics::{
    CONNECTIONS_LOST, EXCHANGE_WAIT, EXCHANGE_WIRE, EXCHANGES, EXCHANGES_FAILED, INSTRUMENT_ERRORS,
};

/// The kind of an exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Question,
    Command,
    Block,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Question => "question",
            Self::Command => "command",
            Self::Block => "block",
        }
    }
}

/// Counts a successful exchange: its wait for the link, and its time on the wire.
pub(super) fn exchange(kind: Kind, waited: Duration, on_wire: Duration) {
    EXCHANGES.add_of(kind.name(), 1);
    EXCHANGE_WAIT.record_of(kind.name(), waited);
    EXCHANGE_WIRE.record_of(kind.name(), on_wire);
}

/// Counts an exchange without a valid reply.
pub(super) fn failed(kind: Kind) {
    EXCHANGES_FAILED.add_of(kind.name(), 1);
}

/// Counts the errors that a command left in the error queue.
pub(super) fn refusals(count: usize) {
    INSTRUMENT_ERRORS.add(count as u64);
}

/// Counts a lost connection.
pub(super) fn lost() {
    CONNECTIONS_LOST.add(1);
}
