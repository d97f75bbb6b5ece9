//! Faults on demand: what goes wrong, and at which command. Pure: it counts the commands as they come and says
//! which of them a fault hits; the session carries the fault out.
//!
//! A fault is written `KIND@WHERE`, or `KIND@WHERE=VALUE`:
//!
//! ```text
//! drop@57            at the 57th command, whoever sends it
//! drop@trace         at the first command that is meant by `trace`
//! drop@trace:2       at the second
//! late@power:every=6 at each of them, by 6 s
//! random@7=0.01      one command in a hundred, kinds and places from the seed 7
//! ```
//!
//! Kinds are in `kind`, what can stand for a command in `pattern`, the text in `spec`.

mod armed;
mod kind;
mod pattern;
mod spec;

use std::fmt;

use super::headers::Call;
use armed::Armed;
pub(super) use kind::Kind;
pub use spec::{BadFault, FaultSpec};

/// All faults of an instrument, and how far it has come.
#[derive(Debug)]
pub(super) struct Faults {
    commands: u64,
    armed: Vec<Armed>,
}

/// A fault that hits a command.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hit {
    pub(super) kind: Kind,
    /// The command's number, from 1.
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

    /// Counts a command (`None`: one that nobody understands) and says what goes wrong with it. Where several
    /// faults are due, the one that was given first hits; the others wait for their next chance.
    pub(super) fn next(&mut self, call: Option<&Call<'_>>) -> Option<Hit> {
        self.commands += 1;
        let mut kind = None;
        // Each of them counts, whether another one hits or not.
        for armed in &mut self.armed {
            kind = kind.or(armed.next(call, kind.is_some()));
        }
        kind.map(|kind| Hit { kind, command: self.commands })
    }
}

/// As the fault that does the same again: `late@57=8`.
impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.kind.name(), self.command)?;
        self.kind.value().map_or(Ok(()), |value| write!(f, "={value}"))
    }
}

#[cfg(test)]
mod tests;
