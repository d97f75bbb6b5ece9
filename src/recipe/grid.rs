//! The points of a loop `from … to … step …`: exact decimal arithmetic, so that a grid of 0.1 from 0 has the point
//! 0.3 and its end.

/// Most turns of one loop.
pub(super) const TURNS: u64 = 1_000_000;

/// An even grid of decimal numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LoopGrid {
    from: i128,
    step: i128,
    /// Decimals of `from` and `step`, whichever has more.
    decimals: u32,
    count: u64,
}

/// Why there is no grid.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum NoGrid {
    #[error("step `0` leads nowhere")]
    ZeroStep,
    #[error("step `{step}` leads away from `{to}`")]
    WrongSign { step: f64, to: f64 },
    #[error("`{0}` is not a number that a loop can count with")]
    NotCountable(f64),
    #[error("the loop has more than {TURNS} points")]
    TooMany,
}

impl LoopGrid {
    /// The points `from + i·step`, rounded to the finer decimals of `from` and `step`; `to` is one of them when it
    /// lies on that grid.
    ///
    /// # Errors
    /// A step that is zero or leads away from `to`, and a grid of more than `TURNS` points.
    pub(super) fn new(from: f64, to: f64, step: f64) -> Result<Self, NoGrid> {
        let decimals = decimals_of(from)?.max(decimals_of(step)?);
        // `to` may be finer than the grid: it is compared on its own scale.
        let finest = decimals.max(decimals_of(to)?);
        let [start, end, stride] = [scaled(from, finest)?, scaled(to, finest)?, scaled(step, finest)?];
        let span = end - start;
        if stride == 0 {
            return Err(NoGrid::ZeroStep);
        }
        if span != 0 && (span < 0) != (stride < 0) {
            return Err(NoGrid::WrongSign { step, to });
        }
        let count =
            u64::try_from(span / stride).ok().filter(|steps| *steps < TURNS).ok_or(NoGrid::TooMany)? + 1;
        Ok(Self { from: scaled(from, decimals)?, step: scaled(step, decimals)?, decimals, count })
    }

    /// How many points there are, 1 at least.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Point `index`: a whole number when `from` and `step` are, else the double nearest to the decimal number.
    pub(super) fn point(&self, index: u64) -> serde_json::Value {
        let units = self.from + self.step * i128::from(index);
        match i64::try_from(units) {
            Ok(whole) if self.decimals == 0 => whole.into(),
            // The text is a decimal number, and parsing rounds it once.
            _ => format!("{units}e-{}", self.decimals).parse::<f64>().unwrap_or(f64::NAN).into(),
        }
    }
}

/// More than a double has, for any number near those of a bench.
const MOST_DECIMALS: u32 = 18;
/// Far above any wavelength, power or count.
const LARGEST: f64 = 1e15;

/// How many decimals the shortest writing of a number has.
fn decimals_of(number: f64) -> Result<u32, NoGrid> {
    let text = number.to_string();
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    match u32::try_from(decimals) {
        Ok(decimals) if number.is_finite() && number.abs() <= LARGEST && decimals <= MOST_DECIMALS => {
            Ok(decimals)
        }
        _ => Err(NoGrid::NotCountable(number)),
    }
}

/// A number in units of its last decimal.
fn scaled(number: f64, decimals: u32) -> Result<i128, NoGrid> {
    let text = number.to_string();
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let width = decimals as usize;
    format!("{whole}{rest:0<width$}").parse().map_err(|_| NoGrid::NotCountable(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn points(from: f64, to: f64, step: f64) -> serde_json::Value {
        let grid = LoopGrid::new(from, to, step).unwrap();
        (0..grid.count()).map(|index| grid.point(index)).collect()
    }

    #[test]
    fn points_are_the_decimal_numbers_that_a_person_would_write() {
        assert_eq!(points(0.0, 0.5, 0.1), json!([0.0, 0.1, 0.2, 0.3, 0.4, 0.5]));
        assert_eq!(points(-10.0, 5.0, 5.0), json!([-10, -5, 0, 5]));
        assert_eq!(points(5.0, -1.0, -2.5), json!([5.0, 2.5, 0.0]));
        assert_eq!(points(1520.0, 1520.25, 0.1), json!([1520.0, 1520.1, 1520.2]));
        assert_eq!(points(3.0, 3.0, -1.0), json!([3]));
        assert_eq!(points(-0.3, 0.0, 0.1), json!([-0.3, -0.2, -0.1, 0.0]));
        assert_eq!(points(1e-7, 3e-7, 1e-7), json!([1e-7, 2e-7, 3e-7]));
        let grid = LoopGrid::new(0.0, 999.999, 0.001).unwrap();
        assert_eq!(grid.count(), TURNS);
    }

    #[test]
    fn a_step_that_never_arrives_is_refused() {
        assert_eq!(LoopGrid::new(0.0, 1.0, 0.0), Err(NoGrid::ZeroStep));
        assert_eq!(LoopGrid::new(0.0, 1.0, -0.1), Err(NoGrid::WrongSign { step: -0.1, to: 1.0 }));
        assert_eq!(LoopGrid::new(0.0, 1.0, 1e-9), Err(NoGrid::TooMany));
        assert_eq!(LoopGrid::new(1e300, 1.0, 1.0), Err(NoGrid::NotCountable(1e300)));
        assert_eq!(LoopGrid::new(0.0, 1e-30, 1.0), Err(NoGrid::NotCountable(1e-30)));
    }
}
