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

/// A level in dB as a ratio of powers, or in dBm as a power in mW.
pub(super) fn linear(db: f64) -> f64 {
    10f64.powf(db / 10.0)
}

/// A ratio of powers in dB, or a power in mW in dBm. The natural logarithm is the fastest one of the platform.
pub(super) fn decibels(linear: f64) -> f64 {
    linear.ln() * (10.0 / std::f64::consts::LN_10)
}

/// The way from the laser to a port. All factors that do not depend on the wavelength are computed once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    loss: f64,
    passes: Passes,
}

/// The part of a way that depends on the wavelength.
#[derive(Debug, Clone, Copy)]
enum Passes {
    Nothing,
    /// Through the device to this output.
    Device(u8),
    /// Reflected by the device.
    Reflection,
}

impl Way {
    pub(super) fn new(path: OpticalPath, port: Port) -> Self {
        let (passes, loss_db) = match (port, path) {
            (Port::Laser, _) => (Passes::Nothing, TAP_LOSS_DB),
            (Port::Output(_), OpticalPath::PatchCord) => {
                (Passes::Nothing, OUTPUT_LOSS_DB + PATCH_CORD_LOSS_DB)
            }
            (Port::Output(output), OpticalPath::Device) => {
                (Passes::Device(output), OUTPUT_LOSS_DB + PATCH_CORD_LOSS_DB)
            }
            (Port::Reflection, OpticalPath::PatchCord) => {
                (Passes::Nothing, OUTPUT_LOSS_DB + RETURN_LOSS_DB - PATCH_CORD_REFLECTION_DB)
            }
            (Port::Reflection, OpticalPath::Device) => (Passes::Reflection, OUTPUT_LOSS_DB + RETURN_LOSS_DB),
        };
        Self { loss: linear(-loss_db), passes }
    }

    /// The share of the laser's power that arrives at the port: 0 where nothing is connected.
    pub(super) fn share(&self, device: &Device, nm: f64) -> f64 {
        match self.passes {
            Passes::Nothing => self.loss,
            Passes::Device(output) => self.loss * device.transmission(output, nm),
            Passes::Reflection => self.loss * device.reflection(nm),
        }
    }
}

/// Power at a port without noise, mW.
pub(super) fn power_mw(device: &Device, path: OpticalPath, port: Port, light: Light) -> f64 {
    linear(light.dbm) * Way::new(path, port).share(device, light.nm)
}

/// The power that a detector reports, mW: with noise, between its floor and its saturation.
pub(super) fn detect(power_mw: f64, normal: f64) -> f64 {
    let relative = RELATIVE_NOISE * power_mw;
    let sigma_mw = (relative * relative + THERMAL_NOISE_MW * THERMAL_NOISE_MW).sqrt();
    (power_mw + sigma_mw * normal).abs().clamp(FLOOR_MW, SATURATION_MW)
}

/// Samples that belong together in one random sequence.
const BLOCK: usize = 4096;

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
        Self { key, block: u64::MAX, values: vec![0.0; BLOCK] }
    }

    /// A standard normal number, always the same for the same key and index.
    pub(super) fn at(&mut self, index: u64) -> f64 {
        let block = index / BLOCK as u64;
        if block != self.block {
            self.block = block;
            let mut generator = ChaCha8Rng::seed_from_u64(self.key);
            generator.set_stream(block);
            for value in &mut self.values {
                *value = StandardNormal.sample(&mut generator);
            }
        }
        self.values.as_slice()[index as usize % BLOCK]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_reference_removes_leaves_the_device_alone() {
        let light = Light { nm: 1547.3, dbm: 5.0 };
        let raw = decibels(power_mw(&Device::Ring, OpticalPath::Device, Port::Output(1), light));
        let reference = decibels(power_mw(&Device::Ring, OpticalPath::PatchCord, Port::Output(1), light));
        let device = decibels(Device::Ring.transmission(1, light.nm));
        assert!((raw - reference - device).abs() < 1e-9);
    }

    #[test]
    fn a_detector_has_a_floor_and_a_saturation() {
        assert_eq!(detect(0.0, 0.0), FLOOR_MW);
        assert_eq!(decibels(detect(100.0, 0.0)).round(), 9.0);
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
