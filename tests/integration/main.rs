//! End-to-end tests: the real binary against the embedded instrument over real TCP. One binary, a module per subject.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod examples;
mod faults;
mod instrument;
mod layering;
mod program;
mod report;
mod runs;
mod simulator;
mod support;
