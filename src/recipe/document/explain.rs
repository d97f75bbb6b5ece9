//! Explains why a YAML text cannot be read, with its position and a hint.

use crate::source::Position;

/// Largest number of nested brackets. The YAML parser has no limit, and its time grows with the square of this number.
pub(super) const BRACKETS: usize = 200;

/// The position that an error text of yaml_serde ends with: `… at line 3 column 5`.
pub(super) fn position_in(message: &str) -> Option<Position> {
    let (_, place) = message.rsplit_once("at line ")?;
    let (line, column) = place.split_once(" column ")?;
    let digits = column.find(|c: char| !c.is_ascii_digit()).unwrap_or(column.len());
    Some(Position { line: line.parse().ok()?, column: column[..digits].parse().ok()? })
}

/// An error text of yaml_serde without its positions.
pub(super) fn plain_words(message: &str) -> String {
    let first = message.split(" at line ").next().unwrap_or(message);
    match first {
        "repetition limit exceeded" => "the expanded aliases are too large".to_owned(),
        "recursion limit exceeded" => "lists and maps are nested too deeply (at most 128)".to_owned(),
        "deserializing from YAML containing more than one document is not supported" => {
            "a recipe must be one YAML document, but a second one begins here (`---`)".to_owned()
        }
        "EOF while parsing a value" => "the recipe is empty".to_owned(),
        other => match other.rsplit_once(": invalid type: enum, ") {
            Some(_) => "a tag (`!…`) has no meaning in a recipe".to_owned(),
            None => other.trim_start_matches("invalid type: enum, expected ").to_owned(),
        },
    }
}

/// The position at which too many brackets are open. Brackets in texts are counted too, because a text of a recipe
/// usually closes the brackets that it opens.
pub(super) fn too_deep(text: &str) -> Option<Position> {
    let mut open = 0_usize;
    for (line, content) in (1..).zip(text.lines()) {
        for (column, letter) in (1..).zip(content.chars()) {
            match letter {
                '[' | '{' => open += 1,
                ']' | '}' => open = open.saturating_sub(1),
                _ => {}
            }
            if open > BRACKETS {
                return Some(Position { line, column });
            }
        }
    }
    None
}

/// A hint for the line in which the YAML parser stopped.
pub(super) fn hint(text: &str, place: Position, message: &str) -> Option<&'static str> {
    // The parser may report the start of the next line.
    let near = text.lines().skip(place.line.saturating_sub(2)).take(2);
    let (mut expression, mut tab) = (false, false);
    for line in near {
        expression |= unquoted_expression(line);
        tab |= line.chars().take_while(|c| c.is_whitespace()).any(|c| c == '\t');
    }
    if expression {
        Some("an expression inside `{ … }` or `[ … ]`, or one with `: ` in it, needs quotes: \"${…}\"")
    } else if tab {
        Some("U+0009 tab; indent with spaces: YAML does not allow tabs")
    } else if message.starts_with("did not find expected key")
        || message.starts_with("did not find expected '-'")
    {
        Some("all steps of a list, and all keys of a map, must begin in the same column")
    } else if message.starts_with("mapping values") {
        Some("a text with `: ` in it needs quotes")
    } else {
        None
    }
}

/// Whether a line contains `${` outside of quotes.
fn unquoted_expression(line: &str) -> bool {
    let mut quote = None;
    for (at, letter) in line.char_indices() {
        match (quote, letter) {
            (None, '"' | '\'') => quote = Some(letter),
            (Some(open), close) if open == close => quote = None,
            (None, '$') if line[at..].starts_with("${") => return true,
            _ => {}
        }
    }
    false
}
