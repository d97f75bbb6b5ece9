//! What became of a batch, as a value: its items with what the summaries of their runs say. Like the report of a run it
//! does not grow with what was measured: rows, faults and pictures end at a length.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::value::{Counts, FaultLine, LasersEnd, Report, TraceLine};
use super::words::finish_command;
use crate::files;
use crate::store::{self, RunState, SUMMARY_FILE, StoreError};

/// Items that a page lists; those that are not simply done come first.
pub const ITEMS: usize = 1_000;
/// The last runs of an item that are looked at.
pub const RUNS: usize = 5;
/// Traces of an item that have a picture.
pub const PICTURES_OF_ITEM: usize = 2;
/// Pictures of all items.
pub const PICTURES: usize = 400;
/// The largest summary of a run that is read, bytes.
const LARGEST_SUMMARY: u64 = 64 << 20;
/// Faults of a run that are listed.
const FAULTS_OF_RUN: usize = 10;

/// What became of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchReport {
    /// Its name.
    pub batch: String,
    /// Its file.
    pub file: Option<String>,
    /// How it stands: `done`, `failed`, `unfinished`, `running`.
    pub state: &'static str,
    /// Why it is over, where something is not done.
    pub reason: Option<String>,
    /// When this was made.
    pub written: DateTime<Utc>,
    /// The folder of its runs.
    pub out: String,
    /// The items in numbers.
    pub counts: BatchCounts,
    /// The command that goes on with it.
    pub go_on: Option<String>,
    /// The items that are listed, in the order of their numbers.
    pub items: Vec<BatchItem>,
}

/// A batch in numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BatchCounts {
    /// Items in all; those that were removed are not among them.
    pub items: usize,
    /// Items that are done.
    pub done: usize,
    /// Items that have failed.
    pub failed: usize,
    /// Items that were begun more than once because they had failed.
    pub retried: usize,
    /// Items that their own deadline has passed.
    pub skipped: usize,
    /// Items that wait for a person.
    pub held: usize,
    /// Items whose run is under way.
    pub running: usize,
    /// Items that were not reached.
    pub queued: usize,
}

/// An item of a batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BatchItem {
    /// Its number.
    pub number: u32,
    /// Its recipe.
    pub recipe: String,
    /// The values of its parameters, and its metadata.
    pub values: Vec<(String, String)>,
    /// Its state, as the catalogue has it.
    pub state: &'static str,
    /// Why, when that needs a reason.
    pub reason: Option<String>,
    /// How often it was begun.
    pub attempts: u32,
    /// How many of these repeated one that had failed.
    pub retries: u32,
    /// Time foreseen, s.
    pub estimated_s: Option<f64>,
    /// Its last runs, in order.
    pub runs: Vec<ItemRun>,
    /// Runs that cannot be read, with the reason.
    pub unreadable: Vec<(String, String)>,
}

/// A run of an item, as far as the batch's page tells of it.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemRun {
    /// Its identifier.
    pub run: String,
    /// The name of its folder.
    pub folder: String,
    /// How it ended.
    pub state: RunState,
    /// Measured with the embedded instrument.
    pub simulated: bool,
    /// When it began.
    pub started: DateTime<Utc>,
    /// How long it took, s.
    pub seconds: f64,
    /// How long it was foreseen to take, s.
    pub estimated_s: Option<f64>,
    /// In numbers.
    pub counts: Counts,
    /// Its first faults.
    pub faults: Vec<FaultLine>,
    /// How many more there are.
    pub more_faults: u64,
    /// The steps of which something did not come, and the traces.
    pub missing: (u64, u64),
    /// The command that finishes it.
    pub finish_command: Option<String>,
    /// Lasers that may be on.
    pub lasers_unknown: Vec<u8>,
    /// The traces to have a picture.
    pub traces: Vec<TraceLine>,
}

impl ItemRun {
    /// The run in a folder: from its summary where that tells of its last end, else from its journal.
    ///
    /// # Errors
    /// When manifest or journal cannot be read.
    pub fn read(folder: &Path) -> Result<Self, StoreError> {
        let run = store::runs::open(folder)?;
        let text = files::read_within(folder, SUMMARY_FILE, LARGEST_SUMMARY).unwrap_or_default();
        let kept = serde_json::from_slice::<Report>(&text).ok();
        let kept = kept.filter(|report| {
            report.schema_version == 1
                && report.run == run.manifest.run
                && report.state == run.manifest.status
                && report.finished == run.manifest.finished
        });
        let mut report = match kept {
            Some(report) => report,
            None => super::read(&run)?,
        };
        // The folder may have moved since.
        let here = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        report.finish_command = report.finish_command.map(|_| finish_command(&here.to_string_lossy()));
        Ok(Self::of(report, folder.file_name().unwrap_or_default().to_string_lossy().into_owned()))
    }

    pub(super) fn of(mut report: Report, folder: String) -> Self {
        let faults = report.faults.len() as u64 + report.more.faults;
        report.faults.truncate(FAULTS_OF_RUN);
        report.traces.truncate(PICTURES_OF_ITEM);
        let over = report.state != RunState::Running;
        let dark = over && matches!(report.lasers, LasersEnd::Unknown | LasersEnd::NoEnd);
        Self {
            run: report.run,
            folder,
            state: report.state,
            // The embedded instrument of a run ends with it.
            lasers_unknown: if dark && report.about.simulator.is_none() {
                report.lasers_unknown
            } else {
                Vec::new()
            },
            simulated: report.simulated,
            started: report.started,
            seconds: report.seconds,
            estimated_s: report.estimated_s,
            counts: report.counts,
            more_faults: faults - report.faults.len() as u64,
            faults: report.faults,
            missing: (report.missing.len() as u64, report.missing.iter().map(|missing| missing.traces).sum()),
            finish_command: report.finish_command,
            traces: report.traces,
        }
    }
}

impl BatchItem {
    /// Its last run.
    #[must_use]
    pub fn last(&self) -> Option<&ItemRun> {
        self.runs.last()
    }
}

impl BatchReport {
    /// The runs that were measured with the embedded instrument, among those that are listed.
    #[must_use]
    pub fn simulated(&self) -> usize {
        self.runs().filter(|(_, run)| run.simulated).count()
    }

    /// The runs that are listed, each with its item.
    pub fn runs(&self) -> impl Iterator<Item = (&BatchItem, &ItemRun)> {
        self.items.iter().flat_map(|item| item.runs.iter().map(move |run| (item, run)))
    }
}
