//! What is to be measured and what has been, in one SQLite file beside the run folders: batches with their items, and a
//! catalogue of the runs. The only user of SQLite, and synchronous: whoever calls from a task does so from a thread that
//! may block.
//!
//! It is never the only copy of anything measured: the run folders are, and [`Catalogue::reindex`] makes the catalogue
//! from them. A measurement goes on without it: see [`Catalogue::working`] and [`Catalogue::adopt`].

mod adopt;
mod attempts;
mod batches;
mod copy;
mod items;
mod reindex;
mod rows;
mod runs;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use crate::files;

pub use adopt::{Noted, Unnoted};
pub use attempts::AttemptEnd;
pub use batches::BatchRow;
pub use items::{ItemRow, NewItem};
pub use reindex::Reindexed;
pub use rows::ItemState;
pub use runs::RunRow;

/// The file's name among the run folders.
pub const FILE: &str = "catalogue.sqlite";
/// Under this name a run's metadata says which batch it belongs to.
pub const BATCH: &str = "batch";
/// Under this name a run's metadata says which item of the batch it is.
pub const BATCH_ITEM: &str = "batch_item";

/// Version of the tables, as `PRAGMA user_version` has it.
const VERSION: i64 = 1;
/// Another process writes for no longer than this.
const PATIENCE: Duration = Duration::from_secs(10);

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS batches (
    name     TEXT PRIMARY KEY,
    file     TEXT,              -- the batch file, as it was given
    folder   TEXT NOT NULL,     -- paths of recipes are relative to this
    settings TEXT NOT NULL,     -- JSON
    paused   INTEGER NOT NULL,
    created  TEXT NOT NULL      -- RFC 3339, UTC, as every time here
);
CREATE TABLE IF NOT EXISTS items (
    batch       TEXT NOT NULL REFERENCES batches (name),
    number      INTEGER NOT NULL,   -- from 1, in the order of the batch file
    place       INTEGER NOT NULL,   -- the order among those of one priority
    priority    INTEGER NOT NULL,   -- higher first
    state       TEXT NOT NULL,      -- queued, running, done, failed, held, removed, skipped
    reason      TEXT,
    attempts    INTEGER NOT NULL,   -- begun so far
    retries     INTEGER NOT NULL,   -- of them, those that repeat one that failed
    not_before  TEXT,
    deadline    TEXT,
    estimated_s REAL,
    bytes       INTEGER,
    payload     TEXT NOT NULL,      -- JSON: what to run, and how
    recovered   INTEGER NOT NULL,   -- known from run folders alone
    PRIMARY KEY (batch, number)
);
CREATE TABLE IF NOT EXISTS attempts (
    batch   TEXT NOT NULL,
    item    INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    run     TEXT,
    folder  TEXT,
    state   TEXT NOT NULL,          -- running, done, failed; aborted or interrupted: its run can go on; left: it shall not
    reason  TEXT,
    begun   TEXT NOT NULL,
    ended   TEXT,
    PRIMARY KEY (batch, item, attempt),
    FOREIGN KEY (batch, item) REFERENCES items (batch, number)
);
CREATE TABLE IF NOT EXISTS runs (
    run       TEXT PRIMARY KEY,
    folder    TEXT NOT NULL,        -- its name beside this file
    name      TEXT NOT NULL,
    status    TEXT NOT NULL,
    reason    TEXT,
    started   TEXT NOT NULL,
    finished  TEXT,
    traces    INTEGER,
    simulated INTEGER NOT NULL,
    batch     TEXT,
    item      INTEGER
);
CREATE INDEX IF NOT EXISTS runs_by_folder ON runs (folder DESC);
";

/// Why the catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The folder cannot be made.
    #[error("cannot make `{path}`")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// It cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The database does not do what it should.
    #[error("`{path}` cannot be used")]
    Database {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: rusqlite::Error,
    },
    /// A later version of this program has written it.
    #[error("`{path}` is of version {found}, and this program knows {VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// There is no such item.
    #[error("batch `{batch}` has no item {number}")]
    NoItem {
        /// The batch.
        batch: String,
        /// The item.
        number: u32,
    },
}

/// The database of one folder of runs.
#[derive(Debug)]
pub struct Catalogue {
    path: PathBuf,
    /// SQLite connections are used by one thread at a time; each use is short.
    connection: Mutex<Connection>,
    /// The file, where this is a working copy.
    original: Option<copy::Original>,
}

impl Catalogue {
    /// Opens the catalogue of the runs in a folder; makes it where there is none.
    ///
    /// # Errors
    /// See [`CatalogueError`].
    pub fn open(out: &Path) -> Result<Self, CatalogueError> {
        Self::open_within(out, PATIENCE)
    }

    /// See [`Self::open`]; other processes are waited for no longer than this.
    ///
    /// # Errors
    /// See [`CatalogueError`].
    pub fn open_within(out: &Path, patience: Duration) -> Result<Self, CatalogueError> {
        std::fs::create_dir_all(out)
            .map_err(|source| CatalogueError::Folder { path: out.to_owned(), source })?;
        let path = out.join(FILE);
        // A database reads whatever has its name, be it a pipe that nobody writes to.
        match files::open(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(CatalogueError::Read { path, source: error });
            }
            _ => {}
        }
        let opened = Connection::open(&path).and_then(|connection| {
            connection.busy_timeout(patience)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            // A state that was told is there after a power cut too.
            connection.pragma_update(None, "synchronous", "FULL")?;
            connection.pragma_update(None, "foreign_keys", true)?;
            let found: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            // One that is as it should be is not written to: whoever only reads it does not wait for others.
            if found < VERSION {
                connection.execute_batch(TABLES)?;
                connection.pragma_update(None, "user_version", VERSION)?;
            }
            Ok((connection, found))
        });
        match opened {
            Ok((_, found)) if found > VERSION => Err(CatalogueError::Version { path, found }),
            Ok((connection, _)) => Ok(Self { path, connection: Mutex::new(connection), original: None }),
            Err(source) => Err(CatalogueError::Database { path, source }),
        }
    }

    /// Whether a folder has one.
    #[must_use]
    pub fn exists(out: &Path) -> bool {
        out.join(FILE).exists()
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks the database.
    fn ask<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, CatalogueError> {
        work(&self.connection()).map_err(|source| self.wrong(source))
    }

    /// Changes it: all of it, or nothing.
    fn change<T>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, CatalogueError> {
        let mut connection = self.connection();
        let changed = connection
            .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)
            .and_then(|transaction| {
                let value = work(&transaction)?;
                transaction.commit()?;
                Ok(value)
            });
        drop(connection);
        let changed = changed.map_err(|source| self.wrong(source))?;
        self.follow();
        Ok(changed)
    }

    fn wrong(&self, source: rusqlite::Error) -> CatalogueError {
        CatalogueError::Database { path: self.path.clone(), source }
    }
}
