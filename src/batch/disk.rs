//! Disk space of a batch.

/// Disk space that must stay free for journals, power files and other programs.
const RESERVE: u64 = 64 << 20;

/// Space that a batch of so many bytes needs: a twentieth more than its traces, and a reserve.
#[must_use]
pub fn reserve(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / 20).saturating_add(RESERVE)
}
