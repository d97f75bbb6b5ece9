//! One SQLite file next to the run folders: batches with their items, and a list of the runs. This is the only module
//! that uses SQLite. Its functions block, so an async task calls them from a blocking thread.
//!
//! The catalogue never holds the only copy of measured data. The run folders hold it, and [`Catalogue::reindex`]
//! rebuilds the catalogue from them. A measurement also works without the catalogue: see [`Catalogue::working`] and
//! [`Catalogue::adopt`].

mod adopt;
mod attempts;
mod batches;
mod condition;
mod copy;
mod filter;
mod items;
mod reindex;
mod rows;
mod runs;
mod select;
mod sync;
mod tables;
#[cfg(test)]
mod tests;
mod values;
mod when;
mod whole;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use crate::files;
use tables::VERSION;

pub use adopt::{ItemUpdate, UnrecordedEnd};
pub use attempts::AttemptEnd;
pub use batches::BatchRow;
pub use condition::Condition;
pub use filter::{Filter, GivenFilter, WrongField, WrongFilter};
pub use items::{ItemRow, NewItem};
pub use reindex::Reindexed;
pub use rows::ItemState;
pub use runs::RunRow;
pub use select::{SelectError, Selected, select};
pub use whole::WholeBatch;

/// Name of the file among the run folders.
pub const FILE: &str = "catalogue.sqlite";
/// Key in the metadata of a run for the name of its batch.
pub const BATCH: &str = "batch";
/// Key in the metadata of a run for the number of its item.
pub const BATCH_ITEM: &str = "batch_item";
/// Key in the metadata of a run for the name of its batch in the queue of many benches.
pub const FLEET_BATCH: &str = "fleet_batch";
/// Key in the metadata of a run for the number of its item in the queue of many benches.
pub const FLEET_ITEM: &str = "fleet_item";

/// How long to wait for other processes that write.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why the catalogue cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    /// The folder cannot be created.
    #[error("cannot create `{path}`")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The file cannot be read.
    #[error("cannot read `{path}`")]
    Read {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// An operation of the database failed.
    #[error("`{path}` cannot be used")]
    Database {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: rusqlite::Error,
    },
    /// A later version of this program has written the file.
    #[error("`{path}` has version {found} of its format, but this program supports version {VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// The item does not exist.
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
    /// A connection is used by one thread at a time, for a short time.
    connection: Mutex<Connection>,
    /// The file, if this is a working copy.
    original: Option<copy::Original>,
}

impl Catalogue {
    /// Opens the catalogue for the runs in a folder, and creates it if needed.
    ///
    /// # Errors
    /// See [`CatalogueError`].
    pub fn open(out: &Path) -> Result<Self, CatalogueError> {
        Self::open_within(out, PATIENCE)
    }

    /// Like [`Self::open`], with another limit for the wait for other processes.
    ///
    /// # Errors
    /// See [`CatalogueError`].
    pub fn open_within(out: &Path, patience: Duration) -> Result<Self, CatalogueError> {
        std::fs::create_dir_all(out)
            .map_err(|source| CatalogueError::Folder { path: out.to_owned(), source })?;
        let path = out.join(FILE);
        // SQLite would open anything with this name, also a pipe without a writer.
        match files::open(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(CatalogueError::Read { path, source: error });
            }
            _ => {}
        }
        let opened = Connection::open(&path).and_then(|mut connection| {
            connection.busy_timeout(patience)?;
            connection.pragma_update(None, "journal_mode", "WAL")?;
            // A reported state must survive a power cut.
            connection.pragma_update(None, "synchronous", "FULL")?;
            let found = tables::prepare(&mut connection)?;
            Ok((connection, found))
        });
        match opened {
            Ok((_, found)) if found > VERSION => Err(CatalogueError::Version { path, found }),
            Ok((connection, _)) => Ok(Self { path, connection: Mutex::new(connection), original: None }),
            Err(source) => Err(CatalogueError::Database { path, source }),
        }
    }

    /// An empty catalogue in memory, for a folder whose catalogue cannot be used.
    fn in_memory(out: &Path) -> Result<Self, CatalogueError> {
        let path = out.join(FILE);
        let opened = Connection::open_in_memory().and_then(|mut connection| {
            tables::prepare(&mut connection)?;
            Ok(connection)
        });
        match opened {
            Ok(connection) => Ok(Self { path, connection: Mutex::new(connection), original: None }),
            Err(source) => Err(CatalogueError::Database { path, source }),
        }
    }

    /// Whether a folder has a catalogue.
    #[must_use]
    pub fn exists(out: &Path) -> bool {
        out.join(FILE).exists()
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads from the database.
    fn ask<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, CatalogueError> {
        work(&self.connection()).map_err(|source| self.wrong(source))
    }

    /// Changes the database in one transaction.
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
        self.write_change();
        Ok(changed)
    }

    fn wrong(&self, source: rusqlite::Error) -> CatalogueError {
        CatalogueError::Database { path: self.path.clone(), source }
    }
}
