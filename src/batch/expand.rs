//! Expands the entries of a batch to items: every combination of a matrix, every row of a list of devices.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::columns;
use super::file::{BatchFile, ItemEntry, OnFailure, Policy, check_entry};
use super::given::{EntryFinding, Given, devices};
use super::placement::Placement;
use super::task::{Task, plain};
use super::vary::{Parameters, matrix, names, parameter_value, refused_names, same_numbers};
use crate::decode::ReadError;
use crate::recipe::{PlainFile, Recipe};
use crate::source::Diagnostic;
use crate::step::{ColumnType, Retry, constant};
use crate::table::{Written, column};

/// Largest number of items. More items are probably a mistake in a matrix.
const MOST: usize = 10_000;
/// `on_failure: retry` without `retry`: one repetition after 60 s.
const USUAL_PAUSE_S: f64 = 60.0;

/// The items of a batch, and the findings.
#[derive(Debug, Default)]
pub struct Expanded<F> {
    /// The items in the order of the file.
    pub tasks: Vec<Task>,
    /// Warnings and notes.
    pub findings: Vec<F>,
}

/// The items of a batch in the order of its file. `folder` is the folder of the file.
///
/// # Errors
/// The errors, each with its position.
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

/// The items of an entry that is not in a file. The path of its recipe is relative to `base`.
///
/// # Errors
/// The errors, each with its path in the entry.
pub fn expand_entry(
    entry: &ItemEntry,
    defaults: &Policy,
    base: &Path,
) -> Result<Expanded<EntryFinding>, Vec<EntryFinding>> {
    let around = Around { defaults, folder: Path::new(""), base, plain: None };
    let (drafts, findings) = draft(entry, &around)?;
    Ok(Expanded { tasks: decide(drafts), findings })
}

/// The surroundings of an entry.
struct Around<'a> {
    defaults: &'a Policy,
    /// The folder for paths of the entry, relative to `base`.
    folder: &'a Path,
    base: &'a Path,
    /// The file, and the path of the entry in it.
    plain: Option<(&'a PlainFile, &'a [String])>,
}

impl Around<'_> {
    /// The text of a number of the entry, as written.
    fn number(&self, path: &[String]) -> Option<String> {
        self.plain.and_then(|(plain, way)| plain.number(&[way, path].concat()))
    }

    /// The matrix in the written order: the last name changes fastest.
    fn matrix_order(&self) -> Vec<String> {
        let names = |(plain, way): (&PlainFile, &[String])| {
            let way: Vec<&str> = way.iter().map(String::as_str).chain(["matrix"]).collect();
            plain.names(&way)
        };
        self.plain.map(names).unwrap_or_default()
    }
}

/// An item whose metadata has no types yet. All items of the batch together decide the types.
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
        return Err(within(ReadError::new("the list of devices is empty").under(&["devices".to_owned()])));
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
    // The errors of a recipe are reported with its items; here only its parameters matter.
    let varied = !entry.matrix.is_empty() || entry.devices.is_some();
    let parameters: Parameters = varied
        .then(|| Recipe::load(&around.base.join(&recipe), &[]).ok())
        .flatten()
        .map(|recipe| recipe.header().parameters.clone());
    let one = task(entry, around, &recipe);
    let mut drafts = Vec::with_capacity(count);
    let known = parameters.iter().flatten().collect::<BTreeMap<_, _>>();
    // A wrong value is wrong in every combination, so it is reported once.
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

/// A value and its use.
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

/// The items with metadata that has one type per name.
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

/// The values of a map of the entry, each as written: `1E1` does not become `10`, and a name may be `1.10`.
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

/// A value for a parameter whose type decides later. It is a text if the number alone would be written differently.
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
        placement: Placement {
            bench: entry.bench.clone().or_else(|| defaults.bench.clone()),
            needs: entry.needs.clone().or_else(|| defaults.needs.clone()).unwrap_or_default(),
            elsewhere: entry.elsewhere.or(defaults.elsewhere).unwrap_or(false),
        },
        fleet: None,
    }
}

/// Every combination, each in the order of the names.
fn combine(columns: &[Vec<Resolved>]) -> Vec<Vec<&Resolved>> {
    columns.iter().fold(vec![Vec::new()], |combinations, values| {
        let with = |before: &Vec<_>, value| [before.as_slice(), &[value]].concat();
        combinations.iter().flat_map(|before| values.iter().map(move |value| with(before, value))).collect()
    })
}
