//! The queue of one batch in the catalogue. The worker and the clients share it.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use chrono::{Local, Utc};
use tokio::sync::{Mutex, watch};
use tokio::task::spawn_blocking;

use super::claim::{claim, recover};
use super::file::Policy;
use super::pauses::Pauses;
use super::queue_error::QueueError;
use super::schedule::in_order;
use super::task::Task;
use super::times::{Moment, Window, window};
use crate::catalogue::{Catalogue, CatalogueError, ItemRow, ItemState, NewItem};

/// The queue of one batch, held by this process.
#[derive(Debug)]
pub struct Queue {
    catalogue: Arc<Catalogue>,
    batch: String,
    /// Paths of recipes are relative to this folder.
    folder: PathBuf,
    window: RwLock<Window>,
    defaults: Policy,
    changed: watch::Sender<u64>,
    /// Items that leave the queue even while their run is active, each with the reason.
    withdrawn: watch::Sender<BTreeMap<u32, String>>,
    pauses: Pauses,
    /// Number of items that were interrupted by the end of an earlier process.
    recovered: usize,
    /// Only one page is created at a time.
    pub(super) page: Arc<Mutex<()>>,
    /// The claim ends with the process, for any reason.
    _claim: File,
}

impl Queue {
    /// The queue of a batch in the catalogue in `out`. Items that were running when the previous process ended are
    /// held for a person, unless they may resume automatically. Blocks.
    ///
    /// # Errors
    /// If another process uses it.
    pub fn open(
        catalogue: Arc<Catalogue>,
        out: &Path,
        batch: &str,
        folder: PathBuf,
        defaults: Policy,
    ) -> Result<Self, QueueError> {
        let claim = claim(out, batch)?;
        let recovered = recover(&catalogue, out, batch)?;
        // Starts above the numbers of all earlier processes, so that clients also notice a restart.
        let changed = watch::Sender::new(Utc::now().timestamp_millis().unsigned_abs());
        let batch = batch.to_owned();
        Ok(Self {
            catalogue,
            batch,
            folder,
            window: RwLock::default(),
            defaults,
            changed,
            withdrawn: watch::Sender::default(),
            pauses: Pauses::default(),
            recovered,
            page: Arc::default(),
            _claim: claim,
        })
    }

    /// The batch's name.
    #[must_use]
    pub fn batch(&self) -> &str {
        &self.batch
    }

    /// The folder for paths of recipes.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The number of items that were interrupted by the end of an earlier process.
    #[must_use]
    pub fn recovered(&self) -> usize {
        self.recovered
    }

    /// The defaults of the items.
    #[must_use]
    pub fn defaults(&self) -> &Policy {
        &self.defaults
    }

    /// The times during which the batch may measure.
    #[must_use]
    pub fn window(&self) -> Window {
        *self.window.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the times of the batch.
    pub fn set_window(&self, not_before: Option<Moment>, deadline: Option<Moment>) {
        let window = window(&Local::now(), None, not_before, deadline);
        *self.window.write().unwrap_or_else(PoisonError::into_inner) = window;
    }

    /// A task as a new item.
    #[must_use]
    pub fn item(&self, number: u32, task: &Task, seconds: f64, bytes: u64) -> NewItem {
        let times = window(&Local::now(), self.window().not_before, task.not_before, task.deadline);
        NewItem {
            number,
            priority: i64::from(task.priority),
            not_before: times.not_before,
            deadline: times.deadline,
            estimated_s: Some(seconds),
            bytes: Some(bytes),
            payload: serde_json::json!(task),
        }
    }

    /// Writes the last changes to the catalogue's file. Blocks.
    pub fn finish(&self) {
        self.catalogue.finish();
    }

    /// Reports changes: a number that differs after each change.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changed.subscribe()
    }

