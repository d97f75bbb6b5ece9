//! The temperature of the chip: it approaches its goal exponentially.

use std::time::{Duration, Instant};

/// The temperature of the room, and of a chip whose thermostat is off, °C.
pub(in crate::simulator) const ROOM_C: f64 = 25.0;
/// The goal is reached when this is left, so that the same setpoint always ends at the same spectrum, K.
const REACHED_K: f64 = 5e-4;

/// A temperature on its way to a goal.
#[derive(Debug)]
pub(in crate::simulator) struct Temperature {
    from_c: f64,
    goal_c: f64,
    since: Instant,
    settling: Duration,
}

impl Temperature {
    /// At room temperature. `settling` is the time constant.
    pub(super) fn new(settling: Duration) -> Self {
        Self { from_c: ROOM_C, goal_c: ROOM_C, since: Instant::now(), settling }
    }

    /// Sets another goal.
    pub(in crate::simulator) fn go_to(&mut self, goal_c: f64) {
        (self.from_c, self.goal_c, self.since) = (self.celsius(), goal_c, Instant::now());
    }

    /// The temperature at this moment.
    pub(in crate::simulator) fn celsius(&self) -> f64 {
        self.after(self.since.elapsed())
    }

    fn after(&self, time: Duration) -> f64 {
        if self.settling.is_zero() {
            return self.goal_c;
        }
        let left = (self.from_c - self.goal_c) * (-time.as_secs_f64() / self.settling.as_secs_f64()).exp();
        if left.abs() < REACHED_K { self.goal_c } else { self.goal_c + left }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_one_time_constant_a_third_is_left_and_after_many_nothing() {
        let mut temperature = Temperature::new(Duration::from_secs(5));
        temperature.go_to(35.0);
        let after = |seconds| temperature.after(Duration::from_secs(seconds));
        assert!((after(5) - (35.0 - 10.0 / std::f64::consts::E)).abs() < 0.01);
        assert_eq!(after(100), 35.0);
    }
}
