//! What a run leaves behind: a folder with a manifest, a journal, and Parquet files. The only user of Arrow and
//! Parquet, and synchronous: whoever calls from a task does so from a thread that may block.

mod cleanup;
mod disk_space;
mod envelope;
pub mod formats;
mod journal;
mod lines;
mod manifest;
mod power;
mod publish;
mod read;
pub mod runs;
mod spool;
mod stored;
#[cfg(test)]
mod tests;
mod trace;
mod verify;
mod watchdog;

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use chrono::{DateTime, Utc};
use rand::RngExt;

pub use cleanup::{Fate, Leftover, finished_files, leftovers};
pub use disk_space::{space_for_step, space_for_trace};
pub use envelope::{Envelope, envelope};
pub use journal::{Durability, Journal};
pub use lines::{Lines, skip_damaged};
pub use manifest::{HostRecord, InstrumentRecord, Manifest, RecipeRecord, RunState};
pub use power::{PowerLog, PowerSegment};
pub use publish::{hex_sha256, write_whole};
pub use read::{TraceFile, open_trace};
pub use runs::FoundRun;
pub use spool::Spool;
pub use trace::{TraceHeader, TraceWriter};
pub use verify::{Finding, Verified, segment_damage, source_damage, trace_damage, verify};
pub use watchdog::{
    WatchdogCause, WatchdogRecord, is_fenced, put_up_fence, take_down_fence, watchdog_records,
};

use crate::files;
use crate::step::{Fault, FaultKind};

/// Held as long as the run's process lives.
const LOCK_FILE: &str = "lock";
/// The journal's name in the run folder.
pub const JOURNAL_FILE: &str = "journal.jsonl";

/// The report's names in the run folder: for people, and for programs.
pub const REPORT_FILE: &str = "report.html";
/// See [`REPORT_FILE`].
pub const SUMMARY_FILE: &str = "summary.json";

/// Why something could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full.
    #[error("no room left for `{path}`")]
    Full {
        /// What was being written.
        path: PathBuf,
    },
    /// A file or folder cannot be written.
    #[error("cannot write `{path}`")]
    Write {
        /// What was being written.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file or folder cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// What was being read.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A Parquet file cannot be encoded or decoded.
    #[error("`{path}` is damaged or cannot be encoded")]
    Encoding {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        source: parquet::errors::ParquetError,
    },
    /// A trace has more or fewer values than were announced.
    #[error("`{path}` would have {found} points where {expected} were announced")]
    Incomplete {
        /// Which file; it is not there.
        path: PathBuf,
        /// Points announced.
        expected: u64,
        /// Points that came.
        found: u64,
    },
    /// A line of a journal cannot be understood, or another one belongs there.
    #[error("line {line} of `{path}` {what}")]
    Line {
        /// The journal.
        path: PathBuf,
        /// Which line, from 1.
        line: u64,
        /// What is wrong with it.
        what: String,
    },
    /// A later version of this program has written it.
    #[error("`{path}` has version {found} of its format, and this program knows version {known}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The version that is known.
        known: u32,
    },
    /// No run, or more than one, is meant.
    #[error("{0}")]
    WhichRun(String),
}

impl StoreError {
    fn write(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if is_full(&source) { Self::Full { path } } else { Self::Write { path, source } }
    }

    fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    /// An error of the encoder; one that came from the file below it is told as that.
    fn encode(path: &Path, error: parquet::errors::ParquetError) -> Self {
        use std::error::Error as _;
        let below = error.source().and_then(|source| source.downcast_ref::<io::Error>()).map(io::Error::kind);
        match below {
            Some(kind) => Self::write(path, kind.into()),
            None => Self::Encoding { path: path.to_owned(), source: error },
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::new(FaultKind::Store, crate::error::chain(&error))
    }
}

/// The folder of one run, and this process's claim on it.
#[derive(Debug)]
pub struct RunFolder {
    id: String,
    path: PathBuf,
    /// Lines that its journal has already; `None` for a new run.
    lines: Option<u64>,
    /// The claim ends with the process, however that ends.
    _lock: File,
}

impl RunFolder {
    /// Makes `<out>/<UTC time>_<name>_<id>/`.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn create(out: &Path, name: &str, id: &str, started: DateTime<Utc>) -> Result<Self, StoreError> {
        let path = out.join(format!("{}_{name}_{id}", started.format("%Y%m%dT%H%M%SZ")));
        let failed = |source| StoreError::write(&path, source);
        fs::create_dir_all(out).map_err(failed)?;
        fs::create_dir(&path).map_err(failed)?;
        for inner in ["traces", "power", "recipe"] {
            fs::create_dir(path.join(inner)).map_err(failed)?;
        }
        publish::sync_folder_of(&path)?;
        let lock = claim(&path)?;
        let folder = Self { id: id.to_owned(), path, lines: None, _lock: lock };
        folder.set_reserve()?;
        Ok(folder)
    }

