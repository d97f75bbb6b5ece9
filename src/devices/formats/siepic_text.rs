//! The text of SiEPIC-Tools: sections of lines `x, y, …`, each after a header that begins with `%`. The lines are made
//! from labels, which SiEPIC-Tools splits at each `_`. So the parts of an identifier are joined again here, without
//! the word `comment`, which stands for a part that is missing.

use std::collections::HashMap;
use std::sync::Arc;

use super::pad_fields;
use crate::devices::rows::{Field, Row, Rows};
use crate::source::{Diagnostic, Position, SourceFile, lines};

/// What the lines of a section describe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Section {
    Optical,
    Electrical,
    /// Wire bonds, and what a later version may add.
    Other,
}

/// The part of a label that is missing.
const MISSING: &str = "comment";
/// The fields of a device before the parts of its parameters.
const FIELDS: [&str; 6] = ["x", "y", "polarization", "wavelength", "type", "deviceID"];

struct Part<'a> {
    text: &'a str,
    at: Position,
}

pub(super) fn read(source: &Arc<SourceFile>) -> Result<Rows, Vec<Diagnostic>> {
    let mut rows = Rows::new(source, Vec::new());
    let mut section = Section::Optical;
    let (mut pads, mut wrong, mut ignored) = (Vec::new(), Vec::new(), 0);
    for (line, text) in (1..).zip(lines(source.code())) {
        // SiEPIC-Tools shows the lines as HTML, from which they are copied.
        let text = text.trim_end().trim_end_matches("<br>").trim_end();
        let bare = text.trim_start();
        if let Some(header) = bare.strip_prefix('%') {
            section = section_of(header).unwrap_or(section);
            continue;
        }
        if bare.is_empty() || bare.starts_with('#') {
            continue;
        }
        let parts = parts(text, line);
        let at = parts.first().map_or(Position { line, column: 1 }, |part| part.at);
        let fewest = match section {
            Section::Optical => FIELDS.len(),
            Section::Electrical => 3,
            Section::Other => {
                ignored += 1;
                continue;
            }
        };
        if parts.len() < fewest {
            let fields = match section {
                Section::Optical => "x, y, polarization, wavelength, type, deviceID",
                Section::Electrical | Section::Other => "x, y, deviceID, padName",
            };
            let message = format!("this line has {} fields, but needs `{fields}`", parts.len());
            wrong.push(Diagnostic::error(message).at(source, at));
        } else if section == Section::Optical {
            let polarization = &parts[2];
            if polarization.text.parse::<f64>().is_ok() {
                let message = format!("the polarization `{}` is a number", polarization.text);
                let hint =
                    "the fields are `x, y, polarization, wavelength, …`; write decimal points, not commas";
                wrong.push(Diagnostic::error(message).at(source, polarization.at).hint(hint));
            }
            rows.rows.push(device(&parts, at));
        } else {
            pads.push(parts);
        }
    }
    add_pads(&mut rows, &pads);
    if ignored > 0 {
        let note =
            format!("left out: {ignored} of other sections, such as wire bonds", ignored = count(ignored));
        rows.findings.push(Diagnostic::note(note));
    }
    if wrong.is_empty() { Ok(rows) } else { Err(wrong) }
}

fn count(lines: usize) -> String {
    if lines == 1 { "1 line".to_owned() } else { format!("{lines} lines") }
}

/// The section after a header; `None` for a comment.
fn section_of(header: &str) -> Option<Section> {
    let names: Vec<String> = header.split(',').map(|name| name.trim().to_lowercase()).collect();
    let has = |name: &str| names.iter().any(|known| known == name);
    if !names.first().is_some_and(|first| first.starts_with("x")) || names.len() < 2 {
        return None;
    }
    Some(if has("polarization") || has("polarisation") {
        Section::Optical
    } else if has("padname") || (has("deviceid") && !has("recipeid")) {
        Section::Electrical
    } else {
        Section::Other
    })
}

/// The fields of a line; empty ones at the end are left out.
fn parts(text: &str, line: usize) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut column = 1;
    for field in text.split(',') {
        let before = field.chars().take_while(|letter| letter.is_whitespace()).count();
        parts.push(Part { text: field.trim(), at: Position { line, column: column + before } });
        column += field.chars().count() + 1;
    }
    while parts.last().is_some_and(|last| last.text.is_empty()) {
        parts.pop();
    }
    parts
}

fn is_given(part: &&Part<'_>) -> bool {
    !part.text.is_empty() && !part.text.eq_ignore_ascii_case(MISSING)
}

fn joined(parts: &[Part<'_>]) -> String {
    parts.iter().filter(is_given).map(|part| part.text).collect::<Vec<_>>().join("_")
}

fn device(parts: &[Part<'_>], at: Position) -> Row {
    let mut fields: Vec<Field> =
        FIELDS.iter().zip(parts).map(|(name, part)| Field::new(*name, part.text, part.at)).collect();
    let first = FIELDS.len() - 1;
    fields.push(Field::new("params", joined(&parts[first + 1..]), parts[first].at));
    fields.push(Field::new("device", joined(&parts[first..]), parts[first].at));
    Row { at, fields }
}

/// Adds each pad to the device whose identifier its label begins with.
fn add_pads(rows: &mut Rows, pads: &[Vec<Part<'_>>]) {
    let id = |row: &Row| row.field("device").and_then(|field| field.value.as_str().map(str::to_owned));
    let devices: HashMap<String, usize> =
        rows.rows.iter().enumerate().filter_map(|(index, row)| id(row).map(|id| (id, index))).collect();
    for parts in pads {
        let label: Vec<&str> = parts[2..].iter().filter(is_given).map(|part| part.text).collect();
        let found = (1..=label.len()).rev().find_map(|length| {
            devices.get(&label[..length].join("_")).map(|device| (*device, label[length..].join("_")))
        });
        let Some((device, pad)) = found else {
            let message = format!("no device belongs to the pad `{}`, which is left out", label.join("_"));
            rows.findings.push(Diagnostic::warning(message).at(&rows.source, parts[2].at));
            continue;
        };
        let row = &mut rows.rows[device];
        let number = (1..).find(|number| row.field(&pad_fields(*number)[1]).is_none()).unwrap_or(1);
        let [name, x, y] = pad_fields(number);
        row.fields.extend([
            Field::new(name, pad, parts[2].at),
            Field::new(x, parts[0].text, parts[0].at),
            Field::new(y, parts[1].text, parts[1].at),
        ]);
    }
}
