//! The engine: takes one step after another from the recipe, performs it with its retries, deadline and stop,
//! and tells what happened. It alone changes the instrument while a run lasts.

pub(super) mod columns;
mod detectors;
mod explain;
pub(super) mod fetch;
mod http;
mod intended;
mod mend;
mod perform;
mod policy;
pub(super) mod power;
pub(super) mod proof;
pub(super) mod reference;
pub(super) mod repeat;
pub(super) mod room;
pub(super) mod session;
mod settle;
mod sweep;
mod wait;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::{broadcast, mpsc};

use crate::forecast::bench::BenchState;
use crate::instrument::scpi::{Action, Query};
use crate::instrument::{Ctp10, Error, LasersOff, LinkEvent, Presence};
use crate::measurement::Detector;
use crate::recipe::Recipe;
use crate::run::control::Reins;
use crate::run::engine::columns::Columns;
use crate::run::engine::detectors::DetectorState;
use crate::run::engine::policy::{after_fault, durability};
use crate::run::engine::power::SharedPowerLog;
use crate::run::engine::proof::Unproved;
use crate::run::engine::room::Shortage;
use crate::run::engine::session::Session;
use crate::run::events::log::Events;
use crate::run::events::{AfterFault, RunEvent};
use crate::run::guard::Pulse;
use crate::run::host::Request;
use crate::run::resume::transcript::Transcript;
use crate::step::{Fault, FaultKind, Outcome, Place, Step, TraceReader};
use crate::store::{Durability, RunFolder, space_for_step};

/// `finally` as a whole may take this long after a stop or a fault: what hangs there would hold the lasers on.
const FINALLY_LIMIT: Duration = Duration::from_secs(120);

/// An aborted scan is given this long to end.
pub(super) const ABORT_LIMIT: Duration = Duration::from_secs(30);

/// And its abort this long to be confirmed, on a connection that may have gone silent.
const ABORT_HASTE: Duration = Duration::from_secs(5);

pub(super) struct Engine {
    pub(super) instrument: Ctp10,
    /// Other instruments on the bench.
    pub(super) http: crate::http::Client,
    pub(super) simulated: bool,
    pub(super) folder: Arc<RunFolder>,
    pub(super) events: Arc<Events>,
    pub(super) power_log: SharedPowerLog,
    pub(super) reins: Reins,
    /// Signs of life, for the guard.
    pub(super) pulse: Pulse,
    pub(super) session: Session,
    /// Held before a step for longer than this, the run turns its lasers off until it goes on.
    pub(super) dark_after: Duration,
    /// How long a question waits for an answer.
    pub(super) answer_wait: Option<Duration>,
    /// What the recipe is known to use.
    pub(super) uses: crate::run::Uses,
    /// Foresees how long each step takes.
    pub(super) bench: BenchState,
    /// The recipe that it performs.
    pub(super) recipe: Arc<Recipe>,
    /// The constant columns of its trace files.
    pub(super) columns: Columns,
    /// What every trace file says of the run.
    pub(super) run_metadata: BTreeMap<String, serde_json::Value>,
    /// How the detectors are set, asked once.
    pub(super) detectors: BTreeMap<Detector, DetectorState>,
    /// The step under way, counted from 1.
    pub(super) number: u64,
    /// Which attempt at it, from 1.
    pub(super) attempt: u32,
    /// Which attempt at it within this process, from 1.
    pub(super) tries: u32,
    /// What the run's earlier processes have done.
    pub(super) past: Transcript,
    /// The moment that the step under way waited for when an earlier process of the run was interrupted.
    pub(super) waits_until: Option<DateTime<Utc>>,
    /// Tells when the link was lost.
    pub(super) link: broadcast::Receiver<LinkEvent>,
    /// Where it stands in the recipe.
    pub(super) place: Place,
    /// Steps that failed and were passed over.
    pub(super) failed_steps: u64,
    /// What a disk without room has held up.
    pub(super) shortage: Shortage,
    /// What has been measured and is not proved yet.
    pub(super) unproved: Unproved,
    /// Why the last readings of the steps could not be proved.
    pub(super) unproved_at_end: Option<Fault>,
    /// Set while `finally` runs: from then on a first stop does not count any more.
    pub(super) finally_until: Option<Instant>,
}

