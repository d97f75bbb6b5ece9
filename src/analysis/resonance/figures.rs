//! The figures of fitted resonances.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Estimate, Line, Resonance, Unfitted};
use crate::analysis::Bound;
use crate::analysis::extrema::Kind;
use crate::analysis::figure::Figure;
use crate::analysis::floor::Floor;
use crate::analysis::registry as define;
use crate::analysis::registry::Definition;
use crate::analysis::units::db_from_power;

/// How a ring is coupled. Intrinsic and coupling Q need it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Topology {
    /// A ring at one waveguide.
    AllPass,
    /// A ring between two waveguides with equal couplers.
    AddDrop,
}

/// The figures of all resonances of one kind.
#[must_use]
pub fn figures(resonances: &[Resonance], floor: Floor, topology: Option<Topology>) -> Vec<Figure> {
    let each = resonances.iter().zip(1..);
    each.flat_map(|(resonance, number)| {
        let feature = format!("{} {number}", resonance.extremum.kind.word());
        let figures = match &resonance.line {
            Ok(line) => fitted(line, resonance.extremum.kind, floor, topology),
            Err(unfitted) => missing(resonance, unfitted),
        };
        let nm = resonance.nm();
        figures.into_iter().map(move |figure| figure.of(feature.clone()).at_nm(nm))
    })
    .collect()
}

fn missing(resonance: &Resonance, unfitted: &Unfitted) -> Vec<Figure> {
    let figure = |definition| Figure::missing(definition, unfitted.reason.clone());
    let (mut fwhm, mut q) = (figure(&define::FWHM), figure(&define::Q_LOADED));
    if let Some(most_nm) = unfitted.fwhm_at_most_nm {
        fwhm = fwhm.with_bound(Bound::AtMost, most_nm);
        q = q.with_bound(Bound::AtLeast, resonance.extremum.nm / most_nm);
    }
    let mut figures = vec![figure(&define::RESONANCE), fwhm, q];
    if resonance.extremum.kind == Kind::Dip {
        figures.push(figure(&define::EXTINCTION));
    }
    figures
}

fn fitted(line: &Line, kind: Kind, floor: Floor, topology: Option<Topology>) -> Vec<Figure> {
    let measured = |definition: &Definition, estimate: Estimate| {
        Figure::measured(definition, estimate.value).with_error(estimate.error)
    };
    let q_loaded = q_loaded(line);
    let mut figures = vec![
        measured(&define::RESONANCE, line.center_nm),
        measured(&define::FWHM, line.fwhm_nm),
        measured(&define::Q_LOADED, q_loaded),
    ];
    if kind == Kind::Dip {
        let extinction_db = db_from_power(line.base_power) - line.lowest_db;
        let is_lower = line.is_at_floor(floor) || line.is_beside_gap;
        let bound = is_lower.then_some(Bound::AtLeast);
        figures.push(Figure::measured(&define::EXTINCTION, extinction_db).bounded(bound));
    }
    figures.push(Figure::measured(&define::FIT_RESIDUAL, line.residual));
    figures.extend(line.asymmetry.map(|asymmetry| measured(&define::FANO, asymmetry)));
    figures.extend(line.splitting_nm.map(|splitting| measured(&define::DOUBLET, splitting)));
    figures.extend(topology.into_iter().flat_map(|topology| coupling(line, kind, floor, topology, q_loaded)));
    let (from_nm, to_nm) = line.window_nm;
    let finish = |figure: Figure| {
        let mut figure = figure.within(from_nm, to_nm);
        if line.splitting_nm.is_some() {
            figure = figure.noted("doublet: the width is that of each of its two lines");
        }
        if line.averaged > 1 {
            figure = figure.noted(format!("{} samples were averaged to one before the fit", line.averaged));
        }
        figure
    };
    figures.into_iter().map(finish).collect()
}

impl Line {
    /// Whether the device may be lower than the lowest sample.
    fn is_at_floor(&self, floor: Floor) -> bool {
        self.has_marks || floor.touches(self.lowest_db)
    }
}

fn q_loaded(line: &Line) -> Estimate {
    let value = line.center_nm.value / line.fwhm_nm.value;
    Estimate { value, error: value * line.fwhm_nm.error / line.fwhm_nm.value }
}

/// Intrinsic and coupling Q. For an all-pass ring one trace cannot tell which branch is which.
fn coupling(line: &Line, kind: Kind, floor: Floor, topology: Topology, loaded: Estimate) -> Vec<Figure> {
    let [first, second] = match topology {
        Topology::AllPass => [&define::Q_BRANCH_HIGH, &define::Q_BRANCH_LOW],
        Topology::AddDrop => [&define::Q_INTRINSIC, &define::Q_COUPLING],
    };
    let missing = |reason: String| {
        [first, second].map(|definition| Figure::missing(definition, reason.clone())).to_vec()
    };
    if kind == Kind::Peak {
        return missing("the transmission of the through port is needed: these lines are peaks".to_owned());
    }
    if line.splitting_nm.is_some() {
        return missing("the line is a doublet".to_owned());
    }
    if line.is_at_floor(floor) {
        return missing(format!("the dip is at the floor ({})", floor.quantity(line.lowest_db)));
    }
    let lowest = 1.0 - line.strength.value;
    if lowest <= line.strength.error || lowest <= 0.0 {
        return missing(format!(
            "the fitted lowest transmission, {lowest:.2e} of the base, is not larger than its error, {:.2e}",
            line.strength.error
        ));
    }
    let root = lowest.sqrt();
    // d√T = dT / (2·√T)
    let root_error = 0.5 * line.strength.error / root;
    let estimate = |value: f64, share: f64| Estimate {
        value,
        error: value * (loaded.error / loaded.value).hypot(share),
    };
    let values = match topology {
        Topology::AllPass => [
            estimate(2.0 * loaded.value / (1.0 - root), root_error / (1.0 - root)),
            estimate(2.0 * loaded.value / (1.0 + root), root_error / (1.0 + root)),
        ],
        Topology::AddDrop => [
            estimate(loaded.value / root, root_error / root),
            estimate(2.0 * loaded.value / (1.0 - root), root_error / (1.0 - root)),
        ],
    };
    [first, second]
        .into_iter()
        .zip(values)
        .map(|(definition, value)| Figure::measured(definition, value.value).with_error(value.error))
        .collect()
}
