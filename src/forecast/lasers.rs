//! Speeds, powers and bands of laser models. Bands differ between units; if the name does not contain the band, only
//! the instrument can refuse a wavelength.

use crate::instrument::scpi::Identity;
use crate::source::Diagnostic;

/// What is known of the lasers of a maker whose model names begin so.
struct Model {
    maker: &'static str,
    prefix: &'static str,
    speeds: Speeds,
    dbm: Option<(f64, f64)>,
    has_trigger_in: bool,
}

/// The speeds of a laser, nm/s.
enum Speeds {
    Only(&'static [f64]),
    Between(f64, f64),
}

const FAST: Speeds = Speeds::Only(&[10.0, 20.0, 50.0, 100.0, 200.0]);

const MODELS: [Model; 4] = [
    Model {
        maker: "",
        prefix: "T100S",
        speeds: Speeds::Only(&[
            5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 17.0, 18.0, 20.0, 22.0, 25.0, 29.0,
            33.0, 40.0, 50.0, 67.0, 100.0,
        ]),
        dbm: Some((-10.0, 10.0)),
        has_trigger_in: true,
    },
    Model { maker: "", prefix: "T200S", speeds: FAST, dbm: Some((-10.0, 10.0)), has_trigger_in: true },
    Model { maker: "", prefix: "T500S", speeds: FAST, dbm: Some((-10.0, 13.0)), has_trigger_in: true },
    // The power of these lasers is not known.
    Model {
        maker: "VIAVI",
        prefix: "",
        speeds: Speeds::Between(5.0, 100.0),
        dbm: None,
        has_trigger_in: false,
    },
];

fn model(identity: &Identity) -> Option<&'static Model> {
    let maker = identity.maker.to_ascii_uppercase();
    let is_known = |model: &&Model| {
        identity.model.starts_with(model.prefix) && (model.maker.is_empty() || maker.contains(model.maker))
    };
    MODELS.iter().find(is_known)
}

/// The band in the name of a model, nm: `T200S-O-M` is for the O band.
pub(super) fn band_nm(identity: &Identity) -> Option<(f64, f64)> {
    identity.model.split('-').any(|part| part == "O").then_some((1260.0, 1360.0))
}

/// A power that the laser cannot emit. A lower power may be possible with an attenuator, a higher power is not.
pub(super) fn power(laser: u8, identity: &Identity, dbm: f64) -> Option<Diagnostic> {
    let name = &identity.model;
    let (least, most) = model(identity)?.dbm?;
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
    let (is_known, allowed) = match &model(identity)?.speeds {
        Speeds::Only(speeds) => {
            let list: Vec<String> = speeds.iter().map(ToString::to_string).collect();
            (speeds.contains(&nm_s), list.join(", "))
        }
        Speeds::Between(low, high) => ((*low..=*high).contains(&nm_s), format!("{low} to {high}")),
    };
    let message = format!("laser {laser} ({}) cannot sweep at {nm_s} nm/s", identity.model);
    (!is_known).then(|| Diagnostic::error(message).hint(format!("its speeds are {allowed} nm/s")))
}

/// A trigger input for a laser that has none.
pub(super) fn trigger(laser: u8, identity: &Identity) -> Option<Diagnostic> {
    let message = format!("laser {laser} ({}, {}) has no trigger input", identity.maker, identity.model);
    let hint = "remove `trigger_in`: sweeps of this laser are started by software";
    (!model(identity)?.has_trigger_in).then(|| Diagnostic::error(message).hint(hint))
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
