//! Limits the number of clients. If there are too many, the client that has been idle longest is disconnected.

use std::sync::Arc;

use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};

/// Additional places for urgent requests.
const URGENT: usize = 32;
/// Paths that are served in an urgent place. Other requests get a response to try again.
const URGENT_PATHS: [&str; 2] = ["/off", "/health"];

/// The places for clients.
pub(super) struct Places {
    usual: Arc<Semaphore>,
    urgent: Arc<Semaphore>,
    wanted: Arc<Notify>,
}

/// The place of one client, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    is_urgent: bool,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(usual: usize) -> Self {
        let most = Semaphore::MAX_PERMITS;
        Self {
            usual: Arc::new(Semaphore::new(usual.min(most))),
            urgent: Arc::new(Semaphore::new(URGENT)),
            wanted: Arc::default(),
        }
    }

    /// Takes a place for one more client. If all normal places are taken, the client that has been idle longest is
    /// disconnected. Until then, the new client gets an urgent place.
    pub(super) async fn take(&self) -> Place {
        if let Ok(permit) = Arc::clone(&self.usual).try_acquire_owned() {
            return Place { is_urgent: false, _permit: permit };
        }
        self.wanted.notify_one();
        // Neither semaphore is ever closed.
        tokio::select! {
            biased;
            Ok(permit) = Arc::clone(&self.usual).acquire_owned() => Place { is_urgent: false, _permit: permit },
            Ok(permit) = Arc::clone(&self.urgent).acquire_owned() => Place { is_urgent: true, _permit: permit },
        }
    }

    /// Notifies idle clients that a place is needed, starting with the one that waits longest.
    pub(super) fn wanted(&self) -> Arc<Notify> {
        Arc::clone(&self.wanted)
    }
}

impl Place {
    /// Whether this place is for urgent requests only.
    pub(super) fn is_urgent(&self) -> bool {
        self.is_urgent
    }
}

/// Whether a request is urgent.
pub(super) fn is_urgent(path: &str) -> bool {
    URGENT_PATHS.contains(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn when_the_usual_places_are_taken_urgent_ones_are_left_and_an_idle_client_is_asked_to_go() {
        let places = Places::new(1);
        let first = places.take().await;
        assert!(!first.is_urgent());
        let wanted = places.wanted();
        let second = places.take().await;
        assert!(second.is_urgent());
        wanted.notified().await;
        drop(first);
        assert!(!places.take().await.is_urgent());
    }
}
