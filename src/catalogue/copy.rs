//! The working copy of one batch, so that a measurement never waits for the file. The copy is in memory. It is
//! written to the file after each change, or later if the file is locked, damaged or missing.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};

use super::{Catalogue, CatalogueError, FILE, PATIENCE, tables};
use crate::error::chain;
use crate::files;

/// A change waits for the file at most this long, because the run of the item matters more.
const CHANGE_PATIENCE: Duration = Duration::from_millis(200);
/// Pause before the file is tried again.
const PAUSE: Duration = Duration::from_secs(2);
/// How long to wait for the file at the end.
const END_PATIENCE: Duration = Duration::from_secs(2);

/// The file of a working copy, and the state of the synchronization.
#[derive(Debug)]
pub(super) struct Original {
    out: PathBuf,
    batch: String,
    state: Mutex<State>,
    copy: Weak<Catalogue>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the file was readable at the start, so that the copy contains its batch.
    is_read: bool,
    /// Number of changes so far.
    changes: u64,
    /// Whether the file lacks the last change.
    is_behind: bool,
    /// Whether a background thread is retrying.
    retrying: bool,
}

impl Catalogue {
    /// A working copy of a batch of the catalogue in `out`. If the file cannot be read or written, the program logs a
    /// warning and tries again.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn working(out: &Path, batch: &str) -> Result<Arc<Self>, CatalogueError> {
        let (connection, is_read) = read_copy(out, batch)?;
        Ok(Arc::new_cyclic(|copy| {
            let state = Mutex::new(State { is_read, ..State::default() });
            let original =
                Original { out: out.to_owned(), batch: batch.to_owned(), state, copy: Weak::clone(copy) };
            Self { path: out.join(FILE), connection: Mutex::new(connection), original: Some(original) }
        }))
    }

    /// A copy of a batch for reading. The file is never written.
    ///
    /// # Errors
    /// If there is not enough memory.
    pub fn snapshot(out: &Path, batch: &str) -> Result<Self, CatalogueError> {
        let (connection, _) = read_copy(out, batch)?;
        Ok(Self { path: out.join(FILE), connection: Mutex::new(connection), original: None })
    }

    /// Writes outstanding changes to the file for the last time.
    pub fn finish(&self) {
        if let Some(original) = &self.original
            && original.state().is_behind
            && let Err(error) = self.try_to_write(original, END_PATIENCE)
        {
            tracing::warn!(
                reason = chain(&error),
                "the catalogue is missing the state of this batch; the next start reads it from the run folders"
            );
        }
    }

    /// Writes the last change to the file, or schedules this for later.
    pub(super) fn write_change(&self) {
        let Some(original) = &self.original else { return };
        {
            let mut state = original.state();
            state.changes += 1;
            if std::mem::replace(&mut state.is_behind, true) && state.retrying {
                return;
            }
        }
        let Err(error) = self.try_to_write(original, CHANGE_PATIENCE) else { return };
        tracing::warn!(
            reason = chain(&error),
            "the catalogue cannot be written: the batch continues without it"
        );
        let mut state = original.state();
        if !std::mem::replace(&mut state.retrying, true) {
            let copy = Weak::clone(&original.copy);
            std::thread::spawn(move || retry(&copy));
        }
    }

    fn try_to_write(&self, original: &Original, patience: Duration) -> Result<(), CatalogueError> {
        // Creates the file if it is missing, and refuses a file of a later version.
        drop(Self::open_within(&original.out, patience)?);
        let (is_read, changes) = {
            let state = original.state();
            (state.is_read, state.changes)
        };
        let written = write_back(&mut self.connection(), &self.path, &original.batch, patience, is_read);
        written.map_err(|source| self.wrong(source))?;
        let mut state = original.state();
        // Another change may have been made meanwhile.
        state.is_behind = state.changes != changes;
        Ok(())
    }
}

