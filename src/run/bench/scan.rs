//! Scans: sweeps and references.

use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;

use super::{Bench, NewReference};
use crate::instrument::scpi::Action;
use crate::instrument::{Error, ScanSettings};
use crate::measurement::{Detector, Stale};
use crate::operation::{Operation, Sweep};
use crate::run::events::{Activity, RunEvent};
use crate::run::explain::{check_range, refused_scan};
use crate::run::state::configuration::Doubts;
use crate::shown;
use crate::step::{Fault, FaultKind, Outcome};
use crate::units::ReferenceSweeps;

/// Time limit for the end of an aborted scan.
pub(in crate::run) const ABORT_LIMIT: Duration = Duration::from_secs(30);

/// Time limit for the confirmation of an abort, on a connection that may be dead.
const ABORT_HASTE: Duration = Duration::from_secs(5);

/// The settings of a scan take this many queries.
const SETTINGS: u32 = 30;

/// The settings of the instrument when a reference is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::run) enum SettingsOf {
    /// The settings that the run intends.
    Run,
    /// Temporarily, the settings of the reference that is taken again.
    Reference,
}

impl Bench {
    /// The longest time for reading the settings of a scan, if each reply arrives in the last second.
    fn settings_limit(&self) -> Duration {
        self.instrument.deadlines().query * SETTINGS
    }

    /// The settings of the scan in the instrument.
    pub(in crate::run) async fn scan_settings(&self) -> Result<ScanSettings, Fault> {
        self.heartbeat.beat_for(self.settings_limit());
        let settings = self.instrument.scan_settings().await?;
        self.heartbeat.beat();
        Ok(settings)
    }

    /// Sets the fields of a sweep and runs the scan. Makes sure that the settings are the intended ones before and
    /// after the scan.
    pub(in crate::run) async fn sweep(&mut self, number: u64, fields: &Sweep) -> Result<Outcome, Fault> {
        let configures = Operation::ConfigureScan(fields.clone());
        let (settings, scan) = loop {
            let settings = self.configure_scan(fields).await?;
            let scan = self.scan_settings().await?;
            if !self.link_was_lost() {
                check_range(scan.start_nm, scan.stop_nm)?;
                break (settings, scan);
            }
            // The instrument may have been restarted, so the scan would have other settings.
            self.restore_if_forgotten(number).await?;
        };
        let mut intended = self.intended();
        intended.note_settings(&configures, &settings);
        let mut doubts = Doubts::left_by(&configures, &settings);
        self.compare_settings(number, &scan, &mut intended, &mut doubts).await?;
        self.claim_lasers(scan.lasers()).await?;
        self.swept = None;
        let scanned = self.scan(number, &Action::StartScan, Activity::Sweep, scan.expected()).await;
        scanned.map_err(|fault| refused_scan(fault, &scan))?;
        // Somebody may have used the front panel during the scan.
        let now = self.scan_settings().await?;
        if now != scan && self.link_was_lost() {
            let message = "the instrument was unreachable during the scan and has lost its settings: the trace in memory is not from this sweep";
            return Err(Fault::new(FaultKind::Link, message).hint("give the sweep a `retry`"));
        }
        intended.note_scan();
        self.compare_settings(number, &now, &mut intended, &mut doubts).await?;
        self.swept = Some(now);
        self.memory_is_doubtful = false;
        Ok(settings)
    }

    /// Takes a reference of the path that is connected now. Gives false if the link was lost meanwhile: the instrument
    /// may have been restarted, and it accepts a reference at other settings too.
    pub(in crate::run) async fn record_reference(
        &mut self,
        number: u64,
        detector: Detector,
        settings: SettingsOf,
        new: NewReference,
    ) -> Result<bool, Fault> {
        let scan = self.scan_settings().await?;
        if self.link_was_lost() {
            return Ok(false);
        }
        let mut intended = self.intended();
        let mut doubts = Doubts::default();
        if settings == SettingsOf::Run {
            self.compare_settings(number, &scan, &mut intended, &mut doubts).await?;
        }
        self.claim_lasers(scan.lasers()).await?;
        let start = Action::StartReference { detector };
        let expected = scan.expected() * new.sweeps.map_or(1, |sweeps| u32::from(sweeps.get()));
        let scanned = self.scan(number, &start, Activity::Reference, expected).await;
        scanned.map_err(|fault| refused_scan(fault, &scan))?;
        let mut proof = self.instrument.begin_proof().await?;
        let (reference, now) = loop {
            let found = (self.instrument.reference(detector).await?, self.scan_settings().await?);
            if self.instrument.holds(&mut proof).await? {
                break found;
            }
        };
        if self.link_was_lost() {
            return Ok(false);
        }
        let Some(reference) = reference.filter(|reference| reference.valid) else {
            let message = format!("the reference scan of {detector} left no valid reference");
            return Err(Fault::new(FaultKind::Instrument, message));
        };
        if let Err(other) = Stale::by_sweeps(new.sweeps, reference.kind) {
            let message = format!("the new reference of {detector} cannot be used: {other}");
            return Err(Fault::new(FaultKind::Instrument, message)
                .hint("select the kind of reference at the instrument, because no command for it is known"));
        }
        intended.note_scan();
        if settings == SettingsOf::Run {
            self.compare_settings(number, &now, &mut intended, &mut doubts).await?;
        }
        if self.link_was_lost() {
            return Ok(false);
        }
        if let Some(taken) = reference.taken {
            let new = NewReference { sweeps: ReferenceSweeps::of_kind(reference.kind), ..new };
            self.keep_reference(number, (detector, taken), &now, new).await?;
        }
        Ok(true)
    }

