//! The light at a detector: laser power, losses, the device or the patch cord, noise and saturation. Power readings
//! and traces use the same functions, so that they agree.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::device::TunedDevice;
use super::options::OpticalPath;

/// Loss from the laser through the switch and the splitter of the mainframe to OUT, dB.
const OUTPUT_LOSS_DB: f64 = 2.5;
/// Loss of a patch cord with its two connectors, dB. The device is connected in the same way.
const PATCH_CORD_LOSS_DB: f64 = 0.4;
/// The monitor tap reads the laser power lower by this, dB.
const TAP_LOSS_DB: f64 = 0.6;
/// Reflection at the end of a patch cord, dB.
const PATCH_CORD_REFLECTION_DB: f64 = -55.0;
/// Loss from OUT back to the back-reflection detector, dB.
const RETURN_LOSS_DB: f64 = 3.0;
/// Thermal noise of a detector, mW (−80 dBm).
const THERMAL_NOISE_MW: f64 = 1e-8;
/// Noise in proportion to the power, 0.004 dB: laser intensity noise and the fine structure of reflections.
const RELATIVE_NOISE: f64 = 1e-3;
/// Lowest reported power, mW (−90 dBm).
const FLOOR_MW: f64 = 1e-9;
/// Highest power of a detector, mW (+9 dBm).
const SATURATION_MW: f64 = 7.943_282_347_242_815;

/// The position of a detector in the optical set-up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Port {
    /// At an output of the device, from 1.
    Output(u8),
    /// At the monitor tap of the laser.
    Laser,
    /// At the back reflection.
    Reflection,
}

/// Light of one wavelength, with its power at the laser.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Light {
    pub(super) nm: f64,
    pub(super) dbm: f64,
}

/// Converts dB to a ratio of powers, or dBm to mW.
pub(super) fn linear(db: f64) -> f64 {
    10f64.powf(db / 10.0)
}

/// Converts a ratio of powers to dB, or mW to dBm. The natural logarithm is the fastest on this platform.
pub(super) fn decibels(linear: f64) -> f64 {
    linear.ln() * (10.0 / std::f64::consts::LN_10)
}

/// The path from the laser to a port. All factors that do not depend on the wavelength are computed once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Way {
    loss: f64,
    passes: Passes,
}

/// The part of a path that depends on the wavelength.
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

    /// The ratio of the power at the port to the laser power; 0 if nothing is connected.
    pub(super) fn share(&self, device: &TunedDevice, nm: f64) -> f64 {
        match self.passes {
            Passes::Nothing => self.loss,
            Passes::Device(output) => self.loss * device.transmission(output, nm),
            Passes::Reflection => self.loss * device.reflection(nm),
        }
    }
}

/// Power at a port without noise, mW.
pub(super) fn power_mw(device: &TunedDevice, path: OpticalPath, port: Port, light: Light) -> f64 {
    linear(light.dbm) * Way::new(path, port).share(device, light.nm)
}

/// The power that a detector reports, mW: with noise, limited by floor and saturation.
pub(super) fn detect(power_mw: f64, normal: f64) -> f64 {
    let relative = RELATIVE_NOISE * power_mw;
    let sigma_mw = (relative * relative + THERMAL_NOISE_MW * THERMAL_NOISE_MW).sqrt();
    (power_mw + sigma_mw * normal).abs().clamp(FLOOR_MW, SATURATION_MW)
}

/// Samples per block of the random sequence.
const BLOCK: usize = 4096;

/// A reproducible noise sequence with random access. Each block has its own generator, so that a trace of any length
/// is computed in pieces and never stored.
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

    /// A standard normal number. The same key and index always give the same number.
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
    use super::super::device::Device;
    use super::*;

    #[test]
    fn what_a_reference_removes_leaves_the_device_alone() {
        let light = Light { nm: 1547.3, dbm: 5.0 };
        let ring = TunedDevice::from(Device::Ring);
        let raw = decibels(power_mw(&ring, OpticalPath::Device, Port::Output(1), light));
        let reference = decibels(power_mw(&ring, OpticalPath::PatchCord, Port::Output(1), light));
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
