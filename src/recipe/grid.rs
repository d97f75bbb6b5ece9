//! The points of a loop `from … to … step …`. Decimal arithmetic is exact, so that a grid of 0.1 from 0 contains 0.3
//! and its end. This is also true if an expression computed the bounds with rounding errors.

/// Largest number of turns of one loop.
pub(super) const TURNS: u64 = 1_000_000;

/// An even grid of decimal numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct LoopGrid {
    /// In units of the last decimal.
    from: i128,
    /// The sum of `parts` steps, in units of the last decimal.
    span: i128,
    /// The number of steps in the span.
    parts: u64,
    decimals: u32,
    count: u64,
    reaches: bool,
}

/// The reason why there is no grid.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub(super) enum NoGrid {
    #[error("step `0` never reaches the end")]
    ZeroStep,
    #[error("step `{step}` leads away from `{to}`")]
    WrongSign { step: f64, to: f64 },
    #[error("a loop cannot use the number `{0}`")]
    NotCountable(f64),
    #[error("the loop has more than {TURNS} points")]
    TooMany,
}

impl LoopGrid {
    /// The points `from + i·step`, rounded to decimals. `to` is one of them if it lies on the grid.
    ///
    /// Numbers with up to 15 significant digits may have been written by a person. A number with more digits was
    /// computed and has rounding errors. The same is assumed if `to` is missed by a very small difference. Then all
    /// numbers are rounded to twelve digits of the largest, and `to` is a point if the rounded steps reach it.
    ///
    /// # Errors
    /// If the step is zero or leads away from `to`, or if the grid has more than `TURNS` points.
    pub(super) fn new(from: f64, to: f64, step: f64) -> Result<Self, NoGrid> {
        if ![from, to, step].iter().all(|number| is_written(*number)) {
            return Self::rounded(from, to, step);
        }
        let exact = Self::exact(from, to, step);
        if matches!(exact, Err(NoGrid::ZeroStep | NoGrid::WrongSign { .. } | NoGrid::TooMany)) {
            return exact;
        }
        let is_coarse = step.abs() >= from.abs().max(to.abs()) * 1e-9;
        match (&exact, Self::rounded(from, to, step)) {
            (Ok(given), Ok(rounded)) if rounded.reaches && !given.reaches && is_coarse => Ok(rounded),
            // A computed number may have few digits, but too many decimals for exact arithmetic.
            (Err(NoGrid::NotCountable(_)), Ok(rounded)) if is_coarse && rounded.count > 1 => Ok(rounded),
            _ => exact,
        }
    }

    fn exact(from: f64, to: f64, step: f64) -> Result<Self, NoGrid> {
        let decimals = decimals_of(from)?.max(decimals_of(step)?);
        // `to` may have more decimals than the grid, so it is compared on its own scale.
        let finest = decimals.max(decimals_of(to)?);
        let [start, end, stride] = [scaled(from, finest)?, scaled(to, finest)?, scaled(step, finest)?];
        let span = end - start;
        check_sign(span, stride, (to, step))?;
        let count = turns(span / stride)? + 1;
        let (from, step) = (scaled(from, decimals)?, scaled(step, decimals)?);
        Ok(Self { from, span: step, parts: 1, decimals, count, reaches: span % stride == 0 })
    }

    fn rounded(from: f64, to: f64, step: f64) -> Result<Self, NoGrid> {
        let largest = from.abs().max(to.abs()).max(step.abs());
        let too_large = |number: &f64| !number.is_finite() || number.abs() > LARGEST;
        if let Some(number) = [from, to, step].into_iter().find(too_large) {
            return Err(NoGrid::NotCountable(number));
        }
        #[expect(clippy::cast_possible_truncation, reason = "within -324 to 15")]
        let magnitude = largest.log10().floor() as i32;
        let decimals = u32::try_from(11 - magnitude).unwrap_or_default().min(MOST_DECIMALS);
        let round = |number: f64| {
            scaled_text(&format!("{number:.width$}", width = decimals as usize), decimals, number)
        };
        let (start, end) = (round(from)?, round(to)?);
        let span = end - start;
        // The step has further digits, and many steps add them up.
        let digits = format!("{step:.width$}", width = (decimals + FURTHER) as usize);
        let stride = scaled_text(&digits, decimals + FURTHER, step)?;
        check_sign(span, stride, (to, step))?;
        if round(step)? == 0 {
            return Err(NoGrid::NotCountable(step));
        }
        let fine_span = span * 10_i128.pow(FURTHER);
        let nearest = (2 * fine_span + stride) / (2 * stride);
        let parts = turns(nearest)?;
        // The rounding errors of the bounds, and the sum of those of the step.
        let off = (fine_span - stride * i128::from(parts)).abs();
        let noise = 10_i128.pow(FURTHER) + i128::from(parts);
        if parts > 0 && off <= noise {
            return Ok(Self { from: start, span, parts, decimals, count: parts + 1, reaches: true });
        }
        let count = turns(fine_span / stride)? + 1;
        let all_steps = rounded_quotient(stride * i128::from(count), 10_i128.pow(FURTHER));
        Ok(Self { from: start, span: all_steps, parts: count, decimals, count, reaches: span == 0 })
    }

