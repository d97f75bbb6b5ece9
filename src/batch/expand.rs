//! From the entries of a batch to its items: every combination of a matrix, every row of a list of devices.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::file::{BatchFile, Devices, ItemEntry, OnFailure, Policy, check_entry, scalar};
use super::times::Moment;
use crate::catalogue::{BATCH, BATCH_ITEM};
use crate::reading::ReadError;
use crate::recipe::{PlainFile, Recipe, SuspendWhen, cells};
use crate::source::Diagnostic;
use crate::step::Retry;
use crate::units::Seconds;

/// More items are no batch but a mistake in a matrix.
const MOST: usize = 10_000;
/// `on_failure: retry` without `retry`: once, after a minute.
const USUAL_PAUSE_S: f64 = 60.0;

/// One item: what to run, and how. This is what the catalogue keeps of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Task {
    /// The recipe, relative to the batch's folder.
    pub recipe: String,
    /// Values for its parameters.
    pub set: BTreeMap<String, Value>,
    /// Added to its metadata.
    pub metadata: BTreeMap<String, Value>,
    /// Higher first.
    pub priority: i32,
    /// It does not begin before this.
    pub not_before: Option<Moment>,
    /// It does not begin after this, and is stopped then.
    pub deadline: Option<Moment>,
    /// Whether its failure ends the batch.
    pub on_failure: OnFailure,
    /// How often it is repeated when it fails, and how long after.
    pub retry: Option<Retry>,
    /// Its run is stopped in good order after this long.
    pub timeout_s: Option<Seconds>,
    /// Nobody is asked.
    pub unattended: bool,
    /// If its run is cut off, it goes on by itself.
    pub auto_resume: bool,
    /// Holds its run, where the recipe does not say itself when to be held.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suspend_when: Option<SuspendWhen>,
}

impl Task {
    /// The values of its parameters as the command line would have them.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        self.set.iter().map(|(name, value)| (name.clone(), plain(value))).collect()
    }

    /// Its recipe with its values, seen from `base`.
    ///
    /// # Errors
    /// What is wrong with it, or with the batch's `suspend_when` for it.
    pub fn load(&self, base: &Path) -> Result<Recipe, Vec<Diagnostic>> {
        let recipe = Recipe::load(&base.join(&self.recipe), &self.settings())?;
        match &self.suspend_when {
            Some(given) => recipe.suspended_by(given),
            None => Ok(recipe),
        }
    }

    /// In a few words: the recipe and its values.
    #[must_use]
    pub fn describe(&self) -> String {
        let values = self.set.iter().chain(&self.metadata).map(|(name, value)| {
            format!(" {name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
        });
        std::iter::once(self.recipe.clone()).chain(values).collect()
    }
}

/// The items of a batch in the order of its file. `folder` is the file's.
///
/// # Errors
/// What is wrong, each with its place in the batch file.
pub fn expand(file: &BatchFile, plain: &PlainFile, folder: &Path) -> Result<Vec<Task>, Vec<Diagnostic>> {
    let (mut tasks, mut found) = (Vec::new(), Vec::new());
    for (index, entry) in file.items.iter().enumerate() {
        let index = index.to_string();
        // The matrix runs as it is written: what stands last changes fastest.
        let order = plain.names(&["items", &index, "matrix"]);
        match expand_entry(entry, &file.defaults, folder, Path::new(""), &order) {
            Ok(more) => tasks.extend(more),
            Err(error) => found.push(plain.locate(error.under(&["items".to_owned(), index]))),
        }
        if tasks.len() > MOST {
            found.push(Diagnostic::error(format!("the batch has more than {MOST} items")));
            break;
        }
    }
    let suspend_when = plain.suspension();
    for task in &mut tasks {
        task.suspend_when.clone_from(&suspend_when);
    }
    if found.is_empty() { Ok(tasks) } else { Err(found) }
}

