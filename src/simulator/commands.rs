//! The commands: their effects and replies.
//!
//! Queries are in `ask`, commands in `act`, traces in `traces`.

mod act;
mod ask;
mod traces;

use super::call::Call;
use super::errors::Rejection;
use super::headers::Header;
use super::simulated::Simulated;
use super::state::SimulatorState;
use super::transfer::Transfer;

/// The reply to a command.
#[derive(Debug)]
pub(super) enum Reply {
    Nothing,
    Text(String),
    Trace(Box<Transfer>),
}

impl Simulated for SimulatorState {
    type Header = Header;

    const REPLY_END: &'static str = "\r\n";

    /// Waiting commands need the trace of the scan. It is available to them, even if another scan has started since.
    fn execute(&mut self, call: &Call<'_>, waited: bool) -> Result<Reply, Rejection> {
        self.advance_to_now();
        call.check_use()?;
        if self.options.distributed && call.header.is_laser() {
            // The lasers belong to the Controller.
            return Err(Rejection::Execution);
        }
        if call.query { ask::ask(self, call, waited) } else { act::act(self, call, waited) }
    }

    /// `*OPC?` and `*WAI` wait for the whole scan. During analysis and abort, commands that need the result wait too,
    /// and so does the start of the next scan. The reason is that real clients poll only the bit "scanning".
    fn waits_for(&mut self, call: &Call<'_>) -> Option<u64> {
        let waits = match call.header {
            Header::Wait => true,
            Header::Complete => call.query,
            header => header.needs_analysis() && !self.is_scanning(),
        };
        self.busy_with().filter(|_| waits)
    }

    fn reject(&mut self, rejection: Rejection, about: &str) {
        self.errors.push(rejection, about);
        self.status.error(rejection);
    }

    fn mark_replied(&mut self, replied: bool) {
        self.status.message_available = replied;
    }

    fn hang(&mut self) {
        self.prolong_scan();
    }

    fn restart(&mut self) {
        self.power_on();
    }
}
