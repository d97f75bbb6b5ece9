//! Splits a line into its parts. Separators within quotes, blocks and parentheses are ignored.

use super::Malformed;

/// White space of IEEE 488.2: all control characters and the space, but not the no-break space.
pub(super) fn is_space(c: char) -> bool {
    c <= ' '
}

pub(super) fn trim(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// A character as shown in a message.
pub(super) fn name(c: char) -> String {
    match c {
        '!'..='~' => format!("`{c}`"),
        other => format!("U+{:04X}", u32::from(other)),
    }
}

/// Splits at a separator; returns the parts without spaces around them.
pub(super) fn split(text: &str, separator: char) -> Result<Vec<&str>, Malformed> {
    let mut parts = Vec::new();
    let (mut begin, mut at, mut depth) = (0, 0, 0_u32);
    let unfinished = |begin: usize, what: &str| Malformed {
        part: trim(&text[begin..]).to_owned(),
        reason: format!("{what} is not closed"),
    };
    while let Some(c) = text[at..].chars().next() {
        match c {
            '"' | '\'' => {
                let close = text[at + 1..].find(c).ok_or_else(|| unfinished(begin, "a quoted text"))?;
                // A doubled quote ends one text and begins the next; both stay together.
                at += close + 2;
                continue;
            }
            // Within an argument it is an ordinary character.
            '#' if text[..at].ends_with(|c| is_space(c) || c == ',') => {
                let rest = &text[at..];
                at += block(rest).ok_or_else(|| unfinished(begin, "a block"))?;
                continue;
            }
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if c == separator && depth == 0 => {
                parts.push(trim(&text[begin..at]));
                begin = at + c.len_utf8();
            }
            _ => {}
        }
        at += c.len_utf8();
    }
    if depth > 0 {
        return Err(unfinished(begin, "a parenthesis"));
    }
    parts.push(trim(&text[begin..]));
    Ok(parts)
}

/// The length of data that begins with `#`: a block with a byte count, a block to the end of the line, or a number.
fn block(text: &str) -> Option<usize> {
    match text.as_bytes().get(1) {
        Some(b'0') => Some(text.len()),
        Some(digit @ b'1'..=b'9') => {
            let digits = usize::from(digit - b'0');
            let length: usize = text.get(2..2 + digits)?.parse().ok()?;
            let end = length.checked_add(2 + digits)?;
            text.is_char_boundary(end).then_some(end)
        }
        _ => Some(1),
    }
}
