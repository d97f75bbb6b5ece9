//! The rows of a CSV file, as what a loop goes over: the dies of a wafer, the devices of a chip.

use std::collections::HashSet;
use std::sync::Arc;

use csv::{ReaderBuilder, StringRecord, Trim};
use serde_json::{Map, Value};

use super::grid::TURNS;
use crate::header::check_variable_name;
use crate::measurement::TRACE_COLUMNS;
use crate::source::{Diagnostic, Position, SourceFile};

/// A table with a name for each column.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Table {
    /// In the order of the file.
    pub(super) columns: Vec<String>,
    /// Each a map with all the columns.
    pub(super) rows: Vec<Value>,
}

/// Reads a CSV text: its first row has the names; blank lines and lines that begin with `#` are left out.
///
/// A column all of whose cells are numbers holds numbers. Any other holds texts, and so does one with a number like
/// `007`: that is a name.
///
/// # Errors
/// Everything that is wrong with it, each with its line.
pub(super) fn read(source: &Arc<SourceFile>) -> Result<Table, Vec<Diagnostic>> {
    let refuse = |line: u64, message: String| {
        let line = usize::try_from(line).unwrap_or(1);
        Diagnostic::error(message).at(source, Position { line, column: 1 })
    };
    let text = source.text.trim_start_matches('\u{feff}');
    let mut reader = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let mut records = reader.records().map(|record| {
        record.map(|record| (line(&record), record)).map_err(|error| vec![refuse(1, error.to_string())])
    });
    let Some(head) = records.next() else {
        return Err(vec![refuse(1, "the table is empty: its first row names the columns".to_owned())]);
    };
    let (at, head) = head?;
    let columns: Vec<String> = head.iter().map(str::to_owned).collect();
    let mut found: Vec<Diagnostic> =
        wrong_names(&columns).map(|(message, hint)| Diagnostic { hint, ..refuse(at, message) }).collect();
    let records = records.collect::<Result<Vec<_>, _>>()?;
    for (at, record) in records.iter().filter(|(_, record)| record.len() != columns.len()) {
        let message = format!("this row has {} cells and the table {} columns", record.len(), columns.len());
        found.push(refuse(*at, message));
    }
    if records.is_empty() {
        found.push(refuse(at, "the table has no rows below its names".to_owned()));
    }
    if records.len() as u64 > TURNS {
        found.push(refuse(at, format!("the table has more than {TURNS} rows")));
    }
    if !found.is_empty() {
        return Err(found);
    }
    let numbers: Vec<bool> = (0..columns.len())
        .map(|column| records.iter().all(|(_, record)| number(&record[column]).is_some()))
        .collect();
    let row = |record: &StringRecord| {
        let cells = columns.iter().zip(&numbers).zip(record);
        let values = cells.map(|((name, numeric), cell)| {
            let value = number(cell).filter(|_| *numeric).unwrap_or_else(|| cell.into());
            (name.clone(), value)
        });
        Value::Object(values.collect::<Map<_, _>>())
    };
    let rows = records.iter().map(|(_, record)| row(record)).collect();
    Ok(Table { columns, rows })
}

fn line(record: &StringRecord) -> u64 {
    record.position().map_or(1, csv::Position::line)
}

/// The names become columns of the trace files, and `row.name` in expressions.
fn wrong_names(columns: &[String]) -> impl Iterator<Item = (String, Option<String>)> {
    let mut seen = HashSet::new();
    columns.iter().filter_map(move |name| {
        if let Err(error) = check_variable_name("column", name) {
            let other = name.contains([';', '\t']).then(|| "columns are separated by commas".to_owned());
            return Some((error.message, other.or(error.hint)));
        }
        if TRACE_COLUMNS.contains(&name.as_str()) {
            let message = format!("column `{name}` is called like a column of the trace file");
            return Some((message, Some("give it another name in the first row".to_owned())));
        }
        (!seen.insert(name)).then(|| (format!("there are two columns `{name}`"), None))
    })
}

/// A cell as a number, if it is written like one.
fn number(cell: &str) -> Option<Value> {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let padded = digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.");
    if padded || !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    match cell.parse::<i64>() {
        Ok(whole) => Some(whole.into()),
        Err(_) => cell.parse::<f64>().ok().filter(|number| number.is_finite()).map(Value::from),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table(text: &str) -> Result<Table, String> {
        let source = Arc::new(SourceFile { name: "dies.csv".into(), text: text.into() });
        let told = |found: &Diagnostic| format!("{} {}", found.place.as_ref().unwrap().1.line, found.message);
        read(&source).map_err(|found| found.iter().map(told).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn a_row_is_a_map_and_a_column_of_numbers_has_numbers() {
        let text = "\u{feff}die, x_um ,y_um,lot,note\n# the first column of the wafer\nA1,0,-1.5,007,\"a, \"\"b\"\"\"\n\nA2,5e3,2,008,\n";
        let table = table(text).unwrap();
        assert_eq!(table.columns, ["die", "x_um", "y_um", "lot", "note"]);
        assert_eq!(
            table.rows,
            [
                json!({ "die": "A1", "x_um": 0, "y_um": -1.5, "lot": "007", "note": "a, \"b\"" }),
                json!({ "die": "A2", "x_um": 5000.0, "y_um": 2, "lot": "008", "note": "" }),
            ]
        );
    }

    #[test]
    fn one_cell_that_is_no_number_makes_its_column_one_of_texts() {
        assert_eq!(table("a\n1\nx\n").unwrap().rows, [json!({ "a": "1" }), json!({ "a": "x" })]);
        assert_eq!(table("a\n1\nnan\n").unwrap().rows[1], json!({ "a": "nan" }));
        assert_eq!(table("a\n1\n1e999\n").unwrap().rows[1], json!({ "a": "1e999" }));
        assert_eq!(table("a\n-0.5\n.5\n").unwrap().rows[1], json!({ "a": 0.5 }));
    }

    #[test]
    fn what_is_no_table_is_said_with_its_line() {
        for (text, said) in [
            ("", "1 the table is empty: its first row names the columns"),
            ("a,b\n", "1 the table has no rows below its names"),
            (
                "# dies\na,b\n1,2\n1\n1,2,3\n",
                "4 this row has 1 cells and the table 2 columns; 5 this row has 3",
            ),
            ("x (um),y\n1,2\n", "1 column name `x (um)` is not allowed"),
            ("a;b\n1;2\n", "1 column name `a;b` is not allowed"),
            ("a,a\n1,2\n", "1 there are two columns `a`"),
            ("name,x\nA,2\n", "1 column `name` is called like a column of the trace file"),
        ] {
            let found = table(text).expect_err(text);
            assert!(found.starts_with(said), "{found}");
        }
    }
}
