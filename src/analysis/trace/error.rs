//! Why samples are no trace.

use super::RANGE_NM;

/// Why samples are no trace.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TraceError {
    /// Both columns must have the same length.
    #[error("the trace has {wavelengths} wavelengths and {levels} transmissions: both must be as many")]
    Lengths {
        /// Number of wavelengths.
        wavelengths: usize,
        /// Number of transmissions.
        levels: usize,
    },
    /// Nothing to analyse.
    #[error("the trace has no samples")]
    Empty,
    /// A wavelength is missing, or is no wavelength in nm.
    #[error("sample {number}: the wavelength {nm} is not within {lowest} to {highest} nm{hint}",
        lowest = RANGE_NM.start, highest = RANGE_NM.end)]
    Wavelength {
        /// Number of the sample, from 1.
        number: usize,
        /// What was given, nm.
        nm: f64,
        /// The unit that the number may be in.
        hint: &'static str,
    },
    /// The wavelengths must rise or fall throughout.
    #[error(
        "sample {number}: the wavelength {nm} nm follows {before} nm, but the wavelengths {direction} before: they must be sorted{}",
        if nm == before { ", and each may occur once" } else { "" }
    )]
    Order {
        /// Number of the sample, from 1.
        number: usize,
        /// Its wavelength, nm.
        nm: f64,
        /// The wavelength before it, nm.
        before: f64,
        /// `rise` or `fall`.
        direction: &'static str,
    },
    /// The trace is too long for the indices that the analysis keeps.
    #[error("the trace has {points} samples: at most {} are analysed", u32::MAX)]
    TooLong {
        /// Number of samples.
        points: usize,
    },
    /// A band outside the trace.
    #[error(
        "the band {from_nm} to {to_nm} nm is outside the trace, which reaches from {first_nm} to {last_nm} nm{}",
        unit_hint(*from_nm)
    )]
    Outside {
        /// Lower end of the band, nm.
        from_nm: f64,
        /// Upper end of the band, nm.
        to_nm: f64,
        /// First wavelength of the trace, nm.
        first_nm: f64,
        /// Last wavelength of the trace, nm.
        last_nm: f64,
    },
    /// A band that is none.
    #[error("the band {from_nm} to {to_nm} nm must have two wavelengths, the lower one first")]
    Band {
        /// Lower end of the band, nm.
        from_nm: f64,
        /// Upper end of the band, nm.
        to_nm: f64,
    },
}

/// The unit that a number may be in which is no wavelength in nm.
pub(in crate::analysis) fn unit_hint(nm: f64) -> &'static str {
    match nm {
        0.3e-6..5e-6 => "; it looks like metres",
        0.3..5.0 => "; it looks like micrometres",
        60.0..300.0 => "; it looks like a frequency in THz",
        6e4..3e5 => "; it looks like a frequency in GHz, or like picometres",
        3e5..5e6 => "; it looks like picometres",
        6e13..1e15 => "; it looks like a frequency in Hz",
        _ => "",
    }
}
