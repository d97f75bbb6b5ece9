//! `run.json`: what a run is, in one file. It is replaced whole and never claims what is not there: counts and an
//! end are in it only once the run has ended.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{StoreError, publish};
use crate::files;
use crate::operation::Constant;

/// The file's name in the run folder.
pub(super) const FILE: &str = "run.json";
/// The version of the format that this program writes, and the last one that it reads.
const VERSION: u32 = 1;
/// The largest manifest that is read, bytes.
const LARGEST: u64 = 16 << 20;

/// How a run ended, or that it has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Under way.
    Running,
    /// Every step succeeded.
    Done,
    /// A step failed.
    Failed,
    /// Stopped by the operator.
    Aborted,
    /// Its process is gone and it has no end: killed, or a power cut. Never written, only concluded.
    Interrupted,
}

impl std::fmt::Display for RunState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Aborted => "aborted",
            Self::Interrupted => "interrupted",
        })
    }
}

/// The recipe of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecipeRecord {
    /// Path as it was given.
    pub path: String,
    /// SHA-256 of the recipe's own file, hexadecimal.
    pub sha256: String,
    /// The copies in the run folder, the recipe first.
    pub files: Vec<String>,
    /// SHA-256 of each of these copies, hexadecimal. Empty in runs of earlier versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub source_sha256: BTreeMap<String, String>,
}

/// The instrument of a run, as it answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstrumentRecord {
    /// Where it was reached.
    pub address: String,
    /// True for the embedded instrument, wherever it ran.
    pub simulated: bool,
    /// Its reply to `*IDN?`.
    pub identity: String,
    /// The lasers' replies to `IDN?`, by number.
    #[serde(deserialize_with = "by_number")]
    pub lasers: BTreeMap<u8, String>,
}

/// JSON has texts for keys; within an event, serde does not see that these are numbers.
fn by_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<u8, String>, D::Error> {
    let texts = BTreeMap::<String, String>::deserialize(deserializer)?;
    texts
        .into_iter()
        .map(|(number, text)| Ok((number.parse().map_err(serde::de::Error::custom)?, text)))
        .collect()
}

/// Who ran it, and with what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecord {
    /// Name of the computer.
    pub host: String,
    /// Operating system.
    pub os: String,
    /// Process.
    pub pid: u32,
    /// Version of ctp10.
    pub ctp10: String,
}

/// Everything that is known of a run beside its traces and events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this format.
    pub schema_version: u32,
    /// The run's identifier.
    pub run: String,
    /// The recipe's name.
    pub name: String,
    /// How far it is.
    pub status: RunState,
    /// Why it ended so, when not `done`.
    pub reason: Option<String>,
    /// When it began, UTC.
    pub started: DateTime<Utc>,
    /// When it ended, UTC.
    pub finished: Option<DateTime<Utc>>,
    /// How long it lasted, s, by a clock that nobody sets: the time of all its processes together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_s: Option<f64>,
    /// The recipe.
    pub recipe: RecipeRecord,
    /// The parameters it ran with.
    pub parameters: BTreeMap<String, Value>,
    /// The recipe's metadata and what the command line added.
    pub metadata: BTreeMap<String, Value>,
    /// Columns of every trace file that a batch gives the run.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, Constant>,
    /// The instrument.
    pub instrument: InstrumentRecord,
    /// Options of the embedded instrument, where the run started one.
    pub simulator: Option<Value>,
    /// The `suspend_when` that the recipe was given, for it has none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend_when: Option<Value>,
    /// The limits of the bench that it was begun under; of these and those of the moment the stricter hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Value>,
    /// Who ran it, and with what.
    pub host: HostRecord,
    /// How often the run was taken up again after an interruption.
    #[serde(default)]
    pub taken_up: u64,
    /// Whether raw commands were sent.
    pub used_scpi: bool,
    /// Traces stored; known at the end.
    pub traces: Option<u64>,
    /// Steps that failed and were passed over; known at the end.
    pub failed_steps: Option<u64>,
    /// Lasers that could not be confirmed off at the end.
    #[serde(default)]
    pub lasers_unknown: Vec<u8>,
    /// What the run had to say that its journal may not hold: that the journal was gone, for example.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// What a later version may have added.
    #[serde(flatten)]
    pub more: Map<String, Value>,
}

impl Manifest {
    pub(super) fn write(&self, folder: &Path) -> Result<(), StoreError> {
        let path = folder.join(FILE);
        let text = serde_json::to_vec_pretty(self).map_err(|error| StoreError::write(&path, error.into()))?;
        publish::write_whole(&path, &text)
    }

    pub(super) fn read(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(FILE);
        let failed = |source| StoreError::read(&path, source);
        let text = files::read_within(folder, FILE, LARGEST).map_err(failed)?;
        // What a later version has written may mean something else, even where it can be read.
        if let Ok(Versioned { schema_version: found }) = serde_json::from_slice(&text)
            && found > u64::from(VERSION)
        {
            return Err(StoreError::Version { path, found, known: VERSION });
        }
        serde_json::from_slice(&text).map_err(|error| failed(error.into()))
    }
}

#[derive(Deserialize)]
struct Versioned {
    schema_version: u64,
}
