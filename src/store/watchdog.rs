//! The files that the watchdog of a run writes: a fence before it acts, and a record of its actions. Only the run
//! itself writes the journal, because a run that seems dead may still be alive.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::lines::Lines;
use super::{StoreError, find, publish};
use crate::files;

/// Created before the watchdog acts. A run that wakes up late must not continue to measure with its lasers off.
pub(super) const FENCE_FILE: &str = "fenced";
/// One line for each time that a watchdog acted.
const RECORD_FILE: &str = "guard.jsonl";

/// Highest number of records that are read. Only a run that was resumed a thousand times has so many.
const MOST_RECORDS: usize = 1000;
/// Largest fence file, bytes. The fence contains a process identifier.
const LARGEST_FENCE: u64 = 64;

/// Why the watchdog acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WatchdogCause {
    /// The process of the run ended without telling the watchdog.
    Gone,
    /// The process of the run sent no heartbeat for too long.
    Silent,
}

/// The actions of a watchdog.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchdogRecord {
    /// When the watchdog had finished.
    pub time: DateTime<Utc>,
    /// Why the watchdog acted.
    pub cause: WatchdogCause,
    /// The process of the run.
    pub runner: u32,
    /// Whether the watchdog had to kill that process.
    pub killed: bool,
    /// Whether the instrument was idle after an abort.
    pub aborted: bool,
    /// Lasers confirmed off.
    pub off: Vec<u8>,
    /// Lasers that could not be confirmed off.
    pub unknown: Vec<u8>,
    /// Named instruments confirmed safe.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instruments_safe: Vec<String>,
    /// Named instruments that could not be confirmed safe.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instruments_unknown: Vec<String>,
    /// Duration of the actions, s.
    pub took_s: f64,
    /// Why not everything could be confirmed.
    pub trouble: Option<String>,
}

impl WatchdogRecord {
    /// The record as one line of text.
    #[must_use]
    pub fn summary(&self) -> String {
        let cause = match self.cause {
            WatchdogCause::Gone => "the process of the run had ended",
            WatchdogCause::Silent => "the process of the run did not respond and was killed",
        };
        let list = |lasers: &[u8]| lasers.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
        let mut text = format!("{}: {cause}", self.time.format("%Y-%m-%d %H:%M:%SZ"));
        if !self.off.is_empty() {
            text.push_str(&format!("; lasers off: {}", list(&self.off)));
        }
        if !self.unknown.is_empty() {
            text.push_str(&format!("; NOT confirmed off: {}", list(&self.unknown)));
        }
        if !self.instruments_safe.is_empty() {
            text.push_str(&format!("; safe: {}", self.instruments_safe.join(", ")));
        }
        if !self.instruments_unknown.is_empty() {
            text.push_str(&format!("; NOT confirmed safe: {}", self.instruments_unknown.join(", ")));
        }
        if let Some(trouble) = &self.trouble {
            text.push_str(&format!(" ({trouble})"));
        }
        text
    }

    /// Appends the record to the file in the run folder.
    ///
    /// # Errors
    /// If the record cannot be written.
    pub fn append(&self, folder: &Path) -> Result<(), StoreError> {
        let path = folder.join(RECORD_FILE);
        let failed = |source| StoreError::write(&path, source);
        let mut line = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
        line.push(b'\n');
        let mut file = files::open_own(&path, File::options().create(true).append(true)).map_err(failed)?;
        file.write_all(&line).and_then(|()| file.sync_all()).map_err(failed)?;
        publish::sync_folder_of(&path)
    }
}

/// The records of all watchdogs in this run folder; usually none.
#[must_use]
pub fn watchdog_records(folder: &Path) -> Vec<WatchdogRecord> {
    let lines = find(folder, RECORD_FILE).and_then(|path| Lines::open(&path, false));
    lines.into_iter().flatten().filter_map(Result::ok).take(MOST_RECORDS).collect()
}

/// Sets the fence against a process. The fence names this process, so that a process that resumes the run is not
/// affected.
///
/// # Errors
/// If the fence cannot be written.
pub fn put_up_fence(folder: &Path, runner: u32) -> Result<(), StoreError> {
    let path = folder.join(FENCE_FILE);
    publish::write_whole(&path, format!("{runner}\n").as_bytes()).or_else(|_| {
        // A full disk has space for at least an empty file.
        let put_up = files::open_own(&path, File::options().create(true).write(true).truncate(true));
        let put_up = put_up.and_then(|file| file.sync_all());
        put_up.map_err(|source| StoreError::write(&path, source))?;
        publish::sync_folder_of(&path)
    })
}

/// Whether the fence is set against this process. A fence without a valid process identifier affects every process.
///
/// # Errors
/// If this cannot be determined now, for example because no file handle is free. The caller should try again later.
pub fn is_fenced(folder: &Path, runner: u32) -> std::io::Result<bool> {
    match files::read(&folder.join(FENCE_FILE), LARGEST_FENCE) {
        Ok(text) => {
            let against = String::from_utf8_lossy(&text).trim().parse();
            Ok(against.map_or(true, |fenced: u32| fenced == runner))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes a fence that was set against an earlier process.
///
/// # Errors
/// If the fence exists and cannot be removed.
pub fn take_down_fence(folder: &Path) -> Result<(), StoreError> {
    let path = folder.join(FENCE_FILE);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(StoreError::write(&path, source)),
        _ => Ok(()),
    }
}
