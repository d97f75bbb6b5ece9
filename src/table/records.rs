//! A CSV text as records whose cells have positions.

use crate::source::Position;

/// A cell without spaces and quotes around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The content.
    pub text: String,
    /// The start position.
    pub at: Position,
}

/// The cells of a line, or of several lines if a quoted cell has line breaks.
#[derive(Debug, PartialEq, Eq)]
pub struct Record {
    /// The cells in the order of the line.
    pub cells: Vec<Cell>,
    /// The first line.
    pub line: usize,
    /// The last line.
    pub last_line: usize,
}

/// The parts of a CSV text.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The records in the order of the file.
    pub records: Vec<Record>,
    /// Lines that begin with `#`.
    pub comments: Vec<usize>,
}

/// The reason why a text is not CSV, with the position.
#[derive(Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The position.
    pub at: Position,
    /// What is wrong.
    pub message: &'static str,
    /// How to correct it.
    pub hint: &'static str,
}

const QUOTES: &str = "write a quote within a quoted cell twice: \"\"";

/// Splits a text at its separators; lines end with LF, CRLF or CR. Records of nothing but empty cells are left out.
///
/// # Errors
/// A quote that is not closed, or text after a closing quote.
pub fn split(text: &str, separator: char) -> Result<Records, Malformed> {
    let mut reader = Reader { rest: text.trim_start_matches('\u{feff}'), separator, line: 1, column: 1 };
    let mut found = Records::default();
    while let Some(first) = reader.peek() {
        if first == '#' {
            found.comments.push(reader.line);
            reader.until(|_| false);
            reader.line_end();
            continue;
        }
        let line = reader.line;
        let cells = reader.cells()?;
        let record = Record { cells, line, last_line: reader.line };
        reader.line_end();
        if record.cells.iter().any(|cell| !cell.text.is_empty()) {
            found.records.push(record);
        }
    }
    Ok(found)
}

struct Reader<'a> {
    rest: &'a str,
    separator: char,
    line: usize,
    column: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn at(&self) -> Position {
        Position { line: self.line, column: self.column }
    }

    fn next(&mut self) -> Option<char> {
        let letter = self.peek()?;
        self.rest = &self.rest[letter.len_utf8()..];
        if letter == '\n' || (letter == '\r' && !self.rest.starts_with('\n')) {
            (self.line, self.column) = (self.line + 1, 1);
        } else {
            self.column += 1;
        }
        Some(letter)
    }

    /// The text before the end of the line, or before a character that ends it.
    fn until(&mut self, ends: impl Fn(char) -> bool) -> String {
        let end = self.rest.find(|c| is_line_end(c) || ends(c)).unwrap_or(self.rest.len());
        let text = self.rest[..end].to_owned();
        self.column += text.chars().count();
        self.rest = &self.rest[end..];
        text
    }

    fn line_end(&mut self) {
        if self.next() == Some('\r') && self.peek() == Some('\n') {
            self.next();
        }
    }

    fn cells(&mut self) -> Result<Vec<Cell>, Malformed> {
        let separator = self.separator;
        let mut cells = Vec::new();
        loop {
            self.until(|c| c == separator || !c.is_whitespace());
            let at = self.at();
            let text = if self.peek() == Some('"') { self.quoted()? } else { self.until(|c| c == separator) };
            cells.push(Cell { text: text.trim().to_owned(), at });
            match self.peek() {
                Some(letter) if letter == separator => drop(self.next()),
                _ => return Ok(cells),
            }
        }
    }

    fn quoted(&mut self) -> Result<String, Malformed> {
        let at = self.at();
        self.next();
        let mut text = String::new();
        loop {
            match self.next() {
                None => return Err(Malformed { at, message: "this quote is not closed", hint: QUOTES }),
                Some('"') if self.peek() == Some('"') => text.extend(self.next()),
                Some('"') => break,
                Some(letter) => text.push(letter),
            }
        }
        let separator = self.separator;
        self.until(|c| c == separator || !c.is_whitespace());
        match self.peek() {
            None | Some('\n' | '\r') => Ok(text),
            Some(letter) if letter == separator => Ok(text),
            Some(_) => {
                let message = "a comma or the end of the line must follow a closing quote";
                Err(Malformed { at: self.at(), message, hint: QUOTES })
            }
        }
    }
}

fn is_line_end(letter: char) -> bool {
    matches!(letter, '\n' | '\r')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<Vec<String>> {
        let records = split(text, ',').unwrap().records;
        records.into_iter().map(|record| record.cells.into_iter().map(|cell| cell.text).collect()).collect()
    }

    #[test]
    fn cells_are_split_and_know_where_they_stand() {
        let text = "\u{feff}die, x\r\n# none\r\n\"3,4\" , \"a \"\"b\"\"\"\n\n ,\nü,2\" wafer";
        assert_eq!(texts(text), [["die", "x"], ["3,4", "a \"b\""], ["ü", "2\" wafer"]]);
        let split = split(text, ',').unwrap();
        assert_eq!(split.comments, [2]);
        let places: Vec<_> =
            split.records.iter().flat_map(|r| &r.cells).map(|c| (c.at.line, c.at.column)).collect();
        assert_eq!(places, [(1, 1), (1, 6), (3, 1), (3, 9), (6, 1), (6, 3)]);
    }

    #[test]
    fn every_kind_of_line_end_ends_a_line() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "1,2", "\"x", "y\",3", "4,5"].join(end);
            let found = split(&text, ',').unwrap().records;
            assert_eq!(
                found.iter().map(|r| (r.line, r.last_line)).collect::<Vec<_>>(),
                [(1, 1), (2, 2), (3, 4), (5, 5)]
            );
            assert_eq!(found[3].cells[0].text, "4");
        }
    }

    #[test]
    fn a_quote_that_does_not_end_is_found_where_it_begins() {
        for (text, line, column, message) in [
            ("a,b\n1,\"x\n2,y\n", 2, 3, "this quote is not closed"),
            ("a,b\n1,\"x\n2,y\n3,\"z\"\n", 4, 4, "a comma or the end of the line must follow"),
            ("a\n\"x\" y\n", 2, 5, "a comma or the end of the line must follow"),
            ("\"", 1, 1, "this quote is not closed"),
        ] {
            let malformed = split(text, ',').unwrap_err();
            assert_eq!(malformed.at, Position { line, column }, "{text}");
            assert!(malformed.message.starts_with(message), "{text}");
        }
    }

    proptest! {
        #[test]
        fn cells_written_by_the_rules_are_read_as_they_are(
            rows in prop::collection::vec(prop::collection::vec("[a-z0-9 ,;\"\n\r#é.-]{0,12}", 3), 1..8)
        ) {
            let quoted = |cell: &String| format!("\"{}\"", cell.replace('"', "\"\""));
            let text: String = rows.iter().map(|row| row.iter().map(quoted).collect::<Vec<_>>().join(",") + "\n").collect();
            let trimmed = rows.iter().map(|row| row.iter().map(|cell| cell.trim().to_owned()).collect::<Vec<_>>());
            let expected: Vec<_> = trimmed.filter(|row| row.iter().any(|cell| !cell.is_empty())).collect();
            prop_assert_eq!(texts(&text), expected);
        }

        #[test]
        fn any_text_is_split_or_refused_within_it(text in "[a,;\"#\n\r\u{feff}é ]{0,60}") {
            let lines = text.matches(['\n', '\r']).count() + 1;
            match split(&text, ',') {
                Ok(found) => prop_assert!(found.records.iter().all(|record| record.last_line <= lines)),
                Err(malformed) => prop_assert!(malformed.at.line <= lines),
            }
        }
    }
}
