//! Named instruments of a run: what the run has set on them is set again after a restart, and all of them are made safe at
//! the end.

mod lines;
mod requests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;

use super::Bench;
use crate::equipment::{Device, Live, LiveInstrument, MadeSafe};
use crate::http::{ApiError, ApiMark};
use crate::instrument::Mark;
use crate::operation::{Destination, NamedRole, Operation, OperationTraits, Wait};
use crate::run::events::{Activity, RunEvent};
use crate::step::{Fault, FaultKind};
use crate::units::Seconds;
pub(in crate::run) use requests::{REQUEST_LIMIT, Sender};

/// Settings are restored at most this often, because an instrument that restarts all the time cannot be used.
const ROUNDS: u32 = 3;

/// The named instruments of a run.
#[derive(Debug)]
pub(super) struct Named {
    live: Live,
    /// The connection over which each instrument got the settings of the run.
    restored: BTreeMap<String, NamedMark>,
    /// Settings are being restored now.
    is_restoring: bool,
    /// `finally` must not begin with restoring settings.
    in_finally: bool,
    /// The instruments that the run has used: they are made safe at its end.
    used: BTreeSet<String>,
}

/// The connection to a named instrument. Another mark means that the instrument may have been restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NamedMark {
    Text(Mark),
    Api(ApiMark),
}

/// The times of a poll.
struct Pace {
    began: Instant,
    total: Duration,
    interval: Duration,
}

impl Pace {
    fn new(interval: Seconds, total: Seconds) -> Self {
        let seconds = |seconds: Seconds| Duration::from_secs_f64(seconds.get());
        Self { began: Instant::now(), total: seconds(total), interval: seconds(interval) }
    }
}

impl Named {
    pub(super) fn new(live: Live) -> Self {
        Self {
            live,
            restored: BTreeMap::new(),
            is_restoring: false,
            in_finally: false,
            used: BTreeSet::new(),
        }
    }

    /// The run is resumed: the earlier processes have used these.
    pub(super) fn resume(&mut self, used: &BTreeSet<String>) {
        self.used.extend(used.iter().cloned());
    }

    /// Restoring settings has ended, or was broken off.
    pub(super) fn forget_restoring(&mut self) {
        self.is_restoring = false;
    }

    fn get(&self, name: &str) -> Result<LiveInstrument, Fault> {
        self.live.get(name).cloned().ok_or_else(|| {
            let known: Vec<&str> = self.live.iter().map(|(name, _)| name).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let message = format!("no instrument is named `{name}` in this run (known: {known})");
            Fault::new(FaultKind::Refused, message)
        })
    }
}

fn of(name: &str, fault: impl Into<Fault>) -> Fault {
    let fault = fault.into();
    Fault { message: format!("{name}: {}", fault.message), ..fault }
}

fn refused(name: &str, why: impl std::fmt::Display) -> Fault {
    of(name, Fault::new(FaultKind::Refused, why.to_string()))
}

impl From<ApiError> for Fault {
    fn from(error: ApiError) -> Self {
        let kind = match error {
            ApiError::Http(error) => return error.into(),
            ApiError::Header(_) => FaultKind::Refused,
            ApiError::Status { .. } | ApiError::OtherInstrument { .. } | ApiError::NotConfirmed(_) => {
                FaultKind::Instrument
            }
        };
        Self::new(kind, error.to_string())
    }
}

/// The connection of an instrument. A REST API has none: the mark changes when a request had no reply.
async fn mark_of(live: &LiveInstrument) -> Result<NamedMark, Fault> {
    match &live.device {
        Device::Text(text) => Ok(NamedMark::Text(text.mark().await?)),
        Device::Api(api) => Ok(NamedMark::Api(api.mark())),
    }
}

