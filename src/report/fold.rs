//! Computes the report of a run from its manifest and events. It is a pure fold, so that every ending can be tested
//! without a run.

mod steps;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::format::{clip, finish_command, only_the_end_failed};
use super::page::results::is_late;
use super::places::Places;
use super::value::{About, Consequence, Counts, Holds, LasersEnd, LinkLoss, More, Power, Report, Warning};
use crate::measurement::PowerLevels;
use crate::run::events::{Record, RunEvent};
use crate::run::state::counts::Counts as RunCounts;
use crate::run::state::results::Results;
use crate::run::state::verdicts::Verdicts;
use crate::step::Outcome;
use crate::store::{Manifest, RunState, StoreError};
use steps::{Current, push_bounded};

/// Highest number of figures in a report.
const MOST_FIGURES: usize = 10_000;
/// Highest number of further figures, which did not pass.
const MOST_LATE_FIGURES: usize = 1_000;

/// Computes the report. `records` are the records of the journal in order. An unreadable line is counted and skipped.
pub fn fold(
    manifest: &Manifest,
    folder: &str,
    records: impl IntoIterator<Item = Result<Record, StoreError>>,
) -> Report {
    let mut fold = Fold::begin(manifest, folder);
    for record in records {
        match record {
            Ok(record) => fold.take(&record),
            Err(_) => fold.report.unreadable_lines += 1,
        }
    }
    fold.end()
}

struct Fold {
    report: Report,
    places: Places,
    /// The step under way is the last one. Those before it wait while an earlier one is performed again, as a sweep is for
    /// its fetch.
    under_way: Vec<Current>,
    begun: u64,
    finally: bool,
    ended: bool,
    lasers_told: bool,
    last: DateTime<Utc>,
    /// By the clock of the run, s.
    elapsed_s: Option<f64>,
    /// The place of each stored trace, by its file.
    stored: BTreeMap<String, Option<usize>>,
    /// The levels in each file of recorded power.
    levels: Vec<(String, Vec<PowerLevels>)>,
    /// What counts of the steps.
    counts: RunCounts,
    /// The place of each step that counts, by its number.
    place_of: BTreeMap<u64, Option<usize>>,
    verdicts: Verdicts,
    results: Results,
}

impl Fold {
    fn begin(manifest: &Manifest, folder: &str) -> Self {
        let report = Report {
            schema_version: 1,
            run: manifest.run.clone(),
            name: manifest.name.clone(),
            state: manifest.status,
            reason: manifest.reason.as_deref().map(clip),
            verdict: None,
            verdicts: None,
            simulated: manifest.instrument.simulated,
            started: manifest.started,
            finished: manifest.finished,
            seconds: 0.0,
            estimated_s: None,
            counts: Counts::default(),
            faults: Vec::new(),
            missing: Vec::new(),
            finish_command: None,
            lasers: LasersEnd::NoEnd,
            lasers_off: Vec::new(),
            lasers_unknown: Vec::new(),
            instruments_safe: Vec::new(),
            instruments_unknown: Vec::new(),
            link_losses: Vec::new(),
            holds: Holds::default(),
            prompts: Vec::new(),
            warnings: Vec::new(),
            power: Power::default(),
            kinds: Vec::new(),
            places: Vec::new(),
            traces: Vec::new(),
            yields: Vec::new(),
            figures: Vec::new(),
            golden: Vec::new(),
            wafers: Vec::new(),
            more: More::default(),
            unreadable_lines: 0,
            about: About {
                folder: folder.to_owned(),
                recipe: manifest.recipe.clone(),
                parameters: manifest.parameters.clone(),
                metadata: manifest.metadata.clone(),
                instrument: manifest.instrument.clone(),
                instruments: manifest.instruments.clone(),
                simulator: manifest.simulator.clone(),
                host: manifest.host.clone(),
                used_scpi: manifest.used_scpi,
                report_by: env!("CARGO_PKG_VERSION").to_owned(),
            },
        };
        Self {
            report,
            places: Places::default(),
            under_way: Vec::new(),
            begun: 0,
            finally: false,
            ended: false,
            lasers_told: false,
            last: manifest.started,
            elapsed_s: None,
            stored: BTreeMap::new(),
            levels: Vec::new(),
            counts: RunCounts::default(),
            place_of: BTreeMap::new(),
            verdicts: Verdicts::default(),
            results: Results::default(),
        }
    }

