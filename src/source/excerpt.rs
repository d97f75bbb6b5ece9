//! The part of a line that is shown with a finding, and what is underlined in it.

use std::ops::Range;

use super::byte_at;

/// Number of characters of a long line that are shown on each side of the position.
const EACH_SIDE: usize = 200;

/// The part of a line that is shown, and the underlined part in it.
pub(super) struct Excerpt {
    pub(super) text: String,
    pub(super) span: Range<usize>,
}

impl Excerpt {
    pub(super) fn new(line: &str, column: usize) -> Self {
        let marked = underlined(line, column);
        let from = line[..marked.start].char_indices().rev().nth(EACH_SIDE).map_or(0, |(at, _)| at);
        let to = line[marked.start..]
            .char_indices()
            .nth(EACH_SIDE)
            .map_or(line.len(), |(at, _)| marked.start + at);
        let span = marked.start - from..marked.end.min(to) - from;
        Self { text: line[from..to].to_owned(), span }
    }
}

/// The bytes of the word or of the text in quotes that starts at a column.
pub(super) fn underlined(line: &str, column: usize) -> Range<usize> {
    let start = byte_at(line, column);
    let rest = &line[start..];
    let before = anchor(rest);
    let value = &rest[before..];
    let length = quoted(value).unwrap_or_else(|| word(value));
    // A position is at least one whole character, if there is one.
    let least = rest.chars().next().map_or(0, char::len_utf8);
    start..start + (before + length).max(least)
}

/// The length of a text in quotes with its quotes. A text that goes on in the next line ends with the line.
fn quoted(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|first| matches!(first, '"' | '\'' | '`'))?;
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        // Single quotes of YAML have no escapes with a backslash.
        if letter == '\\' && quote != '\'' {
            letters.next();
        // YAML and CSV write a quote within quotes twice.
        } else if letter == quote && letters.next_if(|(_, next)| *next == quote).is_none() {
            return Some(at + 1);
        }
    }
    Some(text.trim_end().len())
}

fn word(text: &str) -> usize {
    let ends = |c: char| c.is_whitespace() || matches!(c, ':' | ',' | '}' | ']' | '(' | ')' | ';');
    text.find(ends).unwrap_or(text.len())
}

/// The length of the YAML anchor before a value, with the space after it.
fn anchor(text: &str) -> usize {
    let Some(name) = text.strip_prefix('&') else { return 0 };
    let length = name.find(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '-'))).unwrap_or(0);
    let space = name[length..].len() - name[length..].trim_start_matches(' ').len();
    if length > 0 && space > 0 { 1 + length + space } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_underlined_as_it_is_written() {
        for (line, expected) in [
            (r#"a: «"ten, dBm: 5"» # "x""#, "double quotes"),
            (r#"a: «"a \" b \\"», b"#, "escapes in double quotes"),
            (r"a: «'it''s ten'», 'b'", "single quotes"),
            (r"a: «'C:\'» b", "a backslash in single quotes"),
            (r#"{ a: «""», b: "" }"#, "an empty text"),
            ("«\"a key\"»: 1", "a key in quotes"),
            ("- { a: «'µ é 漢'», b }", "characters of several bytes"),
            ("é: «\"漢 字\"»", "a column behind characters of several bytes"),
            ("a: «\"goes on»  ", "a text that goes on in the next line"),
            ("[1, «\"b c\"»]", "a list"),
            ("a: «&p \"ten dBm\"»", "a text behind an anchor"),
            ("a: «&p ten», b", "a word behind an anchor"),
            ("a «&&» b", "an operator"),
            ("a: «|-»", "a block"),
            ("log(«`a ${b} c`» + d)", "a text of a script"),
            ("«swep»({ a: 1 })", "a word"),
            ("a«;»", "a single character"),
            ("a«»", "the end of a line"),
        ] {
            let column = 1 + line.chars().take_while(|letter| *letter != '«').count();
            let plain = line.replace(['«', '»'], "");
            let marked = line.split(['«', '»']).nth(1).unwrap();
            assert_eq!(&plain[underlined(&plain, column)], marked, "{expected}");
        }
    }

    #[test]
    fn a_very_long_line_is_cut_around_what_is_underlined() {
        let line = format!("{}\"{}\"", "\u{e9}".repeat(5_000), "x ".repeat(5_000));
        let Excerpt { text, span } = Excerpt::new(&line, 5_001);
        assert!(text.len() < 1_000 && text[span].starts_with("\"x x"), "{text}");
    }
}
