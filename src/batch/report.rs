//! The page of a batch, `batch-<name>.html` beside `batch-<name>.json`: what its summary says, with what the runs of its
//! items have left.

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

/// What became of a batch whose runs are in `out`. Reads their summaries, and blocks.
#[must_use]
pub fn batch_report(summary: &Summary, out: &Path) -> BatchReport {
    let out = std::path::absolute(out).unwrap_or_else(|_| out.to_owned());
    // What somebody has to look at is listed, and has its pictures, whatever the length of the batch.
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
    // An attempt that went on in the run of the one before has its folder, too.
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

/// The page, whose links lead from beside the run folders, or over HTTP.
#[must_use]
pub fn batch_page(batch: &BatchReport, links: Links) -> String {
    report::batch_page(batch, links, &|run, trace| {
        report::draw(&Path::new(&batch.out).join(&run.folder), trace)
    })
}

/// What was written of a batch: its summary and its page.
type Written = Result<(PathBuf, PathBuf), StoreError>;

/// Writes summary and page beside the runs, each whole or not at all; gives the report, and both paths.
pub fn write(summary: &Summary, out: &Path) -> (BatchReport, Written) {
    let report = batch_report(summary, out);
    let (json, page) = (summary_file(out, &summary.batch), page_file(out, &summary.batch));
    // A summary has texts and numbers: there is nothing in it that JSON cannot say.
    let mut text = serde_json::to_vec_pretty(summary).unwrap_or_default();
    text.push(b'\n');
    let written = store::write_whole(&json, &text)
        .and_then(|()| store::write_whole(&page, batch_page(&report, Links::Files).as_bytes()))
        .map(|()| (json, page));
    (report, written)
}

impl Queue {
    /// The page of the batch as it stands, for those who look over HTTP. Its runs are in `out`.
    ///
    /// # Errors
    /// When the catalogue cannot be read.
    pub async fn page(&self, out: &Path) -> Result<String, QueueError> {
        // However many ask, the files are read for one of them at a time.
        let turn = Arc::clone(&self.page).lock_owned().await;
        let (items, _) = self.items().await?;
        let (batch, out) = (self.batch().to_owned(), out.to_owned());
        let made = spawn_blocking(move || {
            let _turn = turn;
            let summary = Summary::new(&batch, None, None, &items, None);
            batch_page(&batch_report(&summary, &out), Links::Routes)
        });
        made.await.map_err(|panic| QueueError::Broken(panic.to_string()))
    }
}

/// Where the summary of a batch is.
#[must_use]
pub fn summary_file(out: &Path, batch: &str) -> PathBuf {
    out.join(format!("batch-{batch}.json"))
}

/// Where the page of a batch is.
#[must_use]
pub fn page_file(out: &Path, batch: &str) -> PathBuf {
    out.join(format!("batch-{batch}.html"))
}
