//! A trace as the analysis sees it: borrowed samples in the order of rising wavelength, nothing copied.

mod error;

use std::ops::Range;

use super::floor::Floor;
use super::several::Derived;
use super::units::power_from_db;
use crate::measurement::{Grid, TraceUnit};
pub use error::TraceError;
pub(super) use error::unit_hint;

/// The wavelengths of the samples, nm.
#[derive(Debug, Clone, Copy)]
pub enum AxisNm<'a> {
    /// One wavelength for each sample, rising or falling.
    Listed(&'a [f64]),
    /// A regular grid.
    Regular {
        /// Wavelength of the first sample, nm.
        start_nm: f64,
        /// Step between samples, pm; negative when the wavelengths fall.
        step_pm: f64,
        /// Number of samples.
        points: usize,
    },
}

impl AxisNm<'_> {
    /// The wavelengths of the first samples of a grid.
    #[must_use]
    pub fn of_grid(grid: Grid, points: usize) -> Self {
        Self::Regular { start_nm: grid.start_nm, step_pm: grid.step_pm, points }
    }
}

/// The transmission of the samples, dB. Samples that are not finite are unusable, and are reported as such.
#[derive(Debug, Clone, Copy)]
pub enum LevelsDb<'a> {
    /// Single precision, as the instrument sends them.
    Single(&'a [f32]),
    /// Double precision.
    Double(&'a [f64]),
}

/// Levels beyond this, dB, are no measurement. Many programs write 9.91e37, SCPI's word for "not a number", into files.
pub const MOST_DB: f64 = 1000.0;

/// Wavelengths of fibre and integrated optics, nm.
pub const RANGE_NM: Range<f64> = 300.0..5000.0;

/// Samples in the order of rising wavelength.
#[derive(Debug, Clone, Copy)]
pub struct Trace<'a> {
    axis: AxisNm<'a>,
    levels: LevelsDb<'a>,
    /// The samples of this view, counted in the order of rising wavelength.
    first: usize,
    count: usize,
    is_reversed: bool,
    unit: TraceUnit,
    /// Of levels that were computed from other traces: whether one of those was at its floor. In the given order; empty if
    /// none was.
    at_floor: &'a [bool],
}

impl<'a> Trace<'a> {
    /// Checks that the samples are a trace: as many levels as wavelengths, wavelengths in nm and sorted.
    ///
    /// # Errors
    /// The first sample that contradicts this.
    pub fn new(axis: AxisNm<'a>, levels: LevelsDb<'a>) -> Result<Self, TraceError> {
        let wavelengths = match axis {
            AxisNm::Listed(listed) => listed.len(),
            AxisNm::Regular { points, .. } => points,
        };
        let count = match levels {
            LevelsDb::Single(levels) => levels.len(),
            LevelsDb::Double(levels) => levels.len(),
        };
        if wavelengths != count {
            return Err(TraceError::Lengths { wavelengths, levels: count });
        }
        if count == 0 {
            return Err(TraceError::Empty);
        }
        if u32::try_from(count).is_err() {
            return Err(TraceError::TooLong { points: count });
        }
        let mut trace =
            Self { axis, levels, first: 0, count, is_reversed: false, unit: TraceUnit::Db, at_floor: &[] };
        trace.is_reversed = count > 1 && trace.nm(1) < trace.nm(0);
        trace.check_order()?;
        Ok(trace)
    }

    /// A trace of listed wavelengths in double precision.
    ///
    /// # Errors
    /// See [`Trace::new`].
    pub fn listed(wavelengths_nm: &'a [f64], levels_db: &'a [f64]) -> Result<Self, TraceError> {
        Self::new(AxisNm::Listed(wavelengths_nm), LevelsDb::Double(levels_db))
    }

    /// The same trace with levels in this unit.
    #[must_use]
    pub fn in_unit(self, unit: TraceUnit) -> Self {
        Self { unit, ..self }
    }

