//! The engine performs one step of the recipe after another, with retries, under the time limit and under the stop.
//!
//! A step goes down these functions. Each has one reason to repeat or to end what is below it:
//! - `step`: an interrupted step that must not be repeated gets its recorded result;
//! - `attempts`: the run is held before each attempt; `retry` and `on_error` decide after a fault;
//! - `announced_attempt`: the journal records the attempt first, or, for quick readings, later;
//! - `attempt_at_most_twice`: a loss of the link, or a failed proof, repeats a reading;
//! - `attempt_with_disk_space`: too little disk space holds the run;
//! - `settled_attempt`: the instrument is made ready for the step, with `ensure`;
//! - `attempt`: the time limit and the stop end it;
//! - `perform_proved`: the replies are proved;
//! - `perform`: the operation itself.

mod align;
pub(in crate::run) mod analyze;
mod attempt;
pub(super) mod columns;
pub(super) mod fetch;
mod hold;
mod others;
mod perform;
mod policy;
pub(super) mod power;
pub(super) mod readings;
mod redo;
mod reference;
mod repair;
mod wait;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tracing::Instrument;

use super::bench::{Bench, Needs};
use super::context::StepContext;
use super::control::ControlReceiver;
use super::disk::Disk;
use super::events::log::RunLog;
use super::events::{AfterFault, RunEvent};
use super::host::Request;
use super::request::Times;
use super::resume::start::Resumption;
use super::resume::transcript::Transcript;
use super::state::configuration::Doubts;
use crate::forecast::bench::BenchState;
use crate::local_time::Moment;
use crate::measurement::PowerReading;
use crate::operation::Settings;
use crate::recipe::Recipe;
use crate::step::{Fault, FaultKind, Now, Outcome, Retry, RunTime, Step, TraceReader};
use crate::store::{Durability, RunFolder, TraceIndexes, not_stored};
use crate::threads;
use align::EarlierAlignment;
use columns::Columns;
use fetch::Writers;

use hold::Shortage;
use policy::{after_fault, durability};
use power::SharedPowerLog;
use readings::Unproved;

/// Time limit of `finally` as a whole: a step that hangs there would keep the lasers on.
const FINALLY_LIMIT: Duration = Duration::from_secs(120);

/// Performs the steps of a recipe.
pub(super) struct Engine {
    /// The instrument.
    pub(super) bench: Bench,
    /// The log of the run, with its history.
    pub(super) log: RunLog,
    /// The files of the run.
    pub(super) output: Output,
    /// The recipe.
    pub(super) recipe: Arc<Recipe>,
    /// Other instruments, which are reached over HTTP.
    pub(super) http: crate::http::Client,
    /// Stop, pause and answers from outside.
    pub(super) control: ControlReceiver,
    /// How long the run waits.
    pub(super) times: Times,
    /// The settings that the recipe has made, for estimates.
    pub(super) expected: BenchState,
    /// The transcript of the run's earlier processes.
    pub(super) earlier: Transcript,
    /// Readings that are not proved yet.
    pub(super) unproved: Unproved,
    /// A lack of disk space that the run waits for.
    pub(super) shortage: Shortage,
    /// The threads that write traces.
    pub(super) writers: Writers,
    /// The number of the latest step, from 1.
    pub(super) number: u64,
    /// Whether the power of the aligned device was not looked at since the run was resumed.
    pub(super) coupling_is_doubtful: bool,
    /// The alignments of the run's earlier processes.
    pub(super) alignments: Vec<EarlierAlignment>,
    /// When `finally` has to end. Set while `finally` runs; from then on a first stop is ignored.
    pub(super) finally_until: Option<Instant>,
}

/// Where a run writes.
pub(super) struct Output {
    /// The run folder.
    pub(super) folder: Arc<RunFolder>,
    /// Where the journal tells about the traces.
    pub(super) indexes: Arc<TraceIndexes>,
    /// The disk of the run folder.
    pub(super) disk: Disk,
    /// The recorded power.
    pub(super) power: SharedPowerLog,
    /// The constant columns of the trace files.
    pub(super) columns: Columns,
    /// The metadata of the run, which is in every trace file.
    pub(super) metadata: BTreeMap<String, serde_json::Value>,
}

impl Engine {
    /// Continues an interrupted run where its transcript ends. Damaged traces are replaced first.
    pub(super) async fn resume(&mut self, resumption: Resumption) -> Result<(), Fault> {
        let Resumption { transcript, repairs, .. } = resumption;
        self.number = transcript.history.steps;
        for step in transcript.steps() {
            self.expected.perform(&step.step.operation);
        }
        for (reading, name) in self.lost_readings(&transcript).await? {
            self.output.power.keep(reading, &name, "recipe").await?;
        }
        self.bench.resume(&transcript.history, transcript.doubts());
        self.alignments = EarlierAlignment::all(&transcript);
        self.earlier = transcript;
        self.coupling_is_doubtful = true;
        self.repair(&repairs).await
    }

