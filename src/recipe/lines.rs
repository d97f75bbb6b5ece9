//! Lines as YAML counts them.

use crate::source::Position;

/// The starts of the lines in YAML. In YAML more characters end a line than in text editors.
#[derive(Default)]
pub(super) struct YamlLines {
    /// Empty if both agree.
    begins: Vec<Position>,
}

impl YamlLines {
    pub(super) fn of(text: &str) -> Self {
        let mut letters = text.chars().peekable();
        let (mut begins, mut agree) = (vec![Position { line: 1, column: 1 }], true);
        let mut at = Position { line: 1, column: 1 };
        while let Some(letter) = letters.next() {
            at = match letter {
                '\n' => Position { line: at.line + 1, column: 1 },
                '\r' if letters.peek() != Some(&'\n') => Position { line: at.line + 1, column: 1 },
                _ => Position { column: at.column + 1, ..at },
            };
            let ends = match letter {
                '\n' => true,
                '\r' => letters.peek() != Some(&'\n'),
                '\u{85}' | '\u{2028}' | '\u{2029}' => true,
                _ => false,
            };
            if ends {
                agree &= at.column == 1;
                begins.push(at);
            }
        }
        Self { begins: if agree { Vec::new() } else { begins } }
    }

    /// Whether YAML counts the lines of the text in the usual way.
    pub(super) fn agree(&self) -> bool {
        self.begins.is_empty()
    }

    /// Converts a position of YAML to a position in the text.
    pub(super) fn place(&self, at: Position) -> Position {
        match at.line.checked_sub(1).and_then(|line| self.begins.get(line)) {
            Some(begin) => Position { column: begin.column + at.column.saturating_sub(1), ..*begin },
            None => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_that_only_yaml_ends_is_a_place_further_on_in_the_text() {
        let lines = YamlLines::of("a: 1\r\n# x\u{2028}b: 2\rc\n");
        let place = |line, column| lines.place(Position { line, column });
        assert_eq!(place(1, 2), Position { line: 1, column: 2 });
        assert_eq!(place(3, 1), Position { line: 2, column: 5 });
        assert_eq!(place(4, 1), Position { line: 3, column: 1 });
        assert_eq!(place(5, 1), Position { line: 4, column: 1 });
        assert_eq!(
            YamlLines::of("a\r\nb\n").place(Position { line: 2, column: 1 }),
            Position { line: 2, column: 1 }
        );
    }
}
