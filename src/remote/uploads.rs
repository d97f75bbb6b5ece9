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

use super::{Backlog, Objects, Pauses, Progress, Receipt, RemoteError, StoreSettings, keep, upload};
use crate::error::chain;
use crate::threads;

/// Time limit of the first look at the store.
const FIRST_LOOK: Duration = Duration::from_secs(5);
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
        let receipt = Receipt::read(folder)?;
        let run = crate::store::runs::open(folder).ok()?;
        super::backlog::is_stored(&run, &store).then_some(receipt)
    }

    /// The store; `None` without one. Nothing is sent.
    ///
    /// # Errors
    /// If the settings are wrong, or the folder does not exist.
    pub fn objects(&self) -> Option<Result<Objects, RemoteError>> {
        let settings = &self.0.as_ref()?.settings;
        Some(Objects::open(&settings.address, settings.endpoint.as_deref()))
    }
}

/// The work, which never ends by itself.
async fn work(inner: Arc<Inner>) {
    let mut pauses = Pauses::default();
    let mut refused: BTreeMap<PathBuf, String> = BTreeMap::new();
    let mut is_reached = false;
    let mut is_first_look = true;
    loop {
        // A wrong key or a missing bucket must be known before the first run ends.
        let looked = if is_reached { Ok(()) } else { look(&inner.settings).await };
        if let (Err(error), true) = (&looked, std::mem::replace(&mut is_first_look, false)) {
            let store = &inner.settings.address;
            tracing::warn!(
                "the store {store} cannot be used now: {}; runs stay on the disk until it can be used",
                chain(error)
            );
            inner.show(|status| status.trouble = Some(chain(error)));
        }
        let done = round(&inner, &mut refused, &mut pauses).await.and(looked);
        is_reached = done.is_ok();
        let trouble = match done {
            Ok(()) => {
                pauses.after_success();
                inner.show(|status| (status.trouble, status.next_attempt) = (None, None));
                // A run that ended during the round has left a permit, so that this wait ends at once.
                let _ = tokio::time::timeout(LOOK, inner.wake.notified()).await;
                continue;
            }
            Err(trouble) => chain(&trouble),
        };
        let pause = pauses.after_failure();
        tracing::debug!("upload: {trouble}; next attempt in {} s", pause.as_secs());
        let next = Utc::now() + pause;
        inner.show(|status| {
            (status.run, status.bytes, status.all_bytes) = (None, 0, 0);
            (status.trouble, status.next_attempt) = (Some(trouble), Some(next));
        });
        let _ = tokio::time::timeout(pause, inner.wake.notified()).await;
    }
}

/// Whether the store can be used. One request shows this, also while no run waits.
async fn look(settings: &StoreSettings) -> Result<(), RemoteError> {
    let objects = Objects::open(&settings.address, settings.endpoint.as_deref())?;
    let looked = tokio::time::timeout(FIRST_LOOK, objects.look()).await;
    looked.unwrap_or_else(|_| {
        Err(RemoteError::Temporary(format!("no reply within {} s", FIRST_LOOK.as_secs())))
    })
}

/// Uploads what is waiting, until nothing is left.
async fn round(
    inner: &Inner,
    refused: &mut BTreeMap<PathBuf, String>,
    pauses: &mut Pauses,
) -> Result<(), RemoteError> {
    'look: loop {
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
                    pauses.after_success();
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
            // A run that has just ended comes first. The folder must be looked through again, even after the last run.
            if is_woken(&inner.wake) {
                continue 'look;
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
