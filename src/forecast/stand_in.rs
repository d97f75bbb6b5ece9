//! Stand-ins for what only a measurement can give: enough for a recipe to go on, never to be believed.

use std::ops::Range;

use crate::measurement::{Detector, Extreme, Grid, PowerReading, PowerUnit, TraceKind, TraceSummary};
use crate::step::{Fault, TraceReader};

/// Level of a trace away from its dip, dB or dBm.
const LEVEL: f64 = -3.0;
/// Depth of the dip in the middle of every trace, dB.
const DEPTH_DB: f64 = 20.0;

/// A trace that is level but for one dip in the middle.
pub(super) struct StandInTrace {
    grid: Grid,
}

impl StandInTrace {
    pub(super) fn new(grid: Grid) -> Self {
        Self { grid }
    }

    /// A Lorentzian whose width is a fiftieth of the trace.
    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, reason = "a stand-in")]
    fn value(&self, index: u64) -> f32 {
        let points = self.grid.points as f64;
        let off = (index as f64 - (self.grid.points / 2) as f64) / (points / 100.0).max(1.0);
        (LEVEL - DEPTH_DB / (1.0 + off * off)) as f32
    }
}

impl TraceReader for StandInTrace {
    fn grid(&self) -> Grid {
        self.grid
    }

    fn read(&self, range: Range<u64>, take: &mut dyn FnMut(u64, &[f32])) -> Result<(), Fault> {
        const PIECE: u64 = 65_536;
        let mut start = range.start;
        while start < range.end {
            let end = range.end.min(start + PIECE);
            let values: Vec<f32> = (start..end).map(|index| self.value(index)).collect();
            take(start, &values);
            start = end;
        }
        Ok(())
    }
}

/// The summary of such a trace.
pub(super) fn summary(
    trace_index: u64,
    sweep_index: u64,
    detector: Detector,
    trace: TraceKind,
    grid: Grid,
) -> TraceSummary {
    TraceSummary {
        trace_index,
        sweep_index,
        attempt: 1,
        detector,
        trace,
        unit: trace.unit().to_owned(),
        name: String::new(),
        file: String::new(),
        bytes: 0,
        sha256: String::new(),
        grid,
        nulls: 0,
        min: Some(Extreme { value: LEVEL - DEPTH_DB, nm: grid.wavelength_nm(grid.points / 2) }),
        max: Some(Extreme { value: LEVEL, nm: grid.start_nm }),
        mean: Some(LEVEL),
    }
}

/// A steady reading.
pub(super) fn reading(detector: Detector) -> PowerReading {
    PowerReading { detector, value: Some(-10.0), unit: PowerUnit::Dbm, time_s: 0.0 }
}
