//! Puts a batch into the queue. Submitting the same batch again changes nothing, and refills a broker that has lost its
//! disk.

use std::collections::BTreeMap;

use chrono::{DateTime, Local, Utc};
use futures_util::{StreamExt, stream};
use serde_json::json;

use super::acceptance::Acceptance;
use super::broker::{Broker, BrokerError, Bucket, LARGEST_BUNDLE, sha256};
use super::bundle::Bundle;
use super::entry::{AcceptedRun, BatchEntry, Entry, FleetState, ItemKey};
use super::kv::{KeyValue, KvError};
use super::rules;
use crate::batch::{Moment, Task, window};

/// Number of entries that are written at the same time.
const AT_ONCE: usize = 32;

/// A batch to submit. Its items are checked.
#[derive(Debug)]
pub struct Submission {
    /// Name of the batch.
    pub name: String,
    /// Its file, as given.
    pub file: String,
    /// The items in the order of the file, each with its estimated time, s, and size, bytes.
    pub items: Vec<(Task, f64, u64)>,
    /// No item starts before this time.
    pub not_before: Option<Moment>,
    /// No item starts after this time.
    pub deadline: Option<Moment>,
    /// The recipes, by the paths in the items.
    pub bundle: Bundle,
    /// Number of copies that a cluster of brokers keeps, if the queue is new.
    pub copies: usize,
}

/// What a submission has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Submitted {
    /// Number of items that are new in the queue.
    pub new: u32,
    /// Number of items that are done, because the store has their results.
    pub stored: u32,
    /// Number of other items that the queue had already.
    pub known: u32,
}

/// Why a batch was not submitted.
#[derive(Debug, thiserror::Error)]
pub enum SubmitError {
    /// The broker cannot be used.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// Another batch has the name.
    #[error("the queue has a batch `{name}` with other content, submitted at {submitted} from `{file}`")]
    OtherContent {
        /// The name.
        name: String,
        /// When it was submitted.
        submitted: DateTime<Utc>,
        /// Its file.
        file: String,
    },
    /// The store has results of another batch of this name.
    #[error("the store has a result of a batch `{name}` with other content: {run}")]
    OtherResults {
        /// The name.
        name: String,
        /// The address of the run.
        run: String,
    },
    /// The recipes are too large.
    #[error("the recipes of the batch have {bytes} bytes together, but at most {LARGEST_BUNDLE} are allowed")]
    TooLarge {
        /// Their size.
        bytes: usize,
    },
    /// An entry was not written.
    #[error("{what} was not written")]
    Entry {
        /// Which.
        what: String,
        /// The reason.
        source: KvError,
    },
    /// A value cannot be written as JSON.
    #[error("the batch cannot be written as JSON")]
    Json(#[from] serde_json::Error),
}

impl Submission {
    /// SHA-256 of the content. Times of day are part of it as they are written, so that the same file is the same batch on
    /// another day.
    fn content(&self, bundle: &str) -> String {
        let tasks: Vec<&Task> = self.items.iter().map(|(task, ..)| task).collect();
        let content = json!({
            "name": self.name, "tasks": tasks, "not_before": self.not_before, "deadline": self.deadline,
            "bundle": bundle,
        });
        sha256(content.to_string().as_bytes())
    }

