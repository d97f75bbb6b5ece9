//! The instrument as its users speak of it: ask, set, sweep, fetch. Knows the CTP10's wire protocol and nothing of
//! recipes or runs.

pub mod activity;
pub mod address;
mod connection;
pub mod error;
mod figures;
pub mod frame;
mod glance;
pub mod limits;
pub mod link;
mod reply;
pub mod scpi;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::Instant;

pub use address::Address;
pub use connection::Deadlines;
pub use error::Error;
pub use glance::{Glance, LaserGlance};
pub use link::{LinkEvent, Presence};

use crate::measurement::{Detector, Grid, TraceKind};
use activity::{Activity, ScanKind};
use limits::{Demand, Limits, demands};
use link::{Link, Manner, Shared};
use scpi::{Action, Condition, ErrorEntry, Identity, Query, Reference};

/// A scan that was not seen running within this time has not started.
const START_LIMIT: Duration = Duration::from_secs(3);
/// Pause between two looks at the condition register: the first ones, and the longest.
const POLL: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(100));
/// An absent laser or module does not answer; this long is given to one that may be there.
const PROBE_DEADLINE: Duration = Duration::from_millis(800);
/// Whoever watches beside a run does not hold the link for longer than this with a question that is refused.
const BESIDE_DEADLINE: Duration = Duration::from_secs(2);
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

/// An EXFO CTP10, or whatever speaks like one. Cheap to clone; all clones share its connections.
#[derive(Debug, Clone)]
pub struct Ctp10 {
    links: Arc<Links>,
    limits: Arc<Limits>,
    manner: Manner,
    /// Whether this handle may ask over the second connection.
    beside: bool,
}

/// The connections to one instrument.
#[derive(Debug)]
struct Links {
    /// Everything that changes something goes this way, and all that a run asks.
    main: Link,
    /// Where the instrument takes a second connection: questions of those who watch.
    second: Mutex<Option<Arc<Link>>>,
    deadlines: Deadlines,
    shared: Arc<Shared>,
    /// Counts commands: what was known of settings may be old when it has grown.
    changes: AtomicU64,
    /// Counts aborts: a scan that was aborted has not ended well.
    aborts: AtomicU64,
}

impl Links {
    fn second(&self) -> Option<Arc<Link>> {
        self.second.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_second(&self, link: Option<Arc<Link>>) {
        *self.second.lock().unwrap_or_else(PoisonError::into_inner) = link;
    }
}

impl Ctp10 {
    /// The instrument at an address, not connected yet. This handle waits for an instrument that went away.
    #[must_use]
    pub fn at(address: Address, deadlines: Deadlines, limits: Limits) -> Self {
        let shared = Arc::new(Shared::default());
        let links = Links {
            main: Link::new(address, deadlines, Arc::clone(&shared)),
            second: Mutex::default(),
            deadlines,
            shared,
            changes: AtomicU64::new(0),
            aborts: AtomicU64::new(0),
        };
        let manner =
            Manner { reply: deadlines.query, confirm: deadlines.action, patience: deadlines.reconnect };
        Self { links: Arc::new(links), limits: Arc::new(limits), manner, beside: false }
    }

    /// Connects and asks who is there.
    ///
    /// # Errors
    /// When nobody can be reached at the address.
    pub async fn connect(address: Address, deadlines: Deadlines, limits: Limits) -> Result<Self, Error> {
        let instrument = Self::at(address, deadlines, limits);
        instrument.reconnect(true).await?;
        Ok(instrument)
    }

    /// Makes the connection, once, if there is none. With `same`, only the instrument that answered before counts.
    ///
    /// # Errors
    /// When nobody can be reached at the address.
    pub async fn reconnect(&self, same: bool) -> Result<Identity, Error> {
        self.links.main.connect(same).await
    }

    /// Closes the connections and keeps them closed until [`reconnect`](Self::reconnect) is asked for.
    pub async fn disconnect(&self) {
        self.links.main.close().await;
        if let Some(second) = self.links.second() {
            second.close().await;
        }
        self.links.set_second(None);
    }

    /// The same instrument as those see it who watch beside a run: an absent instrument is an error at once, a
    /// question that may be refused does not take long, and where there is a second connection it is used.
    #[must_use]
    pub fn beside(&self) -> Self {
        let reply = BESIDE_DEADLINE.min(self.links.deadlines.query);
        let manner = Manner { reply, patience: Duration::ZERO, ..self.manner };
        Self { manner, beside: true, ..self.clone() }
    }

