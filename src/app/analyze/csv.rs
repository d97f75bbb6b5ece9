//! A CSV file with wavelengths and levels. Millions of rows are read without a cell of their own for each value.

mod cells;
mod head;
#[cfg(test)]
mod tests;

use cells::{Cells, Separator, value};
use head::Head;

use crate::store::unit_in_name;

/// The columns of a CSV file.
#[derive(Debug, PartialEq, Default)]
pub(super) struct Table {
    pub(super) wavelengths_nm: Vec<f64>,
    pub(super) levels_db: Vec<f64>,
    pub(super) column: String,
    /// The unit of the levels, as a comment of this program states it.
    pub(super) unit: Option<String>,
    /// Whether a comment of this program says that the values are computed.
    pub(super) is_simulated: bool,
}

/// Where the columns are.
#[derive(Debug)]
struct Layout {
    separator: Separator,
    wavelength: usize,
    level: usize,
    /// Number of columns. Later cells must be empty.
    columns: usize,
    name: String,
    /// The first number with a decimal mark: in a file with decimal commas, `1.550` would be 1550.
    marked: Option<String>,
}

/// Reads a text. The error begins with the number of the line.
pub(super) fn read(text: &str, column: Option<&str>) -> Result<Table, String> {
    let mut head = Head::new(column);
    let mut layout: Option<Layout> = None;
    let mut table = Table::default();
    for (number, line) in (1..).zip(crate::source::lines(text)) {
        // A tab may be an empty cell.
        let line = line.trim_matches(' ');
        if line.trim().is_empty() {
            continue;
        }
        if let Some(comment) = comment(line) {
            let comment = comment.trim();
            table.is_simulated |= comment.starts_with("SIMULATED");
            if let Some(unit) = comment.strip_prefix("unit of value: ") {
                table.unit = Some(unit.to_owned());
            }
            head.comment(comment);
            continue;
        }
        if layout.is_none() {
            layout = head.line(number, line)?;
        }
        if let Some(layout) = &mut layout {
            let (wavelength, level) = layout.row(line).map_err(|why| format!("{number}: {why}"))?;
            table.wavelengths_nm.push(wavelength);
            table.levels_db.push(level);
        }
    }
    match layout {
        Some(layout) => {
            let by_name = || unit_in_name(&layout.name).map(|unit| unit.symbol().to_owned());
            Ok(Table { unit: table.unit.clone().or_else(by_name), column: layout.name, ..table })
        }
        None => Err(head.no_rows()),
    }
}

/// The text of a line that is a comment in the files of some program.
fn comment(line: &str) -> Option<&str> {
    ["#", "%", "!", "//"].into_iter().find_map(|mark| line.strip_prefix(mark))
}

impl Layout {
    /// The wavelength and the level of a row.
    fn row(&mut self, line: &str) -> Result<(f64, f64), String> {
        if line.matches('"').count() % 2 == 1 {
            return Err(format!("a quote in `{line}` is not closed"));
        }
        let (mut wavelength, mut level) = (None, None);
        for (place, cell) in Cells::of(line, self.separator).enumerate() {
            if place == self.wavelength {
                wavelength = Some(cell);
            } else if place == self.level {
                level = Some(cell);
            } else if place >= self.columns && !cell.is_empty() {
                // Otherwise `1550,0,-3,0` would be read as 1550 and 0.
                let hint = self.separator.comma_hint();
                return Err(format!("`{line}` has more than {} columns{hint}", self.columns));
            }
        }
        let Some((wavelength, level)) = wavelength.zip(level) else {
            return Err(format!("`{line}` has too few columns: a wavelength and `{}` are needed", self.name));
        };
        let read =
            |cell: &str| value(cell, self.separator).ok_or_else(|| format!("`{cell}` is not a number"));
        let values = (read(wavelength)?, read(level)?);
        self.check_mark(wavelength)?;
        self.check_mark(level)?;
        Ok(values)
    }

    /// A file has one decimal mark.
    fn check_mark(&mut self, cell: &str) -> Result<(), String> {
        let mark = |cell: &str| cell.find(['.', ',']).map(|at| cell.as_bytes()[at]);
        match (&self.marked, mark(cell)) {
            (_, None) => Ok(()),
            (None, Some(_)) => {
                self.marked = Some(cell.to_owned());
                Ok(())
            }
            (Some(first), found) if mark(first) == found => Ok(()),
            (Some(first), Some(_)) => Err(format!(
                "`{cell}` has another decimal mark than `{first}` before it: write a point or a comma in all numbers"
            )),
        }
    }
}
