//! Figures of merit of traces, and verdicts on them.
//!
//! Everything here is a pure function of samples: no files, no instrument, no clock. Each figure carries its unit, its
//! window, its definition and its error. A figure that cannot be measured says why. The definitions are in one table,
//! [`registry`], from which `docs/figures.md` is generated.

pub mod channels;
pub mod comb;
pub mod control;
pub mod extrema;
pub mod figure;
pub mod fit;
pub mod floor;
pub mod gaps;
pub mod loss;
pub mod marks;
pub mod registry;
pub mod request;
pub mod resonance;
pub mod several;
pub mod shown;
pub mod task;
pub mod trace;
pub mod units;
pub mod verdict;
pub mod width;

#[cfg(test)]
mod tests;

pub use figure::{Bound, Figure, WindowNm};
pub use trace::{AxisNm, LevelsDb, Trace, TraceError};

/// A remark on what is measured at the edge of a gap.
const BESIDE_GAP: &str = "a sample beside it has no value";
/// Why a trace of nothing but NaN has no figures.
const NO_USABLE: &str = "no sample of the trace has a finite value";
