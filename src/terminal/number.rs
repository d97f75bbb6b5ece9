//! Numbers for people.

/// Four decimals from 1000 (0.1 pm of a wavelength in nm), five below, and none from 100000. Below 0.01: four digits.
#[must_use]
pub fn number(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        1e5.. => format!("{value:.0}"),
        1e3.. => format!("{value:.4}").trim_end_matches('0').trim_end_matches('.').to_owned(),
        1e-2.. => format!("{value:.5}").trim_end_matches('0').trim_end_matches('.').to_owned(),
        _ => format!("{value:.3e}"),
    }
}
