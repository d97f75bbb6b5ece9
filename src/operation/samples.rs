//! One sample of each operation, for tests. The samples are in `tests/operations.json`, so that the tests of the whole
//! program use the same ones.

use serde_json::{Map, Value};

use super::Operation;

/// The fields of each operation, by name.
///
/// # Panics
/// When an operation has no sample, or a sample has no operation.
pub(crate) fn samples() -> Vec<(&'static str, Value)> {
    let text = include_str!("../../tests/operations.json");
    let mut fields: Map<String, Value> = serde_json::from_str(text).unwrap();
    let sample = |name: &&'static str| {
        let sample = fields.remove(*name);
        (*name, sample.unwrap_or_else(|| panic!("`{name}` needs a sample in tests/operations.json")))
    };
    let samples = Operation::NAMES.iter().map(sample).collect();
    assert!(fields.is_empty(), "tests/operations.json has samples of unknown operations: {fields:?}");
    samples
}
