//! Records the accepted results of this bench in the store, as soon as their runs are uploaded: `measured` becomes `stored`.
//! The queue and the run folders say what is left to do, so nothing is lost if the program is killed.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::answer::Shown;
use super::claims::fleet_of;
use crate::batch::Queue;
use crate::error::chain;
use crate::fleet::acceptance::record;
use crate::fleet::broker::{BrokerError, Bucket};
use crate::fleet::choice::write;
use crate::fleet::entry::{AcceptedRun, Entry, FleetState, ItemKey};
use crate::fleet::kv::KvError;
use crate::fleet::mirror::{Known, SharedMirror};
use crate::fleet::rules;
use crate::remote::{Objects, Pauses, RUNS, RemoteError, Uploads, find};

/// Several changes of the queue within this time are one reason to look.
const GATHER: Duration = Duration::from_millis(200);

/// As [`GATHER`], while the store or the broker cannot be used: other benches change the queue often, and each look would
/// be another failure.
const GATHER_AFTER_FAILURE: Duration = Duration::from_secs(2);

/// What the work needs.
pub(super) struct Recorder {
    pub(super) bench: String,
    pub(super) mirror: Arc<SharedMirror>,
    pub(super) bucket: watch::Receiver<Result<Bucket, BrokerError>>,
    pub(super) queue: Arc<Queue>,
    pub(super) uploads: Uploads,
    /// The folder of the runs.
    pub(super) out: PathBuf,
    pub(super) shown: Arc<Mutex<Shown>>,
}

/// An accepted run that is in the store, and not recorded there yet.
struct Due {
    key: ItemKey,
    known: Known<Entry>,
    run: AcceptedRun,
    /// The place of the run in the store; `None` if the local copy was deleted after its upload.
    place: Option<String>,
}

