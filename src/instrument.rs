//! The instrument as its users speak of it: ask, set, sweep, fetch. Knows the CTP10's wire protocol and nothing of
//! recipes or runs.

pub mod address;
mod connection;
pub mod error;
pub mod frame;
pub mod limits;
pub mod link;
mod reply;
pub mod scpi;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;

pub use address::Address;
pub use connection::Deadlines;
pub use error::Error;
pub use link::LinkEvent;

use crate::measurement::{Detector, Grid, TraceKind};
use limits::{Demand, Limits, demands};
use link::Link;
use scpi::{Action, Condition, ErrorEntry, Identity, Query, Reference};

/// A scan that was not seen running within this time has not started.
const START_LIMIT: Duration = Duration::from_secs(3);
/// Pause between two looks at the condition register: the first ones, and the longest.
const POLL: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(100));
/// An absent laser or module does not answer; this long is given to one that may be there.
const PROBE_DEADLINE: Duration = Duration::from_millis(800);
/// Lasers that a CTP10 can have.
pub const LASERS: std::ops::RangeInclusive<u8> = 1..=10;
/// Tunable laser sources of a scan.
pub const TLS: std::ops::RangeInclusive<u8> = 1..=4;

/// One tunable laser source of the scan, as re-read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TlsSettings {
    /// Its place in the scan.
    pub tls: u8,
    /// The laser that serves as it.
    pub laser: u8,
    /// Where it starts, nm.
    pub start_nm: f64,
    /// Where it stops, nm.
    pub stop_nm: f64,
    /// Its speed, nm/s.
    pub speed_nm_s: f64,
    /// Its power, dBm.
    pub power_dbm: f64,
    /// Its trigger input; 0 for software.
    pub trigger_in: u8,
}

/// The scan, as re-read from the instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct ScanSettings {
    /// First wavelength, nm.
    pub start_nm: f64,
    /// Last wavelength, nm.
    pub stop_nm: f64,
    /// Sampling step, pm.
    pub resolution_pm: f64,
    /// Output after the scan and settling time before it.
    pub stabilization: scpi::Stabilization,
    /// The sources that have a laser.
    pub tls: Vec<TlsSettings>,
}

impl ScanSettings {
    /// The sources that reach into the scan, with the span that each sweeps, nm.
    fn spans(&self) -> impl Iterator<Item = (&TlsSettings, f64)> {
        let span = |tls: &TlsSettings| tls.stop_nm.min(self.stop_nm) - tls.start_nm.max(self.start_nm);
        self.tls.iter().map(move |tls| (tls, span(tls))).filter(|(_, span)| *span > 0.0)
    }

    /// How long a scan should take, by span and speed: the sources sweep one after another.
    #[must_use]
    pub fn expected(&self) -> Duration {
        let sweep: f64 = self.spans().map(|(tls, span)| span / tls.speed_nm_s.max(0.1)).sum();
        Duration::from_secs_f64(sweep + self.stabilization.seconds.max(0.0))
    }

    /// The lasers that a scan lights.
    pub fn lasers(&self) -> impl Iterator<Item = u8> {
        self.spans().map(|(tls, _)| tls.laser)
    }
}

/// An EXFO CTP10, or whatever speaks like one. Cheap to clone; all clones share one connection.
#[derive(Debug, Clone)]
pub struct Ctp10 {
    link: Arc<Link>,
    identity: Identity,
    limits: Arc<Limits>,
}

impl Ctp10 {
    /// Connects and asks who is there.
    ///
    /// # Errors
    /// When nobody can be reached at the address.
    pub async fn connect(address: Address, deadlines: Deadlines, limits: Limits) -> Result<Self, Error> {
        let link = Link::new(address, deadlines);
        let identity = link.connect().await?;
        Ok(Self { link: Arc::new(link), identity, limits: Arc::new(limits) })
    }

    /// Who answered when the link was made. The link refuses anybody else.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Where it is reached.
    #[must_use]
    pub fn address(&self) -> &Address {
        self.link.address()
    }

    /// What happens to the link from now on.
    #[must_use]
    pub fn link_events(&self) -> broadcast::Receiver<LinkEvent> {
        self.link.events()
    }

