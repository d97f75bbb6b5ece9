//! Why an object store cannot be used.

use crate::store::StoreError;

/// Why an object store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RemoteError {
    /// The program was built without this part.
    #[error(
        "this program was built without object stores: install a released package, or build with `cargo build --release --features store`"
    )]
    NotBuilt,
    /// The store cannot be opened with these settings.
    #[error("the store `{store}` cannot be used: {reason}")]
    Settings {
        /// The address of the store.
        store: String,
        /// The reason.
        reason: String,
    },
    /// The store cannot be reached, or asks to try again later.
    #[error("the store is not available: {0}")]
    Temporary(String),
    /// The credentials are missing or do not suffice.
    #[error("the store refuses access: {0}")]
    Denied(String),
    /// The bucket or the folder of the store does not exist.
    #[error("the store `{0}` does not exist")]
    NoStore(String),
    /// The object does not exist.
    #[error("`{0}` does not exist in the store")]
    Missing(String),
    /// An object with this name exists, and its content is different.
    #[error("`{0}` exists in the store with other content: nothing was replaced")]
    OtherContent(String),
    /// What the store returns is not what was sent.
    #[error("the store returns `{0}` with another SHA-256 than was sent")]
    NotVerified(String),
    /// The object is larger than allowed.
    #[error("`{object}` has {bytes} bytes; at most {most} are allowed")]
    TooLarge {
        /// The object.
        object: String,
        /// Its size.
        bytes: u64,
        /// The largest size.
        most: u64,
    },
    /// The local run is damaged.
    #[error("the run is damaged: {0}; `ctp10 runs verify` lists the damage")]
    Damaged(String),
    /// The run has changed during its upload.
    #[error("the run was resumed or changed during its upload")]
    Changed,
    /// The run or the runs that are meant cannot be found.
    #[error("{0}")]
    WhichRun(String),
    /// A local file cannot be read or written.
    #[error(transparent)]
    Local(#[from] StoreError),
    /// A local file cannot be read or written.
    #[error("{0}")]
    Disk(String),
}

impl RemoteError {
    /// Whether another attempt may succeed without a person.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::Temporary(_) | Self::NotVerified(_) | Self::Changed)
    }

    /// Whether only this run cannot be uploaded. Otherwise, no run can be uploaded at present.
    #[must_use]
    pub fn concerns_one_run(&self) -> bool {
        match self {
            Self::OtherContent(_)
            | Self::TooLarge { .. }
            | Self::Damaged(_)
            | Self::Changed
            | Self::WhichRun(_)
            | Self::Local(_)
            | Self::Disk(_) => true,
            Self::NotBuilt
            | Self::Settings { .. }
            | Self::Temporary(_)
            | Self::Denied(_)
            | Self::NoStore(_)
            | Self::Missing(_)
            | Self::NotVerified(_) => false,
        }
    }
}
