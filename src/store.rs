//! The files of a run: a folder with a manifest, a journal and Parquet files. This is the only module that uses Arrow
//! and Parquet. Its functions block, so an async task calls them from a blocking thread.

mod archive;
mod cleanup;
mod columns;
mod delete;
mod disk_space;
mod envelope;
pub mod formats;
mod index;
mod journal;
mod kept;
mod lines;
mod manifest;
mod power;
mod provenance;
mod publish;
mod read;
mod results;
mod run_index;
pub mod runs;
mod spectrum;
mod spool;
mod stored;
mod table;
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

pub use crate::files::hex_sha256;
pub use archive::{RunFile, run_files, write_archive};
pub use cleanup::{Fate, Leftover, finished_files, leftovers};
pub use delete::delete_leftovers;
pub use disk_space::{free_bytes, space_for_step, space_for_trace};
pub use envelope::{Envelope, envelope};
pub use index::{TraceIndexes, count_traces};
pub use journal::{Durability, Journal, JournalSync};
pub use kept::KeptOfRuns;
pub use lines::{Lines, skip_damaged};
pub use manifest::{
    FleetRecord, HostRecord, InstrumentRecord, Manifest, NamedRecord, RecipeRecord, ResultsRecord, RunState,
    VerdictSummary,
};
pub use power::{PowerLog, PowerRow, PowerSegment, RECORDER, not_stored, read_power};
pub use provenance::{PARQUET_MAGIC, Provenance, open_trace_file, provenance};
pub use publish::{file_sha256, write_pieces, write_whole};
pub use read::{TraceFile, locate_trace, open_trace};
pub use results::{RESULTS_FILE, ResultRow, ResultsWriter};
pub use run_index::{IndexRow, IndexWriter, IndexedRun, IndexedTrace};
pub use runs::FoundRun;
pub use spectrum::{
    Levels, Spectrum, TraceColumns, is_unit, names_wavelengths, read_spectrum, trace_columns, unit_in_name,
};
pub use spool::Spool;
pub use trace::{TraceHeader, TraceWriter};
pub use verify::{Finding, Verified, segment_damage, source_damage, trace_damage, verify};
pub use watchdog::{
    WatchdogCause, WatchdogRecord, is_fenced, put_up_fence, take_down_fence, watchdog_records,
};

use crate::files;
use crate::step::{Fault, FaultKind};

/// Locked as long as the process of the run lives.
const LOCK_FILE: &str = "lock";
/// Name of the journal in the run folder.
pub const JOURNAL_FILE: &str = "journal.jsonl";

/// Name of the manifest in the run folder.
pub const MANIFEST_FILE: &str = manifest::FILE;
/// Name of the report page in the run folder.
pub const REPORT_FILE: &str = "report.html";
/// Name of the report as JSON in the run folder.
pub const SUMMARY_FILE: &str = "summary.json";
/// Name of the file that says where a run was uploaded to. Only this copy of the run has it.
pub const RECEIPT_FILE: &str = "stored.json";

/// Why a file could not be written or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full.
    #[error("no disk space left for `{path}`")]
    Full {
        /// The file that was being written.
        path: PathBuf,
    },
    /// A file or folder cannot be written.
    #[error("cannot write `{path}`")]
    Write {
        /// The file that was being written.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A file or folder cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file that was being read.
        path: PathBuf,
        /// The reason.
        source: io::Error,
    },
    /// A Parquet file cannot be encoded or decoded.
    #[error("`{path}` is damaged or cannot be encoded")]
    Encoding {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: parquet::errors::ParquetError,
    },
    /// A trace has more or fewer values than expected.
    #[error("`{path}` would have {found} points, but {expected} were announced")]
    Incomplete {
        /// The file, which was not created.
        path: PathBuf,
        /// Number of points expected.
        expected: u64,
        /// Number of points received.
        found: u64,
    },
    /// A line of a journal is damaged or out of order.
    #[error("line {line} of `{path}` {what}")]
    Line {
        /// The journal.
        path: PathBuf,
        /// Number of the line, from 1.
        line: u64,
        /// What is wrong with the line.
        what: String,
    },
    /// A later version of this program has written the file.
    #[error("`{path}` has version {found} of its format, but this program supports version {known}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The latest version that this program reads.
        known: u32,
    },
    /// No run or several runs match.
    #[error("{0}")]
    WhichRun(String),
    /// The run that is meant exists, but cannot be read.
    #[error("{0}")]
    UnreadableRun(String),
}

impl StoreError {
    /// Whether the name of a run has not led to a run. On the command line, that is wrong use.
    #[must_use]
    pub fn is_about_a_name(&self) -> bool {
        matches!(self, Self::WhichRun(_) | Self::UnreadableRun(_))
    }

    fn write(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        if is_full(&source) { Self::Full { path } } else { Self::Write { path, source } }
    }

    fn read(path: &Path, source: io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }

    /// Converts an error of the encoder. An error of the file below the encoder is reported as such.
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

/// The folder of one run, locked by this process.
#[derive(Debug)]
pub struct RunFolder {
    id: String,
    path: PathBuf,
    /// Number of lines in the journal; `None` for a new run.
    lines: Option<u64>,
    /// The system releases this lock when the process ends, for any reason.
    _lock: File,
}

impl RunFolder {
    /// Creates `<out>/<UTC time>_<name>_<id>/`.
    ///
    /// # Errors
    /// If the folder cannot be created.
    pub fn create(out: &Path, name: &str, id: &str, started: DateTime<Utc>) -> Result<Self, StoreError> {
        let path = out.join(format!("{}_{name}_{id}", started.format(runs::FOLDER_TIME)));
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

    /// The identifier of the run: six letters and digits.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The path of the folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a copy of the recipe, or of a file that it includes. Returns its path in the run folder and its
    /// SHA-256.
    ///
    /// # Errors
    /// If the copy cannot be written.
    pub fn copy_source(&self, name: &Path, text: &str) -> Result<(String, String), StoreError> {
        // Only the plain components of the path are used, so that no name leads out of the folder.
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
    /// If the journal cannot be opened or created.
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
    /// If the manifest cannot be written.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<(), StoreError> {
        manifest.write(&self.path)
    }
}

/// Reads the journal of the run in this folder, record by record.
///
/// # Errors
/// If the journal cannot be opened, or is not within the folder.
pub fn read_run_journal<T: serde::de::DeserializeOwned>(folder: &Path) -> Result<Lines<T>, StoreError> {
    Lines::open(&find(folder, JOURNAL_FILE)?, true)
}

/// The path of a file within a run folder.
fn find(folder: &Path, file: &str) -> Result<PathBuf, StoreError> {
    files::find_within(folder, file).map_err(|source| StoreError::read(&folder.join(file), source))
}

/// Replaces the report of the run in this folder, and returns the path of the page. The page is written last. If a
/// reader sees a new page, the matching summary is already there.
///
/// # Errors
/// If a file cannot be written.
pub fn write_report(folder: &Path, page: &str, summary: &[u8]) -> Result<PathBuf, StoreError> {
    publish::write_whole(&folder.join(SUMMARY_FILE), summary)?;
    let path = folder.join(REPORT_FILE);
    publish::write_whole(&path, page.as_bytes())?;
    Ok(path)
}

/// Locks the folder for this process, with a lock of the operating system. The lock ends with the process.
fn claim(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join(LOCK_FILE);
    // The file is emptied only with the lock held. Before that, it names the present owner.
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
