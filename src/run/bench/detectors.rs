//! The settings of the detectors that power is read from.

use super::Bench;
use crate::forecast::bench::BenchState;
use crate::forecast::rules::light::miscalibrated;
use crate::instrument::Error;
use crate::instrument::scpi::{Action, Query};
use crate::instrument::setting::Setting;
use crate::measurement::{Detector, PowerReading, PowerUnit};
use crate::run::events::RunEvent;
use crate::step::Fault;

/// The settings of a detector.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::run) struct DetectorState {
    /// The unit of its power.
    pub(in crate::run) unit: PowerUnit,
    /// The wavelength of its calibration, nm; `None` if the instrument does not report it.
    pub(in crate::run) calibration_nm: Option<f64>,
}

impl Bench {
    /// Reads power once, in the detector's own unit. `expected` are the settings that the recipe has made.
    pub(in crate::run) async fn power(
        &mut self,
        detector: Detector,
        expected: &BenchState,
    ) -> Result<PowerReading, Fault> {
        let DetectorState { unit, calibration_nm } = match self.detectors.get(&detector) {
            Some(known) => *known,
            None => self.look_at_detector(detector, expected).await?,
        };
        let value = self.ask(Query::power(detector)).await?;
        Ok(PowerReading {
            detector,
            value: value.is_finite().then_some(value),
            unit,
            calibration_nm,
            time_s: crate::measurement::unix_time_s(),
        })
    }

    /// The unit of a detector. The instrument reports photocurrent with the same numbers as power, so the unit that the
    /// recipe gives or has given decides.
    pub(super) async fn power_unit(
        &self,
        detector: Detector,
        given: Option<PowerUnit>,
    ) -> Result<PowerUnit, Fault> {
        let unit = self.ask(Query::power_unit(detector)).await?;
        let is_photocurrent = match given {
            Some(given) => given.is_photocurrent(),
            None => self.measures_photocurrent(detector),
        };
        Ok(if is_photocurrent { unit.of_photocurrent() } else { unit })
    }

    /// Whether the recipe has given the detector a unit of photocurrent.
    pub(in crate::run) fn measures_photocurrent(&self, detector: Detector) -> bool {
        let intended = self.intended();
        match intended.settings.value(Setting::PowerUnit(detector)) {
            Some(Action::SetPowerUnit { unit, .. }) => unit.is_photocurrent(),
            Some(_) | None => false,
        }
    }

    /// Reads the settings of a detector. Warns if its calibration does not fit the light that the run has turned on.
    async fn look_at_detector(
        &mut self,
        detector: Detector,
        expected: &BenchState,
    ) -> Result<DetectorState, Fault> {
        let unit = self.power_unit(detector, None).await?;
        let calibration_nm = match self.instrument.ask(&Query::detector_wavelength_nm(detector)).await {
            Ok(nm) => Some(nm),
            // A detector of photocurrent has no calibration wavelength.
            Err(Error::Refused { .. } | Error::NoReply { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let state = DetectorState { unit, calibration_nm };
        self.detectors.insert(detector, state);
        self.warn_of_calibration(detector, calibration_nm, expected)?;
        Ok(state)
    }

    fn warn_of_calibration(
        &self,
        detector: Detector,
        calibration_nm: Option<f64>,
        expected: &BenchState,
    ) -> Result<(), Fault> {
        let Some(calibration_nm) = calibration_nm else { return Ok(()) };
        let lit: Option<Vec<(u8, f64)>> =
            expected.lasers_on.iter().map(|laser| Some((*laser, *expected.static_nm.get(laser)?))).collect();
        let off = |light: &(u8, f64)| (light.1 - calibration_nm).abs();
        let nearest = lit.into_iter().flatten().min_by(|a, b| off(a).total_cmp(&off(b)));
        match nearest.and_then(|light| miscalibrated(detector, calibration_nm, light)) {
            Some(message) => self.log.emit(RunEvent::Warning { message }),
            None => Ok(()),
        }
    }
}