/// What ended an attempt.
enum End {
    Performed(Result<Outcome, Fault>),
    Stopped(String),
    TimedOut,
}

impl Engine {
    /// Serves the recipe until its thread is done.
    pub(super) async fn serve(&mut self, mut requests: mpsc::Receiver<Request>) {
        let pulse = self.pulse.clone();
        // A recipe may compute for a while between two operations.
        while let Some(request) = pulse.during(requests.recv()).await {
            // A recipe that no longer listens has ended; its next request will not come.
            match request {
                Request::Perform(step, reply) => drop(reply.send(self.step(*step).await)),
                Request::Open(trace, reply) => {
                    let opened = self.folder.open_trace(&trace).map_err(Fault::from);
                    drop(reply.send(opened.map(|file| Arc::new(file) as Arc<dyn TraceReader>)));
                }
                Request::Now(reply) => drop(reply.send(self.now())),
                Request::Suspend(condition, reply) => {
                    let event = condition.map_or(RunEvent::SuspensionOver, RunEvent::suspended);
                    drop(reply.send(self.events.say(event)));
                }
                Request::RepeatSweep(reply) => drop(reply.send(self.repeat_sweep().await)),
                Request::Finally(reply) => {
                    if let Err(fault) = self.prove_readings().await {
                        self.unproved_at_end = Some(fault);
                    }
                    self.finally_until = Some(Instant::now() + FINALLY_LIMIT);
                    drop(reply.send(self.events.say(RunEvent::Finally)));
                }
            }
        }
    }

    async fn step(&mut self, step: Step) -> Result<Outcome, Fault> {
        self.number += 1;
        self.place = step.place.clone();
        // What an earlier process of the run had begun and is done again counts on.
        self.attempt = self.past.attempts(&step) + 1;
        self.tries = 1;
        self.waits_until = self.past.until(&step);
        self.session.slots.clear();
        let number = self.number;
        let estimated_s = Some(self.bench.perform(&step.operation).seconds);
        if let Some(told) = self.past.held(&step) {
            return self.tell_held(step, told);
        }
        if !self.leaves_unproved(&step) || self.reins.is_paused() {
            self.prove_readings().await?;
        }
        self.unproved.holds_back = self.may_hold_back(&step);
        let retry = self.retry(&step);
        let attempts = 1 + retry.map_or(0, |retry| retry.times);
        loop {
            self.hold_while_paused().await?;
            if self.finally_until.is_none() && !self.has_room(space_for_step()) {
                self.wait_for_room(space_for_step()).await?;
                continue;
            }
            if let Some(reason) = self.stop_reason() {
                return Err(Fault::new(FaultKind::Stopped, reason));
            }
            self.beat()?;
            self.session.rounds = 0;
            let durability = durability(&step.operation);
            let attempt = self.attempt;
            let started = RunEvent::StepStarted { number, attempt, step: step.clone(), estimated_s };
            if !self.unproved.holds_back {
                self.events.tell(started.clone(), durability)?;
            }
            let began = Instant::now();
            let result = self.attempt_at_most_twice(&step).await;
            if self.unproved.holds_back && result.is_err() {
                self.unproved.holds_back = false;
                self.prove_readings().await?;
                self.events.tell(started.clone(), durability)?;
            }
            let fault = match result {
                Ok(outcome) if self.unproved.holds_back => {
                    self.shortage.since = None;
                    let seconds = began.elapsed().as_secs_f64();
                    self.hold_back(started, step, outcome.clone(), seconds).await?;
                    return Ok(outcome);
                }
                Ok(outcome) => {
                    self.shortage.since = None;
                    self.session.note(number, &step, &outcome);
                    let seconds = began.elapsed().as_secs_f64();
                    self.events.say(RunEvent::StepFinished { number, outcome: outcome.clone(), seconds })?;
                    return Ok(outcome);
                }
                Err(fault) => fault,
            };
            self.session.configuration.doubt(&step.operation);
            let then = after_fault(&step, &fault, retry.filter(|_| self.tries < attempts));
            self.events.say(RunEvent::StepFailed { number, fault: fault.clone(), then })?;
            match then {
                AfterFault::Retry { after_s } => {
                    self.pause(Duration::from_secs_f64(after_s)).await?;
                    self.attempt += 1;
                    self.tries += 1;
                    self.distrust_memory(&step);
                }
                AfterFault::Continue => {
                    self.failed_steps += 1;
                    self.session.note(number, &step, &Outcome::Failed(fault.clone()));
                    return Ok(Outcome::Failed(fault));
                }
                AfterFault::Raise => return Err(fault),
            }
        }
    }

