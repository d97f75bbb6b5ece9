//! Fitted resonances: a Lorentzian line on a sloped base, in linear power, around each dip or peak.

mod figures;
mod line;

use super::extrema::{Extremum, Kind};
use super::figure::WindowNm;
use super::fit::Fit;
use super::trace::Trace;
use super::width::{Crossing, first_crossings};
use crate::shown::quantity;
pub use figures::{Topology, figures};
use line::{Samples, asymmetry, doublet, single};

/// Half of the fit's window, in FWHM.
const HALF_WINDOW: f64 = 4.0;
/// Fewest samples within the FWHM.
pub const FEWEST_SAMPLES: f64 = 5.0;
/// A line must explain this share of the variance within the window.
const FEWEST_EXPLAINED: f64 = 0.5;
/// How much better the information criterion of a doublet must be.
const DOUBLET_MARGIN: f64 = 10.0;

/// A fitted line.
#[derive(Debug, Clone, PartialEq)]
pub struct Resonance {
    /// The raw extremum.
    pub extremum: Extremum,
    /// The fit, or why there is none.
    pub line: Result<Line, Unfitted>,
}

impl Resonance {
    /// The fitted centre, nm, else the raw extremum.
    #[must_use]
    pub fn nm(&self) -> f64 {
        self.line.as_ref().map_or(self.extremum.nm, |line| line.center_nm.value)
    }
}

/// Why a line was not fitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Unfitted {
    /// The reason.
    pub reason: String,
    /// An upper bound of the FWHM, nm, if the reason is that the line is narrow.
    pub fwhm_at_most_nm: Option<f64>,
}

/// A value with its standard error.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The value.
    pub value: f64,
    /// The standard error.
    pub error: f64,
}

/// The results of a fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Centre, nm.
    pub center_nm: Estimate,
    /// Full width at half depth or height, nm; of a doublet that of each line.
    pub fwhm_nm: Estimate,
    /// Linear power of the base at the centre.
    pub base_power: f64,
    /// Of a dip: its depth as a part of the base, 0 to 1. Of a peak: its height as linear power.
    pub strength: Estimate,
    /// Root mean square of the residuals, as a part of the depth or height.
    pub residual: f64,
    /// The odd part of the line over the even part.
    pub asymmetry: Option<Estimate>,
    /// The distance of the two lines of a doublet, nm.
    pub splitting_nm: Option<Estimate>,
    /// Lowest raw sample of the window, dB.
    pub lowest_db: f64,
    /// Whether a sample of the window was computed from one at the floor.
    pub has_marks: bool,
    /// Whether a sample beside the raw extremum has no value.
    pub is_beside_gap: bool,
    /// The window, nm.
    pub window_nm: (f64, f64),
    /// How many samples were averaged to one before the fit; 1: none.
    pub averaged: usize,
}

/// Fits every line. The lines must be of one kind, in the order of wavelength.
#[must_use]
pub fn fit_all(trace: &Trace<'_>, extrema: &[Extremum]) -> Vec<Resonance> {
    let middle = |a: &Extremum, b: &Extremum| 0.5 * (a.nm + b.nm);
    extrema
        .iter()
        .enumerate()
        .map(|(place, extremum)| {
            let before = place.checked_sub(1).and_then(|before| extrema.get(before));
            let lowest_nm = before.map_or(trace.first_nm(), |before| middle(before, extremum));
            let after = extrema.get(place + 1);
            let highest_nm = after.map_or(trace.last_nm(), |after| middle(extremum, after));
            let room = WindowNm { from_nm: lowest_nm, to_nm: highest_nm };
            Resonance { extremum: *extremum, line: fit_one(trace, extremum, room) }
        })
        .collect()
}

fn unfitted(reason: impl Into<String>) -> Unfitted {
    Unfitted { reason: reason.into(), fwhm_at_most_nm: None }
}

