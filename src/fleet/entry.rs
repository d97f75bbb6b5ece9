//! The entries of the bucket, as they are stored: JSON, one value for each key.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::analysis::verdict::Verdict;
use crate::batch::Task;

/// The state of an item in the queue of many benches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FleetState {
    /// The item waits for a bench.
    Queued,
    /// A bench has claimed the item.
    Claimed,
    /// The result of a run is accepted. The run is on the disk of its bench.
    Measured,
    /// The accepted run is in the store, which has a record of the acceptance.
    Stored,
    /// The item waits for a decision of a person.
    Held,
    /// The deadline of the item passed before a bench claimed it.
    Skipped,
}

impl FleetState {
    /// All states, in the order of an overview.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Claimed, Self::Measured, Self::Stored, Self::Held, Self::Skipped];

    /// The name of the state in the entries.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Claimed => "claimed",
            Self::Measured => "measured",
            Self::Stored => "stored",
            Self::Held => "held",
            Self::Skipped => "skipped",
        }
    }
}

/// The name of an item: its batch and its number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey {
    /// The batch.
    pub batch: String,
    /// The number of the item, from 1.
    pub number: u32,
}

impl ItemKey {
    /// The key in the bucket.
    #[must_use]
    pub fn key(&self) -> String {
        format!("item.{}.{}", self.batch, self.number)
    }

    /// Reads a key of the bucket; `None` if it is not the key of an item.
    #[must_use]
    pub fn read(key: &str) -> Option<Self> {
        let (batch, number) = key.strip_prefix("item.")?.split_once('.')?;
        Some(Self { batch: batch.to_owned(), number: number.parse().ok()? })
    }
}

impl std::fmt::Display for ItemKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "item {} of batch {}", self.number, self.batch)
    }
}

/// The bench that has claimed an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Owner {
    /// Name of the bench.
    pub bench: String,
    /// The revision of the entry at the claim. It is known only after the claim was written, so the claim itself has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub epoch: Option<u64>,
    /// The time of the claim, by the clock of the bench.
    pub since: DateTime<Utc>,
    /// Without a newer revision for this long, another bench takes the item, s. Without a lease, the claim stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease_s: Option<f64>,
    /// How often the lease was renewed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub renewed: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The accepted run of an item.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AcceptedRun {
    /// The bench that measured it.
    pub bench: String,
    /// The identifier of the run.
    pub run: String,
    /// The name of the run folder.
    pub folder: String,
    /// The epoch of the claim.
    pub epoch: u64,
    /// When the bench reported the end, by its clock.
    pub ended: DateTime<Utc>,
    /// The worst verdict on its figures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// The address of the run in the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub store: Option<String>,
}

/// A run that failed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailedRun {
    /// The bench.
    pub bench: String,
    /// The reason.
    pub reason: String,
}

/// An item of a batch. Fields may be added, and no field changes its meaning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// SHA-256 of the content of the batch, hexadecimal.
    pub content: String,
    /// SHA-256 of the bundle with the recipes, hexadecimal.
    pub bundle: String,
    /// When the batch was submitted first. Among items of the same priority, the older batch comes first.
    pub submitted: DateTime<Utc>,
    /// The recipe in the bundle, and its values.
    pub task: Task,
    /// The item does not start before this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<DateTime<Utc>>,
    /// The item does not start after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<DateTime<Utc>>,
    /// Estimated duration, s.
    pub estimated_s: f64,
    /// Estimated size, bytes.
    pub bytes: u64,
    /// The state.
    pub state: FleetState,
    /// The reason for the state, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The bench that has claimed the item; also while the item is held because of that claim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// The failed runs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failed: Vec<FailedRun>,
    /// The accepted run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accepted: Option<AcceptedRun>,
}

impl Entry {
    /// The epoch of the present claim, if there is one. `revision` is the revision of the entry.
    #[must_use]
    pub fn epoch(&self, revision: u64) -> Option<u64> {
        self.owner.as_ref().map(|owner| owner.epoch.unwrap_or(revision))
    }
}

/// A batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchEntry {
    /// SHA-256 of the content, hexadecimal.
    pub content: String,
    /// SHA-256 of the bundle, hexadecimal.
    pub bundle: String,
    /// The batch file, as it was given.
    pub file: String,
    /// The number of its items.
    pub items: u32,
    /// When it was submitted first.
    pub submitted: DateTime<Utc>,
}

impl BatchEntry {
    /// The key of a batch.
    #[must_use]
    pub fn key(batch: &str) -> String {
        format!("batch.{batch}")
    }
}

/// A bench, or the instrument of a bench: the process that may use the name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Presence {
    /// The bench.
    pub bench: String,
    /// A random name of the process.
    pub process: String,
    /// The computer.
    pub host: String,
    /// The number of the process on that computer.
    pub pid: u32,
    /// The labels of the bench.
    #[serde(default)]
    pub labels: Vec<String>,
    /// When the process began, by its clock.
    pub since: DateTime<Utc>,
    /// When the process ended in good order, by its clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<DateTime<Utc>>,
}

impl Presence {
    /// The key of a bench.
    #[must_use]
    pub fn bench_key(bench: &str) -> String {
        format!("bench.{bench}")
    }

    /// The key of the serial number of an instrument. Other characters than letters and digits are written as numbers.
    #[must_use]
    pub fn serial_key(serial: &str) -> String {
        let plain = |c: char| match c {
            c if c.is_ascii_alphanumeric() || c == '-' => c.to_string(),
            other => format!("_{:x}_", u32::from(other)),
        };
        format!("serial.{}", serial.chars().map(plain).collect::<String>())
    }
}

/// The key of the stop flag.
pub(super) const STOP_KEY: &str = "stop";

/// The stop flag: no bench claims an item until a person clears it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StopFlag {
    /// Whether the flag is set.
    pub set: bool,
    /// Who has set or cleared it: user and computer.
    pub by: String,
    /// When.
    pub at: DateTime<Utc>,
}
