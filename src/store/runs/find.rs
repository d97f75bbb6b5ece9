//! Finds the one run that a person means.

use std::collections::BTreeSet;
use std::path::Path;

use super::{FoundRun, Named, has_manifest, list, manifest, open};
use crate::store::StoreError;

/// The word for the newest run.
pub const LAST: &str = "last";
/// How many similar runs a message names.
const SUGGESTED: usize = 3;
/// How many matching runs a message names.
const NAMED: usize = 10;
/// Likeness from which a name counts as similar.
const SIMILAR: f64 = 0.5;

/// The names of the recipes that have runs below a folder.
///
/// # Errors
/// If the folder cannot be read.
pub fn recipes(out: &Path) -> Result<BTreeSet<String>, StoreError> {
    Ok(Named::all(out)?.iter().map(|run| run.recipe().to_owned()).collect())
}

/// The run that a person means: the path of a run folder, or one of the names of [`find_named`].
///
/// # Errors
/// If no run or several runs match. The message names similar runs.
pub fn find(out: &Path, given: &str) -> Result<FoundRun, StoreError> {
    let direct = Path::new(given);
    if has_manifest(direct) {
        return open(direct);
    }
    if direct.is_dir() {
        let message = format!(
            "`{given}` has no `{}`: it is not a run folder, or its manifest is missing",
            manifest::FILE
        );
        return Err(StoreError::WhichRun(message));
    }
    find_named(out, given)
}

/// The run that a name means. The name is never used as a path. The first that fits is used:
///
/// - `last`, the newest run
/// - an identifier, or the name of a run folder
/// - the name of a recipe: its newest run
/// - the first characters of an identifier or of a folder's name
///
/// # Errors
/// If no run or several runs match. The message names similar runs.
pub fn find_named(out: &Path, given: &str) -> Result<FoundRun, StoreError> {
    let mut named = Named::all(out)?;
    named.sort_by(|a, b| (b.second(), &b.folder).cmp(&(a.second(), &a.folder)));
    match matching(&out.display(), given, &named)? {
        Match::One(run) => read(out, run, given),
        Match::Newest(runs) => newest(out, &runs),
    }
}

/// The folder of the run that a person means, by the names of all folders at a place. The first rule of [`find`] that fits
/// is used.
///
/// # Errors
/// If no run or several runs match.
pub fn find_name(place: &str, folders: Vec<String>, given: &str) -> Result<String, StoreError> {
    let mut named: Vec<Named> = folders.into_iter().filter_map(Named::by_name).collect();
    named.sort_by(|a, b| (b.second(), &b.folder).cmp(&(a.second(), &a.folder)));
    let newest = match matching(&place, given, &named)? {
        Match::One(run) => Some(run),
        Match::Newest(_) if given == LAST => named.first(),
        Match::Newest(_) => named.iter().find(|run| run.recipe() == given),
    };
    let newest = newest.map(|run| run.folder.clone());
    newest.ok_or_else(|| StoreError::WhichRun(format!("there is no run below `{place}`")))
}

/// The name that the program gave to the folder of a run. A person may have renamed the folder.
#[must_use]
pub fn original_folder(run: &FoundRun) -> String {
    let manifest = &run.manifest;
    let present = run.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    match Named::by_name(present) {
        Some(named) if named.id() == manifest.run && named.recipe() == manifest.name => named.folder,
        Some(_) | None => {
            format!("{}_{}_{}", manifest.started.format(super::FOLDER_TIME), manifest.name, manifest.run)
        }
    }
}

/// What a name means.
enum Match<'a> {
    /// One run.
    One(&'a Named),
    /// The newest of these runs.
    Newest(Vec<Named>),
}

/// The runs that a name means, among all runs at a place, the newest first.
fn matching<'a>(
    place: &dyn std::fmt::Display,
    given: &str,
    named: &'a [Named],
) -> Result<Match<'a>, StoreError> {
    if given == LAST {
        return Ok(Match::Newest(named.to_vec()));
    }
    if let Some(run) = named.iter().find(|run| run.id() == given || run.folder == given) {
        return Ok(Match::One(run));
    }
    let of_recipe: Vec<Named> = named.iter().filter(|run| run.recipe() == given).cloned().collect();
    if !of_recipe.is_empty() {
        return Ok(Match::Newest(of_recipe));
    }
    let begins =
        |run: &&Named| !given.is_empty() && (run.id().starts_with(given) || run.folder.starts_with(given));
    match named.iter().filter(begins).collect::<Vec<_>>()[..] {
        [] => Err(StoreError::WhichRun(unknown(place, given, named))),
        [run] => Ok(Match::One(run)),
        ref several => {
            let names: Vec<&str> = several.iter().take(NAMED).map(|run| run.folder.as_str()).collect();
            let more = if several.len() > NAMED { ", …" } else { "" };
            let count = several.len();
            Err(StoreError::WhichRun(format!("`{given}` matches {count} runs: {}{more}", names.join(", "))))
        }
    }
}

fn read(out: &Path, run: &Named, given: &str) -> Result<FoundRun, StoreError> {
    let folder = out.join(&run.folder);
    open(&folder).map_err(|error| {
        let (place, reason) = (folder.display(), crate::error::chain(&error));
        StoreError::UnreadableRun(format!("run `{given}` in `{place}` cannot be read: {reason}"))
    })
}

/// The newest of these runs, which are sorted by their second. Within one second, the manifests decide.
fn newest(out: &Path, named: &[Named]) -> Result<FoundRun, StoreError> {
    for together in named.chunk_by(|a, b| a.second() == b.second()) {
        let found = together.iter().filter_map(|run| open(&out.join(&run.folder)).ok());
        if let Some(run) = found.max_by_key(|run| (run.manifest.started, run.folder.clone())) {
            return Ok(run);
        }
    }
    // Without runs, the damaged ones are the reason.
    let (_, unreadable) = list(out)?;
    Err(match unreadable.first() {
        Some(damaged) => StoreError::UnreadableRun(format!(
            "run `{}` cannot be read: {}",
            damaged.folder.display(),
            damaged.reason
        )),
        None => StoreError::WhichRun(format!("there is no run below `{}`", out.display())),
    })
}

/// The message about a run that does not exist, with the names nearest to it.
fn unknown(place: &dyn std::fmt::Display, given: &str, named: &[Named]) -> String {
    let missing = format!("no run `{given}` below `{place}`");
    if named.is_empty() {
        return format!("{missing}: there are no runs");
    }
    let word = given.to_lowercase();
    let mut near: Vec<(f64, &str)> = Vec::new();
    for name in named.iter().flat_map(|run| [run.id(), run.recipe(), run.folder.as_str()]) {
        let likeness = strsim::normalized_damerau_levenshtein(&word, name);
        if likeness >= SIMILAR && !near.iter().any(|(_, known)| *known == name) {
            near.push((likeness, name));
        }
    }
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    let quote = |names: Vec<&str>| -> String {
        let quoted: Vec<String> = names.into_iter().map(|name| format!("`{name}`")).collect();
        quoted.join(", ")
    };
    if near.is_empty() {
        let newest = quote(named.iter().take(SUGGESTED).map(Named::id).collect());
        return format!("{missing}; the newest are {newest}, and `ctp10 runs` lists all");
    }
    format!(
        "{missing}; did you mean {}?",
        quote(near.into_iter().take(SUGGESTED).map(|(_, name)| name).collect())
    )
}
