//! Any CSV file with the names of its columns in the first row. Columns are separated by commas, semicolons or tabs.

use std::sync::Arc;

use crate::devices::rows::{Field, Row, Rows};
use crate::source::{Diagnostic, Position, SourceFile};
use crate::table::{Cell, Record, split};

pub(super) fn read(source: &Arc<SourceFile>) -> Result<Rows, Vec<Diagnostic>> {
    let text = source.code();
    let begin = Position { line: 1, column: 1 };
    let first = text.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let separator = separator(first.unwrap_or_default());
    let found = split(text, separator)
        .map_err(|wrong| vec![Diagnostic::error(wrong.message).at(source, wrong.at).hint(wrong.hint)])?;
    // Excel reads the separator from a first line `sep=;`.
    let is_hint = |record: &Record| record.cells.first().is_some_and(|cell| cell.text.starts_with("sep="));
    let mut records = found.records.into_iter().skip_while(is_hint);
    let Some(head) = records.next() else {
        let message = "the file is empty: the first row must contain the names of the columns";
        return Err(vec![Diagnostic::error(message).at(source, begin)]);
    };
    let records: Vec<Record> = records.collect();
    let names = names(&head, &records, source)?;
    let mut rows = Rows::new(source, Vec::new());
    rows.may_have_commas = separator != ',';
    let mut wrong = Vec::new();
    for record in records {
        let cells = record.cells.len();
        let more = record.cells.iter().skip(head.cells.len()).find(|cell| !cell.text.is_empty());
        if let Some(at) = more.map(|cell| cell.at).or((cells < names.len()).then(|| end(&record))) {
            let message = format!("this row has {cells} cells, but the first row has {}", names.len());
            wrong.push(Diagnostic::error(message).at(source, at));
            continue;
        }
        let at = record.cells.first().map_or(begin, |cell| cell.at);
        let fields = names.iter().zip(record.cells).filter_map(|(name, cell)| {
            name.as_ref().map(|name| Field::new(name.clone(), cell.text, cell.at))
        });
        rows.rows.push(Row { at, fields: fields.collect() });
    }
    if names.first().is_some_and(Option::is_none) {
        let note = "the first column has no name and is left out: it is the number of the row";
        rows.findings.push(Diagnostic::note(note).at(source, begin));
    }
    if wrong.is_empty() { Ok(rows) } else { Err(wrong) }
}

/// The names of the columns; `None` for a column that is left out.
fn names(
    head: &Record,
    records: &[Record],
    source: &Arc<SourceFile>,
) -> Result<Vec<Option<String>>, Vec<Diagnostic>> {
    let is_empty = |index: usize| {
        records.iter().all(|record| record.cells.get(index).is_none_or(|cell| cell.text.is_empty()))
    };
    let width = (0..head.cells.len())
        .rev()
        .find(|index| !head.cells[*index].text.is_empty() || !is_empty(*index))
        .map_or(0, |last| last + 1);
    // pandas writes the number of the row into a first column without a name.
    let is_numbered = records
        .iter()
        .enumerate()
        .all(|(number, record)| record.cells.first().is_some_and(|cell| cell.text == number.to_string()));
    let (mut names, mut wrong) = (Vec::new(), Vec::new());
    for (index, Cell { text, at }) in head.cells.iter().take(width).enumerate() {
        if text.is_empty() && !is_empty(index) && !(index == 0 && is_numbered) {
            let message = format!("column {} has no name", index + 1);
            wrong.push(Diagnostic::error(message).at(source, *at));
        } else if !text.is_empty() && names.contains(&Some(text.clone())) {
            wrong.push(Diagnostic::error(format!("the file has two columns `{text}`")).at(source, *at));
        }
        names.push((!text.is_empty()).then(|| text.clone()));
    }
    if wrong.is_empty() { Ok(names) } else { Err(wrong) }
}

/// The position after the last cell of a row.
fn end(record: &Record) -> Position {
    record.cells.last().map_or(Position { line: record.line, column: 1 }, |cell| Position {
        column: cell.at.column + cell.text.chars().count(),
        ..cell.at
    })
}

/// The separator of the columns, told by the first row.
pub(super) fn separator(first: &str) -> char {
    if first.contains(',') {
        return ',';
    }
    [';', '\t'].into_iter().find(|separator| first.contains(*separator)).unwrap_or(',')
}