/// Why a result was not recorded.
#[derive(Debug, thiserror::Error)]
enum NotRecorded {
    #[error(transparent)]
    Store(#[from] RemoteError),
    #[error(transparent)]
    Broker(#[from] KvError),
}

/// Waits for news, and then until more news have gathered; at most for `limit`, if there is one.
async fn until_news(news: impl Future<Output = ()>, gather: Duration, limit: Option<Duration>) {
    let gathered = async {
        news.await;
        tokio::time::sleep(gather).await;
    };
    match limit {
        // The limit only ends the wait.
        Some(limit) => drop(tokio::time::timeout(limit, gathered).await),
        None => gathered.await,
    }
}

impl Recorder {
    /// Works for ever. Without a store there is nothing to do.
    pub(super) async fn work(self) {
        let Some(mut uploads) = self.uploads.status() else { return };
        let (mut changes, mut bucket) = (self.mirror.changes(), self.bucket.clone());
        let (mut pauses, mut refused) = (Pauses::default(), BTreeMap::new());
        loop {
            changes.borrow_and_update();
            uploads.borrow_and_update();
            bucket.borrow_and_update();
            let done = self.look(&mut refused).await;
            let trouble =
                done.as_ref().err().map(|error| format!("results are not recorded: {}", chain(error)));
            self.shown.lock().unwrap_or_else(PoisonError::into_inner).not_recorded = trouble;
            let news = async {
                tokio::select! {
                    _ = changes.changed() => {}
                    _ = uploads.changed() => {}
                    _ = bucket.changed() => {}
                }
            };
            if done.is_ok() {
                pauses.after_success();
                until_news(news, GATHER, None).await;
            } else {
                until_news(news, GATHER_AFTER_FAILURE, Some(pauses.after_failure())).await;
            }
        }
    }

    /// Records what is due. `refused` has the results that only a person can help, with the run of each.
    async fn look(&self, refused: &mut BTreeMap<ItemKey, String>) -> Result<(), NotRecorded> {
        let due = self.due(refused).await;
        if due.is_empty() {
            return Ok(());
        }
        let Some(objects) = self.uploads.objects().transpose()? else { return Ok(()) };
        for due in due {
            match self.record(&objects, &due).await {
                Ok(()) => {}
                Err(NotRecorded::Store(error)) if error.concerns_one_run() => {
                    tracing::warn!(
                        "the result of {} is not recorded in the store: {}",
                        due.key,
                        chain(&error)
                    );
                    refused.insert(due.key, due.run.run);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// The accepted runs of this bench that are uploaded.
    async fn due(&self, refused: &BTreeMap<ItemKey, String>) -> Vec<Due> {
        let measured: Vec<(ItemKey, Known<Entry>, AcceptedRun)> = {
            let mirror = self.mirror.lock();
            let measured = mirror.items.iter().filter(|(_, known)| known.value.state == FleetState::Measured);
            let own = measured.filter_map(|(key, known)| {
                let run = known.value.accepted.as_ref().filter(|run| run.bench == self.bench)?;
                let is_refused = refused.get(key).is_some_and(|refused| *refused == run.run);
                (!is_refused).then(|| (key.clone(), known.clone(), run.clone()))
            });
            own.collect()
        };
        if measured.is_empty() {
            return Vec::new();
        }
        let (uploads, out) = (self.uploads.clone(), self.out.clone());
        let uploaded = tokio::task::spawn_blocking(move || {
            let uploaded = measured.into_iter().filter_map(|(key, known, run)| {
                let folder = out.join(&run.folder);
                let place = uploads.receipt(&folder).map(|receipt| receipt.place);
                (place.is_some() || !folder.exists()).then_some(Due { key, known, run, place })
            });
            uploaded.collect()
        });
        uploaded.await.unwrap_or_default()
    }

    async fn record(&self, objects: &Objects, due: &Due) -> Result<(), NotRecorded> {
        let Due { key, known, run, place } = due;
        let place = match place {
            Some(place) => place.clone(),
            None => format!("{RUNS}/{}", find(objects, &run.folder).await?),
        };
        let counts = record(objects, key, &known.value.content, run, place).await?.run;
        let Ok(bucket) = self.bucket.borrow().clone() else {
            return Err(KvError::Away("the queue is not open".to_owned()).into());
        };
        let other = (counts.run != run.run).then(|| {
            format!("superseded: the store has run {} of bench {} as the result", counts.run, counts.bench)
        });
        let Ok(next) = rules::stored(&known.value, counts) else { return Ok(()) };
        match write(&bucket, &self.mirror, key, &next, known.revision).await {
            Ok(()) => {}
            // The watch brings the newer entry, and the next look decides again.
            Err(KvError::Changed) => return Ok(()),
            Err(error) => return Err(error.into()),
        }
        match other {
            None => tracing::info!("{key} is stored"),
            Some(why) => self.withdraw(key, run, &why).await,
        }
        Ok(())
    }

    /// The local item of a run that does not count.
    async fn withdraw(&self, key: &ItemKey, run: &AcceptedRun, why: &str) {
        tracing::warn!("{key}: {why}");
        let items = self.queue.items().await.map(|(items, _)| items).unwrap_or_default();
        let own = items.iter().find(|item| {
            fleet_of(item).is_some_and(|fleet| {
                (fleet.batch, fleet.item, fleet.epoch) == (key.batch.clone(), key.number, run.epoch)
            })
        });
        if let Some(item) = own
            && let Err(error) = self.queue.withdraw(item.number, why).await
        {
            tracing::error!("{key} stays in the queue of this bench: {}", chain(&error));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use futures_util::FutureExt as _;

    use super::*;

    #[tokio::test]
    async fn a_pause_after_a_failure_ends_with_news_or_with_its_limit() {
        let long = Duration::from_secs(300);
        until_news(ready(()), Duration::ZERO, Some(long)).await;
        until_news(pending(), Duration::ZERO, Some(Duration::ZERO)).await;
        for limit in [None, Some(long)] {
            assert_eq!(until_news(pending(), Duration::ZERO, limit).now_or_never(), None);
        }
    }
}
