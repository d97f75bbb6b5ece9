//! `[deadlines]`: the time limits for each kind of exchange with the instrument, s.

use std::time::Duration;

use serde::Deserialize;

use super::{REHEARSAL_SCALE, times};
use crate::instrument::Deadlines;

/// The deadlines in a `ctp10.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Given {
    question_s: Option<f64>,
    command_s: Option<f64>,
    trace_start_s: Option<f64>,
    trace_gap_s: Option<f64>,
    reconnect_s: Option<f64>,
    scan_s: Option<f64>,
}

/// The shortest deadline of a rehearsal. A busy computer needs this long for a reply.
const REHEARSAL_SHORTEST: Duration = Duration::from_secs(2);

/// The deadlines of a rehearsal, if none are configured. Most rehearsals wait for a reply that never comes.
pub(super) fn of_rehearsal() -> Deadlines {
    let scaled = |time: Duration| time.mul_f64(REHEARSAL_SCALE).max(REHEARSAL_SHORTEST);
    let Deadlines { connect, query, action, block_start, block_stall, reconnect, scan } =
        Deadlines::default();
    Deadlines {
        connect: scaled(connect),
        query: scaled(query),
        action: scaled(action),
        block_start: scaled(block_start),
        block_stall: scaled(block_stall),
        reconnect: scaled(reconnect),
        scan: scaled(scan),
    }
}

/// Replaces the known deadlines by the given ones.
///
/// # Errors
/// A value that is not allowed, with what is allowed.
pub(super) fn set(known: &mut Deadlines, given: &Given) -> Result<(), String> {
    for (name, given, kept) in [
        ("question_s", given.question_s, &mut known.query),
        ("command_s", given.command_s, &mut known.action),
        ("trace_start_s", given.trace_start_s, &mut known.block_start),
        ("trace_gap_s", given.trace_gap_s, &mut known.block_stall),
        ("reconnect_s", given.reconnect_s, &mut known.reconnect),
        ("scan_s", given.scan_s, &mut known.scan),
    ] {
        let read = given.map(|seconds| times::time(name, seconds, "0.1 to 3600 seconds", is_allowed));
        times::set(kept, read)?;
    }
    Ok(())
}

/// A deadline shorter than the delays of a network would always fail.
fn is_allowed(time: &Duration) -> bool {
    (Duration::from_millis(100)..=Duration::from_secs(3600)).contains(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_that_was_given_counts_and_one_that_only_ever_fails_is_refused() {
        let mut known = Deadlines::default();
        let given: Given = toml::from_str("question_s = 0.5\n").unwrap();
        set(&mut known, &given).unwrap();
        assert_eq!(known, Deadlines { query: Duration::from_millis(500), ..Deadlines::default() });
        let mut known = of_rehearsal();
        set(&mut known, &given).unwrap();
        assert_eq!((known.query, known.action), (Duration::from_millis(500), Duration::from_secs(2)));
        let given: Given = toml::from_str("command_s = 0.0\n").unwrap();
        let error = set(&mut known, &given).unwrap_err();
        assert_eq!(error, "command_s `0` is not allowed (0.1 to 3600 seconds)");
    }
}
