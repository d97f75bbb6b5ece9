//! The figures of a comb.

use super::modes::{Spacings, number};
use crate::analysis::figure::Figure;
use crate::analysis::registry as define;
use crate::analysis::registry::Definition;
use crate::analysis::resonance::{Estimate, Resonance};
use crate::analysis::several::polynomial;
use crate::analysis::units::ghz_from_nm;

/// Which figures of a comb are wanted beside the free spectral range.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Comb {
    /// Circumference of the ring, path difference, or twice the cavity, µm: adds the group index.
    pub length_um: Option<f64>,
    /// Adds the finesse.
    pub finesse: bool,
    /// Adds D1 and D2.
    pub dispersion: bool,
}

/// The centre of a resonance: fitted, else the raw sample.
fn center(resonance: &Resonance) -> Estimate {
    match &resonance.line {
        Ok(line) => line.center_nm,
        Err(_) => Estimate { value: resonance.extremum.nm, error: f64::NAN },
    }
}

/// The figures of the comb that these resonances form, given in the order of wavelength.
#[must_use]
pub fn figures(resonances: &[Resonance], comb: &Comb) -> Vec<Figure> {
    let centers: Vec<Estimate> = resonances.iter().map(center).collect();
    let wavelengths: Vec<f64> = centers.iter().map(|center| center.value).collect();
    let spacings = match number(&wavelengths) {
        Ok(spacings) => spacings,
        Err(reason) => return missing(comb, &reason),
    };
    let mut figures = spacing_figures(&centers, &spacings, comb);
    figures.extend(mean_figures(&centers, &spacings, resonances));
    if comb.finesse {
        figures.extend(finesse(resonances, &centers, &spacings));
    }
    if comb.dispersion {
        figures.extend(dispersion(&wavelengths, &spacings));
    }
    figures
}

/// The figures of a comb that is not measured.
#[must_use]
pub fn missing(comb: &Comb, reason: &str) -> Vec<Figure> {
    let mut wanted: Vec<&Definition> =
        vec![&define::FSR, &define::FSR_GHZ, &define::FSR_MEAN, &define::FSR_MEAN_GHZ];
    wanted.extend(comb.length_um.map(|_| &define::GROUP_INDEX));
    if comb.finesse {
        wanted.push(&define::FINESSE);
    }
    if comb.dispersion {
        wanted.extend([&define::COMB_D1, &define::COMB_D2]);
    }
    wanted.into_iter().map(|definition| Figure::missing(definition, reason)).collect()
}

fn spacing_figures(centers: &[Estimate], spacings: &Spacings, comb: &Comb) -> Vec<Figure> {
    let mut figures = Vec::new();
    let pairs = centers.windows(2).zip(spacings.modes.windows(2));
    for ((pair, modes), number) in pairs.zip(1..) {
        let (first, second) = (pair[0], pair[1]);
        let modes = f64::from(modes[1] - modes[0]);
        let distance_nm = second.value - first.value;
        let error_nm = first.error.hypot(second.error);
        let ghz = (ghz_from_nm(first.value) - ghz_from_nm(second.value)) / modes;
        let mut own = vec![
            Figure::measured(&define::FSR, distance_nm / modes).with_error(error_nm / modes),
            Figure::measured(&define::FSR_GHZ, ghz).with_error(ghz * error_nm / distance_nm),
        ];
        if let Some(length_um) = comb.length_um {
            let index = modes * first.value * second.value / (length_um * 1e3 * distance_nm);
            own.push(
                Figure::measured(&define::GROUP_INDEX, index)
                    .with_error(index * error_nm / distance_nm)
                    .noted(format!("L = {length_um} µm")),
            );
        }
        figures.extend(own.into_iter().map(|figure| {
            let figure = figure
                .at_nm(0.5 * (first.value + second.value))
                .of(format!("pair {number}"))
                .within(first.value, second.value);
            if modes > 1.0 {
                figure.noted(format!("missing resonances in between: {}", modes - 1.0))
            } else {
                figure
            }
        }));
    }
    figures
}