    fn take(&mut self, record: &Record) {
        let time = record.time;
        self.last = self.last.max(time);
        self.elapsed_s = record.elapsed_s.or(self.elapsed_s);
        if let RunEvent::StepStarted { number, step, .. } = &record.event {
            let place = self.places.index_of(step, self.finally);
            self.place_of.entry(*number).or_insert(place);
        }
        self.verdicts.apply(&record.event);
        self.results.apply(&record.event);
        for change in self.counts.apply(&record.event) {
            self.count(change);
        }
        let report = &mut self.report;
        match &record.event {
            RunEvent::Started { estimated_s, outline, .. } => {
                report.estimated_s = *estimated_s;
                let foreseen: u64 = outline.iter().map(|step| step.traces).sum();
                report.counts.traces_foreseen = estimated_s.map(|_| foreseen);
                self.places = Places::foresee(outline);
            }
            RunEvent::RunResumed { .. } => self.resume(),
            RunEvent::StepStarted { number, attempt, step, estimated_s } => {
                self.begin_step(*number, *attempt, step, *estimated_s, time);
            }
            RunEvent::TraceStored { trace } => self.take_trace(trace),
            RunEvent::TraceWithdrawn { file, .. } => self.withdraw_trace(file),
            RunEvent::PowerStored { segment } => {
                report.power.readings += segment.rows;
                report.power.files += 1;
                self.levels.push((segment.file.clone(), segment.levels.clone()));
            }
            RunEvent::PowerWithdrawn { file, rows, .. } => {
                self.levels.retain(|(known, _)| known != file);
                report.power.readings = report.power.readings.saturating_sub(*rows);
                report.power.files = report.power.files.saturating_sub(1);
            }
            RunEvent::StepFinished { seconds, outcome, .. } => {
                if let Outcome::Power(readings) = outcome {
                    report.power.by_recipe += readings.len() as u64;
                }
                self.finish_step(*seconds);
            }
            RunEvent::StepFailed { fault, then, .. } => self.take_fault(time, fault, *then),
            RunEvent::Question { number, message, .. } => self.ask(time, *number, message),
            RunEvent::Answered { number, answer, by_operator } => {
                self.answer(time, *number, answer, *by_operator);
            }
            RunEvent::Warning { message } => {
                let warning = Warning { time, elapsed_s: record.elapsed_s, message: clip(message) };
                push_bounded(&mut report.warnings, &mut report.more.warnings, warning);
            }
            RunEvent::LinkLost { reason } => {
                let (elapsed_s, reason) = (record.elapsed_s, clip(reason));
                let loss = LinkLoss { time, elapsed_s, reason, seconds: None };
                push_bounded(&mut report.link_losses, &mut report.more.link_losses, loss);
            }
            RunEvent::LinkRegained { after_s } => {
                if let Some(loss) = report.link_losses.last_mut().filter(|_| report.more.link_losses == 0) {
                    loss.seconds.get_or_insert(*after_s);
                }
            }
            RunEvent::PauseEnded { after_s, .. } => {
                report.holds.times += 1;
                report.holds.seconds += after_s;
            }
            RunEvent::Finally => self.finally = true,
            RunEvent::LasersOff { off, unknown } => {
                self.lasers_told = true;
                report.lasers_off.clone_from(off);
                report.lasers_unknown.clone_from(unknown);
            }
            RunEvent::InstrumentsSafe { safe, unknown } => {
                report.instruments_safe.clone_from(safe);
                report.instruments_unknown.clone_from(unknown);
            }
            RunEvent::Finished { state, reason, .. } => {
                // The journal is written before the manifest, so its end takes precedence.
                report.state = *state;
                report.reason = reason.as_deref().map(clip);
                report.finished.get_or_insert(time);
                self.ended = true;
            }
            RunEvent::SweepRepeated { .. }
            | RunEvent::Decided { .. }
            | RunEvent::SettingsRead { .. }
            | RunEvent::ReferenceTaken { .. }
            | RunEvent::ReferenceUsed { .. }
            | RunEvent::WaitsUntil { .. }
            | RunEvent::Progress { .. }
            | RunEvent::ColumnsDecided { .. }
            | RunEvent::Log { .. }
            | RunEvent::Now { .. }
            | RunEvent::Paused
            | RunEvent::LasersPaused { .. }
            | RunEvent::DiskFull { .. }
            | RunEvent::DiskSpaceAgain { .. }
            | RunEvent::Suspended { .. }
            | RunEvent::SuspensionOver
            | RunEvent::Stopping { .. } => {}
        }
    }

