//! Dips and peaks of the raw samples, with scipy's prominence, in one pass.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::comb::is_even;
use super::figure::Figure;
use super::floor::Floor;
use super::registry as define;
use super::trace::Trace;
use super::units::power_from_db;
use super::{BESIDE_GAP, Bound, NO_USABLE};
use crate::shown::quantity;

/// Least distance of two lines of one kind, nm, when none is given.
const DISTANCE_NM: f64 = 0.5;
/// Least prominence, dB, when none is given.
const PROMINENCE_DB: f64 = 3.0;
/// When no prominence is given, lines below the first drop by this factor, in linear power, count as noise.
const DROP: f64 = 10.0;

/// A dip or a peak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A local minimum.
    Dip,
    /// A local maximum.
    Peak,
}

impl Kind {
    /// The name of the kind.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Dip => "dip",
            Self::Peak => "peak",
        }
    }

    /// The factor that turns the line into a maximum.
    pub(super) fn sign(self) -> f64 {
        match self {
            Self::Dip => -1.0,
            Self::Peak => 1.0,
        }
    }
}

/// Which extrema count.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Search {
    /// Least prominence, dB. When none is given: 3 dB, and no tenfold drop in linear power from one line to the next weaker one.
    pub prominence_db: Option<f64>,
    /// Least distance of two extrema of one kind, nm. The higher peak or the lower dip stays, as in scipy. When none is
    /// given: 0.5 nm, unless all prominent lines form a comb that is denser.
    pub distance_nm: Option<f64>,
}

impl Search {
    /// The prominence that is given, or the default, dB.
    #[must_use]
    pub fn least_db(&self) -> f64 {
        self.prominence_db.unwrap_or(PROMINENCE_DB)
    }

    /// The distance that is given, or the default, nm.
    #[must_use]
    pub fn least_nm(&self) -> f64 {
        self.distance_nm.unwrap_or(DISTANCE_NM)
    }
}

/// A local minimum or maximum of the raw samples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extremum {
    /// Dip or peak.
    pub kind: Kind,
    /// Number of the sample in the trace that was searched.
    pub index: usize,
    /// Wavelength, nm.
    pub nm: f64,
    /// Transmission, dB.
    pub level_db: f64,
    /// Prominence, dB.
    pub prominence_db: f64,
}

impl Extremum {
    /// Level from which the line stands out, dB.
    #[must_use]
    pub fn base_db(&self) -> f64 {
        self.level_db - self.kind.sign() * self.prominence_db
    }

    /// Depth or height of the line in linear power.
    #[must_use]
    pub fn power(&self) -> f64 {
        (power_from_db(self.level_db) - power_from_db(self.base_db())).abs()
    }

    /// Level, dB, at half of the depth or height in linear power.
    #[must_use]
    pub fn half_db(&self) -> f64 {
        10.0 * (0.5 * (power_from_db(self.level_db) + power_from_db(self.base_db()))).log10()
    }
}

/// A local maximum that still waits for a higher sample to its right.
struct Waiting {
    index: usize,
    height: f64,
    /// Lowest sample on the way to a higher sample to the left.
    left_min: f64,
    /// Lowest sample between this maximum and the one below on the stack.
    between: f64,
    /// An end of the trace is no maximum, but it ends the way of others.
    is_end: bool,
}

/// The extrema that were found.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// The extrema in the order of wavelength.
    pub extrema: Vec<Extremum>,
    /// How many others are prominent enough, but count as noise because no prominence was given.
    pub weaker: usize,
    /// Others that only the distance excludes, in the order of wavelength.
    pub near: Vec<Extremum>,
    /// The least distance that was used, nm.
    pub distance_nm: f64,
}