    /// One attempt, and another where the link was lost in its course.
    async fn attempt_at_most_twice(&mut self, step: &Step) -> Result<Outcome, Fault> {
        self.unproved.once_more = false;
        let result = self.attempt_with_room(step).await;
        let lost = result.is_ok() && step.operation.traits().relies_on_settings() && self.link_was_lost();
        if !lost && !std::mem::take(&mut self.unproved.once_more) {
            return result;
        }
        let message = match &result {
            Ok(_) => "the link was lost meanwhile: it is done once more".to_owned(),
            Err(fault) => format!("{fault}: it is done once more"),
        };
        self.events.say(RunEvent::Warning { message })?;
        self.attempt_with_room(step).await
    }

    /// One attempt; what found no room on the disk is done again when there is some, whatever time that takes.
    pub(super) async fn attempt_with_room(&mut self, step: &Step) -> Result<Outcome, Fault> {
        self.shortage.fetched.clear();
        loop {
            let result = self.settled_attempt(step).await;
            match self.shortage.wanted.take() {
                Some(room) if result.is_err() => {
                    self.wait_for_room(room).await?;
                    self.hold_while_paused().await?;
                }
                _ => return result,
            }
        }
    }

    /// A step that is not repeated although what stood before it is: it gives what it gave.
    fn tell_held(&mut self, step: Step, told: Result<Outcome, Fault>) -> Result<Outcome, Fault> {
        let (number, attempt) = (self.number, self.attempt);
        self.events.say(RunEvent::StepStarted { number, attempt, step, estimated_s: None })?;
        let outcome = told?;
        self.events.say(RunEvent::StepFinished { number, outcome: outcome.clone(), seconds: 0.0 })?;
        Ok(outcome)
    }

    async fn settled_attempt(&mut self, step: &Step) -> Result<Outcome, Fault> {
        self.settle(step).await?;
        self.attempt(step).await
    }

    /// One attempt, under its deadline and under the stop.
    async fn attempt(&mut self, step: &Step) -> Result<Outcome, Fault> {
        let limit = step.options.timeout_s.map(|limit| Duration::from_secs_f64(limit.get()));
        let left = self.finally_until.map(|until| until.saturating_duration_since(Instant::now()));
        let deadline = limit.into_iter().chain(left).min();
        let mut stop = self.reins.stop_receiver();
        let in_finally = self.finally_until.is_some();
        let (pulse, presence) = (self.pulse.clone(), self.instrument.presence());
        // An instrument that is away is waited for, under a limit of its own; nobody could reach it meanwhile.
        let away = || !matches!(&*presence.borrow(), Presence::Here(_));
        let end = tokio::select! {
            biased;
            reason = stop.asked(in_finally) => End::Stopped(reason),
            () = sleep_if(deadline) => End::TimedOut,
            result = self.perform_proved(step) => End::Performed(result),
            never = pulse.beats_while(away) => match never {},
        };
        match end {
            End::Performed(result) => result,
            End::Stopped(reason) => {
                self.events.say(RunEvent::Stopping { reason: reason.clone() })?;
                self.break_off().await;
                Err(Fault::new(FaultKind::Stopped, reason))
            }
            End::TimedOut => {
                self.break_off().await;
                let allowed = deadline.unwrap_or_default().as_secs_f64();
                let name = step.operation.name();
                Err(Fault::new(FaultKind::Timeout, format!("`{name}` was not done within its {allowed} s")))
            }
        }
    }

