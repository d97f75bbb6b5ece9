//! The chip on the bench: a heater beside its devices, a heat sink, and an optical switch in front of it.
//!
//! The source-meter drives the heater, the thermostat sets the temperature, and the switch selects a device. The CTP10
//! sees a device whose spectrum is shifted as a whole. The shift is `PM_PER_MW` for the electrical power of the heater,
//! and `PM_PER_K` for the temperature of the chip above 25 °C. A loopback does not shift.

mod heater;
mod temperature;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::device::{Device, TunedDevice};
use heater::Heater;
pub(super) use heater::{Drive, Point};
pub(super) use temperature::ROOM_C;
use temperature::Temperature;

/// Shift of the spectrum for the power of the heater.
const PM_PER_MW: f64 = 100.0;
/// Shift of the spectrum for the temperature; typical for silicon.
const PM_PER_K: f64 = 75.0;

/// The chip with everything that acts on its light.
#[derive(Debug)]
pub(super) struct Chip {
    /// The devices at the positions of the switch.
    devices: Vec<Device>,
    /// Position of the switch, from 1; `None` if it is open.
    pub(super) position: Option<u8>,
    heater: Heater,
    pub(super) temperature: Temperature,
    /// Loss of the light because the fibres are not aligned, dB.
    coupling_loss_db: f64,
}

impl Chip {
    /// The operating point of the heater at this moment.
    pub(super) fn drive(&mut self, drive: Drive) -> Point {
        self.heater.point(drive, self.temperature.celsius() - ROOM_C)
    }

    /// The device in the path, as it is at this moment.
    fn device(&self) -> TunedDevice {
        let position = self.position.map(|position| usize::from(position) - 1);
        let device = position.and_then(|index| self.devices.get(index)).cloned().unwrap_or(Device::Open);
        let shift_nm = match device {
            Device::Loopback | Device::Open => 0.0,
            Device::Ring
            | Device::RingTm
            | Device::MachZehnder
            | Device::Bragg
            | Device::Filter
            | Device::Spectrum(_) => self.shift_pm() * 1e-3,
        };
        TunedDevice { device, shift_nm, coupling: 10f64.powf(-self.coupling_loss_db / 10.0) }
    }

    /// The loss because the fibres are not aligned, dB. A simulated stage sets it.
    pub(super) fn set_coupling_loss(&mut self, loss_db: f64) {
        self.coupling_loss_db = loss_db;
    }

    pub(super) fn coupling_loss_db(&self) -> f64 {
        self.coupling_loss_db
    }

    fn shift_pm(&self) -> f64 {
        let kelvin = self.temperature.celsius() - ROOM_C;
        PM_PER_MW * self.heater.milliwatts(kelvin) + PM_PER_K * kelvin
    }
}

/// The chip, as all simulated instruments share it.
#[derive(Debug, Clone)]
pub(super) struct SharedChip(Arc<Mutex<Chip>>);

impl SharedChip {
    /// A chip at room temperature, with its heater off and the first device in the path. `settling` is the time
    /// constant of its temperature.
    pub(super) fn new(devices: Vec<Device>, settling: Duration) -> Self {
        Self(Arc::new(Mutex::new(Chip {
            devices,
            position: Some(1),
            heater: Heater::default(),
            temperature: Temperature::new(settling),
            coupling_loss_db: 0.0,
        })))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Chip> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The device in the path, as it is at this moment.
    pub(super) fn device(&self) -> TunedDevice {
        self.lock().device()
    }
}

#[cfg(test)]
impl Default for SharedChip {
    fn default() -> Self {
        Self::new(vec![Device::Ring], Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spectrum_moves_by_the_stated_amount_for_each_milliwatt_and_each_kelvin() {
        let chip = SharedChip::default();
        assert_eq!(chip.device(), Device::Ring.into());
        let point = chip.lock().drive(Drive::Current { amperes: 0.01, limit_v: 21.0 });
        let milliwatts = point.volts * point.amperes * 1e3;
        assert!((chip.device().shift_nm - 0.1 * milliwatts).abs() < 1e-9, "{point:?}");
        chip.lock().drive(Drive::Off);
        chip.lock().temperature.go_to(35.0);
        assert!((chip.device().shift_nm - 0.75).abs() < 1e-9);
    }

    #[test]
    fn the_switch_selects_the_device_and_an_open_switch_is_dark() {
        let chip = SharedChip::new(vec![Device::Ring, Device::Loopback], Duration::ZERO);
        chip.lock().temperature.go_to(30.0);
        chip.lock().position = Some(2);
        assert_eq!(chip.device(), Device::Loopback.into(), "a loopback does not shift");
        for dark in [None, Some(3)] {
            chip.lock().position = dark;
            assert_eq!(chip.device().transmission(1, 1550.0), 0.0);
        }
    }
}
