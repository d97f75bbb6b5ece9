//! What has been measured: lists runs, shows one, and checks its files against what its journal says of them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::manifest::{self, Manifest, RunState};
use super::{JOURNAL_FILE, PowerSegment, StoreError, is_claimed, publish, read, read_journal};
use crate::measurement::TraceSummary;

/// A run folder as it was found.
#[derive(Debug, Clone, Serialize)]
pub struct FoundRun {
    /// The folder.
    pub folder: PathBuf,
    /// Its manifest, with the status corrected for a process that is gone.
    pub manifest: Manifest,
}

/// A folder among the runs that is none, or is damaged.
#[derive(Debug, Clone, Serialize)]
pub struct Unreadable {
    /// The folder.
    pub folder: PathBuf,
    /// What is wrong with it.
    pub reason: String,
}

/// All runs below a folder, newest first, and what could not be read.
///
/// # Errors
/// When the folder itself cannot be read. One that does not exist holds no runs.
pub fn list(out: &Path) -> Result<(Vec<FoundRun>, Vec<Unreadable>), StoreError> {
    let (mut runs, mut unreadable) = (Vec::new(), Vec::new());
    let entries = match fs::read_dir(out) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((runs, unreadable)),
        Err(source) => return Err(StoreError::read(out, source)),
    };
    for entry in entries {
        let folder = entry.map_err(|source| StoreError::read(out, source))?.path();
        // Folders that were never runs are nobody's business here.
        if !folder.join(manifest::FILE).exists() && !folder.join(JOURNAL_FILE).exists() {
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
    /// The folder after which the next page begins; `None` on the last.
    pub next: Option<String>,
}

/// The runs below a folder whose folder names come before `before`, newest first: a folder's name begins with the time,
/// so that only the page's own manifests are read.
///
/// # Errors
/// When the folder itself cannot be read. One that does not exist holds no runs.
pub fn page(out: &Path, before: Option<&str>, limit: usize) -> Result<Page, StoreError> {
    // A folder's name has the second at which its run began; within one, only the manifests know.
    let second = |name: &str| name.split('_').next().unwrap_or_default().to_owned();
    let mut names = names(out)?;
    names.retain(|name| before.is_none_or(|before| second(name) <= second(before)));
    names.sort_unstable_by_key(|name| std::cmp::Reverse(second(name)));
    let (mut runs, mut last) = (Vec::new(), None);
    for together in names.chunk_by(|a, b| second(a) == second(b)) {
        let found = together.iter().filter_map(|name| match open(&out.join(name)) {
            Ok(run) => Some((run, name)),
            Err(error) => {
                tracing::debug!(%error, "a folder among the runs is left out");
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
/// When there is none.
pub fn by_id(out: &Path, id: &str) -> Result<FoundRun, StoreError> {
    let ending = format!("_{id}");
    let found = names(out)?.into_iter().find(|name| !id.is_empty() && name.ends_with(&ending));
    match found.map(|name| open(&out.join(name))).transpose()? {
        Some(run) if run.manifest.run == id => Ok(run),
        _ => Err(StoreError::WhichRun(format!("no run `{id}` below `{}`", out.display()))),
    }
}

/// The names of the folders below a folder that may be runs.
fn names(out: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs::read_dir(out) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(StoreError::read(out, source)),
    };
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

/// The run in this folder.
///
/// # Errors
/// When its manifest cannot be read.
pub fn open(folder: &Path) -> Result<FoundRun, StoreError> {
    let mut manifest = Manifest::read(folder)?;
    if manifest.status == RunState::Running && !is_claimed(folder) {
        manifest.status = RunState::Interrupted;
    }
    Ok(FoundRun { folder: folder.to_owned(), manifest })
}

/// The one run that is meant by its identifier, its folder, or the beginning of either.
///
/// # Errors
/// When none or more than one is meant; the message names the near ones.
pub fn find(out: &Path, id: &str) -> Result<FoundRun, StoreError> {
    let direct = Path::new(id);
    if direct.join(manifest::FILE).exists() {
        return open(direct);
    }
    let (runs, _) = list(out)?;
    let name = |run: &FoundRun| run.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (mut meant, others): (Vec<_>, Vec<_>) = runs
        .into_iter()
        .partition(|run| !id.is_empty() && (run.manifest.run.starts_with(id) || name(run).starts_with(id)));
    match (meant.len(), meant.pop()) {
        (1, Some(run)) => Ok(run),
        (0, _) => {
            let known: Vec<String> = others.iter().map(|run| run.manifest.run.clone()).collect();
            let known_words: Vec<&str> = known.iter().map(String::as_str).take(20).collect();
            let hint = crate::reading::suggestion(id, known_words);
            Err(StoreError::WhichRun(format!("no run `{id}` below `{}` ({hint})", out.display())))
        }
        (count, last) => {
            let mut names: Vec<String> = meant.iter().chain(&last).map(name).collect();
            names.truncate(10);
            Err(StoreError::WhichRun(format!("`{id}` means {count} runs: {}", names.join(", "))))
        }
    }
}

/// What the journal says was published.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Kept {
    TraceStored {
        trace: TraceSummary,
    },
    TraceWithdrawn {
        file: String,
    },
    PowerStored(PowerSegment),
    #[serde(other)]
    Other,
}

/// How often each file of a run was withdrawn. A name comes again after that: only its last file is there.
fn withdrawals(folder: &Path) -> Result<BTreeMap<String, u64>, StoreError> {
    let mut withdrawn = BTreeMap::new();
    for kept in read_journal::<Kept>(&folder.join(JOURNAL_FILE))?.map_while(Result::ok) {
        if let Kept::TraceWithdrawn { file } = kept {
            *withdrawn.entry(file).or_default() += 1;
        }
    }
    Ok(withdrawn)
}

/// Whether a file that was stored under this name was withdrawn later on.
fn is_withdrawn(withdrawn: &mut BTreeMap<String, u64>, file: &str) -> bool {
    withdrawn.get_mut(file).filter(|left| **left > 0).map(|left| *left -= 1).is_some()
}

/// The traces of a run, in order, read one by one; those that were withdrawn are left out.
///
/// # Errors
/// When the journal cannot be read.
pub fn traces(
    folder: &Path,
) -> Result<impl Iterator<Item = Result<TraceSummary, StoreError>> + use<>, StoreError> {
    let mut withdrawn = withdrawals(folder)?;
    Ok(read_journal::<Kept>(&folder.join(JOURNAL_FILE))?.filter_map(move |kept| match kept {
        Ok(Kept::TraceStored { trace }) if is_withdrawn(&mut withdrawn, &trace.file) => None,
        Ok(Kept::TraceStored { trace }) => Some(Ok(trace)),
        Ok(_) => None,
        Err(error) => Some(Err(error)),
    }))
}

/// One thing that `verify` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// The journal says that it was stored, and it is not there.
    Missing {
        /// The file, relative to the run folder.
        file: String,
    },
    /// It is not what was stored.
    Changed {
        /// The file, relative to the run folder.
        file: String,
    },
    /// It is there and cannot be read as what it should be, or was never finished.
    Torn {
        /// The file, relative to the run folder.
        file: String,
    },
    /// It has another number of points than the journal says.
    Points {
        /// The file, relative to the run folder.
        file: String,
        /// As the journal says.
        expected: u64,
        /// In the file.
        found: u64,
    },
    /// It is there, and the journal knows nothing of it.
    Extra {
        /// The file, relative to the run folder.
        file: String,
    },
    /// The journal ends in the middle, or has unreadable lines.
    Journal {
        /// What is wrong.
        reason: String,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { file } => write!(f, "missing  {file}"),
            Self::Changed { file } => {
                write!(f, "changed  {file} (its checksum is not the one in the journal)")
            }
            Self::Torn { file } => write!(f, "torn     {file}"),
            Self::Points { file, expected, found } => {
                write!(f, "points   {file} has {found}, the journal says {expected}")
            }
            Self::Extra { file } => write!(f, "extra    {file} (not in the journal)"),
            Self::Journal { reason } => write!(f, "journal  {reason}"),
        }
    }
}

/// What `verify` looked at and found.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verified {
    /// Files that are as they were stored.
    pub whole: u64,
    /// What is not.
    pub findings: Vec<Finding>,
}

/// Checks every file of a run.
///
/// # Errors
/// When the run's folder cannot be read at all.
pub fn verify(folder: &Path) -> Result<Verified, StoreError> {
    let mut verified = Verified::default();
    let mut known = BTreeSet::new();
    let mut withdrawn = withdrawals(folder)?;
    for kept in read_journal::<Kept>(&folder.join(JOURNAL_FILE))? {
        let (file, rows, sha256) = match kept {
            Ok(Kept::TraceStored { trace }) if is_withdrawn(&mut withdrawn, &trace.file) => continue,
            Ok(Kept::TraceStored { trace }) => (trace.file, trace.grid.points, trace.sha256),
            Ok(Kept::PowerStored(segment)) => (segment.file, segment.rows, segment.sha256),
            Ok(Kept::Other | Kept::TraceWithdrawn { .. }) => continue,
            Err(error) => {
                verified.findings.push(Finding::Journal { reason: crate::error::chain(&error) });
                break;
            }
        };
        match check(folder, &file, rows, &sha256) {
            None => verified.whole += 1,
            Some(finding) => verified.findings.push(finding),
        }
        known.insert(file);
    }
    for inner in ["traces", "power"] {
        let entries = fs::read_dir(folder.join(inner))
            .map_err(|source| StoreError::read(&folder.join(inner), source))?;
        for entry in entries {
            let name = entry.map_err(|source| StoreError::read(folder, source))?.file_name();
            let file = format!("{inner}/{}", name.to_string_lossy());
            if file.ends_with(".part") {
                verified.findings.push(Finding::Torn { file });
            } else if !known.contains(&file) {
                verified.findings.push(Finding::Extra { file });
            }
        }
    }
    Ok(verified)
}

/// Whether a file can be read as a trace or a segment of power.
#[must_use]
pub fn is_whole(file: &Path) -> bool {
    read::rows(file).is_ok()
}

fn check(folder: &Path, file: &str, rows: u64, sha256: &str) -> Option<Finding> {
    let path = folder.join(file);
    let file = file.to_owned();
    let Ok(found) = publish::fingerprint(&path) else { return Some(Finding::Missing { file }) };
    if found.sha256 == sha256 {
        return match read::rows(&path) {
            Ok(found) if found == rows => None,
            Ok(found) => Some(Finding::Points { file, expected: rows, found }),
            Err(_) => Some(Finding::Torn { file }),
        };
    }
    Some(if is_whole(&path) { Finding::Changed { file } } else { Finding::Torn { file } })
}
