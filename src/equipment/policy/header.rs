//! Headers of commands, compared as an instrument would: by their short forms.

/// Nodes that SCPI instruments accept and ignore, because they say what is meant anyway.
const OPTIONAL: [&str; 3] = ["LEV", "IMM", "AMPL"];

/// The header of a command: its nodes in their short forms.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Header(Vec<Node>);

#[derive(Debug, Clone, PartialEq)]
struct Node {
    name: String,
    /// The number behind the name, if there is one.
    suffix: Option<u32>,
}

impl Node {
    fn parse(text: &str) -> Self {
        let name = text.trim_end_matches(|c: char| c.is_ascii_digit());
        Self { name: short(name), suffix: text[name.len()..].parse().ok() }
    }

    /// Whether a limit of this node applies to another one. A limit without a number is for all numbers.
    fn covers(&self, other: &Self) -> bool {
        self.name == other.name && self.suffix.is_none_or(|suffix| suffix == other.suffix.unwrap_or(1))
    }
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

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether all nodes of this limit are in a header, in the same order.
    pub(super) fn is_within(&self, header: &Self) -> bool {
        let mut rest = header.0.iter();
        self.0.iter().all(|node| rest.any(|other| node.covers(other)))
    }

    /// Whether this header is the one of a limit without some of its nodes: `:VOLT` for `:SOUR:VOLT`.
    pub(super) fn shortens(&self, limit: &Self) -> bool {
        let mut rest = limit.0.iter();
        let is_part = self.0.iter().all(|node| rest.any(|other| other.covers(node)));
        let same_end = self.0.last().zip(limit.0.last()).is_some_and(|(node, other)| other.covers(node));
        is_part && same_end && !self.is_empty()
    }
}

/// The header and the arguments of a line. Some instruments that do not speak SCPI take `name=value`.
pub(super) fn split(line: &str) -> (&str, &str) {
    let line = line.trim();
    let end = line.find(|c: char| c.is_ascii_whitespace() || c == '=').unwrap_or(line.len());
    let (header, arguments) = line.split_at(end);
    (header, arguments.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '='))
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
