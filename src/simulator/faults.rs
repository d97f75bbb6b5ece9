//! Requested faults: which fault occurs at which command. Pure: this module counts the commands and selects those
//! with a fault; the session produces the fault.
//!
//! A fault is written `KIND@WHERE`, or `KIND@WHERE=VALUE`:
//!
//! ```text
//! drop@57            at the 57th command of any client
//! drop@trace         at the first command that matches `trace`
//! drop@trace:2       at the second one
//! late@power:every=6 at each of them, by 6 s
//! random@7=0.01      at one command in a hundred, kinds and places from the seed 7
//! ```
//!
//! The kinds are in `kind`, the patterns for commands in `pattern`, the parser in `spec`.

mod armed;
mod kind;
mod pattern;
mod spec;
mod suggestion;

use std::fmt;

use super::headers::Call;
use armed::Armed;
pub(super) use kind::Kind;
pub use spec::{BadFault, FaultSpec};

/// All faults of a simulator, and the number of commands so far.
#[derive(Debug)]
pub(super) struct Faults {
    commands: u64,
    armed: Vec<Armed>,
}

/// A fault that occurs at a command.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hit {
    pub(super) kind: Kind,
    /// Number of the command, from 1.
    pub(super) command: u64,
}

impl Faults {
    pub(super) fn new(specs: &[FaultSpec]) -> Self {
        Self { commands: 0, armed: specs.iter().map(Armed::new).collect() }
    }

    pub(super) fn commands(&self) -> u64 {
        self.commands
    }

    pub(super) fn heal(&mut self) {
        self.armed.clear();
    }

    /// Counts a command (`None`: an unknown command) and returns its fault. If several faults are due, the first one
    /// given occurs, and the others wait for their next matching command.
    pub(super) fn next(&mut self, call: Option<&Call<'_>>) -> Option<Hit> {
        self.commands += 1;
        let mut kind = None;
        // Every fault counts the command, whichever of them occurs.
        for armed in &mut self.armed {
            kind = kind.or(armed.next(call, kind.is_some()));
        }
        kind.map(|kind| Hit { kind, command: self.commands })
    }
}

/// Formatted as a fault that repeats this one: `late@57=8`.
impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.kind.name(), self.command)?;
        self.kind.value().map_or(Ok(()), |value| write!(f, "={value}"))
    }
}

#[cfg(test)]
mod tests;
