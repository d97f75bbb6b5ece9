//! From the entries of a batch to its items: every combination of a matrix, every row of a list of devices.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::columns;
use super::file::{BatchFile, ItemEntry, OnFailure, Policy, check_entry};
use super::given::{EntryFinding, Given, devices};
use super::times::Moment;
use super::vary::{Parameters, matrix, names, parameter_value, refused_names, same_numbers};
use crate::decimal;
use crate::decode::ReadError;
use crate::recipe::{PlainFile, Recipe, SuspendWhen};
use crate::source::Diagnostic;
use crate::step::{ColumnType, Retry, constant};
use crate::table::{Written, column};
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
    /// Which of its values are columns of its traces, and their types: what the batch varies.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, ColumnType>,
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

    /// Whether another item measures the same: values are compared by what they say, since a table of today may have
    /// numbers where an earlier one had texts.
    #[must_use]
    pub fn measures_as(&self, other: &Self) -> bool {
        let same = |own: &BTreeMap<String, Value>, others: &BTreeMap<String, Value>| {
            own.len() == others.len()
                && own
                    .iter()
                    .all(|(name, value)| others.get(name).is_some_and(|other| says_same(value, other)))
        };
        self.recipe == other.recipe && same(&self.set, &other.set) && same(&self.metadata, &other.metadata)
    }

    /// In a few words: the recipe and its values.
    #[must_use]
    pub fn describe(&self) -> String {
        let values =
            self.set.iter().chain(&self.metadata).map(|(name, value)| format!(" {name}={}", plain(value)));
        std::iter::once(self.recipe.clone()).chain(values).collect()
    }
}

/// A value as a text, without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether two values are one text, or one number that was written down as a number once.
fn says_same(one: &Value, other: &Value) -> bool {
    let number = one.is_number() || other.is_number();
    let (one, other) = (plain(one), plain(other));
    one == other || (number && decimal::same(&one, &other))
}

/// The items of a batch, and what was found in it.
#[derive(Debug, Default)]
pub struct Expanded<F> {
    /// In the order of the file.
    pub tasks: Vec<Task>,
    /// Warnings and notes.
    pub findings: Vec<F>,
}

/// The items of a batch in the order of its file. `folder` is the file's.
///
/// # Errors
/// What is wrong, each with its place.
pub fn expand(
    file: &BatchFile,
    plain: &PlainFile,
    folder: &Path,
) -> Result<Expanded<Diagnostic>, Vec<Diagnostic>> {
    let (mut drafts, mut findings) = (Vec::new(), Vec::new());
    let mut wrong = Vec::new();
    for (index, entry) in file.items.iter().enumerate() {
        let way = ["items".to_owned(), index.to_string()];
        let around =
            Around { defaults: &file.defaults, folder, base: Path::new(""), plain: Some((plain, &way)) };
        let located = |found: Vec<EntryFinding>| {
            found.into_iter().map(|found| found.located(plain, &way)).collect::<Vec<_>>()
        };
        match draft(entry, &around) {
            Ok((more, found)) => {
                drafts.extend(more);
                findings.extend(located(found));
            }
            Err(found) => wrong.extend(located(found)),
        }
        if drafts.len() > MOST {
            wrong.push(Diagnostic::error(format!("the batch has more than {MOST} items")));
            break;
        }
    }
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let suspend_when = plain.suspension();
    let mut tasks = decide(drafts);
    for task in &mut tasks {
        task.suspend_when.clone_from(&suspend_when);
    }
    Ok(Expanded { tasks, findings })
}

/// The items of one entry that stands in no file. Its recipe is seen from `base`.
///
/// # Errors
/// What is wrong, with its way from the entry.
pub fn expand_entry(
    entry: &ItemEntry,
    defaults: &Policy,
    base: &Path,
) -> Result<Expanded<EntryFinding>, Vec<EntryFinding>> {
    let around = Around { defaults, folder: Path::new(""), base, plain: None };
    let (drafts, findings) = draft(entry, &around)?;
    Ok(Expanded { tasks: decide(drafts), findings })
}

