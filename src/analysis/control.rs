//! Control charts of individual values: the repeatability of a figure from a device that is measured again and again.
//!
//! The limits are `mean ± 2.66 · mean moving range` (NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.2; ISO
//! 7870-2). 2.66 is 3 / 1.128, where 1.128 is the expected range of two values of a standard normal distribution. The
//! moving range does not contain a slow drift, so that a drift leaves the limits.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Half the distance of the limits, in mean moving ranges.
const LIMIT: f64 = 2.66;
/// The expected range of two values of a standard normal distribution.
const RANGE_OF_TWO: f64 = 1.128;
/// Rounding errors of the mean, relative to it.
const ROUNDING: f64 = 1e-12;
/// The fewest values of a chart.
pub const FEWEST: usize = 3;

/// A control chart of individual values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ControlChart {
    /// The mean.
    pub mean: f64,
    /// The lower control limit.
    pub lower: f64,
    /// The upper control limit.
    pub upper: f64,
    /// The standard deviation from one measurement to the next: the mean moving range / 1.128.
    pub repeatability: f64,
    /// A `guard` for limits of this figure: three times the repeatability.
    pub guard: f64,
    /// The positions of the values outside the limits.
    pub outside: Vec<usize>,
}

/// The chart of these values, in the order in which they were measured. `None` for fewer than three values.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "far fewer values than a double can count")]
pub fn individuals(values: &[f64]) -> Option<ControlChart> {
    if values.len() < FEWEST || values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let ranges = values.windows(2).map(|pair| (pair[1] - pair[0]).abs());
    let mean_range = ranges.sum::<f64>() / (values.len() - 1) as f64;
    let (lower, upper) = (mean - LIMIT * mean_range, mean + LIMIT * mean_range);
    // The mean of equal values may differ from them by rounding.
    let rounding = ROUNDING * mean.abs();
    let is_outside = |value: f64| value < lower - rounding || value > upper + rounding;
    let outside =
        values.iter().enumerate().filter(|(_, value)| is_outside(**value)).map(|(at, _)| at).collect();
    let repeatability = mean_range / RANGE_OF_TWO;
    Some(ControlChart { mean, lower, upper, repeatability, guard: 3.0 * repeatability, outside })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The flow rates of the example in the e-Handbook of NIST/SEMATECH, 6.3.2.2, with the limits that it states.
    const FLOW: [f64; 10] = [49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1];

    #[test]
    fn the_limits_are_those_of_the_handbook() {
        let chart = individuals(&FLOW).unwrap();
        let near = |value: f64, expected: f64| (value - expected).abs() < 0.005;
        assert!(near(chart.mean, 50.81), "{chart:?}");
        assert!((chart.lower - 45.8).abs() < 0.1 && (chart.upper - 55.8).abs() < 0.1, "{chart:?}");
        assert!(near(chart.repeatability, 1.8778 / 1.128) && chart.outside.is_empty(), "{chart:?}");
    }

    #[test]
    fn a_value_far_away_is_outside_and_two_values_are_no_chart() {
        let mut values = vec![1.0, 1.1, 1.0, 1.1, 1.0, 1.1, 1.0, 1.1, 1.0];
        values.push(3.0);
        assert_eq!(individuals(&values).unwrap().outside, [9]);
        assert_eq!(individuals(&values[..2]), None);
        assert_eq!(individuals(&[1.0, f64::NAN, 1.0]), None);
        for value in [2.0, 1_549.172, -0.000_391] {
            let flat = individuals(&[value; 6]).unwrap();
            assert_eq!((flat.guard, flat.outside.len()), (0.0, 0), "{value}");
        }
    }
}
