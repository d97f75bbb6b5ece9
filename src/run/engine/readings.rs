//! Proving replies: a result is used only once it is proved that each query got its own reply. Without that, a
//! duplicated reply would be taken for the reply to the next query.
//!
//! A proof costs one exchange. Quick readings in a loop of a YAML recipe share one proof: their events are held back
//! until then, and the readings are repeated if the proof fails. Nothing can depend on their values meanwhile.

use std::time::{Duration, Instant};

use super::Engine;
use super::policy::after_fault;
use crate::instrument::Error;
use crate::measurement::{PowerReading, is_implausible_level};
use crate::run::context::StepContext;
use crate::run::events::{AfterFault, RunEvent};
use crate::run::state::rewind::{Again, Cause, rewind};
use crate::step::{Fault, Outcome, QUICK, Step};

/// Readings are proved at the latest after this time. A single one takes less.
const HELD_BACK: Duration = QUICK;
/// The events of at most so many readings are written to the journal together.
const TOGETHER: usize = 64;

/// Readings that are not proved yet.
#[derive(Debug, Default)]
pub(in crate::run) struct Unproved {
    held: Vec<Held>,
    /// When the first of them was measured.
    since: Option<Instant>,
    /// The current step is repeated, because its replies could not be proved.
    pub(super) once_more: bool,
    /// Why the last readings could not be proved.
    pub(in crate::run) fault_at_end: Option<Fault>,
}

/// A reading whose events are held back until it is proved.
#[derive(Debug)]
struct Held {
    ctx: StepContext,
    estimated_s: Option<f64>,
    outcome: Outcome,
    seconds: f64,
}

impl Engine {
    /// Performs a step and proves its result. Readings that are held back are proved later.
    pub(super) async fn perform_proved(&mut self, ctx: &StepContext) -> Result<Outcome, Fault> {
        let step = &ctx.step;
        if !step.operation.traits().is_proved_at_end() {
            return self.perform(ctx).await;
        }
        if self.unproved.held.is_empty() {
            self.bench.begin_proof().await?;
        }
        let outcome = self.perform(ctx).await?;
        if self.bench.rests_on_named(&step.operation.traits())
            && let Err(fault) = self.bench.prove_named().await
        {
            self.unproved.once_more = true;
            return Err(fault);
        }
        if !ctx.is_held_back {
            if let Err(error) = self.bench.prove().await {
                let lost = matches!(error, Error::Lost { .. });
                self.unproved.once_more =
                    step.is_quick_reading() || lost && !step.operation.traits().is_scan();
                return Err(error.into());
            }
            self.keep_readings(step, &outcome).await?;
            if let Some(warning) = strange_reading(&outcome) {
                self.log.emit(warning)?;
            }
        }
        Ok(outcome)
    }

    /// Whether the reading of this step may be held back.
    pub(super) fn may_hold_back(&self, step: &Step) -> bool {
        // A named value may decide how the recipe continues.
        step.is_quick_reading() && step.options.id.is_none() && self.finally_until.is_none()
    }

    /// Whether the readings that are held back may wait while this step is performed.
    pub(super) fn leaves_unproved(&self, step: &Step) -> bool {
        let traits = step.operation.traits();
        let Some(seconds) = traits.least_s().filter(|_| !traits.uses_instrument()) else {
            return self.may_hold_back(step);
        };
        let lasts = Duration::from_secs_f64(seconds);
        self.unproved.since.is_none_or(|since| since.elapsed() + lasts < HELD_BACK)
    }

    /// Holds a reading back. Proves all of them when the time is up.
    pub(super) async fn hold_back(
        &mut self,
        ctx: StepContext,
        estimated_s: Option<f64>,
        outcome: Outcome,
        seconds: f64,
    ) -> Result<(), Fault> {
        let since = *self.unproved.since.get_or_insert_with(Instant::now);
        self.unproved.held.push(Held { ctx, estimated_s, outcome, seconds });
        if since.elapsed() >= HELD_BACK { self.prove_readings().await } else { Ok(()) }
    }

    /// Proves the readings that are held back, or measures them again.
    pub(super) async fn prove_readings(&mut self) -> Result<(), Fault> {
        let held = std::mem::take(&mut self.unproved.held);
        self.unproved.since = None;
        if held.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.bench.prove().await {
            let (count, error) = (held.len(), crate::error::chain(&error));
            let message = format!("readings are measured again ({count}): {error}");
            self.log.emit(RunEvent::Warning { message })?;
            let again = |Held { ctx, .. }| {
                let StepContext { number, attempt, step, .. } = ctx;
                Again { number, attempt, step }
            };
            let cause = Cause::ReadingsUnproved(held.into_iter().map(again).collect());
            for again in self.log.history(|history| rewind(history, cause)).steps {
                Box::pin(self.measure_again(again)).await?;
            }
            return Ok(());
        }
        let mut held = held.into_iter().peekable();
        while held.peek().is_some() {
            let mut events = Vec::new();
            for Held { ctx, estimated_s, outcome, seconds } in held.by_ref().take(TOGETHER) {
                self.keep_readings(&ctx.step, &outcome).await?;
                self.note_end(&ctx, &outcome);
                events.push(ctx.started(estimated_s));
                events.extend(strange_reading(&outcome));
                events.push(RunEvent::StepFinished { number: ctx.number, outcome, seconds });
            }
            self.log.emit_all(events)?;
        }
        Ok(())
    }

    async fn measure_again(&mut self, Again { number, attempt, step }: Again) -> Result<(), Fault> {
        let ctx = StepContext::again(number, attempt, step);
        self.announce(&ctx, None).await?;
        let began = Instant::now();
        match Box::pin(self.attempt_with_disk_space(&ctx)).await {
            Ok(outcome) => self.finish(&ctx, outcome, began.elapsed().as_secs_f64()).await,
            Err(fault) => {
                let then = after_fault(&ctx.step, &fault, None);
                self.fail(&ctx, &fault, then)?;
                if then == AfterFault::Raise { Err(fault) } else { Ok(()) }
            }
        }
    }

    /// Adds readings to the recorded power, once their step has ended well.
    async fn keep_readings(&self, step: &Step, outcome: &Outcome) -> Result<(), Fault> {
        if let Outcome::Power(readings) = outcome {
            let name = step.operation.traits().name.unwrap_or_default();
            for reading in readings {
                self.output.power.keep(*reading, name, "recipe").await?;
            }
        }
        Ok(())
    }
}

/// The warning about a reading that cannot be a measured value.
fn strange_reading(outcome: &Outcome) -> Option<RunEvent> {
    let Outcome::Power(readings) = outcome else { return None };
    let is_strange = |value: &f64| is_implausible_level(*value);
    let of = |reading: &PowerReading| Some((reading.detector, reading.value.filter(is_strange)?));
    let (detector, value) = readings.iter().find_map(of)?;
    let message = format!("{detector} reads {value:e}, which cannot be a measured value");
    Some(RunEvent::Warning { message })
}