/// What an entry stands in.
struct Around<'a> {
    defaults: &'a Policy,
    /// Its files are seen from here, which is seen from `base`.
    folder: &'a Path,
    base: &'a Path,
    /// The file, and the way to the entry in it.
    plain: Option<(&'a PlainFile, &'a [String])>,
}

impl Around<'_> {
    /// How a number of the entry was written.
    fn number(&self, path: &[String]) -> Option<String> {
        self.plain.and_then(|(plain, way)| plain.number(&[way, path].concat()))
    }

    /// The matrix runs as it is written: what stands last changes fastest.
    fn matrix_order(&self) -> Vec<String> {
        let names = |(plain, way): (&PlainFile, &[String])| {
            let way: Vec<&str> = way.iter().map(String::as_str).chain(["matrix"]).collect();
            plain.names(&way)
        };
        self.plain.map(names).unwrap_or_default()
    }
}

/// An item whose metadata has no types yet: these are decided over all items of the batch.
struct Draft {
    task: Task,
    varied: Vec<(String, Written)>,
}

fn draft(entry: &ItemEntry, around: &Around) -> Result<(Vec<Draft>, Vec<EntryFinding>), Vec<EntryFinding>> {
    let within = |error: ReadError| vec![EntryFinding::within(error)];
    check_entry(entry).map_err(within)?;
    let recipe = around.folder.join(&entry.recipe);
    let number = |path: &[String]| around.number(path);
    let devices = devices(entry, &around.base.join(around.folder), &number)?;
    if devices.rows.is_empty() {
        return Err(within(ReadError::new("there are no devices").under(&["devices".to_owned()])));
    }
    let matrix = matrix(entry, &around.matrix_order(), &number);
    let count =
        matrix.iter().fold(devices.rows.len(), |count, (_, values)| count.saturating_mul(values.len()));
    if count > MOST {
        let which = if entry.matrix.is_empty() { "devices" } else { "matrix" };
        let error = ReadError::new(format!("the entry has more than {MOST} items"));
        return Err(within(error.under(&[which.to_owned()])));
    }
    let mut wrong = refused_names(entry, &devices);
    // What is wrong with a recipe is found with each of its items; here only its parameters matter.
    let varied = !entry.matrix.is_empty() || entry.devices.is_some();
    let parameters: Parameters = varied
        .then(|| Recipe::load(&around.base.join(&recipe), &[]).ok())
        .flatten()
        .map(|recipe| recipe.header().parameters.clone());
    let one = task(entry, around, &recipe);
    let mut drafts = Vec::with_capacity(count);
    let known = parameters.iter().flatten().collect::<BTreeMap<_, _>>();
    // A value that is wrong is wrong in every combination.
    let resolve = |(name, given): (&String, &Given)| match known.get(name) {
        Some(parameter) => Resolved::Parameter(name.clone(), parameter_value(name, parameter, given)),
        None => Resolved::Metadata(name.clone(), given.written.clone()),
    };
    let rows: Vec<Vec<Resolved>> = devices
        .rows
        .iter()
        .map(|row| row.iter().map(|(name, given)| resolve((name, given))).collect())
        .collect();
    let columns: Vec<Vec<Resolved>> = matrix
        .iter()
        .map(|(name, values)| values.iter().map(|given| resolve((name, given))).collect())
        .collect();
    wrong.extend(rows.iter().chain(&columns).flatten().filter_map(Resolved::finding));
    if !wrong.is_empty() {
        return Err(wrong);
    }
    let combinations = combine(&columns);
    for row in &rows {
        for combination in &combinations {
            let mut draft = Draft { task: one.clone(), varied: Vec::new() };
            for resolved in row.iter().chain(combination.iter().copied()) {
                resolved.put_into(&mut draft);
            }
            drafts.push(draft);
        }
    }
    let mut findings = names(entry, &devices, &parameters);
    findings.extend(same_numbers(&matrix, &parameters));
    findings.extend(devices.findings);
    Ok((drafts, findings))
}

