//! One connection to an instrument, and the rules for its use. The rules are the same for the CTP10 and for every other
//! instrument on the bench. A `Protocol` states the differences.
//!
//! The connection is in its slot only while it is in step with the instrument. An exchange takes the connection out,
//! and puts it back when the whole reply has arrived. An interrupted exchange (a dropped future, a deadline, an
//! error) drops the connection, and the next call makes a new one. For this reason a late reply can never be read as
//! the reply to another query.
//!
//! The lock is fair. It is held for one exchange, and never while the instrument finishes a scan.

mod exchange;
mod proof;
mod protocol;
mod safe;

use std::sync::atomic::AtomicBool;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, MutexGuard, RwLock, broadcast, watch};

use super::activity::Activities;
use super::connection::{Connection, Deadlines, ExchangeFailure, out_of_step};
use super::error::Error;
use super::metrics;
use super::reply::Identity;
use super::transport::Transport;
use crate::shown;
use protocol::WrongIdentity;
pub(super) use protocol::{Identify, IdentityRule, Protocol};

/// The connection was lost or restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// The connection was lost.
    Lost {
        /// The reason.
        reason: String,
    },
    /// The same instrument answers again.
    Regained {
        /// The time without a connection.
        after: Duration,
    },
}

/// The state of the connection, known without a query.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Presence {
    /// The instrument has not been reached yet.
    #[default]
    Unknown,
    /// The instrument answers.
    Here(Identity),
    /// The instrument does not answer; the program keeps trying to reconnect.
    Away {
        /// Why the connection was lost, or could not be made.
        reason: String,
    },
    /// The connection was closed on request; the program does not reconnect.
    Closed,
}

/// Pause between two attempts to reconnect: the first and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// The shortest time allowed for a new connection after an exchange was interrupted, also for a caller that does not
/// wait for an unreachable instrument. The instrument may need a moment to notice that the old connection is closed.
const RENEWAL: Duration = Duration::from_secs(1);

/// State that is shared by all connections to one instrument.
#[derive(Debug, Default)]
pub(super) struct LinkShared {
    /// A query holds this lock for reading. A command holds it for writing while it reads the error queue. The
    /// entries found there then belong to the command, and not to a query on another connection.
    ledger: RwLock<()>,
    /// Whether an observer has sent a query since the last command. Its errors in the queue do not belong to the next
    /// command.
    in_doubt: AtomicBool,
    pub(super) activities: Activities,
}

/// One connection to an instrument, which is made again when it is lost.
#[derive(Debug)]
pub struct Link {
    transport: Transport,
    protocol: Protocol,
    deadlines: Deadlines,
    slot: Mutex<Slot>,
    presence: watch::Sender<Presence>,
    /// The identity that answered last, readable without the slot's lock.
    last: std::sync::Mutex<Option<Identity>>,
    events: broadcast::Sender<LinkEvent>,
    shared: Arc<LinkShared>,
    history: std::sync::Mutex<LinkHistory>,
}

/// The history of the connections over a link.
#[derive(Debug, Default)]
struct LinkHistory {
    /// Number of connections made so far.
    connections: u64,
    /// The last unexpected reply, and the number of its connection.
    stray: Option<(u64, String)>,
    /// Why the last connection was lost.
    loss: Option<String>,
}

/// The start of a series of queries whose replies are proved at its end. See `Link::prove`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    connection: u64,
}

#[derive(Debug, Default)]
struct Slot {
    /// Present only while the connection is in step.
    connection: Option<Connection>,
    /// The identity that answered first. A later one must be the same.
    identity: Option<Identity>,
    lost: Option<Instant>,
}

/// The deadlines and other options of one exchange.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExchangeOptions {
    /// Deadline for the reply to a query.
    pub(super) reply: Duration,
    /// After this silence, the driver reads the error queue: a refused query has no reply.
    pub(super) refusal_after: Duration,
    /// Deadline for the confirmation of a command.
    pub(super) confirm: Duration,
    /// How long the caller waits for an unreachable instrument. With zero, an unreachable instrument is an error at
    /// once.
    pub(super) patience: Duration,
    /// Whether the caller is an observer of a run.
    pub(super) is_observer: bool,
}

impl Link {
    /// A link without a connection.
    #[must_use]
    pub(super) fn new(
        transport: Transport,
        protocol: Protocol,
        deadlines: Deadlines,
        shared: Arc<LinkShared>,
    ) -> Self {
        let (events, _) = broadcast::channel(64);
        let presence = watch::Sender::new(Presence::Unknown);
        Self {
            transport,
            protocol,
            deadlines,
            slot: Mutex::default(),
            presence,
            last: std::sync::Mutex::default(),
            events,
            shared,
            history: std::sync::Mutex::default(),
        }
    }