    /// The entry of an item. Its times are moments from now on.
    fn entry(&self, (task, seconds, bytes): &(Task, f64, u64), batch: &BatchEntry) -> Entry {
        let now = Local::now();
        let all = window(&now, None, self.not_before, self.deadline);
        let own = window(&now, all.not_before, task.not_before, task.deadline);
        Entry {
            content: batch.content.clone(),
            bundle: batch.bundle.clone(),
            submitted: batch.submitted,
            task: task.clone(),
            not_before: own.not_before.into_iter().chain(all.not_before).max(),
            deadline: own.deadline.into_iter().chain(all.deadline).min(),
            estimated_s: *seconds,
            bytes: *bytes,
            state: FleetState::Queued,
            reason: None,
            owner: None,
            failed: Vec::new(),
            accepted: None,
        }
    }
}

/// Results of the batch that the store has, by the numbers of their items. These items are not measured again.
pub type Results = BTreeMap<u32, Acceptance>;

/// Puts a batch into the queue of the broker.
///
/// # Errors
/// See [`SubmitError`]. What was written before the error is right; submitting again writes the rest.
pub async fn submit(
    broker: &Broker,
    submission: &Submission,
    results: &Results,
) -> Result<Submitted, SubmitError> {
    let bundle = submission.bundle.bytes()?;
    if bundle.len() > LARGEST_BUNDLE {
        return Err(SubmitError::TooLarge { bytes: bundle.len() });
    }
    let content = submission.content(&sha256(&bundle));
    if let Some(other) = results.values().find(|result| result.content != content) {
        let run = other.run.store.clone().unwrap_or_default();
        return Err(SubmitError::OtherResults { name: submission.name.clone(), run });
    }
    let bucket = broker.create_bucket(submission.copies).await?;
    let key = BatchEntry::key(&submission.name);
    let failed = |what: &str, source: KvError| SubmitError::Entry { what: what.to_owned(), source };
    let known = bucket.get(&key).await.map_err(|error| failed("the batch", error))?;
    let known = known.map(|(value, ..)| serde_json::from_slice::<BatchEntry>(&value)).transpose()?;
    same(submission, known.as_ref(), &content)?;
    // The recipes come before the items, because a bench may claim an item at once.
    let name = broker.put_bundle(&bundle).await?;
    let batch = match known {
        Some(known) => known,
        None => {
            let batch = BatchEntry {
                content: content.clone(),
                bundle: name,
                file: submission.file.clone(),
                items: u32::try_from(submission.items.len()).unwrap_or(u32::MAX),
                submitted: Utc::now(),
            };
            match bucket.create(&key, serde_json::to_vec(&batch)?).await {
                Ok(_) => batch,
                // Another program submits the batch at the same time.
                Err(KvError::Changed) => {
                    let found = bucket.get(&key).await.map_err(|error| failed("the batch", error))?;
                    let found = found.map(|(value, ..)| serde_json::from_slice(&value)).transpose()?;
                    same(submission, found.as_ref(), &content)?;
                    found.unwrap_or(batch)
                }
                Err(error) => return Err(failed("the batch", error)),
            }
        }
    };
    let (batch, bucket) = (&batch, &bucket);
    let writes = stream::iter((1_u32..).zip(&submission.items)).map(|(number, item)| async move {
        let key = ItemKey { batch: submission.name.clone(), number };
        let entry = submission.entry(item, batch);
        let result = results.get(&number).map(|result| &result.run);
        let written = write_item(bucket, &key, entry, result).await;
        written.map_err(|source| SubmitError::Entry { what: key.to_string(), source })
    });
    let mut submitted = Submitted::default();
    let mut writes = writes.buffer_unordered(AT_ONCE);
    while let Some(written) = writes.next().await {
        match written? {
            Written::New => submitted.new += 1,
            Written::Stored => submitted.stored += 1,
            Written::Known => submitted.known += 1,
        }
    }
    Ok(submitted)
}

/// What has become of an item.
enum Written {
    /// The item is new in the queue, and waits for a bench.
    New,
    /// The item is done, because the store has its result.
    Stored,
    /// The queue has the item already.
    Known,
}

async fn write_item(
    bucket: &Bucket,
    key: &ItemKey,
    entry: Entry,
    result: Option<&AcceptedRun>,
) -> Result<Written, KvError> {
    let value =
        |entry: &Entry| serde_json::to_vec(entry).map_err(|error| KvError::Refused(error.to_string()));
    let done = |entry: &Entry| result.and_then(|run| rules::stored(entry, run.clone()).ok());
    let (first, written) = match done(&entry) {
        Some(stored) => (stored, Written::Stored),
        None => (entry, Written::New),
    };
    match bucket.create(&key.key(), value(&first)?).await {
        Ok(_) => return Ok(written),
        Err(KvError::Changed) => {}
        Err(error) => return Err(error),
    }
    // The queue may have the item without its result, if the batch was submitted before without the store.
    let Some((known, revision, _)) = bucket.get(&key.key()).await? else { return Ok(Written::Known) };
    let known = serde_json::from_slice::<Entry>(&known).ok().filter(|known| known.content == first.content);
    let Some(stored) = known.as_ref().and_then(done) else { return Ok(Written::Known) };
    match bucket.update(&key.key(), value(&stored)?, revision).await {
        Ok(_) => Ok(Written::Stored),
        // A bench has claimed the item just now. The record in the store decides when its run is uploaded.
        Err(KvError::Changed) => Ok(Written::Known),
        Err(error) => Err(error),
    }
}

/// Refuses a batch with the name of another one.
fn same(submission: &Submission, known: Option<&BatchEntry>, content: &str) -> Result<(), SubmitError> {
    match known {
        Some(known) if known.content != content => Err(SubmitError::OtherContent {
            name: submission.name.clone(),
            submitted: known.submitted,
            file: crate::shown::beginning(&known.file).into_owned(),
        }),
        Some(_) | None => Ok(()),
    }
}
