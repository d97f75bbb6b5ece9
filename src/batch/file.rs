//! The batch file: its words, and reading it with the place of each mistake.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::given::no_value;
use super::times::Moment;
use crate::catalogue::{BATCH, BATCH_ITEM};
use crate::decode::{self, ReadError};
use crate::header::Notify;
use crate::recipe::PlainFile;
use crate::source::Diagnostic;
use crate::step::Retry;
use crate::units::Seconds;

/// Names that begin like this are those of the queues that services empty.
pub const QUEUE: &str = "queue-";

/// What becomes of the batch when an item has failed, after all its repetitions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum OnFailure {
    /// The next item begins.
    #[default]
    Continue,
    /// The batch ends; the rest stays queued.
    Stop,
    /// It is repeated, as `retry` says or else once after a minute; then the next item begins.
    Retry,
}

/// What holds for every item that does not say otherwise.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// What becomes of the batch when an item has failed.
    pub on_failure: Option<OnFailure>,
    /// How often a failed item is repeated, and how long after.
    pub retry: Option<Retry>,
    /// A run is stopped in good order after this long.
    pub timeout_s: Option<Seconds>,
    /// Nobody is asked: each prompt takes its `unattended` answer. True when not given.
    pub unattended: Option<bool>,
    /// An item whose run was cut off goes on by itself, without waiting for a person.
    pub auto_resume: Option<bool>,
}

/// One entry of a batch: an item, or one for each combination or device.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ItemEntry {
    /// The recipe, as seen from the batch file.
    pub recipe: String,
    /// Values for its parameters.
    #[serde(default)]
    pub set: BTreeMap<String, Value>,
    /// Added to its metadata.
    #[serde(default)]
    pub metadata: BTreeMap<String, Value>,
    /// Higher first; 0 when not given.
    #[serde(default)]
    pub priority: i32,
    /// It does not begin before this.
    pub not_before: Option<Moment>,
    /// It does not begin after this, and is stopped then.
    pub deadline: Option<Moment>,
    /// What becomes of the batch when it has failed.
    pub on_failure: Option<OnFailure>,
    /// How often it is repeated when it fails, and how long after.
    pub retry: Option<Retry>,
    /// Its run is stopped in good order after this long.
    pub timeout_s: Option<Seconds>,
    /// Nobody is asked.
    pub unattended: Option<bool>,
    /// If its run is cut off, it goes on by itself.
    pub auto_resume: Option<bool>,
    /// An item for every combination: values of parameters, or else metadata.
    #[serde(default)]
    pub matrix: BTreeMap<String, Vec<Value>>,
    /// An item for every device: values of parameters, or else metadata.
    pub devices: Option<Devices>,
}

/// Where devices are listed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`devices` is the name of a file, or a list of maps of names and values")]
pub enum Devices {
    /// A CSV file with a header line, or a YAML file with a list of maps; as seen from the batch file.
    File(String),
    /// Here.
    Here(Vec<BTreeMap<String, Value>>),
}

/// A batch file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchFile {
    /// `[a-z0-9-]+`; names the batch in the catalogue and its summary.
    pub name: String,
    /// Where run folders go, as seen from the batch file.
    pub out: Option<PathBuf>,
    /// What holds for every item that does not say otherwise.
    #[serde(default)]
    pub defaults: Policy,
    /// No item begins before this.
    pub not_before: Option<Moment>,
    /// No item begins after this, and the one under way is stopped.
    pub deadline: Option<Moment>,
    /// So many items that fail one after another end the batch.
    pub max_consecutive_failures: Option<NonZeroU32>,
    /// Whom to tell when the batch has ended.
    pub notify: Option<Notify>,
    /// Holds the runs of all items whose recipes do not say themselves when to be held: `suspend_when` of a recipe.
    pub suspend_when: Option<Value>,
    /// What to measure.
    pub items: Vec<ItemEntry>,
}

/// Reads a batch file; gives it with the tree that knows where everything stands.
///
/// # Errors
/// What is wrong with it, with its place.
pub fn read_file(path: &Path) -> Result<(BatchFile, PlainFile), Vec<Diagnostic>> {
    let plain = PlainFile::load(path)?;
    let read = decode::from_value::<BatchFile>(&plain.value()).and_then(|file| {
        check_name(&file.name)?;
        if file.items.is_empty() {
            return Err(ReadError::new("the batch has no items").under(&["items".to_owned()]));
        }
        check_policy(file.defaults.retry).map_err(|error| error.under(&["defaults".to_owned()]))?;
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
        "name `{name}` is not allowed (small letters, digits and `-`, at most 80, not beginning with `{QUEUE}`)"
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

/// What the types cannot say of an entry.
pub(super) fn check_entry(entry: &ItemEntry) -> Result<(), ReadError> {
    let at = |path: &[&str], at_key: bool, message: String| {
        let path: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
        Err(ReadError { at_key, ..ReadError::new(message).under(&path) })
    };
    check_policy(entry.retry)?;
    for (map, names) in [
        ("set", entry.set.keys().collect::<Vec<_>>()),
        ("metadata", entry.metadata.keys().collect()),
        ("matrix", entry.matrix.keys().collect()),
    ] {
        for name in names {
            if [BATCH, BATCH_ITEM].contains(&name.as_str()) && map != "set" {
                return at(&[map, name], true, format!("metadata `{name}` is the batch's own"));
            }
            if map == "matrix" && (entry.set.contains_key(name) || entry.metadata.contains_key(name)) {
                return at(&[map, name], true, format!("`{name}` is given in `matrix` and beside it"));
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

/// What a parameter can be.
fn scalar(value: &Value) -> bool {
    matches!(value, Value::Number(_) | Value::String(_) | Value::Bool(_))
}
