//! The rows of a CSV file as plain texts, for what is no recipe: a list of devices.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use csv::{ReaderBuilder, Trim};

/// The rows of a CSV file, each with the names of its first line; lines that begin with `#` are left out.
///
/// # Errors
/// What cannot be read, and names that are empty or there twice.
pub fn cells(path: &Path) -> Result<Vec<BTreeMap<String, String>>, String> {
    let text = super::files::read(path)?;
    // A table that was saved by a spreadsheet may begin with a mark.
    let text = text.trim_start_matches('\u{feff}');
    let mut reader = ReaderBuilder::new().trim(Trim::All).comment(Some(b'#')).from_reader(text.as_bytes());
    let names = reader.headers().map_err(|error| error.to_string())?.clone();
    let mut seen = BTreeSet::new();
    if let Some(name) = names.iter().find(|name| name.is_empty() || !seen.insert(*name)) {
        return Err(format!("a column needs a name of its own, and one is called `{name}`"));
    }
    let row = |record: Result<csv::StringRecord, csv::Error>| {
        let record = record.map_err(|error| error.to_string())?;
        Ok(names.iter().map(str::to_owned).zip(record.iter().map(str::to_owned)).collect())
    };
    reader.records().map(row).collect()
}