    /// The same handle, waiting no longer than this for the reply to a question.
    #[must_use]
    pub fn replying_within(&self, reply: Duration) -> Self {
        let reply = reply.min(self.manner.reply);
        Self { manner: Manner { reply, ..self.manner }, ..self.clone() }
    }

    /// The same handle, waiting no longer than this for a command to be confirmed. For what may be sent twice.
    #[must_use]
    pub fn confirming_within(&self, confirm: Duration) -> Self {
        let confirm = confirm.min(self.manner.confirm);
        Self { manner: Manner { confirm, ..self.manner }, ..self.clone() }
    }

    /// The bench's own limits.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Tries a second connection, and believes in it when both answer at once: some units take one client only,
    /// and may drop the first for a second.
    pub async fn open_second(&self) -> bool {
        if self.links.second().is_some() {
            return true;
        }
        let Links { main, deadlines, shared, .. } = &*self.links;
        let second = Link::new(main.address().clone(), *deadlines, Arc::clone(shared));
        let Ok(expected) = self.reconnect(true).await else { return false };
        if !second.connect(true).await.is_ok_and(|found| found == expected) {
            return false;
        }
        let (query, manner) = (Query::identity(), self.beside().manner);
        let (one, other) = tokio::join!(main.ask(&query, manner), second.ask(&query, manner));
        let both = one.is_ok() && other.is_ok();
        if both {
            self.links.set_second(Some(Arc::new(second)));
        }
        both
    }

    /// Notices that the instrument has closed a connection, where nobody asks anything. Asks nothing itself.
    pub fn notice_loss(&self) {
        self.links.main.notice_loss();
        if let Some(second) = self.links.second() {
            second.notice_loss();
        }
    }

    /// Makes the second connection anew where it was lost by itself.
    pub async fn renew_second(&self) {
        if let Some(second) = self.links.second()
            && !matches!(&*second.presence().borrow(), Presence::Here(_))
            && let Err(error) = second.connect(true).await
        {
            tracing::debug!(%error, "no second connection");
        }
    }

    /// Whether the instrument has taken a second connection.
    #[must_use]
    pub fn has_second(&self) -> bool {
        self.links.second().is_some()
    }

    /// Who answered last, whether it is there now or not.
    #[must_use]
    pub fn last_identity(&self) -> Option<Identity> {
        self.links.main.last_identity()
    }

