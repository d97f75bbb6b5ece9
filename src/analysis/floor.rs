//! Samples that are no measurement of the device: below the detector's floor, saturated, or without a value.

use super::figure::Figure;
use super::registry as define;
use super::trace::{MOST_DB, Trace};
use crate::measurement::TraceUnit;
use crate::shown::quantity;

/// The lowest level that the detector can show, dB; `None` when none is known.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Floor {
    /// The level, dB.
    pub level_db: Option<f64>,
    /// Whether the user stated the level. Otherwise the level was found in the trace.
    pub is_stated: bool,
    /// The unit of the level.
    pub unit: TraceUnit,
}

/// How often the lowest level must occur to be a floor.
const REPEATS: usize = 3;

impl Floor {
    /// The stated floor, else the lowest level of the trace if at least three samples have exactly this level.
    #[must_use]
    pub fn of(trace: &Trace<'_>, stated_db: Option<f64>) -> Self {
        if let Some(level_db) = stated_db.filter(|level| level.is_finite()) {
            return Self { level_db: Some(level_db), is_stated: true, unit: trace.unit() };
        }
        let (mut lowest, mut highest, mut count) = (f64::INFINITY, f64::NEG_INFINITY, 0);
        for (_, _, level) in trace.usable() {
            if level < lowest {
                (lowest, count) = (level, 0);
            }
            count += usize::from(level == lowest);
            highest = highest.max(level);
        }
        // A trace of one level has no floor: nothing was above it.
        let is_floor = count >= REPEATS && highest > lowest;
        Self { level_db: is_floor.then_some(lowest), is_stated: false, unit: trace.unit() }
    }

    /// Whether a level is at or below the floor.
    #[must_use]
    pub fn touches(&self, level_db: f64) -> bool {
        self.level_db.is_some_and(|floor| level_db <= floor)
    }

    /// Whether a sample is at or below the floor, or was computed from one that is.
    #[must_use]
    pub fn holds(&self, trace: &Trace<'_>, index: usize) -> bool {
        trace.is_marked(index) || self.touches(trace.db(index))
    }

    /// A level in words.
    #[must_use]
    pub fn quantity(&self, level_db: f64) -> String {
        quantity(level_db, None, self.unit.symbol())
    }

    /// The floor as a figure.
    #[must_use]
    pub fn figure(&self) -> Figure {
        let figure = match self.level_db {
            Some(level) if self.is_stated => Figure::measured(&define::FLOOR, level).noted("stated"),
            Some(level) => Figure::measured(&define::FLOOR, level),
            None => Figure::missing(
                &define::FLOOR,
                "no floor is stated, and fewer than three samples have the lowest level",
            ),
        };
        figure.in_unit(self.unit)
    }
}

/// Samples that are never used, or are doubtful.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Unusable {
    /// Samples that are NaN.
    pub nan: usize,
    /// Samples that are −∞: no light was measured.
    pub minus_infinite: usize,
    /// Samples that are +∞.
    pub plus_infinite: usize,
    /// Samples whose level is too high or too low for any measurement.
    pub impossible: usize,
    /// Samples at or above the stated saturation level.
    pub saturated: usize,
}

impl Unusable {
    /// Counts the samples of a trace.
    #[must_use]
    pub fn of(trace: &Trace<'_>, saturation_db: Option<f64>) -> Self {
        let mut found = Self::default();
        for index in 0..trace.len() {
            let level = trace.raw_db(index);
            if level.is_nan() {
                found.nan += 1;
            } else if level == f64::NEG_INFINITY {
                found.minus_infinite += 1;
            } else if level == f64::INFINITY {
                found.plus_infinite += 1;
            } else if level.abs() > MOST_DB {
                found.impossible += 1;
            } else if saturation_db.is_some_and(|saturation| level >= saturation) {
                found.saturated += 1;
            }
        }
        found
    }

    /// Samples without a value.
    #[must_use]
    pub fn without_value(&self) -> usize {
        self.nan + self.minus_infinite + self.plus_infinite + self.impossible
    }

    /// A sentence for people; `None` when all samples are usable.
    #[must_use]
    pub fn warning(&self) -> Option<String> {
        let beyond = format!("beyond ±{MOST_DB} dB");
        let parts = [
            (self.nan, "NaN"),
            (self.minus_infinite, "−∞"),
            (self.plus_infinite, "+∞"),
            (self.impossible, beyond.as_str()),
            (self.saturated, "saturated"),
        ];
        let parts: Vec<String> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, kind)| format!("{count} {kind}"))
            .collect();
        if parts.is_empty() {
            return None;
        }
        let used = if self.saturated > 0 {
            "; saturated samples are used, the others are not"
        } else {
            "; they are not used"
        };
        Some(format!("unusable samples: {}{used}", parts.join(", ")))
    }

    /// The counts as figures.
    #[must_use]
    pub fn figures(&self) -> Vec<Figure> {
        vec![
            Figure::measured(&define::UNUSABLE, self.without_value() as f64),
            Figure::measured(&define::SATURATED, self.saturated as f64),
        ]
    }
}
