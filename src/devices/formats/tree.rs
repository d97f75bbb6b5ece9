//! Any JSON or YAML file with a list of devices, or with a map from their names to their fields.

use std::sync::Arc;

use crate::devices::rows::{Field, Row, Rows};
use crate::recipe::{Part, PlainFile};
use crate::source::{Diagnostic, SourceFile};

/// The field with the key of a device in a map.
pub(super) const KEY: &str = "key";

/// What a file may contain.
const SHAPES: &str = "a file of devices is a list of maps, or a map from the names of the devices to maps";

pub(super) fn read(source: &Arc<SourceFile>) -> Result<Rows, Vec<Diagnostic>> {
    let file = PlainFile::data(source)?;
    let found = devices(file.root(), true)
        .map_err(|(part, message)| vec![Diagnostic::error(message).at(source, part.at()).hint(SHAPES)])?;
    Ok(Rows::new(source, found))
}

/// The devices in a part of a file.
pub(super) fn devices(part: Part<'_>, may_be_inside: bool) -> Result<Vec<Row>, (Part<'_>, String)> {
    if let Some(items) = part.items() {
        let mut rows = Vec::with_capacity(items.len());
        for item in items {
            let not_map = || (item, format!("a device must be a map, not {}", item.describe()));
            rows.push(Row { at: item.at(), fields: fields(item).ok_or_else(not_map)? });
        }
        return Ok(rows);
    }
    let Some(entries) = part.entries() else {
        return Err((part, format!("the file contains no devices, but {}", part.describe())));
    };
    if entries.iter().all(|(_, _, inner)| inner.entries().is_some()) {
        if let Some(rows) = by_column(&entries) {
            return Ok(rows);
        }
        let row = |(key, at, inner): &(&str, _, Part<'_>)| {
            let mut all = fields(*inner)?;
            all.push(Field::new(KEY, *key, *at));
            Some(Row { at: *at, fields: all })
        };
        return Ok(entries.iter().filter_map(row).collect());
    }
    // `devices` is often one of several keys at the top.
    let inside = entries.iter().find(|(key, _, _)| key.eq_ignore_ascii_case("devices"));
    match inside.filter(|_| may_be_inside) {
        Some((_, _, inner)) => devices(*inner, false),
        None => Err((part, "the map at the top contains other values than devices".to_owned())),
    }
}

fn fields(part: Part<'_>) -> Option<Vec<Field>> {
    let entries = part.entries()?;
    Some(entries.into_iter().map(|(name, _, inner)| Field::new(name, inner.value(), inner.at())).collect())
}

/// The devices of a table as pandas writes it: `{"x": {"0": 12.5, "1": …}, …}`.
fn by_column(columns: &[(&str, crate::source::Position, Part<'_>)]) -> Option<Vec<Row>> {
    let mut rows: Vec<Row> = Vec::new();
    for (name, _, column) in columns {
        let cells = column.entries()?;
        let is_numbered = cells.iter().enumerate().all(|(number, (key, _, _))| *key == number.to_string());
        if !is_numbered || (!rows.is_empty() && cells.len() != rows.len()) {
            return None;
        }
        for (number, (_, _, cell)) in cells.into_iter().enumerate() {
            if number == rows.len() {
                rows.push(Row { at: cell.at(), fields: Vec::new() });
            }
            rows[number].fields.push(Field::new(*name, cell.value(), cell.at()));
        }
    }
    Some(rows)
}
