//! Rows that a foreign file does not have: a wide step among narrow ones is a gap, as if its samples were NaN.
//!
//! Programs drop rows without a value, and splice ranges. Between the two samples beside such a gap nothing was measured,
//! so that a straight line between them would be invented.

/// Number of steps on either side of a step that tell what is usual there.
const BESIDE: usize = 16;
/// With fewer steps, a side tells nothing.
const FEWEST: usize = 4;
/// A step is wide from this multiple of the usual step. One missing row doubles a step, and rounding of 2.5 pm to 2 and
/// 3 pm gives 1.5.
const WIDE: f64 = 1.7;
/// The same on an axis whose steps vary so much that wide steps are usual.
const WIDE_IRREGULAR: f64 = 30.0;
/// The shortest steps of such an axis are below this part of the usual step.
const IRREGULAR: f64 = 0.55;
/// How much more than the shortest steps are below the usual one, a wide step is above it.
const SPREAD: f64 = 4.0;
/// Below this multiple of the usual step, one row is missing, or the wavelengths are rounded.
const DOUBLE: f64 = 2.2;

/// A place of an axis where samples are missing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gap {
    /// Number of the sample before the gap, from 0.
    pub after: usize,
    /// Number of samples that are missing, at the usual step.
    pub missing: usize,
    /// The step across the gap in usual steps.
    ratio: f64,
}

/// The gaps of an axis. An axis that is not sorted has none, because it is no axis of a trace.
#[must_use]
pub fn gaps(wavelengths_nm: &[f64]) -> Vec<Gap> {
    let step = |pair: &[f64]| pair[1] - pair[0];
    let steps = || wavelengths_nm.windows(2).map(step);
    let is_sorted = steps().all(|step| step > 0.0) || steps().all(|step| step < 0.0);
    // A gap is much wider than the step before or after. A long trace without one costs no memory here.
    let has_jumps = || {
        let pairs = steps().zip(steps().skip(1));
        pairs.map(|(a, b)| a / b).any(|ratio| !(1.0 / WIDE..=WIDE).contains(&ratio))
    };
    if !is_sorted || !has_jumps() {
        return Vec::new();
    }
    let steps: Vec<f64> = steps().map(f64::abs).collect();
    let ratios: Vec<f64> = (0..steps.len()).map(|place| ratio(&steps, place)).collect();
    let limit = wide(&ratios);
    let wide = ratios.iter().enumerate().filter(|(_, ratio)| **ratio > limit);
    let gap = |(after, ratio): (usize, &f64)| Gap {
        after,
        missing: (ratio.round() as usize).saturating_sub(1).max(1),
        ratio: *ratio,
    };
    let mut gaps: Vec<Gap> = wide.map(gap).collect();
    if is_rounding(&gaps) {
        gaps.retain(|gap| gap.ratio > DOUBLE);
    }
    // Two short ranges far from each other need no more samples than this.
    let (all, most) = (gaps.iter().map(|gap| gap.missing).sum::<usize>(), 4 * wavelengths_nm.len());
    if all > most {
        let share = most as f64 / all as f64;
        gaps.iter_mut().for_each(|gap| gap.missing = ((gap.missing as f64 * share) as usize).max(1));
    }
    gaps
}

/// A step in usual steps: those before or after it, whichever are wider. So a change from a fine to a coarse step is no
/// gap, and an axis that is even in frequency has none.
fn ratio(steps: &[f64], place: usize) -> f64 {
    let before = usual(&steps[place.saturating_sub(BESIDE)..place]);
    let after = usual(&steps[place + 1..(place + 1 + BESIDE).min(steps.len())]);
    match (before, after) {
        // Steps that change slowly are between those on either side.
        (Some(before), Some(after)) if before.max(after) < 1.1 * before.min(after) => {
            steps[place] / (0.5 * (before + after))
        }
        (Some(before), Some(after)) => steps[place] / before.max(after),
        (Some(usual), None) | (None, Some(usual)) => steps[place] / usual,
        (None, None) => 1.0,
    }
}

/// The step that a fifth of these do not exceed: missing rows make steps wider only.
fn usual(steps: &[f64]) -> Option<f64> {
    if steps.len() < FEWEST {
        return None;
    }
    let mut sorted = [0.0; BESIDE];
    let sorted = &mut sorted[..steps.len()];
    sorted.copy_from_slice(steps);
    sorted.sort_unstable_by(f64::total_cmp);
    Some(sorted[steps.len() / 5])
}

/// From which ratio a step is wide. Missing rows make steps wider only, so the shortest steps tell how much the steps of
/// this axis vary by themselves.
fn wide(ratios: &[f64]) -> f64 {
    let mut sorted = ratios.to_vec();
    // One short step alone, where two ranges meet, tells nothing.
    let rank = (ratios.len() / 100).max(1).min(ratios.len() - 1);
    let shortest = *sorted.select_nth_unstable_by(rank, f64::total_cmp).1;
    if shortest < IRREGULAR { WIDE_IRREGULAR } else { WIDE.max(1.0 + SPREAD * (1.0 - shortest)) }
}

/// Whether double steps come from rounding: steps of 12.5 pm in a file with two decimals are 10 and 20 pm, in even turns.
fn is_rounding(gaps: &[Gap]) -> bool {
    let places: Vec<usize> = gaps.iter().filter(|gap| gap.ratio <= DOUBLE).map(|gap| gap.after).collect();
    let runs: Vec<usize> = places.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let even = runs.windows(2).filter(|pair| pair[0].abs_diff(pair[1]) <= 1).count();
    runs.len() >= 4 && 10 * even >= 9 * (runs.len() - 1)
}

/// The values with others in the gaps: `between` gives them from the values beside the gap, and the share of the way.
#[must_use]
pub fn filled<T: Copy>(values: &[T], gaps: &[Gap], between: impl Fn(T, T, f64) -> T) -> Vec<T> {
    let missing: usize = gaps.iter().map(|gap| gap.missing).sum();
    let mut filled = Vec::with_capacity(values.len() + missing);
    let mut gaps = gaps.iter().peekable();
    for (place, value) in values.iter().enumerate() {
        filled.push(*value);
        if let Some(gap) = gaps.next_if(|gap| gap.after == place)
            && let Some(next) = values.get(place + 1)
        {
            let share = |number: usize| number as f64 / (gap.missing + 1) as f64;
            filled.extend((1..=gap.missing).map(|number| between(*value, *next, share(number))));
        }
    }
    filled
}
