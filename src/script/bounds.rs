//! The bounds of every script and expression: disabled words, depth and size.

use crate::budget::VALUE_BYTES;

/// How deep calls may nest.
pub(super) const CALL_DEPTH: usize = 64;
/// How deep an expression may nest.
pub(super) const EXPRESSION_DEPTH: usize = 64;
/// Longest text, in bytes.
pub(super) const TEXT_BYTES: usize = VALUE_BYTES;
/// Most elements of all arrays within one value. Rhai counts them after every change: the time to fill one grows
/// with its square.
pub(super) const ARRAY_LENGTH: usize = 20_000;
/// Most entries of all maps within one value.
pub(super) const MAP_LENGTH: usize = 20_000;
/// Most variables in scope at a time.
pub(super) const VARIABLES: usize = 1_000;

/// Stack of the thread that a script runs on: its depth limits must be met before the stack ends.
pub(super) const STACK_BYTES: usize = 32 << 20;

/// Words of Rhai that a recipe has no use for, and what takes their place.
pub(super) const SWITCHED_OFF: [(&str, &str); 4] = [
    ("eval", "write the code where it is needed"),
    ("sleep", "use `wait(seconds)`: it can be stopped"),
    ("timestamp", "use `now()`: it is recorded, so that a resumed run sees the same"),
    ("import", "a script is one file; `run_recipe` and `script` steps of a YAML recipe combine several"),
];
