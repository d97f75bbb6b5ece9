//! The colours of a map. People with any kind of colour blindness can tell them apart. Verdicts have the colours of Okabe
//! and Ito, and a mark each. Values have the scale `cividis` (Nuñez, Anderton, Renslow 2018).

use super::DieState;

/// Steps of a colour scale.
pub(super) const STEPS: usize = 32;

/// Points of `cividis` at equal distances, from the lowest value to the highest.
const CIVIDIS: [[f64; 3]; 9] = [
    [0.0, 34.0, 78.0],
    [18.0, 53.0, 112.0],
    [59.0, 73.0, 108.0],
    [87.0, 93.0, 109.0],
    [112.0, 113.0, 115.0],
    [138.0, 134.0, 120.0],
    [165.0, 156.0, 116.0],
    [195.0, 179.0, 105.0],
    [254.0, 232.0, 56.0],
];

/// The colour of a state.
pub(super) fn of_state(state: DieState) -> &'static str {
    match state {
        DieState::Pass => "#009e73",
        DieState::Marginal => "#f0e442",
        DieState::Fail => "#d55e00",
        DieState::NotMeasured | DieState::Withdrawn => "none",
        DieState::WithoutLimits => "#56b4e9",
    }
}

/// The colour of a step of the scale.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a few steps, and colours from 0 to 255"
)]
pub(super) fn of_step(step: usize) -> String {
    let place = step.min(STEPS - 1) as f64 / (STEPS - 1) as f64 * (CIVIDIS.len() - 1) as f64;
    let below = (place.floor() as usize).min(CIVIDIS.len() - 2);
    let share = place - below as f64;
    let part = |index: usize| {
        (CIVIDIS[below][index] + share * (CIVIDIS[below + 1][index] - CIVIDIS[below][index])).round() as u8
    };
    format!("#{:02x}{:02x}{:02x}", part(0), part(1), part(2))
}

/// The step of a value between the lowest and the highest one.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the number of steps"
)]
pub(super) fn step(value: f64, low: f64, high: f64) -> usize {
    if high <= low {
        return STEPS / 2;
    }
    let share = ((value - low) / (high - low)).clamp(0.0, 1.0);
    ((share * STEPS as f64) as usize).min(STEPS - 1)
}
