//! Test manifests of gdsfactory, in CSV, JSON or YAML. The versions differ in their columns. `cell`, `x`, `y` and the
//! measurements are common to most; older ones have `xopt` and `yopt`, with one or more optical ports.

use std::collections::HashMap;
use std::sync::Arc;

use super::{csv, tree};
use crate::devices::decimal_mark;
use crate::devices::length::{Unit, read as length};
use crate::devices::rows::{Field, Row, Rows, nested, text};
use crate::source::{Diagnostic, SourceFile};
use serde_json::Value;

/// The columns of a list. What is nested, such as `settings`, is left out unless it is asked for by its path.
pub(super) const COLUMNS: [(&str, &str); 10] = [
    ("id", "device"),
    ("x_um", "x"),
    ("y_um", "y"),
    ("cell", "cell"),
    ("port_type", "port_type"),
    ("doe", "doe"),
    ("measurement", "measurement"),
    ("analysis", "analysis"),
    ("pad_x_um", "xelec"),
    ("pad_y_um", "yelec"),
];

/// The columns of which a manifest has one or more, beside `cell` or `name`.
const TELLING: [&str; 5] = ["doe", "measurement", "analysis", "xopt", "ports_optical"];

/// Whether these are columns of a manifest.
pub(super) fn is_manifest(names: &[&str]) -> bool {
    let has = |name: &&str| names.contains(name);
    ["cell", "name", "device"].iter().any(has) && TELLING.iter().any(has) && ["x", "xopt"].iter().any(has)
}

/// Whether the begin of a JSON or YAML text has the fields of a manifest.
pub(super) fn is_manifest_text(head: &str) -> bool {
    let marks = head.replace(['"', '\'', '{', ','], " ");
    let keys: Vec<&str> = marks.split_whitespace().filter_map(|word| word.strip_suffix(':')).collect();
    let quoted: Vec<&str> = marks
        .split_whitespace()
        .collect::<Vec<_>>()
        .windows(2)
        .filter(|pair| pair[1] == ":")
        .map(|pair| pair[0])
        .collect();
    let names: Vec<&str> = keys.into_iter().chain(quoted).chain(["name"]).collect();
    is_manifest(&names)
}

pub(super) fn read(source: &Arc<SourceFile>) -> Result<Rows, Vec<Diagnostic>> {
    let is_tree = source.code().trim_start().starts_with(['{', '['])
        || source.name.to_lowercase().ends_with(".yaml")
        || source.name.to_lowercase().ends_with(".yml");
    let mut rows = if is_tree { tree::read(source)? } else { csv::read(source)? };
    for row in &mut rows.rows {
        fill(row);
    }
    name_devices(&mut rows)?;
    let nested: Vec<String> = rows
        .names()
        .into_iter()
        .filter(|name| {
            rows.rows.iter().any(|row| row.field(name).is_some_and(|f| nested(&f.value).is_object()))
        })
        .map(|name| format!("`{name}`"))
        .collect();
    if let Some(first) = nested.first() {
        let (list, name) = (nested.join(", "), first.trim_matches('`'));
        let note = format!("left out, because they contain several values: {list}");
        let hint = format!("a column of one of the values: `--columns '*,NAME={name}.KEY'`");
        rows.findings.push(Diagnostic::note(note).hint(hint));
    }
    Ok(rows)
}

/// Adds the fields of newer versions to a row of an older one.
fn fill(row: &mut Row) {
    if row.field("cell").is_none()
        && let Some(field) = row.field("name").or_else(|| row.field(tree::KEY)).cloned()
    {
        row.fields.push(Field { name: "cell".to_owned(), ..field });
    }
    for (name, old) in [("x", "xopt"), ("y", "yopt")] {
        if row.field(name).is_none()
            && let Some((value, at)) = row.get(old)
        {
            row.fields.push(Field::new(name, first(&value), at));
        }
    }
    for name in ["xelec", "yelec"] {
        if let Some(field) = row.fields.iter_mut().find(|field| field.name == name) {
            field.value = first(&field.value);
        }
    }
}

/// The first of several ports.
fn first(value: &Value) -> Value {
    match nested(value) {
        Value::Array(items) => items.into_iter().next().unwrap_or(Value::Null),
        other => other,
    }
}

/// A device has the name of its cell. Several devices with the same cell also have their coordinates in the name, as
/// gdsfactory itself names them.
fn name_devices(rows: &mut Rows) -> Result<(), Vec<Diagnostic>> {
    if rows.has("device") {
        return Ok(());
    }
    let cell = |row: &Row| row.get("cell").map(|(value, _)| text(&value)).unwrap_or_default();
    let mut uses: HashMap<String, usize> = HashMap::new();
    for row in &rows.rows {
        *uses.entry(cell(row)).or_default() += 1;
    }
    let notation = decimal_mark::of_file(rows, &["x", "y"], "cell")?;
    for row in &mut rows.rows {
        let mut name = cell(row);
        if uses.get(&name).is_some_and(|uses| *uses > 1) {
            for axis in ["x", "y"] {
                let value = row.get(axis).map(|(value, _)| text(&value)).unwrap_or_default();
                let whole = length(&value, Unit::Um, Unit::Um, notation).map(f64::trunc);
                name.push_str(&format!("_{}", whole.unwrap_or_default() + 0.0));
            }
        }
        let at = row.field("cell").map_or(row.at, |field| field.at);
        row.fields.push(Field::new("device", name, at));
    }
    Ok(())
}
