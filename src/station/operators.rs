//! Whether anybody is there to answer a run's questions: at the terminal, or at a dashboard.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::Station;

/// A page that is loaded anew is away for a moment; a question is not given up for that.
const GRACE: Duration = Duration::from_secs(20);

/// Counts the dashboards that are open.
#[derive(Debug, Default)]
pub(super) struct Operators(AtomicUsize);

impl Operators {
    pub(super) fn are_there(&self) -> bool {
        self.0.load(Ordering::Acquire) > 0
    }
}

/// Held while somebody is at a dashboard.
#[derive(Debug)]
pub struct Operator {
    station: Arc<Station>,
}

impl Station {
    /// Somebody is at a dashboard for as long as this is held.
    #[must_use]
    pub fn operator(self: &Arc<Self>) -> Operator {
        self.operators.0.fetch_add(1, Ordering::AcqRel);
        self.tell_attendance();
        Operator { station: Arc::clone(self) }
    }

    /// Whether anybody is at a dashboard.
    #[must_use]
    pub fn is_attended(&self) -> bool {
        self.operators.are_there()
    }

    pub(super) fn tell_attendance(&self) {
        if let Some(run) = self.current_run() {
            run.set_dashboard_attended(self.operators.are_there());
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        let station = Arc::clone(&self.station);
        if station.operators.0.fetch_sub(1, Ordering::AcqRel) > 1 {
            return;
        }
        // Outside a runtime the process is ending, and nobody asks any more.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                tokio::time::sleep(GRACE).await;
                station.tell_attendance();
            });
        }
    }
}