    /// The number of points, at least 1.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Whether `to` is the last point.
    pub(super) fn reaches_end(&self) -> bool {
        self.reaches
    }

    /// Point `index`: a whole number if `from` and `step` are whole numbers, otherwise the double nearest to the
    /// decimal number.
    pub(super) fn point(&self, index: u64) -> serde_json::Value {
        let (index, parts) = (i128::from(index), i128::from(self.parts.max(1)));
        let units = self.from + rounded_quotient(self.span * index, parts);
        match i64::try_from(units) {
            Ok(whole) if self.decimals == 0 => whole.into(),
            // Parsing the decimal text rounds only once.
            _ => format!("{units}e-{}", self.decimals).parse::<f64>().unwrap_or(f64::NAN).into(),
        }
    }
}

fn check_sign(span: i128, stride: i128, (to, step): (f64, f64)) -> Result<(), NoGrid> {
    match stride {
        0 => Err(NoGrid::ZeroStep),
        _ if span != 0 && (span < 0) != (stride < 0) => Err(NoGrid::WrongSign { step, to }),
        _ => Ok(()),
    }
}

fn turns(steps: i128) -> Result<u64, NoGrid> {
    u64::try_from(steps).ok().filter(|steps| *steps < TURNS).ok_or(NoGrid::TooMany)
}

/// The whole number nearest to a quotient.
fn rounded_quotient(number: i128, parts: i128) -> i128 {
    let half = if number < 0 { -parts / 2 } else { parts / 2 };
    (number + half) / parts
}

/// More decimals than a double has, for any number of a bench.
const MOST_DECIMALS: u32 = 18;
/// Much larger than any wavelength, power or count.
const LARGEST: f64 = 1e15;
/// Decimals of a computed step beyond those of the points.
const FURTHER: u32 = 6;
/// A double prints every decimal number of so many digits exactly. A double that needs more digits was computed.
const WRITTEN_DIGITS: usize = 15;

/// Whether a person may have written this decimal number.
fn is_written(number: f64) -> bool {
    let text = format!("{number:e}");
    let digits = text.split('e').next().unwrap_or_default();
    digits.bytes().filter(u8::is_ascii_digit).count() <= WRITTEN_DIGITS
}

/// The number of decimals in the shortest form of a number.
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
    scaled_text(&number.to_string(), decimals, number)
}

