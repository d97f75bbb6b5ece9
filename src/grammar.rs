//! The grammar of SCPI program lines, according to SCPI-99 and IEEE 488.2. This module knows no instrument: neither
//! its headers nor their meaning. A line contains units, separated by `;`. A unit has a header and arguments,
//! separated by `,`. A header that begins with neither `:` nor `*` continues the path of the previous header of the
//! line. There are no comments.

mod data;
mod lexer;
mod pattern;

use std::fmt;

pub use data::Data;
pub use pattern::matches;

/// A line that is not SCPI.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{part}` is not SCPI: {reason}")]
pub struct Malformed {
    /// The part that is wrong.
    pub part: String,
    /// The reason.
    pub reason: String,
}

/// A parsed program line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The units in order, without empty ones.
    pub units: Vec<Unit>,
}

/// One command or query of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unit {
    /// The text as written, without spaces around it.
    pub text: String,
    /// Whether it is a query: its header ends with `?`.
    pub is_query: bool,
    /// The arguments as written, each without spaces around it.
    pub arguments: Vec<String>,
    /// The header with the path of the previous header.
    header: Header,
    /// The header as written, if the path of the previous header would change it.
    from_root: Option<Header>,
}

/// A header with its full path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header(pub Vec<Node>);

/// One node of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// The letters in upper case; a common command starts with `*`.
    pub name: String,
    /// The number after the letters; 1 if it is omitted.
    pub suffix: u32,
}

/// Case and an omitted 1 make no difference. Long and short forms are different here, because this module knows no
/// headers.
impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, node) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            let suffix = if node.suffix == 1 { String::new() } else { node.suffix.to_string() };
            write!(f, "{colon}{}{suffix}", node.name)?;
        }
        Ok(())
    }
}

impl Line {
    /// Parses a line.
    ///
    /// # Errors
    /// If it is not SCPI, or empty.
    pub fn parse(line: &str) -> Result<Self, Malformed> {
        let mut path = Vec::new();
        let mut units = Vec::new();
        for text in lexer::split(line, ';')? {
            if !text.is_empty() {
                units.push(unit(text, &mut path)?);
            }
        }
        if units.is_empty() {
            return Err(Malformed { part: line.to_owned(), reason: "it contains no command".to_owned() });
        }
        Ok(Self { units })
    }

    /// Whether all units are queries: such a line may be sent again.
    #[must_use]
    pub fn is_query(&self) -> bool {
        self.units.iter().all(|unit| unit.is_query)
    }

    /// Whether any unit is a query: such a line has a reply.
    #[must_use]
    pub fn has_reply(&self) -> bool {
        self.units.iter().any(|unit| unit.is_query)
    }
}

impl Unit {
    /// The possible headers: according to SCPI's rule for paths, then as written, because some instruments accept this.
    pub fn headers(&self) -> impl Iterator<Item = &Header> {
        std::iter::once(&self.header).chain(&self.from_root)
    }

    /// The header according to SCPI's rule for paths.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The decoded arguments; `None` for an argument that is not SCPI data.
    pub fn data(&self) -> impl Iterator<Item = Option<Data>> {
        self.arguments.iter().map(|argument| Data::parse(argument))
    }

    /// The unit as a separate line, with its full path.
    #[must_use]
    pub fn alone(&self, header: &Header) -> String {
        let question = if self.is_query { "?" } else { "" };
        let space = if self.arguments.is_empty() { "" } else { " " };
        format!("{header}{question}{space}{}", self.arguments.join(","))
    }
}

/// Parses a unit. `path` is the path of the previous header, and becomes the path of this one.
fn unit(text: &str, path: &mut Vec<Node>) -> Result<Unit, Malformed> {
    let malformed = |reason: String| Malformed { part: text.to_owned(), reason };
    let end = text.find(lexer::is_space).unwrap_or(text.len());
    let (written, arguments) = (&text[..end], lexer::trim(&text[end..]));
    if let Some(strange) = written.chars().find(|c| !c.is_ascii_graphic()) {
        return Err(malformed(format!("a header has no {}", lexer::name(strange))));
    }
    let (spelt, is_query) = match written.strip_suffix('?') {
        Some(spelt) => (spelt, true),
        None => (written, false),
    };
    let is_common = spelt.starts_with('*');
    let nodes = spelt.strip_prefix(':').unwrap_or(spelt).split(':').map(node);
    let nodes = nodes.collect::<Option<Vec<_>>>();
    let has_star = |node: &Node| node.name.starts_with('*');
    let nodes = nodes.filter(|nodes| match is_common {
        true => nodes.len() == 1,
        false => !nodes.iter().any(has_star),
    });
    let Some(nodes) = nodes else { return Err(malformed(format!("`{written}` is not a header"))) };
    let arguments = if arguments.is_empty() { Vec::new() } else { lexer::split(arguments, ',')? };
    if arguments.iter().any(|argument| argument.is_empty() || argument.starts_with('?')) {
        let reason = if arguments.iter().any(|argument| argument.starts_with('?')) {
            "a `?` must follow the header directly"
        } else {
            "an argument is missing"
        };
        return Err(malformed(reason.to_owned()));
    }
    let full: Vec<Node> = match is_common || spelt.starts_with(':') {
        true => nodes.clone(),
        false => path.iter().chain(&nodes).cloned().collect(),
    };
    let from_root = (full != nodes).then(|| Header(nodes.clone()));
    if !is_common {
        *path = full[..full.len() - 1].to_vec();
    }
    let arguments = arguments.into_iter().map(str::to_owned).collect();
    Ok(Unit { text: text.to_owned(), is_query, arguments, header: Header(full), from_root })
}

