//! The conditions of a reference. The instrument does not report them, so they are looked up in the journals of the
//! runs.

use std::path::Path;

use chrono::NaiveDateTime;
use serde::{Deserialize, Serialize};

use super::Bench;
use crate::instrument::ScanSettings;
use crate::measurement::Detector;
use crate::run::events::{Record, RunEvent};
use crate::step::Fault;
use crate::store::{read_run_journal, runs};
use crate::threads;

/// The number of runs that are searched, newest first.
const RUNS: usize = 200;
/// The clocks of instrument and computer may differ by this much.
const CLOCKS_S: i64 = 60;
/// Two powers count as equal within this difference, dB.
const POWER_DB: f64 = 0.05;
/// Two ends of a range count as equal within this difference, nm.
const RANGE_NM: f64 = 1e-4;

/// A light source of a reference.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// The laser.
    pub laser: u8,
    /// Start of its part of the scan, nm.
    pub start_nm: f64,
    /// End of its part of the scan, nm.
    pub stop_nm: f64,
    /// Its power, dBm.
    pub power_dbm: f64,
}

impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { laser, start_nm, stop_nm, power_dbm } = self;
        write!(f, "laser {laser} at {power_dbm} dBm from {start_nm} to {stop_nm} nm")
    }
}

impl Source {
    fn is_like(&self, other: &Self) -> bool {
        let near = |a: f64, b: f64, limit: f64| (a - b).abs() <= limit;
        self.laser == other.laser
            && near(self.power_dbm, other.power_dbm, POWER_DB)
            && near(self.start_nm, other.start_nm, RANGE_NM)
            && near(self.stop_nm, other.stop_nm, RANGE_NM)
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

impl Bench {
    /// Records the conditions of a reference in the journal.
    pub(super) async fn keep_reference(
        &self,
        number: u64,
        detector: Detector,
        scan: &ScanSettings,
    ) -> Result<(), Fault> {
        let Some(taken) = self.instrument.reference(detector).await?.and_then(|reference| reference.taken)
        else {
            return Ok(());
        };
        let event = RunEvent::ReferenceTaken { number, detector, taken, sources: sources(scan) };
        self.log.emit_durable(event).await
    }

    /// Whether a reference was taken with the light that a scan would have now. If not, emits a warning with the
    /// reason.
    pub(in crate::run) async fn is_of_this_light(
        &self,
        folder: &Path,
        detector: Detector,
        taken: NaiveDateTime,
        at: chrono::DateTime<chrono::Utc>,
        scan: &ScanSettings,
    ) -> Result<bool, Fault> {
        let (folder, identity) = (folder.to_owned(), self.instrument.last_identity());
        let identity = identity.map(|identity| identity.to_string()).unwrap_or_default();
        let looked = threads::begin("reference", move || find(&folder, &identity, detector, taken, at));
        let known = looked.await?;
        let now = sources(scan);
        let reason = match known {
            Some(then) if then.len() == now.len() && then.iter().zip(&now).all(|(a, b)| a.is_like(b)) => {
                return Ok(true);
            }
            Some(then) => format!("it was taken with {}, but the scan uses {}", list(&then), list(&now)),
            None => "its laser and power are not recorded".to_owned(),
        };
        let message = format!("the reference of {detector} is not kept: {reason}");
        self.log.emit(RunEvent::Warning { message })?;
        Ok(false)
    }
}

fn list(sources: &[Source]) -> String {
    let shown: Vec<String> = sources.iter().map(ToString::to_string).collect();
    if shown.is_empty() { "no laser".to_owned() } else { shown.join(" and ") }
}

/// Finds the run that has taken a reference, among the runs next to a run folder and the run itself. Blocks. An
/// unreadable journal counts as one without references.
fn find(
    folder: &Path,
    identity: &str,
    detector: Detector,
    taken: NaiveDateTime,
    at: chrono::DateTime<chrono::Utc>,
) -> Option<Vec<Source>> {
    let apart = chrono::TimeDelta::seconds(CLOCKS_S);
    let page = runs::page(folder.parent()?, None, RUNS).ok()?;
    page.runs.into_iter().filter(|run| run.manifest.instrument.identity == identity).find_map(|run| {
        let began = run.manifest.started - apart <= at;
        let ended = run.manifest.finished.is_some_and(|finished| finished + apart < at);
        if !began || ended {
            return None;
        }
        let records = read_run_journal::<Record>(&run.folder).ok()?;
        // The last record counts: a resumed run may have taken the reference again within a second.
        let found = records.filter_map(Result::ok).filter_map(|record| {
            let RunEvent::ReferenceTaken { detector: of, taken: when, sources, .. } = record.event else {
                return None;
            };
            (of == detector && when == taken).then_some(sources)
        });
        found.last()
    })
}
