//! From a claim on the broker to an item in the local queue.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::agent::Agent;
use crate::batch::Task;
use crate::catalogue::{ItemRow, NewItem};
use crate::error::chain;
use crate::fleet::bundle::Bundle;
use crate::fleet::entry::{Entry, FleetState, ItemKey};
use crate::fleet::mirror::Known;
use crate::fleet::rules::{Claim, Report};
use crate::store::FleetRecord;

/// The folder for unpacked recipes, beside the run folders.
const FOLDER: &str = "fleet-recipes";

/// The item of the fleet that a local item measures.
pub(super) fn fleet_of(item: &ItemRow) -> Option<FleetRecord> {
    serde_json::from_value(item.payload.get("fleet")?.clone()).ok()
}

impl Agent {
    /// Claims of this bench that the local queue does not know: made just now, or before a restart.
    fn unknown_claims(&self, items: &[ItemRow]) -> Vec<(ItemKey, Known<Entry>)> {
        let is_known = |key: &ItemKey, epoch: u64| {
            items.iter().filter_map(fleet_of).any(|fleet| {
                (fleet.batch.as_str(), fleet.item, fleet.epoch) == (key.batch.as_str(), key.number, epoch)
            })
        };
        let mirror = self.mirror.lock();
        let own = mirror.items.iter().filter(|(key, known)| {
            let owner = known.value.owner.as_ref().filter(|owner| owner.bench == self.me.bench);
            let epoch = known.value.epoch(known.revision);
            known.value.state == FleetState::Claimed
                && owner.is_some()
                && epoch.is_some_and(|epoch| !is_known(key, epoch))
        });
        own.map(|(key, known)| (key.clone(), known.clone())).collect()
    }

    /// Adds claims that the local queue does not know to it; returns whether there were any.
    pub(super) async fn adopt(&mut self, items: &[ItemRow]) -> bool {
        let unknown = self.unknown_claims(items);
        for (key, known) in &unknown {
            let Some(epoch) = known.value.epoch(known.revision) else { continue };
            let fleet = FleetRecord {
                batch: key.batch.clone(),
                content: known.value.content.clone(),
                item: key.number,
                bench: self.me.bench.clone(),
                epoch,
            };
            match self.unpack(&known.value).await {
                Ok(recipe) => {
                    let task = Task {
                        recipe: recipe.display().to_string(),
                        fleet: Some(fleet),
                        ..known.value.task.clone()
                    };
                    if let Err(error) = self.queue.add(vec![new_item(&task, &known.value)]).await {
                        tracing::error!(
                            "{key} cannot be added to the queue of this bench: {}",
                            chain(&error)
                        );
                    } else {
                        tracing::info!("this bench has claimed {key} with epoch {epoch}");
                    }
                }
                Err(Unpacked::Later(why)) => self.say(format!("{key} waits for its recipe: {why}")),
                Err(Unpacked::Never(why)) => {
                    let claim = Claim { bench: &fleet.bench, epoch };
                    self.send(key, known, claim, Report::Failed(why)).await;
                }
            }
        }
        !unknown.is_empty()
    }

    /// The path of the unpacked recipe of an item.
    async fn unpack(&self, entry: &Entry) -> Result<PathBuf, Unpacked> {
        let bytes = self.broker.bundle(&entry.bundle).await;
        let bytes = bytes.map_err(|error| {
            // A damaged bundle is replaced when the batch is submitted again.
            Unpacked::Later(chain(&error))
        })?;
        let name: String = entry.bundle.chars().take(16).collect();
        let folder = self.session.setup().out.join(Path::new(FOLDER).join(name));
        let recipe = entry.task.recipe.clone();
        let unpacked = tokio::task::spawn_blocking(move || Bundle::read(&bytes)?.unpack(&recipe, &folder));
        match unpacked.await {
            Ok(Ok(path)) => Ok(path),
            Ok(Err(error @ crate::fleet::bundle::BundleError::Write { .. })) => {
                Err(Unpacked::Later(chain(&error)))
            }
            Ok(Err(error)) => Err(Unpacked::Never(chain(&error))),
            Err(panic) => Err(Unpacked::Never(panic.to_string())),
        }
    }
}

/// Why a recipe was not unpacked.
enum Unpacked {
    /// Another attempt may succeed.
    Later(String),
    /// No attempt can succeed.
    Never(String),
}

/// The local item. Items that people add at the bench come first.
fn new_item(task: &Task, entry: &Entry) -> NewItem {
    NewItem {
        number: 0,
        priority: i64::from(i32::MIN),
        not_before: None,
        deadline: entry.deadline,
        estimated_s: Some(entry.estimated_s),
        bytes: Some(entry.bytes),
        payload: json!(task),
    }
}
