//! What a detector sees: laser power, losses on the way, the device or the patch cord, noise and saturation.
//! Static readings and traces come from the same function, so that they agree with each other.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::device::Device;
use super::options::OpticalPath;

/// From the laser through the mainframe's switch and splitter to OUT, dB.
const OUTPUT_LOSS_DB: f64 = 2.5;
/// A patch cord with its two connectors, dB; the device sits between such connectors too.
const PATCH_CORD_LOSS_DB: f64 = 0.4;
/// The tap that watches the laser reads its power this much lower, dB.
const TAP_LOSS_DB: f64 = 0.6;
/// Reflection of a patch cord's end, dB.
const PATCH_CORD_REFLECTION_DB: f64 = -55.0;
/// From OUT back to the back-reflection detector, dB.
const RETURN_LOSS_DB: f64 = 3.0;
/// Thermal noise of a detector, mW (−80 dBm).
const THERMAL_NOISE_MW: f64 = 1e-8;
/// Noise in proportion to the power: laser intensity noise and the fine structure of reflections, 0.004 dB.
const RELATIVE_NOISE: f64 = 1e-3;
/// The electronics report nothing lower, mW (−90 dBm).
const FLOOR_MW: f64 = 1e-9;
/// A detector's limit, mW (+9 dBm).
const SATURATION_MW: f64 = 7.943_282_347_242_815;

/// Where a detector is in the optical set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Port {
    /// At an output of the device, from 1.
    Output(u8),
    /// At the tap that watches the laser.
    Laser,
    /// At the back reflection.
    Reflection,
}

/// Light of one wavelength: where it is and how strong it leaves the laser.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Light {
    pub(super) nm: f64,
    pub(super) dbm: f64,
}

/// What arrives at a port relative to the laser, dB; `None` where nothing is connected.
fn arriving_db(device: &Device, path: OpticalPath, port: Port, nm: f64) -> Option<f64> {
    match (port, path) {
        (Port::Laser, _) => Some(-TAP_LOSS_DB),
        (Port::Output(_), OpticalPath::PatchCord) => Some(-OUTPUT_LOSS_DB - PATCH_CORD_LOSS_DB),
        (Port::Output(output), OpticalPath::Device) => device
            .transmission_db(output, nm)
            .map(|transmission| transmission - OUTPUT_LOSS_DB - PATCH_CORD_LOSS_DB),
        (Port::Reflection, OpticalPath::PatchCord) => {
            Some(PATCH_CORD_REFLECTION_DB - OUTPUT_LOSS_DB - RETURN_LOSS_DB)
        }
        (Port::Reflection, OpticalPath::Device) => {
            Some(device.reflection_db(nm) - OUTPUT_LOSS_DB - RETURN_LOSS_DB)
        }
    }
}

/// The level at a port without noise, dBm; `None` where it is dark.
pub(super) fn level_dbm(device: &Device, path: OpticalPath, port: Port, light: Light) -> Option<f64> {
    arriving_db(device, path, port, light.nm).map(|db| light.dbm + db)
}

/// The power of a level, mW.
fn milliwatts(dbm: Option<f64>) -> f64 {
    dbm.map_or(0.0, |dbm| 10f64.powf(dbm / 10.0))
}

/// Power at a port without noise, mW.
pub(super) fn power_mw(device: &Device, path: OpticalPath, port: Port, light: Light) -> f64 {
    milliwatts(level_dbm(device, path, port, light))
}

/// What a detector reports, mW: with noise, between its floor and its saturation.
pub(super) fn detect(power_mw: f64, normal: f64) -> f64 {
    report(power_mw, sigma_mw(power_mw), normal)
}

fn sigma_mw(power_mw: f64) -> f64 {
    (RELATIVE_NOISE * power_mw).hypot(THERMAL_NOISE_MW)
}

fn report(power_mw: f64, sigma_mw: f64, normal: f64) -> f64 {
    (power_mw + sigma_mw * normal).abs().clamp(FLOOR_MW, SATURATION_MW)
}

