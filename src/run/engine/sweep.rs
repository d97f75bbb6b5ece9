//! Operations that scan: sweeps and references.

use std::sync::Arc;
use std::time::Duration;

use chrono::{Local, Utc};
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::instrument::ScanSettings;
use crate::instrument::scpi::Action;
use crate::local_time;
use crate::measurement::{Detector, TraceKind};
use crate::operation::{CreateReference, Operation, Sweep, UnattendedReference};
use crate::run::engine::Engine;
use crate::run::engine::explain::{check_range, refused_scan};
use crate::run::events::{Activity, RunEvent};
use crate::shown;
use crate::step::{Fault, FaultKind, Outcome};

/// So many questions one after another say how a scan is set.
const SETTINGS: u32 = 30;

/// What the instrument is set to when a reference is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::run) enum Settled {
    /// To what the run intends.
    AsIntended,
    /// To what the reference was taken at before, for a moment.
    AsBefore,
}

impl Engine {
    /// The longest that the settings of a scan may take, of a unit that answers each question in its last second.
    fn settings_limit(&self) -> Duration {
        self.instrument.deadlines().query * SETTINGS
    }

    /// The scan as the instrument has it now.
    pub(in crate::run) async fn scan_settings(&self) -> Result<ScanSettings, Fault> {
        self.pulse.beat_for(self.settings_limit());
        let settings = self.instrument.scan_settings().await?;
        self.pulse.beat();
        Ok(settings)
    }

    pub(in crate::run) async fn sweep(&mut self, fields: &Sweep) -> Result<Outcome, Fault> {
        // What is in memory from here on is not what this sweep was meant to bring, until it has ended well.
        self.session.live_is_old = true;
        let (settings, scan) = loop {
            let configures = Operation::ConfigureScan(fields.clone());
            let settings = match self.configure_scan(fields).await {
                Ok(settings) => settings,
                Err(fault) => {
                    self.session.configuration.doubt(&configures);
                    return Err(fault);
                }
            };
            self.intend(&configures, &settings);
            let scan = self.scan_settings().await?;
            if !self.link_was_lost() {
                check_range(scan.start_nm, scan.stop_nm)?;
                break (settings, scan);
            }
            // It may have been switched off and on just now: what would be scanned is not what was asked for.
            Box::pin(self.make_good()).await?;
        };
        self.compare_settings(&scan).await?;
        self.claim_lasers(scan.lasers())?;
        self.session.sweep_index += u64::from(self.tries == 1);
        self.session.attempt = self.attempt;
        self.session.swept = None;
        let scanned = self.scan(&Action::StartScan, Activity::Sweep, scan.expected()).await;
        scanned.map_err(|fault| refused_scan(fault, &scan))?;
        // Read again afterwards: someone may have touched the front panel while the scan ran.
        let now = self.scan_settings().await?;
        if now != scan && self.link_was_lost() {
            let message = "the instrument was away during the scan and has other settings now: what is in memory is not this sweep";
            return Err(Fault::new(FaultKind::Link, message).hint("give the sweep a `retry`"));
        }
        self.session.configuration.note_scan();
        self.compare_settings(&now).await?;
        self.session.swept = Some(now);
        self.session.live_is_old = false;
        Ok(settings)
    }

    pub(in crate::run) async fn create_reference(
        &mut self,
        fields: &CreateReference,
    ) -> Result<Outcome, Fault> {
        if let Some(max_age) = fields.max_age_min
            && self.has_young_reference(fields.detector, max_age.get()).await?
        {
            return Ok(Outcome::Reference { created: false });
        }
        self.confirm_reference_path(fields).await?;
        while !self.record_reference(fields.detector, Settled::AsIntended).await? {
            Box::pin(self.make_good()).await?;
        }
        Ok(Outcome::Reference { created: true })
    }

    /// Records a reference of whatever is in the path now. False when the link was lost meanwhile: the instrument may
    /// have been switched off and on, and a reference at other settings is as valid to it.
    pub(in crate::run) async fn record_reference(
        &mut self,
        detector: Detector,
        settled: Settled,
    ) -> Result<bool, Fault> {
        let scan = self.scan_settings().await?;
        if self.link_was_lost() {
            return Ok(false);
        }
        if settled == Settled::AsIntended {
            self.compare_settings(&scan).await?;
        }
        self.claim_lasers(scan.lasers())?;
        let start = Action::StartReference { detector };
        let scanned = self.scan(&start, Activity::Reference, scan.expected()).await;
        scanned.map_err(|fault| refused_scan(fault, &scan))?;
        if !self.instrument.reference(detector).await?.is_some_and(|reference| reference.valid) {
            let message = format!("the reference scan of {detector} left no valid reference");
            return Err(Fault::new(FaultKind::Instrument, message));
        }
        let now = self.scan_settings().await?;
        if self.link_was_lost() {
            return Ok(false);
        }
        self.session.configuration.note_scan();
        if settled == Settled::AsIntended {
            self.compare_settings(&now).await?;
        }
        if self.link_was_lost() {
            return Ok(false);
        }
        self.tell_reference(detector, &now).await?;
        Ok(true)
    }

