//! Mode numbers of resonances, so that a missing resonance is found and never doubles the free spectral range silently.

use crate::analysis::units::ghz_from_nm;

/// How much the spacing may change from one pair of neighbours to the next, as a part of itself.
const TOLERANCE: f64 = 0.2;
/// Most modes that may be missing between two resonances.
const MOST_MISSING: u32 = 9;

/// Resonances with mode numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Spacings {
    /// Mode numbers in the order of wavelength, from 0.
    pub modes: Vec<u32>,
    /// How many resonances are missing between the first and the last.
    pub missing: u32,
}

/// Numbers resonances, given in the order of wavelength.
///
/// The spacing in frequency changes slowly from mode to mode. A gap is counted in units of the spacing next to it. The
/// unit is the smallest spacing that others confirm.
///
/// # Errors
/// Fewer than two resonances; spacings that no comb has.
pub fn number(wavelengths_nm: &[f64]) -> Result<Spacings, String> {
    if wavelengths_nm.len() < 2 {
        return Err(format!(
            "a free spectral range needs two resonances, and the band has {}",
            wavelengths_nm.len()
        ));
    }
    let spacings: Vec<f64> =
        wavelengths_nm.windows(2).map(|pair| ghz_from_nm(pair[0]) - ghz_from_nm(pair[1])).collect();
    let smallest = spacings.iter().copied().fold(f64::INFINITY, f64::min);
    if !(smallest.is_finite() && smallest > 0.0) {
        return Err("the resonances are not in the order of wavelength".to_owned());
    }
    // Begin at the smallest spacing and walk both ways: the next spacing is a multiple of the one before.
    let start = spacings.iter().position(|spacing| *spacing == smallest).unwrap_or(0);
    let mut steps = vec![1; spacings.len()];
    let forward: Vec<usize> = (start..spacings.len()).collect();
    let backward: Vec<usize> = (0..=start).rev().collect();
    for way in [forward, backward] {
        let mut unit = smallest;
        for place in way {
            let ratio = spacings[place] / unit;
            let count = ratio.round().max(1.0);
            if (ratio - count).abs() > TOLERANCE * count.min(1.5) || count > f64::from(MOST_MISSING + 1) {
                return Err(irregular(wavelengths_nm, place, spacings[place], unit));
            }
            steps[place] = count as u32;
            unit = spacings[place] / count;
        }
    }
    let mut modes = vec![0];
    modes.extend(steps.iter().scan(0, |mode, step| {
        *mode += step;
        Some(*mode)
    }));
    let missing = steps.iter().map(|step| step - 1).sum();
    Ok(Spacings { modes, missing })
}

fn irregular(wavelengths_nm: &[f64], place: usize, spacing_ghz: f64, unit_ghz: f64) -> String {
    let (from, to) = (wavelengths_nm[place], wavelengths_nm[place + 1]);
    format!(
        "the {} lines are not a regular comb: from {from:.3} to {to:.3} nm there are {spacing_ghz:.1} GHz, which is not a \
         multiple of the next spacing ({unit_ghz:.1} GHz). A higher prominence, a larger distance or a narrower band excludes other lines",
        wavelengths_nm.len()
    )
}
