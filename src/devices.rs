//! Lists of devices: read from the files of layout programs, transformed to the coordinates of a stage, and ordered for
//! short ways.
//!
//! A reader of [`formats`] turns a file into rows of fields with positions. [`columns`] chooses the fields that become
//! columns of the list. [`fit`] finds how the chip lies on the stage, and [`order`] the order of the visits.

pub mod columns;
mod decimal_mark;
pub mod fit;
pub mod formats;
mod length;
pub mod list;
pub mod order;
pub mod points;
mod rows;

#[cfg(test)]
mod tests;

pub use columns::{Choice, Chosen, Duplicates, Imported};
pub use formats::Format;
pub use length::Unit;
pub use list::DeviceList;

/// The largest file with devices, in bytes.
pub const MOST_BYTES: u64 = 16 << 20;