    /// The same wavelengths with levels that were computed from this trace, and perhaps from others.
    ///
    /// # Errors
    /// There are more or fewer levels than samples.
    pub fn with_levels<'b>(self, levels: &'b Derived) -> Result<Trace<'b>, TraceError>
    where
        'a: 'b,
    {
        Ok(Trace::derived(self.axis, levels)?.in_unit(self.unit))
    }

    /// A trace of levels that were computed from other traces.
    ///
    /// # Errors
    /// See [`Trace::new`].
    pub fn derived(axis: AxisNm<'a>, levels: &'a Derived) -> Result<Self, TraceError> {
        Ok(Self { at_floor: &levels.at_floor, ..Self::new(axis, LevelsDb::Single(&levels.levels_db))? })
    }

    fn check_order(&self) -> Result<(), TraceError> {
        let number = |index: usize| 1 + if self.is_reversed { self.count - 1 - index } else { index };
        let mut before: Option<f64> = None;
        // In the order of the file, so that the first wrong sample is the one that is named.
        for place in 0..self.count {
            let index = if self.is_reversed { self.count - 1 - place } else { place };
            let nm = self.nm(index);
            if !RANGE_NM.contains(&nm) {
                return Err(TraceError::Wavelength { number: number(index), nm, hint: unit_hint(nm) });
            }
            if let Some(before) = before
                && (if self.is_reversed { nm >= before } else { nm <= before })
            {
                let direction = if self.is_reversed { "fall" } else { "rise" };
                return Err(TraceError::Order { number: number(index), nm, before, direction });
            }
            before = Some(nm);
        }
        Ok(())
    }

    /// Number of samples.
    #[must_use]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are no samples. A trace has at least one, a part of it may have none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Whether the samples were given in the order of falling wavelength.
    #[must_use]
    pub fn is_reversed(&self) -> bool {
        self.is_reversed
    }

    /// The unit of the levels.
    #[must_use]
    pub fn unit(&self) -> TraceUnit {
        self.unit
    }

    /// Whether a sample was computed from a sample at a floor. The device may be anywhere below it.
    #[must_use]
    pub fn is_marked(&self, index: usize) -> bool {
        !self.at_floor.is_empty()
            && self.place(index).is_some_and(|place| self.at_floor.get(place) == Some(&true))
    }

    /// Whether any usable sample is marked.
    #[must_use]
    pub fn has_marks(&self) -> bool {
        !self.at_floor.is_empty() && self.usable().any(|(index, ..)| self.is_marked(index))
    }

    /// Whether the level at a wavelength rests on a sample that is marked, or at the floor.
    #[must_use]
    pub fn is_at_floor_at(&self, nm: f64, floor: Floor) -> bool {
        let after = self.index_from(nm - 1e-6);
        let is_after = (self.nm(after) - nm).abs() <= 1e-6;
        let before = after.checked_sub(1).filter(|_| !is_after);
        [Some(after), before].into_iter().flatten().any(|index| floor.holds(self, index))
    }

    /// The place of a sample in the given order.
    fn place(&self, index: usize) -> Option<usize> {
        let total = match self.levels {
            LevelsDb::Single(levels) => levels.len(),
            LevelsDb::Double(levels) => levels.len(),
        };
        let index = self.first + index;
        if self.is_reversed { (total - 1).checked_sub(index) } else { (index < total).then_some(index) }
    }

    /// Wavelength of a sample, nm; NaN beyond the end.
    #[must_use]
    pub fn nm(&self, index: usize) -> f64 {
        let Some(place) = self.place(index) else { return f64::NAN };
        match self.axis {
            AxisNm::Listed(listed) => listed.get(place).copied().unwrap_or(f64::NAN),
            // In whole femtometres, as the trace files have it.
            AxisNm::Regular { start_nm, step_pm, .. } => {
                ((start_nm * 1e6).round() + (step_pm * 1e3 * place as f64).round()) / 1e6
            }
        }
    }

    /// Transmission of a sample, dB; NaN beyond the end and where the sample is unusable.
    #[must_use]
    pub fn db(&self, index: usize) -> f64 {
        let level = self.raw_db(index);
        if level.abs() <= MOST_DB { level } else { f64::NAN }
    }

    /// Transmission of a sample as it was given, also where it is not finite.
    #[must_use]
    pub fn raw_db(&self, index: usize) -> f64 {
        let Some(place) = self.place(index) else { return f64::NAN };
        match self.levels {
            LevelsDb::Single(levels) => levels.get(place).map_or(f64::NAN, |level| f64::from(*level)),
            LevelsDb::Double(levels) => levels.get(place).copied().unwrap_or(f64::NAN),
        }
    }

    /// Transmission of a sample in linear power; NaN where the sample is unusable.
    #[must_use]
    pub fn power(&self, index: usize) -> f64 {
        power_from_db(self.db(index))
    }

    /// The usable samples: index, wavelength in nm, transmission in dB.
    pub fn usable(&self) -> impl DoubleEndedIterator<Item = (usize, f64, f64)> + '_ {
        let samples = (0..self.count).map(|index| (index, self.nm(index), self.db(index)));
        samples.filter(|(_, _, level)| level.is_finite())
    }

    /// First wavelength, nm.
    #[must_use]
    pub fn first_nm(&self) -> f64 {
        self.nm(0)
    }

    /// Last wavelength, nm.
    #[must_use]
    pub fn last_nm(&self) -> f64 {
        self.nm(self.count.saturating_sub(1))
    }

    /// The widest distance between a sample and the usable samples beside it, nm.
    #[must_use]
    pub fn step_nm(&self, index: usize) -> f64 {
        let here = self.nm(index);
        let is_usable = |index: &usize| self.db(*index).is_finite();
        let before = (0..index).rev().find(is_usable).map_or(0.0, |before| here - self.nm(before));
        let after = (index + 1..self.count).find(is_usable).map_or(0.0, |after| self.nm(after) - here);
        before.max(after)
    }

    /// Whether a sample beside this one is unusable. What is measured at this sample may then continue there.
    #[must_use]
    pub fn is_beside_gap(&self, index: usize) -> bool {
        let is_unusable = |index: usize| index < self.count && self.db(index).is_nan();
        index.checked_sub(1).is_some_and(is_unusable) || is_unusable(index + 1)
    }

    /// The first sample whose wavelength is not below this.
    #[must_use]
    pub fn index_from(&self, nm: f64) -> usize {
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = low + (high - low) / 2;
            if self.nm(middle) < nm {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The samples within two wavelengths, ends included. A thousandth of a picometre absorbs rounding.
    #[must_use]
    pub fn indices(&self, from_nm: f64, to_nm: f64) -> Range<usize> {
        let first = self.index_from(from_nm - 1e-6);
        first..self.index_from(to_nm + 1e-6).max(first)
    }

    /// The samples of an index range, as a trace of its own.
    #[must_use]
    pub fn part(&self, range: Range<usize>) -> Self {
        let end = range.end.min(self.count);
        let start = range.start.min(end);
        Self { first: self.first + start, count: end - start, ..*self }
    }

    /// The samples within a band. The part of the band that is outside the trace is left out.
    ///
    /// # Errors
    /// When the band is none, or is wholly outside the trace.
    pub fn band(&self, from_nm: f64, to_nm: f64) -> Result<Self, TraceError> {
        if !(from_nm.is_finite() && to_nm.is_finite() && from_nm < to_nm) {
            return Err(TraceError::Band { from_nm, to_nm });
        }
        let range = self.indices(from_nm, to_nm);
        if range.is_empty() {
            let (first_nm, last_nm) = (self.first_nm(), self.last_nm());
            return Err(TraceError::Outside { from_nm, to_nm, first_nm, last_nm });
        }
        Ok(self.part(range))
    }

    /// Transmission at a wavelength, dB, on the straight line between the two samples around it.
    ///
    /// `None` outside the trace, and beside an unusable sample.
    #[must_use]
    pub fn at_nm(&self, nm: f64) -> Option<f64> {
        let after = self.index_from(nm - 1e-6);
        if after >= self.count || !nm.is_finite() {
            return None;
        }
        let (here_nm, here_db) = (self.nm(after), self.db(after));
        let level = if (here_nm - nm).abs() <= 1e-6 {
            here_db
        } else if after == 0 {
            return None;
        } else {
            let (before_nm, before_db) = (self.nm(after - 1), self.db(after - 1));
            before_db + (here_db - before_db) * (nm - before_nm) / (here_nm - before_nm)
        };
        level.is_finite().then_some(level)
    }
}
