//! The state of a run, folded from its events.

pub mod configuration;
pub mod outline;
pub mod status;
pub mod tree;
