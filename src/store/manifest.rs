//! The manifest `run.json`, which describes a run in one file. It is always replaced as a whole. Counts and the end
//! of the run appear only after the run has ended.

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{StoreError, publish};
use crate::analysis::verdict::{Verdict, VerdictCounts};
use crate::files;
use crate::measurement::ReferenceRecord;
use crate::operation::Constant;

/// Name of the file in the run folder.
pub(super) const FILE: &str = "run.json";
/// The version of the format that this program writes, and the latest that it reads.
const VERSION: u32 = 1;
/// The largest manifest that is read, bytes.
const LARGEST: u64 = 16 << 20;

/// How a run ended, or that it is in progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// In progress.
    Running,
    /// Every step succeeded.
    Done,
    /// A step failed.
    Failed,
    /// Stopped by the operator.
    Aborted,
    /// The process ended without recording the end of the run: it was killed, or the power failed. This state is
    /// never written, only concluded.
    Interrupted,
}

impl RunState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Running, Self::Done, Self::Failed, Self::Aborted, Self::Interrupted];
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
    /// Path of the recipe, as given.
    pub path: String,
    /// SHA-256 of the recipe file, hexadecimal.
    pub sha256: String,
    /// The copies in the run folder; the recipe comes first.
    pub files: Vec<String>,
    /// SHA-256 of each copy, hexadecimal. Empty in runs of earlier versions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub source_sha256: BTreeMap<String, String>,
}

/// The item of a queue of many benches that a run measures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetRecord {
    /// The batch.
    pub batch: String,
    /// SHA-256 of the content of the batch, hexadecimal.
    pub content: String,
    /// Number of the item.
    pub item: u32,
    /// The bench that has claimed the item.
    pub bench: String,
    /// The revision of the item at the claim. A later claim of the same item has a higher number.
    pub epoch: u64,
}

/// The instrument of a run, as it replied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstrumentRecord {
    /// Address of the instrument.
    pub address: String,
    /// True for the embedded simulator.
    pub simulated: bool,
    /// Reply to `*IDN?`.
    pub identity: String,
    /// Replies of the lasers to `IDN?`, by number.
    #[serde(deserialize_with = "by_number")]
    pub lasers: BTreeMap<u8, String>,
}

/// A named instrument of a run, as it replied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedRecord {
    /// The name of the instrument.
    pub name: String,
    /// Its address.
    pub address: String,
    /// Whether it is a simulated one.
    pub simulated: bool,
    /// Its identity; `None` for an instrument that has none.
    pub identity: Option<String>,
}

/// Parses the keys as numbers. JSON keys are strings, and serde does not convert them within a tagged event.
fn by_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<u8, String>, D::Error> {
    let texts = BTreeMap::<String, String>::deserialize(deserializer)?;
    texts
        .into_iter()
        .map(|(number, text)| Ok((number.parse().map_err(serde::de::Error::custom)?, text)))
        .collect()
}

/// The program and the computer of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRecord {
    /// Name of the computer.
    pub host: String,
    /// Operating system.
    pub os: String,
    /// Process identifier.
    pub pid: u32,
    /// Version of ctp10.
    pub ctp10: String,
}

/// How many analyses and devices have each verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VerdictSummary {
    /// Analyses with limits.
    pub analyses: VerdictCounts,
    /// Devices (rows of a table that a loop runs over), each with the worst verdict of its analyses.
    pub devices: VerdictCounts,
}

impl std::fmt::Display for VerdictSummary {
    /// How many devices have each verdict; without a table of devices, how many analyses.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (what, counts) =
            if self.devices.all() > 0 { ("devices", self.devices) } else { ("analyses", self.analyses) };
        let VerdictCounts { pass, marginal, not_measured, fail } = counts;
        let each = [("pass", pass), ("marginal", marginal), ("not measured", not_measured), ("fail", fail)];
        let some = each.iter().filter(|(_, count)| *count > 0).map(|(word, count)| format!("{count} {word}"));
        write!(f, "{what}: {}", some.collect::<Vec<_>>().join(", "))
    }
}

/// The file with the figures of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultsRecord {
    /// The file, relative to the run folder.
    pub file: String,
    /// Number of rows: one for each figure.
    pub rows: u64,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
}

/// The description of a run, without its traces and events.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this format.
    pub schema_version: u32,
    /// Identifier of the run.
    pub run: String,
    /// Name of the recipe.
    pub name: String,
    /// State of the run.
    pub status: RunState,
    /// Why the run ended in this state; `None` for `done`.
    pub reason: Option<String>,
    /// When the run began, UTC.
    pub started: DateTime<Utc>,
    /// When the run ended, UTC.
    pub finished: Option<DateTime<Utc>>,
    /// Total duration of all processes of the run, s. Measured with a monotonic clock, which is never set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elapsed_s: Option<f64>,
    /// The recipe.
    pub recipe: RecipeRecord,
    /// The parameters of the run.
    pub parameters: BTreeMap<String, Value>,
    /// The metadata of the recipe, with additions from the command line.
    pub metadata: BTreeMap<String, Value>,
    /// Columns that a batch adds to every trace file.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, Constant>,
    /// The instrument.
    pub instrument: InstrumentRecord,
    /// Options of the embedded simulator, if the run started one.
    pub simulator: Option<Value>,
    /// The `suspend_when` given for the run, because the recipe has none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend_when: Option<Value>,
    /// The limits of the bench at the start of the run. A resumed run applies these and the present ones; the
    /// stricter limit counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<Value>,
    /// The program and the computer.
    pub host: HostRecord,
    /// How often the run was resumed after an interruption.
    #[serde(default)]
    pub taken_up: u64,
    /// Whether raw commands were sent.
    pub used_scpi: bool,
    /// Number of stored traces; known at the end.
    pub traces: Option<u64>,
    /// Number of steps that failed and were skipped; known at the end.
    pub failed_steps: Option<u64>,
    /// The worst verdict on figures; known at the end, if the recipe has limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// How many analyses and devices have each verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdicts: Option<VerdictSummary>,
    /// The file with all figures and verdicts, relative to the run folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub results: Option<ResultsRecord>,
    /// Lasers that could not be confirmed off at the end.
    #[serde(default)]
    pub lasers_unknown: Vec<u8>,
    /// The named instruments that the recipe is known to use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instruments: Vec<NamedRecord>,
    /// Named instruments that could not be confirmed safe at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub instruments_unknown: Vec<String>,
    /// The last reference of each detector that the run has taken or used; known at the end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<ReferenceRecord>,
    /// Warnings that the journal may not contain, for example that the journal itself was removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// The item of a queue of many benches that the run measures.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetRecord>,
    /// Fields that a later version may have added.
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
        // The fields of a later version may have other meanings, even if they can be read.
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
