//! Least squares with the method of Levenberg and Marquardt, for a handful of bounded parameters.
//!
//! The crate `levenberg-marquardt` needs `nalgebra`: 33 packages and a minute of compilation. It has no bounds and no
//! covariance, which would be written here in any case. For at most eight parameters the rest is shorter than the glue.

/// Steps after which a fit is given up.
const STEPS: usize = 200;

/// A fitted model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit<const N: usize> {
    /// The parameters.
    pub parameters: [f64; N],
    /// Their standard errors, from the covariance. Correlated residuals are taken into account. 0 for a parameter at its bound.
    pub errors: [f64; N],
    /// Sum of the squared residuals, weighted.
    pub residual_squares: f64,
    /// Number of samples: the sum of their weights.
    pub samples: f64,
    /// Number of samples that carry information of their own: fewer when neighbouring residuals are alike.
    pub independent_samples: f64,
}

impl<const N: usize> Fit<N> {
    /// Root mean square of the residuals.
    #[must_use]
    pub fn rms(&self) -> f64 {
        (self.residual_squares / self.samples).sqrt()
    }

    /// The Bayesian information criterion for this number of independent samples.
    ///
    /// Two models are compared with the same number, as that of the simpler one would count its own misfit as noise.
    #[must_use]
    pub fn bic(&self, independent_samples: f64) -> f64 {
        let variance = (self.residual_squares / self.samples).max(f64::MIN_POSITIVE);
        independent_samples * variance.ln() + N as f64 * independent_samples.ln()
    }
}

/// What is fitted: samples, a model, the bounds of its parameters.
pub struct Problem<'a, const N: usize, M: Fn(f64, &[f64; N]) -> f64> {
    /// Where the samples are.
    pub x: &'a [f64],
    /// The samples.
    pub y: &'a [f64],
    /// The weight of each sample, 0 to 1.
    pub weights: &'a [f64],
    /// Lowest and highest value of each parameter.
    pub bounds: [(f64, f64); N],
    /// The model.
    pub model: M,
}

type Matrix<const N: usize> = [[f64; N]; N];

impl<const N: usize, M: Fn(f64, &[f64; N]) -> f64> Problem<'_, N, M> {
    /// The parameters with the least sum of squared residuals near `start`.
    ///
    /// `None` when there are not more samples than parameters, or when the residuals are not finite.
    #[must_use]
    pub fn solve(&self, start: [f64; N]) -> Option<Fit<N>> {
        let lengths = [self.y.len(), self.weights.len()];
        if self.x.len() <= N || lengths != [self.x.len(); 2] {
            return None;
        }
        let mut parameters = self.bounded(start);
        let mut squares = self.squares(&parameters);
        if !squares.is_finite() {
            return None;
        }
        let mut damping = 1e-3;
        let mut normal = self.normal(&parameters);
        for _ in 0..STEPS {
            let (curvature, gradient) = &normal;
            let Some(step) = damped_step(curvature, gradient, damping, |which| {
                self.is_held(which, parameters[which], gradient[which])
            }) else {
                break;
            };
            let mut next = parameters;
            next.iter_mut().zip(step).for_each(|(parameter, step)| *parameter += step);
            let next = self.bounded(next);
            let next_squares = self.squares(&next);
            if next_squares < squares {
                let gain = (squares - next_squares) / squares.max(f64::MIN_POSITIVE);
                (parameters, squares) = (next, next_squares);
                damping = (damping * 0.2).max(1e-12);
                normal = self.normal(&parameters);
                if gain < 1e-10 {
                    break;
                }
            } else {
                damping *= 4.0;
                if damping > 1e10 {
                    break;
                }
            }
        }
        Some(self.fit(parameters, squares, &normal.0, &normal.1))
    }

    fn fit(&self, parameters: [f64; N], squares: f64, curvature: &Matrix<N>, gradient: &[f64; N]) -> Fit<N> {
        let independent_samples = self.independent_samples(&parameters);
        let freedom = (independent_samples - N as f64).max(1.0);
        let samples = self.weights.iter().sum::<f64>();
        let variance = squares / samples * independent_samples / freedom;
        // The curvature counts all samples: fewer independent ones know less.
        let shared = samples / independent_samples;
        let mut errors = [0.0; N];
        for (which, error) in errors.iter_mut().enumerate() {
            let held = |other: usize| self.is_held(other, parameters[other], gradient[other]);
            if held(which) {
                continue;
            }
            let mut unit = [0.0; N];
            unit[which] = 1.0;
            *error = damped_step(curvature, &unit, 0.0, held)
                .map_or(f64::INFINITY, |column| (column[which] * variance * shared).max(0.0).sqrt());
        }
        Fit { parameters, errors, residual_squares: squares, samples, independent_samples }
    }

    fn bounded(&self, mut parameters: [f64; N]) -> [f64; N] {
        for (parameter, (lowest, highest)) in parameters.iter_mut().zip(self.bounds) {
            *parameter = parameter.max(lowest).min(highest);
        }
        parameters
    }

    /// Whether a parameter is at its bound and would leave it. `gradient` is −½ of the derivative of the squares.
    fn is_held(&self, which: usize, value: f64, gradient: f64) -> bool {
        let (lowest, highest) = self.bounds[which];
        (value <= lowest && gradient < 0.0) || (value >= highest && gradient > 0.0) || lowest == highest
    }

    fn squares(&self, parameters: &[f64; N]) -> f64 {
        let residuals = self.residuals(parameters).zip(self.weights);
        residuals.map(|(residual, weight)| weight * residual * residual).sum()
    }

    fn residuals<'b>(&'b self, parameters: &'b [f64; N]) -> impl Iterator<Item = f64> + 'b {
        self.x.iter().zip(self.y).map(move |(x, y)| y - (self.model)(*x, parameters))
    }

    /// JᵀJ and Jᵀr, with a numerical Jacobian.
    fn normal(&self, parameters: &[f64; N]) -> (Matrix<N>, [f64; N]) {
        let mut curvature = [[0.0; N]; N];
        let mut gradient = [0.0; N];
        let steps = parameters.map(|parameter| 1e-6 * parameter.abs().max(1e-3));
        let shifted = |which: usize, sign: f64| {
            let mut shifted = *parameters;
            shifted[which] += sign * steps[which];
            shifted
        };
        let above: [[f64; N]; N] = std::array::from_fn(|which| shifted(which, 1.0));
        let below: [[f64; N]; N] = std::array::from_fn(|which| shifted(which, -1.0));
        for ((x, y), weight) in self.x.iter().zip(self.y).zip(self.weights) {
            let residual = y - (self.model)(*x, parameters);
            let slope: [f64; N] = std::array::from_fn(|which| {
                ((self.model)(*x, &above[which]) - (self.model)(*x, &below[which])) / (2.0 * steps[which])
            });
            for row in 0..N {
                gradient[row] += weight * slope[row] * residual;
                for column in 0..N {
                    curvature[row][column] += weight * slope[row] * slope[column];
                }
            }
        }
        (curvature, gradient)
    }

    /// n·(1 − r)/(1 + r), n the sum of the weights, r the correlation of neighbouring residuals; more than there are parameters.
    fn independent_samples(&self, parameters: &[f64; N]) -> f64 {
        let weighted = self.residuals(parameters).zip(self.weights);
        let residuals: Vec<f64> = weighted.map(|(residual, weight)| weight.sqrt() * residual).collect();
        let squares: f64 = residuals.iter().map(|residual| residual * residual).sum();
        let products: f64 = residuals.windows(2).map(|pair| pair[0] * pair[1]).sum();
        let correlation = if squares > 0.0 { (products / squares).clamp(0.0, 0.999) } else { 0.0 };
        let count = self.weights.iter().sum::<f64>();
        (count * (1.0 - correlation) / (1.0 + correlation)).max(N as f64 + 1.0)
    }
}

