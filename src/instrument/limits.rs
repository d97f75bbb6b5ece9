//! The limits of the bench: powers, wavelength windows, and lasers that must stay off. `permit` checks each command
//! against them before it is sent.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::LASERS;

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

/// A demand that the bench does not allow.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LimitExceeded {
    /// A limit is exceeded.
    #[error("{what} is not allowed on this bench ({limit}, `[limits]` in ctp10.toml)")]
    Beyond {
        /// What would be emitted or set.
        what: String,
        /// The allowed range.
        limit: String,
    },
    /// The effect of the command is not known.
    #[error("`{part}` is refused because this bench has limits (`[limits]` in ctp10.toml): {reason}")]
    NotJudged {
        /// The part of the line.
        part: String,
        /// Why the effect is not known.
        reason: String,
    },
}

/// What a laser would do. `laser: None` is an unknown laser, for which the limits of all lasers apply.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the fields are the words of the variants")]
pub enum Demand {
    /// It would emit this power, dBm.
    Power { laser: Option<u8>, dbm: f64 },
    /// It would emit at this wavelength, nm.
    Wavelength { laser: Option<u8>, nm: f64 },
    /// It would emit at all.
    Light { laser: Option<u8> },
}

impl Limits {
    /// True if nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Checks that each limit limits something: an error in a file must not leave a laser without its limit.
    ///
    /// # Errors
    /// The first value that is not allowed, with what is allowed.
    pub fn validate(&self) -> Result<(), String> {
        finite("limits.max_power_dbm", self.max_power_dbm)?;
        for (number, limits) in &self.laser {
            if !LASERS.contains(number) {
                let (first, last) = LASERS.into_inner();
                return Err(format!("limits.laser `{number}` is not allowed ({first} to {last})"));
            }
            finite(&format!("limits.laser.{number}.max_power_dbm"), limits.max_power_dbm)?;
            if let Some([low, high]) = limits.wavelength_nm
                && !(low.is_finite() && high.is_finite() && low <= high)
            {
                return Err(format!(
                    "limits.laser.{number}.wavelength_nm `[{low}, {high}]` is not allowed (two finite numbers, low and high)"
                ));
            }
        }
        Ok(())
    }

    /// Combines two sets of limits. Of two limits, the stricter one applies.
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

    /// The highest power allowed for a laser, dBm. For an unknown laser this is the lowest limit of all lasers.
    fn max_power(&self, laser: Option<u8>) -> Option<f64> {
        let known = self.concerning(laser).filter_map(|(_, limits)| limits.max_power_dbm);
        known.chain(self.max_power_dbm).min_by(f64::total_cmp)
    }

    fn concerning(&self, laser: Option<u8>) -> impl Iterator<Item = (u8, &LaserLimits)> {
        let all = self.laser.iter().map(|(number, limits)| (*number, limits));
        all.filter(move |(number, _)| laser.is_none_or(|laser| laser == *number))
    }

    /// Checks a demand against the limits. NaN exceeds every limit, and a limit that is NaN allows nothing.
    ///
    /// # Errors
    /// The limit that is exceeded.
    pub fn check(&self, demand: Demand) -> Result<(), LimitExceeded> {
        let refuse = |what: String, limit: String| Err(LimitExceeded::Beyond { what, limit });
        match demand {
            Demand::Power { laser, dbm } => match self.max_power(laser) {
                Some(max) if dbm.partial_cmp(&max).is_none_or(Ordering::is_gt) => {
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

fn finite(name: &str, given: Option<f64>) -> Result<(), String> {
    match given.filter(|value| !value.is_finite()) {
        Some(value) => Err(format!("{name} `{value}` is not allowed (a finite number)")),
        None => Ok(()),
    }
}

fn lower(one: Option<f64>, other: Option<f64>) -> Option<f64> {
    one.into_iter().chain(other).min_by(f64::total_cmp)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits() -> Limits {
        toml::from_str("max_power_dbm = 8\n[laser.1]\nmax_power_dbm = 6\nwavelength_nm = [1500, 1620]\n[laser.2]\noff = true\n")
            .unwrap()
    }

    #[test]
    fn an_unknown_laser_has_the_limits_of_all_and_no_number_is_beyond_them() {
        let check = |demand| limits().check(demand).map_err(|error| error.to_string());
        assert_eq!(
            check(Demand::Power { laser: Some(1), dbm: 6.5 }).unwrap_err(),
            "6.5 dBm of laser 1 is not allowed on this bench (at most 6 dBm, `[limits]` in ctp10.toml)"
        );
        assert!(check(Demand::Power { laser: Some(3), dbm: 7.0 }).is_ok());
        assert!(check(Demand::Power { laser: None, dbm: 7.0 }).is_err());
        assert!(check(Demand::Power { laser: Some(3), dbm: f64::NAN }).is_err());
        assert!(check(Demand::Wavelength { laser: Some(3), nm: f64::NAN }).is_ok());
        assert!(check(Demand::Wavelength { laser: Some(1), nm: 1620.1 }).is_err());
        assert!(check(Demand::Light { laser: None }).is_err());
        assert!(check(Demand::Light { laser: Some(1) }).is_ok());
    }

    #[test]
    fn a_limit_that_limits_nothing_is_refused() {
        for (text, words) in [
            ("max_power_dbm = nan", "limits.max_power_dbm `NaN` is not allowed (a finite number)"),
            ("max_power_dbm = inf", "limits.max_power_dbm `inf`"),
            ("[laser.1]\nmax_power_dbm = -inf", "limits.laser.1.max_power_dbm `-inf`"),
            ("[laser.0]\noff = true", "limits.laser `0` is not allowed (1 to 10)"),
            ("[laser.11]\noff = true", "limits.laser `11`"),
            ("[laser.2]\nwavelength_nm = [1620, 1500]", "limits.laser.2.wavelength_nm `[1620, 1500]`"),
            ("[laser.2]\nwavelength_nm = [1500, nan]", "limits.laser.2.wavelength_nm `[1500, NaN]`"),
        ] {
            let error = toml::from_str::<Limits>(text).unwrap().validate().unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
        assert_eq!(limits().validate(), Ok(()));
        let unchecked = Limits { max_power_dbm: Some(f64::NAN), ..Limits::default() };
        assert!(unchecked.check(Demand::Power { laser: Some(1), dbm: 0.0 }).is_err());
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
