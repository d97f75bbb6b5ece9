//! Taking an interrupted run up again: what is said and withdrawn at its beginning, and the engine's state where its past
//! ends.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::engine::Engine;
use super::event::RunEvent;
use super::past::{Asked, Past};
use super::publish::Events;
use super::repeat::Unit;
use crate::instrument::limits::Limits;
use crate::operation::Operation;
use crate::step::{Fault, Outcome};
use crate::store::{Durability, InstrumentRecord, Manifest, RunFolder, RunState};

/// An interrupted run as it is taken up.
#[derive(Debug)]
pub struct Resumption {
    /// The run's manifest as it was left.
    pub manifest: Manifest,
    /// What holds of its past.
    pub past: Past,
    /// What somebody decided about a step without an end.
    pub decided: Option<RunEvent>,
    /// Files that the journal did not know; they are gone.
    pub removed: Vec<String>,
}

impl Resumption {
    /// Why the run cannot go on with this instrument: what was measured before was measured with another one.
    #[must_use]
    pub fn other_instrument(&self, found: &InstrumentRecord) -> Option<String> {
        let known = &self.manifest.instrument;
        let other = |what: &str, known: &str, found: &str| {
            (known != found).then(|| format!("{what}: the run began with `{known}`, and this is `{found}`"))
        };
        let kind = |simulated| if simulated { "a simulated one" } else { "a real one" };
        let lasers = known.lasers.iter().filter_map(|(number, identity)| {
            let found = found.lasers.get(number).map_or("none", String::as_str);
            other(&format!("laser {number}"), identity, found)
        });
        other("instrument", kind(known.simulated), kind(found.simulated))
            .or_else(|| other("instrument", &known.identity, &found.identity))
            .or_else(|| lasers.reduce(|first, _| first))
    }

    /// The limits of the bench that the run was begun under.
    ///
    /// # Errors
    /// When they cannot be read: a limit that was meant to hold must not be lost.
    pub fn limits(&self) -> Result<Limits, String> {
        let Some(limits) = &self.manifest.limits else { return Ok(Limits::default()) };
        serde_json::from_value(limits.clone())
            .map_err(|error| format!("`limits` in the run's `run.json` cannot be read: {error}"))
    }

    /// The manifest of the run that goes on.
    pub(super) fn manifest(&self) -> Manifest {
        Manifest {
            status: RunState::Running,
            reason: None,
            finished: None,
            traces: None,
            failed_steps: None,
            lasers_unknown: Vec::new(),
            taken_up: self.past.taken_up + u64::from(self.past.started),
            ..self.manifest.clone()
        }
    }

    /// Says that the run goes on, and withdraws the traces that will be measured again.
    pub(super) fn begin(&self, folder: &RunFolder, events: &Events) -> Result<(), Fault> {
        if let Some(decided) = &self.decided {
            events.tell(decided.clone(), Durability::Now)?;
        }
        let taken_up = RunEvent::TakenUp {
            pid: std::process::id(),
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            ctp10: env!("CARGO_PKG_VERSION").to_owned(),
            replayed: self.past.asked.len() as u64,
            steps: self.past.steps().count() as u64,
            removed: self.removed.clone(),
        };
        events.tell(taken_up, Durability::Now)?;
        for trace in self.past.left_over() {
            let reason = "its sweep was not followed by all of its fetches: it is done again".to_owned();
            super::fetch::withdraw(folder, events, &trace, reason)?;
        }
        Ok(())
    }

    /// Brings the engine to where the past ends; gives what is to be told to the recipe.
    pub(super) fn enter(self, engine: &mut Engine) -> Result<Vec<Asked>, Fault> {
        let past = self.past;
        let session = &mut engine.session;
        session.lasers.extend(&past.touched.lasers);
        session.lasers_of_scan_unknown = past.touched.scanned;
        session.used_scpi = past.touched.used_scpi;
        session.all_lasers = past.touched.commanded;
        session.unsettled = past.started;
        for step in past.steps() {
            engine.number = engine.number.max(step.number);
            session.trace_index += step.traces.len() as u64;
            let operation = &step.step.operation;
            engine.bench.perform(operation);
            if let Operation::Sweep(_) = operation {
                session.sweep_index += 1;
                session.attempt = step.attempt;
                session.live_is_old = !step.told.as_ref().is_some_and(
                    |told| matches!(told, Ok(outcome) if !matches!(outcome, Outcome::Failed(_))),
                );
            }
            match &step.told {
                Some(Ok(outcome @ Outcome::Failed(_))) => {
                    engine.failed_steps += 1;
                    Unit::note(&mut session.unit, step.number, &step.step, outcome);
                }
                Some(Ok(outcome)) => {
                    session.configuration.note(operation, outcome);
                    Unit::note(&mut session.unit, step.number, &step.step, outcome);
                    if let (Outcome::Power(readings), Operation::ReadPower(fields)) = (outcome, operation) {
                        let lost = readings.iter().filter(|reading| reading.time_s > past.power_until_s);
                        for reading in lost {
                            let name = fields.name.clone().unwrap_or_default();
                            engine.power_log.keep(*reading, &name, "recipe")?;
                        }
                    }
                }
                _ => {}
            }
        }
        if let Some(unit) = &mut session.unit {
            unit.stale = true;
        }
        session.unlit = session.configuration.lit();
        let asked = past.asked.clone();
        engine.past = past;
        // The guard of this process knows at once what the earlier ones have set.
        engine.pulse.claim(engine.lasers_of_run());
        Ok(asked)
    }
}

/// The files that the journal knows of.
#[must_use]
pub fn known_files(past: &Past) -> BTreeSet<String> {
    past.stored.iter().map(|trace| trace.file.clone()).chain(past.segments.iter().cloned()).collect()
}

/// Where the copy of the recipe is.
#[must_use]
pub fn recipe_copy(folder: &Path, manifest: &Manifest) -> Option<PathBuf> {
    manifest.recipe.files.first().map(|file| folder.join(file))
}
