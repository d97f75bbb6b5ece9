//! The models: one line, an asymmetric line, two lines, each on a sloped base.
//!
//! Wavelengths are in units of the expected FWHM, relative to the centre. Powers are in units of the highest power of
//! the window. So all parameters are of the order of 1. Parameters: centre, FWHM, base, slope, strength, and what a model adds.

use super::HALF_WINDOW;
use crate::analysis::extrema::Kind;
use crate::analysis::figure::WindowNm;
use crate::analysis::fit::{Fit, Problem};
use crate::analysis::trace::Trace;

/// Most samples of a fit. More are averaged in linear power, so that a fit of any trace takes little memory.
const MOST: usize = 4096;

/// The samples of a window, scaled.
pub(super) struct Samples {
    x: Vec<f64>,
    y: Vec<f64>,
    weights: Vec<f64>,
    pub(super) center_nm: f64,
    pub(super) unit_nm: f64,
    pub(super) unit_power: f64,
    pub(super) lowest_db: f64,
    pub(super) from_nm: f64,
    pub(super) to_nm: f64,
    pub(super) averaged: usize,
}

impl Samples {
    /// The samples within four FWHM of the line and within its room.
    ///
    /// Their weights fall to 0 at the ends of the window: ripple of the base would otherwise pull the width as it enters.
    pub(super) fn of(trace: &Trace<'_>, window: WindowNm, room: WindowNm) -> Self {
        let clipped = window.clipped(room);
        let part = trace.part(trace.indices(clipped.from_nm, clipped.to_nm));
        let center_nm = 0.5 * (window.from_nm + window.to_nm);
        let half_nm = 0.5 * (window.to_nm - window.from_nm);
        let unit_nm = (half_nm / HALF_WINDOW).max(f64::MIN_POSITIVE);
        let averaged = part.len().div_ceil(MOST).max(1);
        let (mut x, mut y, mut weights) = (Vec::new(), Vec::new(), Vec::new());
        let (mut lowest_db, mut highest) = (f64::INFINITY, f64::MIN_POSITIVE);
        for first in (0..part.len()).step_by(averaged) {
            let (mut nm_sum, mut power_sum, mut count) = (0.0, 0.0, 0.0);
            for index in first..(first + averaged).min(part.len()) {
                let level = part.db(index);
                if level.is_finite() {
                    lowest_db = lowest_db.min(level);
                    nm_sum += part.nm(index) - center_nm;
                    power_sum += part.power(index);
                    count += 1.0;
                }
            }
            if count > 0.0 {
                let offset_nm: f64 = nm_sum / count;
                x.push(offset_nm / unit_nm);
                weights.push((1.0 - (offset_nm / half_nm).powi(2)).max(0.0).powi(2));
                y.push(power_sum / count);
                highest = f64::max(highest, power_sum / count);
            }
        }
        y.iter_mut().for_each(|power| *power /= highest);
        Self {
            x,
            y,
            weights,
            center_nm,
            unit_nm,
            unit_power: highest,
            lowest_db,
            from_nm: part.first_nm(),
            to_nm: part.last_nm(),
            averaged,
        }
    }

    /// Sum of the squared differences from the mean, weighted.
    pub(super) fn variance_squares(&self) -> f64 {
        let weighted = |value: &dyn Fn(f64) -> f64| -> f64 {
            self.y.iter().zip(&self.weights).map(|(y, weight)| weight * value(*y)).sum()
        };
        let mean = weighted(&|y| y) / weighted(&|_| 1.0);
        weighted(&|y| (y - mean) * (y - mean))
    }

    /// The strength of a line outside this module: relative depth of a dip, linear power of a peak.
    pub(super) fn strength(&self, kind: Kind, fitted: f64) -> f64 {
        match kind {
            Kind::Dip => fitted,
            Kind::Peak => fitted * self.unit_power,
        }
    }

    fn extreme(&self, kind: Kind) -> f64 {
        let pick = match kind {
            Kind::Dip => f64::min,
            Kind::Peak => f64::max,
        };
        self.y.iter().copied().reduce(pick).unwrap_or(0.0)
    }

