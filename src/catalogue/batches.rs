//! The batches.

use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, named_params};
use serde_json::Value;

use super::rows::{Json, Time};
use super::{Catalogue, CatalogueError};

/// A batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchRow {
    /// Its name.
    pub name: String,
    /// Path of the batch file as given; `None` for a queue that is filled over HTTP.
    pub file: Option<String>,
    /// The folder for relative paths of recipes.
    pub folder: String,
    /// Its settings.
    pub settings: Value,
    /// Whether the batch is paused, so that no item begins.
    pub paused: bool,
    /// When the batch was created.
    pub created: DateTime<Utc>,
}

impl Catalogue {
    /// A batch by its name.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn batch(&self, name: &str) -> Result<Option<BatchRow>, CatalogueError> {
        self.ask(|connection| {
            let mut asked = connection.prepare(
                "SELECT name, file, folder, settings, paused, created FROM batches WHERE name = ?1",
            )?;
            asked
                .query_row([name], |row| {
                    Ok(BatchRow {
                        name: row.get("name")?,
                        file: row.get("file")?,
                        folder: row.get("folder")?,
                        settings: row.get::<_, Json>("settings")?.0,
                        paused: row.get("paused")?,
                        created: row.get::<_, Time>("created")?.0,
                    })
                })
                .optional()
        })
    }

    /// The names of all batches, newest first.
    ///
    /// # Errors
    /// If the database cannot be read.
    pub fn batch_names(&self) -> Result<Vec<String>, CatalogueError> {
        self.ask(|connection| {
            let mut asked = connection.prepare("SELECT name FROM batches ORDER BY created DESC, name")?;
            asked.query_map([], |row| row.get(0))?.collect()
        })
    }

    /// Adds or updates a batch. The time of its creation is kept.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn put_batch(&self, batch: &BatchRow) -> Result<(), CatalogueError> {
        self.change(|transaction| put_batch(transaction, batch))
    }

    /// Pauses or resumes a batch.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn set_paused(&self, batch: &str, paused: bool) -> Result<(), CatalogueError> {
        self.change(|transaction| {
            transaction.execute("UPDATE batches SET paused = ?2 WHERE name = ?1", (batch, paused)).map(drop)
        })
    }
}

pub(super) fn put_batch(connection: &rusqlite::Connection, batch: &BatchRow) -> rusqlite::Result<()> {
    let mut put = connection.prepare(
        "INSERT INTO batches (name, file, folder, settings, paused, created)
         VALUES (:name, :file, :folder, :settings, :paused, :created)
         ON CONFLICT (name) DO UPDATE
         SET file = :file, folder = :folder, settings = :settings, paused = :paused",
    )?;
    put.execute(named_params! {
        ":name": batch.name,
        ":file": batch.file,
        ":folder": batch.folder,
        ":settings": Json(batch.settings.clone()),
        ":paused": batch.paused,
        ":created": Time(batch.created),
    })
    .map(drop)
}
