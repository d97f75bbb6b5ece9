//! Extremes and mean of a trace, collected in one pass.

/// What is known about the values of a trace so far.
#[derive(Debug)]
pub(super) struct Tally {
    rows: u64,
    finite: u64,
    sum: f64,
    /// The lowest and the highest value, each with its row. Before the first finite value they are infinite.
    min: (f32, u64),
    max: (f32, u64),
}

impl Default for Tally {
    fn default() -> Self {
        Self { rows: 0, finite: 0, sum: 0.0, min: (f32::INFINITY, 0), max: (f32::NEG_INFINITY, 0) }
    }
}

impl Tally {
    /// Adds values; returns how many of them are not finite.
    pub(super) fn add(&mut self, values: &[f32]) -> u64 {
        let before = self.finite;
        for value in values {
            if value.is_finite() {
                self.finite += 1;
                self.sum += f64::from(*value);
                if *value < self.min.0 {
                    self.min = (*value, self.rows);
                }
                if *value > self.max.0 {
                    self.max = (*value, self.rows);
                }
            }
            self.rows += 1;
        }
        values.len() as u64 - (self.finite - before)
    }

    pub(super) fn rows(&self) -> u64 {
        self.rows
    }

    pub(super) fn nulls(&self) -> u64 {
        self.rows - self.finite
    }

    pub(super) fn min(&self) -> Option<(f32, u64)> {
        (self.finite > 0).then_some(self.min)
    }

    pub(super) fn max(&self) -> Option<(f32, u64)> {
        (self.finite > 0).then_some(self.max)
    }

    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    pub(super) fn mean(&self) -> Option<f64> {
        (self.finite > 0).then(|| self.sum / self.finite as f64)
    }
}
