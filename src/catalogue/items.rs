//! The items of a batch, and the attempts at each.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use serde_json::Value;

use super::rows::{Json, Time};
use super::{Catalogue, CatalogueError, ItemState};

/// An item as the queue has it.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemRow {
    /// From 1, in the order of the batch file.
    pub number: u32,
    /// The order among those of one priority.
    pub place: i64,
    /// Higher first.
    pub priority: i64,
    /// How far it is.
    pub state: ItemState,
    /// Why, when that needs a reason.
    pub reason: Option<String>,
    /// How often it was begun.
    pub attempts: u32,
    /// How many of these repeated one that had failed.
    pub retries: u32,
    /// It does not begin before this.
    pub not_before: Option<DateTime<Utc>>,
    /// It does not begin after this, and is stopped then.
    pub deadline: Option<DateTime<Utc>>,
    /// Time foreseen, s.
    pub estimated_s: Option<f64>,
    /// Bytes foreseen.
    pub bytes: Option<u64>,
    /// What to run, and how.
    pub payload: Value,
    /// Known from run folders alone.
    pub recovered: bool,
    /// Its runs, in order: identifier, and the folder's name.
    pub runs: Vec<(String, String)>,
    /// The folder of the last of them, where that was cut off or stopped: the item goes on in it.
    pub unfinished: Option<String>,
}

/// An item to be put into the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct NewItem {
    /// Its number.
    pub number: u32,
    /// Higher first.
    pub priority: i64,
    /// It does not begin before this.
    pub not_before: Option<DateTime<Utc>>,
    /// It does not begin after this.
    pub deadline: Option<DateTime<Utc>>,
    /// Time foreseen, s.
    pub estimated_s: Option<f64>,
    /// Bytes foreseen.
    pub bytes: Option<u64>,
    /// What to run, and how.
    pub payload: Value,
}

const COLUMNS: &str = "number, place, priority, state, reason, attempts, retries, not_before, deadline, \
                       estimated_s, bytes, payload, recovered";

fn item(row: &Row<'_>) -> rusqlite::Result<ItemRow> {
    let time = |name: &str| Ok::<_, rusqlite::Error>(row.get::<_, Option<Time>>(name)?.map(|time| time.0));
    Ok(ItemRow {
        number: row.get("number")?,
        place: row.get("place")?,
        priority: row.get("priority")?,
        state: row.get("state")?,
        reason: row.get("reason")?,
        attempts: row.get("attempts")?,
        retries: row.get("retries")?,
        not_before: time("not_before")?,
        deadline: time("deadline")?,
        estimated_s: row.get("estimated_s")?,
        bytes: row.get::<_, Option<i64>>("bytes")?.and_then(|bytes| bytes.try_into().ok()),
        payload: row.get::<_, Json>("payload")?.0,
        recovered: row.get("recovered")?,
        runs: Vec::new(),
        unfinished: None,
    })
}

