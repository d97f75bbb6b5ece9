//! The overview of the fleet: the queue from the bucket, and the benches from their replies.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::bench::{ALL_STATUS, BenchStatus};
use super::broker::{Broker, BrokerError};
use super::entry::{AcceptedRun, Entry, FailedRun, FleetState, ItemKey, Presence, StopFlag};
use super::mirror::{Known, Mirror, SharedMirror};
use super::rules;

/// Time limit for the bucket.
const BUCKET_LIMIT: Duration = Duration::from_secs(20);
/// Time limit for the replies of the benches.
const REPLY_LIMIT: Duration = Duration::from_secs(3);

/// An item in the overview.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ItemOverview {
    /// The batch.
    pub batch: String,
    /// The number of the item.
    pub item: u32,
    /// The recipe and its values.
    pub about: String,
    /// The state.
    pub state: FleetState,
    /// The reason for the state.
    pub reason: Option<String>,
    /// The bench that has claimed the item.
    pub bench: Option<String>,
    /// The epoch of the claim.
    pub epoch: Option<u64>,
    /// When the item was claimed.
    pub since: Option<DateTime<Utc>>,
    /// The only bench that may take the item.
    pub only: Option<String>,
    /// The labels that a bench must have.
    pub needs: Vec<String>,
    /// Whether another bench takes the item after its lease.
    pub elsewhere: bool,
    /// The item does not start before this time.
    pub not_before: Option<DateTime<Utc>>,
    /// The item does not start after this time.
    pub deadline: Option<DateTime<Utc>>,
    /// Estimated time, s.
    pub estimated_s: f64,
    /// The failed runs.
    pub failed: Vec<FailedRun>,
    /// The accepted run.
    pub accepted: Option<AcceptedRun>,
    /// Whether the item waits, and no bench can do it.
    pub impossible: bool,
}

/// A batch in the overview.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BatchOverview {
    /// Its name.
    pub batch: String,
    /// Its file, as given.
    pub file: String,
    /// When it was submitted first.
    pub submitted: DateTime<Utc>,
    /// Number of items.
    pub items: u32,
    /// The number of items in each state.
    pub counts: BTreeMap<&'static str, u32>,
    /// Number of items that wait although a run failed.
    pub failed: u32,
    /// Number of waiting items that no bench can do.
    pub impossible: u32,
    /// Estimated time of the waiting items, s.
    pub waiting_s: f64,
}

/// A bench in the overview.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BenchOverview {
    /// Its name.
    pub bench: String,
    /// Whether the process has ended in good order.
    pub ended: Option<DateTime<Utc>>,
    /// Whether the bench replies.
    pub replies: bool,
    /// The process that has the name.
    pub process: Presence,
    /// Its reply.
    pub status: Option<BenchStatus>,
}

/// The overview. Fields may be added, and no field changes its meaning.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Overview {
    /// The broker.
    pub broker: String,
    /// When the overview was made.
    pub time: DateTime<Utc>,
    /// The stop flag, if it is set.
    pub stop: Option<StopFlag>,
    /// The benches.
    pub benches: Vec<BenchOverview>,
    /// The batches, the oldest first.
    pub batches: Vec<BatchOverview>,
    /// All items.
    pub items: Vec<ItemOverview>,
}

/// The bucket of the broker, as it is now.
///
/// # Errors
/// If there is no queue, or the broker does not reply in time.
pub(super) async fn read_bucket(broker: &Broker) -> Result<Arc<SharedMirror>, BrokerError> {
    broker.bucket().await?;
    let mirror = Arc::new(SharedMirror::default());
    let (opened, mut state) = tokio::sync::watch::channel(Err(broker.failed("the queue was not read yet")));
    let read = async {
        tokio::select! {
            () = broker.follow(Arc::clone(&mirror), opened) => {}
            () = mirror.synced() => {}
        }
    };
    if tokio::time::timeout(BUCKET_LIMIT, read).await.is_err() {
        let why = state.borrow_and_update().as_ref().err().cloned();
        return Err(why.unwrap_or_else(|| broker.failed("the queue did not arrive in time")));
    }
    Ok(mirror)
}

