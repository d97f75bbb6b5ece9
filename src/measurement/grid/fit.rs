//! Finds the grid that a list of wavelengths was computed from.

use super::{Grid, PARTS, PARTS_IN_PM, whole};

/// A stored wavelength is a whole number of femtometres, up to this rounding error of its double, fm.
const ROUNDING_FM: f64 = 1e-3;

/// The step of a single wavelength, in parts of a femtometre: any will do.
const ANY_STEP: i64 = 1000 * PARTS;

/// The wavelength does not continue the grid of those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Irregular;

/// The grids that give the wavelengths so far. Each wavelength limits the step, because it is rounded to a femtometre.
#[derive(Debug, Default)]
pub struct GridFit {
    start_nm: f64,
    points: u64,
    /// The smallest and the largest possible step, in parts of a femtometre.
    steps: Option<(i64, i64)>,
}

impl GridFit {
    /// Adds the next wavelength.
    ///
    /// # Errors
    /// If no grid gives this wavelength after the others.
    pub fn add(&mut self, nm: f64) -> Result<(), Irregular> {
        let index = self.points.cast_signed();
        self.points += 1;
        if index == 0 {
            self.start_nm = nm;
        }
        let fm = whole(nm * 1e6);
        #[expect(clippy::cast_precision_loss, reason = "a wavelength in femtometres is far below 2^53")]
        let is_whole = (nm * 1e6 - fm as f64).abs() <= ROUNDING_FM;
        if !is_whole {
            return Err(Irregular);
        }
        if index == 0 {
            return Ok(());
        }
        // `index` steps, rounded, are this distance. So they are at least `least` and less than `more`.
        let distance = fm.saturating_sub(whole(self.start_nm * 1e6)).saturating_mul(PARTS);
        let (least, more) = (distance.saturating_sub(PARTS / 2), distance.saturating_add(PARTS / 2));
        let (smallest, largest) = self.steps.get_or_insert((PARTS, i64::MAX));
        // Most wavelengths change neither limit, and need no division.
        if smallest.saturating_mul(index) < least {
            *smallest = least.div_euclid(index) + i64::from(least.rem_euclid(index) > 0);
        }
        if largest.saturating_mul(index) >= more {
            *largest = (more - 1).div_euclid(index);
        }
        if smallest <= largest { Ok(()) } else { Err(Irregular) }
    }

    /// The grid, with the step that has the fewest decimals; `None` without a wavelength.
    #[must_use]
    pub fn grid(&self) -> Option<Grid> {
        let alone = (self.points == 1).then_some((ANY_STEP, ANY_STEP));
        let (smallest, largest) = self.steps.or(alone)?;
        let roundest = |unit: i64| Some(largest / unit * unit).filter(|step| *step >= smallest);
        let mut units =
            std::iter::successors(Some(PARTS), |unit| Some(unit / 10)).take_while(|unit| *unit > 0);
        let step = units.find_map(roundest)?;
        #[expect(clippy::cast_precision_loss, reason = "a step has nine significant digits")]
        let step_pm = step as f64 / PARTS_IN_PM;
        Some(Grid { start_nm: self.start_nm, step_pm, points: self.points })
    }
}
