//! Tables: CSV files with the names of their columns in the first row. Loops use their rows, and batches list devices
//! in them.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use crate::source::{Diagnostic, Position, SourceFile};

mod column;
mod records;

pub use column::{Written, column};
pub use records::{Cell, Malformed, Record, Records, split};

/// The hint about other separators.
const COMMAS: &str = "columns are separated by commas: save the file as CSV with commas";

/// A table as written.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The file.
    pub source: Arc<SourceFile>,
    /// The names of the columns, in the order of the file.
    pub names: Vec<Cell>,
    /// The rows, each with as many cells as there are names.
    pub rows: Vec<Vec<Cell>>,
    /// Notes about the table.
    pub findings: Vec<Diagnostic>,
}

impl Table {
    /// Reads a CSV text. The first row contains the names. Lines that begin with `#`, lines of only commas and empty
    /// columns at the end are ignored.
    ///
    /// # Errors
    /// All mistakes, each with its line and column.
    pub fn read(source: &Arc<SourceFile>) -> Result<Self, Vec<Diagnostic>> {
        let refuse = |at: Position, message: String| Diagnostic::error(message).at(source, at);
        if let Some(at) = position_of_nul(&source.text) {
            let hint = "save the file as UTF-8; it may be in UTF-16";
            return Err(vec![refuse(at, "the table contains a NUL character".to_owned()).hint(hint)]);
        }
        let split = split(&source.text, ',');
        let found = split
            .map_err(|Malformed { at, message, hint }| vec![refuse(at, message.to_owned()).hint(hint)])?;
        let comments = found.comments;
        let mut records = found.records;
        let begin = Position { line: 1, column: 1 };
        if records.is_empty() {
            return Err(vec![refuse(
                begin,
                "the table is empty: the first row must contain the names of the columns".to_owned(),
            )]);
        }
        let head = records.remove(0);
        let width = width(&head, &records);
        let mut names = head.cells;
        names.truncate(width);
        let mut wrong = wrong_names(&names, source);
        // With other separators, the rows are wrong for the same reason and are not reported.
        if wrong.iter().any(|finding| finding.hint.as_deref() == Some(COMMAS)) {
            wrong.truncate(1);
            return Err(wrong);
        }
        for record in &mut records {
            if record.cells.len() > width && record.cells[width..].iter().all(|cell| cell.text.is_empty()) {
                record.cells.truncate(width);
            }
            if record.cells.len() != width {
                let at = record.cells.get(width).or(record.cells.first()).map_or(begin, |cell| cell.at);
                wrong.push(refuse(at, ragged(record.cells.len(), width)));
            }
        }
        if records.is_empty() {
            let at = Position { line: head.line, column: 1 };
            wrong.push(refuse(at, "the table has no rows after the names of its columns".to_owned()));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let findings = oddities(&records, &comments, source);
        let rows = records.into_iter().map(|record| record.cells).collect();
        Ok(Self { source: Arc::clone(source), names, rows, findings })
    }

    /// The values of a column, all of one type.
    #[must_use]
    pub fn values(&self, index: usize) -> Vec<Value> {
        let written: Vec<Written> =
            self.rows.iter().map(|row| Written::Bare(row[index].text.clone())).collect();
        column(&written.iter().collect::<Vec<_>>())
    }

    /// An error about a cell.
    #[must_use]
    pub fn refuse(&self, cell: &Cell, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(message).at(&self.source, cell.at)
    }
}

/// The number of columns, without those at the end that have neither a name nor cells.
fn width(head: &Record, records: &[Record]) -> usize {
    let used = |index: usize| {
        let filled = |record: &Record| record.cells.get(index).is_some_and(|cell| !cell.text.is_empty());
        filled(head) || records.iter().any(filled)
    };
    (0..head.cells.len()).rev().find(|index| used(*index)).map_or(0, |last| last + 1)
}

fn wrong_names(names: &[Cell], source: &Arc<SourceFile>) -> Vec<Diagnostic> {
    let mut seen = HashSet::new();
    let mut check = |(number, name): (usize, &Cell)| {
        let refuse = |message: String| Some(Diagnostic::error(message).at(source, name.at));
        let text = &name.text;
        if text.contains([';', '\t', '|']) || (number == 1 && text.to_lowercase().starts_with("sep=")) {
            let shown = text.replace('\t', " ");
            let message = format!("`{shown}` is not a valid column name");
            return refuse(message).map(|finding| finding.hint(COMMAS));
        }
        if text.is_empty() {
            return refuse(format!("column {number} has no name"));
        }
        if text.contains(char::is_control) {
            return refuse(format!(
                "the name of column {number} has a line break or another control character"
            ));
        }
        if seen.insert(text.clone()) { None } else { refuse(format!("the table has two columns `{text}`")) }
    };
    (1..).zip(names).filter_map(&mut check).collect()
}

fn ragged(cells: usize, columns: usize) -> String {
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    format!("this row has {}, but the table has {}", plural(cells, "cell"), plural(columns, "column"))
}

/// Notes about allowed parts that may hide a row.
fn oddities(records: &[Record], comments: &[usize], source: &Arc<SourceFile>) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for record in records.iter().filter(|record| record.last_line > record.line) {
        let first = |cell: &&Cell| cell.text.contains(['\n', '\r']);
        let at =
            record.cells.iter().find(first).map_or(Position { line: record.line, column: 1 }, |cell| cell.at);
        let message = format!(
            "a quoted cell contains line breaks: this row is in lines {} to {}",
            record.line, record.last_line
        );
        found.push(Diagnostic::warning(message).at(source, at));
    }
    if let Some(first) = comments.first() {
        let lines: Vec<String> = comments.iter().take(10).map(usize::to_string).collect();
        let more = if comments.len() > lines.len() { ", …" } else { "" };
        let message = format!("lines that begin with `#` are ignored: {}{more}", lines.join(", "));
        found.push(Diagnostic::note(message).at(source, Position { line: *first, column: 1 }));
    }
    found
}

