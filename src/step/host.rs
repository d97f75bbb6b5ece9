//! The interface through which a recipe has its steps performed.

use std::sync::Arc;

use super::{Fault, Outcome, Step};
use crate::local_time::Moment;
use crate::measurement::{Grid, TraceSummary};

/// Performs the steps of a recipe. Every call blocks until its result is known.
///
/// The engine of a run is one host, the forecast is another. No method has a default body, so that a host that passes
/// calls on to another one cannot forget a method.
pub trait Host: Send + Sync {
    /// Performs one step with its retries and returns its outcome.
    ///
    /// # Errors
    /// When the step failed and the recipe must not continue, or when the run is being stopped.
    fn perform(&self, step: Step) -> Result<Outcome, Fault>;

    /// Performs a step whose outcome the recipe does not use, a [quick reading](Step::is_quick_reading). The host may
    /// collect such steps, so that a long loop does not wait for each of them.
    ///
    /// # Errors
    /// The fault of this step, or of one that was collected before.
    fn perform_later(&self, step: Step) -> Result<(), Fault>;

    /// Returns when all steps that were collected have been performed. Every other call that can fail does this first.
    /// The recipe itself does it before its `finally`.
    ///
    /// # Errors
    /// The fault of a collected step.
    fn settle(&self) -> Result<(), Fault>;

    /// Opens a stored trace.
    ///
    /// # Errors
    /// When its file cannot be read.
    fn open_trace(&self, trace: &TraceSummary) -> Result<Arc<dyn TraceReader>, Fault>;

    /// The present moment. The run records this value, so that a resumed run gets the same one.
    ///
    /// # Errors
    /// When the run is being stopped.
    fn now(&self) -> Result<Now, Fault>;

    /// Whether the recipe has to end soon. Loops and scripts ask this regularly while they compute.
    fn stopping(&self) -> bool;

    /// Announces that the recipe's `finally` begins. From here on, a normal stop is ignored.
    fn begin_finally(&self);

    /// Whether the run was interrupted since the device was aligned, and the power was not looked at since then.
    fn coupling_is_doubtful(&self) -> bool;

    /// The control of suspensions, if this host obeys `suspend_when`. A forecast does not.
    fn suspension(&self) -> Option<&dyn Suspension>;

    /// The forecast, if this host only predicts what a run would do.
    fn forecast(&self) -> Option<&dyn Forecast>;
}

/// A moment of a run on two clocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Now {
    /// The clock on the wall, for times of day. A person or the network may set it at any moment.
    pub wall: Moment,
    /// The clock of the run, for durations.
    pub run: RunTime,
}

/// The time of the clock of a run. It cannot be set, and it stands still while no process performs the run.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct RunTime {
    /// How long the run has lasted, all its processes together, s.
    pub elapsed_s: f64,
    /// The process that performs the run: how often the run was resumed.
    pub process: u64,
}

impl RunTime {
    /// How long the run has lasted since an earlier moment, s. The time between two processes is not counted.
    #[must_use]
    pub fn since(self, earlier: Self) -> f64 {
        self.elapsed_s - earlier.elapsed_s
    }

    /// The same, if one process has performed the run since then. Otherwise nobody knows what happened between the
    /// processes, and how long that took.
    #[must_use]
    pub fn without_gap_since(self, earlier: Self) -> Option<f64> {
        (self.process == earlier.process).then(|| self.since(earlier))
    }
}

/// The control of suspensions: a host that has it can hold a recipe because of its `suspend_when`.
pub trait Suspension {
    /// Reports that the recipe is held because `condition` is true; `None` reports the end of the suspension.
    ///
    /// # Errors
    /// When the run is being stopped.
    fn suspend(&self, condition: Option<&str>) -> Result<(), Fault>;

    /// Repeats the last sweep and the fetches after it. The outcomes that the recipe already has stay the same.
    ///
    /// # Errors
    /// When a repeated step failed, or when the run is being stopped.
    fn repeat_sweep(&self) -> Result<(), Fault>;
}

/// What only a forecast needs to know about a recipe.
pub trait Forecast {
    /// Runs `steps`, which perform steps on the same host, outside the plan: the forecast checks these steps, but the
    /// plan continues as if they had not been performed.
    fn outside_plan(&self, steps: &mut dyn FnMut() -> Result<(), Fault>);

    /// Runs `steps`, which the assumed values rule out: the steps of the other branch of an `if`. The forecast only
    /// reports values of a type that is never allowed there.
    fn branch(&self, steps: &mut dyn FnMut() -> Result<(), Fault>);

    /// Continues the plan as if `step` had been performed, because an earlier process of the run performed it.
    fn assume_performed(&self, step: &Step);

    /// Reports that a measured value decides how the recipe continues. The forecast marks the steps after this point.
    fn uses_measurement(&self);
}

/// Reads the values of a stored trace in pieces, so that only an analysis holds a whole trace.
pub trait TraceReader: Send + Sync {
    /// The wavelength axis of the whole trace.
    fn grid(&self) -> Grid;

    /// Passes the values of `range` (indices into the grid) to `take`, in order and in pieces of moderate size.
    /// Values that are not finite are NaN.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn read(&self, range: std::ops::Range<u64>, take: &mut dyn FnMut(u64, &[f32])) -> Result<(), Fault>;

    /// All values of the trace.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn levels(&self) -> Result<Vec<f32>, Fault> {
        let points = self.grid().points;
        let mut levels = Vec::with_capacity(usize::try_from(points).unwrap_or_default());
        self.read(0..points, &mut |_, values| levels.extend_from_slice(values))?;
        Ok(levels)
    }
}
