//! Disk space for downloads.

use std::path::Path;

use super::RemoteError;
use crate::store::free_bytes;

/// Disk space that a download leaves free.
const LEFT_FREE: u64 = 64 << 20;

/// Refuses a download for which the disk has too little space.
pub(super) fn check(into: &Path, needed: u64) -> Result<(), RemoteError> {
    enough(into, needed, free_bytes(into))
}

/// If the free space is unknown, the download is tried.
fn enough(into: &Path, needed: u64, free: Option<u64>) -> Result<(), RemoteError> {
    match free.filter(|free| *free < needed.saturating_add(LEFT_FREE)) {
        Some(free) => Err(RemoteError::Disk(format!(
            "the download needs {} MiB of disk space in `{}`, but {} MiB are free, of which 64 MiB must stay free",
            needed.div_ceil(1 << 20),
            into.display(),
            free >> 20
        ))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_download_leaves_space_on_the_disk() {
        let check = |needed: u64, free: Option<u64>| {
            enough(Path::new("/tmp"), needed << 20, free.map(|free| free << 20))
        };
        assert!(check(100, Some(164)).is_ok());
        assert!(check(100, None).is_ok());
        let refused = check(100, Some(163)).unwrap_err().to_string();
        assert!(refused.contains("needs 100 MiB") && refused.contains("163 MiB are free"), "{refused}");
    }
}
