//! Writes files so that they appear under their final name only when complete. A file is written under a hidden name
//! that does not match `*.parquet`. Then the file is synced and renamed, and its folder is synced. Every write of the
//! store uses this module.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::StoreError;
use crate::files::{self, hex};

/// A file that does not have its final name yet. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct PartFile {
    part: PathBuf,
    target: PathBuf,
    file: File,
    digest: Sha256,
    bytes: u64,
    published: bool,
}

/// A file that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl PartFile {
    pub(super) fn create(target: &Path) -> Result<Self, StoreError> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let part = target.with_file_name(format!(".{name}.part"));
        // A file left by an earlier process is removed instead of overwritten. It may be a link to another file.
        let create = || File::create_new(&part);
        let file = match create() {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                fs::remove_file(&part).and_then(|()| create())
            }
            created => created,
        };
        let file = file.map_err(|source| StoreError::write(&part, source))?;
        let target = target.to_owned();
        Ok(Self { part, target, file, digest: Sha256::new(), bytes: 0, published: false })
    }

    pub(super) fn target(&self) -> &Path {
        &self.target
    }

    /// Gives the file its final name. An existing file is not overwritten.
    pub(super) fn publish(&mut self) -> Result<Published, StoreError> {
        let taken = io::Error::new(io::ErrorKind::AlreadyExists, "the name is already used");
        if files::is_taken(&self.target) {
            Err(StoreError::write(&self.target, taken))
        } else {
            self.replace()
        }
    }

    /// Gives the file its final name and replaces an existing file.
    pub(super) fn replace(&mut self) -> Result<Published, StoreError> {
        self.file.sync_all().map_err(|source| StoreError::write(&self.part, source))?;
        fs::rename(&self.part, &self.target).map_err(|source| StoreError::write(&self.target, source))?;
        self.published = true;
        sync_folder_of(&self.target)?;
        Ok(Published { bytes: self.bytes, sha256: hex(&self.digest.finalize_reset()) })
    }
}

impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.digest.update(&bytes[..written]);
        self.bytes += written as u64;
        Ok(written)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for PartFile {
    fn drop(&mut self) {
        if !self.published {
            // If the file cannot be removed, it stays hidden, and `runs verify` lists it.
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// Syncs the folder of a file, because only then a rename is durable. Systems that cannot open folders do this
/// themselves.
pub(super) fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    if cfg!(windows) {
        return Ok(());
    }
    // A name alone is in the current folder.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| StoreError::write(folder, source))
}

/// Replaces a small file with new content, completely or not at all.
///
/// # Errors
/// If the file cannot be written.
pub fn write_whole(target: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    replace(target, bytes).map(drop)
}

/// Writes a file of any size, piece by piece. The file gets its name when it is whole.
///
/// # Errors
/// If the file exists and is not to be replaced, or cannot be written.
pub fn write_pieces(
    target: &Path,
    may_replace: bool,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), StoreError> {
    let mut part = PartFile::create(target)?;
    fill(&mut part).map_err(|source| StoreError::write(target, source))?;
    if may_replace { part.replace() } else { part.publish() }.map(drop)
}

/// Like [`write_whole`], but returns size and SHA-256.
pub(super) fn replace(target: &Path, bytes: &[u8]) -> Result<Published, StoreError> {
    let mut part = PartFile::create(target)?;
    part.write_all(bytes).map_err(|source| StoreError::write(target, source))?;
    part.replace()
}

/// Size and SHA-256 of an existing file.
pub(super) fn fingerprint(path: &Path) -> Result<Published, StoreError> {
    let mut file = files::open(path).map_err(|source| StoreError::read(path, source))?;
    let mut digest = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    let mut bytes = 0;
    loop {
        let length =
            io::Read::read(&mut file, &mut piece).map_err(|source| StoreError::read(path, source))?;
        if length == 0 {
            return Ok(Published { bytes, sha256: hex(&digest.finalize()) });
        }
        digest.update(&piece[..length]);
        bytes += length as u64;
    }
}

/// SHA-256 of an existing file, hexadecimal.
///
/// # Errors
/// If the file cannot be read.
pub fn file_sha256(path: &Path) -> Result<String, StoreError> {
    fingerprint(path).map(|found| found.sha256)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_was_not_finished_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("0001.parquet");
        let mut part = PartFile::create(&target).unwrap();
        part.write_all(b"half").unwrap();
        assert!(!target.exists());
        drop(part);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_published_file_is_never_overwritten_and_its_fingerprint_holds() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("0001.parquet");
        let write = || {
            let mut part = PartFile::create(&target).unwrap();
            part.write_all(b"whole").unwrap();
            part.publish()
        };
        let published = write().unwrap();
        assert_eq!(fingerprint(&target).unwrap(), published);
        assert!(write().is_err());
        assert_eq!(fs::read(&target).unwrap(), b"whole");
    }
}
