//! Keeps a mirror of the bucket up to date, across interruptions of the connection and a new bucket.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::kv::Operation;
use futures_util::StreamExt;

use super::{Broker, BrokerError, Bucket};
use crate::error::chain;
use crate::fleet::mirror::SharedMirror;

/// Pause before the watch begins again.
const PAUSE: Duration = Duration::from_secs(1);
/// A watch begins again if nothing arrives for this time before the mirror is complete. A broker that has just started sometimes
/// accepts a watch, and sends nothing.
const SILENCE: Duration = Duration::from_secs(3);

impl Broker {
    /// Keeps the mirror up to date for ever. `opened` gets the bucket, or why there is none.
    pub async fn follow(
        &self,
        mirror: Arc<SharedMirror>,
        opened: tokio::sync::watch::Sender<Result<Bucket, BrokerError>>,
    ) {
        let mut connection = self.connection();
        let mut created = None;
        loop {
            connection.borrow_and_update();
            match self.bucket().await {
                Ok(bucket) => {
                    if created.replace(bucket.created()).is_some_and(|before| before != bucket.created()) {
                        tracing::warn!("the broker has a new queue: the earlier one was lost or deleted");
                        mirror.clear();
                    }
                    let _ = opened.send(Ok(bucket.clone()));
                    tokio::select! {
                        why = watch(&bucket, &mirror) => tracing::debug!(why, "the watch of the queue has ended"),
                        // After an interruption, changes may be missing.
                        _ = connection.changed() => {}
                    }
                }
                Err(error) => {
                    let _ = opened.send(Err(error));
                }
            }
            mirror.set_synced(false);
            tokio::time::sleep(PAUSE).await;
        }
    }
}

/// Follows the bucket until this fails; returns the reason.
async fn watch(bucket: &Bucket, mirror: &SharedMirror) -> String {
    let mut entries = match bucket.store().watch_with_history(">").await {
        Ok(entries) => entries,
        Err(error) => return chain(&error),
    };
    // An empty bucket sends nothing.
    if bucket.store().stream.cached_info().state.messages == 0 {
        mirror.set_synced(true);
    }
    loop {
        let next = match mirror.is_synced() {
            true => entries.next().await,
            false => match tokio::time::timeout(SILENCE, entries.next()).await {
                Ok(next) => next,
                Err(_) => return format!("the broker has sent nothing for {} s", SILENCE.as_secs()),
            },
        };
        let Some(entry) = next else { return "the broker ended it".to_owned() };
        match entry {
            Ok(entry) => {
                if entry.operation == Operation::Put {
                    mirror.apply(&entry.key, &entry.value, entry.revision);
                }
                if entry.seen_current {
                    mirror.set_synced(true);
                }
            }
            Err(error) => return chain(&error),
        }
    }
}
