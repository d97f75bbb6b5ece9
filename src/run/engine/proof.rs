//! What a step was told by the instrument is relied on once it is proved: each question was answered by its own reply. A
//! reply that came twice would otherwise be the next question's answer.
//!
//! A proof is one exchange. Quick readings in a loop of a YAML recipe share one: they are held back until it is there,
//! and measured again when it fails. Nothing can depend on their values meanwhile.

use std::time::{Duration, Instant};

use crate::instrument::{Error, Mark};
use crate::measurement::is_implausible_level;
use crate::operation::{Exchange, Lasts};
use crate::run::engine::Engine;
use crate::run::events::{AfterFault, RunEvent};
use crate::step::{Fault, OnError, Outcome, Step};

/// Readings are proved after this time at the latest.
const HELD_BACK: Duration = Duration::from_secs(1);

/// What has been measured and is not proved yet.
#[derive(Debug, Default)]
pub(in crate::run) struct Unproved {
    /// Since when questions are to be proved.
    mark: Option<Mark>,
    /// The step under way is held back when it has ended well.
    pub(in crate::run) holds_back: bool,
    /// The step under way has to be done once more: its replies could not be proved.
    pub(in crate::run) once_more: bool,
    held: Vec<Held>,
    /// When the first of them was measured.
    since: Option<Instant>,
}

/// A reading that is held back.
#[derive(Debug)]
struct Held {
    number: u64,
    started: RunEvent,
    step: Step,
    outcome: Outcome,
    seconds: f64,
}

impl Engine {
    /// Performs a step, and proves what it gives; readings that are held back are proved later.
    pub(in crate::run) async fn perform_proved(&mut self, step: &Step) -> Result<Outcome, Fault> {
        if !step.operation.traits().is_proved_at_end() {
            return self.perform(step).await;
        }
        if self.unproved.held.is_empty() {
            self.begin_proof().await?;
        }
        let outcome = self.perform(step).await?;
        if !self.unproved.holds_back {
            if let Err(error) = self.prove().await {
                let lost = matches!(error, Error::Lost { .. });
                self.unproved.once_more = is_quick(step) || lost && !step.operation.traits().is_scan();
                return Err(error.into());
            }
            self.keep_readings(step, &outcome)?;
        }
        Ok(outcome)
    }

    /// What is asked from here on is proved by the next proof.
    pub(in crate::run) async fn begin_proof(&mut self) -> Result<(), Fault> {
        self.unproved.mark = Some(self.instrument.mark().await?);
        Ok(())
    }

    async fn prove(&mut self) -> Result<(), Error> {
        self.pulse.beat();
        let Some(mark) = self.unproved.mark else { return Ok(()) };
        let proved = self.instrument.prove(mark).await;
        if proved.is_err() {
            self.detectors.clear();
        }
        proved
    }

    /// Whether the reading of this step may be held back.
    pub(in crate::run) fn may_hold_back(&self, step: &Step) -> bool {
        // A value that has a name may decide something.
        is_quick(step) && step.options.id.is_none() && self.finally_until.is_none()
    }

    /// Whether readings that are held back may stay so while this step is performed.
    pub(in crate::run) fn leaves_unproved(&self, step: &Step) -> bool {
        let traits = step.operation.traits();
        let lasts = match (traits.uses_instrument(), traits.lasts) {
            (false, Lasts::Pause(seconds) | Lasts::AtLeast(seconds)) => Duration::from_secs_f64(seconds),
            (true, _) | (_, Lasts::Exchanges | Lasts::Scan | Lasts::Until(_) | Lasts::Answer) => {
                return self.may_hold_back(step);
            }
        };
        self.unproved.since.is_none_or(|since| since.elapsed() + lasts < HELD_BACK)
    }