    /// The events of the link from now on.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<LinkEvent> {
        self.events.subscribe()
    }

    /// The state of the connection. Sends nothing.
    #[must_use]
    pub fn presence(&self) -> watch::Receiver<Presence> {
        self.presence.subscribe()
    }

    /// The identity of the instrument that answered last, whether it is reachable now or not.
    #[must_use]
    pub fn last_identity(&self) -> Option<Identity> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Connects once, and returns the identity that answers.
    ///
    /// # Errors
    /// If no instrument can be reached, or if `same` is set and another instrument answers.
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

    /// Detects that the instrument has closed an idle connection.
    pub(super) fn notice_loss(&self) {
        // If the slot is in use, the exchange that uses it detects the loss.
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

    /// Closes the connection. It stays closed until [`connect`](Self::connect) is called.
    pub async fn close(&self) {
        let mut slot = self.slot.lock().await;
        *slot = Slot::default();
        self.presence.send_replace(Presence::Closed);
    }

    /// Locks the slot. A caller that does not wait for an unreachable instrument also does not wait behind another
    /// caller that does.
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

    /// Takes the connection, and reconnects if there is none, for as long as `patience` allows.
    async fn take(&self, slot: &mut Slot, options: ExchangeOptions) -> Result<Connection, Error> {
        if let Some(connection) = slot.connection.take() {
            return Ok(connection);
        }
        // After an interrupted exchange the instrument is still there, so a short wait is always allowed.
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
                Err(
                    error @ (Error::OtherInstrument { .. }
                    | Error::WrongIdentity { .. }
                    | Error::Refused { .. }),
                ) => {
                    self.presence.send_replace(Presence::Away { reason: error.to_string() });
                    return Err(error);
                }
                Err(error) if Instant::now() + pause >= give_up => {
                    self.presence.send_replace(Presence::Away { reason: error.to_string() });
                    return Err(error);
                }
                Err(error) => tracing::debug!(%error, ?pause, "still unreachable"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(BACKOFF.1);
        }
    }

    fn unreachable(&self, reason: String) -> Error {
        Error::Unreachable { address: self.transport.to_string(), reason }
    }

    /// A new connection to whatever is at the address.
    async fn reach(&self) -> Result<Connection, Error> {
        let (transport, end) = (&self.transport, self.protocol.line_end);
        let opened = Connection::open(transport, end, self.deadlines.connect).await;
        let mut connection = opened.map_err(|reason| self.unreachable(reason))?;
        if transport.outlives_connections() {
            connection.discard_until_quiet().await.map_err(|failure| self.unreachable(failure.reason()))?;
        }
        Ok(connection)
    }

    async fn open(&self, expected: Option<&Identity>) -> Result<(Connection, Identity), Error> {
        let mut connection = self.reach().await?;
        let found = match &self.protocol.identify {
            Some(identify) => self.identify(&mut connection, identify).await?,
            None => Identity::default(),
        };
        expect(expected, &found)?;
        self.set_up(&mut connection).await?;
        self.history().connections += 1;
        Ok((connection, found))
    }

    async fn identify(&self, connection: &mut Connection, identify: &Identify) -> Result<Identity, Error> {
        let reply = connection.query(&identify.query, self.deadlines.query).await;
        let reply = reply.map_err(|failure| match failure {
            ExchangeFailure::OutOfStep(_) => self.no_instrument(),
            failure => self.unreachable(failure.reason()),
        })?;
        self.identity_in(&reply, identify)
    }

    fn identity_in(&self, reply: &str, identify: &Identify) -> Result<Identity, Error> {
        identify.read(reply).map_err(|wrong| match wrong {
            WrongIdentity::NoInstrument => self.no_instrument(),
            WrongIdentity::Empty => {
                self.unreachable("the reply to `*IDN?` is empty: it must name an instrument".to_owned())
            }
            WrongIdentity::Other { expected } => Error::WrongIdentity {
                address: self.transport.to_string(),
                query: identify.query.clone(),
                found: shown::beginning(reply).into_owned(),
                expected,
            },
        })
    }

    /// A reply that is no identity is not shown. It may be the greeting of another service, which clients should not learn
    /// about.
    fn no_instrument(&self) -> Error {
        self.unreachable("the reply is not from an instrument".to_owned())
    }

    /// Sends what the instrument must be told before it is used. Errors from before do not belong to these lines.
    async fn set_up(&self, connection: &mut Connection) -> Result<(), Error> {
        if self.protocol.setup.is_empty() {
            return Ok(());
        }
        let lost = |failure: ExchangeFailure| self.unreachable(failure.reason());
        self.errors(connection, self.deadlines.query).await.map_err(lost)?;
        for command in &self.protocol.setup {
            connection.send(command).await.map_err(lost)?;
            let errors = self.errors(connection, self.deadlines.action).await.map_err(lost)?;
            if !errors.is_empty() {
                return Err(Error::Refused { command: command.clone(), errors });
            }
        }
        Ok(())
    }

    /// An unexpected reply arrived. All replies of this connection since its last proof may belong to other queries.
    fn stray(&self, slot: &mut Slot, found: String) {
        self.lose(slot, &out_of_step(&found));
        let mut history = self.history();
        history.stray = Some((history.connections, found));
    }

    fn lose(&self, slot: &mut Slot, reason: &str) {
        slot.lost.get_or_insert_with(Instant::now);
        tracing::warn!(address = %self.transport, reason, "connection lost");
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
            tracing::info!(address = %self.transport, ?after, "connection restored");
            let _ = self.events.send(LinkEvent::Regained { after });
        }
    }
}

/// The instrument must be the one that replied first.
fn expect(expected: Option<&Identity>, found: &Identity) -> Result<(), Error> {
    match expected {
        Some(expected) if expected != found => Err(Error::OtherInstrument {
            expected: Box::new(expected.clone()),
            found: Box::new(found.clone()),
        }),
        _ => Ok(()),
    }
}
