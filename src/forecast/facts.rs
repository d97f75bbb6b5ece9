//! Compares the lasers and detectors of an instrument with those that a recipe needs.

mod references;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::bench::BenchState;
use super::findings::{Findings, softened};
use super::lasers;
use super::walk::PlannedStep;
use crate::declarations::Header;
use crate::instrument::scpi::Identity;
use crate::measurement::{Detector, TraceKind};
use crate::operation::{LaserDemand, Lasers, Operation};
use crate::source::{Diagnostic, SourceFile};
pub use references::HeldReference;

/// The replies of the instrument to queries.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// The lasers that the recipe uses, by number; `None` for a laser that does not exist.
    pub lasers: BTreeMap<u8, Option<Identity>>,
    /// The laser of each TLS before the recipe sets it; 0 for none.
    pub tls: BTreeMap<u8, u8>,
    /// The detectors that the recipe uses, and whether they exist.
    pub detectors: BTreeMap<Detector, bool>,
    /// The valid references that the instrument has, of the detectors that rely on one.
    pub references: BTreeMap<Detector, HeldReference>,
    /// The time of these replies.
    pub at: DateTime<Utc>,
}

/// The lasers and detectors that a recipe needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Lasers, by number.
    pub lasers: BTreeSet<u8>,
    /// Detectors.
    pub detectors: BTreeSet<Detector>,
    /// The detectors that may rely on a reference from before the run.
    pub references: BTreeSet<Detector>,
}

/// Lasers and detectors that a recipe names.
#[must_use]
pub fn needs(header: &Header, steps: &[PlannedStep]) -> Needs {
    let mut needs = Needs { detectors: recorded(header).collect(), ..Needs::default() };
    for planned in steps {
        let traits = planned.step.operation.traits();
        needs.detectors.extend(traits.all_detectors());
        needs.lasers.extend(traits.lasers.named());
        if let Some(fetch) = traits.fetch().filter(|fetch| fetch.traces.contains(&TraceKind::Tf)) {
            needs.references.extend(&fetch.detectors);
        }
        if let Some(reference) = traits.reference().filter(|reference| reference.max_age_min.is_some()) {
            needs.references.extend(&reference.detectors);
        }
    }
    needs
}

fn recorded(header: &Header) -> impl Iterator<Item = Detector> {
    header.record_power.iter().flat_map(|record| record.detectors.iter().copied())
}

/// The findings about parts that the recipe needs and the instrument does not have.
#[must_use]
pub fn check(
    header: &Header,
    steps: &[PlannedStep],
    facts: &Facts,
    sources: &[Arc<SourceFile>],
) -> Vec<Diagnostic> {
    let absent = recorded(header).filter_map(|detector| facts.without_detector(detector));
    let mut said: Vec<Diagnostic> = absent.collect();
    if facts.no_laser_answers() {
        let message = "no laser replies: the laser settings of the recipe cannot be checked, nor whether the lasers are off";
        let hint = "on a Distributed CTP10 the lasers belong to the Controller";
        said.push(Diagnostic::warning(message).hint(hint));
    }
    let mut findings = Findings::default();
    let mut bench = BenchState::default();
    for (tls, laser) in &facts.tls {
        bench.sources.entry(*tls).or_default().laser = Some(*laser);
    }
    for planned in steps {
        let foreseen = facts.foresee(&planned.step.operation, &bench);
        bench.perform(&planned.step.operation);
        for (about, diagnostic) in foreseen.into_iter().chain(facts.judge(&planned.step.operation, &bench)) {
            findings.add(&planned.step.place, about, softened(diagnostic, planned.may_differ));
        }
    }
    said.extend(findings.located(sources));
    said
}

/// The subject of a finding, and its message.
type Said = Vec<(String, Diagnostic)>;

impl Facts {
    /// The recipe uses lasers, but none of them replies.
    fn no_laser_answers(&self) -> bool {
        !self.lasers.is_empty() && self.lasers.values().all(Option::is_none)
    }

    fn judge(&self, operation: &Operation, bench: &BenchState) -> Said {
        let traits = operation.traits();
        let mut said: Said = traits
            .all_detectors()
            .filter_map(|detector| Some((detector.to_string(), self.without_detector(detector)?)))
            .collect();
        match traits.lasers {
            Lasers::Static { laser, demand, .. } => said.extend(self.of_laser(laser, demand)),
            // A laser that the recipe does not name may exist.
            Lasers::Source { laser: None, .. } if self.no_laser_answers() => {}
            Lasers::Source { tls, demand, .. } => {
                let laser = bench.sources.get(&tls).and_then(|source| source.laser);
                said.extend(self.of_laser(laser.unwrap_or_default(), demand));
            }
            Lasers::OfScan => said.extend(self.out_of_reach(bench)),
            Lasers::None | Lasers::Any => {}
        }
        for detector in traits
            .fetch()
            .filter(|fetch| fetch.traces.contains(&TraceKind::Tf))
            .iter()
            .flat_map(|fetch| &fetch.detectors)
        {
            let about = format!("reference of {detector}");
            said.extend(self.without_reference(*detector, bench).map(|found| (about, found)));
        }
        said
    }

