//! From the fields of a file to the columns of a list.

use std::collections::{HashMap, HashSet};
use std::str::FromStr;
use std::sync::Arc;

use serde_json::Value;

use super::decimal_mark::{self, Notation};
use super::formats::Format;
use super::length::{Unit, read};
use super::list::{DeviceList, ID, PLACE};
use super::rows::{Row, Rows, text};
use crate::declarations::check_variable_name;
use crate::decode::suggestion;
use crate::measurement::TRACE_COLUMNS;
use crate::source::{Diagnostic, Position, SourceFile};

/// The wavelength of the design. Traces have a column `wavelength_nm`, so the name says which one is meant.
const WAVELENGTH: &str = "design_wavelength_nm";
/// Larger than any wafer: the unit of the coordinates is probably another one.
const WIDEST_UM: f64 = 500e3;

/// A column of the list: `id=deviceID`. `*` stands for the usual columns of the format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// A column, and the path of its field in the file.
    Column(String, String),
    /// The usual columns that are not named.
    Usual,
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "*" {
            return Ok(Self::Usual);
        }
        let (column, path) = text.split_once('=').unwrap_or((text, text));
        let (column, path) = (column.trim(), path.trim());
        check_name(column)?;
        if path.is_empty() {
            return Err(format!("the column `{column}` has no field"));
        }
        Ok(Self::Column(column.to_owned(), path.to_owned()))
    }
}

/// What happens to identifiers that are not unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Duplicates {
    /// They are an error.
    Refuse,
    /// The second one gets `_2`, and so on.
    Number,
}

/// How a file becomes a list.
#[derive(Debug, Clone)]
pub struct Chosen {
    /// The format; found by the content if it is not given.
    pub format: Option<Format>,
    /// The columns; the usual ones if none is given.
    pub columns: Vec<Choice>,
    /// The unit of the coordinates, where the file does not state it.
    pub unit: Option<Unit>,
    /// Identifiers that are not unique.
    pub duplicates: Duplicates,
}

/// A list from a file.
#[derive(Debug, Clone)]
pub struct Imported {
    /// The list.
    pub list: DeviceList,
    /// The format of the file.
    pub format: Format,
    /// The columns, each with the path of its field.
    pub columns: Vec<(String, String)>,
    /// Warnings and notes.
    pub findings: Vec<Diagnostic>,
}

impl Chosen {
    /// Reads the list in a text.
    ///
    /// # Errors
    /// All mistakes in the file or in the choice of the columns, with their positions.
    pub fn import(&self, source: &Arc<SourceFile>) -> Result<Imported, Vec<Diagnostic>> {
        let format = self.format.unwrap_or_else(|| Format::of(source));
        let rows = format.read(source)?;
        let columns = self.columns(format, &rows)?;
        let id = columns.iter().find(|(column, _)| column == ID).map_or("", |(_, path)| path);
        let lengths: Vec<&str> = columns
            .iter()
            .filter(|(column, _)| unit_of(column).is_some())
            .map(|(_, path)| path.as_str())
            .collect();
        let notation = decimal_mark::of_file(&rows, &lengths, id)?;
        let mut taker = Taker {
            rows: &rows,
            unit: self.unit,
            notation,
            wrong: Vec::new(),
            findings: rows.findings.clone(),
        };
        let mut list = taker.list(&columns)?;
        taker.check_ids(&mut list, self.duplicates);
        taker.check_extent(&list);
        let Taker { wrong, findings, .. } = taker;
        if wrong.is_empty() { Ok(Imported { list, format, columns, findings }) } else { Err(wrong) }
    }