    /// The run's identifier: six letters and digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps a copy of the recipe or of a file that it includes; gives its path in the run folder and its SHA-256.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn copy_source(&self, name: &Path, text: &str) -> Result<(String, String), StoreError> {
        // Only the plain parts of the path count, so that no name leads out of the folder.
        let plain = name.components().filter_map(|component| match component {
            Component::Normal(part) => Some(part),
            _ => None,
        });
        let relative = Path::new("recipe").join(plain.collect::<PathBuf>());
        let path = self.path.join(&relative);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(|source| StoreError::write(&path, source))?;
        }
        let kept = publish::replace(&path, text.as_bytes())?;
        Ok((relative.to_string_lossy().replace('\\', "/"), kept.sha256))
    }

    /// Opens the journal.
    ///
    /// # Errors
    /// When it cannot be created.
    pub fn journal(&self) -> Result<Journal, StoreError> {
        let path = self.path.join(JOURNAL_FILE);
        match self.lines {
            Some(lines) => Journal::open(&path, lines),
            None => Journal::create(&path),
        }
    }

    /// Replaces the manifest.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<(), StoreError> {
        manifest.write(&self.path)
    }
}

/// Reads the journal of the run in this folder, record by record.
///
/// # Errors
/// When it cannot be opened, or is not within the folder.
pub fn read_run_journal<T: serde::de::DeserializeOwned>(folder: &Path) -> Result<Lines<T>, StoreError> {
    Lines::open(&find(folder, JOURNAL_FILE)?, true)
}

/// The path of a file within a run folder.
fn find(folder: &Path, file: &str) -> Result<PathBuf, StoreError> {
    files::find_within(folder, file).map_err(|source| StoreError::read(&folder.join(file), source))
}

/// Replaces the report of the run in this folder; gives the page's path. The page comes last, so that whoever sees a new
/// page finds the summary that belongs to it.
///
/// # Errors
/// When it cannot be written.
pub fn write_report(folder: &Path, page: &str, summary: &[u8]) -> Result<PathBuf, StoreError> {
    publish::write_whole(&folder.join(SUMMARY_FILE), summary)?;
    let path = folder.join(REPORT_FILE);
    publish::write_whole(&path, page.as_bytes())?;
    Ok(path)
}

/// Marks the folder as this process's. The mark is a lock of the operating system's: it goes with the process.
fn claim(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK_FILE);
    // Emptied only once it is ours: until then it says whose it is.
    let open = files::open_own(&path, File::options().write(true).create(true).truncate(false));
    let mut lock = open.map_err(|source| StoreError::write(&path, source))?;
    lock.try_lock().map_err(|error| StoreError::write(&path, error.into()))?;
    lock.set_len(0).map_err(|source| StoreError::write(&path, source))?;
    let owner = format!("{} {}\n", gethostname::gethostname().to_string_lossy(), std::process::id());
    lock.write_all(owner.as_bytes()).map_err(|source| StoreError::write(&path, source))?;
    Ok(lock)
}

/// Whether the process that owns a folder is alive.
fn is_claimed(folder: &Path) -> bool {
    let lock = files::open_own(&folder.join(LOCK_FILE), File::options().read(true));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(fs::TryLockError::WouldBlock)))
}

/// A new identifier for a run: six letters and digits.
#[must_use]
pub fn new_run_id() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut random = rand::rng();
    (0..6).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])).collect()
}