/// The items of one entry. Its files are seen from `folder`, which is seen from `base`; `order` is the order of the
/// matrix.
///
/// # Errors
/// What is wrong, with its way from the entry.
pub fn expand_entry(
    entry: &ItemEntry,
    defaults: &Policy,
    folder: &Path,
    base: &Path,
    order: &[String],
) -> Result<Vec<Task>, ReadError> {
    check_entry(entry)?;
    let recipe = folder.join(&entry.recipe);
    let rows = match &entry.devices {
        None => vec![BTreeMap::new()],
        Some(Devices::Here(rows)) => rows.clone(),
        Some(Devices::File(name)) => {
            read_devices(&base.join(folder).join(name)).map_err(|error| under("devices", error))?
        }
    };
    check_rows(entry, &rows).map_err(|error| under("devices", error))?;
    let varied = !entry.matrix.is_empty() || entry.devices.is_some();
    // What is wrong with a recipe is found with each of its items; here only its parameters' names matter.
    let parameters: BTreeSet<String> = match varied.then(|| Recipe::load(&base.join(&recipe), &[])) {
        Some(Ok(recipe)) => recipe.header().parameters.keys().cloned().collect(),
        _ => BTreeSet::new(),
    };
    let one = task(entry, defaults, &recipe);
    let combinations = combine(entry, order);
    if rows.len().saturating_mul(combinations.len()) > MOST {
        return Err(under("matrix", ReadError::new(format!("the entry has more than {MOST} items"))));
    }
    let mut tasks = Vec::new();
    for row in &rows {
        for combination in &combinations {
            let mut task = one.clone();
            for (name, value) in row.iter().chain(combination.iter().map(|(name, value)| (name, value))) {
                let goes_to = if parameters.contains(name) { &mut task.set } else { &mut task.metadata };
                goes_to.insert(name.clone(), value.clone());
            }
            tasks.push(task);
        }
    }
    Ok(tasks)
}

fn under(name: &str, error: ReadError) -> ReadError {
    error.under(&[name.to_owned()])
}

fn task(entry: &ItemEntry, defaults: &Policy, recipe: &Path) -> Task {
    let on_failure = entry.on_failure.or(defaults.on_failure).unwrap_or_default();
    let usual = || {
        let backoff_s = serde_json::from_value(USUAL_PAUSE_S.into()).ok();
        (on_failure == OnFailure::Retry).then_some(Retry { times: 1, backoff_s })
    };
    Task {
        recipe: recipe.display().to_string(),
        set: entry.set.clone(),
        metadata: entry.metadata.clone(),
        priority: entry.priority,
        not_before: entry.not_before,
        deadline: entry.deadline,
        on_failure,
        retry: entry.retry.or(defaults.retry).or_else(usual),
        timeout_s: entry.timeout_s.or(defaults.timeout_s),
        unattended: entry.unattended.or(defaults.unattended).unwrap_or(true),
        auto_resume: entry.auto_resume.or(defaults.auto_resume).unwrap_or(false),
        suspend_when: None,
    }
}

/// Every combination, each in the order of the names.
fn combine(entry: &ItemEntry, order: &[String]) -> Vec<Vec<(String, Value)>> {
    let named = order.iter().filter(|name| entry.matrix.contains_key(*name));
    let names: Vec<&String> = named.chain(entry.matrix.keys().filter(|name| !order.contains(name))).collect();
    names.into_iter().fold(vec![Vec::new()], |combinations, name| {
        let with = |before: &Vec<(String, Value)>, value: &Value| {
            [before.as_slice(), &[(name.clone(), value.clone())]].concat()
        };
        let values = &entry.matrix[name];
        combinations
            .iter()
            .take(MOST)
            .flat_map(|before| values.iter().map(move |value| with(before, value)))
            .collect()
    })
}

fn check_rows(entry: &ItemEntry, rows: &[BTreeMap<String, Value>]) -> Result<(), ReadError> {
    if rows.is_empty() {
        return Err(ReadError::new("there are no devices"));
    }
    for (row, values) in (1..).zip(rows) {
        for (name, value) in values {
            if !scalar(value) {
                let message = format!("device {row}: `{name}` is a number, a text, true or false");
                return Err(ReadError::new(message));
            }
            if [BATCH, BATCH_ITEM].contains(&name.as_str()) {
                return Err(ReadError::new(format!("device {row}: metadata `{name}` is the batch's own")));
            }
            if [
                entry.set.contains_key(name),
                entry.metadata.contains_key(name),
                entry.matrix.contains_key(name),
            ]
            .contains(&true)
            {
                let message = format!("`{name}` is given for each device and beside that");
                return Err(ReadError::new(message));
            }
        }
    }
    Ok(())
}

/// The rows of a list of devices.
fn read_devices(path: &Path) -> Result<Vec<BTreeMap<String, Value>>, ReadError> {
    let shown = path.display();
    let refuse = |why: String| ReadError::new(format!("cannot use `{shown}`: {why}"));
    if path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml") {
        let plain = PlainFile::load(path).map_err(|found| {
            refuse(found.into_iter().next().map(|finding| finding.message).unwrap_or_default())
        })?;
        return serde_json::from_value(plain.value())
            .map_err(|_| refuse("it is not a list of maps".to_owned()));
    }
    // Cells are texts; a parameter takes from its text what it is.
    let rows = cells(path).map_err(refuse)?;
    Ok(rows
        .into_iter()
        .map(|row| row.into_iter().map(|(name, cell)| (name, Value::String(cell))).collect())
        .collect())
}
