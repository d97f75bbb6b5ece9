//! Tests of the analysis: analytic truth, measured truth, properties and wrong use.

mod bounds;
mod channels;
mod combs;
mod gaps;
mod measured;
mod missing_rows;
mod ports;
mod properties;
mod registry;
mod several;
mod support;
mod tasks;
mod truth;
mod units;
mod verdicts;
mod wrong_use;
