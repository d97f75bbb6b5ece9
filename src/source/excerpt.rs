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
    pub(super) fn new(line: &str, column: usize, is_yaml: bool) -> Self {
        let marked = underlined(line, column, is_yaml);
        let from = line[..marked.start].char_indices().rev().nth(EACH_SIDE).map_or(0, |(at, _)| at);
        let to = line[marked.start..]
            .char_indices()
            .nth(EACH_SIDE)
            .map_or(line.len(), |(at, _)| marked.start + at);
        let span = marked.start - from..marked.end.min(to) - from;
        Self { text: line[from..to].to_owned(), span }
    }
}

/// The bytes of the word, of the text in quotes or of the plain value of YAML that starts at a column.
pub(super) fn underlined(line: &str, column: usize, is_yaml: bool) -> Range<usize> {
    let start = byte_at(line, column);
    let rest = &line[start..];
    let before = anchor(rest);
    let value = &rest[before..];
    let plain = || plain(&line[..start], value).filter(|_| is_yaml);
    let length = quoted(value).or_else(plain).unwrap_or_else(|| word(value));
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

/// The length of a plain value of YAML, which may have several words. `None` if no such value begins after `before`: the
/// line may also belong to an expression or to a script.
fn plain(before: &str, value: &str) -> Option<usize> {
    let lead = before.trim_end();
    let is_in_flow = open_bracket(before)?;
    let begins = match lead.chars().last()? {
        // An error in a script of one line is about one of its words.
        ':' => lead.len() < before.len() && !lead.ends_with("script:"),
        '-' => lead.len() < before.len() && lead.chars().all(|letter| matches!(letter, '-' | ' ')),
        '[' | '{' | ',' => is_in_flow,
        _ => false,
    };
    if !begins || value.starts_with(['{', '[', '|', '>', '*', '!', '#']) {
        return None;
    }
    let mut letters = value.char_indices().peekable();
    let mut last = ' ';
    let end = loop {
        let Some((at, letter)) = letters.next() else { break value.len() };
        let is_separated = letters.peek().is_none_or(|(_, next)| next.is_whitespace());
        let ends = match letter {
            '#' => last.is_whitespace(),
            ':' => is_separated,
            ',' | ']' | '}' => is_in_flow,
            _ => false,
        };
        if ends {
            break at;
        }
        last = letter;
    };
    Some(value[..end].trim_end().len()).filter(|length| *length > 0)
}

/// Whether a list or a map of YAML is open at the end of a text. `None` within an expression.
fn open_bracket(text: &str) -> Option<bool> {
    let (mut open, mut quote) = (Vec::new(), None);
    for letter in text.chars() {
        match letter {
            _ if quote.is_some() => quote = quote.filter(|quote| *quote != letter),
            '"' | '\'' => quote = Some(letter),
            '(' | '[' | '{' => open.push(letter),
            ')' | ']' | '}' => drop(open.pop()),
            _ => {}
        }
    }
    let is_expression = text.rfind("${").is_some_and(|begin| !text[begin..].contains('}'));
    (!is_expression && quote.is_none() && !open.contains(&'(')).then_some(!open.is_empty())
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
            assert_eq!(&plain[underlined(&plain, column, false)], marked, "{expected}");
        }
    }

    #[test]
    fn a_plain_value_of_yaml_is_underlined_with_all_its_words() {
        for (line, expected) in [
            ("power_dbm: «ten dBm or so»", "a value of a map"),
            ("power_dbm: «ten dBm»  # not yet", "a comment after it"),
            ("  - «five dBm, or#6»", "an item of a list"),
            ("  - - «-5 dBm»", "an item of a list in a list"),
            ("- wait: { seconds: «ten or more», id: a }", "a map in braces"),
            ("- sweep: {«start nm»: 1}", "a key of two words"),
            ("for: [1, «two or three», 4]", "a list in brackets"),
            ("at: «12:30 or later»", "a colon within a word"),
            ("a: «&p ten dBm»", "a value behind an anchor"),
            ("a: «${power + 1} dBm, é»", "an expression in a text"),
            ("- «swep»: { a: 1 }", "a key"),
            ("«swep» it: 1", "the begin of a line, which may be a script"),
            ("a: ${x ? y : «z» + 1}", "a part of an expression"),
            ("log(a, «b» c);", "an argument of a script"),
            ("let x = #{ a: «b c», d: 1 };", "a map of a script"),
            ("- script: «eval»(1 + 2)", "a script of one line"),
            ("a: «{» b: c }", "a map"),
            ("a: «|»", "a block"),
            ("a: 'b: «c» d'", "a part of a text in quotes"),
        ] {
            let column = 1 + line.chars().take_while(|letter| *letter != '«').count();
            let text = line.replace(['«', '»'], "");
            let marked = line.split(['«', '»']).nth(1).unwrap();
            assert_eq!(&text[underlined(&text, column, true)], marked, "{expected}");
        }
    }

    #[test]
    fn a_very_long_line_is_cut_around_what_is_underlined() {
        let line = format!("{}\"{}\"", "\u{e9}".repeat(5_000), "x ".repeat(5_000));
        let Excerpt { text, span } = Excerpt::new(&line, 5_001, true);
        assert!(text.len() < 1_000 && text[span].starts_with("\"x x"), "{text}");
    }
}
