//! Dips, peaks, widths, fitted resonances and combs.

use super::{Definition, SCIPY, SPECTRAL, YOKOGAWA};

const AROUND_PEAK: &str = "from the peak outward, within the band";
const FIT: &str = "centre ± 4 FWHM, clipped half-way to the neighbouring lines; weights (1 − (d/4 FWHM)²)², d the distance from the centre";
const LEAST_SQUARES: &str = "least squares of a Lorentzian line on a sloped base, in linear power";

/// Wavelength of a raw minimum.
pub const DIP: Definition = Definition {
    name: "dip_nm",
    unit: "nm",
    formula: "wavelength of a local minimum of the raw samples with at least the stated prominence and distance",
    window: "the band, else the whole trace",
    source: SCIPY,
};
/// Level of a raw minimum.
pub const DIP_LEVEL: Definition = Definition {
    name: "dip_db",
    unit: "dB",
    formula: "transmission of the sample at the dip",
    window: "one sample",
    source: SCIPY,
};
/// Wavelength of a raw maximum.
pub const PEAK: Definition = Definition {
    name: "peak_nm",
    unit: "nm",
    formula: "wavelength of a local maximum of the raw samples with at least the stated prominence and distance",
    window: "the band, else the whole trace",
    source: SCIPY,
};
/// Level of a raw maximum.
pub const PEAK_LEVEL: Definition = Definition {
    name: "peak_db",
    unit: "dB",
    formula: "transmission of the sample at the peak",
    window: "one sample",
    source: SCIPY,
};
/// How much a line stands out.
pub const PROMINENCE: Definition = Definition {
    name: "prominence_db",
    unit: "dB",
    formula: "level of a peak − the higher of the lowest levels on either side, each up to the next higher sample or the end of the band. For a dip: the same of the negated trace",
    window: "the band, else the whole trace",
    source: SCIPY,
};
/// Measured bandwidth.
pub const BANDWIDTH: Definition = Definition {
    name: "bandwidth_{x}db_nm",
    unit: "nm",
    formula: "distance between the first crossings, outward from the highest raw sample, of the level {x} dB below it; crossings linear in dB",
    window: AROUND_PEAK,
    source: "EXFO IQS-12004B, appendix D (measured bandwidth); IEC 61300-3-29",
};
/// The middle of the measured bandwidth.
pub const BANDWIDTH_CENTER: Definition = Definition {
    name: "bandwidth_{x}db_center_nm",
    unit: "nm",
    formula: "middle of the two crossings of the {x} dB bandwidth (central wavelength)",
    window: AROUND_PEAK,
    source: "EXFO IQS-12004B, appendix D (central wavelength)",
};
/// Outermost crossings.
pub const BANDWIDTH_OUTER: Definition = Definition {
    name: "bandwidth_{x}db_outer_nm",
    unit: "nm",
    formula: "distance between the outermost crossings of the level {x} dB below the highest raw sample; reported where it differs from the first crossings",
    window: "the band, clipped half-way to neighbouring peaks",
    source: "Yokogawa AQ6370D, THRESH method",
};
/// Width of a notch.
pub const NOTCH_WIDTH: Definition = Definition {
    name: "notch_width_{x}db_nm",
    unit: "nm",
    formula: "distance between the first crossings, outward from the lowest raw sample, of the level {x} dB below the base; base = dip level + prominence",
    window: "from the dip outward, within the band",
    source: "Yokogawa AQ6370D, notch width (type PEAK)",
};

/// Fitted centre.
pub const RESONANCE: Definition = Definition {
    name: "resonance_nm",
    unit: "nm",
    formula: "centre of the line: least squares of a Lorentzian line on a sloped base, in linear power",
    window: FIT,
    source: SPECTRAL,
};
/// Fitted width.
pub const FWHM: Definition = Definition {
    name: "fwhm_nm",
    unit: "nm",
    formula: "full width at half depth (dip) or half height (peak) of the fitted Lorentzian line; of a doublet: of each of its two lines",
    window: FIT,
    source: LEAST_SQUARES,
};
/// Loaded quality factor.
pub const Q_LOADED: Definition = Definition {
    name: "q_loaded",
    unit: "1",
    formula: "resonance_nm / fwhm_nm",
    window: FIT,
    source: LEAST_SQUARES,
};
/// Depth of a dip.
pub const EXTINCTION: Definition = Definition {
    name: "extinction_db",
    unit: "dB",
    formula: "fitted base at the centre in dB − lowest raw sample of the fit's window",
    window: FIT,
    source: LEAST_SQUARES,
};
/// Quality of the fit.
pub const FIT_RESIDUAL: Definition = Definition {
    name: "fit_residual",
    unit: "1",
    formula: "root mean square of measured − fitted linear power, divided by the depth or height of the line",
    window: FIT,
    source: LEAST_SQUARES,
};
/// Odd part of the line.
pub const FANO: Definition = Definition {
    name: "fano_asymmetry",
    unit: "1",
    formula: "B / A of the fitted line (A + B·v) / (1 + v²), v = 2·(λ − centre) / FWHM; 0 for a symmetric line",
    window: FIT,
    source: "U. Fano, Phys. Rev. 124, 1866 (1961), in the form of an even and an odd Lorentzian part",
};
/// Distance of the lines of a doublet.
pub const DOUBLET: Definition = Definition {
    name: "doublet_splitting_nm",
    unit: "nm",
    formula: "distance of two lines of equal width; reported only if their Bayesian information criterion is better than that of one line, symmetric or asymmetric, by more than 10",
    window: FIT,
    source: LEAST_SQUARES,
};
/// Intrinsic Q.
pub const Q_INTRINSIC: Definition = Definition {
    name: "q_intrinsic",
    unit: "1",
    formula: "add-drop with equal couplers: q_loaded / √T_min; T_min is the fitted transmission at the centre over the base",
    window: FIT,
    source: "W. Bogaerts et al., Laser Photonics Rev. 6, 47 (2012)",
};
/// Coupling Q.
pub const Q_COUPLING: Definition = Definition {
    name: "q_coupling",
    unit: "1",
    formula: "add-drop with equal couplers, each of them: 2·q_loaded / (1 − √T_min)",
    window: FIT,
    source: "W. Bogaerts et al., Laser Photonics Rev. 6, 47 (2012)",
};
/// Larger branch of an all-pass ring.
pub const Q_BRANCH_HIGH: Definition = Definition {
    name: "q_branch_high",
    unit: "1",
    formula: "all-pass: 2·q_loaded / (1 − √T_min): the coupling Q of an undercoupled ring, the intrinsic Q of an overcoupled ring",
    window: FIT,
    source: "W. Bogaerts et al., Laser Photonics Rev. 6, 47 (2012)",
};
/// Smaller branch of an all-pass ring.
pub const Q_BRANCH_LOW: Definition = Definition {
    name: "q_branch_low",
    unit: "1",
    formula: "all-pass: 2·q_loaded / (1 + √T_min): the intrinsic Q of an undercoupled ring, the coupling Q of an overcoupled ring",
    window: FIT,
    source: "W. Bogaerts et al., Laser Photonics Rev. 6, 47 (2012)",
};

