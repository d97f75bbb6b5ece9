//! Lines of text: for the CTP10, and for the named instruments on the bench.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Engine;
use crate::instrument::scpi::Query;
use crate::operation::{Operation, Parse, Reading, Scpi, Steady, TextPoll};
use crate::run::context::StepContext;
use crate::run::events::Activity;
use crate::script::{Condition, Mistake};
use crate::step::{Fault, FaultKind, Outcome};

/// The interval between two readings while they are not stable.
const STEADY_INTERVAL: Duration = Duration::from_millis(250);

impl Engine {
    pub(super) async fn scpi(
        &mut self,
        ctx: &StepContext,
        operation: &Operation,
        scpi: &Scpi,
    ) -> Result<Outcome, Fault> {
        match (&scpi.to, scpi.is_query) {
            (None, false) => self.bench.send(operation).await.map(|()| Outcome::Done),
            (Some(name), false) => self.bench.send_to(name, &scpi.text).await.map(|()| Outcome::Done),
            (_, true) => match &scpi.poll {
                Some(poll) => self.poll_line(ctx, scpi, poll).await,
                None => self.ask_line(scpi).await,
            }
            .map(Outcome::from),
        }
    }

    async fn ask_line(&mut self, scpi: &Scpi) -> Result<Reading, Fault> {
        if let Some(name) = &scpi.to {
            return self.bench.ask_named(name, &scpi.text, scpi.parse.reader()).await;
        }
        let query =
            Query::raw(&scpi.text).map_err(|error| Fault::new(FaultKind::Refused, error.to_string()))?;
        let reply = self.bench.ask(query).await?;
        scpi.parse.reader()(&reply).ok_or_else(|| {
            let (text, reply) = (&scpi.text, crate::shown::beginning(&reply));
            let message = format!("the reply to `{text}` is `{reply}`, not {}", scpi.parse.expected());
            Fault::new(FaultKind::Instrument, message)
        })
    }

    /// Asks until the reply meets a condition. An instrument that is away meanwhile does not end the polling: what it does
    /// goes on, and asking again does no harm.
    async fn poll_line(&mut self, ctx: &StepContext, scpi: &Scpi, poll: &TextPoll) -> Result<Reading, Fault> {
        let compile = |name: &'static str, text: &str| {
            Condition::compile("scpi", text).map_err(|mistake| wrong(name, text, mistake))
        };
        let ready = compile("ready", &poll.ready)?;
        let failed = poll.failed.as_deref().map(|text| compile("failed", text)).transpose()?;
        let (began, total) = (Instant::now(), Duration::from_secs_f64(poll.timeout_s.get()));
        let interval = Duration::from_secs_f64(poll.interval_s.get());
        loop {
            let (kind, last) = match self.ask_line(scpi).await {
                Ok(reading) => {
                    let reply: Value = reading.value();
                    let holds = |condition: &Condition, name: &'static str, text: &str| {
                        condition.holds(None, &reply).map_err(|mistake| wrong(name, text, mistake))
                    };
                    if let (Some(failed), Some(text)) = (&failed, &poll.failed)
                        && holds(failed, "failed", text)?
                    {
                        let message = format!("`{}` has failed: the reply is {reply}", scpi.text);
                        return Err(Fault::new(FaultKind::Instrument, message));
                    }
                    if holds(&ready, "ready", &poll.ready)? {
                        return Ok(reading);
                    }
                    (FaultKind::Timeout, format!("the last reply was {reply}"))
                }
                Err(fault) if matches!(fault.kind, FaultKind::Link | FaultKind::Timeout) => {
                    (fault.kind, fault.message)
                }
                Err(fault) => return Err(fault),
            };
            let left = total.saturating_sub(began.elapsed());
            if left <= interval {
                let message = format!("`{}` was not ready within {}: {last}", scpi.text, poll.timeout_s);
                return Err(Fault::new(kind, message));
            }
            let done = 1.0 - left.as_secs_f64() / total.as_secs_f64();
            self.progress(ctx, Activity::Wait, Some(done), Some(left.as_secs_f64()))?;
            tokio::time::sleep(interval).await;
        }
    }

    /// Waits until all readings of the last `for_s` lie within the tolerance.
    pub(super) async fn wait_until_steady(
        &mut self,
        ctx: &StepContext,
        steady: &Steady,
    ) -> Result<(), Fault> {
        let Steady { to, query, within, target, for_s, timeout_s } = steady;
        let window = Duration::from_secs_f64(for_s.get());
        let limit = Duration::from_secs_f64(timeout_s.get());
        let began = Instant::now();
        let mut readings: VecDeque<(Instant, f64)> = VecDeque::new();
        let mut ticks = tokio::time::interval(STEADY_INTERVAL);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let read = Parse::Number.reader();
            let Reading::Number(value) = self.bench.ask_named(to, query, read).await? else {
                return Err(Fault::new(
                    FaultKind::Instrument,
                    format!("{to}: the reply to `{query}` is no number"),
                ));
            };
            let now = Instant::now();
            readings.push_back((now, value));
            // One reading older than the window is kept, so that the window is known to be filled.
            while readings.get(1).is_some_and(|(time, _)| now - *time >= window) {
                readings.pop_front();
            }
            let filled = readings.front().is_some_and(|(time, _)| now - *time >= window);
            let values = || readings.iter().map(|(_, value)| *value);
            let (lowest, highest) = (values().fold(f64::MAX, f64::min), values().fold(f64::MIN, f64::max));
            let off = match target {
                Some(target) => (lowest - target).abs().max((highest - target).abs()),
                None => highest - lowest,
            };
            if filled && off <= *within {
                return Ok(());
            }
            if began.elapsed() >= limit {
                let goal = target.map(|target| format!(" of {target}")).unwrap_or_default();
                let message = format!(
                    "{to}: the reply to `{query}` was not within {within}{goal} for {for_s} during {timeout_s}: \
                     last reply {value}, largest difference {off:.4}"
                );
                return Err(Fault::new(FaultKind::Timeout, message));
            }
            let share = began.elapsed().as_secs_f64() / limit.as_secs_f64();
            let left = limit.saturating_sub(began.elapsed()).as_secs_f64();
            self.progress(ctx, Activity::Wait, Some(share), Some(left))?;
        }
    }
}

fn wrong(name: &str, text: &str, mistake: Mistake) -> Fault {
    let message = format!("{name} `{text}`: {}", mistake.message);
    Fault { hint: mistake.hint, ..Fault::new(FaultKind::Recipe, message) }
}
