//! From a request to a run under way: everything that can be known is checked first, the instrument has to be free
//! and ready, and the lease is taken before the instrument is touched.

use std::sync::Arc;

use chrono::Utc;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use super::records::{leave_report, list_run};
use super::{Held, LiveRun, Station, notification};
use crate::error::chain;
use crate::instrument::Error;
use crate::instrument::limits::Limits;
use crate::instrument::scpi::{ErrorEntry, Identity};
use crate::measurement::Detector;
use crate::run::control::control;
use crate::run::prepare::{self, NotReady};
use crate::run::resume::start::Resumption;
use crate::run::{RunRequest, Site, Times, Watcher};
use crate::source::{Diagnostic, Severity};
use crate::step::Fault;
use crate::store::{RunFolder, RunState, StoreError, new_run_id};

/// Why a run did not begin.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// The recipe is wrong, or not for this instrument.
    #[error("the recipe has errors")]
    Recipe(Vec<Diagnostic>),
    /// The run that is taken up was begun with another one.
    #[error("{0}")]
    OtherInstrument(String),
    /// The limits that the run was begun under cannot be read.
    #[error("{0}")]
    Limits(String),
    /// Another run is under way.
    #[error(transparent)]
    Held(#[from] Held),
    /// The instrument is busy.
    #[error("{0}")]
    Busy(String),
    /// The instrument cannot be reached or does not answer as it should.
    #[error(transparent)]
    Instrument(#[from] Error),
    /// The run folder cannot be made.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A run that has begun.
#[derive(Debug)]
pub struct BegunRun {
    /// The run.
    pub run: Arc<LiveRun>,
    /// What was found and does not keep it from running.
    pub findings: Vec<Diagnostic>,
    /// Errors that somebody had left in the instrument's queue.
    pub left: Vec<ErrorEntry>,
    ended: JoinHandle<Result<RunState, Fault>>,
}

impl BegunRun {
    /// Waits for its end.
    ///
    /// # Errors
    /// When its folder could not be written.
    pub async fn ended(self) -> Result<RunState, Fault> {
        self.ended.await.unwrap_or_else(|panic| {
            Err(Fault::new(crate::step::FaultKind::Recipe, format!("the run broke off: {panic}")))
        })
    }
}

impl Station {
    /// Begins a run.
    ///
    /// # Errors
    /// See [`NotStarted`]; nothing has been changed then.
    pub async fn begin(
        self: &Arc<Self>,
        mut request: RunRequest,
        watchers: Vec<Watcher>,
    ) -> Result<BegunRun, NotStarted> {
        if self.draining.load(std::sync::atomic::Ordering::Acquire) {
            return Err(NotStarted::Busy("the program is ending: no new run begins".to_owned()));
        }
        // A run that has told its end is about to give the lease back.
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
        let (recipe, walked) = (Arc::clone(&request.recipe), &request.walked);
        let mut findings = request.findings();
        findings.extend(request.other_instrument(&endpoint.target, identity.simulated()));
        let mut findings = without_errors(findings)?;
        if resumed.is_some_and(|resumed| resumed.past.broke_off) {
            // The process that is gone may have left its scan under way.
            instrument.end_scan().await?;
        }
        let left = prepare::make_ready(&instrument).await.map_err(|error| match error {
            NotReady::Busy(_) => NotStarted::Busy(error.to_string()),
            NotReady::Link(error) => NotStarted::Instrument(error),
        })?;
        let (facts, against) =
            prepare::compare(&instrument, recipe.header(), &walked.all(), &recipe.texts()).await?;
        findings.extend(against);
        let findings = without_errors(findings)?;

        let record = prepare::record(&identity, &endpoint.target.to_string(), &facts);
        if let Some(other) = resumed.and_then(|resumed| resumed.other_instrument(&record)) {
            return Err(NotStarted::OtherInstrument(other));
        }
        let folder = match folder {
            Some(folder) => folder,
            None => RunFolder::create(&self.setup.out, &recipe.header().name, &id, Utc::now())?,
        };
        let there = |(detector, there): (&Detector, &bool)| there.then_some(*detector);
        let site = Site {
            instrument: driver,
            monitor: endpoint.monitor.clone(),
            detectors: facts.detectors.iter().filter_map(there).collect(),
            allow_http: self.setup.allowed.hosts.clone().unwrap_or_default(),
            times: Times {
                // The embedded instrument ends with this process: its lasers need no watchdog.
                guard_after: self.setup.times.guard_after.filter(|_| !self.is_embedded()),
                ..self.setup.times
            },
            folder,
            record,
        };
        let (control, reins) = control(request.at_terminal && !request.unattended);
        status.name.clone_from(&recipe.header().name);
        status.instrument = Some(site.record.clone());
        let run = LiveRun::new(id, site.folder.path().to_owned(), control, request.unattended, status);
        *self.run() = Some(Arc::clone(&run));
        if self.is_attended() {
            run.attend();
        }
        let mut watchers = watchers;
        watchers.push(run.watcher());
        // With the first event the manifest is there.
        let begun = Arc::new(Notify::new());
        watchers.push(Box::new({
            let begun = Arc::clone(&begun);
            move |_| begun.notify_one()
        }));
        let (listed, is_listed) = oneshot::channel::<()>();
        let ended = tokio::spawn({
            let (run, outbox) = (Arc::clone(&run), self.setup.outbox.clone());
            let unlisted = Arc::clone(&self.unlisted);
            let notify = recipe.header().notify.clone();
            async move {
                // Whatever becomes of the run, its end is told; the lease goes back with this task at the latest.
                let _end = EndOf(Arc::clone(&run));
                let path = run.folder().to_owned();
                let mut performed = Box::pin(crate::run::run(request, site, reins, watchers));
                let state = tokio::select! {
                    state = &mut performed => {
                        drop(listed);
                        state
                    }
                    () = begun.notified() => {
                        drop(listed);
                        tokio::join!(performed, list_run(Arc::clone(&unlisted), path.clone())).0
                    }
                };
                // The instrument is free again; the report needs its files only.
                drop(lease);
                let report = leave_report(path.clone()).await;
                if let Some(notify) = &notify {
                    notification::send(&run, &state, report.as_ref(), notify, &outbox);
                }
                list_run(unlisted, path).await;
                state
            }
        });
        // A client that lists the runs next finds this one: its manifest is written before its first event.
        let _ = is_listed.await;
        Ok(BegunRun { run, findings, left, ended })
    }

    /// Says who answers, for those who show it.
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
        metrics::counter!("ctp10_runs_total", "status" => state).increment(1);
    }
}

fn without_errors(findings: Vec<Diagnostic>) -> Result<Vec<Diagnostic>, NotStarted> {
    let wrong = findings.iter().any(|finding| finding.severity == Severity::Error);
    if wrong { Err(NotStarted::Recipe(findings)) } else { Ok(findings) }
}

impl NotStarted {
    /// The whole story in one line.
    #[must_use]
    pub fn told(&self) -> String {
        chain(self)
    }
}
