//! The marks of a transformation: on the command line, or in a CSV file.

use std::path::Path;

use super::decimal_mark::Notation;
use super::fit::Mark;
use super::length::{Unit, read};
use super::list::{DeviceList, ID};
use crate::decode::suggestion;
use crate::recipe::read_table;
use crate::source::Diagnostic;
use crate::table::{Cell, Table};

/// The columns of a file of marks with the coordinates on the stage.
const STAGE: [&str; 2] = ["stage_x_um", "stage_y_um"];
/// The columns with the coordinates on the chip, for marks that are no devices.
const CHIP: [&str; 2] = ["chip_x_um", "chip_y_um"];

/// The marks given on the command line: `ID=X,Y`, `X,Y=X,Y`, or the name of a file with the columns `id` (or
/// `chip_x_um`, `chip_y_um`), `stage_x_um` and `stage_y_um`.
///
/// # Errors
/// A mark that cannot be read, or a device that the list does not contain.
pub fn marks(given: &[String], list: &DeviceList) -> Result<Vec<Mark>, Vec<Diagnostic>> {
    let mut marks = Vec::new();
    let mut wrong = Vec::new();
    for text in given {
        let found = match text.rsplit_once('=') {
            Some((left, right)) => {
                mark(left, right, list).map(|mark| vec![mark]).map_err(|found| vec![found])
            }
            None => read_table(Path::new(text)).and_then(|table| in_table(&table, list)),
        };
        match found {
            Ok(more) => marks.extend(more),
            Err(found) => wrong.extend(found),
        }
    }
    if wrong.is_empty() { Ok(marks) } else { Err(wrong) }
}

fn mark(left: &str, right: &str, list: &DeviceList) -> Result<Mark, Diagnostic> {
    let point = |text: &str| {
        let (x, y) = text.split_once(',')?;
        Some([read(x, Unit::Um, Unit::Um, Notation::Plain)?, read(y, Unit::Um, Unit::Um, Notation::Plain)?])
    };
    let stage_um = point(right).ok_or_else(|| {
        Diagnostic::error(format!("`{left}={right}`: `{right}` must be the stage coordinates X,Y in µm"))
    })?;
    let chip_um = match point(left) {
        Some(chip_um) => chip_um,
        None => device(left, list).map_err(|(message, hint)| Diagnostic::error(message).hint(hint))?,
    };
    Ok(Mark { name: left.to_owned(), chip_um, stage_um })
}

/// The chip coordinates of a device.
fn device(id: &str, list: &DeviceList) -> Result<[f64; 2], (String, String)> {
    let ids = list.ids();
    let mut found = ids.iter().zip(list.places()).filter(|(known, _)| **known == id);
    match (found.next(), found.next()) {
        (Some((_, place)), None) => Ok(place),
        (Some(_), Some(_)) => {
            Err((format!("the list has several devices `{id}`"), "identifiers must be unique".to_owned()))
        }
        (None, _) => {
            let hint = if ids.len() > 20 {
                crate::decode::nearest(id, ids.iter().copied()).map_or_else(
                    || format!("the list has {} devices, from `{}` on", ids.len(), ids[0]),
                    |known| format!("did you mean `{known}`?"),
                )
            } else {
                suggestion(id, ids.iter().copied())
            };
            Err((format!("the list has no device `{id}`"), hint))
        }
    }
}

fn in_table(table: &Table, list: &DeviceList) -> Result<Vec<Mark>, Vec<Diagnostic>> {
    let column = |name: &str| table.names.iter().position(|known| known.text == name);
    let pair = |names: [&str; 2]| column(names[0]).zip(column(names[1]));
    let (id, chip) = (column(ID), pair(CHIP));
    let Some(stage) = pair(STAGE).filter(|_| id.is_some() || chip.is_some()) else {
        let message = format!(
            "a file of points needs the columns `{ID}` (or `{}`, `{}`), `{}` and `{}`",
            CHIP[0], CHIP[1], STAGE[0], STAGE[1]
        );
        let at = table.names.first().map(|first| first.at);
        let found = Diagnostic::error(message);
        return Err(vec![match at {
            Some(at) => found.at(&table.source, at),
            None => found,
        }]);
    };
    let (mut marks, mut wrong) = (Vec::new(), Vec::new());
    for row in &table.rows {
        match in_row(table, row, list, (id, chip, stage)) {
            Ok(mark) => marks.push(mark),
            Err(found) => wrong.push(found),
        }
    }
    if wrong.is_empty() { Ok(marks) } else { Err(wrong) }
}

type Places = (Option<usize>, Option<(usize, usize)>, (usize, usize));

fn in_row(
    table: &Table,
    row: &[Cell],
    list: &DeviceList,
    (id, chip, stage): Places,
) -> Result<Mark, Diagnostic> {
    let number = |index: usize| {
        let cell = &row[index];
        read(&cell.text, Unit::Um, Unit::Um, Notation::Plain).ok_or_else(|| {
            let name = &table.names[index].text;
            table.refuse(cell, format!("`{name}` must be a number, not `{}`", cell.text))
        })
    };
    let chip_um = match (chip, id) {
        (Some((x, y)), None) => [number(x)?, number(y)?],
        // With both, a mark that is no device has its coordinates instead of an identifier.
        (Some((x, y)), Some(_)) if !row[x].text.is_empty() => [number(x)?, number(y)?],
        (_, Some(id)) => device(&row[id].text, list)
            .map_err(|(message, hint)| table.refuse(&row[id], message).hint(hint))?,
        (None, None) => return Err(Diagnostic::error("the point has no name and no coordinates")),
    };
    let name = match id {
        Some(id) if !row[id].text.is_empty() => row[id].text.clone(),
        _ => format!("{},{}", chip_um[0], chip_um[1]),
    };
    Ok(Mark { name, chip_um, stage_um: [number(stage.0)?, number(stage.1)?] })
}
