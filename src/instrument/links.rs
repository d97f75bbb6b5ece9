//! The connections to one instrument: the main one, and a second one for observers.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError};

use super::link::{ExchangeOptions, Identify, IdentityRule, Link, LinkShared, Protocol};
use super::scpi::{Query, UntypedQuery};
use super::transport::LineEnd;
use super::{Address, Ctp10, Deadlines, Error, Presence};

/// The connections to one instrument.
#[derive(Debug)]
pub(super) struct Links {
    /// The main connection: all commands, and all queries of a run.
    pub(super) main: Arc<Link>,
    /// The second connection, if the instrument accepts one: queries of observers.
    pub(super) second: Mutex<Option<Arc<Link>>>,
    pub(super) address: Address,
    pub(super) deadlines: Deadlines,
    pub(super) shared: Arc<LinkShared>,
    /// Counts the commands sent. Settings that were read before the counter grew may be out of date.
    pub(super) changes: AtomicU64,
    /// Counts the aborts. A scan during which this counter grew was aborted.
    pub(super) aborts: AtomicU64,
    /// Counts the scans that were started.
    pub(super) scans: AtomicU64,
    /// Whether the instrument has an event register. Assumed until the instrument refuses the query.
    pub(super) has_events: AtomicBool,
    /// Whether a laser has replied so far. If so, a laser that does not reply is absent.
    pub(super) lasers_answer: AtomicBool,
}

/// How the CTP10 speaks.
fn protocol() -> Protocol {
    Protocol {
        line_end: LineEnd::CrLf,
        identify: Some(Identify { query: Query::identity().text, rule: IdentityRule::FourFields }),
        setup: Vec::new(),
        errors: Some(Query::next_error().text),
        shares_errors: false,
    }
}

impl Links {
    pub(super) fn new(address: Address, deadlines: Deadlines) -> Self {
        let shared = Arc::new(LinkShared::default());
        let main = Link::new(address.clone().into(), protocol(), deadlines, Arc::clone(&shared));
        Self {
            main: Arc::new(main),
            second: Mutex::default(),
            address,
            deadlines,
            shared,
            changes: AtomicU64::new(0),
            aborts: AtomicU64::new(0),
            scans: AtomicU64::new(0),
            has_events: AtomicBool::new(true),
            lasers_answer: AtomicBool::new(false),
        }
    }

    pub(super) fn second(&self) -> Option<Arc<Link>> {
        self.second.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) async fn ask_as_observer(
        &self,
        query: &UntypedQuery,
        options: ExchangeOptions,
    ) -> Result<String, Error> {
        let Some(second) = self.second() else { return self.main.ask_untyped(query, options).await };
        match second.ask_untyped(query, options).await {
            // Only the second connection may be lost, so the main connection is tried too.
            Err(Error::Unreachable { .. } | Error::Lost { .. }) => {
                self.main.ask_untyped(query, options).await
            }
            answer => answer,
        }
    }

    pub(super) fn set_second(&self, link: Option<Arc<Link>>) {
        *self.second.lock().unwrap_or_else(PoisonError::into_inner) = link;
    }
}

impl Ctp10 {
    /// Tries to open a second connection, and keeps it only if both connections answer at the same time. Some units
    /// accept a single client, and drop the first connection for the second.
    pub async fn open_second(&self) -> bool {
        if self.links.second().is_some() {
            return true;
        }
        let Links { main, address, deadlines, shared, .. } = &*self.links;
        let second = Link::new(address.clone().into(), protocol(), *deadlines, Arc::clone(shared));
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

    /// Detects that the instrument has closed an idle connection. Sends nothing.
    pub fn notice_loss(&self) {
        self.links.main.notice_loss();
        if let Some(second) = self.links.second() {
            second.notice_loss();
        }
    }

    /// Reopens the second connection if it was lost.
    pub async fn renew_second(&self) {
        if let Some(second) = self.links.second()
            && !matches!(&*second.presence().borrow(), Presence::Here(_))
            && let Err(error) = second.connect(true).await
        {
            tracing::debug!(%error, "no second connection");
        }
    }

    /// Whether the instrument has accepted a second connection.
    #[must_use]
    pub fn has_second(&self) -> bool {
        self.links.second().is_some()
    }
}
