//! Recipes are checked on separate threads, so that the event loop continues and the program can end in the meantime.

use std::sync::atomic::Ordering;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tokio::sync::{Semaphore, oneshot};

use super::{Budget, TIME};

/// Largest number of client recipes that are checked at the same time, because the instrument's tasks need processor
/// time too.
const AT_A_TIME: usize = 2;
/// Longest waiting time of a further recipe.
const PATIENCE: Duration = Duration::from_secs(5);

static PLACES: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(AT_A_TIME)));

/// Other recipes are being checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{AT_A_TIME} other recipes are being checked: try again in a few seconds")]
pub struct Busy;

/// The thread panicked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the recipe could not be checked: internal error")]
pub struct Gone;

impl Budget {
    /// Waits for a permit and returns the budget of a client's request: `times` the budget of one recipe.
    ///
    /// # Errors
    /// If no permit is available in time.
    pub async fn for_request(times: u32) -> Result<Self, Busy> {
        Self::in_turn(&PLACES, PATIENCE, times).await
    }

    async fn in_turn(places: &Arc<Semaphore>, patience: Duration, times: u32) -> Result<Self, Busy> {
        let place = tokio::time::timeout(patience, Arc::clone(places).acquire_owned()).await;
        // The semaphore is never closed.
        let place = place.ok().and_then(Result::ok).ok_or(Busy)?;
        Ok(Self::lasting(TIME * times, Some(place)))
    }

    /// Calls a function within this budget on a separate thread. The thread is abandoned if the result is no longer
    /// needed, and does not prevent the program from ending.
    ///
    /// # Errors
    /// If the thread cannot be started, or panics.
    pub async fn run_on_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Gone> {
        let (done, result) = oneshot::channel();
        let budget = self.clone();
        let thread = std::thread::Builder::new().name("forecast".to_owned());
        let spawned = thread.spawn(move || {
            // The receiver may no longer exist.
            drop(done.send(budget.spend(work)));
        });
        spawned.map_err(|_| Gone)?;
        let mut abandon = AbandonOnDrop(Some(self));
        let result = result.await.map_err(|_| Gone);
        abandon.0 = None;
        result
    }

    fn abandon(&self) {
        self.0.abandoned.store(true, Ordering::Relaxed);
    }
}

/// Ends the work if the future that waits for it is dropped.
struct AbandonOnDrop<'a>(Option<&'a Budget>);

impl Drop for AbandonOnDrop<'_> {
    fn drop(&mut self) {
        if let Some(budget) = self.0 {
            budget.abandon();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::is_spent;

    #[tokio::test]
    async fn what_nobody_waits_for_is_abandoned() {
        let budget = Budget::default();
        let (started, begun) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let work = move || {
            started.send(()).unwrap();
            while !is_spent() {
                std::thread::yield_now();
            }
            ended.send(()).unwrap();
        };
        let mut waiting = Box::pin(budget.run_on_thread(work));
        tokio::select! {
            _ = &mut waiting => panic!("it cannot end by itself"),
            begun = begun => begun.unwrap(),
        }
        drop(waiting);
        end.await.unwrap();
    }

    #[tokio::test]
    async fn a_third_request_waits_for_its_turn_and_not_for_long() {
        let places = Arc::new(Semaphore::new(AT_A_TIME));
        let another = || Budget::in_turn(&places, Duration::from_millis(1), 1);
        let (first, _second) = (another().await.unwrap(), another().await.unwrap());
        assert_eq!(another().await.unwrap_err(), Busy);
        // Its place is free again only when no thread has it any more.
        let thread = first.clone();
        drop(first);
        assert_eq!(another().await.unwrap_err(), Busy);
        drop(thread);
        assert!(another().await.is_ok());
    }
}
