//! Escapes text that is shown to people. Text from an instrument, a recipe or a file may contain characters that
//! control a terminal or change the direction of text. They are escaped here, when text leaves the program. Files and
//! the API keep the original text.

use std::borrow::Cow;
use std::fmt::Write as _;

mod numbers;

pub use numbers::{digits, number, quantity, unit_word, with_unit};

/// Longest quotation of a foreign text, characters.
const QUOTED: usize = 200;
/// Highest number of listed items; the rest is counted.
const LISTED: usize = 10;

/// Whether a character controls a terminal or hides other characters: control characters (C0, DEL, C1), characters
/// that change the direction of text, and line separators of Unicode.
fn is_hidden(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

fn escaped(text: &str, stays: impl Fn(char) -> bool, escape: impl Fn(char) -> String) -> Cow<'_, str> {
    let hides = |letter: char| is_hidden(letter) && !stays(letter);
    // Most texts are plain ASCII, which takes a fraction of the time. All bytes are looked at, without an early end,
    // because the compiler then looks at many of them at once.
    let line_break_stays = stays('\n');
    let is_plain = |byte: &u8| matches!(byte, b' '..=b'~') | ((*byte == b'\n') & line_break_stays);
    if text.as_bytes().iter().fold(true, |plain, byte| plain & is_plain(byte)) || !text.contains(hides) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        if hides(letter) { shown.push_str(&escape(letter)) } else { shown.push(letter) }
    }
    Cow::Owned(shown)
}

/// Text of one or more lines, with escaped control characters: `\u{1b}[2J`.
#[must_use]
pub fn visible(text: &str) -> Cow<'_, str> {
    escaped(text, |letter| matches!(letter, '\n' | '\t'), |letter| letter.escape_default().to_string())
}

/// Text of a single line.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    escaped(text, |_| false, |letter| letter.escape_default().to_string())
}

/// Text of several lines within a message. The following lines are indented, so that they do not look like another
/// message.
#[must_use]
pub fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n        ")
}

/// A JSON text, with the same characters escaped as JSON requires.
#[must_use]
pub fn json(text: &str) -> Cow<'_, str> {
    escaped(
        text,
        |letter| matches!(letter, '\n' | '\t'),
        |letter| {
            letter.encode_utf16(&mut [0; 2]).iter().fold(String::new(), |mut shown, unit| {
                let _ = write!(shown, "\\u{unit:04x}");
                shown
            })
        },
    )
}

/// The beginning of a foreign text, shortened for a message.
#[must_use]
pub fn beginning(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(QUOTED) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

/// Lists the first items, and counts the rest.
#[must_use]
pub fn listed<T: ToString>(items: &[T], between: &str) -> String {
    let shown: Vec<String> = items.iter().take(LISTED).map(ToString::to_string).collect();
    let shown = shown.join(between);
    match items.len().saturating_sub(LISTED) {
        0 => shown,
        more => format!("{shown}{between}and {more} more"),
    }
}

/// A count with its noun: `1 point`, `2 points`.
#[must_use]
pub fn counted(count: impl TryInto<u64>, noun: &str) -> String {
    let count = count.try_into().unwrap_or(u64::MAX);
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// The words of a line of text, broken into lines of at most `width` characters. Only a longer word makes a longer line.
#[must_use]
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut used = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        match lines.last_mut() {
            Some(line) if used + 1 + length <= width => {
                line.push(' ');
                line.push_str(word);
                used += 1 + length;
            }
            _ => {
                lines.push(word.to_owned());
                used = length;
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_count_has_its_plural_and_a_long_line_is_broken_between_words() {
        assert_eq!(
            (counted(1_u64, "point"), counted(2_usize, "point")),
            ("1 point".into(), "2 points".into())
        );
        assert_eq!(wrapped("sweep { start_nm: 1540 }", 12), ["sweep {", "start_nm:", "1540 }"]);
        assert_eq!(wrapped("sweep", 80), ["sweep"]);
        assert_eq!(wrapped("averyveryverylongword a", 5), ["averyveryverylongword", "a"]);
    }

    #[test]
    fn what_steers_a_terminal_is_escaped_and_text_stays_as_it_is() {
        assert_eq!(
            visible("a\u{1b}[2J\rb\u{9b}1m\u{7f}\u{202e}c\n\td"),
            "a\\u{1b}[2J\\rb\\u{9b}1m\\u{7f}\\u{202e}c\n\td"
        );
        assert_eq!(one_line("a\nb"), "a\\nb");
        assert!(matches!(visible("−6.5 dB, naïve, 片 🔬"), Cow::Borrowed(_)));
        assert_eq!(json("{\"a\":\"\u{9b}\u{202e}\"}"), "{\"a\":\"\\u009b\\u202e\"}");
    }

    #[test]
    fn long_texts_and_lists_are_cut_where_they_are_shown() {
        assert_eq!(beginning(&"é".repeat(300)).chars().count(), 201);
        assert_eq!(beginning("short"), "short");
        let many: Vec<u32> = (0..64).collect();
        assert_eq!(listed(&many, ", "), "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, and 54 more");
        assert_eq!(listed(&many[..2], ", "), "0, 1");
    }

    proptest! {
        #[test]
        fn nothing_hidden_is_left_and_json_keeps_its_meaning(text in any::<String>()) {
            prop_assert!(!one_line(&text).chars().any(is_hidden));
            let written = serde_json::to_string(&text).unwrap();
            let shown = json(&written);
            prop_assert!(!shown.chars().any(is_hidden));
            prop_assert_eq!(serde_json::from_str::<String>(&shown).unwrap(), text);
        }
    }
}
