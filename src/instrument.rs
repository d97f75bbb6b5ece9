//! The instrument as its users speak of it: ask, set, sweep, fetch. Knows the CTP10's wire protocol and nothing of
//! recipes or runs.

pub mod activity;
mod connection;
pub mod error;
pub mod frame;
pub mod headers;
pub mod limits;
pub mod link;
mod metrics;
pub mod permit;
mod reply;
mod scan;
pub mod scpi;
pub mod setting;
mod status;
mod trace;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{broadcast, watch};

pub use crate::units::Address;
pub use connection::Deadlines;
pub use error::Error;
pub use link::{LinkEvent, Mark, Presence};
pub use scan::{ScanSettings, TlsSettings};
pub use status::{InstrumentStatus, LaserStatus};

use activity::Activity;
use limits::Limits;
use link::{ExchangeOptions, Link, LinkShared};
use scpi::{Action, Condition, ErrorEntry, Identity, Query};

/// An absent laser or module does not answer: after this silence the instrument is asked whether it is absent.
const PROBE_REFUSAL_AFTER: Duration = Duration::from_millis(800);
/// Whoever watches beside a run does not hold the link for longer than this with a question that is refused.
const OBSERVER_REFUSAL_AFTER: Duration = Duration::from_secs(2);
/// Whoever waits for the end of a scan notices it within this time.
const SCAN_END: Duration = Duration::from_secs(1);
/// Lasers that a CTP10 can have.
pub const LASERS: std::ops::RangeInclusive<u8> = 1..=10;
/// Tunable laser sources of a scan.
pub const TLS: std::ops::RangeInclusive<u8> = 1..=4;

/// An EXFO CTP10, or whatever speaks like one. Cheap to clone; all clones share its connections.
#[derive(Debug, Clone)]
pub struct Ctp10 {
    links: Arc<Links>,
    limits: Arc<Limits>,
    options: ExchangeOptions,
    /// Whether its questions wait for the end of a scan to be noticed.
    waits_for_scan_end: bool,
}

/// The connections to one instrument.
#[derive(Debug)]
struct Links {
    /// Everything that changes something goes this way, and all that a run asks.
    main: Arc<Link>,
    /// Where the instrument takes a second connection: questions of those who watch.
    second: Mutex<Option<Arc<Link>>>,
    deadlines: Deadlines,
    shared: Arc<LinkShared>,
    /// Counts commands: what was known of settings may be old when it has grown.
    changes: AtomicU64,
    /// Counts aborts: a scan that was aborted has not ended well.
    aborts: AtomicU64,
    /// Counts scans that have begun.
    scans: AtomicU64,
    /// The instrument has an event register, as far as is known.
    has_events: AtomicBool,
    /// A laser has told who it is, or was turned off: those that do not answer are not there.
    lasers_answer: AtomicBool,
}

