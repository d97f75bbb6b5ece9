//! Operations that wait: for a time, until a time of day, until the power is stable, or for the operator.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use chrono::{Local, TimeDelta, Utc};

use super::Engine;
use crate::local_time;
use crate::measurement::{PowerReading, PowerUnit};
use crate::operation::{Prompt, ReadPower, Stable, Wait, time_of_day};
use crate::run::context::StepContext;
use crate::run::events::{Activity, RunEvent};
use crate::shown::quantity;
use crate::step::{Fault, FaultKind, Outcome};

/// The interval between two progress events.
const PROGRESS_INTERVAL: Duration = Duration::from_millis(250);
/// The interval between two readings while the power is not stable.
const STABLE_INTERVAL: Duration = Duration::from_millis(100);

impl Engine {
    pub(super) async fn wait(&mut self, ctx: &StepContext, wait: &Wait) -> Result<Outcome, Fault> {
        match wait {
            Wait::Seconds(seconds) => {
                let total = Duration::from_secs_f64(seconds.get());
                let until = tokio::time::Instant::now() + total;
                self.wait_while(ctx, total, || until.saturating_duration_since(tokio::time::Instant::now()))
                    .await?;
            }
            Wait::At(text) => {
                let time = time_of_day(text).ok_or_else(|| {
                    Fault::new(FaultKind::Refused, format!("`{text}` is not a time of day"))
                })?;
                // If the run was interrupted while it waited, it waits until the same time.
                let recorded = ctx.waits_until;
                let until = recorded.or_else(|| local_time::next(&Local::now(), time)).ok_or_else(|| {
                    Fault::new(FaultKind::Refused, format!("`{text}` does not exist in the local time zone"))
                })?;
                let number = ctx.number;
                self.log.emit_durable(RunEvent::WaitsUntil { number, until }).await?;
                // The clock may be set during the wait, so each turn reads it again.
                let left = || (until - Utc::now()).to_std().unwrap_or(Duration::ZERO);
                self.wait_while(ctx, left(), left).await?;
            }
            Wait::Stable(stable) => self.wait_until_stable(ctx, stable).await?,
            Wait::Steady(steady) => self.bench.wait_until_steady(Some(ctx.number), steady).await?,
        }
        Ok(Outcome::Done)
    }

    async fn wait_while(
        &self,
        ctx: &StepContext,
        total: Duration,
        left: impl Fn() -> Duration,
    ) -> Result<(), Fault> {
        loop {
            let remaining = left();
            if remaining.is_zero() {
                return Ok(());
            }
            let done = 1.0 - remaining.as_secs_f64() / total.as_secs_f64();
            self.progress(ctx, Activity::Wait, Some(done), Some(remaining.as_secs_f64()))?;
            tokio::time::sleep(remaining.min(PROGRESS_INTERVAL)).await;
        }
    }

    /// Waits until all readings of the last `for_s` lie within `within_db`.
    async fn wait_until_stable(&mut self, ctx: &StepContext, stable: &Stable) -> Result<(), Fault> {
        let window = Duration::from_secs_f64(stable.for_s.get());
        let limit = Duration::from_secs_f64(stable.timeout_s.get());
        let began = Instant::now();
        let mut readings: VecDeque<(Instant, f64)> = VecDeque::new();
        let mut ticks = tokio::time::interval(STABLE_INTERVAL);
        loop {
            ticks.tick().await;
            let reading = self.bench.power(stable.detector, &self.expected).await?;
            let now = Instant::now();
            match level_dbm(&reading) {
                Some(level) => readings.push_back((now, level)),
                None => readings.clear(),
            }
            // One reading older than the window is kept, so that the window is known to be filled.
            while readings.get(1).is_some_and(|(time, _)| now - *time >= window) {
                readings.pop_front();
            }
            let levels = || readings.iter().map(|(_, level)| *level);
            let spread = levels().fold(f64::MIN, f64::max) - levels().fold(f64::MAX, f64::min);
            let filled = readings.front().is_some_and(|(time, _)| now - *time >= window);
            if filled && spread <= stable.within_db.get() {
                return Ok(());
            }
            if began.elapsed() >= limit {
                let found =
                    if readings.is_empty() { "no reading".to_owned() } else { quantity(spread, None, "dB") };
                return Err(Fault::new(
                    FaultKind::Timeout,
                    format!(
                        "the power on {} was not stable within {} for {} during {}: last spread {found}",
                        stable.detector, stable.within_db, stable.for_s, stable.timeout_s,
                    ),
                ));
            }
            let share = began.elapsed().as_secs_f64() / limit.as_secs_f64();
            self.progress(
                ctx,
                Activity::Wait,
                Some(share),
                Some((limit.saturating_sub(began.elapsed())).as_secs_f64()),
            )?;
        }
    }

