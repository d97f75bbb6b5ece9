//! Mode numbers of resonances, so that a missing resonance is found and never doubles the free spectral range silently.

use crate::analysis::units::ghz_from_nm;

/// How much the spacing may change from one pair of neighbours to the next, as a part of itself.
const TOLERANCE: f64 = 0.2;
/// Most modes that may be missing between two resonances.
const MOST_MISSING: u32 = 9;
/// Fewest spacings of one mode that show that others are several modes. One wrong line half-way between two resonances
/// makes two equal spacings.
const FEWEST_SINGLE: usize = 3;

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
/// The spacing in frequency changes slowly from mode to mode. A gap is counted in units of the spacing next to it. The first
/// unit is the most frequent spacing, so a wrong line between two resonances is no unit. At least a third of the spacings, and
/// three, must be one mode if any resonance is missing.
///
/// # Errors
/// Fewer than two resonances; spacings that no comb has; too few equal spacings to tell a missing resonance from a wrong line.
pub fn number(wavelengths_nm: &[f64]) -> Result<Spacings, String> {
    if wavelengths_nm.len() < 2 {
        return Err(format!(
            "a free spectral range needs two resonances, and the band has {}",
            wavelengths_nm.len()
        ));
    }
    let spacings: Vec<f64> =
        wavelengths_nm.windows(2).map(|pair| ghz_from_nm(pair[0]) - ghz_from_nm(pair[1])).collect();
    if spacings.iter().any(|spacing| !(spacing.is_finite() && *spacing > 0.0)) {
        return Err("the resonances are not in the order of wavelength".to_owned());
    }
    // Walk both ways: the next spacing is a multiple of the one before.
    let start = most_frequent(&spacings);
    let mut steps = vec![1; spacings.len()];
    let forward: Vec<usize> = (start..spacings.len()).collect();
    let backward: Vec<usize> = (0..=start).rev().collect();
    for way in [forward, backward] {
        let mut unit = spacings[start];
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
    let singles = steps.iter().filter(|step| **step == 1).count();
    if singles < steps.len() && (singles < FEWEST_SINGLE || 3 * singles < steps.len()) {
        return Err(format!(
            "{singles} of the {} spacings are about {:.1} GHz, and the others are multiples: too few to tell a missing \
             resonance from a wrong line. A wider band shows more lines. A higher prominence excludes wrong ones",
            steps.len(),
            spacings[start]
        ));
    }
    let mut modes = vec![0];
    modes.extend(steps.iter().scan(0, |mode, step| {
        *mode += step;
        Some(*mode)
    }));
    let missing = steps.iter().map(|step| step - 1).sum();
    Ok(Spacings { modes, missing })
}

/// The place of the spacing that most others resemble; of several, the smallest one.
fn most_frequent(spacings: &[f64]) -> usize {
    let mut sorted = spacings.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let below = |limit: f64| sorted.partition_point(|other| *other < limit);
    let alike = |spacing: f64| below(spacing * (1.0 + TOLERANCE)) - below(spacing / (1.0 + TOLERANCE));
    let place = (0..spacings.len()).max_by(|a, b| {
        let (a, b) = (spacings[*a], spacings[*b]);
        alike(a).cmp(&alike(b)).then(b.total_cmp(&a))
    });
    place.unwrap_or(0)
}

fn irregular(wavelengths_nm: &[f64], place: usize, spacing_ghz: f64, unit_ghz: f64) -> String {
    let (from, to) = (wavelengths_nm[place], wavelengths_nm[place + 1]);
    format!(
        "the {} lines are not a regular comb: from {from:.3} to {to:.3} nm there are {spacing_ghz:.1} GHz, which is not a \
         multiple of the next spacing ({unit_ghz:.1} GHz). A higher prominence, a larger distance or a narrower band excludes other lines",
        wavelengths_nm.len()
    )
}
