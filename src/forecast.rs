//! What can be known of a recipe before any light is emitted: its operations in order, how long they take, what
//! they store, and what is wrong or probably wrong with them.
//!
//! The recipe is walked by the same authors that a run uses, against a host that performs nothing. What a recipe
//! decides by a measured value can only be guessed: those steps are marked, and what is found there is never an
//! error.

pub mod allowed;
pub mod bench;
mod columns;
mod cost;
pub mod facts;
mod findings;
pub mod hosts;
mod lasers;
pub mod limits;
pub mod plan;
pub(crate) mod rules;
mod stand_in;
mod walk;

#[cfg(test)]
mod tests;

pub use columns::{foreseen_columns, taken_columns, taken_detector_column};
pub use cost::Estimate;
pub use walk::{Circumstances, PlannedStep, Walk, walk};