/// The extrema of one kind.
///
/// A flat top counts once, in its middle. Unusable samples are passed over. Memory: 8 bytes for each local extremum, so at
/// most 4 bytes for each sample, and the extrema that wait for a higher sample.
#[must_use]
pub fn find(trace: &Trace<'_>, kind: Kind, search: &Search) -> Found {
    let least = search.least_db();
    let distance_nm = search.least_nm();
    let mut found = maxima(trace, kind);
    // As in scipy, maxima of any prominence exclude those that are near.
    let apart = (distance_nm > 0.0).then(|| distant(trace, kind, &mut found, distance_nm));
    found.retain(|(_, prominence)| f64::from(*prominence) >= least);
    let extremum = |(index, prominence): (u32, f32)| {
        let index = index as usize;
        let prominence_db = f64::from(prominence);
        Extremum { kind, index, nm: trace.nm(index), level_db: trace.db(index), prominence_db }
    };
    let is_apart = |(index, _): &(u32, f32)| apart.as_ref().is_none_or(|apart| apart.contains(index));
    let (apart, near): (Vec<_>, Vec<_>) = found.into_iter().partition(is_apart);
    let [mut extrema, mut near] =
        [apart, near].map(|lines| lines.into_iter().map(extremum).collect::<Vec<Extremum>>());
    let all = extrema.len();
    if search.prominence_db.is_none() {
        // Noise of the detector's floor has a prominence of many dB, but almost no power.
        extrema.sort_by(|a, b| b.power().total_cmp(&a.power()));
        let drop = extrema.windows(2).position(|pair| pair[0].power() > DROP * pair[1].power());
        extrema.truncate(drop.map_or(all, |last| last + 1));
        let weakest = extrema.last().map_or(f64::INFINITY, Extremum::power);
        near.retain(|line| DROP * line.power() >= weakest);
    }
    let weaker = all - extrema.len();
    extrema.sort_unstable_by_key(|line| line.index);
    near.sort_unstable_by_key(|line| line.index);
    let found = Found { extrema, weaker, near, distance_nm };
    if search.distance_nm.is_none() { found.widened_to_comb() } else { found }
}

impl Found {
    /// The default distance would hide lines of a dense comb. If all lines together are evenly spaced, they are one comb, and
    /// the distance is a part of their spacing.
    fn widened_to_comb(self) -> Self {
        if self.near.is_empty() {
            return self;
        }
        let mut all: Vec<Extremum> = self.extrema.iter().chain(&self.near).copied().collect();
        all.sort_unstable_by_key(|line| line.index);
        let places: Vec<f64> = all.iter().map(|line| line.nm).collect();
        if !is_even(&places) {
            return self;
        }
        let smallest = places.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
        // A distance of one or two digits, so that it can be given again.
        let digit = 10f64.powf((0.5 * smallest).log10().floor() - 1.0);
        let digits = (0.5 * smallest / digit).floor();
        Self { extrema: all, near: Vec::new(), distance_nm: digits / (1.0 / digit).round(), ..self }
    }
}

/// Of maxima that are too near to each other the highest one stays, as in scipy: the numbers of their samples. Sorts `found`.
fn distant(trace: &Trace<'_>, kind: Kind, found: &mut [(u32, f32)], distance_nm: f64) -> BTreeSet<u32> {
    let height = |index: u32| kind.sign() * trace.db(index as usize);
    found.sort_unstable_by(|a, b| height(b.0).total_cmp(&height(a.0)).then(a.0.cmp(&b.0)));
    let mut kept: BTreeSet<u32> = BTreeSet::new();
    for (index, _) in &*found {
        let nm = trace.nm(*index as usize);
        let is_near = |other: Option<&u32>| {
            // A thousandth of a picometre absorbs rounding.
            other.is_some_and(|other| (trace.nm(*other as usize) - nm).abs() < distance_nm - 1e-6)
        };
        if !is_near(kept.range(..index).next_back()) && !is_near(kept.range(index..).next()) {
            kept.insert(*index);
        }
    }
    kept
}

/// The middle of a flat top. If that sample has no value, the nearest usable one before it.
fn middle(trace: &Trace<'_>, first: usize, last: usize) -> usize {
    let is_usable = |index: &usize| trace.db(*index).is_finite();
    (first..=usize::midpoint(first, last)).rev().find(is_usable).unwrap_or(first)
}

/// The local maxima of the trace, or of the negated trace: number of the sample, prominence.
fn maxima(trace: &Trace<'_>, kind: Kind) -> Vec<(u32, f32)> {
    let mut found = Vec::new();
    let mut stack: Vec<Waiting> = Vec::new();
    let mut emit = |waiting: &Waiting, right_min: f64| {
        let prominence = waiting.height - waiting.left_min.max(right_min);
        if !waiting.is_end {
            found.push((waiting.index as u32, prominence as f32));
        }
    };
    // Lowest sample since the maximum on top of the stack.
    let mut valley = f64::INFINITY;
    let mut arrive = |stack: &mut Vec<Waiting>, index: usize, height: f64, is_end: bool, valley: &mut f64| {
        while let Some(top) = stack.last()
            && top.height < height
        {
            emit(top, *valley);
            *valley = valley.min(top.between);
            stack.pop();
        }
        let below = stack.last();
        let left_min = match below {
            // A maximum of the same height is no higher sample: the way goes on beyond it.
            Some(below) if below.height == height => valley.min(below.left_min),
            _ => *valley,
        };
        stack.push(Waiting { index, height, left_min, between: *valley, is_end });
        *valley = height;
    };
    let sign = kind.sign();
    // The run of equal samples that may become a flat top: first and last sample, height, whether it was reached by a rise.
    let mut run: Option<(usize, usize, f64, bool)> = None;
    for (index, _, level) in trace.usable() {
        let height = sign * level;
        match &mut run {
            None => {
                arrive(&mut stack, index, height, true, &mut valley);
                run = Some((index, index, height, false));
            }
            Some((_, last, top, _)) if height == *top => *last = index,
            Some((first, last, top, is_risen)) => {
                if *is_risen && height < *top {
                    arrive(&mut stack, middle(trace, *first, *last), *top, false, &mut valley);
                }
                let rises = height > *top;
                run = Some((index, index, height, rises));
            }
        }
        valley = valley.min(height);
    }
    if let Some((_, last, top, _)) = run {
        arrive(&mut stack, last, top, true, &mut valley);
    }
    // Nothing higher comes: the way to the right ends at the end of the trace.
    while let Some(top) = stack.pop() {
        emit(&top, valley);
        valley = valley.min(top.between);
    }
    found
}