fn mean_figures(centers: &[Estimate], spacings: &Spacings, resonances: &[Resonance]) -> Vec<Figure> {
    let (Some(first), Some(last), Some(modes)) = (centers.first(), centers.last(), spacings.modes.last())
    else {
        return Vec::new();
    };
    let modes = f64::from(*modes);
    let distance_nm = last.value - first.value;
    let ghz = (ghz_from_nm(first.value) - ghz_from_nm(last.value)) / modes;
    let error_nm = first.error.hypot(last.error);
    let raw = resonances.iter().filter(|resonance| resonance.line.is_err()).count();
    let figures = [
        Figure::measured(&define::FSR_MEAN, distance_nm / modes).with_error(error_nm / modes),
        Figure::measured(&define::FSR_MEAN_GHZ, ghz).with_error(ghz * error_nm / distance_nm),
    ];
    let finish = |figure: Figure| {
        let mut figure = figure.within(first.value, last.value);
        if spacings.missing > 0 {
            figure = figure.noted(format!("missing resonances: {}", spacings.missing));
        }
        if centers.len() == 2 {
            figure = figure.noted("two resonances only: a missing one between them cannot be excluded");
        }
        if raw > 0 {
            figure =
                figure.noted(format!("resonances without a fit, of which the raw sample is used: {raw}"));
        }
        figure
    };
    figures.into_iter().map(finish).collect()
}

fn finesse(resonances: &[Resonance], centers: &[Estimate], spacings: &Spacings) -> Vec<Figure> {
    let fsr_nm = |lower: usize| -> Option<f64> {
        let (first, second) = (centers.get(lower)?, centers.get(lower + 1)?);
        let modes = spacings.modes.get(lower + 1)? - spacings.modes.get(lower)?;
        Some((second.value - first.value) / f64::from(modes))
    };
    let each = resonances.iter().enumerate();
    each.map(|(place, resonance)| {
        let beside: Vec<f64> = place.checked_sub(1).into_iter().chain([place]).filter_map(fsr_nm).collect();
        let mean_nm = beside.iter().sum::<f64>() / beside.len() as f64;
        let figure = match &resonance.line {
            Ok(line) => {
                let finesse = mean_nm / line.fwhm_nm.value;
                Figure::measured(&define::FINESSE, finesse)
                    .with_error(finesse * line.fwhm_nm.error / line.fwhm_nm.value)
            }
            Err(unfitted) => {
                let figure = Figure::missing(&define::FINESSE, unfitted.reason.clone());
                match unfitted.fwhm_at_most_nm {
                    Some(most_nm) => figure.with_bound(crate::analysis::Bound::AtLeast, mean_nm / most_nm),
                    None => figure,
                }
            }
        };
        figure.at_nm(centers[place].value).of(format!("{} {}", resonance.extremum.kind.word(), place + 1))
    })
    .collect()
}

fn dispersion(wavelengths: &[f64], spacings: &Spacings) -> Vec<Figure> {
    let definitions = [&define::COMB_D1, &define::COMB_D2];
    if wavelengths.len() < 4 {
        let reason = format!("dispersion needs four resonances, and the band has {}", wavelengths.len());
        return definitions.map(|definition| Figure::missing(definition, reason.clone())).to_vec();
    }
    let middle_nm = 0.5 * (wavelengths[0] + wavelengths[wavelengths.len() - 1]);
    let nearest = (0..wavelengths.len())
        .min_by(|a, b| (wavelengths[*a] - middle_nm).abs().total_cmp(&(wavelengths[*b] - middle_nm).abs()))
        .unwrap_or(0);
    let center_nm = wavelengths[nearest];
    let reference_ghz = ghz_from_nm(center_nm);
    // Mode numbers rise with frequency, so they fall with wavelength.
    let modes: Vec<f64> =
        spacings.modes.iter().map(|mode| f64::from(spacings.modes[nearest]) - f64::from(*mode)).collect();
    let offsets: Vec<f64> = wavelengths.iter().map(|nm| ghz_from_nm(*nm) - reference_ghz).collect();
    match polynomial::<3>(&modes, &offsets) {
        Ok([_, d1, half_d2]) => vec![
            Figure::measured(definitions[0], d1.value).with_error(d1.error),
            Figure::measured(definitions[1], 2e3 * half_d2.value).with_error(2e3 * half_d2.error),
        ],
        Err(reason) => definitions.map(|definition| Figure::missing(definition, reason.clone())).to_vec(),
    }
    .into_iter()
    .map(|figure| figure.at_nm(center_nm))
    .collect()
}