/// The overview of the fleet.
///
/// # Errors
/// If there is no queue, or the broker does not reply.
pub async fn overview(broker: &Broker) -> Result<Overview, BrokerError> {
    let mirror = read_bucket(broker).await?;
    let present: Vec<Presence> = mirror
        .lock()
        .benches
        .values()
        .map(|known| known.value.clone())
        .filter(|bench| bench.ended.is_none())
        .collect();
    let all = |replies: &[BenchStatus]| {
        present.iter().all(|bench| replies.iter().any(|reply| reply.process == bench.process))
    };
    let replies = broker.ask_all(ALL_STATUS, REPLY_LIMIT, all).await?;
    let mirror = mirror.lock();
    Ok(from_mirror(broker.address(), &mirror, &replies))
}

fn from_mirror(address: &str, mirror: &Mirror, replies: &[BenchStatus]) -> Overview {
    let known: Vec<&Presence> = mirror.benches.values().map(|known| &known.value).collect();
    let items: Vec<ItemOverview> =
        mirror.items.iter().map(|(key, known_item)| item(key, known_item, &known)).collect();
    let mut batches: Vec<BatchOverview> = mirror
        .batches
        .iter()
        .map(|(name, batch)| {
            let own = || items.iter().filter(|item| item.batch == *name);
            let waiting = || own().filter(|item| item.state == FleetState::Queued);
            let count = |state: FleetState| to_count(own().filter(|item| item.state == state).count());
            BatchOverview {
                batch: name.clone(),
                file: batch.value.file.clone(),
                submitted: batch.value.submitted,
                items: batch.value.items,
                counts: FleetState::ALL.map(|state| (state.as_str(), count(state))).into(),
                failed: to_count(waiting().filter(|item| !item.failed.is_empty()).count()),
                impossible: to_count(waiting().filter(|item| item.impossible).count()),
                // The sum of no seconds is −0.0.
                waiting_s: 0.0 + waiting().map(|item| item.estimated_s).sum::<f64>(),
            }
        })
        .collect();
    batches.sort_by_key(|batch| batch.submitted);
    let benches = known.iter().map(|presence| {
        let status = replies.iter().find(|reply| reply.process == presence.process).cloned();
        BenchOverview {
            bench: presence.bench.clone(),
            ended: presence.ended,
            replies: status.is_some(),
            process: (*presence).clone(),
            status,
        }
    });
    Overview {
        broker: address.to_owned(),
        time: Utc::now(),
        stop: mirror.stop.as_ref().map(|flag| flag.value.clone()).filter(|flag| flag.set),
        benches: benches.collect(),
        batches,
        items,
    }
}

fn to_count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

fn item(key: &ItemKey, known: &Known<Entry>, benches: &[&Presence]) -> ItemOverview {
    let entry = &known.value;
    let can = |bench: &&&Presence| {
        rules::unsuitable(&entry.task.placement, &bench.bench, &bench.labels).is_none()
            && !entry.failed.iter().any(|failed| failed.bench == bench.bench)
    };
    ItemOverview {
        batch: key.batch.clone(),
        item: key.number,
        about: entry.task.describe(),
        state: entry.state,
        reason: entry.reason.clone(),
        bench: entry.owner.as_ref().map(|owner| owner.bench.clone()),
        epoch: entry.epoch(known.revision),
        since: entry.owner.as_ref().map(|owner| owner.since),
        only: entry.task.placement.bench.clone(),
        needs: entry.task.placement.needs.clone(),
        elsewhere: entry.task.placement.elsewhere,
        not_before: entry.not_before,
        deadline: entry.deadline,
        estimated_s: entry.estimated_s,
        failed: entry.failed.clone(),
        accepted: entry.accepted.clone(),
        impossible: entry.state == FleetState::Queued && benches.iter().find(can).is_none(),
    }
}
