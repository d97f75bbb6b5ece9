//! The commands: what each of them does to the bench, and what it answers.
//!
//! Questions are in `ask`, what is done or set in `act`, traces in `traces`.

mod act;
mod ask;
mod traces;

use super::errors::Rejection;
use super::headers::{Call, Header};
use super::state::SimulatorState;
use super::transfer::Transfer;

/// What a command answers.
#[derive(Debug)]
pub(super) enum Reply {
    Nothing,
    Text(String),
    Trace(Box<Transfer>),
}

/// The scan whose end a command waits for, by its number. `*OPC?` and `*WAI` wait for the whole scan. While a scan
/// is analyzed or aborted, what needs its result waits too, and so does the start of the next one: real clients watch
/// the bit "scanning" only.
pub(super) fn waits_for(state: &mut SimulatorState, call: &Call<'_>) -> Option<u64> {
    let waits = match call.header {
        Header::Wait => true,
        Header::Complete => call.query,
        header => header.needs_analysis() && !state.is_scanning(),
    };
    state.busy_with().filter(|_| waits)
}

/// Carries out a command. `waited`: it has waited for the end of a scan, so that its trace is there even if another
/// scan has started since.
pub(super) fn execute(state: &mut SimulatorState, call: &Call<'_>, waited: bool) -> Result<Reply, Rejection> {
    state.advance_to_now();
    let known = if call.query { call.header.is_asked() } else { call.header.is_told() };
    if !known {
        return Err(Rejection::UndefinedHeader);
    }
    if state.options.distributed && call.header.is_laser() {
        // The lasers are the Controller's.
        return Err(Rejection::Execution);
    }
    if call.query { ask::ask(state, call, waited) } else { act::act(state, call, waited) }
}
