//! Widths of peaks and dips between crossings of a level, on the raw samples.

use super::Bound;
use super::extrema::{Extremum, Kind};
use super::figure::Figure;
use super::floor::Floor;
use super::registry as define;
use super::registry::Definition;
use super::trace::Trace;

/// Where a level is crossed on one side of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Crossing {
    /// At this wavelength, nm.
    At(f64),
    /// Nowhere up to the end of the trace, at this wavelength, nm.
    NotBefore(f64),
}

impl Crossing {
    /// The wavelength of the crossing, nm; `None` when there is none.
    #[must_use]
    pub fn nm(self) -> Option<f64> {
        match self {
            Self::At(nm) => Some(nm),
            Self::NotBefore(_) => None,
        }
    }

    /// The wavelength of the crossing or of the end of the trace, nm.
    #[must_use]
    pub fn reach_nm(self) -> f64 {
        match self {
            Self::At(nm) | Self::NotBefore(nm) => nm,
        }
    }
}

/// The two crossings around a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crossings {
    /// Towards shorter wavelengths.
    pub lower: Crossing,
    /// Towards longer wavelengths.
    pub upper: Crossing,
}

impl Crossings {
    /// The wavelengths of both crossings, nm; `None` unless there are two.
    #[must_use]
    pub fn both_nm(&self) -> Option<(f64, f64)> {
        Some((self.lower.nm()?, self.upper.nm()?))
    }

    /// The distance of both crossings or ends, nm: a lower bound of the width when a crossing is missing.
    #[must_use]
    pub fn reach_nm(&self) -> f64 {
        self.upper.reach_nm() - self.lower.reach_nm()
    }
}

/// The first crossings of a level, outward from a sample. Of a peak the level is below the sample, of a dip above.
#[must_use]
pub fn first_crossings(trace: &Trace<'_>, index: usize, level_db: f64, kind: Kind) -> Crossings {
    let lower = first(trace, (0..=index).rev(), level_db, kind);
    let upper = first(trace, index..trace.len(), level_db, kind);
    Crossings { lower, upper }
}

/// The outermost crossings of a level on either side of a sample.
#[must_use]
pub fn outer_crossings(trace: &Trace<'_>, index: usize, level_db: f64, kind: Kind) -> Crossings {
    // Seen from the end of the trace, the outermost crossing is where the level is reached for the first time. A trace
    // that is beyond the level at its end has no outermost crossing.
    let other = match kind {
        Kind::Dip => Kind::Peak,
        Kind::Peak => Kind::Dip,
    };
    let lower = first(trace, 0..=index, level_db, other);
    let upper = first(trace, (index..trace.len()).rev(), level_db, other);
    let at_end = |crossing: Crossing, end: Option<usize>| {
        let is_inside = end.is_some_and(|end| kind.sign() * (trace.db(end) - level_db) >= 0.0);
        if is_inside { Crossing::NotBefore(end.map_or(f64::NAN, |end| trace.nm(end))) } else { crossing }
    };
    Crossings {
        lower: at_end(lower, trace.usable().next().map(|(index, ..)| index)),
        upper: at_end(upper, trace.usable().next_back().map(|(index, ..)| index)),
    }
}

/// The first crossing of a level along these samples, on the straight line between the two samples around it.
fn first(trace: &Trace<'_>, samples: impl Iterator<Item = usize>, level_db: f64, kind: Kind) -> Crossing {
    let mut before: Option<(f64, f64)> = None;
    let mut end_nm = f64::NAN;
    for index in samples {
        let level = trace.db(index);
        if !level.is_finite() {
            continue;
        }
        let nm = trace.nm(index);
        let inside = kind.sign() * (level - level_db);
        if inside <= 0.0 {
            return match before {
                Some((before_nm, before_inside)) if before_inside > inside => {
                    let share = before_inside / (before_inside - inside);
                    Crossing::At(before_nm + (nm - before_nm) * share)
                }
                _ => Crossing::At(nm),
            };
        }
        before = Some((nm, inside));
        end_nm = nm;
    }
    Crossing::NotBefore(end_nm)
}