/// The width at half depth or height of the raw samples, nm: where a fit begins.
fn raw_width_nm(trace: &Trace<'_>, extremum: &Extremum) -> Result<f64, Unfitted> {
    let crossings = first_crossings(trace, extremum.index, extremum.half_db(), extremum.kind);
    let below = crossings.lower.nm().map(|nm| extremum.nm - nm);
    let above = crossings.upper.nm().map(|nm| nm - extremum.nm);
    match (below, above) {
        (Some(below), Some(above)) => Ok(below + above),
        // At an end of the trace and beside a gap, one half tells the other.
        (Some(half), None) | (None, Some(half)) => Ok(2.0 * half),
        (None, None) => Err(unfitted(match (crossings.lower, crossings.upper) {
            (Crossing::InGap(_), _) | (_, Crossing::InGap(_)) => {
                "samples at half of the line's depth or height have no value"
            }
            (Crossing::At(_) | Crossing::NotBefore(_), Crossing::At(_) | Crossing::NotBefore(_)) => {
                "the trace does not return to half of the line's depth or height"
            }
        })),
    }
}

fn too_narrow(trace: &Trace<'_>, extremum: &Extremum, fwhm_nm: f64) -> Option<Unfitted> {
    let step_nm = trace.step_nm(extremum.index);
    (fwhm_nm < FEWEST_SAMPLES * step_nm).then(|| Unfitted {
        reason: format!(
            "fewer than {FEWEST_SAMPLES} samples within the FWHM: the step is {}, and the line is about {} wide",
            quantity(step_nm * 1e3, None, "pm"),
            quantity(fwhm_nm * 1e3, None, "pm")
        ),
        fwhm_at_most_nm: Some(FEWEST_SAMPLES * step_nm),
    })
}

fn fit_one(trace: &Trace<'_>, extremum: &Extremum, room: WindowNm) -> Result<Line, Unfitted> {
    let raw_nm = raw_width_nm(trace, extremum)?;
    // Noise on the flanks makes the raw width too small, so the raw width alone does not decide that a line is too
    // narrow.
    let step_nm = trace.step_nm(extremum.index);
    let mut fwhm_nm = raw_nm.max(2.0 * step_nm);
    let mut center_nm = extremum.nm;
    let mut found = None;
    // The window follows from the width, and the width from the window.
    for _ in 0..4 {
        let window = WindowNm::around(center_nm, HALF_WINDOW * fwhm_nm);
        let samples = Samples::of(trace, window, room);
        let Some(fit) = single(&samples, extremum.kind, center_nm, fwhm_nm) else { break };
        let width_nm = fit.parameters[1] * samples.unit_nm;
        let is_settled = (width_nm - fwhm_nm).abs() < 0.02 * fwhm_nm;
        center_nm = samples.center_nm + fit.parameters[0] * samples.unit_nm;
        fwhm_nm = width_nm.clamp(0.2 * raw_nm, (20.0 * raw_nm).max(4.0 * step_nm));
        found = Some((samples, fit));
        if is_settled {
            break;
        }
    }
    let Some((samples, fit)) = found else {
        return Err(too_narrow(trace, extremum, raw_nm)
            .unwrap_or_else(|| unfitted("too few usable samples around the line")));
    };
    let fitted_nm = fit.parameters[1] * samples.unit_nm;
    if let Some(narrow) = too_narrow(trace, extremum, fitted_nm) {
        return Err(narrow);
    }
    judge(&samples, &fit, extremum)?;
    Ok(describe(trace, extremum, room, &samples, &fit))
}

/// Whether the fit is one of this line.
fn judge(samples: &Samples, fit: &Fit<5>, extremum: &Extremum) -> Result<(), Unfitted> {
    let explained = 1.0 - fit.residual_squares / samples.variance_squares();
    if explained.is_nan() || explained < FEWEST_EXPLAINED {
        let share = (100.0 * explained).max(0.0);
        return Err(unfitted(format!(
            "the line is not a Lorentzian: the fit explains {share:.0} % of the variance in its window"
        )));
    }
    let window_nm = samples.to_nm - samples.from_nm;
    let width_nm = fit.parameters[1] * samples.unit_nm;
    if width_nm > window_nm {
        return Err(unfitted(format!(
            "the fitted width of {} exceeds the window of {} between the neighbouring lines",
            quantity(width_nm, None, "nm"),
            quantity(window_nm, None, "nm")
        )));
    }
    let center_nm = samples.center_nm + fit.parameters[0] * samples.unit_nm;
    if (center_nm - extremum.nm).abs() > width_nm {
        return Err(unfitted(format!(
            "the fitted centre {} is more than one FWHM away from the raw {}",
            quantity(center_nm, None, "nm"),
            extremum.kind.word()
        )));
    }
    Ok(())
}

