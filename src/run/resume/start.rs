//! The start of a resumed run: its first records, and the traces that are withdrawn before its first step.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::instrument::limits::Limits;
use crate::instrument::scpi::Identity;
use crate::measurement::{Detector, PowerReading, Stale};
use crate::run::bench::moment_of;
use crate::run::events::RunEvent;
use crate::run::events::log::RunLog;
use crate::run::resume::damage::Damage;
use crate::run::resume::repair::Repairs;
use crate::run::resume::transcript::{Performed, Transcript};
use crate::run::state::configuration::Doubts;
use crate::source::Diagnostic;
use crate::step::{Fault, Outcome};
use crate::store::{
    Fate, InstrumentRecord, Leftover, Manifest, PowerSegment, RunFolder, RunState, StoreError,
};
use crate::units::Minutes;

/// An interrupted run that is resumed.
#[derive(Debug)]
pub struct Resumption {
    /// The manifest before the run is resumed.
    pub manifest: Manifest,
    /// The part of the transcript that holds.
    pub transcript: Transcript,
    /// A person's decision about an interrupted step.
    pub decided: Option<RunEvent>,
    /// Files that are not in the journal.
    pub leftovers: Vec<Leftover>,
    /// Damage of files that are in the journal.
    pub damage: Damage,
    /// Earlier sweeps that are repeated.
    pub repairs: Repairs,
}

impl Resumption {
    /// Why the run cannot be resumed on this instrument: its earlier steps were measured with another one.
    #[must_use]
    pub fn other_instrument(&self, found: &InstrumentRecord) -> Option<String> {
        let known = &self.manifest.instrument;
        let other = |what: &str, known: &str, found: &str| {
            (!Identity::is_same_unit(known, found))
                .then(|| format!("{what}: the run started with `{known}`, but this is `{found}`"))
        };
        let kind = |simulated| if simulated { "a simulator" } else { "a real instrument" };
        let lasers = known.lasers.iter().filter_map(|(number, identity)| {
            let found = found.lasers.get(number).map_or("none", String::as_str);
            other(&format!("laser {number}"), identity, found)
        });
        other("instrument", kind(known.simulated), kind(found.simulated))
            .or_else(|| other("instrument", &known.identity, &found.identity))
            .or_else(|| lasers.reduce(|first, _| first))
    }

    /// A warning if the instrument or a laser has other firmware than at the start of the run.
    #[must_use]
    pub fn other_firmware(&self, found: &InstrumentRecord) -> Option<Diagnostic> {
        let known = &self.manifest.instrument;
        let lasers =
            known.lasers.iter().filter_map(|(number, known)| Some((known, found.lasers.get(number)?)));
        let mut all = std::iter::once((&known.identity, &found.identity)).chain(lasers);
        let (known, found) = all.find(|(known, found)| known != found)?;
        let message =
            format!("the firmware has changed: the run started with `{known}`, but this is `{found}`");
        Some(Diagnostic::warning(message).hint("compare the traces of before and after"))
    }

    /// The limits of the bench under which the run began.
    ///
    /// # Errors
    /// If they cannot be read: a limit must not be lost.
    pub fn limits(&self) -> Result<Limits, String> {
        let Some(limits) = &self.manifest.limits else { return Ok(Limits::default()) };
        serde_json::from_value(limits.clone())
            .map_err(|error| format!("`limits` in the run's `run.json` cannot be read: {error}"))
    }

    /// The manifest of the resumed run.
    pub(in crate::run) fn manifest(&self) -> Manifest {
        Manifest {
            status: RunState::Running,
            reason: None,
            finished: None,
            elapsed_s: None,
            traces: None,
            failed_steps: None,
            verdict: None,
            verdicts: None,
            results: None,
            lasers_unknown: Vec::new(),
            instruments_unknown: Vec::new(),
            taken_up: self.transcript.history.resumed + u64::from(self.transcript.history.started),
            ..self.manifest.clone()
        }
    }

