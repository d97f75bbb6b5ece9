//! Characters that look like those of a recipe but are different. They occur in texts pasted from manuals, word
//! processors and chats.

use super::excerpt::underlined;

/// The name and the replacement of a character: `U+00A0 no-break space; write a plain space`. `None` for a character
/// that is probably intended.
#[must_use]
pub fn advice(letter: char) -> Option<String> {
    let (name, instead) = explain(letter)?;
    Some(format!("U+{:04X} {name}; {instead}", u32::from(letter)))
}

/// The replacement for a pasted character: in what is underlined at a column, otherwise after it, outside of quotes and
/// comments.
pub(super) fn at(line: &str, column: usize, is_yaml: bool) -> Option<String> {
    let underlined = underlined(line, column, is_yaml);
    if let Some(advice) = line[underlined.clone()].chars().find_map(advice) {
        return Some(advice);
    }
    if let Some(advice) = line_end_in(line) {
        return Some(advice);
    }
    let (mut quote, mut before) = (None, ' ');
    for letter in line[underlined.end..].chars() {
        match (quote, letter) {
            (Some(open), close) if open == close => quote = None,
            (Some(_), _) => {}
            (None, '"' | '\'') => quote = Some(letter),
            (None, '#') if before.is_whitespace() => break,
            (None, '/') if before == '/' => break,
            (None, _) => {
                if let Some(advice) = advice(letter) {
                    return Some(advice);
                }
            }
        }
        before = letter;
    }
    None
}

/// A character of a line that is a line end only for some programs. Such a character changes the text after it, even in
/// a comment or in quotes.
pub(super) fn line_end_in(line: &str) -> Option<String> {
    let ends_line = |letter: &char| matches!(letter, '\u{85}' | '\u{2028}' | '\u{2029}');
    line.chars().filter(ends_line).find_map(advice)
}

/// The replacement for a pasted character in a quoted text of a message.
pub(super) fn in_quotes(message: &str) -> Option<String> {
    let quoted = message.split('`').skip(1).step_by(2);
    // Messages of the program use `…` for omissions.
    quoted.flat_map(str::chars).filter(|letter| *letter != '…').find_map(advice)
}

fn explain(letter: char) -> Option<(String, String)> {
    let write = |name: &str, instead: &str| Some((name.to_owned(), format!("write `{instead}`")));
    let space = |name: &str| Some((name.to_owned(), "write a plain space".to_owned()));
    let delete = |name: &str| Some((name.to_owned(), "delete it".to_owned()));
    let line_end = |name: &str| Some((name.to_owned(), "write a plain line end".to_owned()));
    match letter {
        '\t' | '\n' | '\r' | ' '..='~' => None,
        '\u{85}' => line_end("next line"),
        '\u{2028}' => line_end("line separator"),
        '\u{2029}' => line_end("paragraph separator"),
        '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' => delete("control character"),
        '\u{a0}' => space("no-break space"),
        '\u{202f}' => space("narrow no-break space"),
        '\u{2007}' => space("figure space"),
        '\u{2009}' => space("thin space"),
        '\u{200a}' => space("hair space"),
        '\u{3000}' => space("ideographic space"),
        '\u{1680}' | '\u{2000}'..='\u{2006}' | '\u{2008}' | '\u{205f}' => space("space of another width"),
        '\u{ad}' => delete("soft hyphen"),
        '\u{200b}' => delete("zero width space"),
        '\u{200c}' => delete("zero width non-joiner"),
        '\u{200d}' => delete("zero width joiner"),
        '\u{2060}' => delete("word joiner"),
        '\u{feff}' => delete("byte order mark"),
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            delete("mark of the writing direction")
        }
        '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}' | '\u{2032}' | '\u{2b9}' | '\u{2bc}' => {
            write("typographic quotation mark", "'")
        }
        '\u{201c}' | '\u{201d}' | '\u{201e}' | '\u{201f}' | '\u{2033}' | '\u{ab}' | '\u{bb}' => {
            write("typographic quotation mark", "\"")
        }
        '\u{2212}' => write("minus sign", "-"),
        '\u{2010}' => write("hyphen", "-"),
        '\u{2011}' => write("non-breaking hyphen", "-"),
        '\u{2012}' => write("figure dash", "-"),
        '\u{2013}' => write("en dash", "-"),
        '\u{2014}' => write("em dash", "-"),
        '\u{fe63}' => write("small hyphen", "-"),
        '\u{d7}' | '\u{22c5}' | '\u{2217}' => write("multiplication sign", "*"),
        '\u{f7}' | '\u{2215}' | '\u{2044}' => write("division sign", "/"),
        '\u{2026}' => write("ellipsis", "..."),
        '\u{37e}' => write("Greek question mark", ";"),
        '\u{2264}' => write("less-than or equal sign", "<="),
        '\u{2265}' => write("greater-than or equal sign", ">="),
        '\u{2260}' => write("not equal sign", "!="),
        '\u{660}'..='\u{669}' => digit(letter, 0x660),
        '\u{6f0}'..='\u{6f9}' => digit(letter, 0x6f0),
        '\u{966}'..='\u{96f}' => digit(letter, 0x966),
        // This block has the order of ASCII.
        '\u{ff01}'..='\u{ff5e}' => {
            let plain = char::from_u32(u32::from(letter) - 0xff01 + 0x21)?;
            write("full-width character", &plain.to_string())
        }
        _ => look_alike(letter).and_then(|(script, plain)| write(&format!("{script} letter"), plain)),
    }
}