    pub(super) async fn read_power(
        &mut self,
        ctx: &StepContext,
        fields: &ReadPower,
    ) -> Result<Outcome, Fault> {
        let interval = Duration::from_secs_f64(fields.interval_s.get());
        let mut readings = Vec::new();
        let began = tokio::time::Instant::now();
        for sample in 0..fields.samples {
            // The timer rounds up to a millisecond, so the first reading does not wait for it.
            if sample > 0 {
                self.bench.heartbeat.during(tokio::time::sleep_until(began + interval * sample)).await;
            }
            // The detectors of one reading have one time, so that their values can be compared.
            let mut time_s = None;
            for detector in &fields.detectors {
                let reading = self.bench.power(*detector, &self.expected).await?;
                let time_s = *time_s.get_or_insert(reading.time_s);
                readings.push(PowerReading { time_s, ..reading });
            }
            // The beginning of a step that is held back was not emitted yet. After the last reading, the end follows.
            if ctx.is_held_back || sample + 1 == fields.samples {
                self.bench.beat()?;
                continue;
            }
            let done = f64::from(sample + 1) / f64::from(fields.samples);
            let left = interval.as_secs_f64() * f64::from(fields.samples - sample - 1);
            self.progress(ctx, Activity::Power, Some(done), Some(left))?;
        }
        Ok(Outcome::Power(readings))
    }

    pub(super) async fn prompt(&mut self, ctx: &StepContext, prompt: &Prompt) -> Result<Outcome, Fault> {
        self.ask_operator(ctx, &prompt.message, &prompt.choices, prompt.unattended.as_deref())
            .await
            .map(Outcome::Answer)
    }

    /// Asks the operator. If nobody was present, or nobody answers in time, the result is `unattended`; without that,
    /// the step fails.
    pub(super) async fn ask_operator(
        &mut self,
        ctx: &StepContext,
        message: &str,
        choices: &[String],
        unattended: Option<&str>,
    ) -> Result<String, Fault> {
        let number = ctx.number;
        let was_attended = self.control.is_attended();
        if was_attended && let Some(answer) = self.answer(ctx, message, choices).await? {
            self.log.emit(RunEvent::Answered { number, answer: answer.clone(), by_operator: true })?;
            return Ok(answer);
        }
        let answer = unattended.map(str::to_owned).ok_or_else(|| {
            let why = match (was_attended, self.control.is_attended()) {
                (true, true) => "no one has answered in time",
                (true, false) => "no one can answer, because standard input has ended and there is no page",
                (false, _) => "no person is present to answer",
            };
            Fault::new(FaultKind::Refused, format!("{why}: {message}"))
                .hint("add an `unattended` answer to the step, or start the run from a terminal")
        })?;
        self.log.emit(RunEvent::Answered { number, answer: answer.clone(), by_operator: false })?;
        Ok(answer)
    }

    /// The operator's answer. The question is repeated until the answer is allowed. `None` if there is none in time.
    async fn answer(
        &mut self,
        ctx: &StepContext,
        message: &str,
        choices: &[String],
    ) -> Result<Option<String>, Fault> {
        self.control.forget_answers();
        let number = ctx.number;
        let give_up = self.times.answer_wait.map(|wait| tokio::time::Instant::now() + wait);
        let until = self.times.answer_wait.and_then(|wait| TimeDelta::from_std(wait).ok());
        let until = until.and_then(|wait| Utc::now().checked_add_signed(wait));
        loop {
            let (message, offered) = (message.to_owned(), choices.to_vec());
            self.log.emit(RunEvent::Question { number, message, choices: offered, until })?;
            let answered = self.bench.heartbeat.during(self.control.next_answer());
            let Some(answer) = within(give_up, answered).await.flatten() else { return Ok(None) };
            if choices.is_empty() || choices.contains(&answer) {
                return Ok(Some(answer));
            }
            let message = format!("`{answer}` is not one of the answers: {}", choices.join(", "));
            self.log.emit(RunEvent::Warning { message })?;
        }
    }
}

/// The result of `wait`, or `None` if the time is up first.
async fn within<T>(give_up: Option<tokio::time::Instant>, wait: impl Future<Output = T>) -> Option<T> {
    match give_up {
        Some(at) => tokio::time::timeout_at(at, wait).await.ok(),
        None => Some(wait.await),
    }
}

/// A reading in dBm. A power of zero has no level.
pub(super) fn level_dbm(reading: &PowerReading) -> Option<f64> {
    reading.unit.convert(reading.value?, PowerUnit::Dbm)
}
