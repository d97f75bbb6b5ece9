//! Puts a whole batch into the catalogue: all of it or nothing, also if the process is killed meanwhile.

use super::attempts::abandon;
use super::batches::put_batch;
use super::items::put_item;
use super::{BatchRow, Catalogue, CatalogueError, ItemState, NewItem};

/// A batch with its items, as its file and the command have them.
#[derive(Debug)]
pub struct WholeBatch<'a> {
    /// The batch.
    pub batch: &'a BatchRow,
    /// Its items. An item that is already known keeps its state. It keeps its place too, unless its priority differs
    /// from the one before.
    pub items: &'a [NewItem],
    /// If set, queued items with a higher number are removed, because the batch file no longer has them.
    pub last: Option<u32>,
    /// Whether items begin again instead of resuming their interrupted runs.
    pub anew: bool,
    /// Items in these states are queued again.
    pub released: &'a [ItemState],
}

impl Catalogue {
    /// Adds or updates a batch and its items.
    ///
    /// # Errors
    /// If the database cannot be written. In that case nothing is changed.
    pub fn put_whole(&self, whole: &WholeBatch<'_>) -> Result<(), CatalogueError> {
        let name = &whole.batch.name;
        self.change(|transaction| {
            put_batch(transaction, whole.batch)?;
            whole.items.iter().try_for_each(|item| put_item(transaction, name, item))?;
            if whole.anew {
                abandon(transaction, name, None)?;
            }
            if let Some(last) = whole.last {
                transaction.execute(
                    "UPDATE items SET state = 'removed', reason = 'no longer in the batch file'
                     WHERE batch = ?1 AND number > ?2 AND state = 'queued'",
                    (name, last),
                )?;
            }
            for state in whole.released {
                transaction.execute(
                    "UPDATE items SET state = 'queued', reason = NULL, retries = 0
                     WHERE batch = ?1 AND state = ?2",
                    (name, state),
                )?;
            }
            Ok(())
        })
    }
}