/// Bandwidth of a peak at `x_db` below its highest sample: first crossings, their middle, outermost crossings.
///
/// `part` is the part of the trace that belongs to the peak, as the outermost crossings of other peaks do not count.
#[must_use]
pub fn bandwidth(
    trace: &Trace<'_>,
    part: std::ops::Range<usize>,
    index: usize,
    x_db: f64,
    floor: Floor,
) -> Vec<Figure> {
    let at = Some(x_db);
    let peak_nm = trace.nm(index);
    let level_db = trace.db(index) - x_db;
    let crossings = first_crossings(trace, index, level_db, Kind::Peak);
    // Below the floor the crossing is the detector's, and the device's width is unknown beyond it.
    let is_below_floor = floor.level_db.is_some_and(|floor| level_db < floor);
    let Some((lower, upper)) = crossings.both_nm().filter(|_| !is_below_floor) else {
        let reason = if is_below_floor {
            format!("the level {x_db} dB below the peak is {level_db:.2} dB, below the floor")
        } else {
            not_crossed(trace, crossings, level_db)
        };
        let figure = |definition| Figure::missing_at(definition, at, reason.clone()).at_nm(peak_nm);
        let reach_nm = crossings.reach_nm();
        return vec![
            figure(&define::BANDWIDTH).with_bound(Bound::AtLeast, reach_nm),
            figure(&define::BANDWIDTH_CENTER),
        ];
    };
    let measured = |definition: &Definition, value| {
        Figure::measured_at(definition, at, value).at_nm(peak_nm).within(lower, upper)
    };
    let mut width = measured(&define::BANDWIDTH, upper - lower);
    let inside = trace.indices(lower, upper).len();
    if inside < 3 {
        width = width.noted(format!("only {inside} samples are within the bandwidth"));
    }
    let mut figures = vec![width, measured(&define::BANDWIDTH_CENTER, 0.5 * (lower + upper))];
    let own = trace.part(part.clone());
    let outer = outer_crossings(&own, index.saturating_sub(part.start), level_db, Kind::Peak);
    if let Some((outer_lower, outer_upper)) = outer.both_nm()
        && (outer_upper - outer_lower) - (upper - lower) > 1e-9
    {
        figures.push(
            Figure::measured_at(&define::BANDWIDTH_OUTER, at, outer_upper - outer_lower)
                .at_nm(peak_nm)
                .within(outer_lower, outer_upper),
        );
    }
    figures
}

/// Width of a dip at `x_db` below its base.
#[must_use]
pub fn notch_width(trace: &Trace<'_>, dip: &Extremum, x_db: f64) -> Figure {
    let at = Some(x_db);
    let definition = &define::NOTCH_WIDTH;
    if dip.prominence_db <= x_db {
        let reason = format!(
            "the dip is {:.2} dB deep, and the width is asked for {x_db} dB below the base",
            dip.prominence_db
        );
        return Figure::missing_at(definition, at, reason).at_nm(dip.nm);
    }
    let level_db = dip.base_db() - x_db;
    let crossings = first_crossings(trace, dip.index, level_db, Kind::Dip);
    match crossings.both_nm() {
        Some((lower, upper)) => {
            Figure::measured_at(definition, at, upper - lower).at_nm(dip.nm).within(lower, upper)
        }
        None => Figure::missing_at(definition, at, not_crossed(trace, crossings, level_db))
            .at_nm(dip.nm)
            .with_bound(Bound::AtLeast, crossings.reach_nm()),
    }
}

/// Why there are no two crossings.
pub(super) fn not_crossed(trace: &Trace<'_>, crossings: Crossings, level_db: f64) -> String {
    let side = match (crossings.lower, crossings.upper) {
        (Crossing::NotBefore(_), Crossing::NotBefore(_)) => "on both sides",
        (Crossing::NotBefore(_), Crossing::At(_)) => "towards shorter wavelengths",
        (Crossing::At(_), _) => "towards longer wavelengths",
    };
    format!(
        "the level {level_db:.2} dB is not reached {side} within {} to {} nm",
        trace.first_nm(),
        trace.last_nm()
    )
}

/// The parts of a trace that belong to lines: from half-way to the line before to half-way to the line after.
#[must_use]
pub fn parts(trace: &Trace<'_>, lines_nm: &[f64]) -> Vec<std::ops::Range<usize>> {
    let middle = |a: f64, b: f64| trace.index_from(0.5 * (a + b));
    let ends: Vec<usize> = lines_nm.windows(2).map(|pair| middle(pair[0], pair[1])).collect();
    (0..lines_nm.len())
        .map(|line| {
            let start = if line == 0 { 0 } else { ends[line - 1] };
            start..ends.get(line).copied().unwrap_or(trace.len())
        })
        .collect()
}
