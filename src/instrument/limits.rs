//! The bench's own limits: power, wavelength windows, lasers that must stay off. They hold for whatever is sent,
//! typed commands and raw text alike, because [`super::Ctp10::act`] is the one way out.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scpi::Action;

/// Limits of one laser.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LaserLimits {
    /// Highest power, dBm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_power_dbm: Option<f64>,
    /// Lowest and highest wavelength, nm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wavelength_nm: Option<[f64; 2]>,
    /// This laser must stay off.
    #[serde(default)]
    pub off: bool,
}

/// `[limits]` of `ctp10.toml`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Highest power of any laser, dBm.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_power_dbm: Option<f64>,
    /// Limits of single lasers, by number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub laser: BTreeMap<u8, LaserLimits>,
}

/// What the bench does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} is not allowed on this bench ({limit}, `[limits]` in ctp10.toml)")]
pub struct LimitExceeded {
    what: String,
    limit: String,
}

/// What a command would have a laser do. `laser: None` is a laser that cannot be told from the command.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Demand {
    Power { laser: Option<u8>, dbm: f64 },
    Wavelength { laser: Option<u8>, nm: f64 },
    Light { laser: Option<u8> },
}

impl Limits {
    /// True when nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Both limits at once.
    #[must_use]
    pub fn stricter(mut self, other: Self) -> Self {
        self.max_power_dbm = lower(self.max_power_dbm, other.max_power_dbm);
        for (number, limits) in other.laser {
            let laser = self.laser.entry(number).or_default();
            laser.max_power_dbm = lower(laser.max_power_dbm, limits.max_power_dbm);
            laser.off |= limits.off;
            laser.wavelength_nm = match (laser.wavelength_nm, limits.wavelength_nm) {
                (Some([low, high]), Some([other_low, other_high])) => {
                    Some([low.max(other_low), high.min(other_high)])
                }
                (one, other) => one.or(other),
            };
        }
        self
    }

    /// The highest power allowed for a laser, dBm; for an unknown one the lowest of all.
    fn max_power(&self, laser: Option<u8>) -> Option<f64> {
        let known = self.concerning(laser).filter_map(|(_, limits)| limits.max_power_dbm);
        known.chain(self.max_power_dbm).min_by(f64::total_cmp)
    }

    fn concerning(&self, laser: Option<u8>) -> impl Iterator<Item = (u8, &LaserLimits)> {
        let all = self.laser.iter().map(|(number, limits)| (*number, limits));
        all.filter(move |(number, _)| laser.is_none_or(|laser| laser == *number))
    }

    pub(super) fn check(&self, demand: Demand) -> Result<(), LimitExceeded> {
        let refuse = |what: String, limit: String| Err(LimitExceeded { what, limit });
        match demand {
            Demand::Power { laser, dbm } => match self.max_power(laser) {
                // A value that is no number is refused too.
                Some(max) if dbm.is_nan() || dbm > max => {
                    refuse(format!("{dbm} dBm{}", of(laser)), format!("at most {max} dBm"))
                }
                _ => Ok(()),
            },
            Demand::Wavelength { laser, nm } => {
                for (number, limits) in self.concerning(laser) {
                    if let Some([low, high]) = limits.wavelength_nm
                        && !(low..=high).contains(&nm)
                    {
                        return refuse(format!("{nm} nm{}", of(Some(number))), format!("{low} to {high} nm"));
                    }
                }
                Ok(())
            }
            Demand::Light { laser } => match self.concerning(laser).find(|(_, limits)| limits.off) {
                Some((number, _)) => {
                    refuse(format!("light{}", of(Some(number))), "it must stay off".to_owned())
                }
                None => Ok(()),
            },
        }
    }
}

fn of(laser: Option<u8>) -> String {
    laser.map_or_else(String::new, |laser| format!(" of laser {laser}"))
}

fn lower(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).min_by(f64::total_cmp)
}

/// What a command demands of the lasers. `laser_of` says which laser serves as a TLS, where that is known.
pub(super) fn demands(action: &Action, laser_of: impl Fn(u8) -> Option<u8>) -> Vec<Demand> {
    match *action {
        Action::SetLaserPower { laser, dbm } => vec![Demand::Power { laser: Some(laser), dbm }],
        Action::SetLaserWavelength { laser, nm } => vec![Demand::Wavelength { laser: Some(laser), nm }],
        Action::SetLaserOutput { laser, on: true } => vec![Demand::Light { laser: Some(laser) }],
        Action::SetTlsLaser { laser: laser @ 1.., .. } => vec![Demand::Light { laser: Some(laser) }],
        Action::SetTlsPower { tls, dbm } => vec![Demand::Power { laser: laser_of(tls), dbm }],
        Action::SetTlsStart { tls, nm } | Action::SetTlsStop { tls, nm } => {
            vec![Demand::Wavelength { laser: laser_of(tls), nm }]
        }
        Action::Raw(ref text) => text.split(';').flat_map(|part| raw_demand(part, &laser_of)).collect(),
        _ => Vec::new(),
    }
}

