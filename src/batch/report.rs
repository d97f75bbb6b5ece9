//! The page of a batch, `batch-<name>.html` beside `batch-<name>.json`: its summary, with the results of the runs of
//! its items.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::task::spawn_blocking;

use super::queue::Queue;
use super::queue_error::QueueError;
use super::summary::{Summary, SummaryItem};
use crate::catalogue::ItemState;
use crate::error::chain;
use crate::report::{self, BatchItem, BatchReport, ITEMS, ItemRun, Links, PICTURES, PICTURES_OF_ITEM, RUNS};
use crate::store::{self, StoreError};

/// The report of a batch whose runs are in `out`. Reads their summaries, and blocks.
#[must_use]
pub fn batch_report(summary: &Summary, out: &Path) -> BatchReport {
    let out = std::path::absolute(out).unwrap_or_else(|_| out.to_owned());
    // Items that need attention are listed with pictures, even in a very long batch.
    let mut order: Vec<&SummaryItem> = summary.list.iter().collect();
    order.sort_by_key(|item| item.state == ItemState::Done && item.retries == 0);
    let mut pictures = PICTURES;
    let mut items: Vec<BatchItem> = order
        .into_iter()
        .take(ITEMS)
        .map(|item| {
            let mut told = look_at(item, &out);
            let earlier = told.runs.len().saturating_sub(1);
            told.runs.iter_mut().take(earlier).for_each(|run| run.traces.clear());
            if let Some(last) = told.runs.last_mut() {
                last.traces.truncate(pictures.min(PICTURES_OF_ITEM));
                pictures -= last.traces.len();
            }
            told
        })
        .collect();
    items.sort_by_key(|item| item.number);
    BatchReport {
        batch: summary.batch.clone(),
        file: summary.file.clone(),
        state: summary.state.as_str(),
        reason: summary.reason.clone(),
        written: summary.written,
        out: out.display().to_string(),
        counts: summary.counts,
        go_on: summary.go_on.clone(),
        items,
    }
}

fn look_at(item: &SummaryItem, out: &Path) -> BatchItem {
    let plain = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let values = item.task.set.iter().chain(&item.task.metadata);
    let mut told = BatchItem {
        number: item.number,
        recipe: item.task.recipe.clone(),
        values: values.map(|(name, value)| (name.clone(), plain(value))).collect(),
        state: item.state.as_str(),
        reason: item.reason.clone(),
        attempts: item.attempts,
        retries: item.retries,
        estimated_s: item.estimated_s,
        runs: Vec::new(),
        unreadable: Vec::new(),
    };
    // An attempt that has resumed an earlier run has the folder of that run.
    let mut folders = item.folders.clone();
    folders.dedup();
    for folder in folders.iter().skip(folders.len().saturating_sub(RUNS)) {
        match ItemRun::read(&out.join(folder)) {
            Ok(run) => told.runs.push(run),
            Err(error) => told.unreadable.push((folder.clone(), chain(&error))),
        }
    }
    told
}

/// The page, with links for a file beside the run folders, or for HTTP.
#[must_use]
pub fn batch_page(batch: &BatchReport, links: Links) -> String {
    report::batch_page(batch, links, &|run, trace| {
        report::draw(&Path::new(&batch.out).join(&run.folder), trace)
    })
}

/// The written files of a batch: summary and page.
type Written = Result<(PathBuf, PathBuf), StoreError>;

/// Writes summary and page beside the runs, each completely or not at all; returns the report and both paths.
pub fn write(summary: &Summary, out: &Path) -> (BatchReport, Written) {
    let report = batch_report(summary, out);
    let (json, page) = (summary_file(out, &summary.batch), page_file(out, &summary.batch));
    // A summary has only texts and numbers, so JSON can represent it.
    let mut text = serde_json::to_vec_pretty(summary).unwrap_or_default();
    text.push(b'\n');
    let written = store::write_whole(&json, &text)
        .and_then(|()| store::write_whole(&page, batch_page(&report, Links::Files).as_bytes()))
        .map(|()| (json, page));
    (report, written)
}

impl Queue {
    /// The current page of the batch, for clients over HTTP. Its runs are in `out`.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub async fn page(&self, out: &Path) -> Result<String, QueueError> {
        // The files are read for only one client at a time.
        let turn = Arc::clone(&self.page).lock_owned().await;
        let (items, _) = self.items().await?;
        let (batch, out) = (self.batch().to_owned(), out.to_owned());
        let made = spawn_blocking(move || {
            let _turn = turn;
            let summary = Summary::new(&batch, None, None, &items, None).with_verdicts(&out);
            batch_page(&batch_report(&summary, &out), Links::Routes)
        });
        made.await.map_err(|panic| QueueError::Broken(panic.to_string()))
    }
}

/// The path of the summary of a batch.
#[must_use]
pub fn summary_file(out: &Path, batch: &str) -> PathBuf {
    out.join(format!("batch-{batch}.json"))
}

/// The path of the page of a batch.
#[must_use]
pub fn page_file(out: &Path, batch: &str) -> PathBuf {
    out.join(format!("batch-{batch}.html"))
}
