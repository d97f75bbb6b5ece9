//! The rows of a table as the values of a loop: the dies of a wafer, the devices of a chip.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::files;
use super::grid::TURNS;
use crate::declarations::check_variable_name;
use crate::measurement::TRACE_COLUMNS;
use crate::source::{Diagnostic, Position, SourceFile};
use crate::step::is_golden;
use crate::table;

/// The rows of a table with a name for each column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    /// In the order of the file.
    pub(super) columns: Vec<String>,
    /// The rows; each is a map with all columns.
    pub(super) rows: Vec<Value>,
}

/// Reads a CSV text. Its columns become columns of the trace files, and `row.name` in expressions. Returns notes
/// about it too.
///
/// # Errors
/// All mistakes, each with its line and column.
pub(super) fn read(source: &Arc<SourceFile>) -> Result<(Table, Vec<Diagnostic>), Vec<Diagnostic>> {
    let table = table::Table::read(source)?;
    let mut wrong: Vec<Diagnostic> = table
        .names
        .iter()
        .filter_map(|name| {
            let (message, hint) = wrong_name(&name.text)?;
            Some(Diagnostic { hint, ..table.refuse(name, message) })
        })
        .collect();
    if table.rows.len() as u64 > TURNS {
        let at = Position { line: 1, column: 1 };
        wrong.push(Diagnostic::error(format!("the table has more than {TURNS} rows")).at(source, at));
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let columns: Vec<String> = table.names.iter().map(|name| name.text.clone()).collect();
    let mut rows = vec![Map::new(); table.rows.len()];
    for (index, name) in columns.iter().enumerate() {
        for (row, value) in rows.iter_mut().zip(table.values(index)) {
            row.insert(name.clone(), value);
        }
    }
    let rows = rows.into_iter().map(Value::Object).collect();
    Ok((Table { columns, rows }, table.findings))
}

/// The rows with each golden one again after every so many others. `None` if no row is golden, or if there are too many
/// rows then.
pub(super) fn with_golden(rows: Vec<Value>, every: u64) -> Option<Vec<Value>> {
    let golden: Vec<Value> = rows.iter().filter(|row| is_golden(row)).cloned().collect();
    let others = (rows.len() - golden.len()) as u64;
    let all = rows.len() as u64 + (others / every).saturating_mul(golden.len() as u64);
    if golden.is_empty() || all > TURNS {
        return None;
    }
    let mut turns = Vec::new();
    let mut others = 0;
    for row in rows {
        let is_other = !is_golden(&row);
        turns.push(row);
        others += u64::from(is_other);
        if is_other && others.is_multiple_of(every) {
            turns.extend(golden.iter().cloned());
        }
    }
    Some(turns)
}

fn wrong_name(name: &str) -> Option<(String, Option<String>)> {
    if let Err(error) = check_variable_name("column", name) {
        return Some((error.message, error.hint));
    }
    TRACE_COLUMNS.contains(&name).then(|| {
        let message = format!("column `{name}` has the same name as a trace-file column");
        (message, Some("give it another name in the first row".to_owned()))
    })
}

/// Reads a table that is not part of a recipe.
///
/// # Errors
/// If the file cannot be read, or all mistakes in it.
pub fn read_table(path: &Path) -> Result<table::Table, Vec<Diagnostic>> {
    let text = files::read(path).map_err(|message| vec![Diagnostic::error(message)])?;
    table::Table::read(&Arc::new(SourceFile { name: path.display().to_string(), text }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rows(text: &str) -> Result<Table, String> {
        let source = Arc::new(SourceFile { name: "dies.csv".into(), text: text.into() });
        read(&source).map(|(table, _)| table).map_err(|found| found[0].message.clone())
    }

    #[test]
    fn a_row_is_a_map_of_cells_whose_types_hold_for_the_column() {
        let table = rows("die,x_um\n1E1,0\n1E2,-1.50\n2E1,7\n").unwrap();
        assert_eq!(table.columns, ["die", "x_um"]);
        let expected = [("1E1", json!(0)), ("1E2", json!(-1.5)), ("2E1", json!(7))];
        assert_eq!(table.rows, expected.map(|(die, x)| json!({ "die": die, "x_um": x })));
    }

    #[test]
    fn a_column_has_a_name_that_expressions_and_trace_files_can_use() {
        for (text, message) in [
            ("x (um),y\n1,2\n", "column name `x (um)` is not allowed"),
            ("name,x\nA,2\n", "column `name` has the same name as a trace-file column"),
        ] {
            let found = rows(text).expect_err(text);
            assert!(found.starts_with(message), "{found}");
        }
    }
}
