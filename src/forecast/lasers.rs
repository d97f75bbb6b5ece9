//! What is known of a laser by its model: how fast it sweeps, how strong it is, where it reaches. Bands differ from
//! unit to unit; where the name does not tell one, it is the instrument's to refuse.

use crate::instrument::scpi::Identity;
use crate::source::Diagnostic;

/// Speeds and powers as EXFO's models have them.
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

/// The band that a model's name tells, nm: `T200S-O-M` is for the O band.
pub(super) fn band_nm(identity: &Identity) -> Option<(f64, f64)> {
    identity.model.split('-').any(|part| part == "O").then_some((1260.0, 1360.0))
}

/// A power that the laser does not have. What is too weak may yet be had by attenuating it; what is too strong not.
pub(super) fn power(laser: u8, identity: &Identity, dbm: f64) -> Option<Diagnostic> {
    let name = &identity.model;
    let (least, most) = model(identity)?.dbm;
    if dbm > most {
        let message = format!("{dbm} dBm is more than laser {laser} ({name}) gives (at most {most} dBm)");
        return Some(Diagnostic::error(message));
    }
    (dbm < least).then(|| {
        Diagnostic::warning(format!("{dbm} dBm is less than a {name} usually can be set to ({least} dBm)"))
            .hint(format!("laser {laser} may refuse it"))
    })
}

/// A speed that the laser does not have.
pub(super) fn speed(laser: u8, identity: &Identity, nm_s: f64) -> Option<Diagnostic> {
    let speeds = model(identity)?.speeds_nm_s;
    if speeds.contains(&nm_s) {
        return None;
    }
    let list: Vec<String> = speeds.iter().map(ToString::to_string).collect();
    let message = format!("laser {laser} ({}) does not sweep at {nm_s} nm/s", identity.model);
    Some(Diagnostic::error(message).hint(format!("it has {} nm/s", list.join(", "))))
}

/// A wavelength that the laser does not reach.
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
