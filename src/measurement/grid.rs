//! The wavelength axis of a trace.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Wavelengths that a trace can have, nm.
const WAVELENGTHS_NM: [f64; 2] = [1200.0, 1700.0];

/// The wavelength axis of a trace: an even grid.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Grid {
    /// Wavelength of the first point, nm.
    pub start_nm: f64,
    /// Step between points, pm.
    pub step_pm: f64,
    /// Number of points.
    pub points: u64,
}

impl Grid {
    /// Wavelength of point `index`, nm: the double nearest to the decimal number.
    ///
    /// The value is computed in whole femtometres. So point 1,001 of a grid from 1520 nm by 1 pm is `1521.001` and not
    /// `1521.0009999999999`. Such values are easy to read, match between files, and compress very well.
    #[must_use]
    pub fn wavelength_nm(&self, index: u64) -> f64 {
        self.wavelength_fm(index) / 1e6
    }

    /// Wavelength of point `index`, in whole femtometres.
    #[expect(clippy::cast_precision_loss, reason = "1.7e9 fm and 1e8 points stay far below 2^53")]
    #[must_use]
    pub fn wavelength_fm(&self, index: u64) -> f64 {
        let start_fm = (self.start_nm * 1e6).round();
        let step_fm = (self.step_pm * 1e3).round();
        start_fm + step_fm * index as f64
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
        if !(step_pm.is_finite() && step_pm > 0.0) {
            return Some(format!("its step is {step_pm} pm, but more than 0 is expected"));
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
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=points")]
    #[expect(clippy::cast_precision_loss, reason = "point counts stay far below 2^53")]
    #[must_use]
    pub fn indices(&self, from_nm: f64, to_nm: f64) -> std::ops::Range<u64> {
        // A tolerance of a thousandth of a step absorbs rounding errors.
        let position = |nm: f64| (nm - self.start_nm) * 1e3 / self.step_pm;
        let first = (position(from_nm) - 1e-3).ceil().clamp(0.0, self.points as f64) as u64;
        let end = ((position(to_nm) + 1e-3).floor() + 1.0).clamp(0.0, self.points as f64) as u64;
        first..end.max(first)
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
