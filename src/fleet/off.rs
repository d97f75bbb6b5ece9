//! `fleet off` with its stop flag, and the release of items by a person.

use std::time::Duration;

use chrono::Utc;

use super::bench::{ALL_OFF, OffReply};
use super::broker::{Broker, BrokerError, Bucket};
use super::choice::write;
use super::entry::{ItemKey, Presence, STOP_KEY, StopFlag};
use super::kv::{KeyValue, KvError};
use super::rules;
use super::status::read_bucket;
use crate::error::chain;

/// Time limit for the replies of the benches. Each aborts its scan, turns ten lasers off, and confirms this.
const OFF_LIMIT: Duration = Duration::from_secs(60);
/// Number of attempts to write an entry that others change at the same time.
const TRIES: u32 = 20;

/// The result of `fleet off`.
#[derive(Debug)]
pub struct FleetOff {
    /// The replies of the benches.
    pub replies: Vec<OffReply>,
    /// The benches that did not reply: their lasers may be on.
    pub silent: Vec<Presence>,
    /// Why the stop flag could not be set.
    pub flag: Result<(), BrokerError>,
}

/// Lets all benches turn everything off, and sets the stop flag.
///
/// # Errors
/// If the broker does not take the request.
pub async fn off(broker: &Broker) -> Result<FleetOff, BrokerError> {
    // Before everything that needs the bucket: a broker that cannot write still passes messages on.
    let questioned = broker.question_all(ALL_OFF).await?;
    let (flag, present) = match broker.create_bucket(1).await {
        Ok(bucket) => {
            let (flag, mirror) = tokio::join!(set_flag(broker, &bucket, true), read_bucket(broker));
            let present = mirror.map(|mirror| {
                let mirror = mirror.lock();
                mirror.benches.values().map(|known| known.value.clone()).collect::<Vec<_>>()
            });
            (flag, present.unwrap_or_default())
        }
        Err(error) => (Err(error), Vec::new()),
    };
    let present: Vec<Presence> = present.into_iter().filter(|bench| bench.ended.is_none()).collect();
    let all = |replies: &[OffReply]| {
        !present.is_empty()
            && present.iter().all(|bench| replies.iter().any(|reply| reply.process == bench.process))
    };
    let limit = if present.is_empty() { OFF_LIMIT / 10 } else { OFF_LIMIT };
    let replies = questioned.replies(limit, all).await;
    let silent = present
        .iter()
        .filter(|bench| !replies.iter().any(|reply| reply.process == bench.process))
        .cloned()
        .collect();
    Ok(FleetOff { replies, silent, flag })
}

/// Clears the stop flag: benches claim items again.
///
/// # Errors
/// If the broker does not confirm.
pub async fn clear(broker: &Broker) -> Result<(), BrokerError> {
    let bucket = broker.bucket().await?;
    set_flag(broker, &bucket, false).await
}

async fn set_flag(broker: &Broker, bucket: &Bucket, set: bool) -> Result<(), BrokerError> {
    let user = std::env::var("USER").unwrap_or_else(|_| "unknown".to_owned());
    let by = format!("{user}@{}", gethostname::gethostname().to_string_lossy());
    let flag = StopFlag { set, by, at: Utc::now() };
    let value = serde_json::to_vec(&flag).map_err(|error| broker.failed(error))?;
    for _ in 0..TRIES {
        let known = bucket.get(STOP_KEY).await.map_err(|error| broker.failed(chain(&error)))?;
        let written = match known {
            Some((_, revision, _)) => bucket.update(STOP_KEY, value.clone(), revision).await,
            None => bucket.create(STOP_KEY, value.clone()).await,
        };
        match written {
            Ok(_) => return Ok(()),
            Err(KvError::Changed) => {}
            Err(error) => return Err(broker.failed(chain(&error))),
        }
    }
    Err(broker.failed("others change the stop flag all the time"))
}

/// An item that was released, or why not.
#[derive(Debug)]
pub struct ReleasedItem {
    /// The item.
    pub item: u32,
    /// The bench that has lost its claim.
    pub from: Option<String>,
    /// Why the item was not released.
    pub refused: Option<String>,
}

/// Queues items again: those with these numbers, or all that are held or skipped.
///
/// # Errors
/// If the broker does not reply.
pub async fn release(
    broker: &Broker,
    batch: &str,
    numbers: &[u32],
) -> Result<Vec<ReleasedItem>, BrokerError> {
    use super::entry::FleetState::{Held, Skipped};
    let bucket = broker.bucket().await?;
    let mirror = read_bucket(broker).await?;
    let wanted: Vec<u32> = match numbers {
        [] => {
            let mirror = mirror.lock();
            let waiting = mirror
                .items
                .iter()
                .filter(|(key, known)| key.batch == batch && matches!(known.value.state, Held | Skipped));
            waiting.map(|(key, _)| key.number).collect()
        }
        numbers => numbers.to_vec(),
    };
    let mut released = Vec::new();
    for number in wanted {
        let key = ItemKey { batch: batch.to_owned(), number };
        let Some(known) = mirror.lock().items.get(&key).cloned() else {
            let refused = Some(format!("batch `{batch}` has no item {number}"));
            released.push(ReleasedItem { item: number, from: None, refused });
            continue;
        };
        let from = known.value.owner.as_ref().map(|owner| owner.bench.clone());
        let refused = match rules::release(&known.value) {
            Ok(next) => match write(&bucket, &mirror, &key, &next, known.revision).await {
                Ok(()) => None,
                Err(error) => Some(error.to_string()),
            },
            Err(refused) => Some(refused.to_string()),
        };
        released.push(ReleasedItem { item: number, from, refused });
    }
    Ok(released)
}
