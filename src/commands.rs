//! Which commands an operation consists of. Pure: the runner sends them, the planner prints them.

use crate::instrument::scpi::{Action, Stabilization};
use crate::operation::{ConfigureDetector, ConfigureLaser, ConfigureScan, ConfigureTls, Operation};

/// The settings that the commands of an operation depend on, in addition to its own fields.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Present {
    /// One command sets both halves of the stabilization; the half that is not given keeps this value.
    pub stabilization: Stabilization,
    /// The scan's first wavelength before the operation, nm: start and stop are set in an order that never crosses.
    pub scan_start_nm: f64,
    /// The scan's last wavelength before the operation, nm.
    pub scan_stop_nm: f64,
}

/// The commands that carry out an operation, in order. Operations that only read or wait have none.
#[must_use]
pub fn commands(operation: &Operation, present: &Present) -> Vec<Action> {
    match operation {
        Operation::ConfigureLaser(fields) => laser(fields),
        Operation::ConfigureTls(fields) => tls(fields),
        Operation::ConfigureScan(fields) => scan(fields, present),
        Operation::ConfigureDetector(fields) => detector(fields),
        Operation::CreateReference(fields) => {
            fields.detectors.iter().map(|detector| Action::StartReference { detector: *detector }).collect()
        }
        Operation::Sweep(fields) => {
            let mut actions = scan(fields, present);
            actions.push(Action::StartScan);
            actions
        }
        Operation::Scpi(scpi) if !scpi.is_query && scpi.to.is_none() => vec![Action::Raw(scpi.text.clone())],
        Operation::Scpi(_)
        | Operation::FetchTrace(_)
        | Operation::Analyze(_)
        | Operation::ReadPower(_)
        | Operation::Align(_)
        | Operation::Wait(_)
        | Operation::Log(_)
        | Operation::Prompt(_)
        | Operation::Http(_) => Vec::new(),
    }
}

/// Turning off comes first and turning on comes last, so that power and wavelength are correct before there is light.
fn laser(fields: &ConfigureLaser) -> Vec<Action> {
    let ConfigureLaser { laser, power_dbm, wavelength_nm, output, fbc } = fields;
    let laser = laser.get();
    let off = output.filter(|on| !on);
    let on = output.filter(|on| *on);
    let actions = [
        off.map(|on| Action::SetLaserOutput { laser, on }),
        wavelength_nm.map(|nm| Action::SetLaserWavelength { laser, nm: nm.get() }),
        power_dbm.map(|dbm| Action::SetLaserPower { laser, dbm: dbm.get() }),
        fbc.then_some(Action::SetFeedbackLaser { laser }),
        on.map(|on| Action::SetLaserOutput { laser, on }),
    ];
    actions.into_iter().flatten().collect()
}

fn tls(fields: &ConfigureTls) -> Vec<Action> {
    let ConfigureTls { tls, laser, start_nm, stop_nm, speed_nm_s, power_dbm, trigger_in } = fields;
    let tls = tls.get();
    let actions = [
        laser.map(|laser| Action::SetTlsLaser { tls, laser: laser.get() }),
        start_nm.map(|nm| Action::SetTlsStart { tls, nm: nm.get() }),
        stop_nm.map(|nm| Action::SetTlsStop { tls, nm: nm.get() }),
        speed_nm_s.map(|speed| Action::SetTlsSpeed { tls, nm_s: speed.get() }),
        power_dbm.map(|dbm| Action::SetTlsPower { tls, dbm: dbm.get() }),
        trigger_in.map(|trigger| Action::SetTlsTrigger { tls, trigger: trigger.get() }),
    ];
    actions.into_iter().flatten().collect()
}

fn scan(fields: &ConfigureScan, present: &Present) -> Vec<Action> {
    let ConfigureScan { start_nm, stop_nm, resolution_pm, stabilization_s, keep_lasers_on } = fields;
    let start = start_nm.map(|nm| Action::SetScanStart { nm: nm.get() });
    let stop = stop_nm.map(|nm| Action::SetScanStop { nm: nm.get() });
    // A start beyond the present stop would push the stop along; moving the stop first leaves nothing to push.
    let upwards = start_nm.is_some_and(|nm| nm.get() >= present.scan_stop_nm);
    let range = if upwards { [stop, start] } else { [start, stop] };
    let stabilization = (stabilization_s.is_some() || keep_lasers_on.is_some()).then(|| {
        let seconds = stabilization_s.map_or(present.stabilization.seconds, |seconds| seconds.get());
        let output = keep_lasers_on.unwrap_or(present.stabilization.output);
        Action::SetStabilization { output, seconds }
    });
    let resolution = resolution_pm.map(|pm| Action::SetResolution { pm: pm.get() });
    range.into_iter().chain([resolution, stabilization]).flatten().collect()
}

fn detector(fields: &ConfigureDetector) -> Vec<Action> {
    let ConfigureDetector { detector, power_unit, spectral_unit, wavelength_nm, trigger_in, analog_output } =
        fields;
    let detector = *detector;
    let actions = [
        power_unit.map(|unit| Action::SetPowerUnit { detector, unit }),
        spectral_unit.map(|unit| Action::SetSpectralUnit { detector, unit }),
        wavelength_nm.map(|nm| Action::SetDetectorWavelength { detector, nm: nm.get() }),
        trigger_in.map(|trigger| Action::SetDetectorTrigger { detector, trigger: trigger.get() }),
        analog_output.map(|output| Action::SetAnalogOutput { output: output.get(), detector }),
    ];
    actions.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sent(name: &str, fields: &serde_json::Value) -> Vec<String> {
        let present = Present {
            stabilization: Stabilization { output: false, seconds: 1.5 },
            scan_start_nm: 1520.0,
            scan_stop_nm: 1580.0,
        };
        let operation = Operation::read(name, fields).unwrap();
        commands(&operation, &present).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_laser_is_set_before_its_light_comes_on() {
        assert_eq!(
            sent(
                "configure_laser",
                &json!({ "laser": 1, "output": true, "power_dbm": 5, "wavelength_nm": 1550.123 })
            ),
            ["CTP:RLAS1:WAV 1550.123NM", "CTP:RLAS1:POW 5DBM", "CTP:RLAS1:POW:STAT ON"]
        );
    }

    #[test]
    fn a_scan_range_moves_without_crossing_itself() {
        let up = sent("configure_scan", &json!({ "start_nm": 1590, "stop_nm": 1600 }));
        assert_eq!(up, ["INIT:WAV:STOP 1600NM", "INIT:WAV:STAR 1590NM"]);
        let down = sent("configure_scan", &json!({ "start_nm": 1500, "stop_nm": 1510 }));
        assert_eq!(down, ["INIT:WAV:STAR 1500NM", "INIT:WAV:STOP 1510NM"]);
    }

    #[test]
    fn the_half_of_the_stabilization_that_is_not_given_stays() {
        assert_eq!(sent("sweep", &json!({ "keep_lasers_on": true })), ["INIT:STAB 1,1.5", "INIT"]);
    }
}
