//! The state of a run, folded from its events.

pub mod analyses;
pub mod configuration;
pub mod counts;
pub mod history;
pub mod outline;
pub mod results;
pub mod rewind;
pub mod status;
pub mod tree;
pub mod verdicts;
