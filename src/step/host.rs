//! The interface through which a recipe has its steps performed.

use std::sync::Arc;

use super::{Fault, Outcome, Step};
use crate::measurement::{Grid, TraceSummary};

/// Reads a stored trace for a script, window by window.
pub trait TraceReader: Send + Sync {
    /// The wavelength axis of the whole trace.
    fn grid(&self) -> Grid;

    /// Hands the values of `range` (indices into the grid) to `take` in order, in pieces of moderate size.
    /// Values that were not finite come as NaN.
    ///
    /// # Errors
    /// When the file cannot be read any more.
    fn read(&self, range: std::ops::Range<u64>, take: &mut dyn FnMut(u64, &[f32])) -> Result<(), Fault>;
}

/// What performs operations, seen from a recipe. It blocks until the operation is done.
///
/// The runner is one; the planner, which touches nothing, is another.
pub trait Host: Send + Sync {
    /// Performs one step, retries included, and gives its outcome.
    ///
    /// # Errors
    /// When the step failed and the recipe may not go on past it, or when the run is being stopped.
    fn perform(&self, step: Step) -> Result<Outcome, Fault>;

    /// Opens a stored trace.
    ///
    /// # Errors
    /// When its file cannot be read.
    fn open_trace(&self, trace: &TraceSummary) -> Result<Arc<dyn TraceReader>, Fault>;

    /// Seconds since 1970-01-01 UTC, as the run sees it (recorded, so that a resumed run sees the same).
    ///
    /// # Errors
    /// When the run is being stopped.
    fn now(&self) -> Result<f64, Fault>;

    /// True when the recipe should give up at the next opportunity: asked now and then inside long computations.
    fn stopping(&self) -> bool;

    /// The recipe's `finally` begins: from here on a first stop does not count any more.
    fn begin_finally(&self);

    /// Whether a recipe is held where its `suspend_when` says so. A forecast holds nothing.
    fn suspends(&self) -> bool {
        false
    }

    /// The recipe is held because this condition holds; `None`: not any more.
    ///
    /// # Errors
    /// When the run is being stopped.
    fn suspend(&self, _condition: Option<&str>) -> Result<(), Fault> {
        Ok(())
    }

    /// A forecast looks at what a recipe performs only where its `suspend_when` comes in, beside the plan; a run does not.
    fn look_aside(&self, _look: &mut dyn FnMut() -> Result<(), Fault>) {}

    /// Does the last sweep again, with what was fetched after it. What the recipe was told of these stays; a forecast does
    /// nothing.
    ///
    /// # Errors
    /// When it failed, or when the run is being stopped.
    fn repeat_sweep(&self) -> Result<(), Fault> {
        Ok(())
    }

    /// The recipe was told what this step gave when it was performed before. The planner goes on from there.
    fn was_performed(&self, _step: &Step) {}

    /// A value that was measured is about to decide what comes next. The planner marks what follows.
    fn uses_measurement(&self) {}

    /// The same host for the thread of a script, where it may be asked from there: a forecast. Each request to another one
    /// changes threads.
    fn shared(&self) -> Option<Arc<dyn Host>> {
        None
    }
}
