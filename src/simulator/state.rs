//! The state of the instrument: settings, lasers, detectors and recordings. The phases of a scan are in `scan`.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::NaiveDateTime;

use super::chip::SharedChip;
use super::errors::{ErrorQueue, Rejection};
use super::hardware::{LaserModel, SPEED_NM_S, T100S_HP, detectors, lasers};
use super::optics::{Light, NoiseSequence, Port, detect, power_mw};
use super::options::{FeedbackSelection, Identifier, Noise, OpticalPath, PowerInScan, SimulatorOptions};
use super::scan::Phase;
use super::status::Status;
use super::trace::Recorded;

/// The wavelength range of the instrument, nm.
pub(super) const RANGE_NM: (f64, f64) = (1240.0, 1680.0);

/// A laser.
#[derive(Debug, Clone)]
pub(super) struct Laser {
    pub(super) model: LaserModel,
    /// `CTP:RLASer:TYPE`.
    pub(super) kind: u8,
    pub(super) dbm: f64,
    pub(super) nm: f64,
    pub(super) on: bool,
}

/// One TLS of the scan.
#[derive(Debug, Clone)]
pub(super) struct Tls {
    pub(super) laser: u8,
    pub(super) start_nm: f64,
    pub(super) stop_nm: f64,
    pub(super) speed_nm_s: f64,
    pub(super) dbm: f64,
    pub(super) trigger: u8,
}

impl Tls {
    fn new(laser: u8, model: LaserModel) -> Self {
        let (start_nm, stop_nm) = model.band_nm;
        Self { laser, start_nm, stop_nm, speed_nm_s: SPEED_NM_S, dbm: 0.0, trigger: 0 }
    }
}

/// A detector, by module and channel.
pub(super) type Place = (u8, u8);

/// The settings of a detector.
#[derive(Debug, Clone)]
pub(super) struct Detector {
    pub(super) port: Port,
    /// The detector measures the current of a photodiode instead of optical power.
    pub(super) is_photocurrent: bool,
    /// Values are in mW or mA, not in dBm or dBmA.
    pub(super) linear: bool,
    pub(super) frequency: bool,
    pub(super) nm: f64,
    pub(super) trigger: u8,
}

/// A recorded reference.
#[derive(Debug, Clone)]
pub(super) struct Reference {
    pub(super) recorded: Recorded,
    /// Number of sweeps of its scan.
    pub(super) sweeps: u8,
    pub(super) taken: NaiveDateTime,
}

/// Settings that are stored and returned. They have no effect unless an option gives them one, because their meaning is
/// not public, or nothing is simulated for them.
#[derive(Debug, Clone, Default)]
pub(super) struct StoredSettings {
    /// `SYSTem:ANLG:OUT<k>:SOURce`, by output.
    pub(super) analog_outputs: BTreeMap<u32, Place>,
    /// `CTP:SENSe:FBC`.
    pub(super) feedback_laser: u8,
    /// `INITiate:FBC:SENSe`.
    pub(super) feedback_sense: u8,
    /// `CTP:FUNCtion:STATe`.
    pub(super) logging: bool,
}

/// The whole instrument.
#[derive(Debug)]
pub(super) struct SimulatorState {
    pub(super) options: SimulatorOptions,
    /// The devices behind the switch, with their heater.
    pub(super) chip: SharedChip,
    pub(super) errors: ErrorQueue,
    pub(super) status: Status,
    pub(super) lasers: BTreeMap<u8, Laser>,
    pub(super) tls: [Tls; 4],
    pub(super) detectors: BTreeMap<Place, Detector>,
    pub(super) start_nm: f64,
    pub(super) stop_nm: f64,
    pub(super) step_pm: f64,
    pub(super) keep_on: bool,
    pub(super) settle_s: f64,
    pub(super) continuous: bool,
    pub(super) stored: StoredSettings,
    pub(super) live: Option<Recorded>,
    pub(super) references: BTreeMap<Place, Reference>,
    pub(super) quick_reference: Option<Recorded>,
    pub(super) phase: Phase,
    pub(super) scans: u64,
    readings: u64,
    /// The noise of power readings.
    reading_noise: NoiseSequence,
}

impl SimulatorState {
    pub(super) fn new(options: SimulatorOptions, chip: SharedChip) -> Self {
        let mut state = Self::empty(options, chip);
        if state.options.preload {
            state.preload();
        }
        state
    }