    /// Who answers; `None` while it is away. The link refuses anybody else than before.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        match &*self.links.main.presence().borrow() {
            Presence::Here(identity) => Some(identity.clone()),
            _ => None,
        }
    }

    /// What is known of it without asking.
    #[must_use]
    pub fn presence(&self) -> watch::Receiver<Presence> {
        self.links.main.presence()
    }

    /// What keeps it busy, without asking it.
    #[must_use]
    pub fn activity(&self) -> watch::Receiver<Activity> {
        self.links.shared.activities.watch()
    }

    /// Grows with every command: settings that were asked before may be old.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.links.changes.load(Ordering::Acquire)
    }

    /// Where it is reached.
    #[must_use]
    pub fn address(&self) -> &Address {
        self.links.main.address()
    }

    /// What happens to the link from now on.
    #[must_use]
    pub fn link_events(&self) -> broadcast::Receiver<LinkEvent> {
        self.links.main.events()
    }

    /// Asks a question.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn ask<R>(&self, query: &Query<R>) -> Result<R, Error> {
        if query.while_idle {
            self.settle_orphan().await?;
        }
        let second = self.links.second().filter(|_| self.beside);
        match second {
            Some(second) => match second.ask(query, self.manner).await {
                // The instrument may be there all the same: the first connection says.
                Err(Error::Unreachable { .. } | Error::Lost { .. }) => {
                    self.links.main.ask(query, self.manner).await
                }
                answer => answer,
            },
            None => self.links.main.ask(query, self.manner).await,
        }
    }

    /// What the instrument is doing. While a scan is waited for this is what the register said a moment ago; a scan that
    /// nobody waits for any more is over when this finds the instrument idle.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn condition(&self) -> Result<Condition, Error> {
        if let Some(seen) = self.links.shared.activities.seen() {
            return Ok(seen);
        }
        let condition = self.ask(&Query::condition()).await?;
        if condition.is_idle() {
            self.links.shared.activities.seen_idle();
        } else if condition.is_scan() {
            self.links.shared.activities.foreign_scan();
        }
        Ok(condition)
    }

    /// A scan that nobody waits for may be over: the register says.
    async fn settle_orphan(&self) -> Result<(), Error> {
        if self.links.shared.activities.is_orphaned() {
            Box::pin(self.condition()).await?;
        }
        Ok(())
    }

    /// Asks something that may not be there: `None` when the instrument refuses or stays silent.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn probe<R>(&self, query: &Query<R>) -> Result<Option<R>, Error> {
        match self.replying_within(PROBE_DEADLINE).ask(query).await {
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
        // A transfer takes the first connection for long; whoever watches beside it may use the other.
        let second =
            self.links.second().filter(|_| self.beside && self.activity().borrow().transfer.is_some());
        let done = match second {
            Some(second) => second.act(action, self.manner).await,
            None => self.links.main.act(action, self.manner).await,
        };
        self.links.changes.fetch_add(1, Ordering::AcqRel);
        done
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

    /// Runs a scan (a sweep or a reference) until the instrument is idle. `expected` is how long it should take.
    ///
    /// Dropped before that, it leaves the scan under way: [`abort`](Self::abort) ends it.
    ///
    /// # Errors
    /// [`Error::DidNotStart`] when the instrument stayed idle: the traces in memory are then old ones.
    pub async fn scan(
        &self,
        action: &Action,
        expected: Duration,
        seen: impl FnMut(Condition),
    ) -> Result<(), Error> {
        self.check_scan_limits().await?;
        let kind = match action {
            Action::StartReference { .. } => ScanKind::Reference,
            _ => ScanKind::Sweep,
        };
        let scan = self.links.shared.activities.scan(kind, expected);
        let started = self.start(action).await;
        match started {
            Ok(()) => {}
            Err(error @ Error::DidNotStart { .. }) => {
                scan.over();
                return Err(error);
            }
            Err(error) => {
                // Where it was refused, another scan may be under way, or none.
                drop(scan);
                if matches!(error, Error::Refused { .. }) {
                    self.condition().await?;
                }
                return Err(error);
            }
        }
        let aborts = self.links.aborts.load(Ordering::Acquire);
        self.wait_until_idle(seen).await?;
        if self.links.aborts.load(Ordering::Acquire) != aborts {
            scan.over();
            return Err(Error::Aborted { command: action.to_string() });
        }
        self.links.changes.fetch_add(1, Ordering::AcqRel);
        scan.over();
        Ok(())
    }

    async fn check_scan_limits(&self) -> Result<(), Error> {
        if self.limits.is_empty() {
            return Ok(());
        }
        let settings = self.scan_settings().await?;
        for (tls, _) in settings.spans() {
            self.limits.check(Demand::Light { laser: Some(tls.laser) })?;
            self.limits.check(Demand::Power { laser: Some(tls.laser), dbm: tls.power_dbm })?;
            for nm in [tls.start_nm.max(settings.start_nm), tls.stop_nm.min(settings.stop_nm)] {
                self.limits.check(Demand::Wavelength { laser: Some(tls.laser), nm })?;
            }
        }
        Ok(())
    }

    /// Returns when the scan has been seen running.
    async fn start(&self, action: &Action) -> Result<(), Error> {
        let mut condition = self.links.main.act_and_ask(action, &Query::condition(), self.manner).await?;
        self.links.shared.activities.see(condition);
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
            self.links.shared.activities.see(condition);
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
        self.links.aborts.fetch_add(1, Ordering::AcqRel);
        self.links.main.act(&Action::Abort, self.manner).await?;
        self.wait_until_idle(|_| {}).await?;
        self.links.shared.activities.stopped();
        Ok(())
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
        self.settle_orphan().await?;
        self.links.main.fetch_block(&scpi::trace_values(detector, kind), points, values, self.manner).await
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
        self.settle_orphan().await?;
        self.links
            .main
            .fetch_block(&scpi::trace_wavelengths(detector, kind), points, metres, self.manner)
            .await
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
        self.links.main.drain_errors(self.manner).await
    }

    /// Turns a laser off and asks whether it is; `None` when there is no such laser.
    ///
    /// # Errors
    /// When it could not be asked: the laser may be on.
    pub async fn laser_off(&self, laser: u8) -> Result<Option<()>, Error> {
        match self.act(&Action::SetLaserOutput { laser, on: false }).await {
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
