//! Taking an interrupted run up again: what is said and withdrawn at its beginning, and the engine's state where its past
//! ends.

use crate::instrument::limits::Limits;
use crate::run::engine::Engine;
use crate::run::engine::repeat::Unit;
use crate::run::events::RunEvent;
use crate::run::events::log::Events;
use crate::run::resume::damage::Damage;
use crate::run::resume::repair::Repairs;
use crate::run::resume::transcript::{Asked, Performed, Transcript};
use crate::step::{Fault, Outcome};
use crate::store::{
    Durability, Fate, InstrumentRecord, Leftover, Manifest, PowerSegment, RunFolder, RunState, StoreError,
};

/// An interrupted run as it is taken up.
#[derive(Debug)]
pub struct Resumption {
    /// The run's manifest as it was left.
    pub manifest: Manifest,
    /// What holds of its past.
    pub past: Transcript,
    /// What somebody decided about a step without an end.
    pub decided: Option<RunEvent>,
    /// Files that the journal does not know.
    pub leftovers: Vec<Leftover>,
    /// What was found of the files that the journal knows.
    pub damage: Damage,
    /// Sweeps in the middle of the past that are done again.
    pub repairs: Repairs,
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
    pub(in crate::run) fn manifest(&self) -> Manifest {
        Manifest {
            status: RunState::Running,
            reason: None,
            finished: None,
            elapsed_s: None,
            traces: None,
            failed_steps: None,
            lasers_unknown: Vec::new(),
            taken_up: self.past.taken_up + u64::from(self.past.started),
            ..self.manifest.clone()
        }
    }

    /// Makes the folder ready, before anything is written to it; gives what is to be said of that.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(in crate::run) fn mend(&self, folder: &mut RunFolder) -> Result<Vec<String>, StoreError> {
        let (torn_bytes, moved) = folder.repair(&self.leftovers)?;
        let mut said = Vec::new();
        if torn_bytes > 0 {
            said.push(format!("the last line of the journal was torn: {torn_bytes} bytes were cut off"));
        }
        said.extend(
            moved.into_iter().map(|(file, to)| {
                format!("`{file}` is not in the journal of this run: it was moved to `{to}`")
            }),
        );
        Ok(said)
    }

    /// Says that the run goes on, and withdraws the traces that will be measured again.
    pub(in crate::run) fn begin(&self, folder: &RunFolder, events: &Events) -> Result<(), Fault> {
        if let Some(decided) = &self.decided {
            events.tell(decided.clone(), Durability::Now)?;
        }
        let taken_up = RunEvent::TakenUp {
            pid: std::process::id(),
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            ctp10: env!("CARGO_PKG_VERSION").to_owned(),
            replayed: self.past.asked.len() as u64,
            steps: self.past.steps().count() as u64,
            removed: self.left_over(|fate| fate != Fate::Aside),
            aside: self.left_over(|fate| fate == Fate::Aside),
        };
        events.tell(taken_up, Durability::Now)?;
        self.put_damaged_aside(folder, events)?;
        for trace in self.past.left_over() {
            let reason = "its sweep was not followed by all of its fetches: it is done again".to_owned();
            crate::run::engine::fetch::withdraw(folder, events, &trace, reason)?;
        }
        Ok(())
    }

    fn left_over(&self, wanted: impl Fn(Fate) -> bool) -> Vec<String> {
        let wanted = self.leftovers.iter().filter(|left| wanted(left.fate));
        wanted.map(|left| left.file.clone()).collect()
    }

    /// What is there of a damaged file goes to `aside/`, and is said.
    fn put_damaged_aside(&self, folder: &RunFolder, events: &Events) -> Result<(), Fault> {
        for (file, what) in &self.damage.traces {
            let moved =
                folder.move_aside(file)?.map(|to| format!(", and is in `{to}` now")).unwrap_or_default();
            let message = format!("`{file}` {what}{moved}: its sweep is done again");
            events.say(RunEvent::Warning { message })?;
        }
        for (segment, what) in &self.damage.segments {
            let PowerSegment { file, rows, .. } = segment.clone();
            let moved =
                folder.move_aside(&file)?.map(|to| format!(", and is in `{to}` now")).unwrap_or_default();
            let message = format!(
                "`{file}` {what}{moved}: readings of `read_power` are stored anew from the journal, those of \
                 `record_power` are lost"
            );
            let withdrawn = RunEvent::PowerWithdrawn { file, rows, reason: what.clone() };
            events.tell(withdrawn, Durability::Now)?;
            events.say(RunEvent::Warning { message })?;
        }
        Ok(())
    }

    /// Brings the engine to where the past ends; gives what is to be told to the recipe.
    pub(in crate::run) fn enter(self, engine: &mut Engine) -> Result<Vec<Asked>, Fault> {
        let past = self.past;
        let session = &mut engine.session;
        session.lasers.extend(&past.touched.lasers);
        session.lasers_of_scan_unknown = past.touched.scanned;
        session.used_scpi = past.touched.used_scpi;
        session.all_lasers = past.touched.commanded;
        session.unsettled = past.started;
        if let Some(commands) = &past.settings_at_beginning {
            session.configuration.take_over(commands, true);
        }
        for step in past.steps() {
            engine.number = engine.number.max(step.number);
            session.trace_index = session.trace_index.max(last_trace(step));
            let operation = &step.step.operation;
            engine.bench.perform(operation);
            if operation.traits().is_sweep() {
                session.sweep_index += 1;
                session.attempt = step.attempt;
                session.live_is_old = !step.told.as_ref().is_some_and(
                    |told| matches!(told, Ok(outcome) if !matches!(outcome, Outcome::Failed(_))),
                );
            }
            match &step.told {
                Some(Ok(outcome @ Outcome::Failed(_))) => {
                    engine.failed_steps += 1;
                    session.configuration.note(operation, outcome);
                    Unit::note(&mut session.unit, step.number, &step.step, outcome);
                }
                Some(Ok(outcome)) => {
                    session.configuration.note(operation, outcome);
                    Unit::note(&mut session.unit, step.number, &step.step, outcome);
                    if let Outcome::Power(readings) = outcome {
                        let name = operation.traits().name.unwrap_or_default();
                        let lost = readings.iter().filter(|reading| past.misses_power_of(reading.time_s));
                        for reading in lost {
                            engine.power_log.keep(*reading, name, "recipe")?;
                        }
                    }
                }
                Some(Err(_)) | None => session.configuration.doubt(operation),
            }
            session.configuration.take_over(&step.settings_read, false);
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

/// The highest number of a trace that a step has stored, or has told the recipe of.
fn last_trace(step: &Performed) -> u64 {
    let told = match &step.told {
        Some(Ok(Outcome::Traces(traces))) => traces.as_slice(),
        _ => &[],
    };
    step.traces.iter().chain(told).map(|trace| trace.trace_index).max().unwrap_or(0)
}
