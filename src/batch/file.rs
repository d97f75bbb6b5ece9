//! The batch file: its fields, and a reader that reports the position of each mistake.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::placement::check_placement;
use super::times::Moment;
use super::values::no_value;
use crate::catalogue::{BATCH, BATCH_ITEM, FLEET_BATCH, FLEET_ITEM};
use crate::declarations::Notify;
use crate::decode::{self, ReadError};
use crate::recipe::PlainFile;
use crate::source::Diagnostic;
use crate::step::Retry;
use crate::units::Seconds;

/// Batches of services have names that begin like this.
pub const QUEUE: &str = "queue-";

/// Whether the batch continues after an item has failed, when no repetition is left.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// The batch continues with the next item.
    #[default]
    Continue,
    /// The batch ends. The remaining items stay queued.
    Stop,
    /// The item is repeated: as given in `retry`, otherwise once after 60 s. Then the batch continues with the next
    /// item.
    Retry,
}

/// Defaults for all items.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Whether the batch continues after an item has failed.
    pub on_failure: Option<OnFailure>,
    /// The number of repetitions of a failed item, and the pause before each of them.
    pub retry: Option<Retry>,
    /// A run is stopped cleanly after this time.
    pub timeout_s: Option<Seconds>,
    /// No person is present: each prompt takes its `unattended` answer. Default: true.
    pub unattended: Option<bool>,
    /// An item whose run was interrupted resumes automatically, without waiting for a person.
    pub auto_resume: Option<bool>,
    /// In a queue of many benches, only the bench with this name takes the items.
    pub bench: Option<String>,
    /// In a queue of many benches, only a bench with all of these labels takes the items.
    pub needs: Option<Vec<String>>,
    /// In a queue of many benches, another bench takes an item whose bench does not report for longer than the lease.
    pub elsewhere: Option<bool>,
}

/// One entry of a batch: a single item, or one item for each combination or device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemEntry {
    /// The recipe, relative to the folder of the batch file.
    pub recipe: String,
    /// Values for the parameters of the recipe.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    /// Entries that are added to the metadata of the recipe.
    #[serde(default)]
    pub metadata: BTreeMap<String, Value>,
    /// Items with a higher priority run first. Default: 0.
    #[serde(default)]
    pub priority: i32,
    /// The item does not start before this time.
    pub not_before: Option<Moment>,
    /// The item does not start after this time. If its run is still active then, it is stopped cleanly.
    pub deadline: Option<Moment>,
    /// Whether the batch continues after the item has failed.
    pub on_failure: Option<OnFailure>,
    /// The number of repetitions after a failure, and the pause before each of them.
    pub retry: Option<Retry>,
    /// The run is stopped cleanly after this time.
    pub timeout_s: Option<Seconds>,
    /// No person is present: each prompt takes its `unattended` answer.
    pub unattended: Option<bool>,
    /// If the run of the item is interrupted, it resumes automatically.
    pub auto_resume: Option<bool>,
    /// In a queue of many benches, only the bench with this name takes the item.
    pub bench: Option<String>,
    /// In a queue of many benches, only a bench with all of these labels takes the item.
    pub needs: Option<Vec<String>>,
    /// In a queue of many benches, another bench takes the item if its bench does not report for longer than the lease.
    pub elsewhere: Option<bool>,
    /// One item for every combination of values. A name that is no parameter becomes metadata.
    #[serde(default)]
    pub matrix: BTreeMap<String, Vec<Value>>,
    /// One item for every device. A name that is no parameter becomes metadata.
    pub devices: Option<Devices>,
}

/// The list of devices: a file, or the list itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`devices` must be the name of a file, or a list of maps of names and values")]
pub enum Devices {
    /// A CSV file with a header line, or a YAML file with a list of maps. The path is relative to the folder of the
    /// batch file.
    File(String),
    /// The list itself.
    Here(Vec<BTreeMap<String, Value>>),
}