/// The figures of dips or peaks: where they are, their level and prominence.
#[must_use]
pub fn figures(trace: &Trace<'_>, kind: Kind, extrema: &[Extremum], floor: Floor) -> Vec<Figure> {
    let (place, level) = match kind {
        Kind::Dip => (&define::DIP, &define::DIP_LEVEL),
        Kind::Peak => (&define::PEAK, &define::PEAK_LEVEL),
    };
    if extrema.is_empty() {
        return vec![Figure::missing(place, nothing_found(trace, kind))];
    }
    let mut figures = Vec::with_capacity(extrema.len() * 3);
    let has_marks = trace.has_marks();
    for (extremum, number) in extrema.iter().zip(1..) {
        let is_beside_gap = trace.is_beside_gap(extremum.index);
        let gap = |bound: Bound| is_beside_gap.then_some(bound);
        let is_dark = floor.holds(trace, extremum.index);
        let (level_bound, is_base_low) = match kind {
            Kind::Dip => (gap(Bound::AtMost), is_dark),
            Kind::Peak => (gap(Bound::AtLeast), has_marks || floor.touches(extremum.base_db())),
        };
        let level_bound = is_dark.then_some(Bound::AtMost).or(level_bound);
        let prominence_bound = is_base_low.then_some(Bound::AtLeast).or(gap(Bound::AtLeast));
        let prominence = if has_marks && is_upper_end_marked(trace, extremum) {
            Figure::missing(
                &define::PROMINENCE,
                "the upper end of the line was computed from samples at the floor",
            )
        } else {
            Figure::measured(&define::PROMINENCE, extremum.prominence_db).bounded(prominence_bound)
        };
        let step_nm = trace.step_nm(extremum.index);
        figures.extend(
            [
                Figure::measured(place, extremum.nm).with_error(0.5 * step_nm),
                Figure::measured(level, extremum.level_db).in_unit(trace.unit()).bounded(level_bound),
                prominence,
            ]
            .map(|figure| {
                let figure = if is_beside_gap { figure.noted(BESIDE_GAP) } else { figure };
                figure
                    .at_nm(extremum.nm)
                    .of(format!("{} {number}", kind.word()))
                    .within(trace.first_nm(), trace.last_nm())
            }),
        );
    }
    figures
}

/// Whether the device may be lower where the line is highest: at the top of a peak, or on the way from a dip to its base.
/// Then nothing is known of the prominence.
fn is_upper_end_marked(trace: &Trace<'_>, line: &Extremum) -> bool {
    let is_base = |index: &usize| trace.db(*index) >= line.base_db() - 1e-4;
    match line.kind {
        Kind::Peak => trace.is_marked(line.index),
        Kind::Dip => {
            let before = (0..line.index).rev().find(is_base);
            let after = (line.index..trace.len()).find(is_base);
            before.into_iter().chain(after).any(|index| trace.is_marked(index))
        }
    }
}

/// Why a trace has no extrema.
pub(super) fn nothing_found(trace: &Trace<'_>, kind: Kind) -> String {
    let usable = trace.usable().count();
    if usable == 0 {
        return NO_USABLE.to_owned();
    }
    if usable < 3 {
        return format!("too few usable samples for a {}: {usable}, and at least 3 are needed", kind.word());
    }
    let most = maxima(trace, kind).into_iter().map(|(_, prominence)| prominence);
    match most.reduce(f32::max) {
        Some(most) => {
            let most = quantity(f64::from(most), None, "dB");
            format!("no {} is prominent enough; the most prominent one has {most}", kind.word())
        }
        None => format!("the trace has no {}: its samples only rise, fall or are equal", kind.word()),
    }
}
