//! One socket to the instrument, and the rules for using it.
//!
//! The connection is in its slot only while it is known to be in step with the instrument: an exchange takes it
//! out, and puts it back when its reply has arrived whole. Whatever is cut short (a dropped future, a deadline, an
//! error) drops the connection with it, and the next call makes a new one; so a reply that nobody waited for can
//! never be read by somebody else.
//!
//! The lock is fair and held for one exchange, never across a wait for the instrument to finish something.

mod exchange;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::{Mutex, MutexGuard, RwLock, broadcast, watch};

use super::activity::Activities;
use super::connection::{Connection, Deadlines, ExchangeFailure, out_of_step};
use super::error::Error;
use super::metrics;
use super::scpi::{Identity, Query};
use crate::units::Address;

/// The link went away or came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// The connection was dropped.
    Lost {
        /// Why.
        reason: String,
    },
    /// The same instrument answers again.
    Regained {
        /// How long it was away.
        after: Duration,
    },
}

/// What is known of the instrument without asking it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Presence {
    /// It has not been reached yet.
    #[default]
    Unknown,
    /// It answers.
    Here(Identity),
    /// It does not answer, and is looked for.
    Away {
        /// Why the connection was lost, or could not be made.
        reason: String,
    },
    /// The connection was closed on purpose, and nobody looks for it.
    Closed,
}

/// Pause between two attempts to reconnect: the first, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// Whoever does not wait for an absent instrument still waits this long for a connection that was cut on purpose
/// to be made anew: the instrument may take a moment to notice that the old one is gone.
const RENEWAL: Duration = Duration::from_secs(1);

/// Maker, model, serial number and firmware.
const IDENTITY_FIELDS: usize = 4;

/// What the connections to one instrument share.
#[derive(Debug, Default)]
pub(super) struct LinkShared {
    /// Questions take it together; whoever reads the error queue for a command takes it alone, so that the
    /// entries found are the command's and not those of a question on another connection.
    ledger: RwLock<()>,
    /// Somebody beside a run has asked something: what it left in the error queue is not the next command's.
    in_doubt: AtomicBool,
    pub(super) activities: Activities,
}

/// One socket to the instrument.
#[derive(Debug)]
pub struct Link {
    address: Address,
    deadlines: Deadlines,
    slot: Mutex<Slot>,
    presence: watch::Sender<Presence>,
    /// Who answered last, for those who do not wait for the slot.
    last: std::sync::Mutex<Option<Identity>>,
    events: broadcast::Sender<LinkEvent>,
    shared: Arc<LinkShared>,
    history: std::sync::Mutex<LinkHistory>,
}

/// How the talk over a link has gone so far.
#[derive(Debug, Default)]
struct LinkHistory {
    /// Connections made so far.
    connections: u64,
    /// What came unasked last, and over which connection.
    stray: Option<(u64, String)>,
    /// Why the last connection was lost.
    loss: Option<String>,
}

/// A moment in the talk over a link: what is asked from then on is to be proved. See `Link::prove`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    connection: u64,
}

#[derive(Debug, Default)]
struct Slot {
    /// Present only while it is in step.
    connection: Option<Connection>,
    /// Who answered first; whoever answers later must be the same.
    identity: Option<Identity>,
    lost: Option<Instant>,
}

/// How an exchange is to be made.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExchangeOptions {
    /// How long the reply to a question is waited for.
    pub(super) reply: Duration,
    /// After this silence the instrument is asked whether it has refused the question: then it has no reply.
    pub(super) refusal_after: Duration,
    /// How long a command's confirmation is waited for.
    pub(super) confirm: Duration,
    /// How long an absent instrument is waited for; zero answers at once.
    pub(super) patience: Duration,
    /// Whoever asks watches beside a run.
    pub(super) is_observer: bool,
}

impl Link {
    /// A link that is not connected yet.
    #[must_use]
    pub(super) fn new(address: Address, deadlines: Deadlines, shared: Arc<LinkShared>) -> Self {
        let (events, _) = broadcast::channel(64);
        let presence = watch::Sender::new(Presence::Unknown);
        Self {
            address,
            deadlines,
            slot: Mutex::default(),
            presence,
            last: std::sync::Mutex::default(),
            events,
            shared,
            history: std::sync::Mutex::default(),
        }
    }

    /// Where the instrument is.
    #[must_use]
    pub fn address(&self) -> &Address {
        &self.address
    }

