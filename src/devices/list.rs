//! A list of devices: a table whose rows have an `id` and the coordinates `x_um` and `y_um`.

use std::fmt::Write as _;

use super::decimal_mark::Notation;
use super::length::{Unit, read, rounded};
use crate::source::Diagnostic;
use crate::table::Table;

/// The columns of every list.
pub const ID: &str = "id";
/// The coordinates of the device on the chip.
pub const PLACE: [&str; 2] = ["x_um", "y_um"];

/// A list of devices.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DeviceList {
    /// The names of the columns.
    pub columns: Vec<String>,
    /// The cells of each device.
    pub rows: Vec<Vec<String>>,
}

impl DeviceList {
    /// The list in a table.
    ///
    /// # Errors
    /// A table without the columns of a list, or with coordinates that are no numbers, with the positions.
    pub fn of_table(table: &Table) -> Result<Self, Vec<Diagnostic>> {
        let columns: Vec<String> = table.names.iter().map(|name| name.text.clone()).collect();
        let missing: Vec<String> = [ID, PLACE[0], PLACE[1]]
            .iter()
            .filter(|name| !columns.iter().any(|column| column == *name))
            .map(|name| format!("`{name}`"))
            .collect();
        if !missing.is_empty() {
            let message = format!("the list of devices has no column {}", missing.join(" and no "));
            let hint = format!(
                "its columns are `{}`; `ctp10 devices import FILE --columns id=…,x_um=…,y_um=…` names them",
                columns.join("`, `")
            );
            let found = Diagnostic::error(message).hint(hint);
            return Err(vec![match table.names.first() {
                Some(first) => found.at(&table.source, first.at),
                None => found,
            }]);
        }
        let mut wrong = Vec::new();
        for row in &table.rows {
            for (name, cell) in columns.iter().zip(row) {
                if PLACE.contains(&name.as_str())
                    && read(&cell.text, Unit::Um, Unit::Um, Notation::Plain).is_none()
                {
                    wrong.push(table.refuse(cell, format!("`{name}` must be a number, not `{}`", cell.text)));
                }
            }
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        let cells = |row: &Vec<crate::table::Cell>| row.iter().map(|cell| cell.text.clone()).collect();
        Ok(Self { columns, rows: table.rows.iter().map(cells).collect() })
    }

    /// The place of a column.
    #[must_use]
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column == name)
    }

    /// The identifiers of the devices.
    #[must_use]
    pub fn ids(&self) -> Vec<&str> {
        let Some(id) = self.column(ID) else { return Vec::new() };
        self.rows.iter().map(|row| row[id].as_str()).collect()
    }

    /// The points in two columns; `None` for a device without this point, and for all without the columns.
    #[must_use]
    pub fn points(&self, [x, y]: [&str; 2]) -> Vec<Option<[f64; 2]>> {
        let (Some(x), Some(y)) = (self.column(x), self.column(y)) else {
            return vec![None; self.rows.len()];
        };
        let number = |text: &str| read(text, Unit::Um, Unit::Um, Notation::Plain);
        self.rows.iter().map(|row| Some([number(&row[x])?, number(&row[y])?])).collect()
    }

    /// The coordinates of the devices.
    #[must_use]
    pub fn places(&self) -> Vec<[f64; 2]> {
        self.points(PLACE).into_iter().flatten().collect()
    }

    /// Sets the points in two columns, which are added at the end if they are new.
    pub fn set_points(&mut self, names: [&str; 2], points: &[Option<[f64; 2]>]) {
        for (axis, name) in names.into_iter().enumerate() {
            let column = self.column(name).unwrap_or_else(|| {
                self.columns.push(name.to_owned());
                self.rows.iter_mut().for_each(|row| row.push(String::new()));
                self.columns.len() - 1
            });
            for (row, point) in self.rows.iter_mut().zip(points) {
                row[column] = point.map(|point| rounded(point[axis]).to_string()).unwrap_or_default();
            }
        }
    }

    /// The devices in another order.
    pub fn reorder(&mut self, order: &[usize]) {
        self.rows = order.iter().map(|index| self.rows[*index].clone()).collect();
    }

    /// The list as a CSV text.
    #[must_use]
    pub fn to_csv(&self) -> String {
        let mut text = String::new();
        for row in std::iter::once(&self.columns).chain(&self.rows) {
            for (index, cell) in row.iter().enumerate() {
                let comma = if index == 0 { "" } else { "," };
                // A row that begins with `#` would be a comment.
                if cell.contains([',', '"']) || cell.starts_with('#') {
                    let _ = write!(text, "{comma}\"{}\"", cell.replace('"', "\"\""));
                } else {
                    let _ = write!(text, "{comma}{cell}");
                }
            }
            text.push('\n');
        }
        text
    }
}
