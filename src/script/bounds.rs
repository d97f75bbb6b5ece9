//! The bounds of every script and expression: disabled words, depth and size.

use crate::budget::VALUE_BYTES;

/// Highest depth of calls.
pub(super) const CALL_DEPTH: usize = 64;
/// Highest depth of an expression.
pub(super) const EXPRESSION_DEPTH: usize = 64;
/// Longest text, in bytes.
pub(super) const TEXT_BYTES: usize = VALUE_BYTES;
/// Highest number of elements of all arrays within one value. Rhai counts them after every change, so the time to
/// fill an array grows with its square.
pub(super) const ARRAY_LENGTH: usize = 20_000;
/// Highest number of entries of all maps within one value.
pub(super) const MAP_LENGTH: usize = 20_000;
/// Highest number of variables in scope.
pub(super) const VARIABLES: usize = 1_000;

/// Stack size of the thread of a script. It must be large enough for the depth limits.
pub(super) const STACK_BYTES: usize = 32 << 20;

/// Disabled words of Rhai, and their replacements.
pub(super) const SWITCHED_OFF: [(&str, &str); 4] = [
    ("eval", "write the code where it is needed"),
    ("sleep", "use `wait(seconds)`: it can be stopped"),
    ("timestamp", "use `now()`: its result is recorded, so that a resumed run gets the same time"),
    (
        "import",
        "a script must be one file; a YAML recipe can combine several with `run_recipe` and `script` steps",
    ),
];
