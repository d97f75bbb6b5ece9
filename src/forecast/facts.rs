//! What an instrument has, as it answered, held against what a recipe wants of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::rules::Finding;
use super::walk::PlannedStep;
use crate::instrument::scpi::Identity;
use crate::measurement::{Detector, TraceKind};
use crate::operation::{Operation, Wait};
use crate::source::{Diagnostic, SourceFile};
use crate::step::Step;

/// What was asked of the instrument, queries only.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// The lasers that the recipe uses, by number; `None` for one that is not there.
    pub lasers: BTreeMap<u8, Option<Identity>>,
    /// The laser that serves as each TLS before the recipe sets it; 0 for none.
    pub tls: BTreeMap<u8, u8>,
    /// The detectors that the recipe uses, and whether they are there.
    pub detectors: BTreeMap<Detector, bool>,
    /// The detectors whose transmission is fetched and that have a valid reference already.
    pub referenced: BTreeSet<Detector>,
}

/// What a recipe needs of an instrument.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Lasers, by number.
    pub lasers: BTreeSet<u8>,
    /// Detectors.
    pub detectors: BTreeSet<Detector>,
}

/// Lasers and detectors that a recipe names.
#[must_use]
pub fn needs(steps: &[PlannedStep]) -> Needs {
    let mut needs = Needs::default();
    for planned in steps {
        needs.detectors.extend(detectors(&planned.step.operation));
        match &planned.step.operation {
            Operation::ConfigureLaser(laser) => drop(needs.lasers.insert(laser.laser.get())),
            Operation::ConfigureTls(tls) => {
                needs.lasers.extend(tls.laser.map(|l| l.get()).filter(|l| *l > 0));
            }
            _ => {}
        }
    }
    needs
}

fn detectors(operation: &Operation) -> Vec<Detector> {
    match operation {
        Operation::ConfigureDetector(fields) => vec![fields.detector],
        Operation::CreateReference(fields) => vec![fields.detector],
        Operation::FetchTrace(fields) => fields.detectors.clone(),
        Operation::ReadPower(fields) => fields.detectors.clone(),
        Operation::Wait(Wait::Stable(stable)) => vec![stable.detector],
        _ => Vec::new(),
    }
}

/// What is known of a laser by its model.
struct Model {
    prefix: &'static str,
    speeds_nm_s: &'static [f64],
    max_dbm: f64,
}

/// Speeds and powers as EXFO's models have them. Bands differ from unit to unit: those are the instrument's to refuse.
const MODELS: [Model; 3] = [
    Model {
        prefix: "T100S",
        speeds_nm_s: &[
            5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0, 17.0, 18.0, 20.0, 22.0, 25.0, 29.0,
            33.0, 40.0, 50.0, 67.0, 100.0,
        ],
        max_dbm: 10.0,
    },
    Model { prefix: "T200S", speeds_nm_s: &[10.0, 20.0, 50.0, 100.0, 200.0], max_dbm: 10.0 },
    Model { prefix: "T500S", speeds_nm_s: &[10.0, 20.0, 50.0, 100.0, 200.0], max_dbm: 13.0 },
];

/// The range of wavelengths that a model's name tells, nm: the letter after `S-` is the band.
fn band_nm(model: &str) -> Option<(f64, f64)> {
    // T200S-O-M: the O band.
    model.split('-').any(|part| part == "O").then_some((1260.0, 1360.0))
}

/// What the recipe wants and the instrument does not have.
#[must_use]
pub fn check(steps: &[PlannedStep], facts: &Facts, sources: &[Arc<SourceFile>]) -> Vec<Diagnostic> {
    let mut tls = facts.tls.clone();
    let mut referenced = facts.referenced.clone();
    let mut findings = Vec::new();
    for planned in steps {
        for diagnostic in step(&planned.step, facts, &mut tls, &mut referenced) {
            findings.push(Finding::new(&planned.step.place, diagnostic));
        }
    }
    let mut seen = BTreeSet::new();
    findings
        .into_iter()
        .filter(|finding| seen.insert(format!("{:?} {}", finding.place, finding.diagnostic.message)))
        .map(|finding| finding.located(sources))
        .collect()
}

