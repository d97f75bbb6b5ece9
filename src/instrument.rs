//! The driver of the CTP10: queries, settings, sweeps and transfers. It knows the wire protocol of the instrument,
//! and nothing about recipes or runs. Other instruments on the bench that speak lines of text use the same [`link`].

pub mod activity;
mod connection;
pub mod error;
pub mod frame;
pub mod headers;
mod lasers_off;
pub mod limits;
pub mod link;
mod links;
mod metrics;
pub mod permit;
mod proof;
mod reply;
mod scan;
pub mod scpi;
pub mod setting;
mod status;
pub mod text;
mod trace;
mod transport;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{broadcast, watch};

pub use crate::units::{Address, Target};
pub use connection::Deadlines;
pub use error::Error;
pub use lasers_off::LasersOff;
pub use link::{LinkEvent, Mark, Presence};
pub use proof::Proof;
pub use scan::{ScanSettings, TlsSettings};
pub use status::{InstrumentStatus, LaserStatus};
pub use transport::{NotATransport, Transport};

use activity::Activity;
use limits::Limits;
use link::{ExchangeOptions, Link};
use links::Links;
use scpi::{Action, Condition, ErrorEntry, Identity, Query, UntypedQuery};

/// An absent laser or module does not reply. After this silence, the driver reads the error queue to find out whether
/// the instrument refused the query.
const PROBE_REFUSAL_AFTER: Duration = Duration::from_millis(800);
/// The same wait for observers of a run. It is short, because a refused query blocks the link.
const OBSERVER_REFUSAL_AFTER: Duration = Duration::from_secs(2);
/// An observer waits at most this long until the task that waits for a scan has noticed its end.
const SCAN_END: Duration = Duration::from_secs(1);
/// How long the analysis after a scan may take.
const ANALYSIS_LIMIT: Duration = Duration::from_secs(30);
/// Numbers of the lasers that a CTP10 can have.
pub const LASERS: std::ops::RangeInclusive<u8> = 1..=10;
/// Numbers of the tunable laser sources (TLS) of a scan.
pub const TLS: std::ops::RangeInclusive<u8> = 1..=4;

/// A handle for an EXFO CTP10, or for an instrument with the same protocol. Clones are cheap and share the
/// connections.
#[derive(Debug, Clone)]
pub struct Ctp10 {
    links: Arc<Links>,
    limits: Arc<Limits>,
    options: ExchangeOptions,
    /// Whether queries first wait until the end of a scan has been noticed.
    waits_for_scan_end: bool,
}

impl Ctp10 {
    /// A handle for the instrument at an address. It is not connected yet, and it waits for an instrument that is
    /// unreachable.
    #[must_use]
    pub fn at(address: Address, deadlines: Deadlines, limits: Limits) -> Self {
        let links = Links::new(address, deadlines);
        let options = ExchangeOptions {
            reply: deadlines.query,
            refusal_after: deadlines.query,
            confirm: deadlines.action,
            patience: deadlines.reconnect,
            is_observer: false,
        };
        Self { links: Arc::new(links), limits: Arc::new(limits), options, waits_for_scan_end: false }
    }

    /// A handle without a connection, with the deadlines and limits of this one.
    #[must_use]
    pub fn anew(&self, address: Address) -> Self {
        Self::at(address, self.deadlines(), self.limits().clone())
    }

    /// Connects and reads the identity of the instrument.
    ///
    /// # Errors
    /// If no instrument answers at the address.
    pub async fn connect(address: Address, deadlines: Deadlines, limits: Limits) -> Result<Self, Error> {
        let instrument = Self::at(address, deadlines, limits);
        instrument.reconnect(true).await?;
        Ok(instrument)
    }

    /// Connects once, if there is no connection. With `same`, only the instrument that answered before is accepted.
    ///
    /// # Errors
    /// If no instrument answers at the address.
    pub async fn reconnect(&self, same: bool) -> Result<Identity, Error> {
        self.links.main.connect(same).await
    }

    /// Closes the connections. They stay closed until [`reconnect`](Self::reconnect) is called.
    pub async fn disconnect(&self) {
        self.links.main.close().await;
        if let Some(second) = self.links.second() {
            second.close().await;
        }
        self.links.set_second(None);
    }

    /// A handle for observers, who read while a run uses the instrument. An unreachable instrument is an error at
    /// once, and a query that may be refused takes little time. The handle uses the second connection, if there is
    /// one.
    ///
    /// A caller may drop the future at any time. The query is still completed, so that its reply cannot reach the
    /// next command of the run.
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

    /// A handle for queries that are repeated at short intervals.
    #[must_use]
    pub fn polling(&self, refusal_after: Duration) -> Self {
        Self { waits_for_scan_end: false, ..self.expecting_refusal(refusal_after) }
    }

    /// A handle for queries that the instrument may refuse. After a silence of this length, the driver reads the
    /// error queue. A slow reply is still accepted until the usual deadline.
    fn expecting_refusal(&self, refusal_after: Duration) -> Self {
        let refusal_after = refusal_after.min(self.options.refusal_after);
        Self { options: ExchangeOptions { refusal_after, ..self.options }, ..self.clone() }
    }

    /// A handle with a shorter deadline for the confirmation of a command. Only for commands that may be sent twice.
    #[must_use]
    pub fn confirming_within(&self, confirm: Duration) -> Self {
        let confirm = confirm.min(self.options.confirm);
        Self { options: ExchangeOptions { confirm, ..self.options }, ..self.clone() }
    }

    /// The deadlines of each kind of exchange.
    #[must_use]
    pub fn deadlines(&self) -> Deadlines {
        self.links.deadlines
    }

