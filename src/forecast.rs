//! The forecast of a recipe before any light is emitted: its operations in order, their times and sizes, and their
//! errors and warnings. The recipe is run by the same code as in a real run, against a host that performs nothing.
//! Steps that depend on a measured value are guesses. They are marked, and a finding about them is never an error.

pub mod allowed;
pub mod bench;
mod columns;
mod cost;
pub mod facts;
mod findings;
pub mod hosts;
mod instruments;
mod lasers;
pub mod limits;
pub mod plan;
mod recording;
pub(crate) mod rules;
mod stand_in;
mod walk;

#[cfg(test)]
mod tests;

pub use columns::{foreseen_columns, taken_columns, taken_detector_column};
pub use cost::Estimate;
pub use recording::recorded_photocurrents;
pub use walk::{Circumstances, PlannedStep, Walk, walk};
