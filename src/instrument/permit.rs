//! Checks commands against the limits of the bench before they are sent. A power or wavelength is checked by its
//! value. A command that may emit light is checked by the present state of the instrument.
//!
//! [`Ctp10::act`], [`Ctp10::scan`] and [`Ctp10::ask`] are the only ways to the instrument, and all of them are
//! checked here.

mod line;

use std::collections::BTreeSet;

use super::limits::{Demand, LimitExceeded, Limits};
use super::scpi::{Action, Query};
use super::setting::LASER_POWER_TOLERANCE_DB;
use super::{Ctp10, Error, ScanSettings, TLS};

/// After a scan, a laser reports its actual wavelength. It may differ from the end of the sweep by this much, nm.
const LASER_WAVELENGTH_TOLERANCE_NM: f64 = 0.01;

/// An effect of a command that a limit may forbid.
#[derive(Debug, Clone, PartialEq)]
enum Need {
    /// Sets a power, dBm; NaN if the power is not known beforehand.
    Power { whose: Whose, dbm: f64, written: String },
    /// Sets a wavelength, nm; NaN if it is not known beforehand.
    Wavelength { whose: Whose, nm: f64, written: String },
    /// Assigns a laser to the scan.
    Serves(u8),
    /// Switches a laser on.
    Light(u8),
    /// Starts a scan.
    Scan,
    /// Changes lasers to unknown settings, so all of them must be off.
    Dark,
}

/// The laser to which a power or wavelength applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Laser(u8),
    /// The laser that is assigned to this TLS.
    Tls(u8),
    Any,
}

impl Ctp10 {
    /// Checks whether the limits of the bench allow a command.
    pub(super) async fn permit(&self, action: &Action) -> Result<(), Error> {
        self.permit_all(std::slice::from_ref(action)).await
    }

    /// Checks whether the limits of the bench allow commands that are sent one after another. Then none of them is sent
    /// if a later one is forbidden.
    ///
    /// # Errors
    /// If one of them is forbidden, or the instrument does not tell its state.
    pub async fn permit_all(&self, actions: &[Action]) -> Result<(), Error> {
        if self.limits.is_empty() {
            return Ok(());
        }
        for (index, action) in actions.iter().enumerate() {
            for need in needs(action)? {
                self.permit_need(&need, &actions[..index]).await?;
            }
        }
        Ok(())
    }

    /// Checks whether the limits of the bench allow a raw query.
    pub(super) fn permit_question(&self, text: &str) -> Result<(), Error> {
        if self.limits.is_empty() { Ok(()) } else { Ok(line::needs(text).map(drop)?) }
    }

    /// Values that `earlier` commands set replace those of the instrument.
    async fn permit_need(&self, need: &Need, earlier: &[Action]) -> Result<(), Error> {
        match need {
            Need::Power { whose, dbm, written } => {
                let laser = self.laser_of(*whose, earlier).await?;
                Ok(said(self.limits.check(Demand::Power { laser, dbm: *dbm }), *dbm, written)?)
            }
            Need::Wavelength { whose, nm, written } => {
                let laser = self.laser_of(*whose, earlier).await?;
                Ok(said(self.limits.check(Demand::Wavelength { laser, nm: *nm }), *nm, written)?)
            }
            Need::Serves(laser) => Ok(self.limits.check(Demand::Light { laser: Some(*laser) })?),
            Need::Light(laser) => self.permit_light(*laser, "switching it on: ", earlier).await,
            Need::Scan => self.permit_scan().await,
            Need::Dark => self.permit_reset().await,
        }
    }

    async fn laser_of(&self, whose: Whose, earlier: &[Action]) -> Result<Option<u8>, Error> {
        let assigned = |tls: u8| {
            earlier.iter().rev().find_map(|action| match action {
                Action::SetTlsLaser { tls: of, laser } if *of == tls => Some(*laser),
                _ => None,
            })
        };
        match whose {
            Whose::Laser(laser) => Ok(Some(laser)),
            Whose::Tls(tls) if TLS.contains(&tls) => {
                let laser = match assigned(tls) {
                    Some(laser) => laser,
                    None => self.ask(&Query::tls_laser(tls)).await?,
                };
                Ok(Some(laser).filter(|laser| *laser > 0))
            }
            Whose::Tls(_) | Whose::Any => Ok(None),
        }
    }