    /// Makes sure that what the reference will record is what it should: asks the operator, or takes the
    /// recipe's word for it when nobody is there. On the embedded instrument there is nothing to connect.
    async fn confirm_reference_path(&mut self, fields: &CreateReference) -> Result<(), Fault> {
        if self.reins.is_attended() && !self.simulated {
            let Some(connect) = &fields.connect else { return Ok(()) };
            return self.ask_operator(&format!("Connect: {connect}"), &[], None).await.map(drop);
        }
        let otherwise =
            if self.simulated { UnattendedReference::Recreate } else { UnattendedReference::Fail };
        match fields.unattended.unwrap_or(otherwise) {
            UnattendedReference::Recreate => Ok(()),
            UnattendedReference::Fail => {
                let message =
                    format!("{} needs a new reference and nobody is there to connect it", fields.detector);
                Err(Fault::new(FaultKind::Refused, message).hint(
                    "take it with somebody there, accept an older one with `max_age_min`, or say `unattended: recreate`",
                ))
            }
        }
    }

    /// A reference that is valid, for the same points, taken with the same light, and younger than `max_age_min` by this computer's clock.
    async fn has_young_reference(&self, detector: Detector, max_age_min: f64) -> Result<bool, Fault> {
        let reference = self.instrument.reference(detector).await?.filter(|reference| reference.valid);
        let Some(taken) = reference.and_then(|reference| reference.taken) else { return Ok(false) };
        // The instrument's clock is taken for one of this zone. Of a time that comes twice the earlier one counts.
        let Some(at) = local_time::moments(&Local, taken.date(), taken.time()).into_iter().next() else {
            return Ok(false);
        };
        let age_s = (Utc::now() - at).as_seconds_f64();
        // One from the future proves nothing: the clocks disagree by more than their resolution.
        if !(-60.0..=max_age_min * 60.0).contains(&age_s) {
            return Ok(false);
        }
        let recorded = self.instrument.trace_grid(detector, TraceKind::Reference).await?;
        let scan = self.scan_settings().await?;
        let near = |a: f64, b: f64| (a - b).abs() < recorded.step_pm * 0.5e-3;
        let same_points = near(recorded.start_nm, scan.start_nm)
            && near(recorded.stop_nm(), scan.stop_nm)
            && (recorded.step_pm - scan.resolution_pm).abs() < 1e-6;
        Ok(same_points && self.is_of_this_light(detector, taken, at, &scan).await?)
    }

    /// Runs one scan to its end. The register has to be seen busy: a scan that never started leaves the previous
    /// trace in memory, ready to be taken for a new one.
    async fn scan(&mut self, start: &Action, activity: Activity, expected: Duration) -> Result<(), Fault> {
        self.session.scanning = true;
        let result = self.scan_until_idle(start, activity, expected).await;
        // Whatever went wrong, the scan may be under way: an error in the queue need not be the command's own, and one
        // whose fate is unknown may have been carried out.
        if result.is_err() {
            self.break_off().await;
        }
        self.session.scanning = false;
        result?;
        // A scan that went on although the link was lost is judged by what the instrument says after it.
        self.begin_proof().await
    }

    async fn scan_until_idle(
        &mut self,
        start: &Action,
        activity: Activity,
        expected: Duration,
    ) -> Result<(), Fault> {
        self.pulse.beat_for(self.settings_limit());
        let began = Instant::now();
        let (events, pulse, number) = (Arc::clone(&self.events), self.pulse.clone(), self.number);
        let scan = self.instrument.scan(start, expected, |_| {
            pulse.beat();
            let left = expected.saturating_sub(began.elapsed()).as_secs_f64();
            let done = 1.0 - left / expected.as_secs_f64().max(1e-9);
            let progress = RunEvent::Progress { number, activity, done: Some(done), remaining_s: Some(left) };
            // Progress is for watchers; a journal that cannot be written shows at the next event that is kept.
            let _ = events.say(progress);
        });
        let allowed = expected + self.instrument.deadlines().scan;
        match tokio::time::timeout(allowed, scan).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                self.session.scanning = !error.has_started_nothing();
                return Err(error.into());
            }
            Err(_) => {
                let allowed = allowed.as_secs();
                return Err(Fault::new(
                    FaultKind::Timeout,
                    format!("`{start}` was not over after {allowed} s"),
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

/// The settings of a sweep by field name, for the files of its traces.
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
