//! Axes with round ticks.

/// An axis: its ends, and the values that have a label.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Axis {
    pub(super) low: f64,
    pub(super) high: f64,
    pub(super) ticks: Vec<f64>,
    digits: usize,
}

impl Axis {
    /// An axis whose ends are round, around all values.
    pub(super) fn around((low, high): (f64, f64), steps: u32) -> Self {
        let step = step((high - low).max(1e-2), steps);
        let (first, last) = ((low / step).floor(), (high / step).ceil());
        let last = if last > first { last } else { first + 1.0 };
        Self { low: first * step, high: last * step, ticks: ticks(first, last, step), digits: digits(step) }
    }

    /// An axis whose ends are those of the values, with round ticks between them.
    pub(super) fn within((low, high): (f64, f64), steps: u32) -> Self {
        // One point has no width: it stands in the middle.
        let (low, high) = if high - low > 1e-6 { (low, high) } else { (low - 0.5, high + 0.5) };
        let step = step(high - low, steps);
        // A tick at an end is not lost by rounding.
        let (first, last) = ((low / step - 1e-6).ceil(), (high / step + 1e-6).floor());
        Self { low, high, ticks: ticks(first, last, step), digits: digits(step) }
    }

    /// An axis with labels at its ends only.
    pub(super) fn ends_only(self) -> Self {
        let digits = self.digits.max(usize::from(self.high - self.low < 20.0) * 2);
        Self { ticks: vec![self.low, self.high], digits, ..self }
    }

    pub(super) fn label(&self, value: f64) -> String {
        let digits = self.digits;
        let text = format!("{value:.digits$}");
        // Rounding may leave a negative zero.
        let is_zero = text.trim_start_matches(['-', '0', '.']).is_empty();
        if is_zero { text.trim_start_matches('-').to_owned() } else { text.replace('-', "\u{2212}") }
    }
}

/// The distance of ticks: 1, 2 or 5 times a power of ten, and at most so many. A range that is hardly too long counts as fitting.
fn step(span: f64, steps: u32) -> f64 {
    let least = span / f64::from(steps.max(1));
    let ten = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .map(|digit| digit * ten)
        .into_iter()
        .find(|step| *step >= least * 0.99)
        .unwrap_or(least)
}

/// Multiples of the step.
fn ticks(first: f64, last: f64, step: f64) -> Vec<f64> {
    let mut ticks = Vec::new();
    let mut number = first;
    while number <= last && ticks.len() < 50 {
        ticks.push(number * step);
        number += 1.0;
    }
    ticks
}

/// The decimal places that tell two ticks apart.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
fn digits(step: f64) -> usize {
    (-(step * 1.000_001).log10().floor()).clamp(0.0, 9.0) as usize
}