impl Original {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tries to write until the file is up to date, or the copy is dropped.
fn retry(copy: &Weak<Catalogue>) {
    loop {
        std::thread::sleep(PAUSE);
        let Some(copy) = copy.upgrade() else { return };
        let Some(original) = &copy.original else { return };
        match copy.try_to_write(original, CHANGE_PATIENCE) {
            Ok(()) => {
                let mut state = original.state();
                if !state.is_behind {
                    state.retrying = false;
                    tracing::info!("the catalogue is up to date again");
                    return;
                }
            }
            Err(error) => tracing::debug!(reason = chain(&error), "the catalogue cannot be written"),
        }
    }
}

/// A database in memory with the batch from the file, and whether the file could be read.
fn read_copy(out: &Path, batch: &str) -> Result<(Connection, bool), CatalogueError> {
    let path = out.join(FILE);
    let wrong = |source| CatalogueError::Database { path: path.clone(), source };
    let mut memory = Connection::open_in_memory().map_err(wrong)?;
    tables::prepare(&mut memory).map_err(wrong)?;
    if !files::is_taken(&path) {
        return Ok((memory, true));
    }
    let checked = Catalogue::open_within(out, PATIENCE).map(drop);
    let read = checked.and_then(|()| copy_rows(&mut memory, &path, batch).map_err(wrong));
    if let Err(error) = &read {
        tracing::warn!(
            reason = chain(error),
            "the catalogue cannot be read: the state of the batch is taken from the run folders"
        );
    }
    Ok((memory, read.is_ok()))
}

fn copy_rows(memory: &mut Connection, path: &Path, batch: &str) -> rusqlite::Result<()> {
    with_disk(memory, path, PATIENCE, |memory| {
        let transaction = memory.transaction()?;
        for (table, key) in [("batches", "name"), ("items", "batch"), ("attempts", "batch")] {
            let copy = format!("INSERT INTO main.{table} SELECT * FROM disk.{table} WHERE {key} = ?1");
            transaction.execute(&copy, [batch])?;
        }
        transaction.commit()
    })
}

fn write_back(
    memory: &mut Connection,
    path: &Path,
    batch: &str,
    patience: Duration,
    is_read: bool,
) -> rusqlite::Result<()> {
    with_disk(memory, path, patience, |memory| {
        memory.pragma_update(Some("disk"), "synchronous", "FULL")?;
        let transaction = memory.transaction_with_behavior(TransactionBehavior::Immediate)?;
        // An unreadable file may contain more about items that were not touched since, so these are kept.
        let touched =
            "SELECT number FROM main.items WHERE batch = ?1 AND (attempts > 0 OR state <> 'queued')";
        let (of_attempts, of_items) = match is_read {
            true => (String::new(), String::new()),
            false => (format!(" AND item IN ({touched})"), format!(" AND number IN ({touched})")),
        };
        transaction.execute(&format!("DELETE FROM disk.attempts WHERE batch = ?1{of_attempts}"), [batch])?;
        transaction.execute(&format!("DELETE FROM disk.items WHERE batch = ?1{of_items}"), [batch])?;
        transaction.execute(
            "INSERT INTO disk.batches SELECT * FROM main.batches WHERE name = ?1
             ON CONFLICT (name) DO UPDATE SET file = excluded.file, folder = excluded.folder,
                 settings = excluded.settings, paused = excluded.paused",
            [batch],
        )?;
        for table in ["items", "attempts"] {
            let copy =
                format!("INSERT OR IGNORE INTO disk.{table} SELECT * FROM main.{table} WHERE batch = ?1");
            transaction.execute(&copy, [batch])?;
        }
        transaction.commit()
    })
}

/// Attaches the file as `disk` during `work`.
fn with_disk<T>(
    memory: &mut Connection,
    path: &Path,
    patience: Duration,
    work: impl FnOnce(&mut Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    memory.busy_timeout(patience)?;
    // A name that is not UTF-8 cannot be written in SQL. The runs are then read from their folders.
    let name = path.to_str().ok_or_else(|| rusqlite::Error::InvalidPath(path.to_owned()))?;
    memory.execute("ATTACH DATABASE ?1 AS disk", [name])?;
    let done = work(memory);
    let detached = memory.execute("DETACH DATABASE disk", []);
    done.and_then(|value| detached.map(|_| value))
}