/// Proves that the replies since the mark are right. Each reply of a REST API belongs to its own request.
async fn prove(live: &LiveInstrument, mark: NamedMark, is_patient: bool) -> Result<(), Fault> {
    match (&live.device, mark) {
        (Device::Text(text), NamedMark::Text(mark)) if is_patient => Ok(text.prove(mark).await?),
        (Device::Text(text), NamedMark::Text(mark)) => Ok(text.impatient().prove(mark).await?),
        (Device::Api(_), NamedMark::Api(_)) => Ok(()),
        (Device::Text(_), NamedMark::Api(_)) | (Device::Api(_), NamedMark::Text(_)) => {
            Err(Fault::new(FaultKind::Link, "the instrument was replaced by another one"))
        }
    }
}

impl Bench {
    /// Makes sure that a named instrument is connected and has the settings of the run.
    async fn ready(&mut self, name: &str) -> Result<NamedMark, Fault> {
        self.claim_named(name).await?;
        let live = self.named.get(name)?;
        for _ in 0..ROUNDS {
            let heartbeat = self.heartbeat.clone();
            let mark = heartbeat.during(mark_of(&live)).await.map_err(|error| of(name, error))?;
            let is_left = self.named.is_restoring || self.named.in_finally;
            if is_left || self.named.restored.get(name) == Some(&mark) {
                return Ok(mark);
            }
            if let Device::Api(api) = &live.device {
                heartbeat.during(api.identify()).await.map_err(|error| of(name, error))?;
            }
            let steps = self.intended().named.of(name);
            if self.named.restored.contains_key(name) {
                let message =
                    format!("the connection to {name} was lost: the settings of the run are restored");
                self.log.emit(RunEvent::Warning { message })?;
            }
            self.named.is_restoring = true;
            let mut restored = Ok(());
            for step in &steps {
                restored = heartbeat.during(self.restore_step(name, step)).await;
                if restored.is_err() {
                    break;
                }
            }
            self.named.is_restoring = false;
            restored?;
            self.named.restored.insert(name.to_owned(), mark);
        }
        let message =
            format!("the connection to {name} was lost in each of {ROUNDS} attempts to restore the settings");
        Err(Fault::new(FaultKind::Link, message))
    }

