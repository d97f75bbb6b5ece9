//! The threads that write traces. A step that is ended leaves them at work, so the run waits for them before it goes on: the
//! next attempt at the fetch uses the same file names.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedRwLockReadGuard, RwLock};

use crate::run::engine::Engine;
use crate::run::events::RunEvent;

/// A disk that takes longer than this does not hold up the end of a run. The lasers may still be on.
const LIMIT: Duration = Duration::from_secs(30);

/// The threads. Each has a guard, and the guard is dropped when its file is stored or removed.
#[derive(Default)]
pub(in crate::run) struct Writers(Arc<RwLock<()>>);

impl Writers {
    pub(super) async fn begin(&self) -> OwnedRwLockReadGuard<()> {
        Arc::clone(&self.0).read_owned().await
    }

    async fn ended(&self) {
        drop(self.0.write().await);
    }
}

impl Engine {
    /// Breaks off what an ended step has begun: on the instrument, and in the run folder.
    pub(in crate::run::engine) async fn break_off(&mut self) {
        self.bench.break_off().await;
        let heartbeat = self.bench.heartbeat.clone();
        if tokio::time::timeout(LIMIT, heartbeat.during(self.writers.ended())).await.is_ok() {
            return;
        }
        let message = format!("a trace is still being written after {} s: the disk is slow", LIMIT.as_secs());
        if let Err(fault) = self.log.emit(RunEvent::Warning { message }) {
            tracing::error!("{fault}");
        }
    }
}
