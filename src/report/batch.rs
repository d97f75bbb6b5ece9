//! The report of a batch: its items, with the summaries of their runs. Its size is bounded, like that of the report
//! of a run: lists of rows, faults and pictures have a limit.

use std::path::Path;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::format::finish_command;
use super::value::{Counts, FaultLine, LasersEnd, Report, TraceLine};
use crate::analysis::verdict::{Verdict, VerdictCounts, worst};
use crate::files;
use crate::store::{self, RunState, SUMMARY_FILE, StoreError, VerdictSummary};

/// Highest number of items on a page. Items that are not done come first.
pub const ITEMS: usize = 1_000;
/// Number of last runs per item.
pub const RUNS: usize = 5;
/// Number of pictures per item.
pub const PICTURES_OF_ITEM: usize = 2;
/// Number of pictures of all items.
pub const PICTURES: usize = 400;
/// The largest summary of a run that is read, bytes.
const LARGEST_SUMMARY: u64 = 64 << 20;
/// Highest number of listed faults per run.
const FAULTS_OF_RUN: usize = 10;

/// The report of a batch.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchReport {
    /// Name of the batch.
    pub batch: String,
    /// The batch file.
    pub file: Option<String>,
    /// State of the batch: `done`, `failed`, `unfinished`, `running`.
    pub state: &'static str,
    /// Why the batch has ended although some items are not done.
    pub reason: Option<String>,
    /// When the report was written.
    pub written: DateTime<Utc>,
    /// The folder of its runs.
    pub out: String,
    /// Numbers of items.
    pub counts: BatchCounts,
    /// The command that continues the batch.
    pub go_on: Option<String>,
    /// The listed items, in the order of their numbers.
    pub items: Vec<BatchItem>,
}

/// Numbers of items.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct BatchCounts {
    /// All items, without removed ones.
    pub items: usize,
    /// Items with the state `done`.
    pub done: usize,
    /// Items that failed.
    pub failed: usize,
    /// Items that were repeated after a failure.
    pub retried: usize,
    /// Items whose deadline had passed.
    pub skipped: usize,
    /// Items that wait for a decision of a person.
    pub held: usize,
    /// Items whose run is in progress.
    pub running: usize,
    /// Items that were not started.
    pub queued: usize,
}

/// An item of a batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BatchItem {
    /// Number of the item.
    pub number: u32,
    /// The recipe of the item.
    pub recipe: String,
    /// Its parameters and metadata.
    pub values: Vec<(String, String)>,
    /// Its state in the catalogue.
    pub state: &'static str,
    /// The reason, if there is one.
    pub reason: Option<String>,
    /// How often the item was started.
    pub attempts: u32,
    /// How many of these attempts repeated a failed one.
    pub retries: u32,
    /// Estimated duration, s.
    pub estimated_s: Option<f64>,
    /// Its last runs, in order.
    pub runs: Vec<ItemRun>,
    /// Unreadable runs, each with the reason.
    pub unreadable: Vec<(String, String)>,
}

/// A run of an item, as shown on the page of the batch.
#[derive(Debug, Clone, PartialEq)]
pub struct ItemRun {
    /// Identifier of the run.
    pub run: String,
    /// Name of the run folder.
    pub folder: String,
    /// How it ended.
    pub state: RunState,
    /// The worst verdict on figures; `None` without limits.
    pub verdict: Option<Verdict>,
    /// How many analyses and devices have each verdict.
    pub verdicts: Option<VerdictSummary>,
    /// Measured with the embedded simulator.
    pub simulated: bool,
    /// When the run began.
    pub started: DateTime<Utc>,
    /// Duration, s.
    pub seconds: f64,
    /// Estimated duration, s.
    pub estimated_s: Option<f64>,
    /// Numbers of steps and traces.
    pub counts: Counts,
    /// The first faults.
    pub faults: Vec<FaultLine>,
    /// Number of further faults.
    pub more_faults: u64,
    /// Numbers of missing steps and of missing traces.
    pub missing: (u64, u64),
    /// The command that finishes the run.
    pub finish_command: Option<String>,
    /// Lasers that may be on.
    pub lasers_unknown: Vec<u8>,
    /// Instruments that may not be safe.
    pub instruments_unknown: Vec<String>,
    /// The traces that get a picture.
    pub traces: Vec<TraceLine>,
}

impl ItemRun {
    /// Reads the run in a folder: from its summary if this is up to date, otherwise from its journal.
    ///
    /// # Errors
    /// If the manifest or the journal cannot be read.
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
        // The folder may have been moved since.
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
            verdict: report.verdict,
            verdicts: report.verdicts,
            // The embedded simulator of a run ends with the run.
            lasers_unknown: if dark && report.about.simulator.is_none() {
                report.lasers_unknown
            } else {
                Vec::new()
            },
            instruments_unknown: if over { report.instruments_unknown } else { Vec::new() },
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
    /// The last run.
    #[must_use]
    pub fn last(&self) -> Option<&ItemRun> {
        self.runs.last()
    }
}

impl BatchReport {
    /// How many items have each verdict, by the last run of each.
    #[must_use]
    pub fn verdicts(&self) -> VerdictCounts {
        VerdictCounts::of(self.items.iter().filter_map(|item| item.last()?.verdict))
    }

    /// The worst verdict of the items; `None` if none has limits.
    #[must_use]
    pub fn verdict(&self) -> Option<Verdict> {
        worst(self.items.iter().filter_map(|item| item.last()?.verdict))
    }

    /// Number of listed runs that were measured with the embedded simulator.
    #[must_use]
    pub fn simulated(&self) -> usize {
        self.runs().filter(|(_, run)| run.simulated).count()
    }

    /// The listed runs, each with its item.
    pub fn runs(&self) -> impl Iterator<Item = (&BatchItem, &ItemRun)> {
        self.items.iter().flat_map(|item| item.runs.iter().map(move |run| (item, run)))
    }
}