    /// Uses the catalogue outside of the event loop.
    ///
    /// # Errors
    /// If this fails.
    pub async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Catalogue, &str) -> Result<T, CatalogueError> + Send + 'static,
    ) -> Result<T, QueueError> {
        let (catalogue, batch) = (Arc::clone(&self.catalogue), self.batch.clone());
        let done = spawn_blocking(move || work(&catalogue, &batch)).await;
        let done = done.map_err(|panic| QueueError::Broken(panic.to_string()))??;
        Ok(done)
    }

    /// Changes the queue and reports the change.
    pub(super) async fn changing<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Catalogue, &str) -> Result<T, CatalogueError> + Send + 'static,
    ) -> Result<T, QueueError> {
        let done = self.with(work).await;
        self.changed.send_modify(|changes| *changes += 1);
        done
    }

    /// The items and whether the queue is paused. The pauses before repetitions end by the monotonic clock.
    ///
    /// # Errors
    /// If the catalogue cannot be read.
    pub async fn items(&self) -> Result<(Vec<ItemRow>, bool), QueueError> {
        let read = self.with(|catalogue, batch| {
            Ok((catalogue.items(batch)?, catalogue.batch(batch)?.is_some_and(|batch| batch.paused)))
        });
        let (mut items, paused) = read.await?;
        self.pauses.follow(&mut items, Utc::now(), Instant::now());
        Ok((items, paused))
    }

    /// Waits until a pause before a repetition is over; without one, waits for ever.
    pub(super) async fn pause_over(&self) {
        match self.pauses.next(Instant::now()) {
            Some(end) => tokio::time::sleep_until(end.into()).await,
            None => std::future::pending().await,
        }
    }

    /// Adds items at the end, all or none; returns their numbers.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub async fn add(&self, items: Vec<NewItem>) -> Result<Vec<u32>, QueueError> {
        self.changing(|catalogue, batch| catalogue.add_items(batch, items)).await
    }

    /// Pauses or resumes the queue.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub async fn pause(&self, paused: bool) -> Result<(), QueueError> {
        self.changing(move |catalogue, batch| catalogue.set_paused(batch, paused)).await
    }

    /// Changes the state of an item, if it is in one of the given states.
    ///
    /// # Errors
    /// If the item is in another state, or does not exist.
    pub async fn turn(
        &self,
        number: u32,
        from: &'static [ItemState],
        to: ItemState,
        reason: Option<String>,
    ) -> Result<(), QueueError> {
        let was = self
            .changing(move |catalogue, batch| catalogue.set_state(batch, number, from, to, reason.as_deref()))
            .await?;
        if from.contains(&was) { Ok(()) } else { Err(QueueError::State { number, state: was }) }
    }

    /// Queues an item again, if it is in one of the given states. With `anew`, the item does not resume its interrupted
    /// run.
    ///
    /// # Errors
    /// If the item is in another state, or does not exist. In that case nothing is changed.
    pub async fn release(
        &self,
        number: u32,
        from: &'static [ItemState],
        anew: bool,
    ) -> Result<(), QueueError> {
        let was = self.changing(move |catalogue, batch| catalogue.release(batch, number, from, anew)).await?;
        if from.contains(&was) { Ok(()) } else { Err(QueueError::State { number, state: was }) }
    }

    /// Removes an item for this reason. If its run is active, the run is stopped cleanly first.
    ///
    /// # Errors
    /// If the catalogue cannot be written.
    pub async fn withdraw(&self, number: u32, reason: &str) -> Result<(), QueueError> {
        const FROM: &[ItemState] =
            &[ItemState::Queued, ItemState::Held, ItemState::Failed, ItemState::Skipped, ItemState::Done];
        self.withdrawn.send_modify(|withdrawn| {
            withdrawn.insert(number, reason.to_owned());
        });
        match self.turn(number, FROM, ItemState::Removed, Some(reason.to_owned())).await {
            // The worker removes it.
            Err(QueueError::State { .. }) | Ok(()) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Waits until an item is withdrawn; returns the reason.
    pub(super) async fn withdrawn(&self, number: u32) -> String {
        let mut withdrawn = self.withdrawn.subscribe();
        // The sender belongs to the queue, so it is not closed.
        let found = withdrawn.wait_for(|withdrawn| withdrawn.contains_key(&number)).await;
        found.ok().and_then(|withdrawn| withdrawn.get(&number).cloned()).unwrap_or_default()
    }

    /// Moves a queued item to a place among the waiting items, counted from 1. The item gets the priority of its new
    /// neighbours.
    ///
    /// # Errors
    /// If the item is not queued, or does not exist.
    pub async fn move_to(&self, number: u32, to: usize) -> Result<(), QueueError> {
        let (items, _) = self.items().await?;
        let mut order: Vec<(u32, i64)> =
            in_order(&items).iter().map(|item| (item.number, item.priority)).collect();
        let Some(from) = order.iter().position(|(known, _)| *known == number) else {
            let state = items.iter().find(|item| item.number == number).map(|item| item.state);
            return Err(match state {
                Some(state) => QueueError::State { number, state },
                None => CatalogueError::NoItem { batch: self.batch.clone(), number }.into(),
            });
        };
        let moved = order.remove(from);
        let to = to.saturating_sub(1).min(order.len());
        let priority = order.get(to).or(order.last()).map_or(moved.1, |(_, priority)| *priority);
        order.insert(to, (number, priority));
        let places: Vec<(u32, i64, i64)> =
            (1..).zip(order).map(|(place, (number, priority))| (number, place, priority)).collect();
        self.changing(move |catalogue, batch| catalogue.set_places(batch, &places)).await
    }
}
