//! The wavelength axis of a trace.

mod fit;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::fit::{GridFit, Irregular};

/// Wavelengths that a trace can have, nm.
const WAVELENGTHS_NM: [f64; 2] = [1200.0, 1700.0];
/// The smallest step, pm. With a smaller one, points would have the same wavelength.
const SMALLEST_STEP_PM: f64 = 1e-3;
/// Steps are counted in these parts of a femtometre. A reply has nine significant digits, so the step in a reply is a whole
/// number of them.
const PARTS: i64 = 100_000_000;
/// The same parts of a picometre.
const PARTS_IN_PM: f64 = 1e11;

/// The wavelengths of a grid, computed with integers.
#[derive(Debug, Clone, Copy)]
pub struct Axis {
    start_fm: i64,
    /// In parts of a femtometre.
    step: i64,
}

impl Axis {
    /// Wavelength of point `index`, nm: the double nearest to the decimal number.
    ///
    /// Only the wavelength is rounded to a femtometre, and not the step: an error of the step would be multiplied by the
    /// number of the point. So point 1,001 of a grid from 1520 nm by 1 pm is `1521.001` and not `1521.0009999999999`.
    /// Such values are easy to read, match between files, and compress very well.
    #[expect(clippy::cast_precision_loss, reason = "2e9 fm stay far below 2^53")]
    #[must_use]
    pub fn nm(self, index: u64) -> f64 {
        self.fm(index) as f64 / 1e6
    }

    /// Wavelength of point `index`, rounded to a femtometre. A garbled grid has the largest number instead.
    #[must_use]
    pub fn fm(self, index: u64) -> i64 {
        let offset = self.step.saturating_mul(i64::try_from(index).unwrap_or(i64::MAX));
        self.start_fm.saturating_add(offset.saturating_add(PARTS / 2).div_euclid(PARTS))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "a number that is too large becomes the largest one")]
fn whole(number: f64) -> i64 {
    number.round() as i64
}

/// The wavelength axis of a trace: an even grid.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Grid {
    /// Wavelength of the first point, nm.
    pub start_nm: f64,
    /// Step between points, pm, as the instrument states it. It need not be a whole number of femtometres.
    pub step_pm: f64,
    /// Number of points.
    pub points: u64,
}

impl Grid {
    /// Wavelength of point `index`, nm. For many points, [`Grid::axis`] is faster.
    #[must_use]
    pub fn wavelength_nm(&self, index: u64) -> f64 {
        self.axis().nm(index)
    }

    /// The wavelengths of all points.
    #[must_use]
    pub fn axis(&self) -> Axis {
        Axis { start_fm: whole(self.start_nm * 1e6), step: whole(self.step_pm * PARTS_IN_PM) }
    }

    /// Wavelength of the last point, nm.
    #[must_use]
    pub fn stop_nm(&self) -> f64 {
        self.wavelength_nm(self.points.saturating_sub(1))
    }

    /// The property that a trace of this instrument cannot have; `None` if the grid is plausible.
    #[must_use]
    pub fn implausible(&self) -> Option<String> {
        let Self { start_nm, step_pm, points } = *self;
        if points < 2 {
            return Some(format!("it has {points} points, but at least 2 are expected"));
        }
        if !(step_pm.is_finite() && step_pm >= SMALLEST_STEP_PM) {
            return Some(format!("its step is {step_pm} pm, but at least {SMALLEST_STEP_PM} pm is expected"));
        }
        // Multiplied as doubles: a count that was garbled must not overflow.
        #[expect(clippy::cast_precision_loss, reason = "a rounded end is out of range all the same")]
        let stop_nm = start_nm + step_pm * 1e-3 * (points - 1) as f64;
        let [from, to] = WAVELENGTHS_NM;
        let is_inside = |nm: f64| (from..=to).contains(&nm);
        if is_inside(start_nm) && is_inside(stop_nm) {
            return None;
        }
        Some(format!("it covers {start_nm} to {stop_nm} nm, but {from} to {to} nm are expected"))
    }

