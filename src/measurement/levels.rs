//! Several power readings of each detector in short: the last one, and the range.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Detector, PowerReading, PowerUnit};
use crate::shown::{counted, number, quantity};

/// The readings of one detector in one unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PowerLevels {
    /// The detector.
    pub detector: Detector,
    /// The name that the recipe gives it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detector_name: Option<String>,
    /// The unit of the levels.
    pub unit: PowerUnit,
    /// The number of readings.
    pub readings: u64,
    /// The lowest level; `None` if no reading has a value.
    pub min: Option<f64>,
    /// The highest level.
    pub max: Option<f64>,
    /// The level of the last reading; `None` if that has no value.
    pub last: Option<f64>,
}

impl PowerLevels {
    /// The levels of readings in the order of time, one entry for each detector.
    #[must_use]
    pub fn of(readings: &[PowerReading], names: &BTreeMap<Detector, String>) -> Vec<Self> {
        let mut levels = Vec::new();
        for reading in readings {
            let one = Self {
                detector: reading.detector,
                detector_name: names.get(&reading.detector).cloned(),
                unit: reading.unit,
                readings: 1,
                min: reading.value,
                max: reading.value,
                last: reading.value,
            };
            Self::add(&mut levels, &one);
        }
        levels
    }

    /// Adds later readings.
    pub fn add(all: &mut Vec<Self>, later: &Self) {
        let same = |known: &&mut Self| known.detector == later.detector && known.unit == later.unit;
        let Some(known) = all.iter_mut().find(same) else {
            all.push(later.clone());
            return;
        };
        let of_both = |a: Option<f64>, b: Option<f64>, choose: fn(f64, f64) -> f64| match (a, b) {
            (Some(a), Some(b)) => Some(choose(a, b)),
            (one, other) => one.or(other),
        };
        known.readings += later.readings;
        known.min = of_both(known.min, later.min, f64::min);
        known.max = of_both(known.max, later.max, f64::max);
        known.last = later.last;
    }

    /// The name of the detector, or `module/channel`.
    #[must_use]
    pub fn shown_detector(&self) -> String {
        self.detector_name.clone().unwrap_or_else(|| self.detector.to_string())
    }

    /// The level, or the last level and the range of several.
    #[must_use]
    pub fn shown(&self) -> Vec<String> {
        let unit = self.unit.symbol();
        let last = self.last.map_or_else(|| "no value".to_owned(), |last| quantity(last, None, unit));
        if self.readings == 1 {
            return vec![last];
        }
        let readings = counted(self.readings, "reading");
        let range = self.min.zip(self.max).map_or(readings.clone(), |(min, max)| {
            format!("{} to {} in {readings}", number(min, None, unit), quantity(max, None, unit))
        });
        vec![format!("last {last}"), range]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(detector: &str, value: Option<f64>, unit: PowerUnit) -> PowerReading {
        PowerReading { detector: detector.parse().unwrap(), value, unit, calibration_nm: None, time_s: 0.0 }
    }

    #[test]
    fn the_levels_of_each_detector_and_unit_are_the_last_and_the_range() {
        let (dbm, milliwatts) = (PowerUnit::Dbm, PowerUnit::Mw);
        let readings = [
            reading("4/1", Some(-10.0), dbm),
            reading("4/2", None, dbm),
            reading("4/1", Some(-12.346), dbm),
            reading("4/1", Some(0.012_345), milliwatts),
        ];
        let names = [("4/1".parse().unwrap(), "through".to_owned())].into();
        let levels = PowerLevels::of(&readings, &names);
        let shown: Vec<String> = levels
            .iter()
            .map(|levels| format!("{}: {}", levels.shown_detector(), levels.shown().join("; ")))
            .collect();
        assert_eq!(
            shown,
            [
                "through: last -12.35 dBm; -12.35 to -10.00 dBm in 2 readings",
                "4/2: no value",
                "through: 0.01235 mW",
            ]
        );
    }
}