    /// Runs one scan to its end. The register must show the scan. If the scan had never started, the memory would still
    /// hold the previous trace.
    pub(super) async fn scan(
        &mut self,
        number: u64,
        start: &Action,
        activity: Activity,
        expected: Duration,
    ) -> Result<(), Fault> {
        self.is_scanning = true;
        let result = self.scan_until_idle(number, start, activity, expected).await;
        // The scan may be running after any error: the error in the queue may belong to another command, and a command
        // with an unknown result may have been executed.
        if result.is_err() {
            self.break_off().await;
        }
        self.is_scanning = false;
        result?;
        // If the link was lost during the scan, the proof begins after the scan.
        self.begin_proof().await
    }

    /// Aborts a scan that may still be running, after its step was interrupted.
    pub(in crate::run) async fn break_off(&mut self) {
        self.heartbeat.beat();
        self.named.forget_restoring();
        if self.is_scanning {
            let abort_twice = async {
                let hasty = self.instrument.confirming_within(ABORT_HASTE);
                match hasty.abort().await {
                    // An abort may be sent twice, because an idle instrument stays idle.
                    Err(Error::FateUnknown { .. }) => self.instrument.abort().await,
                    known => known,
                }
            };
            let aborted = tokio::time::timeout(ABORT_LIMIT, abort_twice).await;
            let reason = match aborted {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(crate::error::chain(&error)),
                Err(_) => {
                    Some(format!("the instrument is not idle {} s after the abort", ABORT_LIMIT.as_secs()))
                }
            };
            if let Some(reason) = reason {
                let message = format!("the scan may still be active: {reason}");
                // Even if the journal has failed, the stop continues.
                let _ = self.log.emit(RunEvent::Warning { message });
            }
        }
        self.is_scanning = false;
    }

    async fn scan_until_idle(
        &mut self,
        number: u64,
        start: &Action,
        activity: Activity,
        expected: Duration,
    ) -> Result<(), Fault> {
        self.heartbeat.beat_for(self.settings_limit());
        let began = Instant::now();
        let (log, heartbeat) = (self.log.clone(), self.heartbeat.clone());
        let scan = self.instrument.scan(start, expected, |_| {
            heartbeat.beat();
            let left = expected.saturating_sub(began.elapsed()).as_secs_f64();
            let done = 1.0 - left / expected.as_secs_f64().max(1e-9);
            let progress = RunEvent::Progress { number, activity, done: Some(done), remaining_s: Some(left) };
            // Progress is only for watchers. A failing journal is noticed at the next event that it keeps.
            let _ = log.emit(progress);
        });
        let allowed = expected + self.instrument.deadlines().scan;
        match tokio::time::timeout(allowed, scan).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                self.is_scanning = !error.has_started_nothing();
                return Err(error.into());
            }
            Err(_) => {
                let allowed = allowed.as_secs();
                return Err(Fault::new(
                    FaultKind::Timeout,
                    format!("`{start}` was not finished after {allowed} s"),
                ));
            }
        }
        let errors = self.instrument.drain_errors().await?;
        if errors.is_empty() {
            return Ok(());
        }
        let list = shown::listed(&errors, "; ");
        Err(Fault::new(FaultKind::Instrument, format!("the scan ended with errors: {list}")))
    }
}

/// The settings of a sweep by field name, for its trace files.
pub(in crate::run) fn describe(scan: &ScanSettings) -> Map<String, Value> {
    let tls: Vec<Value> = scan
        .tls
        .iter()
        .map(|tls| {
            json!({
                "tls": tls.tls, "laser": tls.laser, "start_nm": tls.start_nm, "stop_nm": tls.stop_nm,
                "speed_nm_s": tls.speed_nm_s, "power_dbm": tls.power_dbm, "trigger_in": tls.trigger_in,
            })
        })
        .collect();
    let fields = json!({
        "start_nm": scan.start_nm, "stop_nm": scan.stop_nm, "resolution_pm": scan.resolution_pm,
        "stabilization_s": scan.stabilization.seconds, "keep_lasers_on": scan.stabilization.output, "tls": tls,
    });
    match fields {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
