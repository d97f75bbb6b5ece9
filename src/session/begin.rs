//! Begins a run. The request is checked first, the lease is taken before the instrument is touched, and the instrument
//! must be idle.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::Utc;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use super::records::{leave_report, list_run};
use super::{Cut, Held, LiveRun, Session, notification};
use crate::equipment::{DeviceError, SimulatedBy};
use crate::error::chain;
use crate::instrument::Error;
use crate::instrument::limits::Limits;
use crate::instrument::scpi::{ErrorEntry, Identity};
use crate::measurement::Detector;
use crate::metrics;
use crate::run::control::control;
use crate::run::prepare::{self, NotReady};
use crate::run::resume::start::Resumption;
use crate::run::{RunRequest, Site, Times, Watcher, other_than_named};
use crate::source::{Diagnostic, has_errors};
use crate::step::Fault;
use crate::store::{RunFolder, RunState, StoreError, new_run_id};

/// Why a run did not begin.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// The recipe has errors, or names another instrument.
    #[error("the recipe has errors")]
    Recipe(Vec<Diagnostic>),
    /// The request names another instrument, or the run to be resumed began with another one.
    #[error("{0}")]
    OtherInstrument(String),
    /// The limits that the run began with cannot be read.
    #[error("{0}")]
    Limits(String),
    /// Another run is active.
    #[error(transparent)]
    Held(#[from] Held),
    /// The instrument is busy.
    #[error("{0}")]
    Busy(String),
    /// The instrument cannot be reached, or its reply is wrong.
    #[error(transparent)]
    Instrument(#[from] Error),
    /// A named instrument cannot be reached, or another one answers.
    #[error("{name}: {error}")]
    Named {
        /// The name of the instrument.
        name: String,
        /// The reason.
        error: Box<DeviceError>,
    },
    /// The run folder cannot be created.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A run that has begun.
#[derive(Debug)]
pub struct BegunRun {
    /// The run.
    pub run: Arc<LiveRun>,
    /// Warnings and notes about the recipe.
    pub findings: Vec<Diagnostic>,
    /// Errors of earlier commands, found in the error queue of the instrument.
    pub left: Vec<ErrorEntry>,
    ended: JoinHandle<Result<RunState, Fault>>,
}

impl BegunRun {
    /// Waits for the end of the run.
    ///
    /// # Errors
    /// If the run folder could not be written.
    pub async fn ended(self) -> Result<RunState, Fault> {
        self.ended.await.unwrap_or_else(|panic| {
            Err(Fault::new(
                crate::step::FaultKind::Recipe,
                format!("the run ended with an internal error: {panic}"),
            ))
        })
    }
}

impl Session {
    /// Begins a run. `cut` is from the moment when the run was asked for: an emergency stop since then prevents the run.
    ///
    /// # Errors
    /// See [`NotStarted`]. After an error, nothing has been changed.
    pub async fn begin(
        self: &Arc<Self>,
        mut request: RunRequest,
        watchers: Vec<Watcher>,
        cut: &Cut,
    ) -> Result<BegunRun, NotStarted> {
        self.admits_runs(cut)?;
        // A run that has reported its end is about to release the lease.
        if let Some(run) = self.current_run().filter(|run| run.status().finished.is_some()) {
            run.ended().await;
        }
        self.lease.free_of_runs()?;
        let (folder, mut status) = (request.folder.take(), std::mem::take(&mut request.status));
        let resumed = request.resumed.as_ref();
        let id = folder.as_ref().map_or_else(new_run_id, |folder| folder.id().to_owned());
        let lease = self.lease.for_run(&id).await?;
        let endpoint = self.endpoint();
        let limits = resumed.map_or(Ok(Limits::default()), Resumption::limits);
        let driver = endpoint.instrument.within(limits.map_err(NotStarted::Limits)?);
        let instrument = driver.observer();
        let identity = instrument.ask(&crate::instrument::scpi::Query::identity()).await?;
        // The session may have moved to another instrument since the request was read.
        let named = request.only_on.as_ref();
        let other = named.and_then(|named| other_than_named(named, &endpoint.target, identity.simulated()));
        if let Some(other) = other {
            return Err(NotStarted::OtherInstrument(other));
        }
        let (recipe, walked) = (Arc::clone(&request.recipe), &request.walked);
        let mut findings = request.findings();
        findings.extend(request.other_instrument(&endpoint.target, identity.simulated()));
        let mut findings = without_errors(findings)?;
        // The earlier process of the run may have left a scan running.
        let ends_scans = resumed.is_some_and(|resumed| resumed.transcript.history.is_within_step());
        let left = prepare::make_ready(&instrument, ends_scans).await.map_err(|error| match error {
            NotReady::Busy(_) => NotStarted::Busy(error.to_string()),
            NotReady::Link(error) => NotStarted::Instrument(error),
        })?;
        let (facts, against) =
            prepare::compare(&instrument, recipe.header(), &walked.all(), &recipe.texts()).await?;
        findings.extend(against);
        let mut findings = without_errors(findings)?;

        let record = prepare::record(&identity, &endpoint.target.to_string(), &facts);
        if let Some(other) = resumed.and_then(|resumed| resumed.other_instrument(&record)) {
            return Err(NotStarted::OtherInstrument(other));
        }
        findings.extend(resumed.and_then(|resumed| resumed.other_firmware(&record)));
        let (live, named) = self.named_for(&request, &identity).await?;
        self.admits_runs(cut)?;
        let folder = match folder {
            Some(folder) => folder,
            None => RunFolder::create(&self.setup.out, &recipe.header().name, &id, Utc::now())?,
        };
        let there = |(detector, there): (&Detector, &bool)| there.then_some(*detector);
        let site = Site {
            instrument: driver,
            monitor: endpoint.monitor.clone(),
            is_embedded: self.is_embedded(),
            detectors: facts.detectors.iter().filter_map(there).collect(),
            allow_http: self.setup.allowed.hosts.clone().unwrap_or_default(),
            times: Times {
                // What this process simulates ends with it and needs no watchdog.
                guard_after: self.setup.times.guard_after.filter(|_| {
                    !self.is_embedded()
                        || live.iter().any(|(_, live)| live.simulated != Some(SimulatedBy::ThisProcess))
                }),
                ..self.setup.times
            },
            kept: if request.is_item { self.kept_names() } else { BTreeSet::new() },
            live,
            named,
            folder,
            record,
        };
        let (control, receiver) = control(request.at_terminal && !request.unattended);
        status.name.clone_from(&recipe.header().name);
        status.instrument = Some(site.record.clone());
        self.note_kept(&request);
        let run = LiveRun::new(id, site.folder.path().to_owned(), control, request.unattended, status);
        *self.run() = Some(Arc::clone(&run));
        // What has happened before this line did not see the run; what happens later does.
        if let Err(reason) = self.admits_runs(cut) {
            run.control().stop_now(reason.message());
        }
        if self.is_attended() {
            run.attend();
        }
        let mut watchers = watchers;
        watchers.push(run.watcher());
        // The manifest is written before the first event.
        let begun = Arc::new(Notify::new());
        watchers.push(Box::new({
            let begun = Arc::clone(&begun);
            move |_| begun.notify_one()
        }));
        let (started, has_started) = oneshot::channel::<()>();
        let ended = tokio::spawn({
            let (run, outbox, uploads) =
                (Arc::clone(&run), self.setup.outbox.clone(), self.setup.uploads.clone());
            let unlisted = Arc::clone(&self.unlisted);
            let notify = recipe.header().notify.clone();
            async move {
                // Reports the end of the run in every case. The end of this task releases the lease at the latest.
                let _end = EndOf(Arc::clone(&run));
                let path = run.folder().to_owned();
                let mut performed = Box::pin(crate::run::run(request, site, receiver, watchers));
                let state = tokio::select! {
                    state = &mut performed => {
                        drop(started);
                        state
                    }
                    () = begun.notified() => {
                        drop(started);
                        tokio::join!(performed, list_run(Arc::clone(&unlisted), path.clone())).0
                    }
                };
                // The report needs only files, so the instrument can be used again.
                drop(lease);
                let report = leave_report(path.clone()).await;
                if let Some(notify) = &notify {
                    notification::send(&run, &state, report.as_ref(), notify, &outbox);
                }
                list_run(unlisted, path).await;
                uploads.wake();
                state
            }
        });
        // Waits only for the first event: from now on, a client finds the manifest of the run.
        let _ = has_started.await;
        Ok(BegunRun { run, findings, left, ended })
    }

    fn admits_runs(&self, cut: &Cut) -> Result<(), NotStarted> {
        if cut.is_wanted() {
            return Err(NotStarted::Busy(format!("the run did not start: {}", Cut::REASON)));
        }
        if self.is_draining() {
            return Err(NotStarted::Busy("the program is shutting down: no new run starts".to_owned()));
        }
        Ok(())
    }

    /// The identity of the connected instrument.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        self.endpoint().instrument.identity()
    }
}

struct EndOf(Arc<LiveRun>);

impl Drop for EndOf {
    fn drop(&mut self) {
        self.0.end();
        let state = self.0.status().state.map_or_else(|| "broken".to_owned(), |state| state.to_string());
        metrics::RUNS.add_of(&state, 1);
    }
}

fn without_errors(findings: Vec<Diagnostic>) -> Result<Vec<Diagnostic>, NotStarted> {
    if has_errors(&findings) { Err(NotStarted::Recipe(findings)) } else { Ok(findings) }
}

impl NotStarted {
    /// The error and its causes in one line.
    #[must_use]
    pub fn message(&self) -> String {
        chain(self)
    }
}
