//! Limits the computing time of a recipe while no instrument is used: during loading, checking and planning, and
//! between two operations of a run. A [`Budget`] belongs to a thread and to the threads that it starts. Loops and
//! expressions check it directly, so that functions do not have to pass it as a parameter.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;

mod thread;

pub use thread::{Busy, Gone};

/// Largest size of one value: a text, or a list or a map with its whole content.
pub const VALUE_BYTES: usize = 1 << 20;
/// Largest size of all values of a recipe together.
pub const ALL_VALUES_BYTES: usize = 32 << 20;
/// Largest number of turns of loops without an operation between them.
pub const IDLE_TURNS: u64 = 2_000_000;
/// Time to load a recipe and to walk through it.
const TIME: Duration = Duration::from_secs(10);
/// Additional time for its `finally`, after that time has passed.
const TIME_FOR_FINALLY: Duration = Duration::from_secs(1);
/// Approximate size of an element of a list, an entry of a map or a number, in bytes.
pub(crate) const ELEMENT_BYTES: usize = 16;

/// The time that a recipe may compute without an instrument.
#[derive(Debug, Clone)]
pub struct Budget(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    seconds: u64,
    deadline: Mutex<Instant>,
    /// Whether the result is no longer needed.
    abandoned: AtomicBool,
    /// Whether the time had passed when `finally` started.
    was_spent: AtomicBool,
    /// Its permit among the recipes that are checked at the same time. It is returned when the last thread has ended.
    _place: Option<OwnedSemaphorePermit>,
}

thread_local! {
    static CURRENT: RefCell<Option<Budget>> = const { RefCell::new(None) };
}

impl Default for Budget {
    fn default() -> Self {
        Self::lasting(TIME, None)
    }
}

impl Budget {
    fn lasting(time: Duration, place: Option<OwnedSemaphorePermit>) -> Self {
        Self(Arc::new(Inner {
            seconds: time.as_secs(),
            deadline: Mutex::new(Instant::now() + time),
            abandoned: AtomicBool::new(false),
            was_spent: AtomicBool::new(false),
            _place: place,
        }))
    }

    /// The budget of this thread, or a new one if it has none.
    #[must_use]
    pub fn here() -> Self {
        CURRENT.with_borrow(Clone::clone).unwrap_or_default()
    }

    /// A budget for replaying recorded steps. They are known to end, and a resume must not be interrupted.
    #[must_use]
    pub fn for_a_past() -> Self {
        Self::lasting(TIME * 60, None)
    }

    /// Calls a function within this budget.
    pub fn spend<T>(&self, work: impl FnOnce() -> T) -> T {
        within(Some(self.clone()), work)
    }

    /// Whether the time has passed, or the result is no longer needed.
    #[must_use]
    pub fn is_spent(&self) -> bool {
        self.0.abandoned.load(Ordering::Relaxed) || Instant::now() >= *self.deadline()
    }

    /// Whether it is spent now, or was spent before `finally` got its additional time.
    #[must_use]
    pub fn was_spent(&self) -> bool {
        self.0.was_spent.load(Ordering::Relaxed) || self.is_spent()
    }

    /// Gives `finally` additional time, so that it is checked even if the recipe was too long.
    pub fn grant_finally(&self) {
        self.0.was_spent.store(self.was_spent(), Ordering::Relaxed);
        let mut deadline = self.deadline();
        *deadline = (*deadline).max(Instant::now() + TIME_FOR_FINALLY);
    }

    /// The message if the budget is spent.
    #[must_use]
    pub fn told(&self) -> String {
        format!(
            "the recipe computes for more than {} s without an operation of the instrument",
            self.0.seconds
        )
    }

    fn deadline(&self) -> std::sync::MutexGuard<'_, Instant> {
        self.0.deadline.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The budget of this thread, to pass it to another thread with [`within`].
pub(crate) fn current() -> Option<Budget> {
    CURRENT.with_borrow(Clone::clone)
}

/// Whether the budget of this thread is spent; a run has none.
pub(crate) fn is_spent() -> bool {
    CURRENT.with_borrow(|current| current.as_ref().is_some_and(Budget::is_spent))
}

/// Calls a function within the budget of another thread.
pub(crate) fn within<T>(budget: Option<Budget>, work: impl FnOnce() -> T) -> T {
    struct Restore(Option<Budget>);
    impl Drop for Restore {
        fn drop(&mut self) {
            CURRENT.set(self.0.take());
        }
    }
    let _restore = Restore(CURRENT.replace(budget));
    work()
}

/// The approximate memory of a value, in bytes.
#[must_use]
pub fn size(value: &Value) -> usize {
    ELEMENT_BYTES
        + match value {
            Value::Null | Value::Bool(_) | Value::Number(_) => 0,
            Value::String(text) => text.len(),
            Value::Array(items) => items.iter().map(size).sum(),
            Value::Object(map) => map.iter().map(|(key, inner)| key.len() + size(inner)).sum(),
        }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_budget_belongs_to_a_thread_and_to_those_that_it_is_carried_to() {
        assert!(!is_spent(), "this thread has none");
        let over = Budget::lasting(Duration::ZERO, None);
        over.spend(|| {
            assert!(is_spent());
            let carried = current();
            let inner = std::thread::spawn(|| (is_spent(), within(carried, is_spent)));
            assert_eq!(inner.join().unwrap(), (false, true));
            Budget::default().spend(|| assert!(!is_spent()));
            assert!(is_spent());
        });
        assert!(!is_spent());
    }

    #[test]
    fn the_size_of_a_value_is_that_of_everything_in_it() {
        let text = "x".repeat(1000);
        assert_eq!(size(&json!(text)), 1016);
        assert!(size(&json!([text, { "key": text }])) > 2000);
    }
}