/// Solves (A + damping·diag A)·s = b without the parameters that are held. `None` when the matrix is singular.
fn damped_step<const N: usize>(
    curvature: &Matrix<N>,
    gradient: &[f64; N],
    damping: f64,
    is_held: impl Fn(usize) -> bool,
) -> Option<[f64; N]> {
    let mut matrix = *curvature;
    let mut right = *gradient;
    for which in 0..N {
        matrix[which][which] *= 1.0 + damping;
        if is_held(which) {
            right[which] = 0.0;
            matrix[which] = [0.0; N];
            matrix.iter_mut().for_each(|row| row[which] = 0.0);
            matrix[which][which] = 1.0;
        }
    }
    // Scaled to a unit diagonal: the parameters have different magnitudes.
    let scale: [f64; N] = std::array::from_fn(|which| matrix[which][which].sqrt());
    if scale.iter().any(|scale| !scale.is_finite() || *scale <= 0.0) {
        return None;
    }
    for row in 0..N {
        right[row] /= scale[row];
        for column in 0..N {
            matrix[row][column] /= scale[row] * scale[column];
        }
    }
    let mut solution = eliminate(matrix, right)?;
    solution.iter_mut().zip(scale).for_each(|(value, scale)| *value /= scale);
    Some(solution)
}

/// Solves A·x = b by Gaussian elimination with pivots. `None` when the matrix is singular.
pub(super) fn eliminate<const N: usize>(mut matrix: Matrix<N>, mut right: [f64; N]) -> Option<[f64; N]> {
    for column in 0..N {
        let pivot =
            (column..N).max_by(|a, b| matrix[*a][column].abs().total_cmp(&matrix[*b][column].abs()))?;
        // The diagonal was scaled to 1.
        if matrix[pivot][column].abs() < 1e-13 || !matrix[pivot][column].is_finite() {
            return None;
        }
        matrix.swap(column, pivot);
        right.swap(column, pivot);
        let (pivot_row, pivot_right) = (matrix[column], right[column]);
        for (row, right) in matrix.iter_mut().zip(&mut right).skip(column + 1) {
            let factor = row[column] / pivot_row[column];
            row.iter_mut().zip(pivot_row).for_each(|(value, pivot)| *value -= factor * pivot);
            *right -= factor * pivot_right;
        }
    }
    let mut solution = [0.0; N];
    for row in (0..N).rev() {
        let known: f64 = (row + 1..N).map(|column| matrix[row][column] * solution[column]).sum();
        solution[row] = (right[row] - known) / matrix[row][row];
    }
    solution.iter().all(|value| value.is_finite()).then_some(solution)
}
