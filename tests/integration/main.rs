//! End-to-end tests: the real binary against the embedded instrument over real TCP. One binary, a module per subject.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod batch;
mod examples;
mod faults;
mod instrument;
mod layering;
mod nights;
mod program;
mod runs;
mod sidecar;
mod simulator;
mod support;
