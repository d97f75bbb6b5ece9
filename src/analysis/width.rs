//! Widths of peaks and dips between crossings of a level, on the raw samples.

use super::Bound;
use super::extrema::{Extremum, Kind};
use super::figure::Figure;
use super::floor::Floor;
use super::registry as define;
use super::registry::Definition;
use super::trace::Trace;
use crate::shown::quantity;

/// Where a level is crossed on one side of a sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Crossing {
    /// At this wavelength, nm.
    At(f64),
    /// Nowhere up to the end of the trace, at this wavelength, nm.
    NotBefore(f64),
    /// Where samples have no value, or may be lower than their level, beyond this wavelength, nm.
    InGap(f64),
}

impl Crossing {
    /// The wavelength of the crossing, nm; `None` when there is none.
    #[must_use]
    pub fn nm(self) -> Option<f64> {
        match self {
            Self::At(nm) => Some(nm),
            Self::NotBefore(_) | Self::InGap(_) => None,
        }
    }

    /// The wavelength of the crossing, of the end of the trace, or of the last sample before a gap, nm.
    #[must_use]
    pub fn reach_nm(self) -> f64 {
        match self {
            Self::At(nm) | Self::NotBefore(nm) | Self::InGap(nm) => nm,
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

/// A place on the trace from which crossings are searched: at a sample, or between two samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Origin {
    nm: f64,
    pub(super) level_db: f64,
    /// The first sample that is not below the place.
    after: usize,
}

impl Origin {
    /// At a sample.
    pub(super) fn sample(trace: &Trace<'_>, index: usize) -> Self {
        Self { nm: trace.nm(index), level_db: trace.db(index), after: index }
    }

    /// At a wavelength; `None` outside the trace, and beside a sample without a value.
    pub(super) fn at_nm(trace: &Trace<'_>, nm: f64) -> Option<Self> {
        Some(Self { nm, level_db: trace.at_nm(nm)?, after: trace.index_from(nm) })
    }
}

/// The first crossings of a level, outward from a sample. Of a peak the level is below the sample, of a dip above.
#[must_use]
pub fn first_crossings(trace: &Trace<'_>, index: usize, level_db: f64, kind: Kind) -> Crossings {
    crossings_from(trace, Origin::sample(trace, index), level_db, kind)
}

fn crossings_from(trace: &Trace<'_>, origin: Origin, level_db: f64, kind: Kind) -> Crossings {
    let from = Some((origin.nm, origin.level_db));
    let lower = first(trace, from, (0..origin.after).rev(), level_db, kind);
    let upper = first(trace, from, origin.after..trace.len(), level_db, kind);
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
    let lower = first(trace, None, 0..=index, level_db, other);
    let upper = first(trace, None, (index..trace.len()).rev(), level_db, other);
    let at_end = |crossing: Crossing, end: Option<usize>| {
        let is_inside = end.is_some_and(|end| kind.sign() * (trace.db(end) - level_db) >= 0.0);
        if is_inside { Crossing::NotBefore(end.map_or(f64::NAN, |end| trace.nm(end))) } else { crossing }
    };
    Crossings {
        lower: at_end(lower, trace.usable().next().map(|(index, ..)| index)),
        upper: at_end(upper, trace.usable().next_back().map(|(index, ..)| index)),
    }
}

/// The first crossing of a level along a place and the samples beyond it, on the straight line between the two around it.
fn first(
    trace: &Trace<'_>,
    from: Option<(f64, f64)>,
    samples: impl Iterator<Item = usize>,
    level_db: f64,
    kind: Kind,
) -> Crossing {
    let mut before: Option<(f64, f64)> = None;
    let mut end_nm = f64::NAN;
    let mut is_behind_gap = false;
    let samples = samples.map(|index| (trace.nm(index), trace.db(index), trace.is_marked(index)));
    let from = from.map(|(nm, level)| (nm, level, false));
    for (nm, level, is_marked) in from.into_iter().chain(samples) {
        if !level.is_finite() {
            is_behind_gap = true;
            continue;
        }
        // The device may be below the level here.
        if is_marked && level > level_db {
            return Crossing::InGap(before.map_or(nm, |(before_nm, _)| before_nm));
        }
        let inside = kind.sign() * (level - level_db);
        if inside <= 0.0 {
            return match before {
                Some((before_nm, _)) if is_behind_gap => Crossing::InGap(before_nm),
                Some((before_nm, before_inside)) if before_inside > inside => {
                    let share = before_inside / (before_inside - inside);
                    Crossing::At(before_nm + (nm - before_nm) * share)
                }
                _ => Crossing::At(nm),
            };
        }
        before = Some((nm, inside));
        end_nm = nm;
        is_behind_gap = false;
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
    let (lower, upper) = match width_of_peak(trace, Origin::sample(trace, index), level_db, floor) {
        Ok(crossings) => crossings,
        Err(least) => {
            let figure = |definition| Figure::missing_at(definition, at, least.reason.clone()).at_nm(peak_nm);
            return vec![
                figure(&define::BANDWIDTH).with_bound(Bound::AtLeast, least.nm),
                figure(&define::BANDWIDTH_CENTER),
            ];
        }
    };
    let measured = |definition: &Definition, value| {
        Figure::measured_at(definition, at, value).at_nm(peak_nm).within(lower, upper)
    };
    let mut width = measured(&define::BANDWIDTH, upper - lower);
    let inside = trace.part(trace.indices(lower, upper));
    let usable = inside.usable().count();
    if usable < inside.len() {
        width =
            width.noted(format!("samples without a value within the bandwidth: {}", inside.len() - usable));
    }
    if usable < 3 {
        width = width.noted(format!("only {usable} samples are within the bandwidth"));
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

/// The least width of a peak, nm, and why it is not known better.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LeastWidth {
    pub(super) nm: f64,
    pub(super) reason: String,
}

/// The first crossings of a level on either side of a place on a peak, nm.
///
/// Where the trace is at the floor, the device may be anywhere below. So at a level down there the width is at least the
/// width at the floor.
pub(super) fn width_of_peak(
    trace: &Trace<'_>,
    origin: Origin,
    level_db: f64,
    floor: Floor,
) -> Result<(f64, f64), LeastWidth> {
    if let Some(floor_db) = floor.level_db.filter(|_| floor.touches(level_db)) {
        let nm = crossings_from(trace, origin, floor_db, Kind::Peak).reach_nm();
        return Err(LeastWidth { nm, reason: not_above_floor(level_db, floor_db, floor) });
    }
    let crossings = crossings_from(trace, origin, level_db, Kind::Peak);
    crossings.both_nm().ok_or_else(|| LeastWidth {
        nm: crossings.reach_nm(),
        reason: not_crossed(trace, crossings, level_db),
    })
}

/// Width of a dip at `x_db` below its base.
///
/// At a level that is not above the floor the width is at most the width at the floor: beside it the device is above.
#[must_use]
pub fn notch_width(trace: &Trace<'_>, dip: &Extremum, x_db: f64, floor: Floor) -> Figure {
    let definition = &define::NOTCH_WIDTH;
    let missing = |reason: String| Figure::missing_at(definition, Some(x_db), reason).at_nm(dip.nm);
    let level_db = dip.base_db() - x_db;
    if let Some(floor_db) = floor.level_db
        && floor.touches(dip.level_db)
        && floor.touches(level_db)
    {
        let reason = not_above_floor(level_db, floor_db, floor);
        let above = |index: &usize| trace.db(*index) > floor_db;
        let lower = (0..dip.index).rev().find(above);
        let upper = (dip.index..trace.len()).find(above);
        return match lower.zip(upper) {
            Some((lower, upper)) => {
                missing(reason).with_bound(Bound::AtMost, trace.nm(upper) - trace.nm(lower))
            }
            None => missing(reason),
        };
    }
    if dip.prominence_db <= x_db {
        return missing(format!(
            "the dip is {} deep, and the width is asked for {x_db} dB below the base",
            quantity(dip.prominence_db, None, "dB")
        ));
    }
    let crossings = first_crossings(trace, dip.index, level_db, Kind::Dip);
    match crossings.both_nm() {
        Some((lower, upper)) => {
            Figure::measured_at(definition, Some(x_db), upper - lower).at_nm(dip.nm).within(lower, upper)
        }
        None => {
            missing(not_crossed(trace, crossings, level_db)).with_bound(Bound::AtLeast, crossings.reach_nm())
        }
    }
}

fn not_above_floor(level_db: f64, floor_db: f64, floor: Floor) -> String {
    let [level, floor] = [level_db, floor_db].map(|db| floor.quantity(db));
    format!("the level {level} is not above the floor, {floor}")
}

/// Why there are no two crossings.
fn not_crossed(trace: &Trace<'_>, crossings: Crossings, level_db: f64) -> String {
    let level = quantity(level_db, None, trace.unit().symbol());
    let side = match (crossings.lower, crossings.upper) {
        (Crossing::InGap(nm), _) | (_, Crossing::InGap(nm)) => {
            let what = if trace.has_marks() { "are at the floor or have no value" } else { "have no value" };
            return format!("the level {level} is crossed beside {nm} nm, where samples {what}");
        }
        (Crossing::NotBefore(_), Crossing::NotBefore(_)) => "on both sides",
        (Crossing::NotBefore(_), Crossing::At(_)) => "towards shorter wavelengths",
        (Crossing::At(_), _) => "towards longer wavelengths",
    };
    format!("the level {level} is not reached {side} within {} to {} nm", trace.first_nm(), trace.last_nm())
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
