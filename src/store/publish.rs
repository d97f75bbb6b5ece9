//! Files appear under their final name only when they are whole: written under a hidden name that no `*.parquet`
//! matches, synced, then renamed, and the folder synced after them. Every write of the store goes through here.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::StoreError;
use crate::files;

/// A file on its way to its final name. Dropped before that, it leaves nothing behind.
#[derive(Debug)]
pub(super) struct PartFile {
    part: PathBuf,
    target: PathBuf,
    file: File,
    digest: Sha256,
    bytes: u64,
    published: bool,
}

/// What was published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Published {
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

impl PartFile {
    pub(super) fn create(target: &Path) -> Result<Self, StoreError> {
        let name = target.file_name().unwrap_or_default().to_string_lossy();
        let part = target.with_file_name(format!(".{name}.part"));
        // What an earlier process left there is not written over in place: it may be a link to anybody's file.
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

    /// Gives the file its final name; one that is there already is not overwritten.
    pub(super) fn publish(&mut self) -> Result<Published, StoreError> {
        let taken = io::Error::new(io::ErrorKind::AlreadyExists, "the name is taken");
        if files::is_taken(&self.target) {
            Err(StoreError::write(&self.target, taken))
        } else {
            self.replace()
        }
    }

    /// Gives the file its final name in place of what is there.
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
            // What cannot be removed is hidden, and `runs verify` names it.
            let _ = fs::remove_file(&self.part);
        }
    }
}

/// A rename is durable only when the folder is. Where folders cannot be opened, the system sees to that itself.
pub(super) fn sync_folder_of(path: &Path) -> Result<(), StoreError> {
    if cfg!(windows) {
        return Ok(());
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| StoreError::write(folder, source))
}

/// Writes a small file whole, or not at all, in place of what is there.
///
/// # Errors
/// When it cannot be written.
pub fn write_whole(target: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    replace(target, bytes).map(drop)
}

/// See [`write_whole`]; gives what was written.
pub(super) fn replace(target: &Path, bytes: &[u8]) -> Result<Published, StoreError> {
    let mut part = PartFile::create(target)?;
    part.write_all(bytes).map_err(|source| StoreError::write(target, source))?;
    part.replace()
}

/// Size and SHA-256 of a file that is there.
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

/// SHA-256 of some bytes, hexadecimal.
#[must_use]
pub fn hex_sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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
