//! Whether a command may be sent on a bench with limits. It is judged by what the instrument will do: what sets a power
//! or a wavelength by its value, and what may emit light by the state that the instrument has.
//!
//! [`Ctp10::act`], [`Ctp10::scan`] and [`Ctp10::ask`] are the only ways out, and each comes past here.

mod line;

use std::collections::BTreeSet;

use super::limits::{Demand, LimitExceeded, Limits};
use super::scpi::{Action, Query};
use super::setting::LASER_POWER_TOLERANCE_DB;
use super::{Ctp10, Error, ScanSettings, TLS};

/// After a scan a laser tells the wavelength that it has; it may be this far off the last one that it swept, nm.
const LASER_WAVELENGTH_TOLERANCE_NM: f64 = 0.01;

/// What a command would do that a limit may forbid.
#[derive(Debug, Clone, PartialEq)]
enum Need {
    /// Sets a power, dBm, or NaN where it is not known beforehand.
    Power { whose: Whose, dbm: f64, written: String },
    /// Sets a wavelength, nm, or NaN.
    Wavelength { whose: Whose, nm: f64, written: String },
    /// Puts a laser into the scan.
    Serves(u8),
    /// Switches a laser on.
    Light(u8),
    /// Starts a scan.
    Scan,
    /// Changes the settings of lasers that are on to nobody knows what.
    Dark,
}

/// Whose power or wavelength.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whose {
    Laser(u8),
    /// Of the laser that serves as this TLS.
    Tls(u8),
    Any,
}

impl Ctp10 {
    /// Whether the bench's limits allow a command.
    pub(super) async fn permit(&self, action: &Action) -> Result<(), Error> {
        if self.limits.is_empty() {
            return Ok(());
        }
        for need in needs(action)? {
            self.permit_need(&need).await?;
        }
        Ok(())
    }

    /// Whether the bench's limits allow a question of somebody else's wording.
    pub(super) fn permit_question(&self, text: &str) -> Result<(), Error> {
        if self.limits.is_empty() { Ok(()) } else { Ok(line::needs(text).map(drop)?) }
    }

    async fn permit_need(&self, need: &Need) -> Result<(), Error> {
        match need {
            Need::Power { whose, dbm, written } => {
                let laser = self.laser_of(*whose).await?;
                Ok(said(self.limits.check(Demand::Power { laser, dbm: *dbm }), *dbm, written)?)
            }
            Need::Wavelength { whose, nm, written } => {
                let laser = self.laser_of(*whose).await?;
                Ok(said(self.limits.check(Demand::Wavelength { laser, nm: *nm }), *nm, written)?)
            }
            Need::Serves(laser) => Ok(self.limits.check(Demand::Light { laser: Some(*laser) })?),
            Need::Light(laser) => self.permit_light(*laser, "switching it on: ").await,
            Need::Scan => self.permit_scan().await,
            Need::Dark => self.permit_reset().await,
        }
    }

    async fn laser_of(&self, whose: Whose) -> Result<Option<u8>, Error> {
        match whose {
            Whose::Laser(laser) => Ok(Some(laser)),
            Whose::Tls(tls) if TLS.contains(&tls) => {
                Ok(Some(self.ask(&Query::tls_laser(tls)).await?).filter(|laser| *laser > 0))
            }
            Whose::Tls(_) | Whose::Any => Ok(None),
        }
    }

    /// A laser that is switched on emits the static power and wavelength that it has.
    async fn permit_light(&self, laser: u8, doing: &str) -> Result<(), Error> {
        let which = Some(laser);
        let check = |demand| self.limits.check(demand).map_err(|limit| limit.doing(doing));
        check(Demand::Light { laser: which })?;
        // What no limit concerns need not be asked.
        if check(Demand::Power { laser: which, dbm: f64::NAN }).is_err() {
            let dbm = self.ask(&Query::laser_power_dbm(laser)).await?;
            let least =
                self.limits.check(Demand::Power { laser: which, dbm: dbm - LASER_POWER_TOLERANCE_DB });
            if least.is_err() {
                check(Demand::Power { laser: which, dbm })?;
            }
        }
        if check(Demand::Wavelength { laser: which, nm: f64::NAN }).is_err() {
            let nm = self.ask(&Query::laser_wavelength_nm(laser)).await?;
            let off = LASER_WAVELENGTH_TOLERANCE_NM;
            let near = |nm| self.limits.check(Demand::Wavelength { laser: which, nm }).is_ok();
            if !near(nm - off) && !near(nm + off) {
                check(Demand::Wavelength { laser: which, nm })?;
            }
        }
        Ok(())
    }

    /// A scan lights every laser of a source that reaches into it; and those that stay on after it emit their static
    /// power then.
    pub(super) async fn permit_scan(&self) -> Result<(), Error> {
        if self.limits.is_empty() {
            return Ok(());
        }
        if self.probe(&Query::scan_mode()).await? == Some(true) {
            let part = Action::SetScanMode { continuous: true }.to_string();
            let reason = "the instrument is set to scan for ever, and each scan would take other settings: set `INIT:SMOD SING`";
            return Err(LimitExceeded::NotJudged { part, reason: reason.to_owned() }.into());
        }
        let settings = self.scan_settings().await?;
        for demand in demands(&settings) {
            self.limits.check(demand).map_err(|limit| limit.doing("a scan: "))?;
        }
        if settings.stabilization.output {
            for laser in settings.lasers() {
                self.permit_light(laser, "it stays on after the scan: ").await?;
            }
        }
        Ok(())
    }

    /// Defaults are not known beforehand. In the dark they do no harm: what emits light later is judged by what there is
    /// then.
    async fn permit_reset(&self) -> Result<(), Error> {
        let mut lasers: BTreeSet<u8> = self.limits.laser.keys().copied().collect();
        for tls in TLS {
            lasers.extend(Some(self.ask(&Query::tls_laser(tls)).await?).filter(|laser| *laser > 0));
        }
        for laser in lasers {
            if self.probe(&Query::laser_output(laser)).await? == Some(true) {
                let reason =
                    format!("laser {laser} is on, and what it would emit is not known: switch it off first");
                return Err(LimitExceeded::NotJudged { part: "*RST".to_owned(), reason }.into());
            }
        }
        Ok(())
    }
}

/// What a scan with these settings would emit.
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

/// Whether limits allow a line of somebody else's wording, as far as its text tells: what it sets by its value, and the
/// lasers that it lights. `laser_of` says which laser serves as a TLS, where that is known.
///
/// # Errors
/// What is beyond a limit, and the part that cannot be judged.
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
        // These are judged by the state that the instrument has then.
        Need::Scan | Need::Dark => Ok(()),
    })
}

/// A value that is known only once it is set is named as it was written.
fn said(checked: Result<(), LimitExceeded>, value: f64, written: &str) -> Result<(), LimitExceeded> {
    checked.map_err(|error| match error {
        LimitExceeded::Beyond { limit, .. } if value.is_nan() => LimitExceeded::NotJudged {
            part: written.to_owned(),
            reason: format!("its value is not known beforehand (allowed: {limit})"),
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
