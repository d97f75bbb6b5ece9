//! What the operations on objects return.

/// Whether an object was created.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    /// The object is new.
    New,
    /// An object with this name existed before. Nothing was changed.
    Existed,
}

/// An object in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name, relative to the prefix of the store.
    pub name: String,
    /// Its size.
    pub bytes: u64,
}
