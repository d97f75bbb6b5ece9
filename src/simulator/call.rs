//! One command with its header resolved.

use super::errors::Rejection;
use super::grammar::{Node, Parsed};
use super::headers::Header;
use super::vocabulary::{Facts, Vocabulary};

/// One command with its header resolved.
#[derive(Debug, Clone)]
pub(super) struct Call<'a, H = Header> {
    pub(super) header: H,
    /// The numbers in the header, in order; `None` for omitted ones.
    pub(super) suffixes: Vec<Option<u32>>,
    pub(super) query: bool,
    /// Whether the last node of the header is `IMMediate`.
    pub(super) immediate: bool,
    pub(super) arguments: &'a [String],
}

/// What faults see of a command.
#[derive(Debug, Clone, Copy)]
pub(super) struct Command<'a> {
    pub(super) facts: Facts,
    pub(super) suffixes: &'a [Option<u32>],
    pub(super) query: bool,
}

/// Resolves a header. `path` is the header of the previous command on the line, which a header without a colon
/// continues (`INIT:WAV:STAR 1520NM;STOP 1580NM`, SCPI-99).
pub(super) fn resolve<'a, H: Vocabulary>(
    parsed: &'a Parsed,
    path: &mut Vec<Node>,
) -> Result<Call<'a, H>, Rejection> {
    let branch = if parsed.absolute { &[] } else { path.split_last().map_or(&[][..], |(_, branch)| branch) };
    let nodes: Vec<Node> = branch.iter().chain(&parsed.nodes).cloned().collect();
    let (header, suffixes) = H::lookup(&nodes).ok_or(Rejection::UndefinedHeader)?;
    let immediate = nodes.last().is_some_and(|node| ["IMM", "IMMEDIATE"].contains(&node.name.as_str()));
    // A common command does not change the path.
    if !nodes[0].name.starts_with('*') {
        *path = nodes;
    }
    Ok(Call { header, suffixes, query: parsed.query, immediate, arguments: &parsed.arguments })
}

impl<H: Vocabulary> Call<'_, H> {
    /// Refuses a query of a header that is only a command, and the reverse.
    pub(super) fn check_use(&self) -> Result<(), Rejection> {
        let facts = self.header.facts();
        let known = if self.query { facts.is_asked() } else { facts.is_told() };
        if known { Ok(()) } else { Err(Rejection::UndefinedHeader) }
    }

    pub(super) fn command(&self) -> Command<'_> {
        Command { facts: self.header.facts(), suffixes: &self.suffixes, query: self.query }
    }
}

impl<H> Call<'_, H> {
    /// The only argument.
    pub(super) fn one(&self) -> Result<&str, Rejection> {
        match self.arguments {
            [] => Err(Rejection::MissingParameter),
            [only] => Ok(only),
            _ => Err(Rejection::ParameterNotAllowed),
        }
    }

    /// Checks that there is no argument.
    pub(super) fn none(&self) -> Result<(), Rejection> {
        if self.arguments.is_empty() { Ok(()) } else { Err(Rejection::ParameterNotAllowed) }
    }

    /// The number at a position of the header. An omitted number means 1.
    pub(super) fn suffix(&self, index: usize) -> u32 {
        number_at(&self.suffixes, index)
    }
}

impl Command<'_> {
    /// The number at a position of the header. An omitted number means 1.
    pub(super) fn suffix(&self, index: usize) -> u32 {
        number_at(self.suffixes, index)
    }
}

fn number_at(suffixes: &[Option<u32>], index: usize) -> u32 {
    suffixes.get(index).copied().flatten().unwrap_or(1)
}
