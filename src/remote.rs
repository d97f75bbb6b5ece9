//! Runs in an object store: S3 and compatible servers, Google Cloud Storage, Azure, or a folder. Runs that have ended are
//! uploaded in the background ([`Uploads`]), and runs in a store are downloaded for the commands that read runs.
//!
//! Layout below the prefix of a store:
//!
//! - `runs/<folder>/…`: the files of a run. A run that was resumed after its upload has another place,
//!   `runs/<folder>.resumed<n>/…`, because nothing in a store is ever changed.
//! - `index/day=<date>/<folder>.parquet`: the last object of an upload. One row for each figure, for queries over many runs.
//!
//! Each object is created only if it does not exist, and is then read back and compared by its SHA-256. So an upload can
//! be repeated at any time, and two programs that upload the same run do not disturb each other.

mod address;
mod backlog;
mod error;
mod fetch;
mod index;
mod keep;
mod listed;
#[cfg(not(feature = "store"))]
mod not_built;
#[cfg(feature = "store")]
mod objects;
mod pauses;
mod place;
mod receipt;
mod room;
mod settings;
mod upload;
mod uploads;

pub use address::StoreAddress;
pub use backlog::{Backlog, Refused, Waiting};
pub use error::RemoteError;
pub use fetch::{Meant, Needed, fetch_list, fetch_object, fetch_run, find};
pub use listed::{Created, Listed};
#[cfg(not(feature = "store"))]
pub use not_built::Objects;
#[cfg(feature = "store")]
pub use objects::Objects;
pub use pauses::{Pauses, patiently};
pub use place::{RUNS, folder};
pub use receipt::{RECEIPT_FILE, Receipt};
pub use settings::StoreSettings;
pub use upload::{Progress, upload};
pub use uploads::{RefusedRun, UploadStatus, Uploads};
