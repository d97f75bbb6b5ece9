//! Speeds, powers and bands of laser models. Bands differ between units; if the name does not contain the band, only
//! the instrument can refuse a wavelength.

use crate::instrument::scpi::Identity;
use crate::source::Diagnostic;

/// Speeds and powers of EXFO's models.
struct Model {
    prefix: &'static str,
    speeds_nm_s: &'static [f64],
    dbm: (f64, f64),
}

const MODELS: [Model; 3] = [
    Model {
        prefix: "T100S",
        speeds_nm_s: &[
            5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 17.0, 18.0, 20.0, 22.0, 25.0, 29.0,
            33.0, 40.0, 50.0, 67.0, 100.0,
        ],
        dbm: (-10.0, 10.0),
    },
    Model { prefix: "T200S", speeds_nm_s: &[10.0, 20.0, 50.0, 100.0, 200.0], dbm: (-10.0, 10.0) },
    Model { prefix: "T500S", speeds_nm_s: &[10.0, 20.0, 50.0, 100.0, 200.0], dbm: (-10.0, 13.0) },
];

fn model(identity: &Identity) -> Option<&'static Model> {
    MODELS.iter().find(|model| identity.model.starts_with(model.prefix))
}

/// The band in the name of a model, nm: `T200S-O-M` is for the O band.
pub(super) fn band_nm(identity: &Identity) -> Option<(f64, f64)> {
    identity.model.split('-').any(|part| part == "O").then_some((1260.0, 1360.0))
}

/// A power that the laser cannot emit. A lower power may be possible with an attenuator, a higher power is not.
pub(super) fn power(laser: u8, identity: &Identity, dbm: f64) -> Option<Diagnostic> {
    let name = &identity.model;
    let (least, most) = model(identity)?.dbm;
    if dbm > most {
        let message = format!("{dbm} dBm is more than laser {laser} ({name}) can emit (at most {most} dBm)");
        return Some(Diagnostic::error(message));
    }
    (dbm < least).then(|| {
        Diagnostic::warning(format!("{dbm} dBm is below the usual minimum of a {name} ({least} dBm)"))
            .hint(format!("laser {laser} may refuse it"))
    })
}

/// A speed that the laser does not support.
pub(super) fn speed(laser: u8, identity: &Identity, nm_s: f64) -> Option<Diagnostic> {
    let speeds = model(identity)?.speeds_nm_s;
    if speeds.contains(&nm_s) {
        return None;
    }
    let list: Vec<String> = speeds.iter().map(ToString::to_string).collect();
    let message = format!("laser {laser} ({}) cannot sweep at {nm_s} nm/s", identity.model);
    Some(Diagnostic::error(message).hint(format!("its speeds are {} nm/s", list.join(", "))))
}

/// A wavelength outside the band of the laser.
pub(super) fn wavelength(laser: u8, identity: &Identity, nm: f64) -> Option<Diagnostic> {
    let (low, high) = band_nm(identity)?;
    let outside = !(low..=high).contains(&nm);
    let name = &identity.model;
    outside.then(|| {
        Diagnostic::error(format!(
            "{nm} nm is outside the band of laser {laser} ({name}, {low} to {high} nm)"
        ))
    })
}