    /// A handle with additional limits. Of two limits, the stricter one applies.
    #[must_use]
    pub fn within(&self, limits: Limits) -> Self {
        let both = self.limits().clone().stricter(limits);
        Self { limits: Arc::new(both), ..self.clone() }
    }

    /// The limits of the bench.
    #[must_use]
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The identity of the instrument that answered last, whether it is reachable now or not.
    #[must_use]
    pub fn last_identity(&self) -> Option<Identity> {
        self.links.main.last_identity()
    }

    /// The identity of the instrument; `None` while it is unreachable. The link refuses any other instrument.
    #[must_use]
    pub fn identity(&self) -> Option<Identity> {
        match &*self.links.main.presence().borrow() {
            Presence::Here(identity) => Some(identity.clone()),
            _ => None,
        }
    }

    /// The state of the connection. Sends nothing.
    #[must_use]
    pub fn presence(&self) -> watch::Receiver<Presence> {
        self.links.main.presence()
    }

    /// The scan or transfer in progress. Sends nothing.
    #[must_use]
    pub fn activity(&self) -> watch::Receiver<Activity> {
        self.links.shared.activities.watch()
    }

    /// The number of commands sent so far. If it has grown, settings that were read before may be out of date.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.links.changes.load(Ordering::Acquire)
    }

    /// The address of the instrument.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.links.address
    }

    /// The events of the link from now on.
    #[must_use]
    pub fn link_events(&self) -> broadcast::Receiver<LinkEvent> {
        self.links.main.events()
    }

    /// Sends a query and returns its reply.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn ask<R: 'static>(&self, query: &Query<R>) -> Result<R, Error> {
        let reply = self.ask_untyped(query.untyped()).await?;
        query.meaning(&reply)
    }

    async fn ask_untyped(&self, query: UntypedQuery) -> Result<String, Error> {
        if query.is_raw {
            self.permit_question(&query.text)?;
        }
        if query.while_idle {
            self.check_orphaned_scan().await?;
            self.wait_for_scan_end().await?;
        }
        if !self.options.is_observer {
            return self.links.main.ask_untyped(&query, self.options).await;
        }
        let (links, options) = (Arc::clone(&self.links), self.options);
        let command = query.text.clone();
        let asked = tokio::spawn(async move { links.ask_as_observer(&query, options).await });
        asked.await.unwrap_or_else(|panic| Err(Error::Lost { command, reason: panic.to_string() }))
    }

    /// Waits until the analysis after a scan has ended, for half a minute at most. Returns the condition after it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn wait_for_analysis(&self) -> Result<Condition, Error> {
        let condition = self.condition().await?;
        if !condition.is_analysis() {
            return Ok(condition);
        }
        let _ = tokio::time::timeout(ANALYSIS_LIMIT, self.wait_until_idle()).await;
        self.condition().await
    }

    /// Reads the condition register. While a task waits for the end of a scan, this returns the value which that task
    /// read a moment ago. An orphaned scan ends when this finds the instrument idle.
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

    /// If no task waits for the end of the scan, reads the register: the scan may have ended.
    async fn check_orphaned_scan(&self) -> Result<(), Error> {
        if self.links.shared.activities.is_orphaned() {
            Box::pin(self.condition()).await?;
        }
        Ok(())
    }

    /// Waits until the end of a scan has been noticed by the task that waits for it. That task polls, so it may be
    /// late.
    pub(super) async fn wait_for_scan_end(&self) -> Result<(), Error> {
        let activities = &self.links.shared.activities;
        if !self.waits_for_scan_end || !activities.is_scanning() {
            return Ok(());
        }
        if Box::pin(self.ask(&Query::condition())).await?.is_idle() {
            let mut activity = activities.watch();
            let ended = activity.wait_for(|activity| activity.scan.is_none());
            // After this time the scan is considered to be in progress.
            let _ = tokio::time::timeout(SCAN_END, ended).await;
        }
        Ok(())
    }

    /// Sends a query that the instrument may refuse, for example because a laser is absent. Returns `None` if the
    /// error queue shows a refusal.
    ///
    /// # Errors
    /// If the connection is lost, or if the instrument gives neither a reply nor an error.
    pub async fn probe<R: 'static>(&self, query: &Query<R>) -> Result<Option<R>, Error> {
        match self.expecting_refusal(PROBE_REFUSAL_AFTER).ask(query).await {
            Ok(reply) => Ok(Some(reply)),
            Err(Error::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The link that this handle uses for queries.
    fn asked_link(&self) -> Arc<Link> {
        self.links
            .second()
            .filter(|_| self.options.is_observer)
            .unwrap_or_else(|| Arc::clone(&self.links.main))
    }

    /// The link for commands. A transfer blocks the main connection for a long time, so an observer uses the second one.
    fn link_beside_transfer(&self) -> Arc<Link> {
        let is_blocked = self.options.is_observer && self.activity().borrow().transfer.is_some();
        self.links.second().filter(|_| is_blocked).unwrap_or_else(|| Arc::clone(&self.links.main))
    }

    /// Sends a command once, and returns when the instrument has confirmed it.
    ///
    /// # Errors
    /// See [`Error`]. A command beyond the limits of the bench is refused and not sent.
    pub async fn act(&self, action: &Action) -> Result<(), Error> {
        self.permit(action).await?;
        let link = self.link_beside_transfer();
        let done = match action.may_have_reply() {
            true => link.act_and_skip(action, self.options).await,
            false => link.act(action, self.options).await,
        };
        self.links.changes.fetch_add(1, Ordering::AcqRel);
        done
    }

    /// Reads all entries of the error queue, which empties it.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn drain_errors(&self) -> Result<Vec<ErrorEntry>, Error> {
        self.links.main.drain_errors(self.options).await
    }
}
