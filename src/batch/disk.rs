//! Room on the disk.

use std::path::Path;

/// What is to stay free: journals, power files and other programs want room too.
const RESERVE: u64 = 64 << 20;

/// Bytes that are free where a folder is, or will be; `None` where that cannot be known.
#[must_use]
pub fn free_bytes(folder: &Path) -> Option<u64> {
    let folder = std::path::absolute(folder).ok()?;
    let there = folder.ancestors().find(|folder| folder.exists())?;
    fs4::available_space(there).ok()
}

/// What a batch of so many bytes needs: a twentieth more than its traces, and a reserve.
#[must_use]
pub fn reserve(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / 20).saturating_add(RESERVE)
}
