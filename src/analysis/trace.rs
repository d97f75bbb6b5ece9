//! A trace as the analysis sees it: borrowed samples in the order of rising wavelength, nothing copied.

use std::ops::Range;

use super::units::power_from_db;

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

/// The transmission of the samples, dB. Samples that are not finite are unusable, and are reported as such.
#[derive(Debug, Clone, Copy)]
pub enum LevelsDb<'a> {
    /// Single precision, as the instrument sends them.
    Single(&'a [f32]),
    /// Double precision.
    Double(&'a [f64]),
}

/// Why samples are no trace.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TraceError {
    /// Both columns must have the same length.
    #[error("the trace has {wavelengths} wavelengths and {levels} transmissions: both must be as many")]
    Lengths {
        /// Number of wavelengths.
        wavelengths: usize,
        /// Number of transmissions.
        levels: usize,
    },
    /// Nothing to analyse.
    #[error("the trace has no samples")]
    Empty,
    /// A wavelength is missing, or is no wavelength in nm.
    #[error("sample {number}: the wavelength {nm} is not within {lowest} to {highest} nm{hint}",
        lowest = RANGE_NM.start, highest = RANGE_NM.end)]
    Wavelength {
        /// Number of the sample, from 1.
        number: usize,
        /// What was given, nm.
        nm: f64,
        /// The unit that the number may be in.
        hint: &'static str,
    },
    /// The wavelengths must rise or fall throughout.
    #[error(
        "sample {number}: the wavelength {nm} nm follows {before} nm, but the wavelengths {direction} before: they must be sorted"
    )]
    Order {
        /// Number of the sample, from 1.
        number: usize,
        /// Its wavelength, nm.
        nm: f64,
        /// The wavelength before it, nm.
        before: f64,
        /// `rise` or `fall`.
        direction: &'static str,
    },
    /// The trace is too long for the indices that the analysis keeps.
    #[error("the trace has {points} samples: at most {} are analysed", u32::MAX)]
    TooLong {
        /// Number of samples.
        points: usize,
    },
    /// A band outside the trace.
    #[error(
        "the band {from_nm} to {to_nm} nm is outside the trace, which reaches from {first_nm} to {last_nm} nm{}",
        unit_hint(*from_nm)
    )]
    Outside {
        /// Lower end of the band, nm.
        from_nm: f64,
        /// Upper end of the band, nm.
        to_nm: f64,
        /// First wavelength of the trace, nm.
        first_nm: f64,
        /// Last wavelength of the trace, nm.
        last_nm: f64,
    },
    /// A band that is none.
    #[error("the band {from_nm} to {to_nm} nm must have two wavelengths, the lower one first")]
    Band {
        /// Lower end of the band, nm.
        from_nm: f64,
        /// Upper end of the band, nm.
        to_nm: f64,
    },
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
        let mut trace = Self { axis, levels, first: 0, count, is_reversed: false };
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

/// The unit that a number may be in which is no wavelength in nm.
pub(super) fn unit_hint(nm: f64) -> &'static str {
    match nm {
        0.3e-6..5e-6 => "; it looks like metres",
        0.3..5.0 => "; it looks like micrometres",
        60.0..300.0 => "; it looks like a frequency in THz",
        6e4..3e5 => "; it looks like a frequency in GHz, or like picometres",
        3e5..5e6 => "; it looks like picometres",
        6e13..1e15 => "; it looks like a frequency in Hz",
        _ => "",
    }
}
