//! Figures of runs that have been measured: `ctp10 figures`, `judge` and `compare`.

mod chosen;
pub(super) mod compare;
mod control;
mod devices;
pub(super) mod figures;
pub(super) mod judge;
mod layout;

use std::collections::BTreeMap;

pub(super) use chosen::ended;

use crate::operation::Constant;

/// The columns of a device as text.
pub(super) fn columns_text(columns: &BTreeMap<String, Constant>) -> String {
    let each = columns.iter().map(|(name, value)| format!("{name} = {}", devices::constant(value)));
    each.collect::<Vec<_>>().join(", ")
}
