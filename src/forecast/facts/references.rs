//! The references that an instrument has, and what becomes of them at the steps of a recipe.

use chrono::{DateTime, Utc};

use super::{Facts, Said};
use crate::forecast::bench::BenchState;
use crate::forecast::rules::reference::{absent, covers};
use crate::measurement::{Detector, Grid, ScanRange, Stale};
use crate::operation::{CreateReference, IfStale, Operation};
use crate::source::Diagnostic;

/// A valid reference that the instrument has.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct HeldReference {
    /// Its scan, if it is known.
    pub scan: Option<Grid>,
    /// When it was taken, if that is known.
    pub taken: Option<DateTime<Utc>>,
}

impl Facts {
    /// What becomes of the instrument's references at a step that may keep them. `bench`: before the step.
    pub(super) fn foresee(&self, operation: &Operation, bench: &BenchState) -> Said {
        let Some(fields) = operation.traits().reference() else { return Said::new() };
        let earlier = |detector: &&Detector| bench.references.contains_key(detector);
        let of_before = fields.detectors.iter().filter(|detector| !earlier(detector));
        let said = of_before.filter_map(|detector| {
            let stale = self.stale(fields, *detector, bench)?;
            let diagnostic = match fields.if_stale.unwrap_or_default() {
                IfStale::Refuse => {
                    let message =
                        format!("the run fails here: the reference of {detector} cannot be used: {stale}");
                    Diagnostic::error(message).hint("`if_stale: measure` or `ask` allows a new one")
                }
                // The first reference needs no words.
                IfStale::Ask | IfStale::Measure if stale == Stale::Absent => return None,
                IfStale::Ask => Diagnostic::note(format!(
                    "the operator is asked about the reference of {detector}: {stale}"
                )),
                IfStale::Measure => {
                    Diagnostic::note(format!("a new reference of {detector} will be taken: {stale}"))
                }
            };
            Some((format!("stale {detector}"), diagnostic))
        });
        said.collect()
    }

    /// Why a step cannot use the reference that the instrument has, as far as the instrument reports it. Lasers, powers
    /// and drift are examined by the run.
    fn stale(&self, fields: &CreateReference, detector: Detector, bench: &BenchState) -> Option<Stale> {
        let max_age = fields.max_age_min.filter(|_| self.detectors.get(&detector) == Some(&true))?;
        let Some(held) = self.references.get(&detector) else { return Some(Stale::Absent) };
        if let Some((scan, (start_nm, stop_nm))) = held.scan.zip(bench.range().filter(|_| !bench.is_changed))
        {
            let resolution_pm = bench.resolution_pm.unwrap_or(scan.step_pm);
            let now = ScanRange { start_nm, stop_nm, resolution_pm };
            if let Err(stale) = Stale::by_range(ScanRange::from(scan), now) {
                return Some(stale);
            }
        }
        match held.taken {
            None => Some(Stale::Undated),
            Some(taken) => Stale::by_age(taken, self.at, max_age.get()).err(),
        }
    }

    /// A transmission function that needs an existing reference: checks that there is one, and that it covers the scan.
    pub(super) fn without_reference(&self, detector: Detector, bench: &BenchState) -> Option<Diagnostic> {
        if bench.references.contains_key(&detector) || self.detectors.get(&detector) != Some(&true) {
            return None;
        }
        let hint = "add `create_reference` before the sweep, or fetch `raw`";
        let Some(reference) = self.references.get(&detector) else {
            return Some(Diagnostic::error(absent(detector)).hint(hint));
        };
        let (reference, (start, stop)) = (reference.scan.as_ref()?, bench.swept_by.range?);
        let message = format!(
            "the instrument's reference of {detector} covers {} to {} nm, but the scan covers {start} to {stop} nm",
            reference.start_nm,
            reference.stop_nm()
        );
        (!covers(reference, (start, stop))).then(|| Diagnostic::error(message).hint(hint))
    }
}

#[cfg(test)]
mod tests {
    use crate::forecast::facts::tests::said;

    #[test]
    fn a_reference_taken_before_the_run_has_to_hold_for_its_scan() {
        let of = |detector: &str, start: u32| {
            said(&format!(
                "steps:\n  - sweep: {{ start_nm: {start}, stop_nm: 1560 }}\n  - fetch_trace: {{ detector: {detector}, trace: tf }}\n"
            ))
        };
        assert_eq!(of("4/1", 1530), [""; 0]);
        assert_eq!(
            of("4/1", 1510),
            [
                "4 the instrument's reference of 4/1 covers 1520 to 1580 nm, but the scan covers 1510 to 1560 nm"
            ]
        );
        assert_eq!(of("4/2", 1530), ["4 `4/2` has no valid reference on this instrument"]);
    }

    #[test]
    fn a_stale_reference_is_foreseen_with_its_consequence() {
        let of = |detector: &str, stop: u32, fields: &str| {
            said(&format!(
                "steps:\n  - configure_scan: {{ start_nm: 1520, stop_nm: {stop}, resolution_pm: 10 }}\n  - create_reference: {{ detector: {detector}, connect: cord, max_age_min: 480{fields} }}\n"
            ))
        };
        let old = "it is 9 h old, but at most 8 h are allowed";
        assert_eq!(of("4/1", 1580, ""), [format!("4 a new reference of 4/1 will be taken: {old}")]);
        assert_eq!(
            of("4/1", 1580, ", if_stale: ask"),
            [format!("4 the operator is asked about the reference of 4/1: {old}")]
        );
        assert_eq!(
            of("4/1", 1580, ", if_stale: refuse"),
            [format!("4 the run fails here: the reference of 4/1 cannot be used: {old}")]
        );
        let other = &of("4/1", 1570, ", if_stale: refuse")[0];
        assert!(
            other.contains("it covers 1520 to 1580 nm in steps of 10 pm, but the scan covers 1520 to 1570"),
            "{other}"
        );
        assert_eq!(of("4/2", 1580, ""), [""; 0]);
        assert!(of("4/2", 1580, ", if_stale: refuse")[0].contains("no valid reference"));
        let young = "steps:\n  - create_reference: { detector: 4/1, connect: cord, max_age_min: 600, if_stale: refuse }\n";
        assert_eq!(said(young), [""; 0]);
    }
}
