//! The journal of a run: one JSON object per line, appended and never changed.
//!
//! `append` passes the line to the system before it returns, so that a killed process loses nothing. A line is on the disk
//! within a second, or after the next [`JournalSync::sync`].

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use super::lines::Lines;
use super::{StoreError, is_full};
use crate::files;

/// When a line must be on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Before the run continues: the caller syncs the journal.
    Now,
    /// Within a second, together with other lines.
    Soon,
}

/// The interval at which waiting lines are written to the disk.
const GROUP_INTERVAL: Duration = Duration::from_millis(500);

/// The journal, open for appending.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Arc<File>,
    lines: u64,
    bytes: u64,
    /// The lines that are being written.
    text: Vec<u8>,
    dirty: Arc<AtomicBool>,
    /// Why the background thread could not write lines to the disk.
    unsynced: Arc<Mutex<Option<String>>>,
    /// Dropping this ends the background thread.
    _alive: mpsc::Sender<()>,
}

/// Writes the lines of a journal to the disk.
#[derive(Debug)]
pub struct JournalSync {
    path: PathBuf,
    file: Arc<File>,
    dirty: Arc<AtomicBool>,
}

impl JournalSync {
    /// Blocks until every line that was appended before is on the disk.
    ///
    /// # Errors
    /// If the disk does not accept the lines.
    pub fn sync(&self) -> Result<(), StoreError> {
        self.dirty.store(false, Ordering::Release);
        self.file.sync_data().map_err(|source| StoreError::write(&self.path, source))
    }
}

impl Journal {
    pub(super) fn create(path: &Path) -> Result<Self, StoreError> {
        let open = OpenOptions::new().append(true).create_new(true).open(path);
        let file = open.map_err(|source| StoreError::write(path, source))?;
        super::publish::sync_folder_of(path)?;
        Ok(Self::with_file(path, file, 0, 0))
    }

    /// Opens a journal that already has `lines` complete lines: see [`repair_journal`].
    pub(super) fn open(path: &Path, lines: u64) -> Result<Self, StoreError> {
        let failed = |source| StoreError::write(path, source);
        let file = files::open_own(path, OpenOptions::new().append(true)).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        Ok(Self::with_file(path, file, lines, bytes))
    }

    fn with_file(path: &Path, file: File, lines: u64, bytes: u64) -> Self {
        let file = Arc::new(file);
        let dirty = Arc::new(AtomicBool::new(false));
        let unsynced = Arc::new(Mutex::new(None));
        let (alive, gone) = mpsc::channel();
        std::thread::spawn({
            let (file, dirty, unsynced) = (Arc::clone(&file), Arc::clone(&dirty), Arc::clone(&unsynced));
            move || sync_groups(&file, &dirty, &unsynced, &gone)
        });
        Self { path: path.to_owned(), file, lines, bytes, text: Vec::new(), dirty, unsynced, _alive: alive }
    }

    /// Why the journal may be incomplete when it is read: its file was removed or replaced, or the disk did not
    /// accept lines.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let name = self.path.display();
        let lost = match is_still_there(&self.file, &self.path) {
            Ok(true) => None,
            Ok(false) => Some(format!(
                "`{name}` has been replaced by another file: the further records of this run are lost"
            )),
            Err(error) => Some(format!(
                "`{name}` does not exist any more: the further records of this run are lost ({error})"
            )),
        };
        let unsynced = locked(&self.unsynced).clone();
        let unsynced = unsynced.map(|error| {
            format!(
                "`{name}` could not be written to the disk ({error}): lines may be missing after a power failure"
            )
        });
        lost.into_iter().chain(unsynced).collect()
    }

    /// The number of the last line.
    #[must_use]
    pub fn lines(&self) -> u64 {
        self.lines
    }

    /// Appends lines, each a JSON object with its number.
    ///
    /// # Errors
    /// If the lines cannot be written. Then none of them is in the journal.
    pub fn append<'a>(
        &mut self,
        lines: impl IntoIterator<Item = &'a str>,
        durability: Durability,
    ) -> Result<(), StoreError> {
        self.text.clear();
        let before = self.lines;
        for line in lines {
            self.text.extend_from_slice(line.as_bytes());
            self.text.push(b'\n');
            self.lines += 1;
        }
        if self.text.is_empty() {
            return Ok(());
        }
        // A single call for all lines, so that only a power cut can tear a line.
        let mut written = self.write();
        // The reserve lets the run record its end even if the disk is full.
        if matches!(&written, Err(error) if is_full(error)) && self.release_reserve() {
            written = self.write();
        }
        if let Err(source) = written {
            self.lines = before;
            return Err(StoreError::write(&self.path, source));
        }
        self.bytes += self.text.len() as u64;
        if durability == Durability::Soon {
            self.dirty.store(true, Ordering::Release);
        }
        Ok(())
    }

    /// A handle that writes the lines to the disk without locking the journal, so that others can append meanwhile.
    #[must_use]
    pub fn sync(&self) -> JournalSync {
        JournalSync { path: self.path.clone(), file: Arc::clone(&self.file), dirty: Arc::clone(&self.dirty) }
    }

    fn write(&self) -> io::Result<()> {
        let written = (&*self.file).write_all(&self.text);
        if written.is_err() {
            // Removes the part of the lines that a full disk accepted, so that the next line does not continue it.
            let _ = self.file.set_len(self.bytes);
        }
        written
    }

    fn release_reserve(&self) -> bool {
        self.path.parent().is_some_and(super::disk_space::release_reserve)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // Writes the last group to the disk. An error can no longer be reported.
        let _ = self.file.sync_data();
    }
}