    /// The settings that a laser does not support.
    fn of_laser(&self, laser: u8, demand: LaserDemand) -> Said {
        let identity = match self.lasers.get(&laser) {
            Some(Some(identity)) => identity,
            Some(None) => {
                let there = self.lasers.iter().filter(|(_, identity)| identity.is_some());
                let there = listed(there.map(|(number, _)| number));
                let missing = Diagnostic::error(format!("laser {laser} does not exist"));
                return vec![("laser".into(), missing.hint(format!("lasers that reply: {there}")))];
            }
            None => return Said::new(),
        };
        let mut said = Said::new();
        said.extend(
            demand.power_dbm.and_then(|dbm| Some(("power".into(), lasers::power(laser, identity, dbm)?))),
        );
        said.extend(
            demand
                .speed_nm_s
                .and_then(|speed| Some(("speed".into(), lasers::speed(laser, identity, speed)?))),
        );
        let trigger = demand.trigger_in.and_then(|_| lasers::trigger(laser, identity));
        said.extend(trigger.map(|found| ("trigger".into(), found)));
        said.extend(
            demand
                .wavelengths_nm()
                .filter_map(|nm| Some(("band".into(), lasers::wavelength(laser, identity, nm)?))),
        );
        said
    }

    fn without_detector(&self, detector: Detector) -> Option<Diagnostic> {
        if self.detectors.get(&detector) != Some(&false) {
            return None;
        }
        let there = listed(self.detectors.iter().filter(|(_, there)| **there).map(|(known, _)| known));
        let missing = Diagnostic::error(format!("detector `{detector}` of this instrument does not reply"));
        Some(missing.hint(format!("detectors of this recipe that reply: {there}")))
    }

    /// A scan outside the bands of all lasers.
    fn out_of_reach(&self, bench: &BenchState) -> Option<(String, Diagnostic)> {
        let (start, stop) = bench.range()?;
        let mut nearest = Vec::new();
        for laser in bench.sources.values().filter_map(|source| source.laser).filter(|laser| *laser > 0) {
            let identity = self.lasers.get(&laser)?.as_ref()?;
            let (low, high) = lasers::band_nm(identity)?;
            if low < stop && high > start {
                return None;
            }
            nearest.push(format!("laser {laser} ({}, {low} to {high} nm)", identity.model));
        }
        let message = format!("no laser of the scan reaches {start} to {stop} nm");
        (!nearest.is_empty())
            .then(|| ("reach".into(), Diagnostic::error(message).hint(format!("it has {}", listed(nearest)))))
    }
}

fn listed<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    if items.is_empty() { "none".to_owned() } else { items.join(", ") }
}

