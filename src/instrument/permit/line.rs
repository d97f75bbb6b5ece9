//! The effects of a raw line that the limits must check. A line that is not understood completely is not sent.

use super::{Need, Whose};
use crate::grammar::{Data, Line, Unit};
use crate::instrument::headers::{Does, does};
use crate::instrument::limits::LimitExceeded;
use crate::instrument::scpi::Action;
use crate::instrument::setting::Setting;

const WHICH_LASER: &str = "which laser it selects is not understood";
pub(super) const ENDLESS: &str = "each scan of an endless series uses the settings of that moment";

/// The effects of a line.
pub(super) fn needs(text: &str) -> Result<Vec<Need>, LimitExceeded> {
    let line = Line::parse(text).map_err(|error| refused(&error.part, &error.reason))?;
    let mut needs = Vec::new();
    // An earlier unit of the same line that affects light. The state read from the instrument does not include it
    // yet.
    let mut set_before: Option<&str> = None;
    let mut other_lasers = false;
    for unit in &line.units {
        let Some(does) = does(unit) else { return Err(refused(&unit.text, "its header is not known")) };
        let data = known_data(unit)?;
        if let Some(need) = need(unit, does, &data, other_lasers)? {
            if let (Need::Light(_) | Need::Scan | Need::Dark, Some(before)) = (&need, set_before) {
                let reason = format!(
                    "it follows `{before}`, whose result is unknown in advance: send it as a separate line"
                );
                return Err(refused(&unit.text, &reason));
            }
            needs.push(need);
        }
        if counts(does) {
            set_before = Some(&unit.text);
        }
        other_lasers |= matches!(does, Does::Sets(Setting::TlsLaser(_)) | Does::Resets);
    }
    Ok(needs)
}

fn refused(part: &str, reason: &str) -> LimitExceeded {
    LimitExceeded::NotJudged { part: part.to_owned(), reason: reason.to_owned() }
}

/// The arguments, if all of them are understood. An instrument might read a quoted `;` as a separator.
fn known_data(unit: &Unit) -> Result<Vec<Data>, LimitExceeded> {
    let known = |(data, written): (Option<Data>, &String)| match data {
        Some(Data::Other(_)) | None => Err(refused(&unit.text, &format!("`{written}` is not understood"))),
        Some(Data::Text(_)) if written.contains(';') => {
            Err(refused(&unit.text, "a `;` within quotes is not safe with every instrument"))
        }
        Some(data) => Ok(data),
    };
    unit.data().zip(&unit.arguments).map(known).collect()
}

fn need(unit: &Unit, does: Does, data: &[Data], other_lasers: bool) -> Result<Option<Need>, LimitExceeded> {
    let written = unit.text.clone();
    Ok(Some(match does {
        Does::Sets(setting) => return need_of_setting(setting, written, data, other_lasers),
        Does::SetsEveryPower => {
            let dbm = one(data).and_then(Data::dbm).unwrap_or(f64::NAN);
            Need::Power { whose: Whose::Any, dbm, written }
        }
        Does::SelectsLaser => match one(data).and_then(Data::whole) {
            Some(0) => return Ok(None),
            Some(laser) => Need::Light(laser),
            None => return Err(refused(&unit.text, WHICH_LASER)),
        },
        Does::Scans | Does::ScansReference(_) => Need::Scan,
        Does::Resets => Need::Dark,
        Does::Recalls => return Err(refused(&unit.text, "the saved settings are unknown")),
        Does::Renumbers => {
            return Err(refused(&unit.text, "the limits apply to the present numbers of the lasers"));
        }
        Does::Tests => return Err(refused(&unit.text, "a test or a calibration may emit light")),
        Does::SetsOther | Does::Nothing | Does::Asks => return Ok(None),
    }))
}