    /// A laser that is switched on emits at its present static power and wavelength. Those that `earlier` commands set
    /// are checked already.
    async fn permit_light(&self, laser: u8, doing: &str, earlier: &[Action]) -> Result<(), Error> {
        let which = Some(laser);
        let sets_power =
            |action: &Action| matches!(action, Action::SetLaserPower { laser: of, .. } if *of == laser);
        let sets_wavelength =
            |action: &Action| matches!(action, Action::SetLaserWavelength { laser: of, .. } if *of == laser);
        let check = |demand| self.limits.check(demand).map_err(|limit| limit.doing(doing));
        check(Demand::Light { laser: which })?;
        // Values without a limit are not read.
        if !earlier.iter().any(sets_power) && check(Demand::Power { laser: which, dbm: f64::NAN }).is_err() {
            let dbm = self.ask(&Query::laser_power_dbm(laser)).await?;
            let least =
                self.limits.check(Demand::Power { laser: which, dbm: dbm - LASER_POWER_TOLERANCE_DB });
            if least.is_err() {
                check(Demand::Power { laser: which, dbm })?;
            }
        }
        if !earlier.iter().any(sets_wavelength)
            && check(Demand::Wavelength { laser: which, nm: f64::NAN }).is_err()
        {
            let nm = self.ask(&Query::laser_wavelength_nm(laser)).await?;
            let off = LASER_WAVELENGTH_TOLERANCE_NM;
            let near = |nm| self.limits.check(Demand::Wavelength { laser: which, nm }).is_ok();
            if !near(nm - off) && !near(nm + off) {
                check(Demand::Wavelength { laser: which, nm })?;
            }
        }
        Ok(())
    }

    /// A scan switches on the laser of every TLS within its range. Lasers that stay on after the scan then emit their
    /// static power.
    pub(super) async fn permit_scan(&self) -> Result<(), Error> {
        if self.limits.is_empty() {
            return Ok(());
        }
        if self.probe(&Query::scan_mode()).await? == Some(true) {
            let part = Action::SetScanMode { continuous: true }.to_string();
            let reason = "the instrument is set to endless scans, and each scan would use new settings: set `INIT:SMOD SING`";
            return Err(LimitExceeded::NotJudged { part, reason: reason.to_owned() }.into());
        }
        let settings = self.scan_settings().await?;
        for demand in demands(&settings) {
            self.limits.check(demand).map_err(|limit| limit.doing("a scan: "))?;
        }
        if settings.stabilization.output {
            for laser in settings.lasers() {
                self.permit_light(laser, "it stays on after the scan: ", &[]).await?;
            }
        }
        Ok(())
    }

    /// The defaults are not known beforehand. They do no harm while all lasers are off: commands that switch light on
    /// are checked with the state of that moment.
    async fn permit_reset(&self) -> Result<(), Error> {
        let mut lasers: BTreeSet<u8> = self.limits.laser.keys().copied().collect();
        for tls in TLS {
            lasers.extend(Some(self.ask(&Query::tls_laser(tls)).await?).filter(|laser| *laser > 0));
        }
        for laser in lasers {
            if self.probe(&Query::laser_output(laser)).await? == Some(true) {
                let reason = format!(
                    "laser {laser} is on, and its power or wavelength would be unknown: turn the laser off first"
                );
                return Err(LimitExceeded::NotJudged { part: "*RST".to_owned(), reason }.into());
            }
        }
        Ok(())
    }
}

/// The light that a scan with these settings would emit.
pub(super) fn demands(settings: &ScanSettings) -> Vec<Demand> {
    let of = |tls: &super::TlsSettings| {
        let laser = Some(tls.laser);
        let nm = [tls.start_nm.max(settings.start_nm), tls.stop_nm.min(settings.stop_nm)];
        let range = nm.map(|nm| Demand::Wavelength { laser, nm });
        [Demand::Light { laser }, Demand::Power { laser, dbm: tls.power_dbm }].into_iter().chain(range)
    };
    settings.spans().flat_map(|(tls, _)| of(tls)).collect()
}