    /// Repairs the folder before anything is written to it. Gives the warnings about that.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub(in crate::run) fn repair_folder(&self, folder: &mut RunFolder) -> Result<Vec<String>, StoreError> {
        let (torn_bytes, moved) = folder.repair(&self.leftovers)?;
        let mut said = Vec::new();
        if torn_bytes > 0 {
            said.push(format!(
                "the last line of the journal was incomplete: {torn_bytes} bytes were removed"
            ));
        }
        said.extend(
            moved.into_iter().map(|(file, to)| {
                format!("`{file}` is not in the journal of this run: it was moved to `{to}`")
            }),
        );
        Ok(said)
    }

    /// Emits that the run is resumed, and withdraws the traces that will be measured again.
    pub(in crate::run) fn begin(&self, folder: &RunFolder, log: &RunLog) -> Result<(), Fault> {
        if let Some(decided) = &self.decided {
            log.emit_durable_blocking(decided.clone())?;
        }
        let taken_up = RunEvent::RunResumed {
            pid: std::process::id(),
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            ctp10: env!("CARGO_PKG_VERSION").to_owned(),
            replayed: self.transcript.asked.len() as u64,
            steps: self.transcript.steps().count() as u64,
            removed: self.left_over(|fate| fate != Fate::Aside),
            aside: self.left_over(|fate| fate == Fate::Aside),
        };
        log.emit_durable_blocking(taken_up)?;
        for (detector, stale) in self.transcript.old_references(Utc::now()) {
            let message = format!("the resumed run keeps the reference of {detector}: {stale}");
            log.emit(RunEvent::Warning { message })?;
        }
        self.put_damaged_aside(folder, log)?;
        for trace in self.transcript.left_over() {
            let reason = "its sweep is repeated, because some of its fetches are missing".to_owned();
            crate::run::engine::fetch::withdraw(folder, log, &trace, reason)?;
        }
        Ok(())
    }

    fn left_over(&self, wanted: impl Fn(Fate) -> bool) -> Vec<String> {
        let wanted = self.leftovers.iter().filter(|left| wanted(left.fate));
        wanted.map(|left| left.file.clone()).collect()
    }

    /// Moves damaged files to `aside/`, with a warning.
    fn put_damaged_aside(&self, folder: &RunFolder, log: &RunLog) -> Result<(), Fault> {
        for (file, what) in &self.damage.traces {
            let moved = folder.move_aside(file)?.map(|to| format!(" (moved to `{to}`)")).unwrap_or_default();
            let message = format!("`{file}` {what}{moved}: its sweep is repeated");
            log.emit(RunEvent::Warning { message })?;
        }
        for (segment, what) in &self.damage.segments {
            let PowerSegment { file, rows, .. } = segment.clone();
            let moved = folder.move_aside(&file)?.map(|to| format!(" (moved to `{to}`)")).unwrap_or_default();
            let message = format!(
                "`{file}` {what}{moved}: readings of `read_power` are stored again from the journal, those of `record_power` are lost"
            );
            let withdrawn = RunEvent::PowerWithdrawn { file, rows, reason: what.clone() };
            log.emit_durable_blocking(withdrawn)?;
            log.emit(RunEvent::Warning { message })?;
        }
        Ok(())
    }
}

impl Transcript {
    /// The doubts about the instrument's settings that the steps have left.
    pub(in crate::run) fn doubts(&self) -> Doubts {
        let mut doubts = Doubts::default();
        for step in self.steps() {
            let operation = &step.step.operation;
            match &step.told {
                Some(Ok(Outcome::Failed(_)) | Err(_)) | None => doubts.add(Doubts::left_by_failed(operation)),
                Some(Ok(outcome)) => doubts.add(Doubts::left_by(operation, outcome)),
            }
            if !step.settings_read.is_empty() || !step.settings_read_after.is_empty() {
                doubts.clear();
            }
        }
        doubts
    }

    /// The references that have become older than the recipe allows. Their step is done, and is not repeated.
    fn old_references(&self, now: DateTime<Utc>) -> Vec<(Detector, Stale)> {
        let mut allowed = BTreeMap::new();
        for reference in self.steps().filter_map(|step| step.step.operation.traits().reference()) {
            allowed.extend(reference.detectors.iter().map(|detector| (*detector, reference.max_age_min)));
        }
        let stale = |(detector, max_age_min): (Detector, Option<Minutes>)| {
            let taken = moment_of(self.history.references.get(&detector)?.taken)?;
            Some((detector, Stale::by_age(taken, now, max_age_min?.get()).err()?))
        };
        allowed.into_iter().filter_map(stale).collect()
    }

    /// The readings of `read_power`, each with its name.
    pub(in crate::run) fn power_readings(&self) -> Vec<(PowerReading, String)> {
        let of_step = |step: &Performed| {
            let name = step.step.operation.traits().name.unwrap_or_default().to_owned();
            let readings = match &step.told {
                Some(Ok(Outcome::Power(readings))) => readings.clone(),
                _ => Vec::new(),
            };
            readings.into_iter().map(move |reading| (reading, name.clone()))
        };
        self.steps().flat_map(of_step).collect()
    }
}
