//! References and their conditions. The instrument reports only the time of a reference, so the conditions are looked
//! up in the journals of the runs.

use std::path::Path;

use chrono::{DateTime, Local, NaiveDateTime, Utc};
use tokio::sync::mpsc;

use super::Bench;
use crate::instrument::ScanSettings;
use crate::instrument::scpi::{Action, Query};
use crate::local_time;
use crate::measurement::{
    CLOCK_DIFFERENCE, CheckLevel, Conditions, Detector, ReferenceRecord, ScanRange, Source, TraceKind,
};
use crate::run::events::{Activity, Record, RunEvent};
use crate::run::explain::refused_scan;
use crate::run::state::configuration::Doubts;
use crate::run::state::history::History;
use crate::step::{Fault, FaultKind};
use crate::store::{RunFolder, read_run_journal, runs};
use crate::threads;
use crate::units::{ReferenceSweeps, dbm_of_milliwatts};

/// The number of runs that are searched, newest first.
const RUNS: usize = 200;
/// Pieces of the check trace that may wait.
const PIECES_WAITING: usize = 16;

/// What is recorded with a new reference.
#[derive(Debug, Clone, Default)]
pub(in crate::run) struct NewReference {
    /// The level of the check detector.
    pub(in crate::run) check: Option<CheckLevel>,
    /// The number of its sweeps; `None` if the recipe does not give it, and until the instrument has reported it.
    pub(in crate::run) sweeps: Option<ReferenceSweeps>,
    /// Why the reference before it is not used any more.
    pub(in crate::run) why: Option<String>,
}

impl From<&ScanSettings> for ScanRange {
    fn from(scan: &ScanSettings) -> Self {
        Self { start_nm: scan.start_nm, stop_nm: scan.stop_nm, resolution_pm: scan.resolution_pm }
    }
}

/// The sources that reach into a scan, each with its part of the scan.
fn sources(scan: &ScanSettings) -> Vec<Source> {
    let source = |tls: &crate::instrument::TlsSettings| Source {
        laser: tls.laser,
        start_nm: tls.start_nm.max(scan.start_nm),
        stop_nm: tls.stop_nm.min(scan.stop_nm),
        power_dbm: tls.power_dbm,
    };
    scan.tls.iter().map(source).filter(|source| source.start_nm < source.stop_nm).collect()
}

/// The moment of a time of the instrument's clock, which is assumed to show local time. If a local time occurs twice,
/// the earlier one counts.
pub(in crate::run) fn moment_of(taken: NaiveDateTime) -> Option<DateTime<Utc>> {
    local_time::moments(&Local, taken.date(), taken.time()).into_iter().next()
}

/// The age of a reference that was taken at a time of the instrument's clock, s.
pub(in crate::run) fn age_s(taken: NaiveDateTime) -> Option<f64> {
    moment_of(taken).map(|at| (Utc::now() - at).as_seconds_f64())
}

impl Bench {
    /// The conditions of a scan, which those of its references must equal.
    pub(in crate::run) fn conditions(&self, scan: &ScanSettings) -> Conditions {
        let serial = self.instrument.last_identity().map(|identity| identity.serial).unwrap_or_default();
        Conditions { serial, sources: sources(scan) }
    }

    /// Records a new reference with its conditions in the journal.
    pub(super) async fn keep_reference(
        &self,
        number: u64,
        (detector, taken): (Detector, NaiveDateTime),
        scan: &ScanSettings,
        NewReference { check, sweeps, why }: NewReference,
    ) -> Result<(), Fault> {
        let Conditions { serial, sources } = self.conditions(scan);
        let reference = ReferenceRecord {
            serial: Some(serial),
            range: Some(ScanRange::from(scan)),
            sources: Some(sources),
            check,
            sweeps,
            ..ReferenceRecord::unknown(detector, taken)
        };
        self.log.emit_durable(RunEvent::ReferenceTaken { number, reference, why }).await
    }

    /// A reference of the instrument with its conditions, as far as this run or another one has recorded them.
    pub(in crate::run) async fn known_reference(
        &self,
        folder: &RunFolder,
        detector: Detector,
        taken: NaiveDateTime,
    ) -> Result<ReferenceRecord, Fault> {
        let of_this_run = |history: &History| history.references.get(&detector).cloned();
        if let Some(known) = self.log.history(of_this_run).filter(|known| known.taken == taken) {
            return Ok(known.named());
        }
        let serial = self.instrument.last_identity().map(|identity| identity.serial).unwrap_or_default();
        let (path, id) = (folder.path().to_owned(), folder.id().to_owned());
        let found = threads::begin("reference", move || find(&path, &serial, detector, taken)).await?;
        Ok(match found {
            Some(found) if found.run.as_ref() == Some(&id) => ReferenceRecord { run: None, ..found.named() },
            Some(found) => found.named(),
            None => ReferenceRecord::unknown(detector, taken),
        })
    }

