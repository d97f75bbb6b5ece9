//! Channels of a grid: loss, offset, ripple, isolation and crosstalk of each port, one trace at a time.

mod grid;
mod port;

pub use grid::{Channel, Grid, GridError, WholeGrid};
pub use port::{nearest_channel, port, uniformity};
