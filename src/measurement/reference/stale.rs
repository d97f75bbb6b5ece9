//! Why a reference may not be used any more.

use chrono::{DateTime, TimeDelta, Utc};

use super::{CheckLevel, Conditions, ReferenceRecord, ScanRange, Source};
use crate::measurement::Detector;
use crate::shown::quantity;
use crate::units::ReferenceSweeps;

/// The clocks of instrument and computer may differ by this much.
pub const CLOCK_DIFFERENCE: TimeDelta = TimeDelta::seconds(60);

/// How long ago something was, for people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Age {
    /// Seconds.
    pub seconds: f64,
}

impl std::fmt::Display for Age {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let minutes = self.seconds / 60.0;
        match minutes {
            ..90.0 => write!(f, "{} min", tenths(minutes)),
            ..2880.0 => write!(f, "{} h", tenths(minutes / 60.0)),
            _ => write!(f, "{} days", tenths(minutes / 1440.0)),
        }
    }
}

/// One decimal, and none if it is zero.
fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// Why a reference may not be used any more.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Stale {
    /// There is none.
    #[error("the instrument has no valid reference")]
    Absent,
    /// Its age is unknown.
    #[error("the instrument does not report when it was taken")]
    Undated,
    /// The clocks do not agree.
    #[error("its date is later than the clock of this computer")]
    FromFuture,
    /// It is too old.
    #[error("it is {age} old, but at most {limit} are allowed")]
    TooOld {
        /// Its age.
        age: Age,
        /// The largest age.
        limit: Age,
    },
    /// It covers other points.
    #[error("it covers {then}, but the scan covers {now}")]
    OtherRange {
        /// The points of the reference.
        then: ScanRange,
        /// The points of the scan.
        now: ScanRange,
    },
    /// It has another number of sweeps.
    #[error("it has {then}, but the recipe requires {required}")]
    OtherSweeps {
        /// Its number of sweeps, as a text.
        then: String,
        /// The required number.
        required: ReferenceSweeps,
    },
    /// It is of another instrument.
    #[error("it was taken on the instrument with the serial number `{then}`, but this one has `{now}`")]
    OtherInstrument {
        /// The serial number of its instrument.
        then: String,
        /// The serial number of this instrument.
        now: String,
    },
    /// It was taken with other lasers or powers.
    #[error("it was taken with {}, but the scan uses {}", list(.then), list(.now))]
    OtherLight {
        /// The sources of the reference.
        then: Vec<Source>,
        /// The sources of the scan.
        now: Vec<Source>,
    },
    /// No run has recorded its conditions.
    #[error("its laser and power are not recorded")]
    NotRecorded,
    /// No level was recorded with it.
    #[error("no level of the check detector {detector} was recorded with it")]
    NoCheckLevel {
        /// The check detector.
        detector: Detector,
    },
    /// The bench has drifted.
    #[error(
        "the level of the check detector {detector} has changed by {} since then, but at most {limit_db} dB are allowed",
        quantity(*drift_db, None, "dB")
    )]
    Drifted {
        /// The check detector.
        detector: Detector,
        /// The level now minus the level then, dB.
        drift_db: f64,
        /// The largest change, dB.
        limit_db: f64,
    },
}

fn list(sources: &[Source]) -> String {
    let shown: Vec<String> = sources.iter().map(ToString::to_string).collect();
    if shown.is_empty() { "no laser".to_owned() } else { shown.join(" and ") }
}

impl Stale {
    /// Whether a person may decide to use the reference all the same: it fits the scan, but it may have become wrong.
    #[must_use]
    pub fn may_be_kept(&self) -> bool {
        match self {
            Self::TooOld { .. } | Self::Undated | Self::NoCheckLevel { .. } | Self::Drifted { .. } => true,
            Self::Absent
            | Self::FromFuture
            | Self::OtherRange { .. }
            | Self::OtherSweeps { .. }
            | Self::OtherInstrument { .. }
            | Self::OtherLight { .. }
            | Self::NotRecorded => false,
        }
    }

