//! How the detectors are set that power is read from.

use crate::forecast::rules::light::miscalibrated;
use crate::instrument::Error;
use crate::instrument::scpi::Query;
use crate::measurement::{Detector, PowerUnit};
use crate::run::engine::Engine;
use crate::run::events::RunEvent;
use crate::step::Fault;

/// How a detector is set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::run) struct DetectorState {
    /// The unit of its power.
    pub(in crate::run) unit: PowerUnit,
    /// The wavelength that it is calibrated for, nm; `None` where it does not tell.
    pub(in crate::run) calibration_nm: Option<f64>,
}

impl Engine {
    /// Asks how a detector is set, and warns when that is not for the light that the run has switched on.
    pub(in crate::run) async fn look_at_detector(
        &mut self,
        detector: Detector,
    ) -> Result<DetectorState, Fault> {
        let unit = self.ask(Query::power_unit(detector)).await?;
        let calibration_nm = match self.instrument.ask(&Query::detector_wavelength_nm(detector)).await {
            Ok(nm) => Some(nm),
            // A detector of photocurrent has none.
            Err(Error::Refused { .. } | Error::NoReply { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let state = DetectorState { unit, calibration_nm };
        self.detectors.insert(detector, state);
        self.warn_of_calibration(detector, calibration_nm)?;
        Ok(state)
    }

    fn warn_of_calibration(&self, detector: Detector, calibration_nm: Option<f64>) -> Result<(), Fault> {
        let Some(calibration_nm) = calibration_nm else { return Ok(()) };
        let lit: Option<Vec<(u8, f64)>> = self
            .bench
            .lasers_on
            .iter()
            .map(|laser| Some((*laser, *self.bench.static_nm.get(laser)?)))
            .collect();
        let off = |light: &(u8, f64)| (light.1 - calibration_nm).abs();
        let nearest = lit.into_iter().flatten().min_by(|a, b| off(a).total_cmp(&off(b)));
        match nearest.and_then(|light| miscalibrated(detector, calibration_nm, light)) {
            Some(message) => self.events.say(RunEvent::Warning { message }),
            None => Ok(()),
        }
    }
}
