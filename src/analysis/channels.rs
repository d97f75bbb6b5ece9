//! Channels of a grid: loss, offset, ripple, isolation and crosstalk of each port, one trace at a time; then all ports
//! together.

mod grid;
mod port;
mod ports;

pub use grid::{Channel, Grid, GridError, WholeGrid};
pub use port::{nearest_channel, port};
pub use ports::{Port, Ports};