    /// Whether a recipe expects this in normal use, so that nobody needs a warning.
    #[must_use]
    pub fn is_expected(&self) -> bool {
        match self {
            Self::Absent | Self::TooOld { .. } => true,
            Self::Undated
            | Self::FromFuture
            | Self::OtherRange { .. }
            | Self::OtherSweeps { .. }
            | Self::OtherInstrument { .. }
            | Self::OtherLight { .. }
            | Self::NotRecorded
            | Self::NoCheckLevel { .. }
            | Self::Drifted { .. } => false,
        }
    }

    /// The age of a reference that was taken at a time.
    ///
    /// # Errors
    /// If the reference is too old, or its date is in the future.
    pub fn by_age(taken: DateTime<Utc>, now: DateTime<Utc>, max_age_min: f64) -> Result<Age, Self> {
        let age = now - taken;
        // A reference from the future proves nothing: the clocks differ by more than their resolution.
        if age < -CLOCK_DIFFERENCE {
            return Err(Self::FromFuture);
        }
        let (age, limit) = (Age { seconds: age.as_seconds_f64() }, Age { seconds: max_age_min * 60.0 });
        if age.seconds > limit.seconds { Err(Self::TooOld { age, limit }) } else { Ok(age) }
    }

    /// Compares the points of a reference with those of a scan.
    ///
    /// # Errors
    /// If they differ.
    pub fn by_range(then: ScanRange, now: ScanRange) -> Result<(), Self> {
        if then.is_like(&now) { Ok(()) } else { Err(Self::OtherRange { then, now }) }
    }

    /// Compares the kind of a reference, as the instrument reports it, with the required number of sweeps.
    ///
    /// # Errors
    /// If they differ.
    pub fn by_sweeps(required: Option<ReferenceSweeps>, kind: u8) -> Result<(), Self> {
        let then = ReferenceSweeps::of_kind(kind);
        match required {
            Some(required) if then != Some(required) => {
                let then = then.map_or_else(|| format!("the unknown kind {kind}"), |then| then.to_string());
                Err(Self::OtherSweeps { then, required })
            }
            Some(_) | None => Ok(()),
        }
    }

    /// Compares the conditions of a reference with those of a scan.
    ///
    /// # Errors
    /// If they differ, or are not recorded.
    pub fn by_conditions(record: &ReferenceRecord, now: &Conditions) -> Result<(), Self> {
        if let Some(then) = record.serial.clone().filter(|then| *then != now.serial) {
            return Err(Self::OtherInstrument { then, now: now.serial.clone() });
        }
        let then = record.sources.as_ref().ok_or(Self::NotRecorded)?;
        let is_like =
            then.len() == now.sources.len() && then.iter().zip(&now.sources).all(|(a, b)| a.is_like(b));
        if is_like { Ok(()) } else { Err(Self::OtherLight { then: then.clone(), now: now.sources.clone() }) }
    }

