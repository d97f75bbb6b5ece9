//! How a file writes its numbers. A spreadsheet writes `1.234,5` in German and `1,234.5` in English. So `1.234` alone
//! does not show its value: the other numbers of the file must show which mark is the decimal one.

use super::length::without_unit;
use super::rows::{Row, Rows, text};
use crate::source::{Diagnostic, Position};
use serde_json::Value;

/// How the numbers of a file are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notation {
    /// With a decimal point, and without marks between thousands.
    Plain,
    /// With a decimal point. Commas may separate thousands.
    Point,
    /// With a decimal comma. Points may separate thousands.
    Comma,
}

/// What the text of a number shows about the notation of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shows {
    Nothing,
    Only(Notation),
    /// The value depends on the notation, as in `1.234`.
    Either,
}

impl Notation {
    /// The value of a number in this notation.
    pub(super) fn value(self, number: &str) -> Option<f64> {
        self.plain(number.trim())?.parse().ok().filter(|value: &f64| value.is_finite())
    }

    /// A number as it is written with a decimal point only; `None` if this notation does not allow its marks.
    fn plain(self, number: &str) -> Option<String> {
        let (decimal, thousands) = match self {
            Self::Plain => return (!number.contains(',')).then(|| number.to_owned()),
            Self::Point => ('.', ','),
            Self::Comma => (',', '.'),
        };
        let (whole, fraction) = match number.split_once(decimal) {
            Some((whole, fraction)) => (whole, Some(fraction)),
            None => (number, None),
        };
        if fraction.is_some_and(|fraction| fraction.contains(['.', ','])) || !has_thousands(whole, thousands)
        {
            return None;
        }
        let whole = whole.replace(thousands, "");
        Some(fraction.map_or(whole.clone(), |fraction| format!("{whole}.{fraction}")))
    }

    /// The decimal mark, for messages.
    fn name(self) -> &'static str {
        match self {
            Self::Plain | Self::Point => "decimal point",
            Self::Comma => "decimal comma",
        }
    }

    /// What a number may look like, as a hint.
    pub(super) fn allowed(self) -> &'static str {
        match self {
            Self::Plain => "write a decimal point instead of a comma, and no marks between thousands",
            Self::Point => "the numbers of this file have a decimal point, as in `1234.5` or `1,234.5`",
            Self::Comma => "the numbers of this file have a decimal comma, as in `1234,5` or `1.234,5`",
        }
    }

    /// The text of a cell in which a number has a decimal point. Other texts stay.
    pub(super) fn with_point(self, cell: &str) -> String {
        let (number, unit) = without_unit(cell);
        match self.plain(number.trim()).filter(|_| self.value(number).is_some()) {
            Some(plain) => format!("{plain}{}", &cell[cell.len() - unit.len()..]),
            None => cell.to_owned(),
        }
    }

    /// Whether a cell is a number in this notation, possibly with a unit.
    fn allows(self, cell: &str) -> bool {
        self.value(without_unit(cell).0).is_some()
    }
}

/// Whether the marks between thousands are where they belong: `12.345.678`, but neither `1.5` nor `0.500`.
fn has_thousands(whole: &str, mark: char) -> bool {
    let mut groups = whole.trim_start_matches(['+', '-']).split(mark);
    let first = groups.next().unwrap_or_default();
    let mut rest = groups.peekable();
    let is_group = |group: &str| group.len() == 3 && group.bytes().all(|digit| digit.is_ascii_digit());
    rest.peek().is_none() || ((1..=3).contains(&first.len()) && !first.starts_with('0') && rest.all(is_group))
}

/// What a cell shows; `None` if it is no number.
fn shows(cell: &str) -> Option<Shows> {
    let is_marked = without_unit(cell).0.contains(['.', ',']);
    match (Notation::Point.allows(cell), Notation::Comma.allows(cell)) {
        (false, false) => None,
        (true, false) => Some(Shows::Only(Notation::Point)),
        (false, true) => Some(Shows::Only(Notation::Comma)),
        (true, true) => Some(if is_marked { Shows::Either } else { Shows::Nothing }),
    }
}

