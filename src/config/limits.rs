//! The place of each limit in a `ctp10.toml`, for messages about limits.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::forecast::limits::PlacedLimit;
use crate::instrument::limits::{LaserLimits, Limits};

#[derive(Default, Deserialize)]
struct Places {
    #[serde(default)]
    limits: OfAll,
}

#[derive(Default, Deserialize)]
struct OfAll {
    max_power_dbm: Option<Spanned<f64>>,
    #[serde(default)]
    laser: BTreeMap<u8, OfLaser>,
}

#[derive(Deserialize)]
struct OfLaser {
    max_power_dbm: Option<Spanned<f64>>,
    wavelength_nm: Option<Spanned<[f64; 2]>>,
    off: Option<Spanned<bool>>,
}

/// The limits of a file, each with its place. The file has been parsed before.
pub(super) fn placed(path: &str, text: &str) -> Vec<PlacedLimit> {
    let Ok(Places { limits: OfAll { max_power_dbm, laser } }) = toml::from_str(text) else {
        return Vec::new();
    };
    let line = |offset: usize| text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1;
    let place =
        |offset: usize, limit: Limits| PlacedLimit { limit, place: format!("{path}:{}", line(offset)) };
    let mut placed = Vec::new();
    for (number, limits) in laser {
        let mut add = |offset: usize, limits: LaserLimits| {
            placed.push(place(offset, Limits { laser: [(number, limits)].into(), ..Limits::default() }));
        };
        if let Some(dbm) = limits.max_power_dbm {
            let max_power_dbm = Some(*dbm.get_ref());
            add(dbm.span().start, LaserLimits { max_power_dbm, ..LaserLimits::default() });
        }
        if let Some(nm) = limits.wavelength_nm {
            let wavelength_nm = Some(*nm.get_ref());
            add(nm.span().start, LaserLimits { wavelength_nm, ..LaserLimits::default() });
        }
        if let Some(off) = limits.off {
            add(off.span().start, LaserLimits { off: *off.get_ref(), ..LaserLimits::default() });
        }
    }
    // Limits of single lasers come first, because they are more specific than the limit of all lasers.
    placed.extend(max_power_dbm.map(|dbm| {
        let limit = Limits { max_power_dbm: Some(*dbm.get_ref()), ..Limits::default() };
        place(dbm.span().start, limit)
    }));
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_is_found_with_its_line() {
        let text = "instrument = \"sim\"\n[limits]\nmax_power_dbm = 8\n\n[limits.laser.1]\nmax_power_dbm = 3\nwavelength_nm = [1520, 1600]\n[limits.laser.2]\noff = true\n";
        let placed = placed("ctp10.toml", text);
        let places: Vec<&str> = placed.iter().map(|limit| limit.place.as_str()).collect();
        assert_eq!(places, ["ctp10.toml:6", "ctp10.toml:7", "ctp10.toml:9", "ctp10.toml:3"]);
        // Together, they are the limits of the file.
        let all = placed.into_iter().fold(Limits::default(), |all, placed| all.stricter(placed.limit));
        assert_eq!(all, toml::from_str::<super::super::File>(text).unwrap().limits);
    }
}
