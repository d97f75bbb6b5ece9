//! The hardware: lasers and detector modules.

use std::collections::BTreeMap;

use super::optics::Port;
use super::options::SimulatorOptions;
use super::state::{Detector, Laser, Place};

/// The ranges of a laser.
#[derive(Debug, Clone, Copy)]
pub(super) struct LaserModel {
    pub(super) identity: &'static str,
    pub(super) band_nm: (f64, f64),
    pub(super) power_dbm: (f64, f64),
    pub(super) speeds_nm_s: &'static [f64],
}

/// Laser 1, C and L band.
pub(super) const T100S_HP: LaserModel = LaserModel {
    identity: "EXFO,T100S-HP,SIMULATED,6.06",
    band_nm: (1500.0, 1630.0),
    power_dbm: (-10.0, 10.0),
    speeds_nm_s: &[
        5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 17.0, 18.0, 20.0, 22.0, 25.0, 29.0,
        33.0, 40.0, 50.0, 67.0, 100.0,
    ],
};

/// Laser 2, O band.
pub(super) const T200S_O_M: LaserModel = LaserModel {
    identity: "EXFO,T200S-O-M,SIMULATED,2.11",
    band_nm: (1260.0, 1360.0),
    power_dbm: (-10.0, 10.0),
    speeds_nm_s: &[10.0, 20.0, 50.0, 100.0, 200.0],
};

/// The speed that every laser supports, and the default of a TLS, nm/s.
pub(super) const SPEED_NM_S: f64 = 50.0;

/// The module number of the IL RL OPM2. Its connectors share a calibration wavelength, and it has a quick reference.
pub(super) const IL_RL_OPM2: u8 = 4;
/// Connectors of the IL RL OPM2: IN1, IN2, TLS IN, OUT TO DUT.
const IL_RL_OPM2_CHANNELS: u8 = 4;

/// The lasers by number.
pub(super) fn lasers() -> BTreeMap<u8, Laser> {
    let laser = |model, number, nm| Laser { model, kind: number, dbm: 0.0, nm, on: false };
    BTreeMap::from([(1, laser(T100S_HP, 1, 1550.0)), (2, laser(T200S_O_M, 2, 1310.0))])
}

/// The detectors of all modules.
pub(super) fn detectors(options: &SimulatorOptions) -> BTreeMap<Place, Detector> {
    let channels = |module| if module == IL_RL_OPM2 { IL_RL_OPM2_CHANNELS } else { options.channels };
    let places =
        options.modules.iter().flat_map(|module| (1..=channels(*module)).map(|channel| (*module, channel)));
    places
        .map(|place| {
            let detector =
                Detector { port: port(place), milliwatts: false, frequency: false, nm: 1550.0, trigger: 0 };
            (place, detector)
        })
        .collect()
}

fn port(place: Place) -> Port {
    match place {
        (IL_RL_OPM2, 3) => Port::Laser,
        (IL_RL_OPM2, 4) => Port::Reflection,
        (_, channel) => Port::Output(channel),
    }
}