fn scaled_text(text: &str, decimals: u32, number: f64) -> Result<i128, NoGrid> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let width = decimals as usize;
    format!("{whole}{rest:0<width$}").parse().map_err(|_| NoGrid::NotCountable(number))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::decimal;

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
    fn bounds_with_the_noise_of_a_computation_include_their_end() {
        let (c, span, points_wanted) = (1550.1, 0.6, 7.0);
        let (from, to, step) = (c - span / 2.0, c + span / 2.0, span / (points_wanted - 1.0));
        assert_eq!(points(from, to, step), json!([1549.8, 1549.9, 1550.0, 1550.1, 1550.2, 1550.3, 1550.4]));
        assert_eq!(points(0.0, 0.1 + 0.2, 0.1), json!([0.0, 0.1, 0.2, 0.3]));
        assert_eq!(points(0.1 * 3.0 - 0.3, 0.3, 0.1), json!([0.0, 0.1, 0.2, 0.3]));
        assert_eq!(points(0.3, 0.1 * 3.0 - 0.3, -0.1), json!([0.3, 0.2, 0.1, 0.0]));
        assert_eq!(points(1.0, 2.0, 1.0 / 3.0), json!([1.0, 1.333_333_333_33, 1.666_666_666_67, 2.0]));
        assert_eq!(points(0.1 + 0.2, 0.1 + 0.2, 0.1), json!([0.3]));
        // The end lies between two points.
        assert_eq!(points(0.1 + 0.2, 0.55, 0.1), json!([0.3, 0.4, 0.5]));
        assert_eq!(points(0.0, 1.0, 0.7 + 0.1 - 0.5), json!([0.0, 0.3, 0.6, 0.9]));
    }

    #[test]
    fn whether_the_end_is_reached_is_known() {
        for (from, to, step, reaches) in [
            (-5.0, 5.0, 3.0, false),
            (-5.0, 4.0, 3.0, true),
            (0.0, 0.3, 0.1, true),
            (0.0, 0.35, 0.1, false),
            (2.0, 2.0, 1.0, true),
            (0.0, 0.1 + 0.2, 0.1, true),
            (0.1 + 0.2, 0.55, 0.1, false),
            (0.0, 1.0, 0.333_333, false),
        ] {
            assert_eq!(LoopGrid::new(from, to, step).unwrap().reaches_end(), reaches, "{from} {to} {step}");
        }
    }

    #[test]
    fn a_step_that_never_arrives_is_refused() {
        assert_eq!(LoopGrid::new(0.0, 1.0, 0.0), Err(NoGrid::ZeroStep));
        assert_eq!(LoopGrid::new(0.0, 1.0, -0.1), Err(NoGrid::WrongSign { step: -0.1, to: 1.0 }));
        assert_eq!(LoopGrid::new(0.0, 1.0, 1e-9), Err(NoGrid::TooMany));
        assert_eq!(LoopGrid::new(1e300, 1.0, 1.0), Err(NoGrid::NotCountable(1e300)));
        assert_eq!(LoopGrid::new(0.0, 1e-30, 1.0), Err(NoGrid::NotCountable(1e-30)));
        let noise = 0.1 * 3.0 - 0.3;
        assert_eq!(LoopGrid::new(0.0, 1.0, noise), Err(NoGrid::NotCountable(noise)));
        assert!(LoopGrid::new(0.1 + 0.2, f64::NAN, 1.0).is_err());
        assert!(LoopGrid::new(0.1 + 0.2, f64::INFINITY, 1.0).is_err());
    }

    proptest! {
        /// Centre, span and number of points, as recipes compute their bounds.
        #[test]
        fn computed_bounds_give_the_points_asked_for(
            centre in 0_i32..2_000_000, centre_decimals in 0_u32..5,
            span in 1_i32..100_000, span_decimals in 0_u32..5, wanted in 2_u32..2_000, backwards in any::<bool>(),
        ) {
            let decimal = |units: i32, decimals: u32| format!("{units}e-{decimals}").parse::<f64>().unwrap();
            let (centre, span) = (decimal(centre, centre_decimals), decimal(span, span_decimals));
            let sign = if backwards { -1.0 } else { 1.0 };
            let (from, to) = (centre - sign * span / 2.0, centre + sign * span / 2.0);
            let step = sign * span / f64::from(wanted - 1);
            prop_assume!(step.abs() > from.abs().max(to.abs()) * 1e-9);
            let grid = LoopGrid::new(from, to, step).unwrap();
            prop_assert_eq!((grid.count(), grid.reaches_end()), (u64::from(wanted), true));
            let points: Vec<f64> = (0..grid.count()).map(|index| grid.point(index).as_f64().unwrap()).collect();
            let tolerance = from.abs().max(to.abs()) * 1e-11;
            for (index, point) in (0_u32..).zip(&points) {
                prop_assert!((point - (from + step * f64::from(index))).abs() <= tolerance);
                // What is printed is what is stored.
                let number = serde_json::Number::from_f64(*point).unwrap();
                let computed = ![from, to, step].into_iter().all(is_written);
                prop_assert!(!computed || decimal::same(&decimal::print(&number), &point.to_string()), "{} {}", point, decimal::print(&number));
            }
            prop_assert!(points.windows(2).all(|pair| (pair[0] < pair[1]) != backwards));
        }

        /// A grid of decimals whose end was added up.
        #[test]
        fn an_end_that_was_added_up_is_included(
            from in -1_000_000_i32..1_000_000, step in 1_i32..10_000, decimals in 0_u32..5, turns in 1_u32..1_000,
        ) {
            let decimal = |units: i64| format!("{units}e-{decimals}").parse::<f64>().unwrap();
            let (start, stride) = (decimal(from.into()), decimal(step.into()));
            let end = (0..turns).fold(start, |sum, _| sum + stride);
            let grid = LoopGrid::new(start, end, stride).unwrap();
            prop_assert_eq!(grid.count(), u64::from(turns) + 1);
            for index in 0..grid.count() {
                let exact = decimal(i64::from(from) + i64::from(step) * i64::try_from(index).unwrap());
                prop_assert_eq!(grid.point(index).as_f64(), Some(exact));
            }
        }

        #[test]
        fn any_bounds_give_a_grid_within_them_or_a_reason(from in any::<f64>(), to in any::<f64>(), step in any::<f64>()) {
            if let Ok(grid) = LoopGrid::new(from, to, step) {
                prop_assert!(grid.count() <= TURNS);
                prop_assert!(grid.point(grid.count() - 1).as_f64().unwrap().is_finite());
            }
        }
    }
}
