//! Which item a bench takes next, and the claim. The decision is the one of the queue of a single bench.

#[cfg(test)]
mod tests;

use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};

use super::entry::{Entry, FleetState, ItemKey};
use super::kv::{KeyValue, KvError};
use super::mirror::{Known, Mirror, SharedMirror};
use super::rules;
use crate::batch::{Candidate, Decision, Situation, next_item};

/// A bench, as far as a decision needs it.
#[derive(Debug, Clone)]
pub(super) struct Taker {
    /// Its name.
    pub bench: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// The lease for items that may be measured elsewhere.
    pub lease: Duration,
    /// Free disk space for another run, bytes; `None` if it is unknown.
    pub room: Option<u64>,
}

/// An item that the bench could claim.
struct Offer<'a> {
    key: &'a ItemKey,
    entry: &'a Entry,
}

impl Candidate for Offer<'_> {
    type Key = ItemKey;

    fn key(&self) -> ItemKey {
        self.key.clone()
    }

    fn is_queued(&self) -> bool {
        true
    }

    fn priority(&self) -> i64 {
        i64::from(self.entry.task.priority)
    }

    fn place(&self) -> i64 {
        self.entry.submitted.timestamp_millis()
    }

    fn not_before(&self) -> Option<DateTime<Utc>> {
        self.entry.not_before
    }

    fn deadline(&self) -> Option<DateTime<Utc>> {
        // An expired claim is not skipped, because its run may have been measured in time.
        self.entry.deadline.filter(|_| self.entry.state == FleetState::Queued)
    }
}

impl Taker {
    /// Whether the bench could claim the item.
    fn wants(&self, known: &Known<Entry>, at: Instant) -> bool {
        let fits = self.room.is_none_or(|room| crate::batch::reserve(known.value.bytes) <= room);
        let who = (self.bench.as_str(), self.labels.as_slice());
        fits && rules::claim(&known.value, who, self.lease, known.unchanged(at), Utc::now()).is_ok()
    }

    /// The decision at this moment.
    #[must_use]
    pub(super) fn decide(&self, mirror: &Mirror, now: DateTime<Utc>, at: Instant) -> Decision<ItemKey> {
        let offers: Vec<Offer<'_>> = mirror
            .items
            .iter()
            .filter(|(_, known)| self.wants(known, at))
            .map(|(key, known)| Offer { key, entry: &known.value })
            .collect();
        let situation = Situation { items: &offers, paused: mirror.is_stopped(), ..Situation::default() };
        next_item(&situation, now)
    }
}

/// The result of an attempt to claim an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Taken {
    /// The bench has claimed the item.
    Claimed(ItemKey),
    /// Another bench was faster, or the deadline of an item has passed: decide again.
    Again,
    /// There is no item for this bench now; `until` is when the next may start.
    Nothing {
        /// When the next item may start.
        until: Option<DateTime<Utc>>,
    },
    /// The broker does not confirm. The mirror will show whether the claim was written.
    Unclear(String),
}

/// Claims the next item, if there is one.
pub(super) async fn take(taker: &Taker, kv: &impl KeyValue, mirror: &SharedMirror) -> Taken {
    let (now, at) = (Utc::now(), Instant::now());
    let decision = taker.decide(&mirror.lock(), now, at);
    let (key, skipped) = match decision {
        Decision::Begin(key) => (key, None),
        Decision::Skip { item, reason } => (item, Some(reason)),
        Decision::Wait { until } => return Taken::Nothing { until: Some(until) },
        Decision::Paused | Decision::Idle | Decision::Stop(_) => return Taken::Nothing { until: None },
    };
    let Some(known) = mirror.lock().items.get(&key).cloned() else { return Taken::Again };
    let is_claim = skipped.is_none();
    let next = match skipped {
        None => {
            let who = (taker.bench.as_str(), taker.labels.as_slice());
            rules::claim(&known.value, who, taker.lease, known.unchanged(at), now)
        }
        Some(reason) => rules::skip(&known.value, reason),
    };
    let Ok(next) = next else { return Taken::Again };
    match write(kv, mirror, &key, &next, known.revision).await {
        Ok(()) if is_claim => Taken::Claimed(key),
        Ok(()) => Taken::Again,
        Err(KvError::Changed) => {
            // The watch brings the newer value soon. Until then the bench must not try the same revision again.
            let mut mirror = mirror.lock();
            if mirror.items.get(&key).is_some_and(|present| present.revision == known.revision) {
                mirror.items.remove(&key);
            }
            Taken::Again
        }
        Err(error @ (KvError::Away(_) | KvError::Refused(_))) => Taken::Unclear(error.to_string()),
    }
}

/// Replaces an item, and enters it into the mirror.
///
/// # Errors
/// If the revision is another one, or the broker does not confirm.
pub(super) async fn write(
    kv: &impl KeyValue,
    mirror: &SharedMirror,
    key: &ItemKey,
    entry: &Entry,
    revision: u64,
) -> Result<(), KvError> {
    let value = serde_json::to_vec(entry).map_err(|error| KvError::Refused(error.to_string()))?;
    let revision = kv.update(&key.key(), value.clone(), revision).await?;
    mirror.apply(&key.key(), &value, revision);
    Ok(())
}