/// A cell of a column, with its position.
type Cells = Vec<(String, Position)>;

/// The texts in a field of all rows. A number of JSON is no text: its notation is known.
fn cells(rows: &Rows, path: &str) -> Cells {
    let cell = |row: &Row| row.get(path).filter(|(value, _)| matches!(value, Value::String(_)));
    let cells = rows.rows.iter().filter_map(cell).map(|(value, at)| (text(&value), at));
    cells.filter(|(text, _)| !text.is_empty()).collect()
}

/// The notation that some cells show. With both, the error names the first cell of the second one.
fn shown(rows: &Rows, cells: &[(String, Position)]) -> Result<Option<Notation>, Diagnostic> {
    let mut first: Option<(Notation, &str, Position)> = None;
    for (text, at) in cells {
        let Some(Shows::Only(notation)) = shows(text) else { continue };
        match first {
            Some((known, other, line)) if known != notation => {
                let message = format!(
                    "`{text}` has a {}, but `{other}` in line {} has a {}",
                    notation.name(),
                    line.line,
                    known.name()
                );
                let hint = "a file has one decimal mark: the point or the comma";
                return Err(rows.error(*at, message).hint(hint));
            }
            Some(_) => {}
            None => first = Some((notation, text, *at)),
        }
    }
    Ok(first.map(|(notation, _, _)| notation))
}

/// The notation of a file. The fields with lengths decide. If they show nothing, all other fields of numbers do, except
/// the identifier: `1.2` may be a name.
///
/// # Errors
/// Lengths with both decimal marks, or a length whose value no other number of the file shows.
pub(super) fn of_file(rows: &Rows, lengths: &[&str], id: &str) -> Result<Notation, Vec<Diagnostic>> {
    if !rows.may_have_commas {
        return Ok(Notation::Plain);
    }
    let cells_of_lengths: Cells = lengths.iter().flat_map(|path| cells(rows, path)).collect();
    if let Some(notation) = shown(rows, &cells_of_lengths).map_err(|found| vec![found])? {
        return Ok(notation);
    }
    let others: Cells = rows
        .names()
        .into_iter()
        .filter(|name| *name != id)
        .map(|name| cells(rows, name))
        .filter(|cells| cells.iter().all(|(text, _)| shows(text).is_some()))
        .flatten()
        .collect();
    if let Ok(Some(notation)) = shown(rows, &others) {
        return Ok(notation);
    }
    refuse_unclear(rows, &cells_of_lengths)?;
    Ok(Notation::Plain)
}

/// Whether a field other than a length has numbers in the notation of the file. Texts such as `v1,2` stay as they are.
///
/// # Errors
/// A field whose numbers have both decimal marks, or have a value that no other number of the file shows.
pub(super) fn is_of_numbers(rows: &Rows, path: &str, notation: Notation) -> Result<bool, Vec<Diagnostic>> {
    let cells = cells(rows, path);
    if !rows.may_have_commas || !cells.iter().all(|(text, _)| shows(text).is_some()) {
        return Ok(false);
    }
    shown(rows, &cells).map_err(|found| vec![found])?;
    if notation == Notation::Plain {
        refuse_unclear(rows, &cells)?;
    }
    Ok(cells.iter().all(|(text, _)| notation.allows(text)))
}

fn refuse_unclear(rows: &Rows, cells: &[(String, Position)]) -> Result<(), Vec<Diagnostic>> {
    let Some((text, at)) = cells.iter().find(|(text, _)| shows(text) == Some(Shows::Either)) else {
        return Ok(());
    };
    let message = format!(
        "`{text}` is {} or {}: no number of the file shows whether the comma or the point is its decimal mark",
        Notation::Point.with_point(text),
        Notation::Comma.with_point(text)
    );
    let hint = "write one number with another count of decimals, as in `1,50` or `1.50`, or separate the columns with \
                commas";
    Err(vec![rows.error(*at, message).hint(hint)])
}