    /// Asks a question.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn ask<R>(&self, query: &Query<R>) -> Result<R, Error> {
        self.link.ask(query).await
    }

    /// Asks something that may not be there: `None` when the instrument refuses or stays silent.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn probe<R>(&self, query: &Query<R>) -> Result<Option<R>, Error> {
        match self.link.ask_within(query, PROBE_DEADLINE).await {
            Ok(reply) => Ok(Some(reply)),
            Err(Error::Refused { .. } | Error::NoReply { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Changes something, once, and returns when the instrument has confirmed it.
    ///
    /// # Errors
    /// See [`Error`]; what the bench forbids is refused before anything is sent.
    pub async fn act(&self, action: &Action) -> Result<(), Error> {
        self.check_limits(action).await?;
        self.link.act(action).await
    }

    async fn check_limits(&self, action: &Action) -> Result<(), Error> {
        if self.limits.is_empty() {
            return Ok(());
        }
        let mut lasers = [None; 5];
        if action.concerns_tls() {
            for tls in TLS {
                let laser = self.ask(&Query::tls_laser(tls)).await?;
                lasers[usize::from(tls)] = (laser > 0).then_some(laser);
            }
        }
        for demand in demands(action, |tls| lasers.get(usize::from(tls)).copied().flatten()) {
            self.limits.check(demand)?;
        }
        Ok(())
    }

    /// The scan as the instrument has it now: someone may have touched the front panel.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn scan_settings(&self) -> Result<ScanSettings, Error> {
        let mut tls = Vec::new();
        for number in TLS {
            let laser = self.ask(&Query::tls_laser(number)).await?;
            if laser == 0 {
                continue;
            }
            tls.push(TlsSettings {
                tls: number,
                laser,
                start_nm: self.ask(&Query::tls_start_nm(number)).await?,
                stop_nm: self.ask(&Query::tls_stop_nm(number)).await?,
                speed_nm_s: self.ask(&Query::tls_speed_nm_s(number)).await?,
                power_dbm: self.ask(&Query::tls_power_dbm(number)).await?,
                trigger_in: self.ask(&Query::tls_trigger(number)).await?,
            });
        }
        Ok(ScanSettings {
            start_nm: self.ask(&Query::scan_start_nm()).await?,
            stop_nm: self.ask(&Query::scan_stop_nm()).await?,
            resolution_pm: self.ask(&Query::resolution_pm()).await?,
            stabilization: self.ask(&Query::stabilization()).await?,
            tls,
        })
    }

    /// Starts a scan (a sweep or a reference) and returns when it has been seen running, or to be over.
    ///
    /// # Errors
    /// [`Error::DidNotStart`] when the instrument stayed idle: the traces in memory are then old ones.
    pub async fn start(&self, action: &Action) -> Result<(), Error> {
        if !self.limits.is_empty() {
            let settings = self.scan_settings().await?;
            for (tls, _) in settings.spans() {
                self.limits.check(Demand::Light { laser: Some(tls.laser) })?;
                self.limits.check(Demand::Power { laser: Some(tls.laser), dbm: tls.power_dbm })?;
                for nm in [tls.start_nm.max(settings.start_nm), tls.stop_nm.min(settings.stop_nm)] {
                    self.limits.check(Demand::Wavelength { laser: Some(tls.laser), nm })?;
                }
            }
        }
        let mut condition = self.link.act_and_ask(action, &Query::condition()).await?;
        let give_up = Instant::now() + START_LIMIT;
        while condition.is_idle() {
            if Instant::now() >= give_up {
                return Err(Error::DidNotStart { command: action.to_string() });
            }
            tokio::time::sleep(POLL.0).await;
            condition = self.ask(&Query::condition()).await?;
        }
        Ok(())
    }

    /// Looks at the condition register until the instrument is idle: at most 50 times a second, less often the
    /// longer it lasts. Between two looks the link is free.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn wait_until_idle(&self, mut seen: impl FnMut(Condition)) -> Result<(), Error> {
        let began = Instant::now();
        loop {
            let condition = self.ask(&Query::condition()).await?;
            seen(condition);
            if condition.is_idle() {
                return Ok(());
            }
            tokio::time::sleep((began.elapsed() / 20).clamp(POLL.0, POLL.1)).await;
        }
    }

    /// Stops a scan and returns when the instrument is idle.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn abort(&self) -> Result<(), Error> {
        self.link.act(&Action::Abort).await?;
        self.wait_until_idle(|_| {}).await
    }

    /// The wavelength axis of a trace in memory.
    ///
    /// # Errors
    /// See [`Error`]; a trace that is not there is refused by the instrument.
    pub async fn trace_grid(&self, detector: Detector, kind: TraceKind) -> Result<Grid, Error> {
        Ok(Grid {
            points: self.ask(&Query::trace_points(detector, kind)).await?,
            start_nm: self.ask(&Query::trace_start_nm(detector, kind)).await?,
            step_pm: self.ask(&Query::trace_step_pm(detector, kind)).await?,
        })
    }

    /// Fetches a trace's values and hands them on while they arrive. The only long exchange; dropping the future
    /// frees the link at once.
    ///
    /// # Errors
    /// See [`Error`]; a block that is not `points` long is an error and never a shorter trace.
    pub async fn trace_values(
        &self,
        detector: Detector,
        kind: TraceKind,
        points: u64,
        values: &mpsc::Sender<Vec<f32>>,
    ) -> Result<(), Error> {
        self.link.fetch_block(&scpi::trace_values(detector, kind), points, values).await
    }

    /// Fetches a trace's wavelengths in metres, as [`Ctp10::trace_values`] fetches its values.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn trace_wavelengths(
        &self,
        detector: Detector,
        kind: TraceKind,
        points: u64,
        metres: &mpsc::Sender<Vec<f64>>,
    ) -> Result<(), Error> {
        self.link.fetch_block(&scpi::trace_wavelengths(detector, kind), points, metres).await
    }

    /// The reference of a detector; `None` when there is none.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn reference(&self, detector: Detector) -> Result<Option<Reference>, Error> {
        self.ask(&Query::reference(detector)).await
    }

    /// Empties the error queue.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn drain_errors(&self) -> Result<Vec<ErrorEntry>, Error> {
        self.link.drain_errors().await
    }

    /// Turns a laser off and asks whether it is; `None` when there is no such laser.
    ///
    /// # Errors
    /// When it could not be asked: the laser may be on.
    pub async fn laser_off(&self, laser: u8) -> Result<Option<()>, Error> {
        match self.link.act(&Action::SetLaserOutput { laser, on: false }).await {
            Ok(()) => {}
            Err(Error::Refused { .. }) => return Ok(None),
            Err(error) => return Err(error),
        }
        let on = self.ask(&Query::laser_output(laser)).await?;
        if on {
            let errors = vec![ErrorEntry { code: 0, text: "the output is still on".to_owned() }];
            return Err(Error::Refused {
                command: Action::SetLaserOutput { laser, on: false }.to_string(),
                errors,
            });
        }
        Ok(Some(()))
    }
}
