//! Accepted results in the object store: `fleet/<batch>/<item>.json`. The first record of an item stays for ever, so that the
//! store decides even if the broker has lost its disk and an item was measured twice.

use std::collections::BTreeMap;

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::entry::{AcceptedRun, ItemKey};
use crate::remote::{Objects, RemoteError};

/// The version of the format.
const VERSION: u32 = 1;
/// The folder of the records in a store.
const FOLDER: &str = "fleet";
/// The largest record that is read, bytes.
const LARGEST: u64 = 1 << 16;
/// Records that are read at the same time.
const AT_ONCE: usize = 16;

/// The record of an accepted result. Fields may be added, and no field changes its meaning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Acceptance {
    schema_version: u32,
    /// The batch.
    batch: String,
    /// Number of the item.
    item: u32,
    /// SHA-256 of the content of the batch, hexadecimal.
    pub(super) content: String,
    /// The run. The record in the store has only its place. After reading, the run has its address, too.
    #[serde(flatten)]
    pub(super) run: AcceptedRun,
    /// The place of the run in the store.
    place: String,
    /// SHA-256 of `run.json` at this place, hexadecimal.
    run_json_sha256: String,
}

fn name(key: &ItemKey) -> String {
    format!("{FOLDER}/{}/{}.json", key.batch, key.number)
}

/// Records that a run is the accepted result of an item. Returns the record that counts: an earlier one, if there is one.
///
/// # Errors
/// If the store does not have the run, has a record for another batch of this name, or cannot be used.
pub(super) async fn record(
    objects: &Objects,
    key: &ItemKey,
    content: &str,
    run: &AcceptedRun,
    place: String,
) -> Result<Acceptance, RemoteError> {
    let manifest = format!("{place}/{}", crate::store::MANIFEST_FILE);
    let Some((_, run_json_sha256)) = objects.sha256(&manifest).await? else {
        return Err(RemoteError::WhichRun(format!("`{manifest}` does not exist in the store")));
    };
    let acceptance = Acceptance {
        schema_version: VERSION,
        batch: key.batch.clone(),
        item: key.number,
        content: content.to_owned(),
        run: AcceptedRun { store: None, ..run.clone() },
        place,
        run_json_sha256,
    };
    let text =
        serde_json::to_vec_pretty(&acceptance).map_err(|error| RemoteError::Disk(error.to_string()))?;
    let name = name(key);
    objects.create(&name, text).await?;
    // What the store returns counts, whether it is new or was there before.
    let counts = read(objects, &name).await?.ok_or_else(|| RemoteError::NotVerified(name.clone()))?;
    if counts.content == content { Ok(counts) } else { Err(RemoteError::OtherContent(name)) }
}

async fn read(objects: &Objects, name: &str) -> Result<Option<Acceptance>, RemoteError> {
    let Some(text) = objects.get(name, LARGEST).await? else { return Ok(None) };
    let mut read: Acceptance =
        serde_json::from_slice(&text).map_err(|_| RemoteError::OtherContent(name.to_owned()))?;
    read.run.store = Some(format!("{}/{}", objects.address(), read.place));
    Ok(Some(read))
}

/// The records of a batch by the numbers of their items.
///
/// # Errors
/// If a record cannot be read, or the store cannot be used.
pub async fn accepted_results(
    objects: &Objects,
    batch: &str,
) -> Result<BTreeMap<u32, Acceptance>, RemoteError> {
    let above = format!("{FOLDER}/{batch}");
    let listed = objects.list(&above).await?;
    let number =
        |name: &str| name.strip_prefix(&above)?.strip_prefix('/')?.strip_suffix(".json")?.parse().ok();
    let mut reads = Vec::with_capacity(listed.len());
    for object in &listed {
        let Some(number) = number(&object.name) else { continue };
        reads.push(async move {
            let read = read(objects, &object.name).await;
            read.map(|read| read.map(|acceptance| (number, acceptance)))
        });
    }
    let found: Vec<_> = stream::iter(reads).buffer_unordered(AT_ONCE).try_collect().await?;
    Ok(found.into_iter().flatten().collect())
}
