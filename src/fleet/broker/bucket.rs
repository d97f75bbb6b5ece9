//! The bucket with the entries of the queue.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{CreateStreamErrorKind, KeyValueErrorKind};
use async_nats::jetstream::kv::{CreateErrorKind, Store, UpdateErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use chrono::{DateTime, Utc};

use super::{Broker, BrokerError};
use crate::error::chain;
use crate::fleet::kv::{KeyValue, KvError};

/// Name of the bucket with the entries.
const BUCKET: &str = "ctp10";
/// Name of the object store with the bundles.
pub(super) const BUNDLES: &str = "ctp10-bundles";
/// The largest entry, bytes.
const LARGEST_ENTRY: i32 = 1 << 20;

/// The bucket of the queue.
#[derive(Debug, Clone)]
pub struct Bucket {
    store: Store,
}

impl Broker {
    /// The bucket of the queue.
    ///
    /// # Errors
    /// If the broker has none, or does not reply.
    pub async fn bucket(&self) -> Result<Bucket, BrokerError> {
        match self.context.get_key_value(BUCKET).await {
            Ok(store) => Ok(Bucket { store }),
            Err(error) => {
                let why = chain(&error);
                let is_missing = match error.kind() {
                    KeyValueErrorKind::GetBucket => why.contains("stream not found"),
                    KeyValueErrorKind::InvalidStoreName | KeyValueErrorKind::JetStream => false,
                };
                let address = self.address.clone();
                if is_missing {
                    return Err(BrokerError::NoQueue { address });
                }
                if why.contains("no responders") || why.contains("not enabled") {
                    return Err(BrokerError::NoJetStream { address });
                }
                Err(BrokerError::Failed { address, why })
            }
        }
    }

    /// The bucket of the queue. If there is none, the bucket and the object store are created with this number of copies.
    ///
    /// # Errors
    /// If the broker refuses them, or does not reply.
    pub async fn create_bucket(&self, copies: usize) -> Result<Bucket, BrokerError> {
        match self.bucket().await {
            Err(BrokerError::NoQueue { .. }) => {}
            found => return found,
        }
        // The client library would ask for settings that servers before 2.10 do not know.
        self.create(Config {
            name: format!("KV_{BUCKET}"),
            description: Some("The queue of ctp10: items, batches and benches".to_owned()),
            subjects: vec![format!("$KV.{BUCKET}.>")],
            max_messages_per_subject: 1,
            max_message_size: LARGEST_ENTRY,
            storage: StorageType::File,
            num_replicas: copies,
            discard: DiscardPolicy::New,
            allow_rollup: true,
            allow_direct: true,
            deny_delete: true,
            ..Config::default()
        })
        .await?;
        self.create(Config {
            name: format!("OBJ_{BUNDLES}"),
            description: Some("The recipes of the batches of ctp10, under their SHA-256".to_owned()),
            subjects: vec![format!("$O.{BUNDLES}.C.>"), format!("$O.{BUNDLES}.M.>")],
            storage: StorageType::File,
            num_replicas: copies,
            discard: DiscardPolicy::New,
            allow_rollup: true,
            allow_direct: true,
            ..Config::default()
        })
        .await?;
        self.bucket().await
    }

    async fn create(&self, config: Config) -> Result<(), BrokerError> {
        match self.context.create_stream(config).await {
            Ok(_) => Ok(()),
            Err(error) => match error.kind() {
                // Another program was faster.
                CreateStreamErrorKind::JetStream(refused)
                    if refused.error_code() == ErrorCode::STREAM_NAME_EXIST =>
                {
                    Ok(())
                }
                _ => Err(self.failed(chain(&error))),
            },
        }
    }
}

impl Bucket {
    pub(super) fn store(&self) -> &Store {
        &self.store
    }

    /// When the bucket was created, ns since 1970. A broker that lost its disk gets another bucket.
    pub(super) fn created(&self) -> i128 {
        self.store.stream.cached_info().created.unix_timestamp_nanos()
    }

    /// The value of a key with its revision, and the time of the broker when the value was written.
    ///
    /// # Errors
    /// If the broker does not reply.
    pub async fn get(&self, key: &str) -> Result<Option<(Vec<u8>, u64, DateTime<Utc>)>, KvError> {
        let found = self.store.entry(key).await.map_err(|error| KvError::Away(chain(&error)))?;
        Ok(found.map(|entry| {
            let nanos = entry.created.unix_timestamp_nanos();
            let written = DateTime::from_timestamp_nanos(i64::try_from(nanos).unwrap_or_default());
            (entry.value.to_vec(), entry.revision, written)
        }))
    }
}

impl KeyValue for Bucket {
    async fn create(&self, key: &str, value: Vec<u8>) -> Result<u64, KvError> {
        self.store.create(key, value.into()).await.map_err(|error| match error.kind() {
            CreateErrorKind::AlreadyExists => KvError::Changed,
            CreateErrorKind::InvalidKey => KvError::Refused(chain(&error)),
            CreateErrorKind::Publish | CreateErrorKind::Ack | CreateErrorKind::Other => {
                KvError::Away(chain(&error))
            }
        })
    }

    async fn update(&self, key: &str, value: Vec<u8>, revision: u64) -> Result<u64, KvError> {
        self.store.update(key, value.into(), revision).await.map_err(|error| match error.kind() {
            UpdateErrorKind::WrongLastRevision => KvError::Changed,
            UpdateErrorKind::InvalidKey => KvError::Refused(chain(&error)),
            UpdateErrorKind::TimedOut | UpdateErrorKind::Other => KvError::Away(chain(&error)),
        })
    }
}
