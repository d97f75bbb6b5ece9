//! Resuming an interrupted run: its journal is read, and the recipe is told again what it was told before.

pub mod damage;
pub mod performed;
pub mod plan;
pub mod repair;
pub mod replay;
pub mod start;
pub mod transcript;
