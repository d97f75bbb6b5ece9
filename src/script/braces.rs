//! The braces of `${…}`: where an expression ends within a longer text.

/// Where the brace that was opened before `text` is closed.
pub(crate) fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    let mut at = 0;
    while let Some(letter) = text[at..].chars().next() {
        match letter {
            '{' => open += 1,
            '}' if open == 0 => return Some(at),
            '}' => open -= 1,
            _ => {}
        }
        at += skip(&text[at..]);
    }
    None
}

/// How many bytes the text in quotes, or else the letter, takes that `rest` begins with.
pub(crate) fn skip(rest: &str) -> usize {
    let mut letters = rest.char_indices();
    let Some((_, quote)) = letters.next() else { return 0 };
    if matches!(quote, '"' | '\'' | '`') {
        let mut escaped = false;
        for (at, letter) in letters {
            match letter {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                _ if letter == quote => return at + letter.len_utf8(),
                _ => {}
            }
        }
    }
    quote.len_utf8()
}

/// An expression without the `${` and `}` around the whole of it: where only an expression can stand, both are the same.
pub(crate) fn bare(text: &str) -> &str {
    let text = text.trim();
    let inner = text.strip_prefix("${").and_then(|inner| inner.strip_suffix('}'));
    let whole = inner.filter(|_| closing_brace(&text[2..]).map(|end| end + 3) == Some(text.len()));
    whole.map_or(text, str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_braces_around_the_whole_expression_are_left_out() {
        for (text, expected) in [
            ("${a < 0}", "a < 0"),
            (" ${ a < 0 } ", "a < 0"),
            ("a < 0", "a < 0"),
            ("${a} < ${b}", "${a} < ${b}"),
            ("${#{ a: 5 }.a == 5}", "#{ a: 5 }.a == 5"),
            ("${ b == \"}\" }", "b == \"}\""),
            ("${", "${"),
            ("${}", ""),
            ("", ""),
            ("${\u{a0}é}", "é"),
        ] {
            assert_eq!(bare(text), expected);
        }
    }
}