    /// The mean of the outer samples at either end: where a base begins.
    fn ends(&self) -> (f64, f64) {
        let count = (self.y.len() / 10).max(1).min(self.y.len());
        let mean = |samples: &[f64]| samples.iter().sum::<f64>() / samples.len().max(1) as f64;
        (mean(&self.y[..count]), mean(&self.y[self.y.len() - count..]))
    }
}

/// The base with a line on it. A dip takes a part of the base, a peak adds to it.
fn on_base(kind: Kind, base: f64, line: f64) -> f64 {
    match kind {
        Kind::Dip => base * (1.0 - line),
        Kind::Peak => base + line,
    }
}

fn lorentzian(x: f64, center: f64, width: f64) -> f64 {
    let v = 2.0 * (x - center) / width;
    1.0 / (1.0 + v * v)
}

const FREE: (f64, f64) = (f64::NEG_INFINITY, f64::INFINITY);
/// Centres and widths stay near the window, which is eight units wide.
const CENTERS: (f64, f64) = (-5.0, 5.0);
const WIDTHS: (f64, f64) = (1e-3, 40.0);

fn strengths(kind: Kind) -> (f64, f64) {
    match kind {
        Kind::Dip => (0.0, 1.0),
        Kind::Peak => (0.0, f64::INFINITY),
    }
}

/// One line: centre, FWHM, base, slope, strength.
pub(super) fn single(samples: &Samples, kind: Kind, center_nm: f64, fwhm_nm: f64) -> Option<Fit<5>> {
    if samples.y.len() < 7 {
        return None;
    }
    let (left, right) = samples.ends();
    let base = 0.5 * (left + right);
    let strength = match kind {
        Kind::Dip => 1.0 - samples.extreme(kind) / base.max(f64::MIN_POSITIVE),
        Kind::Peak => samples.extreme(kind) - base,
    };
    let problem = Problem {
        x: &samples.x,
        y: &samples.y,
        weights: &samples.weights,
        bounds: [CENTERS, WIDTHS, FREE, FREE, strengths(kind)],
        model: |x, p: &[f64; 5]| on_base(kind, p[2] + p[3] * x, p[4] * lorentzian(x, p[0], p[1])),
    };
    problem.solve([
        (center_nm - samples.center_nm) / samples.unit_nm,
        fwhm_nm / samples.unit_nm,
        base,
        (right - left) / 8.0,
        strength,
    ])
}

/// A line with an odd part; the last parameter is its strength.
pub(super) fn asymmetry(samples: &Samples, kind: Kind, one: &Fit<5>) -> Option<Fit<6>> {
    let [center, width, base, slope, strength] = one.parameters;
    let problem = Problem {
        x: &samples.x,
        y: &samples.y,
        weights: &samples.weights,
        bounds: [CENTERS, WIDTHS, FREE, FREE, strengths(kind), FREE],
        model: |x, p: &[f64; 6]| {
            let v = 2.0 * (x - p[0]) / p[1];
            on_base(kind, p[2] + p[3] * x, (p[4] + p[5] * v) / (1.0 + v * v))
        },
    };
    let fit = problem.solve([center, width, base, slope, strength, 0.0])?;
    (fit.parameters[4] > 0.0).then_some(fit)
}

/// Two lines of one width: their middle, half of their distance, FWHM, both strengths, base, slope.
pub(super) fn doublet(samples: &Samples, kind: Kind, one: &Fit<5>) -> Option<Fit<7>> {
    let [center, width, base, slope, strength] = one.parameters;
    let strength_bounds = strengths(kind);
    let problem = Problem {
        x: &samples.x,
        y: &samples.y,
        weights: &samples.weights,
        bounds: [CENTERS, (0.0, 4.0), WIDTHS, strength_bounds, strength_bounds, FREE, FREE],
        model: |x, p: &[f64; 7]| {
            let lines = p[3] * lorentzian(x, p[0] - p[1], p[2]) + p[4] * lorentzian(x, p[0] + p[1], p[2]);
            on_base(kind, p[5] + p[6] * x, lines)
        },
    };
    let starts = [0.25, 0.5]
        .map(|half| [center, half * width, 0.7 * width, 0.7 * strength, 0.7 * strength, base, slope]);
    let fits = starts.into_iter().filter_map(|start| problem.solve(start));
    fits.min_by(|a, b| a.residual_squares.total_cmp(&b.residual_squares))
}