fn node(text: &str) -> Option<Node> {
    let name = text.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = &text[name.len()..];
    let word = name.strip_prefix('*').unwrap_or(name);
    let is_word = word.starts_with(|c: char| c.is_ascii_alphabetic())
        && word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let suffix = if digits.is_empty() { Some(1) } else { digits.parse().ok() };
    Some(Node { name: name.to_ascii_uppercase(), suffix: suffix.filter(|_| is_word)? })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(line: &str) -> Vec<String> {
        Line::parse(line).unwrap().units.iter().map(|unit| unit.alone(unit.header())).collect()
    }

    #[test]
    fn a_header_goes_on_from_the_path_before_it() {
        for (line, units) in [
            ("INIT:WAV:STAR 1520NM;STOP 1630 nm", vec!["INIT:WAV:STAR 1520NM", "INIT:WAV:STOP 1630 nm"]),
            ("init:tls1:pow 5dbm ;:CTP:RLAS2:POW 1", vec!["INIT:TLS:POW 5dbm", "CTP:RLAS2:POW 1"]),
            ("SYST:ERR?;*CLS;ERR?", vec!["SYST:ERR?", "*CLS", "SYST:ERR?"]),
            ("INIT;ABOR;;", vec!["INIT", "ABOR"]),
            ("INIT:STAB 1,\t2.5 ", vec!["INIT:STAB 1,2.5"]),
            ("NOTE \"a;b? ,c\",'it''s';*IDN?", vec!["NOTE \"a;b? ,c\",'it''s'", "*IDN?"]),
            ("LOAD #14;A;B;*IDN?", vec!["LOAD #14;A;B", "*IDN?"]),
            ("ROUT (@1,2)", vec!["ROUT (@1,2)"]),
        ] {
            assert_eq!(read(line), units, "{line}");
        }
    }

    #[test]
    fn only_a_header_makes_a_query() {
        let kind = |line: &str| {
            let line = Line::parse(line).unwrap();
            (line.is_query(), line.has_reply())
        };
        assert_eq!(kind("*IDN?;SYST:ERR?"), (true, true));
        assert_eq!(kind("CTP:RLAS1:POW 9DBM;:SYST:ERR?"), (false, true));
        assert_eq!(kind("NOTE \"what?\""), (false, false));
        assert_eq!(kind("INIT:TLS1:POW? MAX"), (true, true));
    }

    #[test]
    fn what_is_not_scpi_is_named() {
        for (line, part, why) in [
            ("INIT;NOTE \"a", "NOTE \"a", "is not closed"),
            ("INIT:\u{a0}WAV 1", "INIT:\u{a0}WAV 1", "U+00A0"),
            ("INIT::WAV 1", "INIT::WAV 1", "not a header"),
            ("INIT ?", "INIT ?", "directly"),
            ("*IDN??", "*IDN??", "not a header"),
            ("A:*RST", "A:*RST", "not a header"),
            ("LOAD #19abc", "LOAD #19abc", "is not closed"),
            ("ROUT (@1;INIT", "ROUT (@1;INIT", "is not closed"),
            ("INIT:STAB 1,,2", "INIT:STAB 1,,2", "missing"),
            (" ; ", " ; ", "no command"),
        ] {
            let error = Line::parse(line).unwrap_err();
            assert!(error.reason.contains(why), "{line}: {error}");
            assert!(part.contains(error.part.trim()), "{line}: {error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_taken_apart_or_refused(line in "\\PC{0,60}") {
            let _ = Line::parse(&line);
        }

        #[test]
        fn what_was_taken_apart_reads_as_the_same_alone(line in "[A-C]{1,3}[0-9]?(:[A-C]{1,2}[0-9]?){0,2}\\??( [0-9A-E.,\"';:# -]{1,9})?(;:?[A-C]{1,3}\\??){0,3}") {
            if let Ok(parsed) = Line::parse(&line) {
                for unit in &parsed.units {
                    let alone = Line::parse(&unit.alone(unit.header())).unwrap();
                    prop_assert_eq!(alone.units.len(), 1);
                    prop_assert_eq!(alone.units[0].header(), unit.header());
                    prop_assert_eq!(&alone.units[0].arguments, &unit.arguments);
                }
            }
        }
    }
}
