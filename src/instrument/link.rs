//! The one socket to the instrument.
//!
//! The connection is in its slot only while it is known to be in step with the instrument: an exchange takes it
//! out, and puts it back when its reply has arrived whole. Whatever is cut short (a dropped future, a deadline, an
//! error) drops the connection with it, and the next call makes a new one; so a reply that nobody waited for can
//! never be read by somebody else.
//!
//! The lock is fair and held for one exchange, never across a wait for the instrument to finish something.

use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::{Mutex, broadcast, mpsc};

use super::address::Address;
use super::connection::{Connection, Cut, Deadlines};
use super::error::Error;
use super::frame::Sample;
use super::scpi::{Action, ErrorEntry, Identity, Query};

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

/// Pause between two attempts to reconnect: the first, and the longest.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// The one socket to the instrument, and the rules for using it.
#[derive(Debug)]
pub struct Link {
    address: Address,
    deadlines: Deadlines,
    slot: Mutex<Slot>,
    events: broadcast::Sender<LinkEvent>,
}

#[derive(Debug, Default)]
struct Slot {
    /// Present only while it is in step.
    connection: Option<Connection>,
    /// Who answered first; whoever answers later must be the same.
    identity: Option<Identity>,
    lost: Option<Instant>,
}

impl Link {
    /// A link that is not connected yet.
    #[must_use]
    pub fn new(address: Address, deadlines: Deadlines) -> Self {
        let (events, _) = broadcast::channel(64);
        Self { address, deadlines, slot: Mutex::default(), events }
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

    /// Connects, once, and says who answers.
    ///
    /// # Errors
    /// When nobody can be reached, or another instrument than before answers.
    pub async fn connect(&self) -> Result<Identity, Error> {
        let mut slot = self.slot.lock().await;
        if let (Some(_), Some(identity)) = (&slot.connection, &slot.identity) {
            return Ok(identity.clone());
        }
        let (connection, identity) = self.open(slot.identity.as_ref()).await?;
        slot.connection = Some(connection);
        slot.identity = Some(identity.clone());
        Ok(identity)
    }

    /// Asks a question. It is asked once more when the connection turns out to be dead.
    ///
    /// # Errors
    /// See [`Error`]; a refused question comes back with the errors that it left in the queue.
    pub async fn ask<R>(&self, query: &Query<R>) -> Result<R, Error> {
        self.ask_within(query, self.deadlines.query).await
    }

    /// [`Link::ask`] with a deadline of its own.
    ///
    /// # Errors
    /// As for [`Link::ask`].
    pub async fn ask_within<R>(&self, query: &Query<R>, deadline: Duration) -> Result<R, Error> {
        let waiting = Instant::now();
        let mut slot = self.slot.lock().await;
        let waited = waiting.elapsed();
        let mut repeated = false;
        loop {
            let mut connection = self.take(&mut slot).await?;
            let began = Instant::now();
            let cut = match connection.query(&query.text, deadline).await {
                Ok(reply) => {
                    tracing::trace!(command = %query.text, %reply, ?waited, on_wire = ?began.elapsed(), "asked");
                    if let Some(read) = query.read(&reply) {
                        slot.connection = Some(connection);
                        return Ok(read);
                    }
                    Cut::Broken(format!("the reply `{}` makes no sense", reply.escape_default()))
                }
                Err(cut) => cut,
            };
            match cut {
                // A refused question has no reply: get back in step, and ask the queue for the reason.
                Cut::Silent => {
                    let errors = self.back_in_step(&mut slot, connection).await;
                    return Err(match errors {
                        Some(errors) if !errors.is_empty() => {
                            Error::Refused { command: query.text.clone(), errors }
                        }
                        _ => Error::NoReply { command: query.text.clone(), seconds: deadline.as_secs() },
                    });
                }
                Cut::Broken(reason) => {
                    self.lose(&mut slot, &reason);
                    if repeated {
                        return Err(Error::Lost { command: query.text.clone(), reason });
                    }
                    repeated = true;
                }
            }
        }
    }

    /// Sends a command, once, and reads the error queue: only that confirms that the instrument has taken it, and
    /// within one hold of the lock no error of somebody else's gets between.
    ///
    /// # Errors
    /// See [`Error`]; what was lost on the way is [`Error::FateUnknown`].
    pub async fn act(&self, action: &Action) -> Result<(), Error> {
        self.act_then(action, async |_, _| Ok(())).await
    }

    /// Starts a scan and looks at the condition register before anything else: a short scan must not be over
    /// before it was seen.
    ///
    /// # Errors
    /// As for [`Link::act`].
    pub async fn act_and_ask<R>(&self, action: &Action, query: &Query<R>) -> Result<R, Error> {
        self.act_then(action, async |connection: &mut Connection, deadline| {
            let reply = connection.query(&query.text, deadline).await?;
            query.read(&reply).ok_or_else(|| Cut::Broken(format!("the reply `{reply}` makes no sense")))
        })
        .await
    }

    async fn act_then<R>(
        &self,
        action: &Action,
        then: impl AsyncFnOnce(&mut Connection, Duration) -> Result<R, Cut>,
    ) -> Result<R, Error> {
        let command = action.to_string();
        let waiting = Instant::now();
        let mut slot = self.slot.lock().await;
        let waited = waiting.elapsed();
        let mut connection = self.take(&mut slot).await?;
        let began = Instant::now();
        let deadline = self.deadlines.action;
        let done = async {
            connection.send(&command).await?;
            let result = then(&mut connection, deadline).await?;
            let errors = connection.errors(deadline).await?;
            Ok::<_, Cut>((result, errors))
        };
        match done.await {
            Ok((result, errors)) => {
                tracing::debug!(%command, ?waited, on_wire = ?began.elapsed(), errors = errors.len(), "sent");
                slot.connection = Some(connection);
                if errors.is_empty() { Ok(result) } else { Err(Error::Refused { command, errors }) }
            }
            Err(cut) => {
                let reason = match cut {
                    Cut::Broken(reason) => reason,
                    Cut::Silent => format!("no confirmation within {} s", deadline.as_secs()),
                };
                self.lose(&mut slot, &reason);
                Err(Error::FateUnknown { command, reason })
            }
        }
    }

    /// Empties the error queue.
    ///
    /// # Errors
    /// When the connection is lost.
    pub async fn drain_errors(&self) -> Result<Vec<ErrorEntry>, Error> {
        let mut slot = self.slot.lock().await;
        let mut connection = self.take(&mut slot).await?;
        match connection.errors(self.deadlines.query).await {
            Ok(errors) => {
                slot.connection = Some(connection);
                Ok(errors)
            }
            Err(cut) => {
                let reason = cut.reason();
                self.lose(&mut slot, &reason);
                Err(Error::Lost { command: Query::next_error().text, reason })
            }
        }
    }

    /// Asks for a block of values and hands them on while they arrive.
    ///
    /// # Errors
    /// See [`Error`]; a block with another number of values than `points` is [`Error::Lost`].
    pub async fn fetch_block<S: Sample>(
        &self,
        command: &str,
        points: u64,
        values: &mpsc::Sender<Vec<S>>,
    ) -> Result<(), Error> {
        let waiting = Instant::now();
        let mut slot = self.slot.lock().await;
        let waited = waiting.elapsed();
        let mut connection = self.take(&mut slot).await?;
        let began = Instant::now();
        match connection.block(command, points, values, &self.deadlines).await {
            Ok(()) => {
                tracing::debug!(%command, points, ?waited, on_wire = ?began.elapsed(), "block received");
                slot.connection = Some(connection);
                Ok(())
            }
            Err(Cut::Silent) => {
                let seconds = self.deadlines.block_start.as_secs();
                match self.back_in_step(&mut slot, connection).await {
                    Some(errors) if !errors.is_empty() => {
                        Err(Error::Refused { command: command.to_owned(), errors })
                    }
                    _ => Err(Error::NoReply { command: command.to_owned(), seconds }),
                }
            }
            Err(Cut::Broken(reason)) => {
                self.lose(&mut slot, &reason);
                Err(Error::Lost { command: command.to_owned(), reason })
            }
        }
    }

    /// The connection, made anew when there is none, for as long as an instrument may take to come back.
    async fn take(&self, slot: &mut Slot) -> Result<Connection, Error> {
        if let Some(connection) = slot.connection.take() {
            return Ok(connection);
        }
        let since = *slot.lost.get_or_insert_with(Instant::now);
        let give_up = Instant::now() + self.deadlines.reconnect;
        let mut pause = BACKOFF.0;
        loop {
            match self.open(slot.identity.as_ref()).await {
                Ok((connection, identity)) => {
                    slot.identity = Some(identity);
                    slot.lost = None;
                    let after = since.elapsed();
                    tracing::info!(address = %self.address, ?after, "connection regained");
                    let _ = self.events.send(LinkEvent::Regained { after });
                    return Ok(connection);
                }
                Err(error @ Error::OtherInstrument { .. }) => return Err(error),
                Err(error) if Instant::now() + pause >= give_up => return Err(error),
                Err(error) => tracing::debug!(%error, ?pause, "still away"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(BACKOFF.1);
        }
    }

    async fn open(&self, expected: Option<&Identity>) -> Result<(Connection, Identity), Error> {
        let unreachable = |reason: String| Error::Unreachable { address: self.address.to_string(), reason };
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
        let reply = connection
            .query(&query.text, self.deadlines.query)
            .await
            .map_err(|cut| unreachable(cut.reason()))?;
        let found = query.read(&reply).ok_or_else(|| unreachable(format!("`{reply}` answers to *IDN?")))?;
        match expected {
            Some(expected) if *expected != found => {
                Err(Error::OtherInstrument { expected: expected.clone(), found })
            }
            _ => Ok((connection, found)),
        }
    }

    /// After a silence: asks who is there and throws away what comes before the answer. What comes later than
    /// that belongs to nobody, and the connection goes.
    async fn back_in_step(&self, slot: &mut Slot, mut connection: Connection) -> Option<Vec<ErrorEntry>> {
        let in_step = async {
            let query = Query::identity();
            connection.send(&query.text).await?;
            loop {
                let reply = connection.line(self.deadlines.query).await?;
                if query.read(&reply) == slot.identity {
                    return connection.errors(self.deadlines.query).await;
                }
            }
        };
        match in_step.await {
            Ok(errors) => {
                slot.connection = Some(connection);
                Some(errors)
            }
            Err(cut) => {
                self.lose(slot, &cut.reason());
                None
            }
        }
    }

    fn lose(&self, slot: &mut Slot, reason: &str) {
        slot.lost.get_or_insert_with(Instant::now);
        tracing::warn!(address = %self.address, reason, "connection lost");
        let _ = self.events.send(LinkEvent::Lost { reason: reason.to_owned() });
    }
}