/// A batch file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchFile {
    /// Name of the batch in the catalogue and in the names of its reports: `[a-z0-9-]+`.
    pub name: String,
    /// Folder for the run folders, relative to the folder of the batch file.
    pub out: Option<PathBuf>,
    /// Defaults for all items.
    #[serde(default)]
    pub defaults: Policy,
    /// No item starts before this time.
    pub not_before: Option<Moment>,
    /// No item starts after this time. A run that is active then is stopped cleanly.
    pub deadline: Option<Moment>,
    /// The batch ends after this number of consecutive failures.
    pub max_consecutive_failures: Option<NonZeroU32>,
    /// Sends a notification when the batch ends.
    pub notify: Option<Notify>,
    /// Suspends runs under a condition, like `suspend_when` of a recipe. A recipe with its own `suspend_when` keeps
    /// that one.
    pub suspend_when: Option<Value>,
    /// The items: the recipes to run, with their values.
    pub items: Vec<ItemEntry>,
}

/// Reads a batch file; returns it with the tree that contains the positions.
///
/// # Errors
/// The errors, with their positions.
pub fn read_file(path: &Path) -> Result<(BatchFile, PlainFile), Vec<Diagnostic>> {
    let plain = PlainFile::load(path)?;
    let read = decode::from_value::<BatchFile>(&plain.value()).and_then(|file| {
        check_name(&file.name)?;
        if file.items.is_empty() {
            return Err(ReadError::new("the batch has no items").under(&["items".to_owned()]));
        }
        check_policy(file.defaults.retry)
            .and_then(|()| check_placement(file.defaults.bench.as_deref(), file.defaults.needs.as_deref()))
            .map_err(|error| error.under(&["defaults".to_owned()]))?;
        for (index, item) in file.items.iter().enumerate() {
            check_entry(item).map_err(|error| error.under(&["items".to_owned(), index.to_string()]))?;
        }
        Ok(file)
    });
    match read {
        Ok(file) => Ok((file, plain)),
        Err(error) => Err(vec![plain.locate(error)]),
    }
}

/// The name becomes part of the name of a file.
fn check_name(name: &str) -> Result<(), ReadError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !name.is_empty()
        && name.len() <= 80
        && name.chars().all(plain)
        && !name.starts_with('-')
        && !name.starts_with(QUEUE)
    {
        return Ok(());
    }
    let message = format!(
        "name `{name}` is not allowed (lower-case letters, digits and `-`, at most 80 characters, not beginning with `{QUEUE}`)"
    );
    Err(ReadError::new(message).under(&["name".to_owned()]))
}

fn check_policy(retry: Option<Retry>) -> Result<(), ReadError> {
    match retry {
        Some(Retry { times, .. }) if times > 100 => {
            let message = format!("times `{times}` is not allowed (0 to 100)");
            Err(ReadError::new(message).under(&["retry".to_owned(), "times".to_owned()]))
        }
        _ => Ok(()),
    }
}

/// Checks of an entry that the types cannot express.
pub(super) fn check_entry(entry: &ItemEntry) -> Result<(), ReadError> {
    let at = |path: &[&str], at_key: bool, message: String| {
        let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
        Err(ReadError { at_key, ..ReadError::new(message).under(&path) })
    };
    check_policy(entry.retry)?;
    check_placement(entry.bench.as_deref(), entry.needs.as_deref())?;
    for (map, names) in [
        ("set", entry.set.keys().collect::<Vec<_>>()),
        ("metadata", entry.metadata.keys().collect()),
        ("matrix", entry.matrix.keys().collect()),
    ] {
        for name in names {
            if [BATCH, BATCH_ITEM, FLEET_BATCH, FLEET_ITEM].contains(&name.as_str()) && map != "set" {
                return at(&[map, name], true, format!("metadata `{name}` is reserved: the batch sets it"));
            }
            if map == "matrix" && (entry.set.contains_key(name) || entry.metadata.contains_key(name)) {
                return at(
                    &[map, name],
                    true,
                    format!("`{name}` is given in `matrix` and also in the entry"),
                );
            }
        }
    }
    for (name, value) in &entry.set {
        if !scalar(value) {
            return at(&["set", name], false, no_value(name, value));
        }
    }
    for (name, values) in &entry.matrix {
        if values.is_empty() {
            return at(&["matrix", name], true, format!("`{name}` has no values"));
        }
        if let Some((index, value)) = values.iter().enumerate().find(|(_, value)| !scalar(value)) {
            return at(&["matrix", name, &index.to_string()], false, no_value(name, value));
        }
    }
    Ok(())
}

/// The allowed types of a parameter.
fn scalar(value: &Value) -> bool {
    matches!(value, Value::Number(_) | Value::String(_) | Value::Bool(_))
}
