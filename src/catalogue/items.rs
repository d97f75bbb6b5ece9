//! The items of a batch.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use serde_json::Value;

use super::attempts::abandon;
use super::rows::{Json, Time};
use super::{Catalogue, CatalogueError, ItemState};

/// An item of the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemRow {
    /// Number of the item, from 1, in the order of the batch file.
    pub number: u32,
    /// The order among items of the same priority.
    pub place: i64,
    /// Priority; higher values come first.
    pub priority: i64,
    /// The state of the item.
    pub state: ItemState,
    /// The reason for this state, if there is one.
    pub reason: Option<String>,
    /// How often the item was started.
    pub attempts: u32,
    /// How many of these attempts repeated a failed one.
    pub retries: u32,
    /// The item does not begin before this time.
    pub not_before: Option<DateTime<Utc>>,
    /// The item does not begin after this time, and is stopped then.
    pub deadline: Option<DateTime<Utc>>,
    /// Estimated duration, s.
    pub estimated_s: Option<f64>,
    /// Estimated size, bytes.
    pub bytes: Option<u64>,
    /// The recipe and its parameters.
    pub payload: Value,
    /// Whether the item is only known from run folders.
    pub recovered: bool,
    /// Its runs in order: identifier and folder name.
    pub runs: Vec<(String, String)>,
    /// The folder of its last run, if this was interrupted or stopped. The item resumes this run.
    pub unfinished: Option<String>,
}

impl ItemRow {
    /// The index of an item in a list in the order of the numbers.
    #[must_use]
    pub fn index_in(items: &[Self], number: u32) -> Option<usize> {
        items.binary_search_by_key(&number, |item| item.number).ok()
    }
}

/// A new item for the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct NewItem {
    /// Number of the item.
    pub number: u32,
    /// Priority; higher values come first.
    pub priority: i64,
    /// The item does not begin before this time.
    pub not_before: Option<DateTime<Utc>>,
    /// The item does not begin after this time.
    pub deadline: Option<DateTime<Utc>>,
    /// Estimated duration, s.
    pub estimated_s: Option<f64>,
    /// Estimated size, bytes.
    pub bytes: Option<u64>,
    /// The recipe and its parameters.
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
    /// If the database cannot be read.
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
                if let Some(index) = ItemRow::index_in(&items, number) {
                    let item = &mut items[index];
                    let (run, folder): (String, String) = (row.get(1)?, row.get(2)?);
                    item.unfinished = row.get::<_, bool>(3)?.then(|| folder.clone());
                    // A resumed run is the same run.
                    if item.runs.last().is_none_or(|(known, _)| *known != run) {
                        item.runs.push((run, folder));
                    }
                }
            }
            Ok(items)
        })
    }

    /// Adds items at the end, and returns their numbers.
    ///
    /// # Errors
    /// If the database cannot be written. In that case none is added.
    pub fn add_items(&self, batch: &str, items: Vec<NewItem>) -> Result<Vec<u32>, CatalogueError> {
        self.change(|transaction| {
            let first: u32 = transaction.query_row(
                "SELECT COALESCE(MAX(number), 0) + 1 FROM items WHERE batch = ?1",
                [batch],
                |row| row.get(0),
            )?;
            let add = |(number, item)| {
                put_item(transaction, batch, &NewItem { number, ..item })?;
                Ok(number)
            };
            (first..).zip(items).map(add).collect()
        })
    }

    /// Changes the state of an item if its present state is one of `from`. Returns the state before the change.
    ///
    /// # Errors
    /// If the item does not exist, or the database cannot be written.
    pub fn set_state(
        &self,
        batch: &str,
        number: u32,
        from: &[ItemState],
        to: ItemState,
        reason: Option<&str>,
    ) -> Result<ItemState, CatalogueError> {
        let before =
            self.change(|transaction| set_state(transaction, (batch, number), from, (to, reason)))?;
        before.ok_or_else(|| CatalogueError::NoItem { batch: batch.to_owned(), number })
    }

    /// Queues an item again if its present state is one of `from`. With `anew`, the item does not resume its
    /// interrupted run. Returns the state before the change.
    ///
    /// # Errors
    /// If the item does not exist, or the database cannot be written.
    pub fn release(
        &self,
        batch: &str,
        number: u32,
        from: &[ItemState],
        anew: bool,
    ) -> Result<ItemState, CatalogueError> {
        let before = self.change(|transaction| {
            let before = set_state(transaction, (batch, number), from, (ItemState::Queued, None))?;
            if anew && before.is_some_and(|before| from.contains(&before)) {
                abandon(transaction, batch, Some(number))?;
            }
            Ok(before)
        })?;
        before.ok_or_else(|| CatalogueError::NoItem { batch: batch.to_owned(), number })
    }

    /// Sets places and priorities of items, each as (number, place, priority).
    ///
    /// # Errors
    /// If the database cannot be written.
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

/// Changes the state of an item if its present state is one of `from`. Returns the state before the change.
fn set_state(
    connection: &Connection,
    (batch, number): (&str, u32),
    from: &[ItemState],
    (to, reason): (ItemState, Option<&str>),
) -> rusqlite::Result<Option<ItemState>> {
    let before: Option<ItemState> = connection
        .query_row("SELECT state FROM items WHERE batch = ?1 AND number = ?2", (batch, number), |row| {
            row.get(0)
        })
        .optional()?;
    if before.is_some_and(|before| from.contains(&before)) {
        // An item that is queued again gets all its repetitions again.
        let retries = if to == ItemState::Queued { 0 } else { -1 };
        connection.execute(
            "UPDATE items SET state = ?3, reason = ?4, retries = CASE ?5 WHEN 0 THEN 0 ELSE retries END
             WHERE batch = ?1 AND number = ?2",
            (batch, number, to, reason, retries),
        )?;
    }
    Ok(before)
}

/// Adds or updates an item. An existing item keeps its state. It keeps its place too, unless it gets another priority.
pub(super) fn put_item(connection: &Connection, batch: &str, item: &NewItem) -> rusqlite::Result<()> {
    let mut asked = connection.prepare("SELECT payload FROM items WHERE batch = ?1 AND number = ?2")?;
    let known: Option<Json> = asked.query_row((batch, item.number), |row| row.get(0)).optional()?;
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
