//! Insertion loss and what is computed from transmissions alone.

use super::{Definition, EXFO, SPECTRAL};

/// At one wavelength.
pub const INSERTION_LOSS: Definition = Definition {
    name: "insertion_loss_db",
    unit: "dB",
    formula: "− transmission in dB at the wavelength, linearly interpolated in dB between the two samples around it",
    window: "one wavelength",
    source: "IEC 61300-3-7, ITU-T G.671",
};
/// The best of a band.
pub const INSERTION_LOSS_MIN: Definition = Definition {
    name: "insertion_loss_min_db",
    unit: "dB",
    formula: "− highest transmission in dB",
    window: "the band, else the whole trace; in a channel: its window, with both ends interpolated",
    source: "IEC 61300-3-7, ITU-T G.671",
};
/// The worst of a band.
pub const INSERTION_LOSS_MAX: Definition = Definition {
    name: "insertion_loss_max_db",
    unit: "dB",
    formula: "− lowest transmission in dB",
    window: "the band, else the whole trace; in a channel: its window, with both ends interpolated",
    source: "EXFO IQS-12004B, appendix D (insertion loss); ITU-T G.671 (channel insertion loss)",
};
/// The mean of a band in linear power.
pub const INSERTION_LOSS_MEAN: Definition = Definition {
    name: "insertion_loss_mean_db",
    unit: "dB",
    formula: "− 10·log10 of the mean of the linear transmission 10^(T/10) of the samples",
    window: "the band, else the whole trace",
    source: "IEC 61300-3-7",
};
/// The mean of the decibels.
pub const MEAN: Definition = Definition {
    name: "mean_db",
    unit: "dB",
    formula: "mean of the transmissions in dB (not of linear power; a transmission, not a loss)",
    window: "the band, else the whole trace",
    source: "the method `mean_db()` of traces in scripts",
};
/// Best minus worst.
pub const RIPPLE: Definition = Definition {
    name: "ripple_db",
    unit: "dB",
    formula: "highest − lowest transmission in dB (flatness)",
    window: "the band, else the whole trace; in a channel: its window, with both ends interpolated",
    source: EXFO,
};
/// The lowest level that the detector can show.
pub const FLOOR: Definition = Definition {
    name: "floor_db",
    unit: "dB",
    formula: "the stated floor, else the lowest transmission if at least three samples have exactly this value",
    window: "the whole trace",
    source: SPECTRAL,
};
/// Samples without a value.
pub const UNUSABLE: Definition = Definition {
    name: "unusable_samples",
    unit: "1",
    formula: "number of samples that are NaN, infinite or beyond ±1000 dB; these samples are never used",
    window: "the band, else the whole trace",
    source: SPECTRAL,
};
/// Samples at the upper limit of the detector.
pub const SATURATED: Definition = Definition {
    name: "saturated_samples",
    unit: "1",
    formula: "number of samples at or above the stated saturation level",
    window: "the band, else the whole trace",
    source: SPECTRAL,
};

pub(super) const TABLE: &[&Definition] = &[
    &INSERTION_LOSS,
    &INSERTION_LOSS_MIN,
    &INSERTION_LOSS_MAX,
    &INSERTION_LOSS_MEAN,
    &MEAN,
    &RIPPLE,
    &FLOOR,
    &UNUSABLE,
    &SATURATED,
];
