//! Whether an operator is at a dashboard to answer the questions of a run.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Session;

/// Counts the open dashboards.
#[derive(Debug, Default)]
pub(super) struct Operators(AtomicUsize);

/// Exists while an operator is at a dashboard.
#[derive(Debug)]
pub struct Operator(Arc<Operators>);

impl Session {
    /// Notes that an operator is at a dashboard until the result is dropped. The active run, and a run that begins
    /// meanwhile, counts as attended to its end, even after the page was closed.
    #[must_use]
    pub fn operator(&self) -> Operator {
        self.operators.0.fetch_add(1, Ordering::AcqRel);
        if let Some(run) = self.current_run() {
            run.attend();
        }
        Operator(Arc::clone(&self.operators))
    }

    /// Whether an operator is at a dashboard.
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