    fn end(mut self) -> Report {
        let report = &mut self.report;
        for one in self.levels.iter().flat_map(|(_, levels)| levels) {
            PowerLevels::add(&mut report.power.levels, one);
        }
        let until = report.finished.unwrap_or(self.last);
        let by_clock = || (until - report.started).as_seconds_f64().max(0.0);
        report.seconds = self.elapsed_s.unwrap_or_else(by_clock);
        report.lasers = match (self.lasers_told, self.ended) {
            (true, _) if report.lasers_unknown.is_empty() => LasersEnd::Off,
            (true, _) => LasersEnd::Unknown,
            (false, true) => LasersEnd::LeftOn,
            (false, false) => LasersEnd::NoEnd,
        };
        if report.lasers == LasersEnd::NoEnd && report.state != RunState::Running {
            report.lasers_unknown = report.about.instrument.lasers.keys().copied().collect();
            report.instruments_unknown =
                report.about.instruments.iter().map(|known| known.name.clone()).collect();
        }
        // Steps without an end were in progress when the run was stopped or interrupted.
        report.counts.cut_short = self.begun.saturating_sub(report.counts.done + report.counts.failed);
        self.places.cut_short();
        report.counts.skipped = self.places.skipped();
        if report.state != RunState::Done && !only_the_end_failed(report) {
            report.missing = self.places.missing();
            if report.state != RunState::Running && !(self.ended && only_passed_over(report)) {
                report.finish_command = Some(finish_command(&report.about.folder));
            }
        } else {
            self.caught();
        }
        self.add_figures();
        (self.report.places, self.report.kinds) = self.places.end();
        self.report
    }

    /// Adds the figures up to a limit. Figures that did not pass have a limit of their own.
    fn add_figures(&mut self) {
        let report = &mut self.report;
        report.verdict = self.verdicts.worst();
        report.verdicts = report.verdict.map(|_| self.verdicts.summary());
        report.yields = self.verdicts.yields();
        report.wafers = self.results.maps();
        report.golden = self.results.golden();
        let mut late = 0;
        for line in self.results.lines() {
            let is_late = report.figures.len() >= MOST_FIGURES && is_late(&line);
            late += usize::from(is_late);
            if report.figures.len() < MOST_FIGURES || (is_late && late <= MOST_LATE_FIGURES) {
                report.figures.push(line);
            } else {
                report.more.figures += 1;
            }
        }
    }
}

/// Whether the run ended and every fault was skipped, so that `resume` would repeat nothing.
fn only_passed_over(report: &Report) -> bool {
    let mut passed_over = report.faults.iter().filter(|fault| fault.consequence == Consequence::PassedOver);
    let others = [Consequence::EndedRun, Consequence::EndedFinally];
    report.state == RunState::Failed
        && passed_over.next().is_some()
        && report.more.faults == 0
        && report.counts.cut_short == 0
        && !report.faults.iter().any(|fault| others.contains(&fault.consequence))
}
