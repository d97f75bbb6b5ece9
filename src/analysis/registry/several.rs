//! Figures that need several traces or several values of a figure.

use super::Definition;

/// Slope of the cut-back line.
pub const PROPAGATION_LOSS: Definition = Definition {
    name: "propagation_loss_db_per_cm",
    unit: "dB/cm",
    formula: "slope of the least squares line of insertion loss over length, from at least three lengths",
    window: "one value for each length",
    source: "IEC 60793-1-40, method A (cut-back)",
};
/// Intercept of the cut-back line.
pub const COUPLING_LOSS: Definition = Definition {
    name: "coupling_loss_db",
    unit: "dB",
    formula: "intercept at length 0 of the least squares line of insertion loss over length, from at least three lengths",
    window: "one value for each length",
    source: "IEC 60793-1-40, method A (cut-back)",
};

pub(super) const TABLE: &[&Definition] = &[&PROPAGATION_LOSS, &COUPLING_LOSS];