/// All results of an accepted fit. The fit is repeated with half and with double the window.
fn describe(trace: &Trace<'_>, extremum: &Extremum, room: WindowNm, samples: &Samples, fit: &Fit<5>) -> Line {
    let unit_nm = samples.unit_nm;
    let center_nm = samples.center_nm + fit.parameters[0] * unit_nm;
    let fwhm_nm = fit.parameters[1] * unit_nm;
    let other_windows: Vec<(f64, f64, f64)> = [0.5, 2.0]
        .into_iter()
        .filter_map(|factor| {
            let window = WindowNm::around(center_nm, factor * HALF_WINDOW * fwhm_nm);
            let samples = Samples::of(trace, window, room);
            let fit = single(&samples, extremum.kind, center_nm, fwhm_nm)?;
            let [center, width, _, _, strength] = fit.parameters;
            Some((
                samples.center_nm + center * samples.unit_nm,
                width * samples.unit_nm,
                samples.strength(extremum.kind, strength),
            ))
        })
        .collect();
    let estimate = |value: f64, error: f64, other: fn(&(f64, f64, f64)) -> f64| {
        let shift = other_windows.iter().map(|fit| (other(fit) - value).abs()).fold(0.0, f64::max);
        Estimate { value, error: error.hypot(shift) }
    };
    let [_, _, base, _, strength] = fit.parameters;
    let slope = fit.parameters[3];
    let base_power = (base + slope * fit.parameters[0]) * samples.unit_power;
    let strength_power = match extremum.kind {
        Kind::Dip => strength * base_power,
        Kind::Peak => strength * samples.unit_power,
    };
    let mut line = Line {
        center_nm: estimate(center_nm, fit.errors[0] * unit_nm, |fit| fit.0),
        fwhm_nm: estimate(fwhm_nm, fit.errors[1] * unit_nm, |fit| fit.1),
        base_power,
        strength: estimate(
            samples.strength(extremum.kind, strength),
            samples.strength(extremum.kind, fit.errors[4]),
            |fit| fit.2,
        ),
        residual: fit.rms() * samples.unit_power / strength_power,
        asymmetry: None,
        splitting_nm: None,
        lowest_db: samples.lowest_db,
        has_marks: trace.part(trace.indices(samples.from_nm, samples.to_nm)).has_marks(),
        is_beside_gap: trace.is_beside_gap(extremum.index),
        window_nm: (samples.from_nm, samples.to_nm),
        averaged: samples.averaged,
    };
    let skewed = asymmetry(samples, extremum.kind, fit);
    if let Some(skewed) = &skewed {
        let even = skewed.parameters[4];
        let value = skewed.parameters[5] / even;
        line.asymmetry = Some(Estimate { value, error: (skewed.errors[5] / even).abs() });
    }
    if let Some(pair) = doublet(samples, extremum.kind, fit)
        && is_doublet(fit, skewed.as_ref(), &pair)
    {
        let [_, half, width, ..] = pair.parameters;
        let [_, half_error, width_error, ..] = pair.errors;
        line.splitting_nm = Some(Estimate { value: 2.0 * half * unit_nm, error: 2.0 * half_error * unit_nm });
        line.fwhm_nm = Estimate { value: width * unit_nm, error: width_error * unit_nm };
    }
    line
}

/// Whether two lines describe the samples better than one, symmetric or not, and are two lines to the eye.
fn is_doublet(one: &Fit<5>, skewed: Option<&Fit<6>>, two: &Fit<7>) -> bool {
    // The residuals of the better model tell how many samples are independent: those of the other contain its misfit.
    let independent = two.independent_samples;
    let best = skewed.map_or(f64::INFINITY, |skewed| skewed.bic(independent)).min(one.bic(independent));
    let [_, half, width, first, second, ..] = two.parameters;
    let weaker = first.min(second) / first.max(second);
    best - two.bic(independent) > DOUBLET_MARGIN && 2.0 * half > 0.5 * width && weaker > 0.1
}
