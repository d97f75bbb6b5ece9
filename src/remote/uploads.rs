//! Uploads runs in the background. A store that cannot be reached never delays a measurement: the runs stay on the disk,
//! and the upload is tried again with growing pauses.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::Serialize;
use tokio::sync::{Notify, watch};

use super::{Backlog, Objects, Progress, Receipt, RemoteError, StoreSettings, keep, upload};
use crate::error::chain;
use crate::threads;

/// The pause after the first failure; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_secs(2);
/// The longest pause.
const LONGEST_PAUSE: Duration = Duration::from_secs(300);
/// How often the folder is looked through without a reason. Runs may have been copied into it.
const LOOK: Duration = Duration::from_secs(600);
/// Most refused runs that the status lists.
const LISTED: usize = 20;

/// A run that cannot be uploaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct RefusedRun {
    /// The folder of the run.
    pub folder: String,
    /// The reason.
    pub reason: String,
}

/// The state of the uploads.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, JsonSchema)]
pub struct UploadStatus {
    /// The address of the store.
    pub store: String,
    /// Runs that are not in the store yet, with the one that is being uploaded.
    pub waiting: u64,
    /// Whether the run folders have been looked through; before that, nothing is known.
    pub looked: bool,
    /// The identifier of the run that is being uploaded.
    pub run: Option<String>,
    /// Verified bytes of this run.
    pub bytes: u64,
    /// All bytes of this run.
    pub all_bytes: u64,
    /// Why the last attempt failed; null after a success.
    pub trouble: Option<String>,
    /// When the next attempt begins, UTC.
    pub next_attempt: Option<DateTime<Utc>>,
    /// Runs that cannot be uploaded without a person.
    pub refused: Vec<RefusedRun>,
}

/// Uploads of the runs below one folder; without a store, nothing. Clones share the work.
#[derive(Debug, Clone, Default)]
pub struct Uploads(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    settings: StoreSettings,
    out: PathBuf,
    status: watch::Sender<UploadStatus>,
    wake: Notify,
}

impl Uploads {
    /// Starts to upload the runs below a folder. Must be called within a runtime, with which the work ends.
    #[must_use]
    pub fn start(settings: StoreSettings, out: PathBuf) -> Self {
        let status = UploadStatus { store: settings.address.to_string(), ..UploadStatus::default() };
        let inner =
            Arc::new(Inner { settings, out, status: watch::Sender::new(status), wake: Notify::new() });
        tokio::spawn(work(Arc::clone(&inner)));
        Self(Some(inner))
    }

    /// Looks for runs that have ended.
    pub fn wake(&self) {
        if let Some(inner) = &self.0 {
            inner.wake.notify_one();
        }
    }

    /// The state of the uploads; `None` without a store.
    #[must_use]
    pub fn status(&self) -> Option<watch::Receiver<UploadStatus>> {
        self.0.as_ref().map(|inner| inner.status.subscribe())
    }

    /// The receipt of a run in the store of these uploads.
    #[must_use]
    pub fn receipt(&self, folder: &Path) -> Option<Receipt> {
        let store = self.0.as_ref()?.settings.address.to_string();
        let run = crate::store::runs::open(folder).ok()?;
        Receipt::read(folder).filter(|_| super::backlog::is_stored(&run, &store))
    }
}

/// The work, which never ends by itself.
async fn work(inner: Arc<Inner>) {
    let mut pause = FIRST_PAUSE;
    let mut refused: BTreeMap<PathBuf, String> = BTreeMap::new();
    loop {
        let trouble = match round(&inner, &mut refused, &mut pause).await {
            Ok(()) => {
                pause = FIRST_PAUSE;
                inner.show(|status| (status.trouble, status.next_attempt) = (None, None));
                // A run that ended during the round has left a permit, so that this wait ends at once.
                let _ = tokio::time::timeout(LOOK, inner.wake.notified()).await;
                continue;
            }
            Err(trouble) => chain(&trouble),
        };
        tracing::debug!("upload: {trouble}; next attempt in {} s", pause.as_secs());
        let next = Utc::now() + pause;
        inner.show(|status| {
            (status.run, status.bytes, status.all_bytes) = (None, 0, 0);
            (status.trouble, status.next_attempt) = (Some(trouble), Some(next));
        });
        let _ = tokio::time::timeout(pause, inner.wake.notified()).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Uploads what is waiting, until nothing is left.
async fn round(
    inner: &Inner,
    refused: &mut BTreeMap<PathBuf, String>,
    pause: &mut Duration,
) -> Result<(), RemoteError> {
    loop {
        let (out, address) = (inner.out.clone(), inner.settings.address.clone());
        let read = threads::begin("upload", move || Backlog::read(&out, &address)).await;
        let backlog = read.map_err(|error| RemoteError::Disk(error.to_string()))??;
        let mut waiting = backlog.waiting;
        refused.retain(|folder, _| waiting.iter().any(|run| run.folder == *folder));
        waiting.retain(|run| !refused.contains_key(&run.folder));
        inner.show_counts(waiting.len(), refused);
        if waiting.is_empty() && inner.settings.keep_local_days.is_none() {
            return Ok(());
        }
        let objects = Objects::open(&inner.settings.address, inner.settings.endpoint.as_deref())?;
        if let (true, Some(days)) = (waiting.is_empty(), inner.settings.keep_local_days) {
            keep::clean(&objects, &inner.out, days).await?;
            return Ok(());
        }
        let mut left = waiting.len();
        for run in waiting {
            inner.show(|status| status.run = Some(run.run.clone()));
            let progress = |progress: Progress| {
                inner.show(|status| {
                    (status.bytes, status.all_bytes) = (progress.bytes, progress.all_bytes);
                });
            };
            match upload(&objects, &run.folder, progress).await {
                Ok(_) => {
                    *pause = FIRST_PAUSE;
                    inner.show(|status| (status.trouble, status.next_attempt) = (None, None));
                }
                // The next round uploads the new state.
                Err(RemoteError::Changed) => {}
                Err(error) if !error.concerns_one_run() => return Err(error),
                Err(error) => {
                    let reason = chain(&error);
                    tracing::warn!("run {} is not uploaded: {reason}", run.run);
                    refused.insert(run.folder, reason);
                }
            }
            left -= 1;
            inner.show(|status| {
                (status.run, status.bytes, status.all_bytes) = (None, 0, 0);
            });
            inner.show_counts(left, refused);
            // A run that has just ended comes first.
            if is_woken(&inner.wake) {
                break;
            }
        }
        if left == 0 && inner.settings.keep_local_days.is_none() {
            return Ok(());
        }
    }
}

/// Whether someone has called for a new look.
fn is_woken(wake: &Notify) -> bool {
    use futures_util::FutureExt as _;
    wake.notified().now_or_never().is_some()
}

impl Inner {
    /// Changes the status, and tells those who watch it only if something is different.
    fn show(&self, change: impl FnOnce(&mut UploadStatus)) {
        self.status.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            *status != before
        });
    }

    fn show_counts(&self, waiting: usize, refused: &BTreeMap<PathBuf, String>) {
        let listed = refused.iter().take(LISTED);
        let refused: Vec<RefusedRun> = listed
            .map(|(folder, reason)| RefusedRun {
                folder: folder.display().to_string(),
                reason: reason.clone(),
            })
            .collect();
        self.show(|status| {
            status.waiting = waiting as u64;
            status.looked = true;
            status.refused = refused;
        });
    }
}
