//! Rehearsals: a recipe or batch of the user runs on a simulated instrument with faults. `scenarios` chooses the
//! faults, and `safety` checks the result. The caller starts the processes.

mod safety;
mod scenarios;

pub use safety::{InspectedRun, InstrumentState, Measured, ProgramEnd, inspect_runs, safety_violations};
pub use scenarios::{RunSize, Scenario, chaos, given, standard};
