//! Looks at the disk of a run: how much space is free. A look is made on a thread of its own and is bounded in time, since a
//! network disk may hang.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::store::RunFolder;
use crate::threads;

/// Time limit of a look at the disk. After that, the free space counts as unknown.
const LOOK_LIMIT: Duration = Duration::from_secs(2);
/// A look is valid for this long, unless a fresh one is needed.
const LOOK_AGE: Duration = Duration::from_millis(500);

/// Looks at the disk of a run folder.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    folder: Arc<RunFolder>,
    last: Arc<Mutex<Option<Look>>>,
}

/// One look at the disk.
#[derive(Debug, Clone, Copy)]
struct Look {
    at: Instant,
    /// Free space, bytes; `None` where that cannot be told.
    free: Option<u64>,
}

impl Disk {
    pub(super) fn new(folder: Arc<RunFolder>) -> Self {
        Self { folder, last: Arc::default() }
    }

    /// Free space now, bytes; `None` where that cannot be told.
    pub(super) async fn free_bytes(&self) -> Option<u64> {
        let folder = Arc::clone(&self.folder);
        let look = threads::begin("disk", move || folder.free_bytes());
        let free = match tokio::time::timeout(LOOK_LIMIT, look).await {
            Ok(looked) => looked.ok().flatten(),
            Err(_) => None,
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Look { at: Instant::now(), free });
        free
    }

    /// Whether the disk has this much space. If that cannot be told, it has until a write fails. `fresh`: a look of a
    /// moment ago is not enough.
    pub(super) async fn has(&self, bytes: u64, fresh: bool) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = last.filter(|look| !fresh && look.at.elapsed() < LOOK_AGE);
        let free = match recent {
            Some(look) => look.free,
            None => self.free_bytes().await,
        };
        free.is_none_or(|free| free >= bytes)
    }

    /// Reserves space again for the end of the run.
    pub(super) async fn set_reserve(&self) {
        let folder = Arc::clone(&self.folder);
        let set =
            threads::begin("disk", move || folder.set_reserve().map_err(|error| crate::error::chain(&error)));
        // Another program may have been quicker to use the space: then the next look finds that.
        if let Ok(Err(error)) = set.await {
            tracing::warn!(error, "no disk space can be reserved for the end of the run");
        }
    }
}
