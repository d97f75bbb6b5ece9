//! Compares the files of a run with its journal and its manifest.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::manifest::{Manifest, RecipeRecord};
use super::stored::{Stored, stored};
use super::{PowerSegment, StoreError, find, hex_sha256, publish, read, read_run_journal};
use crate::error::chain;
use crate::files;
use crate::measurement::TraceSummary;

/// Highest number of damaged journal lines that are listed.
const LISTED: usize = 1000;
/// The largest power segment that is read, bytes: a hundred times the size of a normal one.
const LARGEST_SEGMENT: u64 = 1 << 30;
/// The largest copy of a recipe or a table that is read, bytes.
const LARGEST_SOURCE: u64 = 16 << 20;

/// One finding of `verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum Finding {
    /// The journal lists the file, but it does not exist.
    Missing {
        /// The file, relative to the run folder.
        file: String,
    },
    /// The file has changed since it was stored.
    Changed {
        /// The file, relative to the run folder.
        file: String,
    },
    /// The file is damaged, or it was never finished.
    Torn {
        /// The file, relative to the run folder.
        file: String,
    },
    /// The file cannot be read.
    Unreadable {
        /// The file, relative to the run folder.
        file: String,
        /// The reason.
        reason: String,
    },
    /// The number of points differs from the journal.
    Points {
        /// The file, relative to the run folder.
        file: String,
        /// According to the journal.
        expected: u64,
        /// In the file.
        found: u64,
    },
    /// The content of the file contradicts the journal.
    Contradicts {
        /// The file, relative to the run folder.
        file: String,
        /// The difference.
        reason: String,
    },
    /// The file exists, but the journal does not list it.
    Extra {
        /// The file, relative to the run folder.
        file: String,
    },
    /// A line of the journal is damaged or out of order.
    Journal {
        /// The reason.
        reason: String,
    },
}

impl Finding {
    /// The finding as text, to follow the name of the file.
    #[must_use]
    pub fn what(&self) -> String {
        match self {
            Self::Missing { .. } => "is missing".to_owned(),
            Self::Changed { .. } => "has changed".to_owned(),
            Self::Torn { .. } => "is torn".to_owned(),
            Self::Unreadable { reason, .. } => format!("cannot be read: {reason}"),
            Self::Points { expected, found, .. } => {
                format!("has {found} points, but the journal records {expected}")
            }
            Self::Contradicts { reason, .. } => reason.clone(),
            Self::Extra { .. } => "is not in the journal".to_owned(),
            Self::Journal { reason } => reason.clone(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing { file } => write!(f, "missing  {file}"),
            Self::Changed { file } => {
                write!(f, "changed  {file} (its checksum differs from the recorded one)")
            }
            Self::Torn { file } => write!(f, "torn     {file}"),
            Self::Unreadable { file, reason } => write!(f, "damaged  {file}: {reason}"),
            Self::Points { file, expected, found } => {
                write!(f, "points   {file} has {found}, but the journal records {expected}")
            }
            Self::Contradicts { file, reason } => write!(f, "differs  {file}: {reason}"),
            Self::Extra { file } => write!(f, "extra    {file} (not in the journal)"),
            Self::Journal { reason } => write!(f, "journal  {reason}"),
        }
    }
}

/// The result of `verify`.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Verified {
    /// Number of intact files.
    pub whole: u64,
    /// Everything that is wrong.
    pub findings: Vec<Finding>,
}

