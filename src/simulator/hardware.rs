//! The hardware: lasers and detector modules.

use std::collections::BTreeMap;

use super::optics::Port;
use super::options::SimulatorOptions;
use super::state::{Detector, Laser, Place};

/// The ranges of a laser.
#[derive(Debug, Clone, Copy)]
pub(super) struct LaserModel {
    pub(super) name: &'static str,
    pub(super) identity: &'static str,
    pub(super) band_nm: (f64, f64),
    pub(super) power_dbm: (f64, f64),
    pub(super) speeds_nm_s: Speeds,
    /// A trigger input of the scan can start a sweep of this laser.
    pub(super) has_trigger_in: bool,
}

/// The speeds of a laser, nm/s.
#[derive(Debug, Clone, Copy)]
pub(super) enum Speeds {
    Only(&'static [f64]),
    Between(f64, f64),
}

impl Speeds {
    pub(super) fn contain(self, nm_s: f64) -> bool {
        match self {
            Self::Only(known) => known.contains(&nm_s),
            Self::Between(low, high) => (low..=high).contains(&nm_s),
        }
    }
}

const T100S_SPEEDS: Speeds = Speeds::Only(&[
    5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 17.0, 18.0, 20.0, 22.0, 25.0, 29.0, 33.0,
    40.0, 50.0, 67.0, 100.0,
]);
const FAST_SPEEDS: Speeds = Speeds::Only(&[10.0, 20.0, 50.0, 100.0, 200.0]);

/// The C and L band. A TLS without a laser has these ranges.
pub(super) const T100S_HP: LaserModel = LaserModel {
    name: "T100S-HP",
    identity: "EXFO,T100S-HP,SIMULATED,6.06",
    band_nm: (1500.0, 1630.0),
    power_dbm: (-10.0, 10.0),
    speeds_nm_s: T100S_SPEEDS,
    has_trigger_in: true,
};

/// All models. The bands are examples: they differ between units.
const MODELS: [LaserModel; 4] = [
    T100S_HP,
    LaserModel {
        name: "T200S-O-M",
        identity: "EXFO,T200S-O-M,SIMULATED,2.11",
        band_nm: (1260.0, 1360.0),
        power_dbm: (-10.0, 10.0),
        speeds_nm_s: FAST_SPEEDS,
        has_trigger_in: true,
    },
    LaserModel {
        name: "T500S",
        identity: "EXFO,T500S,SIMULATED,4.6.3.0",
        band_nm: (1440.0, 1530.0),
        power_dbm: (-10.0, 13.0),
        speeds_nm_s: FAST_SPEEDS,
        has_trigger_in: true,
    },
    LaserModel {
        name: "mSWS",
        identity: "VIAVI,mSWS-A1SLS,SIMULATED,1.2",
        band_nm: (1520.0, 1620.0),
        power_dbm: (-10.0, 10.0),
        speeds_nm_s: Speeds::Between(5.0, 100.0),
        has_trigger_in: false,
    },
];

/// The model with this name.
pub(super) fn model(name: &str) -> Option<LaserModel> {
    MODELS.into_iter().find(|model| model.name == name)
}

/// The names of all models, for messages.
pub(super) fn model_names() -> String {
    MODELS.map(|model| model.name).join(", ")
}

/// The speed that every laser supports, and the default of a TLS, nm/s.
pub(super) const SPEED_NM_S: f64 = 50.0;

/// The module number of the IL RL OPM2. Its connectors share a calibration wavelength, and it has a quick reference.
pub(super) const IL_RL_OPM2: u8 = 4;
/// Connectors of the IL RL OPM2: IN1, IN2, TLS IN, OUT TO DUT.
const IL_RL_OPM2_CHANNELS: u8 = 4;
/// The connector of the IL RL OPM2 that measures the back reflection.
pub(super) const BACK_REFLECTION: u8 = 4;
/// Modules 1 to 10 are in the primary mainframe, the others in the secondary one.
pub(super) const PRIMARY_MODULES: std::ops::RangeInclusive<u8> = 1..=10;
/// Photocurrent of a photodiode at 1 mW, mA: a typical responsivity in A/W.
pub(super) const MILLIAMPERES_PER_MILLIWATT: f64 = 0.9;

/// The lasers by number, each in the middle of its band.
pub(super) fn lasers(options: &SimulatorOptions) -> BTreeMap<u8, Laser> {
    let laser = |number, model: LaserModel| {
        let nm = match model.name {
            "T100S-HP" => 1550.0,
            _ => f64::midpoint(model.band_nm.0, model.band_nm.1),
        };
        Laser { model, kind: number, dbm: 0.0, nm, on: false }
    };
    let models = options.lasers.iter().filter_map(|name| model(name));
    (1..).zip(models).map(|(number, model)| (number, laser(number, model))).collect()
}

/// The detectors of all modules.
pub(super) fn detectors(options: &SimulatorOptions) -> BTreeMap<Place, Detector> {
    let channels = |module| if module == IL_RL_OPM2 { IL_RL_OPM2_CHANNELS } else { options.channels };
    let places =
        options.modules.iter().flat_map(|module| (1..=channels(*module)).map(|channel| (*module, channel)));
    places
        .map(|place| {
            let detector = Detector {
                port: port(place),
                is_photocurrent: options.photocurrent.contains(&place.0),
                linear: false,
                frequency: false,
                nm: 1550.0,
                trigger: 0,
            };
            (place, detector)
        })
        .collect()
}

fn port(place: Place) -> Port {
    match place {
        (IL_RL_OPM2, 3) => Port::Laser,
        (IL_RL_OPM2, BACK_REFLECTION) => Port::Reflection,
        (_, channel) => Port::Output(channel),
    }
}
