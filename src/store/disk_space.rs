//! Disk space: how much is free, and a reserve with which a run can write its end when the disk is full.

use std::fs;
use std::path::Path;

use rand::RngExt;

use super::{RunFolder, StoreError, publish};

/// Removed when the disk is full, and at the end of the run.
pub(super) const RESERVE_FILE: &str = ".reserve";
/// Enough for thousands of lines of a journal, or for a large manifest.
const RESERVE_BYTES: usize = 512 * 1024;

/// A step needs at least this much free space: for its journal lines, for recorded power, and for files of other
/// programs.
const LOW_WATER: u64 = 1024 * 1024;
/// Largest size of one point of a trace: its uncompressed value. The wavelength grid compresses to almost nothing.
const BYTES_PER_POINT: u64 = 5;
/// Size of a trace file in addition to its points.
const BYTES_PER_FILE: u64 = 64 * 1024;

/// Free space that a step needs to begin, bytes.
#[must_use]
pub fn space_for_step() -> u64 {
    LOW_WATER
}

/// Free space that a trace needs, bytes. This is more than the trace will take.
#[must_use]
pub fn space_for_trace(points: u64) -> u64 {
    points.saturating_mul(BYTES_PER_POINT).saturating_add(LOW_WATER + BYTES_PER_FILE)
}

impl RunFolder {
    /// Free space on the disk, bytes; `None` if unknown.
    #[must_use]
    pub fn free_bytes(&self) -> Option<u64> {
        free_bytes(self.path())
    }

    /// Creates the reserve again after the disk was full.
    ///
    /// # Errors
    /// If there is not enough space.
    pub fn set_reserve(&self) -> Result<(), StoreError> {
        let path = self.path().join(RESERVE_FILE);
        if crate::files::is_taken(&path) {
            return Ok(());
        }
        // Random bytes, because some file systems store zeros without using space.
        let mut bytes = vec![0_u8; RESERVE_BYTES];
        rand::rng().fill(&mut bytes[..]);
        publish::write_whole(&path, &bytes)
    }

    /// Removes the reserve, so that the run can write its last records.
    pub fn release_reserve(&self) {
        release_reserve(self.path());
    }
}

/// Removes the reserve; returns whether there was one.
pub(super) fn release_reserve(folder: &Path) -> bool {
    fs::remove_file(folder.join(RESERVE_FILE)).is_ok()
}

/// Free space on the disk where a folder is, or will be, in bytes; `None` if unknown.
#[must_use]
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let folder = std::path::absolute(folder).ok()?;
    let there = folder.ancestors().find(|folder| folder.exists())?;
    fs4::available_space(there).ok()
}
