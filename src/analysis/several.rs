//! Figures over several traces or several values: fits, cut-back, difference, average.

use super::figure::Figure;
use super::fit::eliminate;
use super::floor::Floor;
use super::registry as define;
use super::resonance::Estimate;
use super::trace::Trace;
use super::units::{db_from_power, power_from_db};
use crate::shown::{number, quantity};
use crate::units as names;

/// Least squares of a polynomial: N coefficients with their standard errors, the constant first.
///
/// # Errors
/// Fewer than N different places; values that are not finite. With exactly N places the errors are NaN.
pub fn polynomial<const N: usize>(x: &[f64], y: &[f64]) -> Result<[Estimate; N], String> {
    if x.len() != y.len() {
        return Err(format!("there are {} places and {} values: both must be as many", x.len(), y.len()));
    }
    if x.iter().chain(y).any(|value| !value.is_finite()) {
        return Err("a value is not finite".to_owned());
    }
    let mut places = x.to_vec();
    places.sort_by(f64::total_cmp);
    places.dedup();
    if places.len() < N {
        return Err(format!(
            "a fit with {N} coefficients needs {N} different places, and there are {}",
            places.len()
        ));
    }
    // Centred and scaled, so that the powers stay of the order of 1.
    let middle = 0.5 * (places[0] + places[places.len() - 1]);
    let scale = (0.5 * (places[places.len() - 1] - places[0])).max(f64::MIN_POSITIVE);
    let powers =
        |x: f64| -> [f64; N] { std::array::from_fn(|power| ((x - middle) / scale).powi(power as i32)) };
    let mut normal = [[0.0; N]; N];
    let mut right = [0.0; N];
    for (x, y) in x.iter().zip(y) {
        let powers = powers(*x);
        for row in 0..N {
            right[row] += powers[row] * y;
            for column in 0..N {
                normal[row][column] += powers[row] * powers[column];
            }
        }
    }
    let singular = || "the places are too near to each other for a fit".to_owned();
    let scaled = eliminate(normal, right).ok_or_else(singular)?;
    let residual_squares: f64 = x
        .iter()
        .zip(y)
        .map(|(x, y)| (y - powers(*x).iter().zip(scaled).map(|(power, c)| power * c).sum::<f64>()).powi(2))
        .sum();
    let variance = residual_squares / x.len().saturating_sub(N) as f64;
    let mut covariance = [[0.0; N]; N];
    for (column, values) in covariance.iter_mut().enumerate() {
        let mut unit = [0.0; N];
        unit[column] = 1.0;
        *values = eliminate(normal, unit).ok_or_else(singular)?;
    }
    // Back to powers of x: Σ c·((x − m)/s)^k = Σ x^j · Σ_k c_k·C(k, j)·(−m)^(k−j)/s^k
    let weight = |power: usize, term: usize| -> f64 {
        if term < power {
            return 0.0;
        }
        let binomial = (0..power).fold(1.0, |product, i| product * (term - i) as f64 / (i + 1) as f64);
        binomial * (-middle).powi((term - power) as i32) / scale.powi(term as i32)
    };
    Ok(std::array::from_fn(|power| {
        let value = (0..N).map(|term| weight(power, term) * scaled[term]).sum();
        let spread: f64 = (0..N)
            .flat_map(|a| (0..N).map(move |b| (a, b)))
            .map(|(a, b)| weight(power, a) * weight(power, b) * covariance[a][b])
            .sum();
        Estimate { value, error: (variance * spread).sqrt() }
    }))
}

/// The name of the slope of one figure over another quantity: `resonance_nm` over `heater_mw` is `slope_nm_per_mw`.
#[must_use]
pub fn slope_name(y: &str, x: &str) -> String {
    format!("slope_{}_per_{}", names::end(y), names::end(x))
}

/// Whether this is the name of a slope.
#[must_use]
pub fn is_slope(name: &str) -> bool {
    let quantities = name.strip_prefix("slope_").and_then(|names| names.split_once("_per_"));
    quantities.is_some_and(|(y, x)| !y.is_empty() && !x.is_empty())
}

