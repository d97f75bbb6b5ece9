//! The state of a run, folded from its events.

pub mod configuration;
pub mod history;
pub mod outline;
pub mod rewind;
pub mod status;
pub mod tree;
