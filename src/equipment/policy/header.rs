//! Headers of commands, compared as an instrument would: by their short forms.

/// Nodes that SCPI instruments accept and ignore, because they say what is meant anyway.
const OPTIONAL: [&str; 3] = ["LEV", "IMM", "AMPL"];

/// The header of a command: its nodes in their short forms.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header(Vec<Node>);

#[derive(Debug, Clone, PartialEq)]
struct Node {
    /// The short form of what is before the first digit.
    name: String,
    /// The number behind the name, if there is one.
    number: Option<u32>,
    /// What is behind the number: the last letter of `V2V`.
    rest: String,
}

impl Node {
    fn parse(text: &str) -> Self {
        let (name, tail) = text.split_at(number_in(text).unwrap_or(text.len()));
        let end = tail.find(|c: char| !c.is_ascii_digit()).unwrap_or(tail.len());
        let (digits, rest) = tail.split_at(end);
        // No channel has a number that is too large to be read.
        let number = (!digits.is_empty()).then(|| digits.parse().unwrap_or(u32::MAX));
        Self { name: short(name.trim_end_matches('_')), number, rest: rest.to_ascii_uppercase() }
    }

    /// Whether a limit of this node applies to another one. A limit without a number is for all numbers.
    fn covers(&self, other: &Self) -> bool {
        self.name == other.name
            && self.number.is_none_or(|number| number == other.number.unwrap_or(1))
            && (self.rest.is_empty() || self.rest == other.rest)
    }
}

/// Where the first number of a node begins.
fn number_in(node: &str) -> Option<usize> {
    node.find(|c: char| c.is_ascii_digit())
}

impl Header {
    pub(super) fn parse(written: &str) -> Self {
        let written = written.trim_end_matches('?');
        let nodes = written.split(':').filter(|node| !node.is_empty()).map(Node::parse);
        Self(nodes.filter(|node| !OPTIONAL.contains(&node.name.as_str())).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The number at the end of a written header without arguments: the voltage of `V6`. If this limit names the number
    /// itself, as `V1` does, the number is a channel.
    pub(super) fn value_in<'a>(&self, written: &'a str) -> Option<&'a str> {
        let last = written.rsplit(':').next()?;
        let word = last.split(|c: char| !is_in_word(c) && c != '.').next()?;
        let is_named = self.0.last() == Some(&Node::parse(word));
        number_in(last).filter(|_| !is_named).map(|at| &last[at..])
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether all nodes of this limit are in a header, in the same order.
    pub(super) fn is_within(&self, header: &Self) -> bool {
        let mut rest = header.0.iter();
        self.0.iter().all(|node| rest.any(|other| node.covers(other)))
    }

    /// The lengths of the beginnings of this header, the longest first.
    pub(super) fn beginnings(&self) -> impl Iterator<Item = usize> {
        (1..=self.len()).rev()
    }

    /// Whether the first nodes of this header are those of a limit without some of its nodes: `:VOLT` and `:VOLT:PROT` for
    /// `:SOUR:VOLT`.
    pub(super) fn shortens(&self, limit: &Self, length: usize) -> bool {
        let (nodes, mut rest) = (&self.0[..length], limit.0.iter());
        let is_part = nodes.iter().all(|node| rest.any(|other| other.covers(node)));
        is_part && nodes.last().zip(limit.0.last()).is_some_and(|(node, other)| other.covers(node))
    }
}

/// The header and the arguments of a line. Some instruments that do not speak SCPI take `name=value`.
pub(super) fn split(line: &str) -> (&str, &str) {
    let line = line.trim();
    let end = line.find(|c: char| c.is_ascii_whitespace() || c == '=').unwrap_or(line.len());
    let (header, arguments) = line.split_at(end);
    (header, arguments.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '='))
}

/// All ways to read a line as a header and its arguments. Not every instrument needs a space: `V,6`, `V+6`, `V(6)`.
pub(super) fn readings(line: &str) -> impl Iterator<Item = (&str, &str)> {
    let line = line.trim();
    let (header, arguments) = split(line);
    let ends = header.char_indices().filter(|(_, c)| !is_in_word(*c));
    std::iter::once((header, arguments)).chain(ends.map(|(end, _)| line.split_at(end)))
}

/// Whether a line asks, and sets nothing.
pub(super) fn is_query(line: &str) -> bool {
    let header = split(line).0;
    let asked = header.strip_suffix('?').map(|header| header.strip_prefix('*').unwrap_or(header));
    asked.is_some_and(|header| header.chars().all(is_in_word))
}

fn is_in_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, ':' | '_')
}

/// A line in the form in which lines and patterns are compared: in capitals, with short headers and one space.
pub(super) fn normal(line: &str) -> String {
    let line = line.trim().to_ascii_uppercase();
    let end = line.find(|c: char| c.is_ascii_whitespace()).unwrap_or(line.len());
    let (header, arguments) = line.split_at(end);
    let mut normal = String::with_capacity(line.len());
    let mut word = String::new();
    for letter in header.strip_prefix(':').unwrap_or(header).chars() {
        if letter.is_ascii_alphabetic() {
            word.push(letter);
        } else {
            normal.push_str(&short(&std::mem::take(&mut word)));
            normal.push(letter);
        }
    }
    normal.push_str(&short(&word));
    if !arguments.trim().is_empty() {
        normal.push(' ');
        normal.push_str(arguments.trim());
    }
    normal
}

/// The short form of a word: its first four letters, or three if the fourth is a vowel (SCPI-99, volume 1, 6.2.1).
fn short(word: &str) -> String {
    let word = word.to_ascii_uppercase();
    let is_word = word.bytes().all(|byte| byte.is_ascii_alphabetic());
    match word.as_bytes() {
        [_, _, _, b'A' | b'E' | b'I' | b'O' | b'U', ..] if is_word => word[..3].to_owned(),
        [_, _, _, _, _, ..] if is_word => word[..4].to_owned(),
        _ => word,
    }
}

/// The header of a line as it identifies a setting: `SOUR:VOLT` for each way to write it.
#[must_use]
pub fn header_of(line: &str) -> String {
    normal(split(line).0)
}