/// The unit at the end of a name, as it is written: `heater_mw` is in mW. A fraction stands in brackets.
fn unit_of(name: &str) -> String {
    let unit = names::split_chosen(name).map_or(names::end(name), |(_, symbol)| symbol);
    if unit.contains('/') { format!("({unit})") } else { unit.to_owned() }
}

/// The slope of a figure over another quantity, with its error: `y` and `x` are names with units, each with its values.
#[must_use]
pub fn slope(y: (&str, &[f64]), x: (&str, &[f64])) -> Figure {
    let definition = define::Definition {
        name: "slope",
        unit: "1",
        formula: "slope of the least squares line through the values",
        window: "all values",
        source: "least squares",
    };
    let mut figure = match polynomial::<2>(x.1, y.1) {
        Ok([_, slope]) => Figure::measured(&definition, slope.value).with_error(slope.error),
        Err(reason) => Figure::missing(&definition, reason),
    };
    figure.name = slope_name(y.0, x.0);
    figure.unit = format!("{}/{}", unit_of(y.0), unit_of(x.0));
    figure.definition = format!("slope of the least squares line of {} over {}", y.0, x.0);
    figure
}

/// Propagation and coupling loss from insertion losses at several lengths.
#[must_use]
pub fn cut_back(lengths_cm: &[f64], losses_db: &[f64]) -> Vec<Figure> {
    let definitions = [&define::PROPAGATION_LOSS, &define::COUPLING_LOSS];
    let mut different = lengths_cm.to_vec();
    different.sort_by(f64::total_cmp);
    different.dedup();
    let fitted = if different.len() < 3 {
        Err(format!("cut-back needs at least three lengths, and there are {}", different.len()))
    } else {
        polynomial::<2>(lengths_cm, losses_db)
    };
    match fitted {
        Ok([intercept, slope]) => vec![
            Figure::measured(definitions[0], slope.value).with_error(slope.error),
            Figure::measured(definitions[1], intercept.value).with_error(intercept.error),
        ],
        Err(reason) => definitions.map(|definition| Figure::missing(definition, reason.clone())).to_vec(),
    }
}

/// Levels that were computed from traces.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Derived {
    /// The levels.
    pub levels_db: Vec<f32>,
    /// Whether a level rests on a sample at the floor, so that the device may be lower. Empty if none does.
    pub at_floor: Vec<bool>,
}

impl Derived {
    fn new(levels_db: Vec<f32>, at_floor: Vec<bool>) -> Self {
        let is_any = at_floor.contains(&true);
        Self { levels_db, at_floor: if is_any { at_floor } else { Vec::new() } }
    }
}