    /// Performs a step again. The future is boxed, because these functions call each other.
    fn restore_step<'a>(
        &'a mut self,
        name: &'a str,
        operation: &'a Operation,
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            if operation.traits().named.is_some_and(|named| named.role == NamedRole::Waits) {
                let message =
                    format!("the settings of {name} were sent again, so the run waits again: {operation}");
                self.log.emit(RunEvent::Warning { message })?;
            }
            match operation {
                Operation::Scpi(scpi) => self.line(None, scpi).await.map(drop),
                Operation::Http(http) => match &http.destination {
                    Destination::Named { to, path } => {
                        self.request_to(None, to, path, http, REQUEST_LIMIT).await.map(drop)
                    }
                    Destination::Url(_) => Ok(()),
                },
                Operation::Wait(Wait::Steady(steady)) => self.wait_until_steady(None, steady).await,
                // No other operation uses a named instrument.
                Operation::Wait(Wait::Seconds(_) | Wait::At(_) | Wait::Stable(_))
                | Operation::ConfigureLaser(_)
                | Operation::ConfigureTls(_)
                | Operation::ConfigureScan(_)
                | Operation::ConfigureDetector(_)
                | Operation::CreateReference(_)
                | Operation::Sweep(_)
                | Operation::FetchTrace(_)
                | Operation::Analyze(_)
                | Operation::ReadPower(_)
                | Operation::Align(_)
                | Operation::Log(_)
                | Operation::Prompt(_) => Ok(()),
            }
        })
    }

    /// Before light, the named instruments that the run has set must still have these settings. Each is asked, because an
    /// instrument that was restarted need not close its connection.
    pub(in crate::run) async fn ensure_named(&mut self) -> Result<(), Fault> {
        for name in self.intended().named.names() {
            let mark = self.ready(&name).await?;
            let live = self.named.get(&name)?;
            let proved = self.heartbeat.clone().during(prove(&live, mark, true)).await;
            if proved.is_err() {
                self.ready(&name).await?;
            }
        }
        Ok(())
    }

    /// After light, the same: what was measured without these settings is not used.
    pub(in crate::run) async fn prove_named(&mut self) -> Result<(), Fault> {
        for name in self.intended().named.names() {
            let Some(mark) = self.named.restored.get(&name).copied() else { continue };
            let live = self.named.get(&name)?;
            let proved = self.heartbeat.clone().during(prove(&live, mark, false)).await;
            proved.map_err(|error| of(&name, error))?;
        }
        Ok(())
    }

    /// `finally` must not begin with restoring settings.
    pub(in crate::run) fn enter_finally(&mut self) {
        self.named.in_finally = true;
    }

    /// The run is about to use this instrument, so the watchdog must know it first.
    async fn claim_named(&mut self, name: &str) -> Result<(), Fault> {
        if self.named.used.insert(name.to_owned()) {
            self.heartbeat.claim_named(self.named.used.clone());
            self.heartbeat.look().await;
        }
        self.beat()
    }

    /// Whether the measurement rests on settings of named instruments.
    pub(in crate::run) fn rests_on_named(&self, traits: &OperationTraits<'_>) -> bool {
        traits.is_scan() && !self.intended().named.names().is_empty()
    }

    /// Earlier items of the batch have left these instruments as they were: this run is responsible for them now.
    pub(in crate::run) fn claim_kept(&mut self, kept: BTreeSet<String>) {
        self.named.used.extend(kept.iter().cloned());
        self.heartbeat.claim_named(kept);
    }

    /// Waits before the next request of a poll. Gives false if the time is over. Tells how far the step is, if one is given.
    async fn rest(&self, pace: &Pace, number: Option<u64>) -> Result<bool, Fault> {
        let left = pace.total.saturating_sub(pace.began.elapsed());
        if left <= pace.interval {
            return Ok(false);
        }
        let done = 1.0 - left.as_secs_f64() / pace.total.as_secs_f64();
        self.tell_wait(number, done, left)?;
        tokio::time::sleep(pace.interval).await;
        Ok(true)
    }

    fn tell_wait(&self, number: Option<u64>, done: f64, left: Duration) -> Result<(), Fault> {
        self.beat()?;
        let Some(number) = number else { return Ok(()) };
        let (done, remaining_s) = (Some(done), Some(left.as_secs_f64()));
        self.log.emit(RunEvent::Progress { number, activity: Activity::Wait, done, remaining_s })
    }
    /// The end of the run: turns its lasers off and makes its named instruments safe, at the same time. Gives the lasers and the
    /// instruments that did not confirm this.
    pub(in crate::run) async fn end(
        &mut self,
        keeps_lasers: bool,
        keeps_between_items: bool,
    ) -> (Vec<u8>, Vec<String>) {
        let (heartbeat, live) = (self.heartbeat.clone(), self.named.live.clone());
        let kept = |name: &&String| {
            keeps_between_items && live.get(name).is_some_and(|live| live.keep_between_items)
        };
        let names: BTreeSet<String> = self.named.used.iter().filter(|name| !kept(name)).cloned().collect();
        let log = self.log.clone();
        let named = async {
            let mut made = live.make_safe(&names).await;
            // An instrument that is no longer configured cannot be made safe.
            made.unknown.extend(names.iter().filter(|name| live.get(name).is_none()).cloned());
            let MadeSafe { safe, unknown, .. } = made;
            if !safe.is_empty() || !unknown.is_empty() {
                // The end of the run must not depend on a journal that cannot be written.
                let _ = log.emit_durable(RunEvent::InstrumentsSafe { safe, unknown: unknown.clone() }).await;
            }
            unknown
        };
        let lasers = async { if keeps_lasers { Vec::new() } else { self.lasers_off().await } };
        heartbeat.during(async { tokio::join!(lasers, named) }).await
    }
}
