//! Metrics of the link: exchanges, their waiting times and durations, and failures.

use std::time::Duration;

use metrics::{counter, histogram};

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
    counter!("ctp10_exchanges_total", "kind" => kind.name()).increment(1);
    histogram!("ctp10_exchange_wait_seconds", "kind" => kind.name()).record(waited.as_secs_f64());
    histogram!("ctp10_exchange_wire_seconds", "kind" => kind.name()).record(on_wire.as_secs_f64());
}

/// Counts an exchange without a valid reply.
pub(super) fn failed(kind: Kind) {
    counter!("ctp10_exchanges_failed_total", "kind" => kind.name()).increment(1);
}

/// Counts the errors that a command left in the error queue.
pub(super) fn refusals(count: usize) {
    counter!("ctp10_instrument_errors_total").increment(count as u64);
}

/// Counts a lost connection.
pub(super) fn lost() {
    counter!("ctp10_connections_lost_total").increment(1);
}