    /// The drift of the check detector since a reference was taken, dB.
    ///
    /// # Errors
    /// If the drift is too large, or no level of this detector was recorded.
    pub fn by_drift(record: &ReferenceRecord, now: CheckLevel, limit_db: f64) -> Result<f64, Self> {
        let detector = now.detector;
        let then = record.check.filter(|then| then.detector == detector);
        let drift_db = now.dbm - then.ok_or(Self::NoCheckLevel { detector })?.dbm;
        if drift_db.abs() > limit_db {
            Err(Self::Drifted { detector, drift_db, limit_db })
        } else {
            Ok(drift_db)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DETECTOR: Detector = Detector { module: 4, channel: 1 };
    const CHECK: Detector = Detector { module: 4, channel: 3 };

    fn source(power_dbm: f64) -> Source {
        Source { laser: 1, start_nm: 1540.0, stop_nm: 1541.0, power_dbm }
    }

    fn record() -> ReferenceRecord {
        let taken = "2025-11-28T09:26:31".parse().unwrap();
        ReferenceRecord {
            serial: Some("S1".to_owned()),
            sources: Some(vec![source(0.0)]),
            check: Some(CheckLevel { detector: CHECK, dbm: -10.0 }),
            ..ReferenceRecord::unknown(DETECTOR, taken)
        }
    }

    #[test]
    fn a_reference_ages_by_the_clock() {
        let taken: DateTime<Utc> = "2025-11-28T09:00:00Z".parse().unwrap();
        let after = |minutes| Stale::by_age(taken, taken + TimeDelta::minutes(minutes), 480.0);
        assert_eq!(after(480).unwrap().to_string(), "8 h");
        assert_eq!(after(0).unwrap().to_string(), "0 min");
        assert_eq!(after(552).unwrap_err().to_string(), "it is 9.2 h old, but at most 8 h are allowed");
        assert_eq!(after(-1).unwrap().seconds, -60.0);
        assert_eq!(after(-2), Err(Stale::FromFuture));
        assert_eq!(Age { seconds: 4.0 * 86_400.0 }.to_string(), "4 days");
    }

    #[test]
    fn a_reference_belongs_to_its_points() {
        let range = ScanRange { start_nm: 1540.0, stop_nm: 1541.0, resolution_pm: 10.0 };
        assert_eq!(Stale::by_range(range, ScanRange { stop_nm: 1541.004, ..range }), Ok(()));
        for other in [
            ScanRange { start_nm: 1539.0, ..range },
            ScanRange { stop_nm: 1542.0, ..range },
            ScanRange { resolution_pm: 5.0, ..range },
        ] {
            let stale = Stale::by_range(range, other).unwrap_err();
            assert!(
                stale.to_string().starts_with("it covers 1540 to 1541 nm in steps of 10 pm, but"),
                "{stale}"
            );
            assert!(!stale.may_be_kept());
        }
    }

    #[test]
    fn a_reference_belongs_to_its_instrument_and_its_light() {
        let against = |serial: &str, sources: &[Source]| {
            Stale::by_conditions(
                &record(),
                &Conditions { serial: serial.to_owned(), sources: sources.to_vec() },
            )
        };
        assert_eq!(against("S1", &[source(0.04)]), Ok(()));
        let other = against("S2", &[source(0.0)]).unwrap_err();
        assert!(other.to_string().contains("serial number `S1`, but this one has `S2`"), "{other}");
        let lasers: [&[Source]; 4] =
            [&[source(5.0)], &[Source { laser: 2, ..source(0.0) }], &[source(0.0), source(0.0)], &[]];
        for sources in lasers {
            let stale = against("S1", sources).unwrap_err();
            assert!(matches!(stale, Stale::OtherLight { .. }) && !stale.may_be_kept(), "{stale}");
        }
        let unknown = ReferenceRecord { sources: None, ..record() };
        let now = Conditions { serial: "S1".to_owned(), sources: vec![source(0.0)] };
        assert_eq!(Stale::by_conditions(&unknown, &now), Err(Stale::NotRecorded));
    }

    #[test]
    fn a_drift_in_either_direction_counts() {
        let at = |dbm| Stale::by_drift(&record(), CheckLevel { detector: CHECK, dbm }, 0.1);
        assert!((at(-10.05).unwrap() + 0.05).abs() < 1e-9);
        for dbm in [-10.3, -9.7] {
            assert!(at(dbm).unwrap_err().may_be_kept());
        }
        assert!(at(-10.3).unwrap_err().to_string().contains("has changed by -0.30 dB"));
        let elsewhere = CheckLevel { detector: DETECTOR, dbm: -10.0 };
        assert_eq!(
            Stale::by_drift(&record(), elsewhere, 0.1),
            Err(Stale::NoCheckLevel { detector: DETECTOR })
        );
    }
}