    /// The readings of `read_power` that are in the journal and in no segment of power, each with its name.
    async fn lost_readings(&self, past: &Transcript) -> Result<Vec<(PowerReading, String)>, Fault> {
        let (folder, segments, readings) =
            (self.output.folder.path().to_owned(), past.segments.clone(), past.power_readings());
        let compared = threads::begin("power", move || not_stored(&folder, &segments, readings));
        Ok(compared.await.map_err(|panic| Fault::new(FaultKind::Store, panic.to_string()))??)
    }

    /// Serves the recipe until its thread is done.
    pub(super) async fn serve(&mut self, mut requests: mpsc::Receiver<Request>) {
        let heartbeat = self.bench.heartbeat.clone();
        // The recipe may compute for a while between two operations.
        while let Some(request) = heartbeat.during(requests.recv()).await {
            // If the recipe has ended, nobody receives the reply, and no request follows.
            match request {
                Request::Perform(step, reply) => drop(reply.send(self.step(step).await)),
                Request::PerformAll(steps, reply) => drop(reply.send(self.steps(steps).await)),
                Request::Open(trace, reply) => {
                    let opened = self.output.folder.open_trace(&trace).map_err(Fault::from);
                    drop(reply.send(opened.map(|file| Arc::new(file) as Arc<dyn TraceReader>)));
                }
                Request::Now(reply) => drop(reply.send(self.now())),
                Request::Suspend(condition, reply) => {
                    let event = condition.map_or(RunEvent::SuspensionOver, RunEvent::suspended);
                    drop(reply.send(self.log.emit(event)));
                }
                Request::CouplingIsDoubtful(reply) => drop(reply.send(Ok(self.coupling_is_doubtful))),
                Request::RepeatSweep(reply) => drop(reply.send(self.repeat_sweep().await)),
                Request::Finally(reply) => {
                    if let Err(fault) = self.prove_readings().await {
                        self.unproved.fault_at_end = Some(fault);
                    }
                    self.finally_until = Some(Instant::now() + FINALLY_LIMIT);
                    self.bench.enter_finally();
                    drop(reply.send(self.log.emit(RunEvent::Finally)));
                }
            }
        }
    }

    /// Performs steps until one fails.
    async fn steps(&mut self, steps: Vec<Arc<Step>>) -> Result<(), Fault> {
        for step in steps {
            self.step(step).await?;
        }
        Ok(())
    }

    /// Performs a step: holds the run where it must not continue, makes attempts, and emits the events.
    async fn step(&mut self, step: Arc<Step>) -> Result<Outcome, Fault> {
        self.number += 1;
        let earlier = self.earlier.attempts(&step);
        let until = self.earlier.until(&step);
        let mut ctx = StepContext::new(self.number, earlier, step, until);
        let estimated_s = Some(self.expected.perform(&ctx.step.operation).seconds);
        if let Some(told) = self.earlier.held(&ctx.step) {
            return self.reply_recorded(ctx, told);
        }
        if !self.leaves_unproved(&ctx.step) || self.control.is_paused() {
            self.prove_readings().await?;
        }
        ctx.is_held_back = self.may_hold_back(&ctx.step);
        let span = tracing::info_span!("step", number = ctx.number, operation = ctx.step.operation.name());
        self.attempts(ctx, estimated_s).instrument(span).await
    }

    /// Makes attempts until the step has ended well or is given up.
    async fn attempts(&mut self, mut ctx: StepContext, estimated_s: Option<f64>) -> Result<Outcome, Fault> {
        let retry = self.retry(&ctx.step);
        let mut attempts_left = retry.map_or(0, |retry| retry.times);
        loop {
            self.hold_before_attempt(ctx.step.operation.traits().emits_light).await?;
            self.bench.begin_attempt();
            let began = Instant::now();
            let fault = match self.announced_attempt(&mut ctx, estimated_s).await {
                Ok(outcome) => {
                    self.shortage.since = None;
                    let seconds = began.elapsed().as_secs_f64();
                    if ctx.is_held_back {
                        self.hold_back(ctx, estimated_s, outcome.clone(), seconds).await?;
                    } else {
                        self.finish(&ctx, outcome.clone(), seconds).await?;
                    }
                    return Ok(outcome);
                }
                Err(fault) => fault,
            };
            let then = after_fault(&ctx.step, &fault, retry.filter(|_| attempts_left > 0));
            self.fail(&ctx, &fault, then)?;
            match then {
                AfterFault::Retry { after_s } => {
                    self.pause(Duration::from_secs_f64(after_s)).await?;
                    ctx.attempt += 1;
                    attempts_left -= 1;
                    // A fetch is repeated together with its sweep.
                    self.bench.memory_is_doubtful |= Needs::of(&ctx.step.operation).memory;
                }
                AfterFault::Continue => return Ok(Outcome::Failed(fault)),
                AfterFault::Raise => return Err(fault),
            }
        }
    }