/// A detector that sees one level after the other. Powers and roots are expensive, and behind a patch cord the level is
/// the same for a whole trace: it is converted when it changes.
#[derive(Debug, Default)]
pub(super) struct Receiver {
    level_dbm: Option<f64>,
    /// Of the level; `None` before the first one.
    power_and_sigma_mw: Option<(f64, f64)>,
}

impl Receiver {
    /// What `detect` gives for the power of a level.
    pub(super) fn detect(&mut self, level_dbm: Option<f64>, normal: f64) -> f64 {
        let known = self.power_and_sigma_mw.filter(|_| self.level_dbm == level_dbm);
        let (power_mw, sigma_mw) = known.unwrap_or_else(|| {
            let power_mw = milliwatts(level_dbm);
            (power_mw, sigma_mw(power_mw))
        });
        (self.level_dbm, self.power_and_sigma_mw) = (level_dbm, Some((power_mw, sigma_mw)));
        report(power_mw, sigma_mw, normal)
    }
}

/// Samples that belong together in one random sequence.
const BLOCK: u64 = 4096;

/// A reproducible noise sequence that can be read from anywhere: block `i` has a generator of its own, so that a
/// trace of any length is computed piece by piece and never held.
#[derive(Debug)]
pub(super) struct NoiseSequence {
    key: u64,
    block: u64,
    values: Vec<f64>,
}

impl NoiseSequence {
    pub(super) fn new(key: u64) -> Self {
        Self { key, block: u64::MAX, values: Vec::new() }
    }

    /// A standard normal number, always the same for the same key and index.
    pub(super) fn at(&mut self, index: u64) -> f64 {
        if index / BLOCK != self.block {
            self.block = index / BLOCK;
            let mut generator = ChaCha8Rng::seed_from_u64(self.key);
            generator.set_stream(self.block);
            self.values.clear();
            self.values.extend((0..BLOCK).map(|_| -> f64 { StandardNormal.sample(&mut generator) }));
        }
        usize::try_from(index % BLOCK).ok().and_then(|at| self.values.get(at)).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dbm(milliwatts: f64) -> f64 {
        10.0 * milliwatts.log10()
    }

    #[test]
    fn what_a_reference_removes_leaves_the_device_alone() {
        let light = Light { nm: 1547.3, dbm: 5.0 };
        let raw = dbm(power_mw(&Device::Ring, OpticalPath::Device, Port::Output(1), light));
        let reference = dbm(power_mw(&Device::Ring, OpticalPath::PatchCord, Port::Output(1), light));
        let device = Device::Ring.transmission_db(1, light.nm).unwrap();
        assert!((raw - reference - device).abs() < 1e-9);
    }

    #[test]
    fn a_detector_has_a_floor_and_a_saturation() {
        assert_eq!(detect(0.0, 0.0), FLOOR_MW);
        assert_eq!(dbm(detect(100.0, 0.0)).round(), 9.0);
    }

    #[test]
    fn a_receiver_reports_what_a_single_detection_does() {
        let mut receiver = Receiver::default();
        for (step, level) in (0..).zip([None, Some(-3.0), Some(-3.0), None, None, Some(-80.0), Some(12.0)]) {
            let normal = f64::from(step) - 3.0;
            assert_eq!(receiver.detect(level, normal), detect(milliwatts(level), normal), "{level:?}");
        }
    }

    #[test]
    fn noise_is_the_same_wherever_reading_starts() {
        let mut forwards = NoiseSequence::new(7);
        let all: Vec<f64> = (0..10_000).map(|index| forwards.at(index)).collect();
        let mut backwards = NoiseSequence::new(7);
        assert!((0..10_000).rev().all(|index| backwards.at(index) == all[index as usize]));
        let deviation = (all.iter().map(|value| value * value).sum::<f64>() / 10_000.0).sqrt();
        assert!((deviation - 1.0).abs() < 0.05);
        assert_ne!(NoiseSequence::new(8).at(0), all[0]);
    }
}