fn needs(action: &Action) -> Result<Vec<Need>, LimitExceeded> {
    let written = action.to_string();
    Ok(match *action {
        Action::SetLaserPower { laser, dbm } => {
            vec![Need::Power { whose: Whose::Laser(laser), dbm, written }]
        }
        Action::SetLaserWavelength { laser, nm } => {
            vec![Need::Wavelength { whose: Whose::Laser(laser), nm, written }]
        }
        Action::SetLaserOutput { laser, on: true } => vec![Need::Light(laser)],
        Action::SetFeedbackLaser { laser: laser @ 1.. } => vec![Need::Light(laser)],
        Action::SetTlsLaser { laser: laser @ 1.., .. } => vec![Need::Serves(laser)],
        Action::SetTlsPower { tls, dbm } => vec![Need::Power { whose: Whose::Tls(tls), dbm, written }],
        Action::SetTlsStart { tls, nm } | Action::SetTlsStop { tls, nm } => {
            vec![Need::Wavelength { whose: Whose::Tls(tls), nm, written }]
        }
        Action::SetScanMode { continuous: true } => {
            return Err(LimitExceeded::NotJudged { part: written, reason: line::ENDLESS.to_owned() });
        }
        Action::StartScan | Action::StartReference { .. } => vec![Need::Scan],
        Action::Raw(ref text) => line::needs(text)?,
        Action::SetLaserOutput { on: false, .. }
        | Action::SetTlsLaser { laser: 0, .. }
        | Action::SetFeedbackLaser { laser: 0 }
        | Action::SetAnalogOutput { .. }
        | Action::SetScanMode { continuous: false }
        | Action::SetTlsSpeed { .. }
        | Action::SetTlsTrigger { .. }
        | Action::SetScanStart { .. }
        | Action::SetScanStop { .. }
        | Action::SetResolution { .. }
        | Action::SetStabilization { .. }
        | Action::SetDetectorWavelength { .. }
        | Action::SetPowerUnit { .. }
        | Action::SetSpectralUnit { .. }
        | Action::SetDetectorTrigger { .. }
        | Action::Abort
        | Action::ClearErrors => Vec::new(),
    })
}

/// Checks a raw line against the limits, as far as its text allows: the values that it sets, and the lasers that it
/// switches on. `laser_of` returns the laser of a TLS, if known.
///
/// # Errors
/// The limit that is exceeded, or the part that cannot be checked.
pub fn judge_line(
    text: &str,
    limits: &Limits,
    laser_of: impl Fn(u8) -> Option<u8>,
) -> Result<(), LimitExceeded> {
    let laser = |whose: Whose| match whose {
        Whose::Laser(laser) => Some(laser),
        Whose::Tls(tls) => laser_of(tls),
        Whose::Any => None,
    };
    line::needs(text)?.into_iter().try_for_each(|need| match need {
        Need::Power { whose, dbm, written } => {
            said(limits.check(Demand::Power { laser: laser(whose), dbm }), dbm, &written)
        }
        Need::Wavelength { whose, nm, written } => {
            said(limits.check(Demand::Wavelength { laser: laser(whose), nm }), nm, &written)
        }
        Need::Serves(laser) | Need::Light(laser) => limits.check(Demand::Light { laser: Some(laser) }),
        // Checked later, with the state of the instrument.
        Need::Scan | Need::Dark => Ok(()),
    })
}

/// A value that is not known beforehand is shown as it was written.
fn said(checked: Result<(), LimitExceeded>, value: f64, written: &str) -> Result<(), LimitExceeded> {
    checked.map_err(|error| match error {
        LimitExceeded::Beyond { limit, .. } if value.is_nan() => LimitExceeded::NotJudged {
            part: written.to_owned(),
            reason: format!("its value is unknown in advance (allowed: {limit})"),
        },
        other => other,
    })
}

impl LimitExceeded {
    fn doing(self, doing: &str) -> Self {
        match self {
            Self::Beyond { what, limit } => Self::Beyond { what: format!("{doing}{what}"), limit },
            other @ Self::NotJudged { .. } => other,
        }
    }
}
