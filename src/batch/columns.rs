//! The varied values of a batch become columns of its traces. Each column has one type in all items, so that one
//! query can group the traces of all runs.

use std::collections::BTreeMap;

use super::task::Task;
use crate::step::{ColumnType, constant};

/// Gives every item the columns of all items, each with the type that fits its values in all items.
pub(super) fn agree(tasks: &mut [Task]) {
    let mut columns: BTreeMap<String, ColumnType> = BTreeMap::new();
    let mut note = |name: &str, kind: ColumnType| {
        columns.entry(name.to_owned()).and_modify(|known| *known = known.and(kind)).or_insert(kind);
    };
    for task in tasks.iter() {
        task.columns.iter().for_each(|(name, kind)| note(name, *kind));
    }
    for (name, column) in &mut columns {
        // Another entry of the batch may use the same name for plain metadata.
        let plain = tasks.iter().filter_map(|task| task.metadata.get(name));
        *column = plain.fold(*column, |kind, value| kind.and(ColumnType::of(&constant(value))));
    }
    for task in tasks {
        task.columns.clone_from(&columns);
    }
}
