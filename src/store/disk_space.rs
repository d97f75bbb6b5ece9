//! Room on the disk: how much there is, and a reserve that lets a run end in its journal when there is none.

use std::fs;
use std::path::Path;

use rand::RngExt;

use super::{RunFolder, StoreError, publish};

/// Removed when the disk is full, and at the end of the run.
pub(super) const RESERVE_FILE: &str = ".reserve";
/// Thousands of lines of a journal, or a manifest many times over.
const RESERVE_BYTES: usize = 512 * 1024;

/// With less room than this no step begins: its lines in the journal, recorded power, and what others write meanwhile.
const LOW_WATER: u64 = 1024 * 1024;
/// What a point of a trace may take: its value as it is. The grid packs to next to nothing.
const BYTES_PER_POINT: u64 = 5;
/// What a file takes besides.
const BYTES_PER_FILE: u64 = 64 * 1024;

/// The room that a step needs to begin, bytes.
#[must_use]
pub fn space_for_step() -> u64 {
    LOW_WATER
}

/// The room that a trace needs, bytes: more than it will take.
#[must_use]
pub fn space_for_trace(points: u64) -> u64 {
    points.saturating_mul(BYTES_PER_POINT).saturating_add(LOW_WATER + BYTES_PER_FILE)
}

impl RunFolder {
    /// Room on its disk, bytes; `None` where that cannot be told.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        free_bytes(self.path())
    }

    /// Sets room aside again after the disk was full.
    ///
    /// # Errors
    /// When there is none.
    pub fn set_reserve(&self) -> Result<(), StoreError> {
        let path = self.path().join(RESERVE_FILE);
        if crate::files::is_taken(&path) {
            return Ok(());
        }
        // Not zeros, which some file systems keep in no room at all.
        let mut bytes = vec![0_u8; RESERVE_BYTES];
        rand::rng().fill(&mut bytes[..]);
        publish::write_whole(&path, &bytes)
    }

    /// Gives the reserve free: what is written from now on is the end of the run.
    pub fn release_reserve(&self) {
        release_reserve(self.path());
    }
}

/// Says whether there was a reserve to give free.
pub(super) fn release_reserve(folder: &Path) -> bool {
    fs::remove_file(folder.join(RESERVE_FILE)).is_ok()
}

#[cfg(unix)]
fn free_bytes(folder: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(folder).ok()?;
    disk.f_bavail.checked_mul(disk.f_frsize)
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}