fn need_of_setting(
    setting: Setting,
    written: String,
    data: &[Data],
    other_lasers: bool,
) -> Result<Option<Need>, LimitExceeded> {
    let of_tls = |tls| if other_lasers { Whose::Any } else { Whose::Tls(tls) };
    let whose = match setting {
        Setting::LaserPower(laser) | Setting::LaserWavelength(laser) => Whose::Laser(laser),
        Setting::TlsPower(tls) | Setting::TlsStart(tls) | Setting::TlsStop(tls) => of_tls(tls),
        Setting::LaserOutput(laser) => {
            let off = setting.with(data) == Some(Action::SetLaserOutput { laser, on: false });
            return Ok((!off).then_some(Need::Light(laser)));
        }
        Setting::TlsLaser(tls) => {
            return match setting.with(data) {
                Some(Action::SetTlsLaser { laser: 0, .. }) => Ok(None),
                Some(Action::SetTlsLaser { laser, .. }) => Ok(Some(Need::Serves(laser))),
                _ => Err(refused(&written, &format!("which laser serves as TLS {tls} is not understood"))),
            };
        }
        Setting::FeedbackLaser => {
            return match setting.with(data) {
                Some(Action::SetFeedbackLaser { laser: 0 }) => Ok(None),
                Some(Action::SetFeedbackLaser { laser }) => Ok(Some(Need::Light(laser))),
                _ => Err(refused(&written, WHICH_LASER)),
            };
        }
        Setting::ScanMode => {
            return match setting.with(data) {
                Some(Action::SetScanMode { continuous: false }) => Ok(None),
                _ => Err(refused(&written, ENDLESS)),
            };
        }
        Setting::ScanStart
        | Setting::ScanStop
        | Setting::Resolution
        | Setting::Stabilization
        | Setting::TlsSpeed(_)
        | Setting::TlsTrigger(_)
        | Setting::PowerUnit(_)
        | Setting::SpectralUnit(_)
        | Setting::DetectorWavelength(_)
        | Setting::DetectorTrigger(_)
        | Setting::AnalogOutput(_) => return Ok(None),
    };
    let value = |read: fn(&Data) -> Option<f64>| one(data).and_then(read).unwrap_or(f64::NAN);
    Ok(Some(match setting {
        Setting::LaserPower(_) | Setting::TlsPower(_) => {
            Need::Power { whose, dbm: value(Data::dbm), written }
        }
        _ => Need::Wavelength { whose, nm: value(Data::nanometres), written },
    }))
}

fn one(data: &[Data]) -> Option<&Data> {
    match data {
        [only] => Some(only),
        _ => None,
    }
}