    /// A state with an empty trace memory.
    fn empty(options: SimulatorOptions, chip: SharedChip) -> Self {
        let lasers = lasers(&options);
        let tls = |number| match lasers.get(&number) {
            Some(laser) => Tls::new(number, laser.model),
            None => Tls::new(0, T100S_HP),
        };
        Self {
            chip,
            errors: ErrorQueue::default(),
            status: Status::default(),
            tls: [1, 2, 3, 4].map(tls),
            lasers,
            detectors: detectors(&options),
            start_nm: 1520.0,
            stop_nm: 1580.0,
            step_pm: 10.0,
            keep_on: options.stabilization_output,
            settle_s: 0.0,
            continuous: false,
            stored: StoredSettings::default(),
            live: None,
            references: BTreeMap::new(),
            quick_reference: None,
            phase: Phase::Idle,
            scans: 0,
            readings: 0,
            reading_noise: NoiseSequence::new(options.seed ^ 0x5EED),
            options,
        }
    }

    /// Returns to the state at power-on with an empty trace memory. The noise does not repeat.
    pub(super) fn power_on(&mut self) {
        let fresh = Self::empty(self.options.clone(), self.chip.clone());
        *self = Self { scans: self.scans, readings: self.readings, ..fresh };
    }

    /// `*RST`: the state at power-on, but the error queue and the status registers are kept.
    pub(super) fn reset(&mut self) {
        let (errors, mut status) = (std::mem::take(&mut self.errors), std::mem::take(&mut self.status));
        status.reset();
        self.power_on();
        (self.errors, self.status) = (errors, status);
    }

    /// A duration, multiplied by the time scale.
    pub(super) fn scaled(&self, time: Duration) -> Duration {
        time.mul_f64(self.options.time_scale)
    }

    /// A power reading, mW: from the lasers in static control, or from the light of the scan in progress.
    pub(super) fn power_mw(&mut self, place: Place) -> Result<f64, Rejection> {
        if self.options.power_in_scan == PowerInScan::Refused && !self.is_idle() {
            return Err(Rejection::SettingsConflict);
        }
        self.advance_to_now();
        let detector = self.detector(place)?;
        if detector.is_photocurrent {
            return Err(Rejection::UndefinedHeader);
        }
        let port = detector.port;
        let power = match self.moving_light() {
            Some((recorded, light)) => power_mw(&recorded.device, recorded.path, port, light),
            None => {
                let device = self.chip.device();
                let selected = match self.options.fbc {
                    FeedbackSelection::Ignored => 0,
                    FeedbackSelection::Selects => self.stored.feedback_laser,
                };
                let reaches = |number: u8| selected == 0 || number == selected;
                let lit = self.lasers.iter().filter(|(number, laser)| laser.on && reaches(**number));
                let lit = lit.map(|(_, laser)| Light { nm: laser.nm, dbm: laser.dbm });
                lit.map(|light| power_mw(&device, OpticalPath::Device, port, light)).sum()
            }
        };
        let index = match self.options.noise {
            Noise::Fresh => {
                self.readings += 1;
                self.readings
            }
            Noise::BySettings => u64::from(place.1),
        };
        Ok(detect(power, self.reading_noise.at(index)))
    }

    pub(super) fn laser(&mut self, number: u32) -> Result<&mut Laser, Rejection> {
        let number = u8::try_from(number).map_err(|_| Rejection::HardwareMissing)?;
        self.lasers.get_mut(&number).ok_or(Rejection::HardwareMissing)
    }

    pub(super) fn tls(&mut self, number: u32) -> Result<&mut Tls, Rejection> {
        let index = usize::try_from(number).unwrap_or_default().wrapping_sub(1);
        self.tls.get_mut(index).ok_or(Rejection::HardwareMissing)
    }

    /// The trigger input of a TLS. Some lasers have none.
    pub(super) fn tls_trigger(&mut self, number: u32) -> Result<&mut u8, Rejection> {
        if !self.model_of(number)?.has_trigger_in {
            return Err(Rejection::SettingsConflict);
        }
        Ok(&mut self.tls(number)?.trigger)
    }

    /// Assigns a laser to a TLS; 0 means none.
    pub(super) fn set_tls_laser(&mut self, tls: u32, laser: u8) -> Result<(), Rejection> {
        if laser > 0 {
            self.laser(u32::from(laser))?;
        }
        self.tls(tls)?.laser = laser;
        if self.options.identifier == Identifier::Resets {
            let model = self.model_of(tls)?;
            *self.tls(tls)? = Tls::new(laser, model);
        }
        Ok(())
    }

    pub(super) fn detector(&mut self, place: Place) -> Result<&mut Detector, Rejection> {
        self.detectors.get_mut(&place).ok_or(Rejection::HardwareMissing)
    }

    /// The ranges of the laser of a TLS; a default if it has no laser.
    pub(super) fn model_of(&mut self, tls: u32) -> Result<LaserModel, Rejection> {
        let laser = self.tls(tls)?.laser;
        Ok(self.lasers.get(&laser).map_or(T100S_HP, |laser| laser.model))
    }
}
