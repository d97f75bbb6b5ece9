//! The figures of the link that an operator watches: exchanges, how long they waited and took, what failed.

use std::time::Duration;

use metrics::{counter, histogram};

/// What kind of exchange.
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

/// An exchange succeeded: how long it waited for the link, and how long it took on the wire.
pub(super) fn exchange(kind: Kind, waited: Duration, on_wire: Duration) {
    counter!("ctp10_exchanges_total", "kind" => kind.name()).increment(1);
    histogram!("ctp10_exchange_wait_seconds", "kind" => kind.name()).record(waited.as_secs_f64());
    histogram!("ctp10_exchange_wire_seconds", "kind" => kind.name()).record(on_wire.as_secs_f64());
}

/// An exchange had no reply that made sense.
pub(super) fn failed(kind: Kind) {
    counter!("ctp10_exchanges_failed_total", "kind" => kind.name()).increment(1);
}

/// Errors that the instrument had put into its queue because of a command.
pub(super) fn refusals(count: usize) {
    counter!("ctp10_instrument_errors_total").increment(count as u64);
}

/// The connection was lost.
pub(super) fn lost() {
    counter!("ctp10_connections_lost_total").increment(1);
}
