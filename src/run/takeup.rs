//! Taking an interrupted run up again: how far its past holds, what is left to do, and the engine's state at that
//! point.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::engine::Engine;
use super::event::RunEvent;
use super::past::{Asked, Past, Performed};
use super::publish::Events;
use super::replay::ReplayHost;
use super::settle::Unit;
use crate::forecast::{self, Circumstances, Walk};
use crate::operation::{FetchTrace, Operation};
use crate::recipe::Recipe;
use crate::step::{Fault, FaultKind, Outcome};
use crate::store::{
    Durability, InstrumentRecord, Manifest, RunFolder, RunState, StoreError, read_run_journal,
};

/// What is left of an interrupted run.
#[derive(Debug)]
pub struct Foreseen {
    /// What holds.
    pub past: Past,
    /// The operations that are left, in order.
    pub left: Walk,
    /// A step whose end is not recorded and that may not be repeated by itself.
    pub undecided: Option<Performed>,
}

/// Reads the past of the run in this folder.
///
/// # Errors
/// When its journal cannot be read.
pub fn past(folder: &Path) -> Result<Past, StoreError> {
    let mut past = Past::default();
    match read_run_journal::<super::event::Record>(folder) {
        Ok(records) => {
            for record in records {
                past.apply(&record?.event);
            }
        }
        // Its process was gone before it had begun one.
        Err(StoreError::Read { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    Ok(past)
}

/// Finds out how far the past of a run holds, by telling it to the recipe again, and what comes after it. Touches
/// neither the instrument nor the folder.
///
/// # Errors
/// When the recipe goes another way than it went, or when nothing is left that could end otherwise.
pub fn foresee(
    recipe: &Recipe,
    past: &Past,
    folder: &Path,
    circumstances: Circumstances,
) -> Result<Foreseen, Fault> {
    let mut count = past.done();
    let first_open = past.asked.get(count).and_then(Asked::step);
    let no_ask = |step: &&Performed| {
        // On the embedded instrument there is nothing to connect.
        !(circumstances.simulated && matches!(step.step.operation, Operation::CreateReference(_)))
    };
    let undecided_of =
        |step: &Performed| Some(step).filter(|step| step.is_undecided()).filter(no_ask).cloned();
    let mut undecided = first_open.and_then(undecided_of);
    loop {
        let mut kept = past.clone();
        kept.keep(count);
        let (left, ended, certain) = replay(recipe, &kept, folder, circumstances)?;
        let ahead =
            left.steps.iter().filter(|planned| !planned.finally).map(|planned| &planned.step.operation);
        if certain && ahead.clone().next().is_none() {
            match ended {
                // It would only fail again as it did: the step that failed is what is left to do.
                Err(fault) => match kept.asked.iter().rposition(|asked| failed_with(asked, &fault)) {
                    Some(at) => {
                        undecided = kept.asked[at].step().and_then(undecided_of);
                        count = at;
                        continue;
                    }
                    None => return Err(fault.hint("the recipe itself failed: it would fail again")),
                },
                Ok(()) if past.ended == Some(RunState::Failed) => {
                    let message = "every step has been done or was passed over: nothing is left to do";
                    return Err(Fault::new(FaultKind::Refused, message));
                }
                Ok(()) => {}
            }
        }
        // The unit is a sweep with its fetches: what is in memory now need not be what that sweep left there.
        let is_scan = |op: &Operation| matches!(op, Operation::Sweep(_) | Operation::CreateReference(_));
        let wants_sweep = ahead.take_while(|op| !is_scan(op)).any(fetches_live);
        let last_scan = kept.asked.iter().rposition(|a| a.step().is_some_and(|s| is_scan(&s.step.operation)));
        if let Some(at) = last_scan.filter(|at| wants_sweep && swept(&kept.asked[*at])) {
            count = at;
            continue;
        }
        return Ok(Foreseen { past: kept, left, undecided });
    }
}

/// Tells a recipe its past; gives what it asks for behind it, how it ended, and whether it would end so again.
fn replay(
    recipe: &Recipe,
    past: &Past,
    folder: &Path,
    circumstances: Circumstances,
) -> Result<(Walk, Result<(), Fault>, bool), Fault> {
    let (mut ended, mut diverged, mut certain) = (Ok(()), None, true);
    let left = forecast::walk(
        |live| {
            let host = ReplayHost::new(past.asked.clone(), folder.to_owned(), live).with_held(past);
            ended = recipe.perform(&host);
            diverged = host.diverged();
            certain = !host.asked_for_time();
            ended.clone()
        },
        recipe.sources(),
        circumstances,
    );
    diverged.map_or(Ok((left, ended, certain)), Err)
}

fn failed_with(asked: &Asked, fault: &Fault) -> bool {
    let told = asked.step().and_then(|step| step.told.as_ref());
    matches!(told, Some(Err(known)) if known.kind == fault.kind && known.message == fault.message)
}

/// Whether it is a sweep that ended well.
fn swept(asked: &Asked) -> bool {
    asked.step().is_some_and(|step| {
        matches!(step.step.operation, Operation::Sweep(_))
            && matches!(&step.told, Some(Ok(outcome)) if !matches!(outcome, Outcome::Failed(_)))
    })
}

fn fetches_live(operation: &Operation) -> bool {
    matches!(operation, Operation::FetchTrace(fetch) if wants_live(fetch))
}

/// Whether it asks for what the last sweep left in memory.
pub(super) fn wants_live(fetch: &FetchTrace) -> bool {
    fetch.traces.iter().any(|kind| !kind.is_reference())
}

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