/// Device − reference, dB, at the wavelengths of the device. The reference is interpolated linearly in dB.
///
/// NaN where the reference has no value, or is at its floor: the difference would be too small by an unknown amount. The
/// number is that of the samples at the floor of the reference.
#[must_use]
pub fn difference(
    (device, floor): (&Trace<'_>, Floor),
    (reference, reference_floor): (&Trace<'_>, Floor),
) -> (Derived, usize) {
    let mut dark = 0;
    let level = |index: usize| {
        let nm = device.nm(index);
        let Some(level) = reference.at_nm(nm) else { return f32::NAN };
        if reference.is_at_floor_at(nm, reference_floor) {
            dark += 1;
            return f32::NAN;
        }
        (device.db(index) - level) as f32
    };
    let levels_db = (0..device.len()).map(level).collect();
    let at_floor = (0..device.len()).map(|index| floor.holds(device, index)).collect();
    (Derived::new(levels_db, at_floor), dark)
}

/// The transmission at regular wavelengths, linearly interpolated in dB; NaN outside the trace.
#[must_use]
pub fn resample(trace: &Trace<'_>, start_nm: f64, step_pm: f64, points: usize) -> Vec<f32> {
    let at = |point: usize| start_nm + step_pm * 1e-3 * point as f64;
    (0..points).map(|point| trace.at_nm(at(point)).map_or(f32::NAN, |level| level as f32)).collect()
}

/// The mean of several sweeps in linear power, one sweep at a time.
#[derive(Debug, Clone, Default)]
pub struct Average {
    /// Mean linear power of each sample so far.
    powers: Vec<f32>,
    /// Whether a sample was at the floor of any sweep.
    at_floor: Vec<bool>,
    /// First and last wavelength of the first sweep, nm.
    ends_nm: (f64, f64),
    sweeps: u32,
}

/// Wavelengths that differ by less than this share of the step are the same.
const SAME_SHARE: f64 = 0.1;

impl Average {
    /// Adds a sweep. A sample that is unusable in one sweep is unusable in the mean.
    ///
    /// # Errors
    /// When the sweep has other wavelengths than the sweeps before.
    pub fn add(&mut self, sweep: &Trace<'_>, floor: Floor) -> Result<(), String> {
        let (first_nm, last_nm, samples) = (sweep.first_nm(), sweep.last_nm(), sweep.len());
        if self.sweeps == 0 {
            self.powers = vec![0.0; samples];
            self.at_floor = vec![false; samples];
            self.ends_nm = (first_nm, last_nm);
        }
        let near_nm = SAME_SHARE * (last_nm - first_nm) / samples.saturating_sub(1).max(1) as f64;
        let is_same = |one: f64, other: f64| (one - other).abs() <= near_nm;
        let (before_first_nm, before_last_nm) = self.ends_nm;
        if self.powers.len() != samples
            || !is_same(first_nm, before_first_nm)
            || !is_same(last_nm, before_last_nm)
        {
            let told = |first: f64, last: f64, samples: usize| {
                format!("{} to {}, {samples} samples", number(first, None, "nm"), quantity(last, None, "nm"))
            };
            return Err(format!(
                "the sweep ({}) has other wavelengths than the sweep before ({}): an average needs the same ones",
                told(first_nm, last_nm, samples),
                told(before_first_nm, before_last_nm, self.powers.len())
            ));
        }
        self.sweeps += 1;
        for (index, mean) in self.powers.iter_mut().enumerate() {
            let power = power_from_db(sweep.db(index));
            *mean = (f64::from(*mean) + (power - f64::from(*mean)) / f64::from(self.sweeps)) as f32;
        }
        for (index, is_dark) in self.at_floor.iter_mut().enumerate() {
            *is_dark |= floor.holds(sweep, index);
        }
        Ok(())
    }

    /// The number of sweeps.
    #[must_use]
    pub fn sweeps(&self) -> u32 {
        self.sweeps
    }

    /// The mean, dB, in the memory of the sums.
    #[must_use]
    pub fn finish(mut self) -> Derived {
        self.powers.iter_mut().for_each(|power| *power = db_from_power(f64::from(*power)) as f32);
        Derived::new(self.powers, self.at_floor)
    }
}

/// The moving mean over an odd number of samples, of the dB, as an explicit and recorded step before an analysis.
///
/// At the ends of the trace the mean is over the samples that exist. Unusable samples stay unusable. The levels are in the
/// given order of the trace.
///
/// # Errors
/// When the number of samples is even or 0.
pub fn moving_mean(trace: &Trace<'_>, samples: usize, floor: Floor) -> Result<Derived, String> {
    if samples.is_multiple_of(2) {
        return Err(format!("a moving mean over {samples} samples has no middle: an odd number is needed"));
    }
    let half = samples / 2;
    let mut smooth = Vec::with_capacity(trace.len());
    let mut at_floor = Vec::with_capacity(trace.len());
    let (mut sum, mut count, mut dark) = (0.0, 0u32, 0u32);
    let mut include = |index: usize, sign: f64| {
        let level = trace.db(index);
        let changed = |count: u32| if sign > 0.0 { count + 1 } else { count - 1 };
        if level.is_finite() {
            sum += sign * level;
            count = changed(count);
            dark = if floor.holds(trace, index) { changed(dark) } else { dark };
        }
        (sum, count, dark)
    };
    let (mut current, mut end) = ((0.0, 0, 0), 0);
    for index in 0..trace.len() {
        while end < trace.len() && end <= index + half {
            current = include(end, 1.0);
            end += 1;
        }
        if index > half {
            current = include(index - half - 1, -1.0);
        }
        let is_usable = trace.db(index).is_finite() && current.1 > 0;
        smooth.push(if is_usable { (current.0 / f64::from(current.1)) as f32 } else { f32::NAN });
        at_floor.push(current.2 > 0);
    }
    if trace.is_reversed() {
        smooth.reverse();
        at_floor.reverse();
    }
    Ok(Derived::new(smooth, at_floor))
}