    /// The columns with the paths of their fields, each of which some device has.
    fn columns(&self, format: Format, rows: &Rows) -> Result<Vec<(String, String)>, Vec<Diagnostic>> {
        let usual = format.usual(rows);
        let mut columns: Vec<(String, String)> = Vec::new();
        for choice in &self.columns {
            if let Choice::Column(column, path) = choice {
                if columns.iter().any(|(known, _)| known == column) {
                    return Err(vec![Diagnostic::error(format!("`--columns` names `{column}` twice"))]);
                }
                columns.push((column.clone(), path.clone()));
            }
        }
        if self.columns.is_empty() || self.columns.contains(&Choice::Usual) {
            let more = usual.into_iter().filter(|(column, path)| {
                let is_taken = |(own, field): &(String, String)| own == column || field == path;
                !columns.iter().any(is_taken)
            });
            columns.extend(more.collect::<Vec<_>>());
        }
        let names = rows.names();
        let lacks: Vec<String> = [ID, PLACE[0], PLACE[1]]
            .iter()
            .filter(|name| !columns.iter().any(|(column, _)| column == *name))
            .map(|name| format!("`{name}`"))
            .collect();
        if !lacks.is_empty() {
            let message = format!("the list would have no column {}", lacks.join(" and no "));
            let hint = format!(
                "name the fields: `--columns id=…,x_um=…,y_um=…`; the file has `{}`",
                names.join("`, `")
            );
            return Err(vec![
                Diagnostic::error(message).at(&rows.source, Position { line: 1, column: 1 }).hint(hint),
            ]);
        }
        let has = |path: &str| rows.rows.iter().any(|row| row.get(path).is_some());
        let mut wrong: Vec<Diagnostic> = Vec::new();
        for (column, path) in &columns {
            if let Err(message) = check_name(column) {
                let hint = format!("choose the columns: `--columns 'id=…,x_um=…,y_um=…,NAME={path}'`");
                wrong.push(Diagnostic::error(message).hint(hint));
            } else if !has(path) {
                let message = format!("no device has the field `{path}` for the column `{column}`");
                wrong.push(Diagnostic::error(message).hint(suggestion(path, names.iter().copied())));
            }
        }
        if wrong.is_empty() { Ok(columns) } else { Err(wrong) }
    }
}

/// A column must be a name that recipes and trace files can use.
fn check_name(column: &str) -> Result<(), String> {
    check_variable_name("column", column).map_err(|error| error.message)?;
    if TRACE_COLUMNS.contains(&column) {
        return Err(format!("column `{column}` has the same name as a trace-file column"));
    }
    Ok(())
}

/// The unit of a column with lengths.
fn unit_of(column: &str) -> Option<Unit> {
    [("_um", Unit::Um), ("_nm", Unit::Nm)]
        .into_iter()
        .find_map(|(end, unit)| column.ends_with(end).then_some(unit))
}

/// Takes the cells of a list from the rows of a file.
struct Taker<'a> {
    rows: &'a Rows,
    unit: Option<Unit>,
    notation: Notation,
    wrong: Vec<Diagnostic>,
    findings: Vec<Diagnostic>,
}

