//! What the guard of a run leaves in its folder: the fence, before it acts, and a line about what it did. The journal
//! stays the runner's own, which may be dead or may only seem so.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::lines::Lines;
use super::{StoreError, find, publish};
use crate::files;

/// There as soon as the guard acts: a runner that wakes up late must not go on measuring in the dark.
pub(super) const FENCE_FILE: &str = "fenced";
/// A line for each time that a guard acted.
const RECORD_FILE: &str = "guard.jsonl";

/// Records of guards that are read: a run that was taken up a thousand times has this many.
const MOST_RECORDS: usize = 1000;
/// The fence holds the number of a process.
const LARGEST_FENCE: u64 = 64;

/// Why a guard acted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WatchdogCause {
    /// The runner's process ended without a goodbye.
    Gone,
    /// The runner's process was there and gave no sign of life for too long.
    Silent,
}

/// What a guard did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WatchdogRecord {
    /// When it had done it.
    pub time: DateTime<Utc>,
    /// Why it acted.
    pub cause: WatchdogCause,
    /// The runner's process.
    pub runner: u32,
    /// Whether the guard had to end that process.
    pub killed: bool,
    /// Whether the instrument was seen idle after an abort.
    pub aborted: bool,
    /// Off, as the instrument confirmed.
    pub off: Vec<u8>,
    /// Could not be confirmed off.
    pub unknown: Vec<u8>,
    /// How long it took from the moment it acted, s.
    pub took_s: f64,
    /// What kept it from confirming more.
    pub trouble: Option<String>,
}

impl WatchdogRecord {
    /// The record for people, in one line.
    #[must_use]
    pub fn summary(&self) -> String {
        let cause = match self.cause {
            WatchdogCause::Gone => "the run's process was gone",
            WatchdogCause::Silent => "the run's process did not answer and was ended",
        };
        let list = |lasers: &[u8]| lasers.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
        let mut text = format!("{}: {cause}", self.time.format("%Y-%m-%d %H:%M:%SZ"));
        if !self.off.is_empty() {
            text.push_str(&format!("; lasers off: {}", list(&self.off)));
        }
        if !self.unknown.is_empty() {
            text.push_str(&format!("; NOT confirmed off: {}", list(&self.unknown)));
        }
        if let Some(trouble) = &self.trouble {
            text.push_str(&format!(" ({trouble})"));
        }
        text
    }

    /// Adds it to the run's folder.
    ///
    /// # Errors
    /// When it cannot be written.
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

/// What guards did for the run in this folder; usually nothing.
#[must_use]
pub fn watchdog_records(folder: &Path) -> Vec<WatchdogRecord> {
    let lines = find(folder, RECORD_FILE).and_then(|path| Lines::open(&path, false));
    lines.into_iter().flatten().filter_map(Result::ok).take(MOST_RECORDS).collect()
}

/// Puts up the fence against a runner: it names its process, so that one that takes the run up is not held back.
///
/// # Errors
/// When it cannot be written.
pub fn put_up_fence(folder: &Path, runner: u32) -> Result<(), StoreError> {
    let path = folder.join(FENCE_FILE);
    publish::write_whole(&path, format!("{runner}\n").as_bytes()).or_else(|_| {
        // A full disk has room for a name at least.
        let put_up = files::open_own(&path, File::options().create(true).write(true).truncate(true));
        let put_up = put_up.and_then(|file| file.sync_all());
        put_up.map_err(|source| StoreError::write(&path, source))?;
        publish::sync_folder_of(&path)
    })
}

/// Whether the fence is up against this runner. One that does not say against whom is up against everybody.
///
/// # Errors
/// When that cannot be known now, for example because the process has no file handle left: look again later.
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

/// Takes down a fence that was put up against an earlier process.
///
/// # Errors
/// When it is there and cannot be removed.
pub fn take_down_fence(folder: &Path) -> Result<(), StoreError> {
    let path = folder.join(FENCE_FILE);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => Err(StoreError::write(&path, source)),
        _ => Ok(()),
    }
}
