//! Combs of resonances: mode numbers, free spectral range, group index, finesse, dispersion.

mod figures;
mod modes;

pub use figures::{Comb, figures};
pub use modes::{Spacings, number};
