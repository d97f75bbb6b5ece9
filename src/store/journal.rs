//! The journal of a run: one JSON object a line, appended and never changed.
//!
//! A line is handed to the system before `append` returns, so that a killed process loses nothing; it is on the
//! disk before `append` returns with [`Durability::Now`], and within a second otherwise.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{StoreError, is_full};

/// When a line has to be on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// Before anything else happens.
    Now,
    /// Within a second, together with its neighbours.
    Soon,
}

/// How long lines may wait for their neighbours.
const GROUP_INTERVAL: Duration = Duration::from_millis(500);

/// The journal, open for appending.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: Arc<File>,
    lines: u64,
    bytes: u64,
    dirty: Arc<AtomicBool>,
    /// The thread that syncs groups ends when this is dropped.
    _alive: mpsc::Sender<()>,
}

#[derive(Serialize)]
struct Line<'a, T> {
    n: u64,
    time: DateTime<Utc>,
    #[serde(flatten)]
    event: &'a T,
}

impl Journal {
    pub(super) fn create(path: &Path) -> Result<Self, StoreError> {
        let open = OpenOptions::new().append(true).create_new(true).open(path);
        let file = open.map_err(|source| StoreError::write(path, source))?;
        super::publish::sync_folder_of(path)?;
        Ok(Self::over(path, file, 0, 0))
    }

    /// Opens one that has `lines` lines already, each of them whole: see [`mend_journal`].
    pub(super) fn go_on(path: &Path, lines: u64) -> Result<Self, StoreError> {
        let failed = |source| StoreError::write(path, source);
        let file = OpenOptions::new().append(true).open(path).map_err(failed)?;
        let bytes = file.metadata().map_err(failed)?.len();
        Ok(Self::over(path, file, lines, bytes))
    }

    fn over(path: &Path, file: File, lines: u64, bytes: u64) -> Self {
        let file = Arc::new(file);
        let dirty = Arc::new(AtomicBool::new(false));
        let (alive, gone) = mpsc::channel();
        std::thread::spawn({
            let (file, dirty) = (Arc::clone(&file), Arc::clone(&dirty));
            move || sync_groups(&file, &dirty, &gone)
        });
        Self { path: path.to_owned(), file, lines, bytes, dirty, _alive: alive }
    }

    /// Adds a line and gives its number, from 1.
    ///
    /// # Errors
    /// When it cannot be written, or cannot be brought to the disk with [`Durability::Now`].
    pub fn append<T: Serialize>(
        &mut self,
        time: DateTime<Utc>,
        event: &T,
        durability: Durability,
    ) -> Result<u64, StoreError> {
        let failed = |source| StoreError::write(&self.path, source);
        let mut line =
            serde_json::to_vec(&Line { n: self.lines + 1, time, event }).map_err(|e| failed(e.into()))?;
        line.push(b'\n');
        // One call for the whole line: a line is torn by a power cut at the most.
        let mut written = self.write(&line);
        // The end of the run has to be told even when the disk is full.
        if matches!(&written, Err(error) if is_full(error)) && self.release_reserve() {
            written = self.write(&line);
        }
        written.map_err(failed)?;
        self.lines += 1;
        self.bytes += line.len() as u64;
        match durability {
            Durability::Now => {
                self.dirty.store(false, Ordering::Release);
                self.file.sync_data().map_err(failed)?;
            }
            Durability::Soon => self.dirty.store(true, Ordering::Release),
        }
        Ok(self.lines)
    }

    fn write(&self, line: &[u8]) -> io::Result<()> {
        let written = (&*self.file).write_all(line);
        if written.is_err() {
            // What a full disk took of it goes again, so that a later line does not continue half a line.
            let _ = self.file.set_len(self.bytes);
        }
        written
    }

    fn release_reserve(&self) -> bool {
        self.path.parent().is_some_and(super::room::release_reserve)
    }
}

impl Drop for Journal {
    fn drop(&mut self) {
        // The last group; there is nobody left to tell if it fails.
        let _ = self.file.sync_data();
    }
}