const COMB: &str =
    "all lines of the band, numbered as modes; a gap of several mode spacings is divided by their number";

/// Distance of two neighbouring resonances.
pub const FSR: Definition = Definition {
    name: "fsr_nm",
    unit: "nm",
    formula: "distance of two neighbouring resonances, divided by the difference of their mode numbers",
    window: COMB,
    source: YOKOGAWA,
};
/// The same as frequency.
pub const FSR_GHZ: Definition = Definition {
    name: "fsr_ghz",
    unit: "GHz",
    formula: "(c/λ1 − c/λ2) of two neighbouring resonances, divided by the difference of their mode numbers",
    window: COMB,
    source: "c = 299 792 458 m/s, vacuum wavelengths",
};
/// Mean over the comb.
pub const FSR_MEAN: Definition = Definition {
    name: "fsr_mean_nm",
    unit: "nm",
    formula: "distance of the first and the last resonance, divided by the difference of their mode numbers",
    window: COMB,
    source: YOKOGAWA,
};
/// Mean over the comb, as frequency.
pub const FSR_MEAN_GHZ: Definition = Definition {
    name: "fsr_mean_ghz",
    unit: "GHz",
    formula: "(c/λ_first − c/λ_last), divided by the difference of their mode numbers",
    window: COMB,
    source: "c = 299 792 458 m/s, vacuum wavelengths",
};
/// Group index.
pub const GROUP_INDEX: Definition = Definition {
    name: "group_index",
    unit: "1",
    formula: "Δm·λ1·λ2 / (L·(λ2 − λ1)); L is the circumference of a ring, the path difference of an interferometer, or twice the length of a cavity",
    window: COMB,
    source: "W. Bogaerts et al., Laser Photonics Rev. 6, 47 (2012)",
};
/// Finesse.
pub const FINESSE: Definition = Definition {
    name: "finesse",
    unit: "1",
    formula: "mean of the free spectral ranges on either side of the resonance / fwhm_nm",
    window: COMB,
    source: "M. Born, E. Wolf, Principles of Optics",
};
/// Comb spacing.
pub const COMB_D1: Definition = Definition {
    name: "comb_d1_ghz",
    unit: "GHz",
    formula: "D1/2π: least squares of ν_µ = ν_0 + D1/2π·µ + D2/4π·µ², µ = 0 at the resonance nearest to the middle",
    window: COMB,
    source: "T. Herr et al., Nature Photonics 6, 480 (2012)",
};
/// Comb dispersion.
pub const COMB_D2: Definition = Definition {
    name: "comb_d2_mhz",
    unit: "MHz",
    formula: "D2/2π: least squares of ν_µ = ν_0 + D1/2π·µ + D2/4π·µ², µ = 0 at the resonance nearest to the middle",
    window: COMB,
    source: "T. Herr et al., Nature Photonics 6, 480 (2012)",
};

pub(super) const TABLE: &[&Definition] = &[
    &DIP,
    &DIP_LEVEL,
    &PEAK,
    &PEAK_LEVEL,
    &PROMINENCE,
    &BANDWIDTH,
    &BANDWIDTH_CENTER,
    &BANDWIDTH_OUTER,
    &NOTCH_WIDTH,
];
pub(super) const RESONANCE_TABLE: &[&Definition] = &[
    &RESONANCE,
    &FWHM,
    &Q_LOADED,
    &EXTINCTION,
    &FIT_RESIDUAL,
    &FANO,
    &DOUBLET,
    &Q_INTRINSIC,
    &Q_COUPLING,
    &Q_BRANCH_HIGH,
    &Q_BRANCH_LOW,
];
pub(super) const COMB_TABLE: &[&Definition] =
    &[&FSR, &FSR_GHZ, &FSR_MEAN, &FSR_MEAN_GHZ, &GROUP_INDEX, &FINESSE, &COMB_D1, &COMB_D2];
