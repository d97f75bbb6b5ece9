//! Performs steps again, each in its old place: the last sweep with the fetches after it, or readings.

use std::time::{Duration, Instant};

use super::Engine;
use super::policy::after_fault;
use crate::run::bench::Needs;
use crate::run::context::StepContext;
use crate::run::events::AfterFault;
use crate::run::state::rewind::{Again, Cause, Plan, rewind};
use crate::step::{Fault, Outcome};

impl Engine {
    /// Performs the last sweep again with the fetches after it, as often as the sweep itself is tried. What the recipe was
    /// told of these stays.
    pub(super) async fn repeat_sweep(&mut self) -> Result<(), Fault> {
        self.prove_readings().await?;
        let plan = self.log.history(|history| rewind(history, Cause::SweepLost));
        let (Some(sweep), Some(number)) = (plan.sweep().cloned(), plan.first()) else { return Ok(()) };
        let mut attempts_left = sweep.options.retry.map_or(0, |retry| retry.times);
        loop {
            self.hold_while_paused().await?;
            self.fail_if_stopped()?;
            self.bench.memory_is_doubtful = true;
            let needs = Needs { memory: true, ..Needs::of(&sweep.operation) };
            let ctx = StepContext::again(number, 1, sweep.clone());
            let Err(fault) = self.ensure_unless_stopped(&ctx, needs).await else { return Ok(()) };
            if let Some(bytes) = self.shortage.wanted.take() {
                self.wait_for_disk_space(bytes).await?;
                continue;
            }
            let then = after_fault(&sweep, &fault, sweep.options.retry.filter(|_| attempts_left > 0));
            match then {
                AfterFault::Retry { after_s } => {
                    self.pause(Duration::from_secs_f64(after_s)).await?;
                    attempts_left -= 1;
                }
                AfterFault::Continue => return self.fail(&ctx, &fault, then),
                AfterFault::Raise => return Err(fault),
            }
        }
    }

    /// Performs the last sweep again, so that its traces are in the instrument's memory.
    pub(super) async fn sweep_again(&mut self) -> Result<(), Fault> {
        let plan = self.log.history(|history| rewind(history, Cause::SweepLost));
        if plan.first().is_none() {
            return Ok(());
        }
        self.bench.light().await?;
        let done = self.redo(plan).await;
        self.bench.memory_is_doubtful = done.is_err();
        done
    }

    async fn redo(&mut self, plan: Plan) -> Result<(), Fault> {
        for Again { number, attempt, step } in plan.steps {
            Box::pin(self.redo_step(&StepContext::again(number, attempt, step))).await?;
        }
        Ok(())
    }

    /// Performs a step once more, in its old place.
    pub(super) async fn redo_step(&mut self, ctx: &StepContext) -> Result<Outcome, Fault> {
        // The traces that were fetched from the sweep before this one are fetched again.
        self.shortage.fetched.clear();
        self.announce_repeat(ctx).await?;
        let began = Instant::now();
        match self.perform_proved(ctx).await {
            Ok(outcome) => {
                let seconds = began.elapsed().as_secs_f64();
                self.finish(ctx, outcome.clone(), seconds).await?;
                Ok(outcome)
            }
            Err(fault) => {
                // The step for whose sake this one was repeated decides what follows.
                self.fail(ctx, &fault, AfterFault::Retry { after_s: 0.0 })?;
                Err(fault)
            }
        }
    }
}