fn sync_groups(file: &File, dirty: &AtomicBool, gone: &mpsc::Receiver<()>) {
    while gone.recv_timeout(GROUP_INTERVAL) == Err(mpsc::RecvTimeoutError::Timeout) {
        if dirty.swap(false, Ordering::AcqRel)
            && let Err(error) = file.sync_data()
        {
            tracing::error!(%error, "the journal cannot be brought to the disk");
        }
    }
}

/// Reads a journal line by line, without holding it. A last line that was torn is left out; a torn one before that
/// ends the reading with an error.
///
/// # Errors
/// When the file cannot be opened.
pub fn read_journal<T: DeserializeOwned>(
    path: &Path,
) -> Result<impl Iterator<Item = Result<T, StoreError>> + use<T>, StoreError> {
    let file = File::open(path).map_err(|source| StoreError::read(path, source))?;
    let mut lines = BufReader::new(file).lines().peekable();
    let path = path.to_owned();
    Ok(std::iter::from_fn(move || {
        let line = lines.next()?;
        let parsed = line.and_then(|line| serde_json::from_str(&line).map_err(Into::into));
        match parsed {
            Ok(record) => Some(Ok(record)),
            Err(_) if lines.peek().is_none() => None,
            Err(source) => Some(Err(StoreError::read(&path, source))),
        }
    })
    .fuse())
}

/// Cuts a torn end off a journal; gives the number of its last whole line, and how many bytes went.
pub(super) fn mend_journal(path: &Path) -> Result<(u64, u64), StoreError> {
    #[derive(serde::Deserialize)]
    struct Numbered {
        n: u64,
    }
    let failed = |source| StoreError::read(path, source);
    let mut reader = BufReader::new(File::open(path).map_err(failed)?);
    let (mut lines, mut whole, mut line) = (0, 0, Vec::new());
    while reader.read_until(b'\n', &mut line).map_err(failed)? > 0 {
        // A line without its end was torn, whatever it says; one that says nothing is the trace of a power cut.
        match serde_json::from_slice::<Numbered>(&line) {
            Ok(Numbered { n }) if line.ends_with(b"\n") => lines = n,
            _ => break,
        }
        whole += line.len() as u64;
        line.clear();
    }
    let mut rest = Vec::new();
    reader.read_to_end(&mut rest).map_err(failed)?;
    if rest.contains(&b'\n') {
        let message = format!("line {} is damaged and others follow it", lines + 1);
        return Err(failed(std::io::Error::new(std::io::ErrorKind::InvalidData, message)));
    }
    let torn = (line.len() + rest.len()) as u64;
    if torn > 0 {
        let file = OpenOptions::new().write(true).open(path);
        let cut = file.and_then(|file| file.set_len(whole).and_then(|()| file.sync_all()));
        cut.map_err(|source| StoreError::write(path, source))?;
    }
    Ok((lines, torn))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn lines_are_numbered_and_a_torn_last_one_is_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut journal = Journal::create(&path).unwrap();
        assert_eq!(journal.append(Utc::now(), &json!({ "event": "a" }), Durability::Soon).unwrap(), 1);
        assert_eq!(journal.append(Utc::now(), &json!({ "event": "b" }), Durability::Now).unwrap(), 2);
        drop(journal);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"n\":3,\"eve").unwrap();
        let lines: Vec<Value> = read_journal(&path).unwrap().map(Result::unwrap).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[1]["n"], &lines[1]["event"]), (&json!(2), &json!("b")));
    }

    #[test]
    fn a_torn_end_is_cut_off_and_the_numbers_go_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        for torn in ["", "{\"n\":3,\"eve", "{\"n\":3,\"event\":\"c\"}", "\0\0\0\0\n"] {
            std::fs::write(&path, format!("{{\"n\":1}}\n{{\"n\":2}}\n{torn}")).unwrap();
            assert_eq!(mend_journal(&path).unwrap(), (2, torn.len() as u64), "{torn:?}");
            let mut journal = Journal::go_on(&path, 2).unwrap();
            assert_eq!(journal.append(Utc::now(), &json!({}), Durability::Now).unwrap(), 3);
            assert_eq!(read_journal::<Value>(&path).unwrap().count(), 3);
        }
        std::fs::write(&path, "{\"n\":1}\nnonsense\n{\"n\":3}\n").unwrap();
        assert!(crate::error::chain(&mend_journal(&path).unwrap_err()).contains("line 2 is damaged"));
    }
}
