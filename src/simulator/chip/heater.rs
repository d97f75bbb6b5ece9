//! A heater of the chip: a resistor that heats itself, so that its resistance rises with its power.
//!
//! R = R₀·(1 + α·(ΔT + θ·P)), with the temperature ΔT of the chip above 25 °C and the electrical power P.

/// R₀: the resistance at 25 °C without a current, Ω.
const RESISTANCE_OHM: f64 = 500.0;
/// α: the temperature coefficient of the resistance, 1/K.
const COEFFICIENT_PER_K: f64 = 1e-3;
/// θ: how much hotter than the chip the heater is, K/W.
const HEATING_K_PER_W: f64 = 2000.0;
/// Above this power the heater burns and never conducts again, W.
const BURNS_W: f64 = 0.2;

/// What the source-meter applies to the heater.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::simulator) enum Drive {
    /// The output is off.
    Off,
    /// A voltage, with the limit of the current.
    Voltage { volts: f64, limit_a: f64 },
    /// A current, with the limit of the voltage.
    Current { amperes: f64, limit_v: f64 },
}

/// Voltage and current at the heater.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(in crate::simulator) struct Point {
    pub(in crate::simulator) volts: f64,
    pub(in crate::simulator) amperes: f64,
    /// Whether the limit acts instead of the level that was set.
    pub(in crate::simulator) limited: bool,
}

/// The heater.
#[derive(Debug)]
pub(super) struct Heater {
    drive: Drive,
    burnt: bool,
}

impl Default for Heater {
    fn default() -> Self {
        Self { drive: Drive::Off, burnt: false }
    }
}

impl Heater {
    /// Applies a drive and returns the operating point. A heater that gets too much power burns.
    pub(super) fn point(&mut self, drive: Drive, kelvin: f64) -> Point {
        self.drive = drive;
        let point = self.now(kelvin);
        if point.volts * point.amperes <= BURNS_W {
            return point;
        }
        tracing::warn!("the simulated heater has burnt: more than {} mW", BURNS_W * 1e3);
        self.burnt = true;
        self.now(kelvin)
    }

    /// The power at this moment.
    pub(super) fn milliwatts(&self, kelvin: f64) -> f64 {
        let point = self.now(kelvin);
        point.volts * point.amperes * 1e3
    }

    fn now(&self, kelvin: f64) -> Point {
        let cold_ohm = RESISTANCE_OHM * (1.0 + COEFFICIENT_PER_K * kelvin);
        match self.drive {
            Drive::Off => Point::default(),
            Drive::Voltage { volts, .. } if self.burnt => Point { volts, ..Point::default() },
            // No current flows, whatever the voltage.
            Drive::Current { amperes, limit_v } if self.burnt => {
                let limited = amperes != 0.0;
                Point { volts: if limited { limit_v.copysign(amperes) } else { 0.0 }, amperes: 0.0, limited }
            }
            Drive::Voltage { volts, limit_a } => {
                let amperes = amperes_at(volts, cold_ohm);
                if amperes.abs() <= limit_a {
                    return Point { volts, amperes, limited: false };
                }
                let amperes = limit_a.copysign(volts);
                Point { volts: volts_at(amperes, cold_ohm).unwrap_or(volts), amperes, limited: true }
            }
            Drive::Current { amperes, limit_v } => match volts_at(amperes, cold_ohm) {
                Some(volts) if volts.abs() <= limit_v => Point { volts, amperes, limited: false },
                _ => {
                    let volts = limit_v.copysign(amperes);
                    Point { volts, amperes: amperes_at(volts, cold_ohm), limited: true }
                }
            },
        }
    }
}

/// The increase of the resistance with the power, Ω/W.
const OHM_PER_W: f64 = RESISTANCE_OHM * COEFFICIENT_PER_K * HEATING_K_PER_W;

/// The current at a voltage: P·(R_cold + k·P) = V², solved for P.
fn amperes_at(volts: f64, cold_ohm: f64) -> f64 {
    if volts == 0.0 {
        return 0.0;
    }
    let root = (cold_ohm * cold_ohm + 4.0 * OHM_PER_W * volts * volts).sqrt();
    let watts = (root - cold_ohm) / (2.0 * OHM_PER_W);
    watts / volts
}

/// The voltage at a current: P = I²·R_cold / (1 − k·I²). `None` if the current is so high that the heater would become
/// hotter without end.
fn volts_at(amperes: f64, cold_ohm: f64) -> Option<f64> {
    let left = 1.0 - OHM_PER_W * amperes * amperes;
    (left > 0.0).then(|| amperes * cold_ohm / left)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_resistance_rises_with_the_power_and_with_the_temperature() {
        let mut heater = Heater::default();
        let point = heater.point(Drive::Current { amperes: 0.01, limit_v: 21.0 }, 0.0);
        let (ohm, watts) = (point.volts / point.amperes, point.volts * point.amperes);
        assert!((ohm - 500.0 * (1.0 + 1e-3 * 2000.0 * watts)).abs() < 1e-9, "{ohm} {watts}");
        // The same point is reached with its voltage.
        let same = heater.point(Drive::Voltage { volts: point.volts, limit_a: 1.0 }, 0.0);
        assert!((same.amperes - 0.01).abs() < 1e-12 && !same.limited);
        let warm = heater.point(Drive::Voltage { volts: 0.1, limit_a: 1.0 }, 20.0);
        assert!((warm.volts / warm.amperes - 510.0).abs() < 0.1);
    }

    #[test]
    fn a_limit_holds_in_both_directions_and_says_so() {
        let mut heater = Heater::default();
        for sign in [1.0, -1.0] {
            let point = heater.point(Drive::Voltage { volts: sign * 5.0, limit_a: 0.002 }, 0.0);
            assert_eq!((point.amperes, point.limited), (sign * 0.002, true));
            assert!((point.volts * sign - 1.0).abs() < 0.01, "{point:?}");
            let point = heater.point(Drive::Current { amperes: sign * 0.01, limit_v: 2.0 }, 0.0);
            assert_eq!((point.volts, point.limited), (sign * 2.0, true));
            // At this current the heater alone would become hotter without end.
            let point = heater.point(Drive::Current { amperes: sign * 0.5, limit_v: 2.0 }, 0.0);
            assert_eq!((point.volts, point.limited), (sign * 2.0, true));
        }
    }

    #[test]
    fn too_much_power_burns_the_heater_for_good() {
        let mut heater = Heater::default();
        let point = heater.point(Drive::Voltage { volts: 20.0, limit_a: 1.0 }, 0.0);
        assert_eq!((point.volts, point.amperes), (20.0, 0.0));
        let point = heater.point(Drive::Current { amperes: 0.001, limit_v: 5.0 }, 0.0);
        assert_eq!((point.volts, point.amperes, point.limited), (5.0, 0.0, true));
        assert_eq!(heater.milliwatts(0.0), 0.0);
    }
}