fn digit(letter: char, zero: u32) -> Option<(String, String)> {
    let digit = u32::from(letter) - zero;
    Some(("digit of another script".to_owned(), format!("write `{digit}`")))
}

/// Letters that look like Latin letters.
fn look_alike(letter: char) -> Option<(&'static str, &'static str)> {
    const CYRILLIC: &str = "АВЕЅЗІЈКМНОРСТУХаеѕіјорсухԁ";
    const LATIN: [&str; 27] = [
        "A", "B", "E", "S", "3", "I", "J", "K", "M", "H", "O", "P", "C", "T", "Y", "X", "a", "e", "s", "i",
        "j", "o", "p", "c", "y", "x", "d",
    ];
    const GREEK: &str = "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧο";
    const LATIN_OF_GREEK: [&str; 15] =
        ["A", "B", "E", "Z", "H", "I", "K", "M", "N", "O", "P", "T", "Y", "X", "o"];
    let find = |letters: &str, script, latin: &[&'static str]| {
        let at = letters.chars().position(|known| known == letter)?;
        Some((script, *latin.get(at)?))
    };
    find(CYRILLIC, "Cyrillic", &LATIN).or_else(|| find(GREEK, "Greek", &LATIN_OF_GREEK))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_character_is_named_with_what_to_write() {
        for (letter, said) in [
            ('\u{a0}', "U+00A0 no-break space; write a plain space"),
            ('\u{2009}', "U+2009 thin space; write a plain space"),
            ('\u{200b}', "U+200B zero width space; delete it"),
            ('\u{2028}', "U+2028 line separator; write a plain line end"),
            ('“', "U+201C typographic quotation mark; write `\"`"),
            ('’', "U+2019 typographic quotation mark; write `'`"),
            ('−', "U+2212 minus sign; write `-`"),
            ('１', "U+FF11 full-width character; write `1`"),
            ('：', "U+FF1A full-width character; write `:`"),
            ('٣', "U+0663 digit of another script; write `3`"),
            ('а', "U+0430 Cyrillic letter; write `a`"),
            ('Ο', "U+039F Greek letter; write `O`"),
            ('\0', "U+0000 control character; delete it"),
        ] {
            assert_eq!(advice(letter).as_deref(), Some(said));
        }
        for letter in ['a', ' ', '\n', '\t', 'é', 'µ', '°', 'λ', '漢'] {
            assert_eq!(advice(letter), None, "{letter}");
        }
        assert_eq!(look_alike('ԁ'), Some(("Cyrillic", "d")));
    }
}
