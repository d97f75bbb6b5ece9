//! One attempt at a step. A loss of the link repeats it; too little disk space holds it; the time limit or the stop ends
//! it.

use std::time::{Duration, Instant};

use super::Engine;
use crate::instrument::Presence;
use crate::run::bench::Needs;
use crate::run::context::StepContext;
use crate::run::events::RunEvent;
use crate::step::{Fault, FaultKind, Outcome};

/// What ended an attempt.
enum End {
    Performed(Result<Outcome, Fault>),
    Stopped(String),
    TimedOut,
}

impl Engine {
    /// Makes an attempt, and another one if the link was lost during the first.
    pub(super) async fn attempt_at_most_twice(&mut self, ctx: &StepContext) -> Result<Outcome, Fault> {
        self.unproved.once_more = false;
        let result = self.attempt_with_disk_space(ctx).await;
        let lost =
            result.is_ok() && ctx.step.operation.traits().relies_on_settings() && self.bench.link_was_lost();
        if !lost && !std::mem::take(&mut self.unproved.once_more) {
            return result;
        }
        let message = match &result {
            Ok(_) => "the connection was lost during the step: it is repeated".to_owned(),
            Err(fault) => format!("{fault}: the step is repeated"),
        };
        self.log.emit(RunEvent::Warning { message })?;
        self.attempt_with_disk_space(ctx).await
    }

    /// Makes an attempt. If there is too little disk space, waits for it and makes the attempt again.
    pub(super) async fn attempt_with_disk_space(&mut self, ctx: &StepContext) -> Result<Outcome, Fault> {
        self.shortage.fetched.clear();
        loop {
            let result = self.settled_attempt(ctx).await;
            match self.shortage.wanted.take() {
                Some(bytes) if result.is_err() => {
                    Box::pin(self.wait_for_disk_space(bytes)).await?;
                    self.hold_while_paused().await?;
                }
                _ => return result,
            }
        }
    }

    async fn settled_attempt(&mut self, ctx: &StepContext) -> Result<Outcome, Fault> {
        self.ensure_unless_stopped(ctx, Needs::of(&ctx.step.operation)).await?;
        self.attempt(ctx).await
    }

    /// Makes the instrument ready for the step, unless the run is being stopped.
    pub(super) async fn ensure_unless_stopped(
        &mut self,
        ctx: &StepContext,
        needs: Needs,
    ) -> Result<(), Fault> {
        // `finally` must not begin with restoring settings, nor with light.
        if self.finally_until.is_some() {
            return Ok(());
        }
        let mut stop = self.control.stop_receiver();
        let (heartbeat, presence) = (self.bench.heartbeat.clone(), self.bench.ctp10().presence());
        let away = || !matches!(&*presence.borrow(), Presence::Here(_));
        let ensured = tokio::select! {
            biased;
            reason = stop.asked(false) => Err(Fault::new(FaultKind::Stopped, reason)),
            ensured = self.ensure(ctx, needs) => ensured,
            never = heartbeat.beats_while(away) => match never {},
        };
        if ensured.is_err() {
            Box::pin(self.break_off()).await;
        }
        ensured
    }

    async fn ensure(&mut self, ctx: &StepContext, needs: Needs) -> Result<(), Fault> {
        self.bench.ensure(ctx, needs).await?;
        if needs.memory && self.bench.memory_is_doubtful {
            Box::pin(self.sweep_again()).await
        } else {
            Ok(())
        }
    }

    /// Makes an attempt, under the time limit and under the stop.
    async fn attempt(&mut self, ctx: &StepContext) -> Result<Outcome, Fault> {
        let limit = ctx.step.options.timeout_s.map(|limit| Duration::from_secs_f64(limit.get()));
        let left = self.finally_until.map(|until| until.saturating_duration_since(Instant::now()));
        let deadline = limit.into_iter().chain(left).min();
        let mut stop = self.control.stop_receiver();
        let in_finally = self.finally_until.is_some();
        let (heartbeat, presence) = (self.bench.heartbeat.clone(), self.bench.ctp10().presence());
        // The wait for a lost instrument has a limit of its own. Heartbeats are sent meanwhile, since nobody could
        // reach the instrument either.
        let away = || !matches!(&*presence.borrow(), Presence::Here(_));
        let end = tokio::select! {
            biased;
            reason = stop.asked(in_finally) => End::Stopped(reason),
            () = sleep_if(deadline) => End::TimedOut,
            result = self.perform_proved(ctx) => End::Performed(result),
            never = heartbeat.beats_while(away) => match never {},
        };
        match end {
            End::Performed(result) => result,
            End::Stopped(reason) => {
                self.log.emit(RunEvent::Stopping { reason: reason.clone() })?;
                Box::pin(self.break_off()).await;
                Err(Fault::new(FaultKind::Stopped, reason))
            }
            End::TimedOut => {
                Box::pin(self.break_off()).await;
                let allowed = deadline.unwrap_or_default().as_secs_f64();
                let name = ctx.step.operation.name();
                Err(Fault::new(
                    FaultKind::Timeout,
                    format!("`{name}` was not finished within its {allowed} s"),
                ))
            }
        }
    }
}

pub(super) async fn sleep_if(deadline: Option<Duration>) {
    match deadline {
        Some(time) => tokio::time::sleep(time).await,
        None => std::future::pending().await,
    }
}