    /// The reference that a transmission of this detector rests on. If the run has not named it yet, it does so now.
    pub(in crate::run) async fn reference_of_transmission(
        &self,
        number: u64,
        folder: &RunFolder,
        detector: Detector,
    ) -> Result<Option<ReferenceRecord>, Fault> {
        let held = self.instrument.reference(detector).await?;
        let Some(taken) = held.and_then(|reference| reference.taken) else { return Ok(None) };
        let reference = self.known_reference(folder, detector, taken).await?;
        let is_named =
            |history: &History| history.references.get(&detector).is_some_and(|known| known.taken == taken);
        if !self.log.history(is_named) {
            let (reference, age_s) = (reference.clone(), age_s(taken));
            self.log.emit(RunEvent::ReferenceUsed { number, reference, age_s, drift_db: None })?;
        }
        Ok(Some(reference))
    }

    /// Runs one scan with the settings of the run, and gives the mean power of a detector, dBm. Gives `None` if the link
    /// was lost meanwhile.
    pub(in crate::run) async fn mean_dbm(
        &mut self,
        number: u64,
        detector: Detector,
    ) -> Result<Option<f64>, Fault> {
        let scan = self.scan_settings().await?;
        if self.link_was_lost() {
            return Ok(None);
        }
        let (mut intended, mut doubts) = (self.intended(), Doubts::default());
        self.compare_settings(number, &scan, &mut intended, &mut doubts).await?;
        self.claim_lasers(scan.lasers()).await?;
        self.swept = None;
        let scanned = self.scan(number, &Action::StartScan, Activity::Sweep, scan.expected()).await;
        scanned.map_err(|fault| refused_scan(fault, &scan))?;
        if self.link_was_lost() {
            return Ok(None);
        }
        let mark = self.instrument.mark().await?;
        let grid = self.instrument.trace_grid((detector, TraceKind::Raw)).await?;
        self.heartbeat.beat_for(self.instrument.deadlines().block_start);
        let (values, mut arriving) = mpsc::channel::<Vec<f32>>(PIECES_WAITING);
        let transfer = async {
            let transferred =
                self.instrument.trace_values((detector, TraceKind::Raw), grid.points, &values).await;
            drop(values);
            transferred
        };
        let add = async {
            let (mut milliwatts, mut count) = (0.0, 0_u32);
            while let Some(piece) = arriving.recv().await {
                self.heartbeat.beat();
                for value in piece.into_iter().map(f64::from).filter(|value| value.is_finite()) {
                    milliwatts += 10f64.powf(value / 10.0);
                    count += 1;
                }
            }
            (milliwatts, count)
        };
        let (transferred, (milliwatts, count)) = tokio::join!(transfer, add);
        transferred?;
        self.instrument.make_sure_of_traces().await?;
        self.instrument.prove(mark).await?;
        let dbm = dbm_of_milliwatts(milliwatts / f64::from(count));
        if dbm.is_finite() {
            return Ok(Some(dbm));
        }
        let message = format!("the check detector {detector} has measured no power, so no drift can be seen");
        Err(Fault::new(FaultKind::Instrument, message)
            .hint("name a detector that receives light during a scan"))
    }
}

/// Finds the record of a reference among the runs next to a run folder and the run itself. Blocks. An unreadable journal
/// counts as one without references. The record of another instrument counts only if this one has none.
fn find(folder: &Path, serial: &str, detector: Detector, taken: NaiveDateTime) -> Option<ReferenceRecord> {
    let at = moment_of(taken)?;
    let page = runs::page(folder.parent()?, None, RUNS).ok()?;
    let mut of_another = None;
    for run in page.runs {
        let began = run.manifest.started - CLOCK_DIFFERENCE <= at;
        let ended = run.manifest.finished.is_some_and(|finished| finished + CLOCK_DIFFERENCE < at);
        if !began || ended {
            continue;
        }
        let Ok(records) = read_run_journal::<Record>(&run.folder) else { continue };
        // The last record counts: a resumed run may have taken the reference again within a second.
        let found = records.filter_map(Result::ok).filter_map(|record| match record.event {
            RunEvent::ReferenceTaken { reference, .. } => Some(reference),
            _ => None,
        });
        let Some(mut found) = found.filter(|known| known.detector == detector && known.taken == taken).last()
        else {
            continue;
        };
        let identity = Query::identity().read(&run.manifest.instrument.identity);
        found.serial = found.serial.or_else(|| Some(identity?.serial));
        found.run = Some(run.manifest.run);
        if found.serial.as_deref() == Some(serial) {
            return Some(found);
        }
        of_another.get_or_insert(found);
    }
    of_another
}
