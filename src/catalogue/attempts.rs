//! The attempts at an item: each is kept before it begins and when it has ended.

use chrono::{DateTime, Utc};

use super::rows::Time;
use super::{Catalogue, CatalogueError, ItemState};

/// How an attempt ended, and what becomes of its item.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptEnd {
    /// The item's state from now on.
    pub state: ItemState,
    /// How the attempt itself ended: `done` or `failed`; `aborted` or `interrupted`, when its run can go on.
    pub attempt: String,
    /// Why.
    pub reason: Option<String>,
    /// It will be repeated because it failed, not before this.
    pub again: Option<DateTime<Utc>>,
}

impl Catalogue {
    /// An attempt begins; gives its number, or none when the item is not queued any more. This is durable before the
    /// instrument is touched.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn begin(&self, batch: &str, number: u32, at: DateTime<Utc>) -> Result<Option<u32>, CatalogueError> {
        self.change(|transaction| {
            let taken = transaction.execute(
                "UPDATE items SET state = 'running', reason = NULL, attempts = attempts + 1
                 WHERE batch = ?1 AND number = ?2 AND state = 'queued'",
                (batch, number),
            )?;
            if taken == 0 {
                return Ok(None);
            }
            let attempt = transaction.query_row(
                "SELECT attempts FROM items WHERE batch = ?1 AND number = ?2",
                (batch, number),
                |row| row.get(0),
            )?;
            transaction.execute(
                "INSERT INTO attempts (batch, item, attempt, state, begun) VALUES (?1, ?2, ?3, 'running', ?4)",
                (batch, number, attempt, Time(at)),
            )?;
            Ok(Some(attempt))
        })
    }

    /// The attempt has a run.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn begun(
        &self,
        batch: &str,
        number: u32,
        attempt: u32,
        run: &str,
        folder: &str,
    ) -> Result<(), CatalogueError> {
        self.change(|transaction| {
            transaction
                .execute(
                    "UPDATE attempts SET run = ?4, folder = ?5 WHERE batch = ?1 AND item = ?2 AND attempt = ?3",
                    (batch, number, attempt, run, folder),
                )
                .map(drop)
        })
    }

    /// The attempt has ended.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn ended(
        &self,
        batch: &str,
        number: u32,
        attempt: u32,
        end: &AttemptEnd,
        at: DateTime<Utc>,
    ) -> Result<(), CatalogueError> {
        self.change(|transaction| {
            transaction.execute(
                "UPDATE attempts SET state = ?4, reason = ?5, ended = ?6
                 WHERE batch = ?1 AND item = ?2 AND attempt = ?3",
                (batch, number, attempt, &end.attempt, &end.reason, Time(at)),
            )?;
            transaction
                .execute(
                    "UPDATE items SET state = ?3, reason = ?4, not_before = COALESCE(?5, not_before),
                            retries = retries + (?5 IS NOT NULL)
                     WHERE batch = ?1 AND number = ?2",
                    (batch, number, end.state, &end.reason, end.again.map(Time)),
                )
                .map(drop)
        })
    }

    /// What was cut off or stopped does not go on: the item, or all of them, begin anew.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn leave_unfinished(&self, batch: &str, number: Option<u32>) -> Result<(), CatalogueError> {
        self.change(|transaction| {
            let left = "UPDATE attempts SET state = 'left'
                        WHERE batch = ?1 AND item = COALESCE(?2, item) AND state IN ('aborted', 'interrupted')";
            transaction.execute(left, (batch, number)).map(drop)
        })
    }

    /// An attempt that came to nothing because the instrument was not to be had: it does not count.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn not_begun(
        &self,
        batch: &str,
        number: u32,
        attempt: u32,
        reason: &str,
    ) -> Result<(), CatalogueError> {
        self.change(|transaction| {
            transaction.execute(
                "DELETE FROM attempts WHERE batch = ?1 AND item = ?2 AND attempt = ?3",
                (batch, number, attempt),
            )?;
            transaction
                .execute(
                    "UPDATE items SET state = 'queued', reason = ?3, attempts = attempts - 1
                     WHERE batch = ?1 AND number = ?2",
                    (batch, number, reason),
                )
                .map(drop)
        })
    }
}