fn sync_groups(file: &File, dirty: &AtomicBool, unsynced: &Mutex<Option<String>>, gone: &mpsc::Receiver<()>) {
    while gone.recv_timeout(GROUP_INTERVAL) == Err(mpsc::RecvTimeoutError::Timeout) {
        if dirty.swap(false, Ordering::AcqRel)
            && let Err(error) = file.sync_data()
        {
            tracing::error!(%error, "the journal cannot be written to the disk");
            locked(unsynced).get_or_insert(error.to_string());
        }
    }
}

fn locked(text: &Mutex<Option<String>>) -> MutexGuard<'_, Option<String>> {
    text.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the open file is still the file with this name.
#[cfg(unix)]
fn is_still_there(file: &File, path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    let (open, named) = (file.metadata()?, std::fs::symlink_metadata(path)?);
    Ok((open.dev(), open.ino()) == (named.dev(), named.ino()))
}

#[cfg(not(unix))]
fn is_still_there(_: &File, path: &Path) -> io::Result<bool> {
    std::fs::symlink_metadata(path).map(|_| true)
}

/// Cuts a torn last line off a journal. Returns the number of the last record, and the number of bytes cut off.
///
/// # Errors
/// If any other line is damaged or out of order. In that case nothing is changed.
pub(super) fn repair_journal(path: &Path) -> Result<(u64, u64), StoreError> {
    let mut lines = Lines::<serde::de::IgnoredAny>::open(path, true)?;
    if let Some(wrong) = lines.find_map(Result::err) {
        return Err(wrong);
    }
    let torn = lines.torn_bytes();
    if torn > 0 {
        let file = files::open_own(path, OpenOptions::new().write(true));
        let cut = file.and_then(|file| file.set_len(lines.whole_bytes()).and_then(|()| file.sync_all()));
        cut.map_err(|source| StoreError::write(path, source))?;
    }
    Ok((lines.last_number(), torn))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read_journal<T: serde::de::DeserializeOwned>(path: &Path) -> Lines<T> {
        Lines::open(path, true).unwrap()
    }

    #[test]
    fn lines_are_numbered_and_a_torn_last_one_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut journal = Journal::create(&path).unwrap();
        journal.append(["{\"n\":1,\"event\":\"a\"}", "{\"n\":2,\"event\":\"b\"}"], Durability::Soon).unwrap();
        journal.append([], Durability::Now).unwrap();
        assert_eq!(journal.lines(), 2);
        drop(journal);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"n\":3,\"eve").unwrap();
        let lines: Vec<Value> = read_journal(&path).map(Result::unwrap).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[1]["n"], &lines[1]["event"]), (&json!(2), &json!("b")));
    }

    #[test]
    fn a_torn_end_is_cut_off_and_the_numbers_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        for torn in ["", "{\"n\":3,\"eve", "{\"n\":3,\"event\":\"c\"}", "\0\0\0\0\n"] {
            std::fs::write(&path, format!("{{\"n\":1}}\n{{\"n\":2}}\n{torn}")).unwrap();
            assert_eq!(repair_journal(&path).unwrap(), (2, torn.len() as u64), "{torn:?}");
            let mut journal = Journal::open(&path, 2).unwrap();
            journal.append(["{\"n\":3}"], Durability::Now).unwrap();
            assert_eq!(read_journal::<Value>(&path).count(), 3);
        }
        for wrong in
            ["{\"n\":1}\nnonsense\n{\"n\":3}\n{\"n\"", "{\"n\":2}\n{\"n\"", "{\"n\":1}\n{\"n\":1}\n{\"n\""]
        {
            std::fs::write(&path, wrong).unwrap();
            assert!(repair_journal(&path).unwrap_err().to_string().starts_with("line "), "{wrong}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), wrong);
        }
    }
}
