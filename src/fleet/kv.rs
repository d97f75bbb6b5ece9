//! The operations on the bucket that claims need, so that races and lost revisions are tested without a broker.

use std::future::Future;

/// Why an entry was not written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KvError {
    /// The entry has another revision. Nothing was written.
    #[error("another program has changed the entry")]
    Changed,
    /// The broker did not confirm in time. The entry may have been written.
    #[error("the broker does not reply: {0}")]
    Away(String),
    /// The broker has refused the entry.
    #[error("the broker refused the entry: {0}")]
    Refused(String),
}

/// A bucket with revisions: every write gets a number that is higher than all earlier ones.
pub(super) trait KeyValue: Send + Sync {
    /// Writes an entry if there is none; returns its revision.
    fn create(&self, key: &str, value: Vec<u8>) -> impl Future<Output = Result<u64, KvError>> + Send;

    /// Replaces an entry if it still has this revision; returns the new one.
    fn update(
        &self,
        key: &str,
        value: Vec<u8>,
        revision: u64,
    ) -> impl Future<Output = Result<u64, KvError>> + Send;
}

#[cfg(test)]
pub(super) mod memory {
    use std::collections::BTreeMap;
    use std::sync::Mutex;

    use super::{KeyValue, KvError};

    /// Values with their revisions, by key.
    pub(in crate::fleet) type Entries = BTreeMap<String, (Vec<u8>, u64)>;

    /// A bucket in memory.
    #[derive(Debug, Default)]
    pub(in crate::fleet) struct Memory {
        entries: Mutex<(u64, Entries)>,
        /// How many of the next writes happen, but are not confirmed.
        pub(in crate::fleet) unconfirmed: Mutex<u32>,
    }

    impl Memory {
        /// All entries with their revisions.
        pub(in crate::fleet) fn entries(&self) -> Entries {
            self.entries.lock().unwrap().1.clone()
        }

        fn write(&self, key: &str, value: Vec<u8>, expected: Option<u64>) -> Result<u64, KvError> {
            let mut entries = self.entries.lock().unwrap();
            if entries.1.get(key).map(|(_, revision)| *revision) != expected {
                return Err(KvError::Changed);
            }
            entries.0 += 1;
            let revision = entries.0;
            entries.1.insert(key.to_owned(), (value, revision));
            let mut unconfirmed = self.unconfirmed.lock().unwrap();
            if *unconfirmed > 0 {
                *unconfirmed -= 1;
                return Err(KvError::Away("no confirmation".to_owned()));
            }
            Ok(revision)
        }
    }

    impl KeyValue for Memory {
        async fn create(&self, key: &str, value: Vec<u8>) -> Result<u64, KvError> {
            self.write(key, value, None)
        }

        async fn update(&self, key: &str, value: Vec<u8>, revision: u64) -> Result<u64, KvError> {
            self.write(key, value, Some(revision))
        }
    }
}