/// A value and what it is for.
enum Resolved {
    Parameter(String, Result<Value, EntryFinding>),
    Metadata(String, Written),
}

impl Resolved {
    fn finding(&self) -> Option<EntryFinding> {
        match self {
            Self::Parameter(_, value) => value.as_ref().err().cloned(),
            Self::Metadata(..) => None,
        }
    }

    fn put_into(&self, draft: &mut Draft) {
        match self {
            Self::Parameter(name, Ok(value)) => {
                draft.task.columns.insert(name.clone(), ColumnType::of(&constant(value)));
                draft.task.set.insert(name.clone(), value.clone());
            }
            Self::Parameter(_, Err(_)) => {}
            Self::Metadata(name, written) => draft.varied.push((name.clone(), written.clone())),
        }
    }
}

/// The items, with metadata that has one type for each name.
fn decide(mut drafts: Vec<Draft>) -> Vec<Task> {
    let mut columns: BTreeMap<String, Vec<(usize, Written)>> = BTreeMap::new();
    for (index, draft) in drafts.iter_mut().enumerate() {
        for (name, written) in std::mem::take(&mut draft.varied) {
            columns.entry(name).or_default().push((index, written));
        }
    }
    for (name, cells) in columns {
        let written: Vec<&Written> = cells.iter().map(|(_, written)| written).collect();
        for ((index, _), value) in cells.iter().zip(column(&written)) {
            let task = &mut drafts[*index].task;
            task.columns.insert(name.clone(), ColumnType::of(&constant(&value)));
            task.metadata.insert(name.clone(), value);
        }
    }
    let mut tasks: Vec<Task> = drafts.into_iter().map(|draft| draft.task).collect();
    columns::agree(&mut tasks);
    tasks
}

/// The values of a map of the entry, each as it was written: `1E1` is no `10`, and a name may be `1.10`.
fn as_written(
    map: &str,
    values: &BTreeMap<String, Value>,
    around: &Around,
    decide: impl Fn(Written) -> Value,
) -> BTreeMap<String, Value> {
    let value = |(name, value): (&String, &Value)| {
        let written = around.number(&[map.to_owned(), name.clone()]);
        let decided = written.map(|text| decide(Written::Bare(text)));
        (name.clone(), decided.unwrap_or_else(|| value.clone()))
    };
    values.iter().map(value).collect()
}

/// A value for a parameter, whose type decides later: a text where the number alone would be written differently.
fn undecided(written: &Written) -> Value {
    let alone = column(&[written]).swap_remove(0);
    let text = written.text();
    if plain(&alone) == text { alone } else { Value::String(text) }
}

fn task(entry: &ItemEntry, around: &Around, recipe: &Path) -> Task {
    let defaults = around.defaults;
    let on_failure = entry.on_failure.or(defaults.on_failure).unwrap_or_default();
    let usual = || {
        let backoff_s = serde_json::from_value(USUAL_PAUSE_S.into()).ok();
        (on_failure == OnFailure::Retry).then_some(Retry { times: 1, backoff_s })
    };
    Task {
        recipe: recipe.display().to_string(),
        set: as_written("set", &entry.set, around, |written| undecided(&written)),
        metadata: as_written("metadata", &entry.metadata, around, |written| {
            column(&[&written]).swap_remove(0)
        }),
        columns: BTreeMap::new(),
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
fn combine(columns: &[Vec<Resolved>]) -> Vec<Vec<&Resolved>> {
    columns.iter().fold(vec![Vec::new()], |combinations, values| {
        let with = |before: &Vec<_>, value| [before.as_slice(), &[value]].concat();
        combinations.iter().flat_map(|before| values.iter().map(move |value| with(before, value))).collect()
    })
}