    /// What happens to the link from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<LinkEvent> {
        self.events.subscribe()
    }

    /// What is known without asking.
    #[must_use]
    pub fn presence(&self) -> watch::Receiver<Presence> {
        self.presence.subscribe()
    }

    /// Who answered last, whether it is there now or not.
    #[must_use]
    pub fn last_identity(&self) -> Option<Identity> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connects, once, and says who answers.
    ///
    /// # Errors
    /// When nobody can be reached, or another instrument than before answers and `same` is asked for.
    pub async fn connect(&self, same: bool) -> Result<Identity, Error> {
        let mut slot = self.slot.lock().await;
        if let (Some(_), Some(identity)) = (&slot.connection, &slot.identity) {
            return Ok(identity.clone());
        }
        let expected = slot.identity.clone().filter(|_| same);
        match self.open(expected.as_ref()).await {
            Ok((connection, identity)) => {
                slot.connection = Some(connection);
                self.regain(&mut slot, identity.clone());
                Ok(identity)
            }
            Err(error) => {
                slot.lost.get_or_insert_with(Instant::now);
                self.presence.send_replace(Presence::Away { reason: error.to_string() });
                Err(error)
            }
        }
    }

    /// Notices that the other end has closed the connection, where nobody asks anything.
    pub(super) fn notice_loss(&self) {
        // Whoever holds the slot notices by itself.
        let Ok(mut slot) = self.slot.try_lock() else { return };
        if let Some(reason) = slot.connection.as_mut().and_then(Connection::fault) {
            slot.connection = None;
            self.lose(&mut slot, &reason);
        }
    }

    fn mark(&self) -> Mark {
        Mark { connection: self.history().connections }
    }

    fn history(&self) -> std::sync::MutexGuard<'_, LinkHistory> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes the connection, and keeps it closed until [`connect`](Self::connect) is asked for.
    pub async fn close(&self) {
        let mut slot = self.slot.lock().await;
        *slot = Slot::default();
        self.presence.send_replace(Presence::Closed);
    }

    /// The slot. Whoever does not wait for an absent instrument does not wait behind somebody who does either.
    async fn hold(&self, options: ExchangeOptions) -> Result<MutexGuard<'_, Slot>, Error> {
        if !options.patience.is_zero() {
            return Ok(self.slot.lock().await);
        }
        let mut presence = self.presence.subscribe();
        tokio::select! {
            biased;
            absent = presence.wait_for(|presence| matches!(presence, Presence::Away { .. } | Presence::Closed)) => {
                let reason = match absent.as_deref() {
                    Ok(Presence::Away { reason }) => reason.clone(),
                    _ => "the connection was closed on request".to_owned(),
                };
                Err(self.unreachable(reason))
            }
            slot = self.slot.lock() => Ok(slot),
        }
    }

    /// The connection, made anew when there is none, for as long as an instrument may take to come back.
    async fn take(&self, slot: &mut Slot, options: ExchangeOptions) -> Result<Connection, Error> {
        if let Some(connection) = slot.connection.take() {
            return Ok(connection);
        }
        // A connection that was cut short was not lost: the instrument is there.
        let patience = if slot.lost.is_some() { options.patience } else { options.patience.max(RENEWAL) };
        slot.lost.get_or_insert_with(Instant::now);
        let give_up = Instant::now() + patience;
        let mut pause = BACKOFF.0;
        loop {
            match self.open(slot.identity.as_ref()).await {
                Ok((connection, identity)) => {
                    self.regain(slot, identity);
                    return Ok(connection);
                }
                Err(error @ Error::OtherInstrument { .. }) => {
                    self.presence.send_replace(Presence::Away { reason: error.to_string() });
                    return Err(error);
                }
                Err(error) if Instant::now() + pause >= give_up => {
                    self.presence.send_replace(Presence::Away { reason: error.to_string() });
                    return Err(error);
                }
                Err(error) => tracing::debug!(%error, ?pause, "still away"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(BACKOFF.1);
        }
    }

    fn unreachable(&self, reason: String) -> Error {
        Error::Unreachable { address: self.address.to_string(), reason }
    }

    async fn open(&self, expected: Option<&Identity>) -> Result<(Connection, Identity), Error> {
        let unreachable = |reason: String| self.unreachable(reason);
        let target = (self.address.host.as_str(), self.address.port);
        let stream = match tokio::time::timeout(self.deadlines.connect, TcpStream::connect(target)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(unreachable(error.to_string())),
            Err(_) => {
                return Err(unreachable(format!(
                    "no connection within {} s",
                    self.deadlines.connect.as_secs()
                )));
            }
        };
        // Commands are a few bytes and wait for their replies: collecting them only adds delay.
        stream.set_nodelay(true).map_err(|error| unreachable(error.to_string()))?;
        let mut connection = Connection::new(stream);
        let query = Query::identity();
        // What is no identity is not shown: it may be another service's greeting, of which a client need not know.
        let no_instrument = || unreachable("what answers there is no instrument".to_owned());
        let reply =
            connection.query(&query.text, self.deadlines.query).await.map_err(|failure| match failure {
                ExchangeFailure::OutOfStep(_) => no_instrument(),
                failure => unreachable(failure.reason()),
            })?;
        let found = query.read(&reply).filter(|_| reply.split(',').count() >= IDENTITY_FIELDS);
        let found = found.ok_or_else(no_instrument)?;
        if found.is_empty() {
            return Err(unreachable("its answer to `*IDN?` is empty: it names no instrument".to_owned()));
        }
        match expected {
            Some(expected) if *expected != found => {
                Err(Error::OtherInstrument { expected: Box::new(expected.clone()), found: Box::new(found) })
            }
            _ => {
                self.history().connections += 1;
                Ok((connection, found))
            }
        }
    }

    /// Something came unasked: nothing that this connection has brought since its last proof can be relied on.
    fn stray(&self, slot: &mut Slot, found: String) {
        self.lose(slot, &out_of_step(&found));
        let mut history = self.history();
        history.stray = Some((history.connections, found));
    }

    fn lose(&self, slot: &mut Slot, reason: &str) {
        slot.lost.get_or_insert_with(Instant::now);
        tracing::warn!(address = %self.address, reason, "connection lost");
        metrics::lost();
        self.history().loss = Some(reason.to_owned());
        self.presence.send_replace(Presence::Away { reason: reason.to_owned() });
        let _ = self.events.send(LinkEvent::Lost { reason: reason.to_owned() });
    }

    fn regain(&self, slot: &mut Slot, identity: Identity) {
        slot.identity = Some(identity.clone());
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(identity.clone());
        self.presence.send_replace(Presence::Here(identity));
        if let Some(since) = slot.lost.take() {
            let after = since.elapsed();
            tracing::info!(address = %self.address, ?after, "connection regained");
            let _ = self.events.send(LinkEvent::Regained { after });
        }
    }
}