impl Catalogue {
    /// The items of a batch in the order of their numbers.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn items(&self, batch: &str) -> Result<Vec<ItemRow>, CatalogueError> {
        self.ask(|connection| {
            let mut asked = connection
                .prepare(&format!("SELECT {COLUMNS} FROM items WHERE batch = ?1 ORDER BY number"))?;
            let mut items: Vec<ItemRow> = asked.query_map([batch], item)?.collect::<Result<_, _>>()?;
            let mut asked = connection.prepare(
                "SELECT item, run, folder, state IN ('running', 'aborted', 'interrupted') FROM attempts
                 WHERE batch = ?1 AND run IS NOT NULL ORDER BY item, attempt",
            )?;
            let mut rows = asked.query([batch])?;
            while let Some(row) = rows.next()? {
                let number: u32 = row.get(0)?;
                if let Some(item) = items.iter_mut().find(|item| item.number == number) {
                    let (run, folder): (String, String) = (row.get(1)?, row.get(2)?);
                    item.unfinished = row.get::<_, bool>(3)?.then(|| folder.clone());
                    // A run that was taken up again is one run.
                    if item.runs.last().is_none_or(|(known, _)| *known != run) {
                        item.runs.push((run, folder));
                    }
                }
            }
            Ok(items)
        })
    }

    /// Puts items into a batch. One that is there keeps its state and, unless the batch file has given it another
    /// priority, its place.
    ///
    /// # Errors
    /// When the database cannot be written; then nothing is.
    pub fn put_items(&self, batch: &str, items: &[NewItem]) -> Result<(), CatalogueError> {
        self.change(|transaction| {
            for item in items {
                put_item(transaction, batch, item)?;
            }
            Ok(())
        })
    }

    /// Adds an item behind all others; gives its number.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn add_item(&self, batch: &str, mut item: NewItem) -> Result<u32, CatalogueError> {
        self.change(|transaction| {
            item.number = transaction.query_row(
                "SELECT COALESCE(MAX(number), 0) + 1 FROM items WHERE batch = ?1",
                [batch],
                |row| row.get(0),
            )?;
            put_item(transaction, batch, &item)?;
            Ok(item.number)
        })
    }

    /// Brings an item from one of some states into another; gives the state that it was in. In any other state it is
    /// left as it is.
    ///
    /// # Errors
    /// When there is no such item, or the database cannot be written.
    pub fn set_state(
        &self,
        batch: &str,
        number: u32,
        from: &[ItemState],
        to: ItemState,
        reason: Option<&str>,
    ) -> Result<ItemState, CatalogueError> {
        let before = self.change(|transaction| {
            let before: Option<ItemState> = transaction
                .query_row(
                    "SELECT state FROM items WHERE batch = ?1 AND number = ?2",
                    (batch, number),
                    |row| row.get(0),
                )
                .optional()?;
            if before.is_some_and(|before| from.contains(&before)) {
                // Whoever queues it anew gives it all its repetitions again.
                let retries = if to == ItemState::Queued { 0 } else { -1 };
                transaction.execute(
                    "UPDATE items SET state = ?3, reason = ?4, retries = CASE ?5 WHEN 0 THEN 0 ELSE retries END
                     WHERE batch = ?1 AND number = ?2",
                    (batch, number, to, reason, retries),
                )?;
            }
            Ok(before)
        })?;
        before.ok_or_else(|| CatalogueError::NoItem { batch: batch.to_owned(), number })
    }

    /// Gives items their places and priorities: number, place, priority.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub fn set_places(&self, batch: &str, places: &[(u32, i64, i64)]) -> Result<(), CatalogueError> {
        self.change(|transaction| {
            for (number, place, priority) in places {
                transaction.execute(
                    "UPDATE items SET place = ?3, priority = ?4 WHERE batch = ?1 AND number = ?2",
                    (batch, number, place, priority),
                )?;
            }
            Ok(())
        })
    }
}

fn put_item(connection: &Connection, batch: &str, item: &NewItem) -> rusqlite::Result<()> {
    let known: Option<Json> = connection
        .query_row(
            "SELECT payload FROM items WHERE batch = ?1 AND number = ?2",
            (batch, item.number),
            |row| row.get(0),
        )
        .optional()?;
    let moves = known.is_none_or(|known| known.0.get("priority") != item.payload.get("priority"));
    let mut put = connection.prepare(
        "INSERT INTO items (batch, number, place, priority, state, attempts, retries, not_before, deadline,
                            estimated_s, bytes, payload, recovered)
         VALUES (:batch, :number, :number, :priority, 'queued', 0, 0, :not_before, :deadline,
                 :estimated_s, :bytes, :payload, 0)
         ON CONFLICT (batch, number) DO UPDATE
         SET not_before = :not_before, deadline = :deadline, estimated_s = :estimated_s, bytes = :bytes,
             payload = :payload, recovered = 0,
             priority = CASE :moves WHEN 1 THEN :priority ELSE priority END,
             place = CASE :moves WHEN 1 THEN :number ELSE place END",
    )?;
    put.execute(named_params! {
        ":batch": batch,
        ":number": item.number,
        ":priority": item.priority,
        ":not_before": item.not_before.map(Time),
        ":deadline": item.deadline.map(Time),
        ":estimated_s": item.estimated_s,
        ":bytes": item.bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX)),
        ":payload": Json(item.payload.clone()),
        ":moves": moves,
    })
    .map(drop)
}
