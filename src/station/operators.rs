//! Whether anybody is there to answer a run's questions at a dashboard.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Station;

/// Counts the dashboards that are open.
#[derive(Debug, Default)]
pub(super) struct Operators(AtomicUsize);

/// Held while somebody is at a dashboard.
#[derive(Debug)]
pub struct Operator(Arc<Operators>);

impl Station {
    /// Somebody is at a dashboard for as long as this is held. The run under way, and one that begins meanwhile, is
    /// attended from then on, also when the page has been closed.
    #[must_use]
    pub fn operator(&self) -> Operator {
        self.operators.0.fetch_add(1, Ordering::AcqRel);
        if let Some(run) = self.current_run() {
            run.attend();
        }
        Operator(Arc::clone(&self.operators))
    }

    /// Whether anybody is at a dashboard.
    #[must_use]
    pub fn is_attended(&self) -> bool {
        self.operators.0.load(Ordering::Acquire) > 0
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::AcqRel);
    }
}
