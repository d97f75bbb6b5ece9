//! Combs of resonances: mode numbers, free spectral range, group index, finesse, dispersion.

mod density;
mod figures;
mod modes;

pub use density::{is_even, may_be_denser};
pub use figures::{Comb, figures, missing};
pub use modes::{Spacings, number};
