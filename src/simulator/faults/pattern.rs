//! Patterns for commands: a keyword, or a header as on the wire.

use std::fmt;

use super::super::call::Command;
use super::super::grammar::parse;
use super::super::headers::Header;
use super::super::part::Part;
use super::super::vocabulary::{Facts, Vocabulary};
use super::suggestion::suggestion;

/// Keywords of the CTP10, their headers, and whether they mean queries.
pub(super) const WORDS: [(&str, &[Header], bool); 9] = [
    ("sweep", &[Header::Initiate], false),
    ("reference", &[Header::ReferenceStart], false),
    ("abort", &[Header::Abort], false),
    ("laser", &[Header::LaserPower, Header::LaserState, Header::LaserWavelength], false),
    ("trace", &[Header::TraceX, Header::TraceY], true),
    ("power", &[Header::Power], true),
    ("condition", &[Header::Condition], true),
    ("idn", &[Header::Identity], true),
    ("error", &[Header::Error], true),
];

/// A pattern for commands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pattern {
    /// The keyword, or the header in capitals.
    text: String,
    pub(super) headers: Vec<Facts>,
    /// The numbers in the header; `None` matches any.
    suffixes: Vec<Option<u32>>,
    pub(super) query: bool,
}

impl Pattern {
    pub(super) fn read(text: &str, part: Part) -> Result<Self, String> {
        let word = text.to_lowercase();
        // Other instruments are small: their commands are named by their headers.
        match WORDS.iter().filter(|_| part == Part::Ctp10).find(|(known, ..)| *known == word) {
            Some((_, headers, query)) => {
                let headers = headers.iter().map(|header| header.facts()).collect();
                Ok(Self { text: word, headers, suffixes: Vec::new(), query: *query })
            }
            None => Self::header(text, part),
        }
    }

    fn header(text: &str, part: Part) -> Result<Self, String> {
        let unknown = || {
            let words = WORDS.iter().filter(|_| part == Part::Ctp10).map(|(word, ..)| *word);
            match text.split_once(':') {
                Some((word, which)) if words.clone().any(|known| known == word) => {
                    format!("`{which}` is neither a number nor `every`")
                }
                _ if text.contains([':', '*', '?']) || part != Part::Ctp10 => {
                    format!("no command of the {} has the header `{text}`", part.title())
                }
                _ => format!("`{text}` is neither a group nor a header; {}", suggestion(text, words)),
            }
        };
        let parsed = match parse(text).as_slice() {
            [Some(parsed)] if parsed.arguments.is_empty() => parsed.clone(),
            _ => return Err(unknown()),
        };
        let (header, suffixes) = part.lookup(&parsed.nodes).ok_or_else(unknown)?;
        let nodes: Vec<String> = parsed.nodes.iter().map(ToString::to_string).collect();
        let text = nodes.join(":");
        match (parsed.query, header.is_asked(), header.is_told()) {
            (true, false, _) => Err(format!("`{text}` has no query: remove the `?`")),
            (false, _, false) => Err(format!("`{text}` exists only as a query: write `{text}?`")),
            (query, ..) => {
                let text = if query { text + "?" } else { text };
                Ok(Self { text, headers: vec![header], suffixes, query })
            }
        }
    }

    pub(super) fn means(&self, command: Command<'_>) -> bool {
        let mut given = self.suffixes.iter().enumerate();
        self.query == command.query
            && self.headers.contains(&command.facts)
            && given.all(|(index, suffix)| suffix.is_none_or(|suffix| suffix == command.suffix(index)))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
