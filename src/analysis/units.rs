//! Conversions between decibels and linear power, and between wavelength and frequency in vacuum.

/// The speed of light in vacuum: wavelength in nm times frequency in GHz.
pub const LIGHT_NM_GHZ: f64 = 299_792_458.0;

/// Linear power of a level in dB; 0 dB is 1.
#[must_use]
pub fn power_from_db(level_db: f64) -> f64 {
    10f64.powf(level_db / 10.0)
}

/// Level in dB of a linear power; NaN for powers that are not positive.
#[must_use]
pub fn db_from_power(power: f64) -> f64 {
    if power > 0.0 { 10.0 * power.log10() } else { f64::NAN }
}

/// Frequency in GHz of a vacuum wavelength in nm.
#[must_use]
pub fn ghz_from_nm(wavelength_nm: f64) -> f64 {
    LIGHT_NM_GHZ / wavelength_nm
}

/// Vacuum wavelength in nm of a frequency in GHz.
#[must_use]
pub fn nm_from_ghz(frequency_ghz: f64) -> f64 {
    LIGHT_NM_GHZ / frequency_ghz
}
