//! Insertion loss, mean and ripple.

use super::figure::Figure;
use super::floor::Floor;
use super::registry as define;
use super::trace::{Trace, unit_hint};
use super::units::{db_from_power, power_from_db};
use super::{Bound, NO_USABLE};

/// Why a wavelength is not within a band, if it is not. A thousandth of a picometre absorbs rounding.
#[must_use]
pub fn outside_band(nm: f64, (from_nm, to_nm): (f64, f64)) -> Option<String> {
    let is_within = (from_nm - 1e-6..=to_nm + 1e-6).contains(&nm);
    (!is_within).then(|| format!("{nm} nm is outside the band, {from_nm} to {to_nm} nm"))
}

/// The insertion loss at one wavelength.
#[must_use]
pub fn insertion_loss_at(trace: &Trace<'_>, nm: f64, floor: Floor) -> Figure {
    let definition = &define::INSERTION_LOSS;
    match trace.at_nm(nm) {
        Some(level) => {
            let at_floor = floor.touches(level) || trace.is_at_floor_at(nm, Floor::default());
            Figure::measured(definition, -level).at_nm(nm).bounded(at_floor.then_some(Bound::AtLeast))
        }
        None if nm < trace.first_nm() || nm > trace.last_nm() || !nm.is_finite() => Figure::missing(
            definition,
            format!(
                "{nm} nm is outside the trace, which reaches from {} to {} nm{}",
                trace.first_nm(),
                trace.last_nm(),
                unit_hint(nm)
            ),
        ),
        None => Figure::missing(definition, format!("a sample beside {nm} nm has no finite value")).at_nm(nm),
    }
}

/// Lowest and highest usable sample of a trace, and its means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// Highest level, dB.
    pub highest_db: f64,
    /// Where the highest level is, nm.
    pub highest_nm: f64,
    /// The sample of the highest level.
    highest_index: usize,
    /// Lowest level, dB.
    pub lowest_db: f64,
    /// Where the lowest level is, nm.
    pub lowest_nm: f64,
    /// Mean of the linear power, as dB.
    pub mean_power_db: f64,
    /// Mean of the dB.
    pub mean_db: f64,
    /// Number of samples without a value.
    pub unusable: usize,
}

/// The extent of the usable samples; `None` without any.
#[must_use]
pub fn extent(trace: &Trace<'_>) -> Option<Extent> {
    let mut found: Option<Extent> = None;
    let (mut power, mut sum, mut count) = (0.0, 0.0, 0usize);
    for (index, nm, level) in trace.usable() {
        let seen = found.get_or_insert(Extent {
            highest_db: level,
            highest_nm: nm,
            highest_index: index,
            lowest_db: level,
            lowest_nm: nm,
            mean_power_db: 0.0,
            mean_db: 0.0,
            unusable: 0,
        });
        if level > seen.highest_db {
            (seen.highest_db, seen.highest_nm, seen.highest_index) = (level, nm, index);
        }
        if level < seen.lowest_db {
            (seen.lowest_db, seen.lowest_nm) = (level, nm);
        }
        power += power_from_db(level);
        sum += level;
        count += 1;
    }
    let mean = |sum: f64| sum / count as f64;
    found.map(|seen| Extent {
        mean_power_db: db_from_power(mean(power)),
        mean_db: mean(sum),
        unusable: trace.len() - count,
        ..seen
    })
}

/// Insertion loss of a band: lowest, highest and mean; mean in dB; ripple.
#[must_use]
pub fn in_band(trace: &Trace<'_>, floor: Floor) -> Vec<Figure> {
    let definitions = [
        &define::INSERTION_LOSS_MIN,
        &define::INSERTION_LOSS_MAX,
        &define::INSERTION_LOSS_MEAN,
        &define::MEAN,
        &define::RIPPLE,
    ];
    let Some(found) = extent(trace) else {
        return definitions.map(|definition| Figure::missing(definition, NO_USABLE)).to_vec();
    };
    // Any sample at a floor may be the lowest of the device.
    let at_floor = (floor.touches(found.lowest_db) || trace.has_marks()).then_some(Bound::AtLeast);
    let is_dark = floor.holds(trace, found.highest_index);
    // Where samples have no value, the device may be better and worse than anywhere else.
    let has_gaps = found.unusable > 0;
    let gap = |bound: Bound| has_gaps.then_some(bound);
    let worst = at_floor.or(gap(Bound::AtLeast));
    let [lowest, highest, mean, mean_db, ripple] = definitions;
    let figures = [
        if is_dark && has_gaps {
            Figure::missing(lowest, "the samples are at the floor or have no value")
        } else {
            Figure::measured(lowest, -found.highest_db)
                .at_nm(found.highest_nm)
                .bounded(is_dark.then_some(Bound::AtLeast).or(gap(Bound::AtMost)))
        },
        Figure::measured(highest, -found.lowest_db).at_nm(found.lowest_nm).bounded(worst),
        // A sample at the floor may be lower than the floor: the mean loss may be higher, the mean level lower.
        Figure::measured(mean, -found.mean_power_db).bounded(at_floor),
        Figure::measured(mean_db, found.mean_db)
            .in_unit(trace.unit())
            .bounded(at_floor.map(|_| Bound::AtMost)),
        Figure::measured(ripple, found.highest_db - found.lowest_db).bounded(worst),
    ];
    let remarked = |figure: Figure| {
        if has_gaps { figure.noted(format!("samples without a value: {}", found.unusable)) } else { figure }
    };
    figures.map(|figure| remarked(figure.within(trace.first_nm(), trace.last_nm()))).to_vec()
}