#[cfg(test)]
pub(super) mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::forecast::{Circumstances, walk};
    use crate::measurement::Grid;
    use crate::recipe::Recipe;

    fn identity(model: &str) -> Identity {
        Identity { maker: "EXFO".into(), model: model.into(), serial: "0".into(), firmware: "6.06".into() }
    }

    /// A bench with a C-band and an O-band laser, two detectors, and a reference of the first.
    fn bench() -> Facts {
        let detector = |text: &str| text.parse::<Detector>().unwrap();
        let taken: DateTime<Utc> = "2025-11-28T09:26:31Z".parse().unwrap();
        let scan = Grid { start_nm: 1520.0, step_pm: 10.0, points: 6_001 };
        Facts {
            lasers: [
                (1, Some(identity("T100S-HP"))),
                (2, Some(identity("T200S-O-M"))),
                (3, None),
                (4, Some(identity("T500S"))),
                (5, Some(Identity { maker: "VIAVI".into(), ..identity("mSWS-A1SLS") })),
            ]
            .into(),
            tls: [(1, 1), (2, 0), (3, 0), (4, 0)].into(),
            detectors: [(detector("4/1"), true), (detector("4/2"), true), (detector("7/1"), false)].into(),
            references: [(detector("4/1"), HeldReference { scan: Some(scan), taken: Some(taken) })].into(),
            at: taken + TimeDelta::hours(9),
        }
    }

    pub(super) fn said(recipe: &str) -> Vec<String> {
        let recipe = Recipe::from_text("t.yaml", &format!("name: t\n{recipe}"), None, &[]).unwrap();
        let walked = walk(|host| recipe.perform(host), recipe.sources(), Circumstances::default());
        let found = check(recipe.header(), &walked.all(), &bench(), recipe.sources());
        found
            .iter()
            .map(|f| format!("{} {}", f.place.as_ref().map_or(0, |(_, at)| at.line), f.message))
            .collect()
    }

    /// What the fields of an operation name, wherever they stand.
    fn named(fields: &serde_json::Value, lasers: &mut BTreeSet<u8>, detectors: &mut BTreeSet<Detector>) {
        for (key, value) in fields.as_object().into_iter().flatten() {
            match (key.as_str(), value) {
                ("laser", value) => lasers.extend(value.as_u64().and_then(|laser| u8::try_from(laser).ok())),
                ("detector", value) => {
                    detectors.extend(value.as_str().map(|text| text.parse::<Detector>().unwrap()));
                }
                ("detectors", serde_json::Value::Array(many)) => {
                    detectors
                        .extend(many.iter().map(|one| one.as_str().unwrap().parse::<Detector>().unwrap()));
                }
                (_, inner) => named(inner, lasers, detectors),
            }
        }
    }

    #[test]
    fn every_laser_and_detector_that_an_operation_names_is_asked_for_at_the_instrument() {
        let more = [
            ("scpi", serde_json::json!({ "command": "*CLS" })),
            ("wait", serde_json::json!({ "seconds": 1 })),
            ("wait", serde_json::json!({ "at": "12:00" })),
        ];
        for (name, fields) in crate::operation::samples::samples().into_iter().chain(more) {
            let text = serde_json::json!({ "name": "t", "steps": [{ name: fields }] }).to_string();
            let recipe = Recipe::from_text("t.yaml", &text, None, &[]).unwrap();
            let walked = walk(|host| recipe.perform(host), recipe.sources(), Circumstances::default());
            let (mut lasers, mut detectors) = (BTreeSet::new(), BTreeSet::new());
            named(&fields, &mut lasers, &mut detectors);
            let needs = needs(recipe.header(), &walked.all());
            assert_eq!(
                (needs.lasers, needs.detectors),
                (lasers, detectors),
                "`lasers` and `detectors` of `{name}` in src/operation/traits/table.rs"
            );
        }
    }

    #[test]
    fn lasers_are_asked_for_what_their_models_have() {
        let tls = |fields: &str| said(&format!("steps:\n  - configure_tls: {{ tls: 1, {fields} }}\n"));
        assert_eq!(tls("laser: 1, speed_nm_s: 33, power_dbm: 10"), [""; 0]);
        assert_eq!(tls("speed_nm_s: 30"), ["3 laser 1 (T100S-HP) cannot sweep at 30 nm/s"]);
        assert_eq!(tls("laser: 2, speed_nm_s: 33"), ["3 laser 2 (T200S-O-M) cannot sweep at 33 nm/s"]);
        assert_eq!(
            tls("power_dbm: 11"),
            ["3 11 dBm is more than laser 1 (T100S-HP) can emit (at most 10 dBm)"]
        );
        assert_eq!(
            tls("laser: 2, start_nm: 1500, stop_nm: 1600"),
            ["3 1500 nm is outside the band of laser 2 (T200S-O-M, 1260 to 1360 nm)"]
        );
        assert_eq!(tls("laser: 3"), ["3 laser 3 does not exist"]);
        assert_eq!(tls("laser: 4, speed_nm_s: 200, power_dbm: 13, trigger_in: 8"), [""; 0]);
        assert_eq!(tls("laser: 4, power_dbm: 13.5").len(), 1);
        assert_eq!(tls("laser: 5, speed_nm_s: 33.5, trigger_in: 0"), [""; 0]);
        assert_eq!(tls("laser: 5, speed_nm_s: 200"), ["3 laser 5 (mSWS-A1SLS) cannot sweep at 200 nm/s"]);
        assert_eq!(tls("laser: 5, trigger_in: 1"), ["3 laser 5 (VIAVI, mSWS-A1SLS) has no trigger input"]);
    }

    #[test]
    fn a_scan_in_a_band_that_no_laser_has_is_an_error() {
        let steps = "steps:
  - configure_tls: { tls: 1, laser: 2 }
  - sweep: { start_nm: 1500, stop_nm: 1600 }
";
        assert_eq!(said(steps), ["4 no laser of the scan reaches 1500 to 1600 nm"]);
        // The other laser's model does not tell its band.
        let beside = "steps:
  - configure_tls: { tls: 2, laser: 2 }
  - sweep: { start_nm: 1500, stop_nm: 1600 }
";
        assert_eq!(said(beside), [""; 0]);
    }

    #[test]
    fn detectors_of_steps_and_of_the_power_log_have_to_be_there() {
        assert_eq!(
            said("steps:\n  - read_power: { detectors: [4/1, 7/1] }\n"),
            ["3 detector `7/1` of this instrument does not reply"]
        );
        assert_eq!(
            said("record_power: { detectors: [7/1] }\nsteps: []\n"),
            ["0 detector `7/1` of this instrument does not reply"]
        );
    }

    #[test]
    fn detectors_and_lasers_of_a_suspension_have_to_be_there_too() {
        let steps = "steps: [ { sweep: {} } ]
suspend_when:
  probe:
    - configure_laser: { laser: 3, output: true }
    - read_power: { id: tap, detector: 7/1 }
  condition: steps.tap.value < -20
  timeout_s: 60
";
        assert_eq!(
            said(steps),
            ["5 laser 3 does not exist", "6 detector `7/1` of this instrument does not reply"]
        );
    }
}
