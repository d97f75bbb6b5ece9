//! Patterns for commands: a keyword, or a header as on the wire.

use std::fmt;

use super::super::grammar::parse;
use super::super::headers::{Call, Header, lookup};
use super::suggestion::suggestion;

/// Keywords, their headers, and whether they mean queries.
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
    pub(super) headers: Vec<Header>,
    /// The numbers in the header; `None` matches any.
    suffixes: Vec<Option<u32>>,
    pub(super) query: bool,
}

impl Pattern {
    pub(super) fn read(text: &str) -> Result<Self, String> {
        let word = text.to_lowercase();
        match WORDS.iter().find(|(known, ..)| *known == word) {
            Some((_, headers, query)) => {
                Ok(Self { text: word, headers: headers.to_vec(), suffixes: Vec::new(), query: *query })
            }
            None => Self::header(text),
        }
    }

    fn header(text: &str) -> Result<Self, String> {
        let unknown = || {
            let words = WORDS.iter().map(|(word, ..)| *word);
            match text.split_once(':') {
                Some((word, which)) if words.clone().any(|known| known == word) => {
                    format!("`{which}` is neither a number nor `every`")
                }
                _ if text.contains([':', '*', '?']) => format!("no command has the header `{text}`"),
                _ => format!("`{text}` is neither a group nor a header; {}", suggestion(text, words)),
            }
        };
        let parsed = match parse(text).as_slice() {
            [Some(parsed)] if parsed.arguments.is_empty() => parsed.clone(),
            _ => return Err(unknown()),
        };
        let (header, suffixes) = lookup(&parsed.nodes).ok_or_else(unknown)?;
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

    pub(super) fn means(&self, call: &Call<'_>) -> bool {
        let mut given = self.suffixes.iter().enumerate();
        self.query == call.query
            && self.headers.contains(&call.header)
            && given.all(|(index, suffix)| suffix.is_none_or(|suffix| suffix == call.suffix(index)))
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
