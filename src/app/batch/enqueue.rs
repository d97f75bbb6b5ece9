//! Puts a batch into its queue in the catalogue. Items that are already there keep their state.

use std::path::Path;
use std::sync::Arc;

use chrono::Utc;
use serde_json::json;

use super::load::Batch;
use crate::batch::{Queue, QueueError, Task};
use crate::catalogue::{BatchRow, Catalogue, ItemRow, ItemState, NewItem, WholeBatch};
use crate::cli::BatchRunArgs;
use crate::error::{ExitCode, Failure, chain};

/// The setting with the command that continues a batch.
pub(in crate::app) const GO_ON: &str = "go_on";

/// The states that a person can queue again.
const RELEASED: &[ItemState] = &[ItemState::Failed, ItemState::Held, ItemState::Skipped];

/// Puts a batch into the catalogue in `out` and returns its queue.
pub(super) async fn enqueue(
    batch: &Batch,
    out: &Path,
    args: &BatchRunArgs,
    go_on: &str,
) -> Result<Queue, Failure> {
    let (place, name, folder) = (out.to_owned(), batch.name.clone(), batch.folder.clone());
    let defaults = batch.defaults.clone();
    let opened = tokio::task::spawn_blocking(move || {
        let catalogue = Catalogue::working(&place, &name)?;
        let queue = Queue::open(Arc::clone(&catalogue), &place, &name, folder, defaults)?;
        let known = catalogue.items(&name)?;
        Ok::<_, QueueError>((queue, known))
    });
    let opened = opened.await.map_err(|panic| Failure::new(ExitCode::Failed, panic))?;
    let (queue, known) = opened.map_err(|error| match error {
        QueueError::Taken { .. } => Failure::new(ExitCode::Instrument, chain(&error)),
        _ => Failure::new(ExitCode::Failed, chain(&error)),
    })?;
    same(batch, &known)?;
    queue.set_window(batch.not_before, batch.deadline);
    let folder = match std::env::current_dir() {
        Ok(here) => here.join(&batch.folder).display().to_string(),
        Err(error) => {
            return Err(Failure::new(
                ExitCode::Failed,
                format!("cannot determine the working folder: {error}"),
            ));
        }
    };
    let row = BatchRow {
        name: batch.name.clone(),
        file: batch.file.clone(),
        folder: folder.trim_end_matches('/').to_owned(),
        settings: json!({
            "defaults": batch.defaults, "not_before": batch.not_before, "deadline": batch.deadline,
            "max_consecutive_failures": batch.most_failures, "notify": batch.notify, (GO_ON): go_on,
        }),
        // A start of the batch also resumes its queue.
        paused: false,
        created: Utc::now(),
    };
    let items: Vec<NewItem> = batch
        .tasks
        .iter()
        .zip(&batch.checked)
        .enumerate()
        .map(|(index, (task, checked))| queue.item(batch.number(index), task, checked.seconds, checked.bytes))
        .collect();
    let (anew, released) = (args.anew, if args.release { RELEASED } else { &[] });
    let last = items.last().filter(|_| batch.numbers.is_none()).map(|item| item.number);
    let kept = queue.with(move |catalogue, _| {
        catalogue.put_whole(&WholeBatch { batch: &row, items: &items, last, anew, released })
    });
    kept.await.map_err(|error| super::failed(&error))?;
    Ok(queue)
}

/// Measured items of a batch must be identical to those in its file.
fn same(batch: &Batch, known: &[ItemRow]) -> Result<(), Failure> {
    for (index, task) in batch.tasks.iter().enumerate() {
        let number = batch.number(index);
        let Some(item) = ItemRow::index_in(known, number).map(|index| &known[index]) else { continue };
        if matches!(item.state, ItemState::Queued | ItemState::Removed) {
            continue;
        }
        let before: Task = serde_json::from_value(item.payload.clone()).unwrap_or_default();
        let same = before.recipe == task.recipe && (item.recovered || before.measures_as(task));
        if !same {
            let message = format!(
                "item {number} of batch `{}` is {} as `{}`, but the file now has `{}`",
                batch.name,
                item.state,
                before.describe(),
                task.describe(),
            );
            return Err(Failure::new(ExitCode::Usage, message)
                .hint("give the changed batch another `name`, or add new items at the end"));
        }
    }
    Ok(())
}
