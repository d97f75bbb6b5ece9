//! The YAML of SiEPIC test plans: `Devices` at the top, a map from the names of the devices to their fields. Optical
//! coordinates are `[x, y]`, those of a pad `[name, x, y]`, in µm.

use std::sync::Arc;

use serde_json::Value;

use super::{pad_fields, tree};
use crate::devices::rows::{Field, Row, Rows, text};
use crate::recipe::PlainFile;
use crate::source::{Diagnostic, Position, SourceFile};

/// Whether a line is the key of the devices at the top.
pub(super) fn is_top(line: &str) -> bool {
    line.trim_end().strip_suffix(':').is_some_and(|key| key.trim_matches(['"', '\'']) == "Devices")
        || line.trim_start().trim_start_matches('{').trim_start().starts_with("\"Devices\":")
}

pub(super) fn read(source: &Arc<SourceFile>) -> Result<Rows, Vec<Diagnostic>> {
    let file = PlainFile::data(source)?;
    let refuse = |at: Position, message: String| vec![Diagnostic::error(message).at(source, at)];
    let root = file.root();
    let devices =
        root.entries().into_iter().flatten().find(|(key, _, _)| key.eq_ignore_ascii_case("devices"));
    let Some((_, _, devices)) = devices else {
        return Err(refuse(root.at(), "a SiEPIC test plan has `Devices` at the top".to_owned()));
    };
    let found = tree::devices(devices, false).map_err(|(part, message)| refuse(part.at(), message))?;
    let mut rows = Rows::new(source, Vec::with_capacity(found.len()));
    let mut wrong = Vec::new();
    for mut row in found {
        match more_fields(&row) {
            Ok(more) => {
                row.fields.extend(more);
                rows.rows.push(row);
            }
            Err((at, message)) => wrong.extend(refuse(at, message)),
        }
    }
    if wrong.is_empty() { Ok(rows) } else { Err(wrong) }
}

/// The coordinates as fields of their own, and the name of the device if it has none.
fn more_fields(row: &Row) -> Result<Vec<Field>, (Position, String)> {
    let mut fields = Vec::new();
    if row.field("device_id").is_none_or(|field| text(&field.value).is_empty())
        && let Some(key) = row.field(tree::KEY)
    {
        fields.push(Field::new("device_id", key.value.clone(), key.at));
    }
    if let Some(optical) = row.field("opticalCoordinates") {
        match optical.value.as_array().map(Vec::as_slice) {
            Some([x, y]) => {
                fields
                    .extend([Field::new("x", x.clone(), optical.at), Field::new("y", y.clone(), optical.at)]);
            }
            _ => {
                return Err((
                    optical.at,
                    format!("`opticalCoordinates` must be [x, y], not {}", optical.value),
                ));
            }
        }
    }
    let Some(electrical) = row.field("electricalCoordinates") else { return Ok(fields) };
    for (number, pad) in (1..).zip(pads(&electrical.value)) {
        let [name, x, y] = pad.as_slice() else {
            let message = format!("`electricalCoordinates` must be [pad, x, y], not {}", electrical.value);
            return Err((electrical.at, message));
        };
        let names = pad_fields(number);
        fields.extend(
            names
                .into_iter()
                .zip([name, x, y])
                .map(|(field, value)| Field::new(field, (*value).clone(), electrical.at)),
        );
    }
    Ok(fields)
}

/// One pad, or a list of pads.
fn pads(value: &Value) -> Vec<Vec<Value>> {
    match value {
        Value::Array(items) if items.is_empty() => Vec::new(),
        Value::Array(items) => match items.iter().map(|item| item.as_array().cloned()).collect() {
            Some(pads) => pads,
            None => vec![items.clone()],
        },
        Value::Null => Vec::new(),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => vec![vec![value.clone()]],
    }
}