/// Reads a raw command far enough to know what it demands; what cannot be told counts for every laser.
fn raw_demand(part: &str, laser_of: &impl Fn(u8) -> Option<u8>) -> Option<Demand> {
    let (header, argument) = part.trim().split_once(char::is_whitespace)?;
    let header = header.to_ascii_uppercase();
    let nodes: Vec<&str> = header.split(':').filter(|node| !node.is_empty()).collect();
    let numbered = |short: &str, long: &str| {
        nodes.iter().find_map(|node| {
            let name = node.trim_end_matches(|c: char| c.is_ascii_digit());
            let digits = &node[name.len()..];
            let number = if digits.is_empty() { Some(1) } else { digits.parse().ok() };
            (name == short || name == long).then_some(number).flatten()
        })
    };
    let laser = numbered("RLAS", "RLASER").or_else(|| numbered("TLS", "TLS").and_then(laser_of));
    let argument = argument.trim().to_ascii_uppercase();
    match *nodes.last()? {
        "POW" | "POWER" => Some(Demand::Power { laser, dbm: power_dbm(&argument) }),
        "WAV" | "WAVELENGTH" if header.contains("SENS") => None,
        "WAV" | "WAVELENGTH" => Some(Demand::Wavelength { laser, nm: wavelength_nm(&argument) }),
        "STAR" | "START" | "STOP" if header.contains("TLS") => {
            Some(Demand::Wavelength { laser, nm: wavelength_nm(&argument) })
        }
        "STAT" | "STATE" if !matches!(argument.as_str(), "OFF" | "0") => Some(Demand::Light { laser }),
        "ID" | "IDENTIFIER" => {
            argument.parse().ok().filter(|n| *n > 0).map(|n| Demand::Light { laser: Some(n) })
        }
        _ => None,
    }
}

/// A value with a unit suffix, split; what is no number is NaN and exceeds every limit.
fn value_and_unit(argument: &str) -> (f64, &str) {
    let number = argument.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    // The exponent's E is a letter too: `1.55E-6` ends in a digit, `1E` is no number.
    (number.trim().parse().unwrap_or(f64::NAN), argument[number.len()..].trim())
}

fn power_dbm(argument: &str) -> f64 {
    match value_and_unit(argument) {
        (value, "MW") => 10.0 * value.log10(),
        (value, "" | "DBM") => value,
        _ => f64::NAN,
    }
}

fn wavelength_nm(argument: &str) -> f64 {
    const LIGHT_NM_HZ: f64 = 299_792_458e9;
    match value_and_unit(argument) {
        (value, "" | "M") => value * 1e9,
        (value, "NM") => value,
        (value, "PM") => value * 1e-3,
        (value, "HZ") => LIGHT_NM_HZ / value,
        (value, "GHZ") => LIGHT_NM_HZ / (value * 1e9),
        (value, "THZ") => LIGHT_NM_HZ / (value * 1e12),
        _ => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        toml::from_str("max_power_dbm = 8\n[laser.1]\nmax_power_dbm = 6\nwavelength_nm = [1500, 1620]\n[laser.2]\noff = true\n")
            .unwrap()
    }

    fn verdict(action: &Action) -> Result<(), String> {
        let laser_of = |tls| (tls == 1).then_some(1);
        demands(action, laser_of)
            .into_iter()
            .try_for_each(|demand| limits().check(demand))
            .map_err(|error| error.to_string())
    }

    #[test]
    fn limits_hold_for_typed_commands() {
        assert!(verdict(&Action::SetLaserPower { laser: 1, dbm: 6.0 }).is_ok());
        assert_eq!(
            verdict(&Action::SetLaserPower { laser: 1, dbm: 6.5 }).unwrap_err(),
            "6.5 dBm of laser 1 is not allowed on this bench (at most 6 dBm, `[limits]` in ctp10.toml)"
        );
        assert!(verdict(&Action::SetLaserPower { laser: 3, dbm: 7.0 }).is_ok());
        assert!(verdict(&Action::SetTlsPower { tls: 1, dbm: 7.0 }).is_err());
        // A TLS whose laser is not known might be any laser.
        assert!(verdict(&Action::SetTlsPower { tls: 2, dbm: 7.0 }).is_err());
        assert!(verdict(&Action::SetLaserOutput { laser: 2, on: true }).is_err());
        assert!(verdict(&Action::SetLaserOutput { laser: 2, on: false }).is_ok());
        assert!(verdict(&Action::SetTlsStop { tls: 1, nm: 1630.0 }).is_err());
    }

    #[test]
    fn limits_hold_for_raw_text_in_every_spelling() {
        let raw = |text: &str| verdict(&Action::Raw(text.to_owned()));
        for allowed in [
            "CTP:RLAS1:POW 6DBM",
            "ctp:rlaser1:power 2 mW",
            ":CTP:RLAS2:POW:STAT OFF",
            "*RST",
            "INIT:TLS1:ID 0",
        ] {
            assert!(raw(allowed).is_ok(), "{allowed}");
        }
        for refused in [
            "CTP:RLAS1:POW 6.1DBM",
            ":ctp:rlaser:power 6.1",
            "CTP:RLAS1:POW 10MW",
            "CTP:RLAS1:POW much",
            "*CLS;CTP:RLASER2:POWER:STATE 1",
            "INIT:TLS1:WAVELENGTH:STOP 1.63E-6",
            "CTP:RLAS1:WAV 193.4e3GHZ;CTP:RLAS1:WAV 180THZ",
            "INIT:TLS3:ID 2",
            "INIT:LAS:POW 7DBM",
        ] {
            assert!(raw(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn of_two_files_the_stricter_limit_holds() {
        let other: Limits =
            toml::from_str("max_power_dbm = 10\n[laser.1]\nwavelength_nm = [1520, 1640]\noff = true\n")
                .unwrap();
        let both = limits().stricter(other);
        assert_eq!(both.max_power_dbm, Some(8.0));
        assert_eq!(both.laser[&1].wavelength_nm, Some([1520.0, 1620.0]));
        assert!(both.laser[&1].off && both.laser[&2].off);
    }
}
