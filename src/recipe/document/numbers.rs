//! Finds how the numbers of a YAML text were written.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use crate::source::Position;

/// The lines of a text as YAML counts them, and the numbers that were found in it.
pub(super) struct WrittenNumbers<'a> {
    lines: Vec<&'a str>,
    /// Line, column and byte of the last number. Numbers arrive in the order of the text, except those of aliases.
    last: Cell<(usize, usize, usize)>,
    known: RefCell<HashMap<Position, Arc<str>>>,
}

impl<'a> WrittenNumbers<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let unix = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
        let lines = unix.flat_map(|line| line.split(['\r', '\u{85}', '\u{2028}', '\u{2029}'])).collect();
        Self { lines, last: Cell::new((0, 1, 0)), known: RefCell::default() }
    }

    /// The number at a position, after its anchor and its tag, which may be in separate lines.
    pub(super) fn number_at(&self, at: Position) -> Arc<str> {
        let find = || {
            let mut further = self.lines.iter().skip(at.line);
            let mut rest = self.from(at);
            loop {
                rest = rest.trim_start();
                if rest.is_empty() || rest.starts_with('#') {
                    let Some(next) = further.next() else { break };
                    rest = next;
                } else if rest.starts_with(['&', '!']) {
                    rest = &rest[rest.find(char::is_whitespace).unwrap_or(rest.len())..];
                } else {
                    break;
                }
            }
            rest = rest.trim_start_matches(['"', '\'']);
            let ends = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.' | '_'));
            rest[..rest.find(ends).unwrap_or(rest.len())].into()
        };
        Arc::clone(self.known.borrow_mut().entry(at).or_insert_with(find))
    }

    /// The rest of a line after a position.
    fn from(&self, at: Position) -> &'a str {
        let line = self.lines.get(at.line.wrapping_sub(1)).copied().unwrap_or_default();
        let last = self.last.get();
        let (column, byte) = if (last.0, last.1) <= (at.line, at.column) && last.0 == at.line {
            (last.1, last.2)
        } else {
            (1, 0)
        };
        let further = at.column.saturating_sub(column);
        let rest = &line[byte..];
        let byte = rest.char_indices().nth(further).map_or(line.len(), |(index, _)| byte + index);
        self.last.set((at.line, at.column, byte));
        &line[byte..]
    }
}