fn step(
    step: &Step,
    facts: &Facts,
    tls: &mut BTreeMap<u8, u8>,
    referenced: &mut BTreeSet<Detector>,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for detector in detectors(&step.operation) {
        if facts.detectors.get(&detector) == Some(&false) {
            let known: Vec<String> = facts
                .detectors
                .iter()
                .filter(|(_, there)| **there)
                .map(|(known, _)| format!("`{known}`"))
                .collect();
            let hint = if known.is_empty() {
                "check the module's slot".to_owned()
            } else {
                format!("there: {}", known.join(", "))
            };
            found.push(
                Diagnostic::error(format!("detector `{detector}` does not answer on this instrument"))
                    .hint(hint),
            );
        }
    }
    match &step.operation {
        Operation::ConfigureLaser(fields) => {
            let laser = fields.laser.get();
            found.extend(absent(laser, facts));
            found.extend(too_strong(laser, fields.power_dbm.map(|power| power.get()), facts));
            found.extend(fields.wavelength_nm.and_then(|nm| outside(laser, nm.get(), facts)));
        }
        Operation::ConfigureTls(fields) => {
            if let Some(laser) = fields.laser {
                tls.insert(fields.tls.get(), laser.get());
            }
            let laser = tls.get(&fields.tls.get()).copied().unwrap_or_default();
            found.extend(absent(laser, facts));
            found.extend(too_strong(laser, fields.power_dbm.map(|power| power.get()), facts));
            found.extend(fields.speed_nm_s.and_then(|speed| too_odd(laser, speed.get(), facts)));
            for nm in [fields.start_nm, fields.stop_nm].into_iter().flatten() {
                found.extend(outside(laser, nm.get(), facts));
            }
        }
        Operation::CreateReference(fields) => drop(referenced.insert(fields.detector)),
        Operation::FetchTrace(fields) if fields.traces.contains(&TraceKind::Tf) => {
            for detector in fields.detectors.iter().filter(|detector| !referenced.contains(detector)) {
                found.push(
                    Diagnostic::error(format!("`{detector}` has no valid reference on this instrument"))
                        .hint("add `create_reference` before the sweep, or fetch `raw`"),
                );
            }
        }
        _ => {}
    }
    found
}

fn absent(laser: u8, facts: &Facts) -> Option<Diagnostic> {
    let missing = facts.lasers.get(&laser).is_some_and(Option::is_none);
    let known: Vec<String> =
        facts.lasers.iter().filter(|(_, l)| l.is_some()).map(|(n, _)| n.to_string()).collect();
    missing.then(|| {
        Diagnostic::error(format!("laser {laser} is not there"))
            .hint(format!("lasers that answer: {}", known.join(", ")))
    })
}

fn identity(laser: u8, facts: &Facts) -> Option<&Identity> {
    facts.lasers.get(&laser)?.as_ref()
}

fn model(laser: u8, facts: &Facts) -> Option<(&str, &'static Model)> {
    let name = identity(laser, facts)?.model.as_str();
    Some((name, MODELS.iter().find(|model| name.starts_with(model.prefix))?))
}

fn too_strong(laser: u8, dbm: Option<f64>, facts: &Facts) -> Option<Diagnostic> {
    let (name, model) = model(laser, facts)?;
    let dbm = dbm.filter(|dbm| *dbm > model.max_dbm)?;
    Some(Diagnostic::error(format!(
        "{dbm} dBm is more than laser {laser} ({name}) gives (at most {} dBm)",
        model.max_dbm
    )))
}

fn too_odd(laser: u8, speed: f64, facts: &Facts) -> Option<Diagnostic> {
    let (name, model) = model(laser, facts)?;
    if model.speeds_nm_s.contains(&speed) {
        return None;
    }
    let allowed: Vec<String> = model.speeds_nm_s.iter().map(ToString::to_string).collect();
    let message = format!("laser {laser} ({name}) does not sweep at {speed} nm/s");
    Some(Diagnostic::error(message).hint(format!("it has {} nm/s", allowed.join(", "))))
}

fn outside(laser: u8, nm: f64, facts: &Facts) -> Option<Diagnostic> {
    let identity = identity(laser, facts)?;
    let (low, high) = band_nm(&identity.model)?;
    if (low..=high).contains(&nm) {
        return None;
    }
    let message =
        format!("{nm} nm is outside the band of laser {laser} ({}, {low} to {high} nm)", identity.model);
    Some(Diagnostic::error(message))
}