/// Whether a unit changes the light that a later unit of the same line would emit.
fn counts(does: Does) -> bool {
    match does {
        Does::SetsEveryPower | Does::SelectsLaser | Does::Resets => true,
        Does::Sets(setting) => match setting {
            Setting::ScanStart
            | Setting::ScanStop
            | Setting::Stabilization
            | Setting::TlsLaser(_)
            | Setting::TlsStart(_)
            | Setting::TlsStop(_)
            | Setting::TlsPower(_)
            | Setting::LaserPower(_)
            | Setting::LaserWavelength(_)
            | Setting::FeedbackLaser => true,
            Setting::ScanMode
            | Setting::Resolution
            | Setting::TlsSpeed(_)
            | Setting::TlsTrigger(_)
            | Setting::LaserOutput(_)
            | Setting::PowerUnit(_)
            | Setting::SpectralUnit(_)
            | Setting::DetectorWavelength(_)
            | Setting::DetectorTrigger(_)
            | Setting::AnalogOutput(_) => false,
        },
        Does::Scans
        | Does::ScansReference(_)
        | Does::Recalls
        | Does::Renumbers
        | Does::Tests
        | Does::SetsOther
        | Does::Nothing
        | Does::Asks => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(line: &str) -> String {
        match needs(line) {
            Err(LimitExceeded::NotJudged { part, .. }) => part,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for (line, part) in [
            ("INIT:SMOD SING;:FOO:BAR 1", ":FOO:BAR 1"),
            ("INITI", "INITI"),
            ("*CLS;NOTE \"a", "NOTE \"a"),
            ("*RCL 1", "*RCL 1"),
            ("*TST?", "*TST?"),
            ("*IDN?;*CAL?", "*CAL?"),
            ("INIT:SMOD CONT", "INIT:SMOD CONT"),
            ("INIT:SMOD 2", "INIT:SMOD 2"),
            ("INIT:TLS1:ID 1.5", "INIT:TLS1:ID 1.5"),
            ("INIT:TLS1:SPE 50 # fast", "INIT:TLS1:SPE 50 # fast"),
            ("CTP:RLAS2:TYPE 1", "CTP:RLAS2:TYPE 1"),
            ("CTP:SENS:FBC MAX", "CTP:SENS:FBC MAX"),
            ("INIT:TLS1:POW 1DBM;:INIT", ":INIT"),
            ("*RST;INIT:IMM", "INIT:IMM"),
            ("CTP:RLAS1:POW 1;POW:STAT ON", "POW:STAT ON"),
            ("TRAC:SENS4:CHAN1:TYPE1:SAVE \"a;INIT\"", "TRAC:SENS4:CHAN1:TYPE1:SAVE \"a;INIT\""),
            ("INIT:TLS1:POW\u{a0}9", "INIT:TLS1:POW\u{a0}9"),
        ] {
            assert_eq!(refusal(line), part, "{line}");
        }
    }

    #[test]
    fn what_a_line_needs_is_found_in_every_spelling() {
        let power = |whose, dbm, written: &str| Need::Power { whose, dbm, written: written.into() };
        let nm = |whose, nm, written: &str| Need::Wavelength { whose, nm, written: written.into() };
        for (line, expected) in [
            ("init:tls1:power 5 dBm", vec![power(Whose::Tls(1), 5.0, "init:tls1:power 5 dBm")]),
            ("CTP:RLASER:POW #HA", vec![power(Whose::Laser(1), 10.0, "CTP:RLASER:POW #HA")]),
            ("INIT:LAS:POW 1e1", vec![power(Whose::Any, 10.0, "INIT:LAS:POW 1e1")]),
            (
                "INIT:TLS2:WAV:STAR 1520NM;STOP 1630 nm",
                vec![
                    nm(Whose::Tls(2), 1520.0, "INIT:TLS2:WAV:STAR 1520NM"),
                    nm(Whose::Tls(2), 1630.0, "STOP 1630 nm"),
                ],
            ),
            ("INIT:TLS1:ID #B10;POW 7", vec![Need::Serves(2), power(Whose::Any, 7.0, "POW 7")]),
            ("INIT:TLS1:ID 2.0", vec![Need::Serves(2)]),
            ("INIT:TLS1:ID 0;:CTP:RLAS2:POW:STAT 0", vec![]),
            ("ctp:rlas2:pow:state 1", vec![Need::Light(2)]),
            ("CTP:RLAS:POW:STAT MAYBE", vec![Need::Light(1)]),
            ("*CLS;:INITIATE:IMMEDIATE", vec![Need::Scan]),
            ("ref:sens4:chan1:init", vec![Need::Scan]),
            ("*TRG", vec![Need::Scan]),
            ("*RST", vec![Need::Dark]),
            ("CTP:SENS:FBC 2", vec![Need::Light(2)]),
            ("CTP:SENS4:CHAN1:WAV MAX;UNIT:Y MW", vec![]),
            ("NO:SUCH?;:INIT:TLS1:POW? MAX", vec![]),
        ] {
            assert_eq!(needs(line).unwrap(), expected, "{line}");
        }
        let Ok(unknown) = needs("CTP:RLAS1:POW MAX") else { panic!() };
        assert!(matches!(&unknown[..], [Need::Power { dbm, .. }] if dbm.is_nan()));
    }
}
