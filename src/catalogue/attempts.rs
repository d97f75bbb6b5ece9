//! The attempts at an item. Each is recorded before it begins and after it has ended.

use chrono::{DateTime, Utc};

use super::rows::Time;
use super::{Catalogue, CatalogueError, ItemState, RunRow};

/// How an attempt ended, and the new state of its item.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptEnd {
    /// The new state of the item.
    pub state: ItemState,
    /// How the attempt ended: `done` or `failed`, or `aborted` or `interrupted` if its run can be resumed.
    pub attempt: String,
    /// The reason.
    pub reason: Option<String>,
    /// If set, the item is repeated after a failure, not before this time.
    pub again: Option<DateTime<Utc>>,
}

impl Catalogue {
    /// Starts an attempt. Returns its number, or `None` if the item is not queued any more. This is on the disk
    /// before the run uses the instrument.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn begin_attempt(
        &self,
        batch: &str,
        number: u32,
        at: DateTime<Utc>,
    ) -> Result<Option<u32>, CatalogueError> {
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

    /// Records the run of an attempt.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn set_attempt_run(
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

    /// Records the end of an attempt.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn end_attempt(
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

    /// Removes an attempt that could not begin, for example because the instrument was not available. The attempt does
    /// not count, and its item gets this state.
    ///
    /// # Errors
    /// If the database cannot be written.
    pub fn cancel_attempt(
        &self,
        batch: &str,
        number: u32,
        attempt: u32,
        (state, reason): (ItemState, &str),
    ) -> Result<(), CatalogueError> {
        self.change(|transaction| {
            transaction.execute(
                "DELETE FROM attempts WHERE batch = ?1 AND item = ?2 AND attempt = ?3",
                (batch, number, attempt),
            )?;
            transaction
                .execute(
                    "UPDATE items SET state = ?3, reason = ?4, attempts = attempts - 1
                     WHERE batch = ?1 AND number = ?2",
                    (batch, number, state, reason),
                )
                .map(drop)
        })
    }
}

/// Marks interrupted or stopped attempts of an item, or of all items, so that they are not resumed. The items begin
/// again.
pub(super) fn abandon(
    connection: &rusqlite::Connection,
    batch: &str,
    number: Option<u32>,
) -> rusqlite::Result<()> {
    let left = "UPDATE attempts SET state = 'left'
                WHERE batch = ?1 AND item = COALESCE(?2, item) AND state IN ('aborted', 'interrupted')";
    connection.execute(left, (batch, number)).map(drop)
}

/// Writes an attempt from the row of its run, and replaces an earlier row.
pub(super) fn put_attempt(
    connection: &rusqlite::Connection,
    batch: &str,
    item: u32,
    attempt: u32,
    run: &RunRow,
) -> rusqlite::Result<()> {
    connection
        .execute(
            "INSERT OR REPLACE INTO attempts (batch, item, attempt, run, folder, state, reason, begun, ended)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            (
                batch,
                item,
                attempt,
                &run.run,
                &run.folder,
                &run.status,
                &run.reason,
                Time(run.started),
                run.finished.map(Time),
            ),
        )
        .map(drop)
}
