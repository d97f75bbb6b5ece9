//! `stored.json` in a run folder: the run was uploaded, and everything was verified.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::RemoteError;
use crate::files;
use crate::store::runs::FoundRun;
use crate::store::{MANIFEST_FILE, StoreError, write_whole};

pub use crate::store::RECEIPT_FILE;

/// The version of the format.
const VERSION: u32 = 1;
/// The largest receipt that is read, bytes.
const LARGEST: u64 = 1 << 16;
/// The largest manifest that is compared, bytes.
const LARGEST_MANIFEST: u64 = 16 << 20;

/// The content of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256, hexadecimal.
    pub sha256: String,
}

/// The receipt of an upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The version of this format.
    pub schema_version: u32,
    /// The address of the store.
    pub store: String,
    /// The place of the run in the store.
    pub place: String,
    /// The index of the run in the store.
    pub index: String,
    /// How often the run had been resumed.
    pub resumed: u64,
    /// The manifest that was uploaded. Each process that resumes the run changes the manifest. `None` if an older program
    /// wrote the receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Content>,
    /// Number of files, without the index.
    pub files: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// When the last object was verified, UTC.
    pub stored: DateTime<Utc>,
}

impl Receipt {
    /// A receipt for what was verified just now.
    pub(super) fn new(store: String, place: String, index: String, resumed: u64) -> Self {
        Self {
            schema_version: VERSION,
            store,
            place,
            index,
            resumed,
            manifest: None,
            files: 0,
            bytes: 0,
            stored: Utc::now(),
        }
    }

    /// Whether the receipt is for the present manifest of the run folder; `None` if it does not name its manifest.
    pub(super) fn has_manifest_of(&self, folder: &Path) -> Option<bool> {
        let stored = self.manifest.as_ref()?;
        let present = files::read_within(folder, MANIFEST_FILE, LARGEST_MANIFEST);
        Some(
            present.is_ok_and(|text| {
                text.len() as u64 == stored.bytes && files::hex_sha256(&text) == stored.sha256
            }),
        )
    }

    /// Whether the receipt is for the present state of the run.
    pub(super) fn is_for(&self, run: &FoundRun) -> bool {
        self.has_manifest_of(&run.folder).unwrap_or(self.resumed == run.manifest.taken_up)
    }

    /// The receipt in a run folder. A damaged one is none: the upload is repeated and changes nothing.
    #[must_use]
    pub fn read(folder: &Path) -> Option<Self> {
        let text = files::read_within(folder, RECEIPT_FILE, LARGEST).ok()?;
        let receipt: Self = serde_json::from_slice(&text).ok()?;
        (receipt.schema_version == VERSION).then_some(receipt)
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), RemoteError> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| RemoteError::Disk(error.to_string()))?;
        write_whole(&folder.join(RECEIPT_FILE), &text).map_err(|error: StoreError| error.into())
    }
}