impl Taker<'_> {
    fn list(&mut self, columns: &[(String, String)]) -> Result<DeviceList, Vec<Diagnostic>> {
        let rows = self.rows;
        let mut are_numbers = Vec::with_capacity(columns.len());
        for (column, path) in columns {
            let is_other = column != ID && unit_of(column).is_none();
            are_numbers.push(is_other && decimal_mark::is_of_numbers(rows, path, self.notation)?);
        }
        let mut list = DeviceList {
            columns: columns.iter().map(|(column, _)| column.clone()).collect(),
            rows: Vec::with_capacity(rows.rows.len()),
        };
        for row in &rows.rows {
            let cells = columns.iter().zip(&are_numbers);
            let cells = cells.map(|((column, path), is_number)| match self.cell(row, column, path) {
                cell if *is_number => self.notation.with_point(&cell),
                cell => cell,
            });
            list.rows.push(cells.collect());
        }
        Ok(list)
    }

    fn cell(&mut self, row: &Row, column: &str, path: &str) -> String {
        let (value, at) = row.get(path).unwrap_or((Value::Null, row.at));
        let text = text(&value);
        let is_needed = column == ID || PLACE.contains(&column);
        if text.is_empty() {
            if is_needed {
                let message = format!("this device has no `{path}` for the column `{column}`");
                self.wrong.push(self.rows.error(at, message));
            }
            return text;
        }
        let Some(to) = unit_of(column) else {
            return if column == "polarization" { text.to_uppercase() } else { text };
        };
        // A number of JSON has a decimal point in every file.
        let notation = if value.is_string() { self.notation } else { Notation::Plain };
        match self.length(&text, notation, path, column, to) {
            Ok(length) => length,
            Err((message, hint)) => {
                let found = self.rows.error(at, message);
                self.wrong.push(Diagnostic { hint, ..found });
                text
            }
        }
    }

    /// A length in the unit of its column.
    fn length(
        &self,
        text: &str,
        notation: Notation,
        path: &str,
        column: &str,
        to: Unit,
    ) -> Result<String, (String, Option<String>)> {
        let of_name = Unit::of_name(path);
        let given = self.unit.filter(|_| to == Unit::Um);
        if let (Some(of_name), Some(given)) = (of_name, given)
            && of_name != given
        {
            let message = format!(
                "the field `{path}` is in {} by its name, but `--unit` says {}",
                of_name.name(),
                given.name()
            );
            return Err((message, None));
        }
        let from = of_name.or(given).unwrap_or(to);
        let Some(length) = read(text, from, to, notation) else {
            let message = format!("`{text}` is not a number, which the column `{column}` needs");
            let hint = text.contains(['.', ',']).then(|| notation.allowed().to_owned());
            return Err((message, hint));
        };
        // No device is made for light below 10 nm, so a small number is in µm.
        let length = if column == WAVELENGTH && length < 10.0 { length * 1e3 } else { length };
        Ok(super::length::rounded(length).to_string())
    }

    /// Identifiers must be unique.
    fn check_ids(&mut self, list: &mut DeviceList, duplicates: Duplicates) {
        let Some(id) = list.column(ID) else { return };
        let mut first: HashMap<String, usize> = HashMap::new();
        let mut taken: HashSet<String> = list.rows.iter().map(|row| row[id].clone()).collect();
        let mut renamed = 0;
        for (index, row) in list.rows.iter_mut().enumerate() {
            let name = row[id].clone();
            let Some(earlier) = first.get(&name) else {
                first.insert(name, index);
                continue;
            };
            match duplicates {
                Duplicates::Refuse if !name.is_empty() => {
                    let line = self.rows.rows[*earlier].at.line;
                    let message = format!("the identifier `{name}` is already used in line {line}");
                    let hint = "`--duplicates number` adds `_2`, `_3` and so on";
                    self.wrong.push(self.rows.error(self.rows.rows[index].at, message).hint(hint));
                }
                Duplicates::Refuse => {}
                Duplicates::Number => {
                    let new = (2..).map(|number| format!("{name}_{number}")).find(|new| !taken.contains(new));
                    row[id] = new.unwrap_or(name);
                    taken.insert(row[id].clone());
                    renamed += 1;
                }
            }
        }
        if renamed > 0 {
            self.findings.push(Diagnostic::note(format!(
                "{renamed} identifiers were not unique and have a number now"
            )));
        }
    }

    /// Coordinates over more than a wafer are in another unit.
    fn check_extent(&mut self, list: &DeviceList) {
        let places = list.places();
        let extent = |axis: usize| {
            let all = places.iter().map(|place| place[axis]);
            all.clone().fold(f64::MIN, f64::max) - all.fold(f64::MAX, f64::min)
        };
        let widest = extent(0).max(extent(1));
        if self.wrong.is_empty() && places.len() > 1 && widest > WIDEST_UM {
            let message = format!("the devices extend over {} mm, which is more than a wafer", widest / 1e3);
            let hint = "state the unit of the coordinates: `--unit nm`";
            let at = self.rows.rows.first().map_or(Position { line: 1, column: 1 }, |row| row.at);
            self.wrong.push(self.rows.error(at, message).hint(hint));
        }
    }
}