    /// Holds a reading back, and proves all of them when it is time.
    pub(in crate::run) async fn hold_back(
        &mut self,
        started: RunEvent,
        step: Step,
        outcome: Outcome,
        seconds: f64,
    ) -> Result<(), Fault> {
        let since = *self.unproved.since.get_or_insert_with(Instant::now);
        self.unproved.held.push(Held { number: self.number, started, step, outcome, seconds });
        if since.elapsed() >= HELD_BACK { self.prove_readings().await } else { Ok(()) }
    }

    /// Proves the readings that are held back, or measures them again.
    pub(in crate::run) async fn prove_readings(&mut self) -> Result<(), Fault> {
        let held = std::mem::take(&mut self.unproved.held);
        self.unproved.since = None;
        if held.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.prove().await {
            let (count, error) = (held.len(), crate::error::chain(&error));
            let message = format!("readings are measured again ({count}): {error}");
            self.events.say(RunEvent::Warning { message })?;
            return self.measure_again(held).await;
        }
        for Held { number, started, step, outcome, seconds } in held {
            self.events.say(started)?;
            self.keep_readings(&step, &outcome)?;
            self.session.note(number, &step, &outcome);
            self.events.say(RunEvent::StepFinished { number, outcome, seconds })?;
        }
        Ok(())
    }

    async fn measure_again(&mut self, held: Vec<Held>) -> Result<(), Fault> {
        let present = (self.number, self.place.clone(), self.unproved.holds_back);
        self.unproved.holds_back = false;
        let mut result = Ok(());
        for again in held {
            (self.number, self.place) = (again.number, again.step.place.clone());
            result = self.measure_once_more(again).await;
            if result.is_err() {
                break;
            }
        }
        (self.number, self.place, self.unproved.holds_back) = present;
        result
    }

    async fn measure_once_more(&mut self, Held { number, started, step, .. }: Held) -> Result<(), Fault> {
        self.events.say(started)?;
        let began = Instant::now();
        let result = Box::pin(self.attempt_with_room(&step)).await;
        let outcome = match result {
            Ok(outcome) => {
                let seconds = began.elapsed().as_secs_f64();
                self.events.say(RunEvent::StepFinished { number, outcome: outcome.clone(), seconds })?;
                outcome
            }
            Err(fault) => {
                let then = match step.options.on_error {
                    OnError::Continue => AfterFault::Continue,
                    OnError::Stop => AfterFault::Raise,
                };
                self.events.say(RunEvent::StepFailed { number, fault: fault.clone(), then })?;
                if step.options.on_error == OnError::Stop {
                    return Err(fault);
                }
                self.failed_steps += 1;
                Outcome::Failed(fault)
            }
        };
        self.session.note(number, &step, &outcome);
        Ok(())
    }

    /// Readings go into the run's power once their step has ended well.
    fn keep_readings(&self, step: &Step, outcome: &Outcome) -> Result<(), Fault> {
        if let Outcome::Power(readings) = outcome {
            let name = step.operation.traits().name.unwrap_or_default();
            for reading in readings {
                self.power_log.keep(*reading, name, "recipe")?;
            }
            let strange = readings.iter().find_map(|reading| {
                reading
                    .value
                    .filter(|value| is_implausible_level(*value))
                    .map(|value| (reading.detector, value))
            });
            if let Some((detector, value)) = strange {
                let message = format!("{detector} reads {value:e}, which was never measured");
                self.events.say(RunEvent::Warning { message })?;
            }
        }
        Ok(())
    }
}

/// A quick reading in a loop of a YAML recipe.
fn is_quick(step: &Step) -> bool {
    let traits = step.operation.traits();
    let is_short = match traits.lasts {
        Lasts::Pause(seconds) | Lasts::AtLeast(seconds) => seconds < HELD_BACK.as_secs_f64(),
        Lasts::Exchanges | Lasts::Scan | Lasts::Until(_) | Lasts::Answer => false,
    };
    let place = &step.place;
    traits.exchange == Exchange::Readings
        && is_short
        && !place.loops.is_empty()
        && !place.is_in_script()
        && !place.is_beside()
}
