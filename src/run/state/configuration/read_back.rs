//! The values that an operation has read back, as settings.

use serde_json::{Map, Value};

use crate::instrument::scpi::Action;
use crate::operation::Operation;
use crate::step::Outcome;

/// The settings that an operation has read back.
pub(in crate::run) fn values(operation: &Operation, outcome: &Outcome) -> Vec<Action> {
    let Outcome::Settings(found) = outcome else { return Vec::new() };
    let found = Found(found);
    let values = match operation {
        Operation::ConfigureTls(fields) => {
            let tls = fields.tls.get();
            vec![
                found.count("laser").map(|laser| Action::SetTlsLaser { tls, laser }),
                found.number("start_nm").map(|nm| Action::SetTlsStart { tls, nm }),
                found.number("stop_nm").map(|nm| Action::SetTlsStop { tls, nm }),
                found.number("speed_nm_s").map(|nm_s| Action::SetTlsSpeed { tls, nm_s }),
                found.number("power_dbm").map(|dbm| Action::SetTlsPower { tls, dbm }),
                found.count("trigger_in").map(|trigger| Action::SetTlsTrigger { tls, trigger }),
            ]
        }
        Operation::ConfigureScan(_) | Operation::Sweep(_) => {
            let stabilization = found.number("stabilization_s").zip(found.switch("keep_lasers_on"));
            vec![
                found.number("start_nm").map(|nm| Action::SetScanStart { nm }),
                found.number("stop_nm").map(|nm| Action::SetScanStop { nm }),
                found.number("resolution_pm").map(|pm| Action::SetResolution { pm }),
                stabilization.map(|(seconds, output)| Action::SetStabilization { output, seconds }),
            ]
        }
        Operation::ConfigureLaser(fields) => {
            let laser = fields.laser.get();
            vec![
                found.number("power_dbm").map(|dbm| Action::SetLaserPower { laser, dbm }),
                found.number("wavelength_nm").map(|nm| Action::SetLaserWavelength { laser, nm }),
                found.switch("fbc").filter(|fbc| *fbc).map(|_| Action::SetFeedbackLaser { laser }),
            ]
        }
        Operation::ConfigureDetector(fields) => {
            let detector = fields.detector;
            vec![
                found.value("power_unit").map(|unit| Action::SetPowerUnit { detector, unit }),
                found.value("spectral_unit").map(|unit| Action::SetSpectralUnit { detector, unit }),
                found.number("wavelength_nm").map(|nm| Action::SetDetectorWavelength { detector, nm }),
                found.count("trigger_in").map(|trigger| Action::SetDetectorTrigger { detector, trigger }),
                found.count("analog_output").map(|output| Action::SetAnalogOutput { output, detector }),
            ]
        }
        Operation::CreateReference(_)
        | Operation::FetchTrace(_)
        | Operation::Analyze(_)
        | Operation::ReadPower(_)
        | Operation::Align(_)
        | Operation::Wait(_)
        | Operation::Log(_)
        | Operation::Prompt(_)
        | Operation::Http(_)
        | Operation::Scpi(_) => Vec::new(),
    };
    values.into_iter().flatten().collect()
}

struct Found<'a>(&'a Map<String, Value>);

impl Found<'_> {
    fn value<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_value(self.0.get(name)?.clone()).ok()
    }

    fn number(&self, name: &str) -> Option<f64> {
        self.value(name)
    }

    /// A whole number, which may have been stored as `1.0`.
    fn count(&self, name: &str) -> Option<u8> {
        let number = self.number(name)?;
        (0..=u8::MAX).find(|count| f64::from(*count) == number)
    }

    fn switch(&self, name: &str) -> Option<bool> {
        self.value(name)
    }
}
