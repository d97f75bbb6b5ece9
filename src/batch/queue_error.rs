//! Errors of a queue.

use std::path::PathBuf;

use crate::catalogue::{CatalogueError, ItemState};

/// The reason why a queue cannot be used or changed.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The catalogue cannot be used.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// Another process works on this queue.
    #[error("process {owner} is already running batch `{batch}`")]
    Taken {
        /// The batch.
        batch: String,
        /// The other process.
        owner: String,
    },
    /// The file that names the working process cannot be created.
    #[error("cannot claim `{path}`")]
    Claim {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// An item is in a state that does not allow the change.
    #[error("item {number} is {state}")]
    State {
        /// The item.
        number: u32,
        /// Its state.
        state: ItemState,
    },
    /// The thread of the database panicked.
    #[error("the catalogue failed: {0}")]
    Broken(String),
}
