//! Lists runs and finds single runs.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::manifest::{self, Manifest, RunState};
use super::{JOURNAL_FILE, StoreError, is_claimed};
use crate::files;

pub use super::stored::traces;
pub use super::verify::{Finding, Verified, is_whole, verify};

/// A run that was found.
#[derive(Debug, Clone, Serialize)]
pub struct FoundRun {
    /// The run folder.
    #[serde(serialize_with = "shown")]
    pub folder: PathBuf,
    /// The manifest. Its status is corrected if the process of the run has ended.
    pub manifest: Manifest,
}

/// A folder among the runs that cannot be read as a run.
#[derive(Debug, Clone, Serialize)]
pub struct Unreadable {
    /// The folder.
    #[serde(serialize_with = "shown")]
    pub folder: PathBuf,
    /// The reason.
    pub reason: String,
}

/// A path for display; its name need not be UTF-8.
fn shown<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

/// All runs below a folder, newest first, and the folders that could not be read.
///
/// # Errors
/// If the folder itself cannot be read. A folder that does not exist contains no runs.
pub fn list(out: &Path) -> Result<(Vec<FoundRun>, Vec<Unreadable>), StoreError> {
    let (mut runs, mut unreadable) = (Vec::new(), Vec::new());
    let entries = match fs::read_dir(out) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((runs, unreadable)),
        Err(source) => return Err(StoreError::read(out, source)),
    };
    for entry in entries {
        let folder = entry.map_err(|source| StoreError::read(out, source))?.path();
        // Folders that never were runs are ignored.
        if !has_manifest(&folder) && !files::is_taken(&folder.join(JOURNAL_FILE)) {
            continue;
        }
        match open(&folder) {
            Ok(run) => runs.push(run),
            Err(error) => unreadable.push(Unreadable { folder, reason: crate::error::chain(&error) }),
        }
    }
    runs.sort_by(|a, b| (b.manifest.started, &b.folder).cmp(&(a.manifest.started, &a.folder)));
    Ok((runs, unreadable))
}

/// A page of runs.
#[derive(Debug, Clone, Serialize)]
pub struct Page {
    /// The runs, newest first.
    pub runs: Vec<FoundRun>,
    /// The folder after which the next page begins; `None` on the last page.
    pub next: Option<String>,
}

/// Runs below a folder, newest first, that come after the folder named `before` in this order. The name of a run
/// folder begins with its time, so only the manifests of the page are read.
///
/// # Errors
/// If the folder itself cannot be read. A folder that does not exist contains no runs.
pub fn page(out: &Path, before: Option<&str>, limit: usize) -> Result<Page, StoreError> {
    // The name of a folder contains the second at which the run began. Within one second, the manifests decide the
    // order.
    fn second(name: &str) -> &str {
        name.split('_').next().unwrap_or_default()
    }
    let mut names = names(out)?;
    names.retain(|name| before.is_none_or(|before| second(name) <= second(before)));
    names.sort_unstable_by(|a, b| second(b).cmp(second(a)));
    let (mut runs, mut last) = (Vec::new(), None);
    for together in names.chunk_by(|a, b| second(a) == second(b)) {
        let found = together.iter().filter_map(|name| match open(&out.join(name)) {
            Ok(run) => Some((run, name)),
            Err(error) => {
                tracing::debug!(%error, "a folder among the runs is ignored");
                None
            }
        });
        let mut found: Vec<_> = found.collect();
        found.sort_by_key(|(run, name)| std::cmp::Reverse((run.manifest.started, (*name).clone())));
        let told = before.and_then(|before| found.iter().position(|(_, name)| name.as_str() == before));
        for (run, name) in found.into_iter().skip(told.map_or(0, |told| told + 1)) {
            if runs.len() == limit {
                return Ok(Page { runs, next: last });
            }
            runs.push(run);
            last = Some(name.clone());
        }
    }
    Ok(Page { runs, next: None })
}

/// The run with exactly this identifier.
///
/// # Errors
/// If there is none.
pub fn by_id(out: &Path, id: &str) -> Result<FoundRun, StoreError> {
    let ending = format!("_{id}");
    let found = names(out)?.into_iter().find(|name| !id.is_empty() && name.ends_with(&ending));
    match found.map(|name| open(&out.join(name))).transpose()? {
        Some(run) if run.manifest.run == id => Ok(run),
        _ => Err(StoreError::WhichRun(format!("no run `{id}` below `{}`", out.display()))),
    }
}

/// The names of all folders that may be runs.
fn names(out: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs::read_dir(out) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(StoreError::read(out, source)),
    };
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// Whether the folder has a manifest, intact or damaged.
#[must_use]
pub fn has_manifest(folder: &Path) -> bool {
    files::is_taken(&folder.join(manifest::FILE))
}

/// The run in this folder.
///
/// # Errors
/// If its manifest cannot be read.
pub fn open(folder: &Path) -> Result<FoundRun, StoreError> {
    let mut manifest = Manifest::read(folder)?;
    if manifest.status == RunState::Running && !is_claimed(folder) {
        manifest.status = RunState::Interrupted;
    }
    Ok(FoundRun { folder: folder.to_owned(), manifest })
}

/// The single run that matches an identifier, a folder, or the beginning of either.
///
/// # Errors
/// If no run or several runs match. The message names similar runs.
pub fn find(out: &Path, id: &str) -> Result<FoundRun, StoreError> {
    let direct = Path::new(id);
    if has_manifest(direct) {
        return open(direct);
    }
    if direct.is_dir() {
        let message =
            format!("`{id}` has no `{}`: it is not a run folder, or its manifest is missing", manifest::FILE);
        return Err(StoreError::WhichRun(message));
    }
    let (runs, unreadable) = list(out)?;
    let name = |folder: &Path| folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let is_named = |folder: &Path| {
        let name = name(folder);
        !id.is_empty()
            && (name.starts_with(id) || name.rsplit('_').next().is_some_and(|end| end.starts_with(id)))
    };
    let (mut meant, others): (Vec<_>, Vec<_>) = runs.into_iter().partition(|run| {
        !id.is_empty() && (run.manifest.run.starts_with(id) || name(&run.folder).starts_with(id))
    });
    match (meant.len(), meant.pop()) {
        (1, Some(run)) => Ok(run),
        (0, _) => {
            if let Some(damaged) = unreadable.iter().find(|damaged| is_named(&damaged.folder)) {
                let message = format!(
                    "run `{id}` in `{}` cannot be read: {}",
                    damaged.folder.display(),
                    damaged.reason
                );
                return Err(StoreError::WhichRun(message));
            }
            let known: Vec<String> = others.iter().map(|run| run.manifest.run.clone()).collect();
            let known_words: Vec<&str> = known.iter().map(String::as_str).take(20).collect();
            let hint = crate::decode::suggestion(id, known_words);
            Err(StoreError::WhichRun(format!("no run `{id}` below `{}` ({hint})", out.display())))
        }
        (count, last) => {
            let mut names: Vec<String> = meant.iter().chain(&last).map(|run| name(&run.folder)).collect();
            names.truncate(10);
            Err(StoreError::WhichRun(format!("`{id}` matches {count} runs: {}", names.join(", "))))
        }
    }
}