    /// The operation was cut short: a scan that may still be under way is aborted.
    pub(super) async fn break_off(&mut self) {
        self.pulse.beat();
        if self.session.scanning {
            let abort_twice = async {
                let hasty = self.instrument.confirming_within(ABORT_HASTE);
                match hasty.abort().await {
                    // What is idle stays idle: an abort may be sent twice.
                    Err(Error::FateUnknown { .. }) => self.instrument.abort().await,
                    known => known,
                }
            };
            let aborted = tokio::time::timeout(ABORT_LIMIT, abort_twice).await;
            let reason = match aborted {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(crate::error::chain(&error)),
                Err(_) => Some(format!("it is not idle {} s after the abort", ABORT_LIMIT.as_secs())),
            };
            if let Some(reason) = reason {
                let message = format!("the scan may still be under way: {reason}");
                // The journal may be what failed; the stop goes on all the same.
                let _ = self.events.say(RunEvent::Warning { message });
            }
        }
        self.session.scanning = false;
    }

    /// Waits, unless the run is being stopped.
    pub(super) async fn pause(&mut self, time: Duration) -> Result<(), Fault> {
        let mut stop = self.reins.stop_receiver();
        let in_finally = self.finally_until.is_some();
        tokio::select! {
            biased;
            reason = stop.asked(in_finally) => Err(Fault::new(FaultKind::Stopped, reason)),
            () = self.pulse.during(tokio::time::sleep(time)) => Ok(()),
        }
    }

    /// Holds before a step for as long as the run is paused. The lease is kept, and no deadline runs; held for long,
    /// the lasers that the run has on go off, and come back before it goes on.
    pub(super) async fn hold_while_paused(&mut self) -> Result<(), Fault> {
        if !self.reins.is_paused() || self.finally_until.is_some() {
            return Ok(());
        }
        let began = Instant::now();
        self.events.tell(RunEvent::Paused, Durability::Now)?;
        let mut stop = self.reins.stop_receiver();
        let mut dark = None;
        let pulse = self.pulse.clone();
        loop {
            let until_dark = Some(self.dark_after).filter(|_| dark.is_none());
            tokio::select! {
                biased;
                reason = stop.asked(false) => return Err(Fault::new(FaultKind::Stopped, reason)),
                () = self.reins.resumed() => break,
                () = sleep_if(until_dark) => dark = Some(self.darken().await?),
                never = pulse.beats_while(|| true) => match never {},
            }
        }
        let relit = dark.unwrap_or_default();
        for laser in relit.clone() {
            self.instrument.act(&Action::SetLaserOutput { laser, on: true }).await?;
        }
        self.events.say(RunEvent::Resumed { after_s: began.elapsed().as_secs_f64(), relit })
    }

    /// Turns off the lasers that the run set and that are on; gives them.
    pub(super) async fn darken(&mut self) -> Result<Vec<u8>, Fault> {
        let mut lit = Vec::new();
        for laser in self.lasers_of_run() {
            if self.instrument.probe(&Query::laser_output(laser)).await? == Some(true) {
                lit.push(laser);
            }
        }
        let LasersOff { off, unknown, .. } = self.turn_off(lit).await;
        self.events.say(RunEvent::Darkened { off: off.clone(), unknown })?;
        Ok(off)
    }

    pub(super) fn stop_reason(&self) -> Option<String> {
        self.reins.stop_receiver().reason(self.finally_until.is_some())
    }

    fn now(&self) -> Result<f64, Fault> {
        let time_s = crate::run::unix_time_s();
        self.events.say(RunEvent::Now { time_s })?;
        Ok(time_s)
    }
}

async fn sleep_if(deadline: Option<Duration>) {
    match deadline {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