fn position_of_nul(text: &str) -> Option<Position> {
    let before = &text[..text.find('\0')?];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    Some(Position { line, column })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table(text: &str) -> Result<Table, String> {
        let source = Arc::new(SourceFile { name: "dies.csv".into(), text: text.into() });
        Table::read(&source).map_err(|found| found.iter().map(said).collect::<Vec<_>>().join("; "))
    }

    fn said(found: &Diagnostic) -> String {
        let at = found.place.as_ref().unwrap().1;
        let hint = found.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
        format!("{}:{} {}{hint}", at.line, at.column, found.message)
    }

    #[test]
    fn a_column_has_one_type() {
        let text = "\u{feff}die, x_um ,y_um,lot,note\n# the first column of the wafer\nA1,0,-1.5,007,\"a, \"\"b\"\"\"\n\nA2,53,2.50,008,\n";
        let table = table(text).unwrap();
        let names: Vec<&str> = table.names.iter().map(|name| name.text.as_str()).collect();
        assert_eq!(names, ["die", "x_um", "y_um", "lot", "note"]);
        let columns: Vec<Value> = (0..5).map(|index| table.values(index).into()).collect();
        let expected = json!([["A1", "A2"], [0, 53], [-1.5, 2.5], ["007", "008"], ["a, \"b\"", ""]]);
        assert_eq!(Value::from(columns), expected);
        assert_eq!(said(&table.findings[0]), "2:1 lines that begin with `#` are ignored: 2");
    }

    #[test]
    fn what_a_spreadsheet_leaves_at_the_edges_is_left_out() {
        let table = table("die,x,,\nA1,1,,\n,,,\nA2,2,,,\n  \n,\n").unwrap();
        assert_eq!((table.names.len(), table.rows.len()), (2, 2));
        assert_eq!(table.values(1), [json!(1), json!(2)]);
    }

    #[test]
    fn what_is_no_table_is_said_with_its_place() {
        for (text, expected) in [
            ("", "1:1 the table is empty: the first row must contain the names of the columns"),
            ("\u{feff}\n,,\n", "1:1 the table is empty"),
            ("a,b\n", "1:1 the table has no rows after the names of its columns"),
            (
                "# dies\na,b\n1,2\n1\n1,2,3\n",
                "4:1 this row has 1 cell, but the table has 2 columns; 5:5 this row has 3 cells",
            ),
            ("a,,c\n1,2,3\n", "1:3 column 2 has no name"),
            ("a,\n1,2\n", "1:3 column 2 has no name"),
            ("a,b,a\n1,2,3\n", "1:5 the table has two columns `a`"),
            ("a;b\n1;2\n", "1:1 `a;b` is not a valid column name (columns are separated by commas"),
            ("a\tb\n1\t2\n", "1:1 `a b` is not a valid column name (columns are separated by commas"),
            ("sep=;\na;b\n1;2\n", "1:1 `sep=;` is not a valid column name (columns are separated by commas"),
            ("sep=,\na,b\n1,2\n", "1:1 `sep=` is not a valid column name (columns are separated by commas"),
            ("a;b,c\n1;2\n", "1:1 `a;b` is not a valid column name (columns are separated by commas"),
            ("\"a\nb\",c\n1,2\n", "1:1 the name of column 1 has a line break"),
            ("a,b\n1,\"x\n2,y\n", "2:3 this quote is not closed"),
            ("d\0i\0e\0\n\0", "1:2 the table contains a NUL character (save the file as UTF-8"),
        ] {
            let found = table(text).expect_err(text);
            assert!(found.starts_with(expected), "{found}");
        }
    }

    #[test]
    fn a_cell_over_several_lines_is_a_warning() {
        let table = table("a,b\n1,\"x\n2,y\"\n3,4\n").unwrap();
        assert_eq!(table.rows.len(), 2);
        assert_eq!(
            said(&table.findings[0]),
            "2:3 a quoted cell contains line breaks: this row is in lines 2 to 3"
        );
    }
}
