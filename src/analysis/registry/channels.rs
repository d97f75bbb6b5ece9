//! Channels of a grid.

use super::{Definition, EXFO};

const OWN: &str = "the channel's window, with both ends interpolated";
const ALL_WINDOWS: &str = "the windows of all channels, with both ends interpolated";

/// Loss at the centre of the channel.
pub const INSERTION_LOSS_CENTER: Definition = Definition {
    name: "insertion_loss_center_db",
    unit: "dB",
    formula: "− transmission in dB at the channel's centre, linearly interpolated in dB",
    window: "the centre of the channel",
    source: "ITU-T G.671",
};
/// Offset in wavelength.
pub const OFFSET: Definition = Definition {
    name: "center_offset_nm",
    unit: "nm",
    formula: "middle of the bandwidth at the stated level (3 dB when not given) about the highest sample of the window − centre of the channel",
    window: OWN,
    source: EXFO,
};
/// Offset in frequency.
pub const OFFSET_GHZ: Definition = Definition {
    name: "center_offset_ghz",
    unit: "GHz",
    formula: "frequency of the middle of the bandwidth at the stated level (3 dB when not given) − frequency of the channel",
    window: OWN,
    source: "EXFO IQS-12004B, appendix D; ITU-T G.694.1",
};
/// Width about the grid.
pub const DEFINED_BANDWIDTH: Definition = Definition {
    name: "bandwidth_defined_{x}db_nm",
    unit: "nm",
    formula: "distance between the first crossings, outward from the channel's centre, of the level {x} dB below the highest transmission of the window (the reference level)",
    window: "from the centre of the channel outward",
    source: "EXFO IQS-12004B, appendix D (defined bandwidth)",
};
/// Adjacent isolation.
pub const ISOLATION_ADJACENT: Definition = Definition {
    name: "isolation_adjacent_db",
    unit: "dB",
    formula: "lowest transmission of the port in its own window − highest of the same port in the window of a neighbouring channel; the worse of both neighbours",
    window: ALL_WINDOWS,
    source: "ITU-T G.671, IEC 62074-1",
};
/// Non-adjacent isolation.
pub const ISOLATION_NON_ADJACENT: Definition = Definition {
    name: "isolation_non_adjacent_db",
    unit: "dB",
    formula: "lowest transmission of the port in its own window − highest of the same port in the window of a channel that is no neighbour; the worst of these",
    window: ALL_WINDOWS,
    source: "ITU-T G.671, IEC 62074-1",
};
/// Cumulative crosstalk.
pub const CROSSTALK_CUMULATIVE: Definition = Definition {
    name: "crosstalk_cumulative_db",
    unit: "dB",
    formula: "− 10·log10 of the sum of 10^(−isolation/10) over all other channels; positive, as an isolation",
    window: ALL_WINDOWS,
    source: "EXFO IQS-12004B, appendix D; IEC 62074-1",
};
/// Steepness of the passband.
pub const SHAPE_FACTOR: Definition = Definition {
    name: "shape_factor",
    unit: "1",
    formula: "bandwidth at 1 dB / bandwidth at 10 dB about the highest sample of the window; 1 for a rectangle",
    window: "from the highest sample of the channel's window outward",
    source: "IEC 61300-3-29",
};
/// Uniformity over the channels.
pub const UNIFORMITY: Definition = Definition {
    name: "uniformity_db",
    unit: "dB",
    formula: "highest − lowest insertion_loss_max_db of the channels",
    window: ALL_WINDOWS,
    source: "ITU-T G.671, IEC 62074-1",
};

pub(super) const TABLE: &[&Definition] = &[
    &INSERTION_LOSS_CENTER,
    &OFFSET,
    &OFFSET_GHZ,
    &DEFINED_BANDWIDTH,
    &ISOLATION_ADJACENT,
    &ISOLATION_NON_ADJACENT,
    &CROSSTALK_CUMULATIVE,
    &SHAPE_FACTOR,
    &UNIFORMITY,
];
