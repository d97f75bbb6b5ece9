//! Lines of text: for the CTP10, and for the named instruments on the bench.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{Pace, of, prove, refused};
use crate::equipment::LiveInstrument;
use crate::instrument::scpi::Query;
use crate::operation::{Parse, Reading, Scpi, Steady, TextPoll};
use crate::run::bench::Bench;
use crate::script::{Condition, Mistake};
use crate::step::{Fault, FaultKind, Outcome};

/// The interval between two readings while they are not stable.
const STEADY_INTERVAL: Duration = Duration::from_millis(250);

impl Bench {
    /// A line of text for a named instrument, or a query for the CTP10. `number` is the step whose progress is told.
    pub(in crate::run) async fn line(&mut self, number: Option<u64>, scpi: &Scpi) -> Result<Outcome, Fault> {
        match (&scpi.to, &scpi.poll) {
            (Some(name), _) if !scpi.is_query => self.send_to(name, &scpi.text).await.map(|()| Outcome::Done),
            (_, Some(poll)) => self.poll_line(number, scpi, poll).await.map(Outcome::from),
            (_, None) => self.ask_line(scpi).await.map(Outcome::from),
        }
    }

    /// The instrument with this name, for a line that is about to be sent.
    fn takes_line(&self, name: &str, line: &str) -> Result<LiveInstrument, Fault> {
        let live = self.named.get(name)?;
        live.text().map_err(|why| refused(name, why))?;
        live.judge(line).map_err(|why| refused(name, why))?;
        Ok(live)
    }

    /// Sends a command to a named instrument.
    async fn send_to(&mut self, name: &str, line: &str) -> Result<(), Fault> {
        let live = self.takes_line(name, line)?;
        let text = live.text().map_err(|why| refused(name, why))?;
        let mark = self.ready(name).await?;
        self.heartbeat.during(text.act(line)).await.map_err(|error| of(name, error))?;
        self.heartbeat.during(prove(&live, mark, true)).await.map_err(|error| of(name, error))
    }

    /// Asks a named instrument. A query whose reply cannot be proved is repeated once.
    async fn ask_named<R: 'static>(
        &mut self,
        name: &str,
        line: &str,
        read: fn(&str) -> Option<R>,
    ) -> Result<R, Fault> {
        let live = self.takes_line(name, line)?;
        let text = live.text().map_err(|why| refused(name, why))?;
        let mut repeated = false;
        loop {
            let mark = self.ready(name).await?;
            let asked = async {
                let reply = text.ask(line, read).await?;
                prove(&live, mark, true).await.map(|()| reply)
            };
            match self.heartbeat.during(asked).await.map_err(|error| of(name, error)) {
                Err(fault) if fault.kind == FaultKind::Link && !repeated => repeated = true,
                told => return told,
            }
        }
    }

    async fn ask_line(&mut self, scpi: &Scpi) -> Result<Reading, Fault> {
        if let Some(name) = &scpi.to {
            return self.ask_named(name, &scpi.text, scpi.parse.reader()).await;
        }
        let query =
            Query::raw(&scpi.text).map_err(|error| Fault::new(FaultKind::Refused, error.to_string()))?;
        let reply = self.ask(query).await?;
        scpi.parse.reader()(&reply).ok_or_else(|| {
            let (text, reply) = (&scpi.text, crate::shown::beginning(&reply));
            let message = format!("the reply to `{text}` is `{reply}`, not {}", scpi.parse.expected());
            Fault::new(FaultKind::Instrument, message)
        })
    }

    /// Asks until the reply meets a condition. An instrument that is away meanwhile does not end the polling: what it does
    /// goes on, and asking again does no harm.
    async fn poll_line(
        &mut self,
        number: Option<u64>,
        scpi: &Scpi,
        poll: &TextPoll,
    ) -> Result<Reading, Fault> {
        let compile = |name: &'static str, text: &str| {
            Condition::compile("scpi", text).map_err(|mistake| wrong(name, text, mistake))
        };
        let ready = compile("ready", &poll.ready)?;
        let failed = poll.failed.as_deref().map(|text| compile("failed", text)).transpose()?;
        let pace = Pace::new(poll.interval_s, poll.timeout_s);
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
            if !self.rest(&pace, number).await? {
                let message = format!("`{}` was not ready within {}: {last}", scpi.text, poll.timeout_s);
                return Err(Fault::new(kind, message));
            }
        }
    }

    /// Waits until all readings of the last `for_s` lie within the tolerance.
    pub(in crate::run) async fn wait_until_steady(
        &mut self,
        number: Option<u64>,
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
            let Reading::Number(value) = self.ask_named(to, query, read).await? else {
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
            self.tell_wait(number, share, limit.saturating_sub(began.elapsed()))?;
        }
    }
}

fn wrong(name: &str, text: &str, mistake: Mistake) -> Fault {
    let message = format!("{name} `{text}`: {}", mistake.message);
    Fault { hint: mistake.hint, ..Fault::new(FaultKind::Recipe, message) }
}