    /// Emits the beginning of an attempt and makes the attempt. The events of a step that is held back follow later,
    /// unless the step fails.
    async fn announced_attempt(
        &mut self,
        ctx: &mut StepContext,
        estimated_s: Option<f64>,
    ) -> Result<Outcome, Fault> {
        if !ctx.is_held_back {
            self.announce(ctx, estimated_s).await?;
        }
        let result = self.attempt_at_most_twice(ctx).await;
        if ctx.is_held_back && result.is_err() {
            ctx.is_held_back = false;
            self.prove_readings().await?;
            self.announce(ctx, estimated_s).await?;
        }
        result
    }

    /// Emits that an attempt begins. Before light, movements and questions, the record is on the disk first.
    pub(super) async fn announce(&self, ctx: &StepContext, estimated_s: Option<f64>) -> Result<(), Fault> {
        let started = ctx.started(estimated_s);
        match durability(&ctx.step.operation) {
            Durability::Now => self.log.emit_durable(started).await,
            Durability::Soon => self.log.emit(started),
        }
    }

    /// Emits that a step is repeated. The record is on the disk first.
    pub(super) async fn announce_repeat(&self, ctx: &StepContext) -> Result<(), Fault> {
        self.log.emit_durable(ctx.started(None)).await
    }

    /// A step has ended well.
    pub(super) async fn finish(
        &mut self,
        ctx: &StepContext,
        outcome: Outcome,
        seconds: f64,
    ) -> Result<(), Fault> {
        let number = ctx.number;
        self.note_end(ctx, &outcome);
        self.log.emit(RunEvent::StepFinished { number, outcome, seconds })?;
        if matches!(ctx.step.operation.traits().settings, Settings::Raw(_)) {
            // A restart would lose the settings that a raw command has changed. If they cannot be read now, they are read
            // before the next step.
            let _ = self.bench.settle_doubts(number).await;
        }
        Ok(())
    }

    /// Notes what a step that has ended well has changed on the instrument.
    pub(super) fn note_end(&mut self, ctx: &StepContext, outcome: &Outcome) {
        let operation = &ctx.step.operation;
        self.bench.doubt(Doubts::left_by(operation, outcome));
        if let Some(laser) = operation.traits().lasers.switched() {
            self.bench.note_switched(laser);
        }
    }

    /// An attempt has failed.
    pub(super) fn fail(&mut self, ctx: &StepContext, fault: &Fault, then: AfterFault) -> Result<(), Fault> {
        self.bench.doubt(Doubts::left_by_failed(&ctx.step.operation));
        self.log.emit(RunEvent::StepFailed { number: ctx.number, fault: fault.clone(), then })
    }

    /// The retries of a step. A fetch without `retry` has those of its sweep.
    fn retry(&self, step: &Step) -> Option<Retry> {
        let fetches = Needs::of(&step.operation).memory;
        let of_sweep = || self.log.history(|history| history.repeatable_sweep()?.step.options.retry);
        step.options.retry.or_else(|| of_sweep().filter(|_| fetches))
    }

    /// A step that must not be repeated, although earlier steps are: the recipe gets its recorded result.
    fn reply_recorded(
        &mut self,
        ctx: StepContext,
        recorded: Result<Outcome, Fault>,
    ) -> Result<Outcome, Fault> {
        let ended = RunEvent::step_ended(ctx.number, recorded.clone(), 0.0);
        self.log.emit_all(vec![ctx.started(None), ended])?;
        recorded
    }

    /// Waits, unless the run is being stopped.
    pub(super) async fn pause(&mut self, time: Duration) -> Result<(), Fault> {
        let mut stop = self.control.stop_receiver();
        let in_finally = self.finally_until.is_some();
        tokio::select! {
            biased;
            reason = stop.asked(in_finally) => Err(Fault::new(FaultKind::Stopped, reason)),
            () = self.bench.heartbeat.during(tokio::time::sleep(time)) => Ok(()),
        }
    }

    /// Fails when the run is being stopped.
    pub(super) fn fail_if_stopped(&self) -> Result<(), Fault> {
        let reason = self.control.stop_receiver().reason(self.finally_until.is_some());
        reason.map_or(Ok(()), |reason| Err(Fault::new(FaultKind::Stopped, reason)))
    }

    fn now(&self) -> Result<Now, Fault> {
        let wall = Moment::here(crate::measurement::unix_time_s());
        let Moment { time_s, ahead_s } = wall;
        let elapsed_s = self.log.emit_timed(RunEvent::Now { time_s, ahead_s })?;
        let process = self.log.history(|history| history.resumed);
        Ok(Now { wall, run: RunTime { elapsed_s, process } })
    }
}