/// Checks every file of a run, and every line of its journal. Each line must be a record of type `R`.
///
/// # Errors
/// If the journal cannot be read at all.
pub fn verify<R: DeserializeOwned>(folder: &Path) -> Result<Verified, StoreError> {
    let mut verified = Verified::default();
    let mut known = BTreeSet::new();
    let wrong = read_run_journal::<R>(folder)?.filter_map(Result::err);
    let wrong = wrong.map(|error| Finding::Journal { reason: chain(&error) });
    verified.findings.extend(wrong.take(LISTED));
    for kept in stored(folder)?.filter_map(Result::ok) {
        let (damage, file) = match kept {
            Stored::Trace(trace) => (trace_damage(folder, &trace), trace.file),
            Stored::Power(segment) => (segment_damage(folder, &segment), segment.file),
        };
        verified.whole += u64::from(damage.is_none());
        verified.findings.extend(damage);
        known.insert(file);
    }
    for inner in ["traces", "power"] {
        let path = folder.join(inner);
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            // The missing files were reported above.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => {
                verified
                    .findings
                    .push(Finding::Unreadable { file: inner.to_owned(), reason: error.to_string() });
                continue;
            }
        };
        for entry in entries {
            let name = entry.map_err(|source| StoreError::read(&path, source))?.file_name();
            let file = format!("{inner}/{}", name.to_string_lossy());
            if file.ends_with(".part") {
                verified.findings.push(Finding::Torn { file });
            } else if !known.contains(&file) {
                verified.findings.push(Finding::Extra { file });
            }
        }
    }
    if let Ok(manifest) = Manifest::read(folder) {
        verified.findings.extend(source_damage(folder, &manifest.recipe));
        if let Some(results) = &manifest.results {
            let damage = damage(folder, &results.file, results.rows, &results.sha256, Some(results.bytes));
            verified.whole += u64::from(damage.is_none());
            verified.findings.extend(damage);
        }
    }
    Ok(verified)
}

/// Whether a file can be read as a trace or a power segment.
#[must_use]
pub fn is_whole(file: &Path) -> bool {
    read::rows(file).is_ok()
}

/// How a trace differs from the journal; `None` if it does not.
#[must_use]
pub fn trace_damage(folder: &Path, trace: &TraceSummary) -> Option<Finding> {
    damage(folder, &trace.file, trace.grid.points, &trace.sha256, Some(trace.bytes)).or_else(|| {
        let path = find(folder, &trace.file).ok()?;
        let reason = read::contradiction(&path, trace)?;
        Some(Finding::Contradicts { file: trace.file.clone(), reason })
    })
}

/// How a power segment differs from the journal; `None` if it does not.
#[must_use]
pub fn segment_damage(folder: &Path, segment: &PowerSegment) -> Option<Finding> {
    damage(folder, &segment.file, segment.rows, &segment.sha256, None)
}

/// The first recipe file or table that has changed since the run copied it. Runs of earlier versions have no hashes.
#[must_use]
pub fn source_damage(folder: &Path, recipe: &RecipeRecord) -> Option<Finding> {
    recipe.source_sha256.iter().find_map(|(file, sha256)| {
        match files::read_within(folder, file, LARGEST_SOURCE) {
            Ok(text) if hex_sha256(&text) == *sha256 => None,
            Ok(_) => Some(Finding::Changed { file: file.clone() }),
            Err(error) => Some(unreadable(file, &error)),
        }
    })
}

fn unreadable(file: &str, error: &std::io::Error) -> Finding {
    let file = file.to_owned();
    match error.kind() {
        ErrorKind::NotFound => Finding::Missing { file },
        _ => Finding::Unreadable { file, reason: error.to_string() },
    }
}

/// `bytes`: the expected size, if known. A file of another size is reported without reading it.
fn damage(folder: &Path, file: &str, rows: u64, sha256: &str, bytes: Option<u64>) -> Option<Finding> {
    let path = match files::find_within(folder, file) {
        Ok(path) => path,
        Err(error) => return Some(unreadable(file, &error)),
    };
    let size = match files::open(&path).and_then(|file| file.metadata()) {
        Ok(about) => about.len(),
        Err(error) => return Some(unreadable(file, &error)),
    };
    let changed = || Finding::Changed { file: file.to_owned() };
    let Ok(found_rows) = read::rows(&path) else { return Some(Finding::Torn { file: file.to_owned() }) };
    if size > bytes.unwrap_or(LARGEST_SEGMENT) || bytes.is_some_and(|bytes| bytes != size) {
        return Some(changed());
    }
    match publish::fingerprint(&path) {
        Err(error) => Some(Finding::Unreadable { file: file.to_owned(), reason: chain(&error) }),
        Ok(found) if found.sha256 != sha256 => Some(changed()),
        Ok(_) if found_rows != rows => {
            Some(Finding::Points { file: file.to_owned(), expected: rows, found: found_rows })
        }
        Ok(_) => None,
    }
}