impl Links {
    fn second(&self) -> Option<Arc<Link>> {
        self.second.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask_as_observer<R>(&self, query: &Query<R>, options: ExchangeOptions) -> Result<R, Error> {
        let Some(second) = self.second() else { return self.main.ask(query, options).await };
        match second.ask(query, options).await {
            // The instrument may be there all the same: the first connection says.
            Err(Error::Unreachable { .. } | Error::Lost { .. }) => self.main.ask(query, options).await,
            answer => answer,
        }
    }

    fn set_second(&self, link: Option<Arc<Link>>) {
        *self.second.lock().unwrap_or_else(PoisonError::into_inner) = link;
    }
}

impl Ctp10 {
    /// The instrument at an address, not connected yet. This handle waits for an instrument that went away.
    #[must_use]
    pub fn at(address: Address, deadlines: Deadlines, limits: Limits) -> Self {
        let shared = Arc::new(LinkShared::default());
        let links = Links {
            main: Arc::new(Link::new(address, deadlines, Arc::clone(&shared))),
            second: Mutex::default(),
            deadlines,
            shared,
            changes: AtomicU64::new(0),
            aborts: AtomicU64::new(0),
            scans: AtomicU64::new(0),
            has_events: AtomicBool::new(true),
            lasers_answer: AtomicBool::new(false),
        };
        let options = ExchangeOptions {
            reply: deadlines.query,
            refusal_after: deadlines.query,
            confirm: deadlines.action,
            patience: deadlines.reconnect,
            is_observer: false,
        };
        Self { links: Arc::new(links), limits: Arc::new(limits), options, waits_for_scan_end: false }
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
    /// question that may be refused does not take long, and where there is a second connection it is used. Whoever asks
    /// may give up at any time: the question is asked to its end, so that nothing of it meets the run's next command.
    #[must_use]
    pub fn observer(&self) -> Self {
        let options = ExchangeOptions {
            refusal_after: OBSERVER_REFUSAL_AFTER,
            patience: Duration::ZERO,
            is_observer: true,
            ..self.options
        };
        Self { options, waits_for_scan_end: true, ..self.clone() }
    }

    /// The same handle for questions that are asked again and again.
    #[must_use]
    pub fn polling(&self, refusal_after: Duration) -> Self {
        Self { waits_for_scan_end: false, ..self.expecting_refusal(refusal_after) }
    }

    /// The same handle for questions that the instrument may refuse: after a silence of this length it is asked whether
    /// it has. A reply that is only slow is waited for as long as any other.
    fn expecting_refusal(&self, refusal_after: Duration) -> Self {
        let refusal_after = refusal_after.min(self.options.refusal_after);
        Self { options: ExchangeOptions { refusal_after, ..self.options }, ..self.clone() }
    }

    /// The same handle, waiting no longer than this for a command to be confirmed. For what may be sent twice.
    #[must_use]
    pub fn confirming_within(&self, confirm: Duration) -> Self {
        let confirm = confirm.min(self.options.confirm);
        Self { options: ExchangeOptions { confirm, ..self.options }, ..self.clone() }
    }

    /// How long each kind of exchange may take.
    #[must_use]
    pub fn deadlines(&self) -> Deadlines {
        self.links.deadlines
    }

    /// The same handle under further limits: of both the stricter hold.
    #[must_use]
    pub fn within(&self, limits: Limits) -> Self {
        let both = self.limits().clone().stricter(limits);
        Self { limits: Arc::new(both), ..self.clone() }
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
        let (query, options) = (Query::identity(), self.observer().options);
        let (one, other) = tokio::join!(main.ask(&query, options), second.ask(&query, options));
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
    pub async fn ask<R: Send + 'static>(&self, query: &Query<R>) -> Result<R, Error> {
        if query.is_raw {
            self.permit_question(&query.text)?;
        }
        if query.while_idle {
            self.check_orphaned_scan().await?;
            self.wait_for_scan_end().await?;
        }
        if !self.options.is_observer {
            return self.links.main.ask(query, self.options).await;
        }
        let (links, query, options) = (Arc::clone(&self.links), query.clone(), self.options);
        let command = query.text.clone();
        let asked = tokio::spawn(async move { links.ask_as_observer(&query, options).await });
        asked.await.unwrap_or_else(|panic| Err(Error::Lost { command, reason: panic.to_string() }))
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
    async fn check_orphaned_scan(&self) -> Result<(), Error> {
        if self.links.shared.activities.is_orphaned() {
            Box::pin(self.condition()).await?;
        }
        Ok(())
    }

    /// A scan that is over may not have been noticed to be yet by whoever waits for its end.
    pub(super) async fn wait_for_scan_end(&self) -> Result<(), Error> {
        let activities = &self.links.shared.activities;
        if !self.waits_for_scan_end || !activities.is_scanning() {
            return Ok(());
        }
        if Box::pin(self.ask(&Query::condition())).await?.is_idle() {
            let mut activity = activities.watch();
            let ended = activity.wait_for(|activity| activity.scan.is_none());
            // One that is not noticed within this time is under way.
            let _ = tokio::time::timeout(SCAN_END, ended).await;
        }
        Ok(())
    }

    /// Asks something that may not be there: `None` when the instrument refuses, which its error queue says.
    ///
    /// # Errors
    /// When the connection is lost, or the instrument gives neither a reply nor a reason.
    pub async fn probe<R: Send + 'static>(&self, query: &Query<R>) -> Result<Option<R>, Error> {
        match self.expecting_refusal(PROBE_REFUSAL_AFTER).ask(query).await {
            Ok(reply) => Ok(Some(reply)),
            Err(Error::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// From here on what is asked can be proved.
    ///
    /// # Errors
    /// When there is no connection, and none can be made.
    pub async fn mark(&self) -> Result<Mark, Error> {
        self.asked_link().begin(self.options).await
    }

    /// Proves that what was asked since `mark` was answered by its own replies.
    ///
    /// # Errors
    /// When the connection was made anew since, or replies and questions are out of step.
    pub async fn prove(&self, mark: Mark) -> Result<(), Error> {
        self.asked_link().prove(mark, self.options).await
    }

    /// The link that this handle's questions take.
    fn asked_link(&self) -> Arc<Link> {
        self.links
            .second()
            .filter(|_| self.options.is_observer)
            .unwrap_or_else(|| Arc::clone(&self.links.main))
    }

    /// Changes something, once, and returns when the instrument has confirmed it.
    ///
    /// # Errors
    /// See [`Error`]; what the bench forbids is refused before anything is sent.
    pub async fn act(&self, action: &Action) -> Result<(), Error> {
        self.permit(action).await?;
        // A transfer takes the first connection for long; whoever watches beside it may use the other.
        let second = self
            .links
            .second()
            .filter(|_| self.options.is_observer && self.activity().borrow().transfer.is_some());
        let done = match second {
            Some(second) => second.act(action, self.options).await,
            None => self.links.main.act(action, self.options).await,
        };
        self.links.changes.fetch_add(1, Ordering::AcqRel);
        done
    }

    /// Empties the error queue.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn drain_errors(&self) -> Result<Vec<ErrorEntry>, Error> {
        self.links.main.drain_errors(self.options).await
    }

    /// Turns a laser off and asks whether it is; `None` when there is no such laser.
    ///
    /// # Errors
    /// When it is still on, or could not be asked: it may be on.
    pub async fn laser_off(&self, laser: u8) -> Result<Option<()>, Error> {
        match self.act(&Action::SetLaserOutput { laser, on: false }).await {
            Ok(()) => {}
            Err(refused @ Error::Refused { .. }) => return self.off_after_refusal(laser, refused).await,
            Err(error) => return Err(error),
        }
        let on = self.ask(&Query::laser_output(laser)).await?;
        self.links.lasers_answer.store(true, Ordering::Release);
        if on {
            let errors = vec![ErrorEntry { code: 0, text: "the output is still on".to_owned() }];
            return Err(Error::Refused {
                command: Action::SetLaserOutput { laser, on: false }.to_string(),
                errors,
            });
        }
        Ok(Some(()))
    }

    /// What it means that a laser did not want to be turned off: it may be off all the same, or not there at all.
    async fn off_after_refusal(&self, laser: u8, refused: Error) -> Result<Option<()>, Error> {
        if matches!(&refused, Error::Refused { errors, .. } if errors.iter().all(ErrorEntry::is_missing_hardware))
        {
            return Ok(None);
        }
        match self.probe(&Query::laser_output(laser)).await? {
            Some(false) => Ok(Some(())),
            Some(true) => Err(refused),
            // Where other lasers answer, this one would too if it were there; while a scan runs it does not say.
            None if self.links.lasers_answer.load(Ordering::Acquire) => {
                self.probe(&Query::laser_identity(laser)).await?.map_or(Ok(None), |_| Err(refused))
            }
            None => Err(refused),
        }
    }
}
