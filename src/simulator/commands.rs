//! The commands: their effects and replies.
//!
//! Queries are in `ask`, commands in `act`, traces in `traces`.

mod act;
mod ask;
mod traces;

use super::errors::Rejection;
use super::headers::{Call, Header};
use super::state::SimulatorState;
use super::transfer::Transfer;

/// The reply to a command.
#[derive(Debug)]
pub(super) enum Reply {
    Nothing,
    Text(String),
    Trace(Box<Transfer>),
}

/// The number of the scan whose end a command waits for. `*OPC?` and `*WAI` wait for the whole scan. During analysis
/// and abort, commands that need the result wait too, and so does the start of the next scan. The reason is that real
/// clients poll only the bit "scanning".
pub(super) fn waits_for(state: &mut SimulatorState, call: &Call<'_>) -> Option<u64> {
    let waits = match call.header {
        Header::Wait => true,
        Header::Complete => call.query,
        header => header.needs_analysis() && !state.is_scanning(),
    };
    state.busy_with().filter(|_| waits)
}

/// Executes a command. `waited`: the command has waited for the end of a scan. Its trace is then available, even if
/// another scan has started since.
pub(super) fn execute(state: &mut SimulatorState, call: &Call<'_>, waited: bool) -> Result<Reply, Rejection> {
    state.advance_to_now();
    let known = if call.query { call.header.is_asked() } else { call.header.is_told() };
    if !known {
        return Err(Rejection::UndefinedHeader);
    }
    if state.options.distributed && call.header.is_laser() {
        // The lasers belong to the Controller.
        return Err(Rejection::Execution);
    }
    if call.query { ask::ask(state, call, waited) } else { act::act(state, call, waited) }
}