    /// The points whose wavelengths lie within `from_nm..=to_nm`, as a half-open range of indices.
    #[must_use]
    pub fn indices(&self, from_nm: f64, to_nm: f64) -> std::ops::Range<u64> {
        // A tolerance of a thousandth of a step absorbs rounding errors.
        let tolerance_nm = self.step_pm * 1e-6;
        let (first, end) = (self.first_from(from_nm - tolerance_nm), self.first_from(to_nm + tolerance_nm));
        first..end.max(first)
    }

    /// The first point at this wavelength or above it; the number of points if there is none.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=points")]
    #[expect(clippy::cast_precision_loss, reason = "point counts stay far below 2^53")]
    fn first_from(&self, nm: f64) -> u64 {
        // The rounding to a femtometre moves a point by half a step at most.
        let near = (nm - self.start_nm) * 1e3 / self.step_pm - 1.0;
        let near = near.floor().clamp(0.0, self.points as f64) as u64;
        let after = self.points.min(near.saturating_add(3));
        let axis = self.axis();
        (near..after).find(|index| axis.nm(*index) >= nm).unwrap_or(after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grid_points_are_the_doubles_nearest_to_the_decimal_numbers() {
        let grid = Grid { start_nm: 1520.0, step_pm: 1.0, points: 60_001 };
        assert_eq!(grid.wavelength_nm(1_001).to_string(), "1521.001");
        assert_eq!(grid.stop_nm(), 1580.0);
        let fine = Grid { start_nm: 1549.5, step_pm: 0.02, points: 50_001 };
        assert_eq!(fine.wavelength_nm(7).to_string(), "1549.50014");
    }

    /// Steps of the instrument, pm.
    const STEPS_PM: [f64; 12] = [0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 3.0, 10.0, 37.0, 100.0, 250.0];

    /// Grids with other steps, as the simulator makes them: the range and the number of points, and the step as a reply
    /// states it.
    fn others() -> impl Iterator<Item = (f64, Grid)> {
        let ranges =
            [(60.0, 940_001), (60.0, 94_001), (60.0, 22_000_001), (94.0, 22_000_001), (1.0, 8), (0.5, 3_334)];
        ranges.into_iter().map(|(range_nm, points): (f64, u64)| {
            #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
            let step_pm = range_nm * 1e3 / (points - 1) as f64;
            (range_nm, Grid { start_nm: 1520.0, step_pm: format!("{step_pm:.8e}").parse().unwrap(), points })
        })
    }

    #[test]
    fn with_a_step_of_the_instrument_all_wavelengths_are_sums_of_whole_femtometres() {
        for start_nm in [1240.0, 1262.5, 1502.0, 1_502.123_45, 1520.0, 1_549.500_14] {
            for step_pm in STEPS_PM {
                let last = [60_000, 940_000, 22_000_000].into_iter();
                for index in (0..1_000).chain(last.clone()).chain(last.map(|last| last / 7)) {
                    #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
                    let steps = index as f64;
                    // No trace is longer than 500 nm.
                    if step_pm * steps > 500e3 {
                        continue;
                    }
                    let fm = (start_nm * 1e6_f64).round() + (step_pm * 1e3).round() * steps;
                    let grid = Grid { start_nm, step_pm, points: index + 1 };
                    assert_eq!(grid.stop_nm().to_bits(), (fm / 1e6).to_bits(), "{grid:?}");
                }
            }
        }
    }

    #[test]
    fn with_another_step_the_range_ends_where_the_instrument_ends_it() {
        for (range_nm, grid) in others() {
            assert_eq!(grid.stop_nm(), grid.start_nm + range_nm, "{grid:?}");
            for index in (0..grid.points).step_by(1 + usize::try_from(grid.points).unwrap() / 1_000) {
                #[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
                let exact_nm = grid.start_nm + range_nm * index as f64 / (grid.points - 1) as f64;
                assert!((grid.wavelength_nm(index) - exact_nm).abs() < 1e-6, "{grid:?}, {index}");
                assert_eq!(
                    grid.indices(grid.wavelength_nm(index), grid.wavelength_nm(index)),
                    index..index + 1
                );
            }
        }
    }

    fn fitted(wavelengths_nm: impl IntoIterator<Item = f64>) -> Result<Grid, Irregular> {
        let mut fit = GridFit::default();
        wavelengths_nm.into_iter().try_for_each(|nm| fit.add(nm))?;
        Ok(fit.grid().unwrap())
    }

    #[test]
    fn a_grid_is_found_again_from_its_wavelengths() {
        let steps = STEPS_PM.map(|step_pm| Grid { start_nm: 1_502.123_45, step_pm, points: 2_000 });
        for grid in steps {
            let wavelengths = (0..grid.points).map(|index| grid.wavelength_nm(index));
            assert_eq!(fitted(wavelengths.clone()), Ok(grid));
            assert_eq!(fitted(wavelengths.take(2)), Ok(Grid { points: 2, ..grid }));
        }
        for (_, grid) in others() {
            let grid = Grid { points: grid.points.min(200_000), ..grid };
            let wavelengths = || (0..grid.points).map(|index| grid.wavelength_nm(index));
            let found = fitted(wavelengths()).unwrap();
            assert!(
                wavelengths().enumerate().all(|(index, nm)| found.wavelength_nm(index as u64) == nm),
                "{grid:?}"
            );
        }
        assert_eq!(fitted([1520.0]).unwrap().points, 1);
        assert_eq!(GridFit::default().grid(), None);
    }

    #[test]
    fn wavelengths_of_no_grid_are_found() {
        let fine = Grid { start_nm: 1520.0, step_pm: 0.063_829_787_2, points: 1_000 };
        let even = Grid { step_pm: 0.1, ..fine };
        for grid in [fine, even] {
            for (moved, by_nm) in
                [(0, 1e-3), (1, 1e-6), (500, 2e-6), (999, -2e-6), (999, 3e-7), (7, f64::NAN)]
            {
                let wavelengths = (0..grid.points)
                    .map(|index| grid.wavelength_nm(index) + if index == moved { by_nm } else { 0.0 });
                assert_eq!(fitted(wavelengths), Err(Irregular), "{grid:?}: {moved} by {by_nm}");
            }
        }
        for wrong in [[1520.0, 1520.0], [1520.0, 1519.0], [1520.0, f64::INFINITY], [f64::NAN, 1520.0]] {
            assert_eq!(fitted(wrong), Err(Irregular), "{wrong:?}");
        }
    }

    #[test]
    fn a_window_takes_the_points_on_its_edges() {
        let grid = Grid { start_nm: 1520.0, step_pm: 1.0, points: 60_001 };
        assert_eq!(grid.indices(1521.0, 1521.002), 1_000..1_003);
        assert_eq!(grid.indices(1400.0, 1520.0), 0..1);
        assert_eq!(grid.indices(1600.0, 1610.0).count(), 0);
    }

    #[test]
    fn an_axis_that_no_trace_can_have_is_known() {
        let fine = Grid { start_nm: 1520.0, step_pm: 1.0, points: 60_001 };
        assert_eq!(fine.implausible(), None);
        assert_eq!(Grid { points: 2, ..fine }.implausible(), None);
        for wrong in [
            Grid { points: 0, ..fine },
            Grid { points: 1, ..fine },
            Grid { points: 1_000_000_000_000, ..fine },
            Grid { points: u64::MAX, ..fine },
            Grid { step_pm: 0.0, ..fine },
            Grid { step_pm: -1.0, ..fine },
            Grid { step_pm: 0.000_6, ..fine },
            Grid { step_pm: f64::NAN, ..fine },
            Grid { step_pm: 9.91e49, ..fine },
            Grid { start_nm: 9.91e46, ..fine },
            Grid { start_nm: f64::NAN, ..fine },
            Grid { start_nm: 1199.0, ..fine },
            Grid { start_nm: 1680.0, ..fine },
            Grid { start_nm: -1520.0, ..fine },
        ] {
            assert!(wrong.implausible().is_some(), "{wrong:?}");
        }
    }
}
