//! The bucket as a bench or a command knows it: a copy in memory, which the watch of the bucket keeps up to date.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;
use tokio::sync::watch;

use super::entry::{BatchEntry, Entry, ItemKey, Presence, STOP_KEY, StopFlag};

/// A value with its revision.
#[derive(Debug, Clone)]
pub struct Known<T> {
    /// The value.
    pub value: T,
    /// The revision.
    pub revision: u64,
    /// When this program has first seen the revision. Leases are judged by it, and never by the time of day.
    pub seen: Instant,
}

impl<T> Known<T> {
    /// For how long the revision has not changed.
    #[must_use]
    pub fn unchanged(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.seen)
    }
}

/// The copy.
#[derive(Debug, Default)]
pub struct Mirror {
    /// The items.
    pub items: BTreeMap<ItemKey, Known<Entry>>,
    /// The batches by name.
    pub batches: BTreeMap<String, Known<BatchEntry>>,
    /// The benches by name.
    pub benches: BTreeMap<String, Known<Presence>>,
    /// The serial numbers of instruments, by key.
    pub serials: BTreeMap<String, Known<Presence>>,
    /// The stop flag.
    pub stop: Option<Known<StopFlag>>,
    /// Keys whose values this program cannot read.
    pub unreadable: BTreeSet<String>,
}

impl Mirror {
    /// Takes a value over, unless a newer one is known.
    pub fn apply(&mut self, key: &str, value: &[u8], revision: u64, now: Instant) {
        let read = if let Some(item) = ItemKey::read(key) {
            put(&mut self.items, item, value, revision, now)
        } else if let Some(batch) = key.strip_prefix("batch.") {
            put(&mut self.batches, batch.to_owned(), value, revision, now)
        } else if let Some(bench) = key.strip_prefix("bench.") {
            put(&mut self.benches, bench.to_owned(), value, revision, now)
        } else if key.starts_with("serial.") {
            put(&mut self.serials, key.to_owned(), value, revision, now)
        } else if key == STOP_KEY {
            let mut flags: BTreeMap<(), Known<StopFlag>> =
                self.stop.take().map(|known| ((), known)).into_iter().collect();
            let read = put(&mut flags, (), value, revision, now);
            self.stop = flags.remove(&());
            read
        } else {
            // A later version may have other keys.
            return;
        };
        if read {
            self.unreadable.remove(key);
        } else {
            self.unreadable.insert(key.to_owned());
        }
    }

    /// Whether the stop flag is set.
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stop.as_ref().is_some_and(|flag| flag.value.set)
    }
}

/// Returns whether the value can be read.
fn put<K: Ord, T: DeserializeOwned>(
    map: &mut BTreeMap<K, Known<T>>,
    key: K,
    value: &[u8],
    revision: u64,
    now: Instant,
) -> bool {
    if map.get(&key).is_some_and(|known| known.revision >= revision) {
        return true;
    }
    match serde_json::from_slice(value) {
        Ok(value) => {
            map.insert(key, Known { value, revision, seen: now });
            true
        }
        Err(error) => {
            tracing::warn!(%error, "an entry of the queue cannot be read; a later version of ctp10 may have written it");
            // An old value would be claimed with an old revision, again and again.
            map.remove(&key);
            false
        }
    }
}

/// A mirror that several tasks share, and that reports changes.
#[derive(Debug, Default)]
pub struct SharedMirror {
    mirror: Mutex<Mirror>,
    changed: watch::Sender<u64>,
    /// Whether the mirror has everything that the bucket has.
    synced: watch::Sender<bool>,
}

impl SharedMirror {
    /// The mirror. Nobody may wait while holding it.
    pub fn lock(&self) -> MutexGuard<'_, Mirror> {
        self.mirror.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a value over.
    pub fn apply(&self, key: &str, value: &[u8], revision: u64) {
        self.lock().apply(key, value, revision, Instant::now());
        self.changed.send_modify(|changes| *changes += 1);
    }

    /// Forgets everything: the bucket is another one.
    pub fn clear(&self) {
        *self.lock() = Mirror::default();
        self.changed.send_modify(|changes| *changes += 1);
    }

    /// Sets whether the mirror has everything.
    pub fn set_synced(&self, synced: bool) {
        if self.synced.send_replace(synced) != synced {
            self.changed.send_modify(|changes| *changes += 1);
        }
    }

    /// Whether the mirror has everything that the bucket has.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        *self.synced.borrow()
    }

    /// Waits until the mirror has everything.
    pub async fn synced(&self) {
        // The sender belongs to this struct, so it is not closed.
        let _ = self.synced.subscribe().wait_for(|synced| *synced).await;
    }

    /// Reports changes: a number that differs after each change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }
}
