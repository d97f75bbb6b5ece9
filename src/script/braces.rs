//! The braces of `${…}`: finds the end of an expression within a text.

/// The position of the closing brace of an expression, whose text begins after its opening brace.
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

/// The length in bytes of the quoted text or single letter at the start of `rest`.
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

/// An expression without its `${` and `}`. In a field for expressions, both spellings are the same.
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
