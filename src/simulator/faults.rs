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
//! smu:drop@3         at the third command that the source-meter receives
//! ```
//!
//! The kinds are in `kind`, the patterns for commands in `pattern`, the parser in `spec`.

mod armed;
mod kind;
mod pattern;
mod spec;
mod suggestion;

use std::fmt;

use super::call::Command;
use super::part::Part;
use armed::Armed;
pub(super) use kind::Kind;
pub use spec::{BadFault, FaultSpec};

/// All faults of an instrument, and the number of commands so far.
#[derive(Debug, Default)]
pub(super) struct Faults {
    part: Part,
    commands: u64,
    /// Number of faults that have occurred.
    occurred: u64,
    armed: Vec<Armed>,
}

/// A fault that occurs at a command.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Hit {
    part: Part,
    pub(super) kind: Kind,
    /// Number of the command, from 1.
    pub(super) command: u64,
}

impl Faults {
    /// Those of the given faults that concern an instrument.
    pub(super) fn new(specs: &[FaultSpec], part: Part) -> Self {
        let own = specs.iter().filter(|spec| spec.part == part);
        Self { part, commands: 0, occurred: 0, armed: own.map(Armed::new).collect() }
    }

    pub(super) fn commands(&self) -> u64 {
        self.commands
    }

    pub(super) fn occurred(&self) -> u64 {
        self.occurred
    }

    pub(super) fn heal(&mut self) {
        self.armed.clear();
    }

    /// Counts a command (`None`: an unknown command) and returns its fault. If several faults are due, the first one
    /// given occurs, and the others wait for their next matching command.
    pub(super) fn next(&mut self, command: Option<Command<'_>>) -> Option<Hit> {
        self.commands += 1;
        let mut kind = None;
        // Every fault counts the command, whichever of them occurs.
        for armed in &mut self.armed {
            kind = kind.or(armed.next(command, kind.is_some()));
        }
        self.occurred += u64::from(kind.is_some());
        kind.map(|kind| Hit { part: self.part, kind, command: self.commands })
    }
}

/// Formatted as a fault that repeats this one: `late@57=8`.
impl fmt::Display for Hit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}@{}", self.part.prefix(), self.kind.name(), self.command)?;
        self.kind.value().map_or(Ok(()), |value| write!(f, "={value}"))
    }
}

#[cfg(test)]
mod tests;
