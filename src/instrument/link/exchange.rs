//! Queries, commands and blocks over the link. An exchange takes the connection out of its slot, and puts it back
//! when the whole reply has arrived.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::{ExchangeOptions, Link, Slot};
use crate::instrument::connection::{Connection, ExchangeFailure};
use crate::instrument::error::Error;
use crate::instrument::frame::Sample;
use crate::instrument::metrics::{self, Kind};
use crate::instrument::scpi::{Action, ErrorEntry, Query, UntypedQuery, nonsense};
use crate::shown;

/// A unit that replies to a command does so within this time.
const REPLY_OF_COMMAND: Duration = Duration::from_millis(800);

impl Link {
    /// Sends a query. It is repeated once if the connection is dead, out of step or silent.
    ///
    /// # Errors
    /// See [`Error`]. A refused query returns the errors that it left in the queue.
    pub(in crate::instrument) async fn ask<R: 'static>(
        &self,
        query: &Query<R>,
        options: ExchangeOptions,
    ) -> Result<R, Error> {
        let reply = self.ask_untyped(&query.untyped(), options).await?;
        query.meaning(&reply)
    }

    /// Sends a query, as [`Link::ask`] does. Returns a reply that the query can read.
    ///
    /// # Errors
    /// As for [`Link::ask`].
    pub(in crate::instrument) async fn ask_untyped(
        &self,
        query: &UntypedQuery,
        options: ExchangeOptions,
    ) -> Result<String, Error> {
        let waiting = Instant::now();
        let mut slot = self.hold(options).await?;
        let _pass = self.shared.ledger.read().await;
        let waited = waiting.elapsed();
        let mut repeated = false;
        loop {
            // Checked only with the lock held, because a scan is announced before its command waits for the lock.
            if query.while_idle && self.shared.activities.is_scanning() {
                return Err(Error::Scanning { command: query.text.clone() });
            }
            let mut connection = self.take(&mut slot, options).await?;
            self.shared.in_doubt.fetch_or(options.is_observer, Ordering::AcqRel);
            let began = Instant::now();
            let until = began + options.reply;
            let failure = match connection.query(&query.text, options.refusal_after.min(options.reply)).await
            {
                Ok(reply) => {
                    tracing::trace!(command = %query.text, %reply, ?waited, on_wire = ?began.elapsed(), "asked");
                    if (query.has_meaning)(&reply) {
                        slot.connection = Some(connection);
                        metrics::exchange(Kind::Question, waited, began.elapsed());
                        return Ok(reply);
                    }
                    ExchangeFailure::Broken(nonsense(&reply))
                }
                Err(failure) => failure,
            };
            metrics::failed(Kind::Question);
            match failure {
                // A refused query has no reply: get back in step, and read the reason from the queue.
                ExchangeFailure::Silent => match self.back_in_step(&mut slot, connection, until).await {
                    Ok(silence) => {
                        let late = silence.late.filter(|reply| (query.has_meaning)(reply));
                        return late.ok_or_else(|| no_reply(&query.text, options.reply, silence.errors));
                    }
                    Err(ExchangeFailure::OutOfStep(found)) if repeated => {
                        return Err(Error::OutOfStep { found });
                    }
                    Err(_) if repeated => return Err(no_reply(&query.text, options.reply, Vec::new())),
                    // The connection was dead, and the query was not refused. It may be answered on a new connection.
                    Err(_) => repeated = true,
                },
                ExchangeFailure::Broken(_) | ExchangeFailure::OutOfStep(_) if repeated => {
                    return Err(self.give_up(&mut slot, failure, &query.text));
                }
                ExchangeFailure::Broken(_) | ExchangeFailure::OutOfStep(_) => {
                    self.drop_after(&mut slot, &failure);
                    repeated = true;
                }
            }
        }
    }

    /// Sends a command once, and reads the error queue: only this confirms that the instrument has accepted the
    /// command. Both happen under the same locks, so that no error of another client can appear in between.
    ///
    /// # Errors
    /// See [`Error`]. If the connection is lost on the way, the error is [`Error::FateUnknown`].
    pub(in crate::instrument) async fn act(
        &self,
        action: &Action,
        options: ExchangeOptions,
    ) -> Result<(), Error> {
        self.act_then(action, options, async |_, _| Ok(())).await
    }

    /// Sends a command to which some units reply, and others do not. The reply has no meaning and is skipped, so that it
    /// cannot be taken for the reply to the next query.
    ///
    /// # Errors
    /// As for [`Link::act`].
    pub(in crate::instrument) async fn act_and_skip(
        &self,
        action: &Action,
        options: ExchangeOptions,
    ) -> Result<(), Error> {
        self.act_then(action, options, async |connection: &mut Connection, _| {
            match connection.line(REPLY_OF_COMMAND).await {
                Ok(_) | Err(ExchangeFailure::Silent) => Ok(()),
                Err(failure) => Err(failure),
            }
        })
        .await
    }

    /// Starts a scan and reads the condition register at once. A short scan might otherwise end before it was seen.
    ///
    /// # Errors
    /// As for [`Link::act`].
    pub(in crate::instrument) async fn act_and_ask<R>(
        &self,
        action: &Action,
        query: &Query<R>,
        options: ExchangeOptions,
    ) -> Result<R, Error> {
        self.act_then(action, options, async |connection: &mut Connection, deadline| {
            let reply = connection.query(&query.text, deadline).await?;
            query.read(&reply).ok_or_else(|| ExchangeFailure::Broken(nonsense(&reply)))
        })
        .await
    }

    async fn act_then<R>(
        &self,
        action: &Action,
        options: ExchangeOptions,
        then: impl AsyncFnOnce(&mut Connection, Duration) -> Result<R, ExchangeFailure>,
    ) -> Result<R, Error> {
        let command = action.to_string();
        let waiting = Instant::now();
        let mut slot = self.hold(options).await?;
        // Always locked in this order. A transfer holds the slot for a long time, and nothing may wait for the slot
        // while it holds the ledger.
        let _alone = self.shared.ledger.write().await;
        let waited = waiting.elapsed();
        let mut connection = self.take_in_step(&mut slot, options).await?;
        if self.shared.in_doubt.swap(false, Ordering::AcqRel) || self.protocol.shares_errors {
            // The queue may be silent, so what ends light is sent before it is asked for, and once more after it.
            if action.darkens() && connection.send(&command).await.is_err() {
                tracing::debug!(%command, "the connection is broken");
            }
            self.empty_queue(&mut slot, &mut connection).await?;
        }
        let began = Instant::now();
        let deadline = options.confirm;
        let done = async {
            connection.send(&command).await?;
            let result = then(&mut connection, deadline).await?;
            let errors = self.errors(&mut connection, deadline).await?;
            Ok::<_, ExchangeFailure>((result, errors))
        };
        match done.await {
            Ok((result, errors)) => {
                tracing::debug!(%command, ?waited, on_wire = ?began.elapsed(), errors = errors.len(), "sent");
                metrics::exchange(Kind::Command, waited, began.elapsed());
                metrics::refusals(errors.len());
                slot.connection = Some(connection);
                if errors.is_empty() { Ok(result) } else { Err(Error::Refused { command, errors }) }
            }
            Err(failure) => {
                let reason = match &failure {
                    ExchangeFailure::Silent => format!("no confirmation within {} s", deadline.as_secs()),
                    ExchangeFailure::Broken(_) | ExchangeFailure::OutOfStep(_) => failure.reason(),
                };
                metrics::failed(Kind::Command);
                self.drop_after(&mut slot, &failure);
                Err(Error::FateUnknown { command, reason })
            }
        }
    }

    /// Reads all entries of the error queue. An instrument without one has no errors.
    pub(super) async fn errors(
        &self,
        connection: &mut Connection,
        deadline: Duration,
    ) -> Result<Vec<ErrorEntry>, ExchangeFailure> {
        match &self.protocol.errors {
            Some(query) => connection.errors(query, deadline).await,
            None => Ok(Vec::new()),
        }
    }

    /// Discards the errors of other clients and of observers' queries, before a command reads its own.
    async fn empty_queue(&self, slot: &mut Slot, connection: &mut Connection) -> Result<(), Error> {
        match self.errors(connection, self.deadlines.query).await {
            Ok(left) => {
                for entry in left {
                    tracing::info!(%entry, "the error queue had an entry from before the command");
                }
                Ok(())
            }
            Err(failure) => {
                self.shared.in_doubt.store(true, Ordering::Release);
                let reason = failure.reason();
                self.lose(slot, &reason);
                Err(Error::Lost { command: self.errors_query(), reason })
            }
        }
    }

    /// Reads all entries of the error queue, which empties it.
    ///
    /// # Errors
    /// If the connection is lost.
    pub(in crate::instrument) async fn drain_errors(
        &self,
        options: ExchangeOptions,
    ) -> Result<Vec<ErrorEntry>, Error> {
        let mut slot = self.hold(options).await?;
        let _alone = self.shared.ledger.write().await;
        let mut connection = self.take_in_step(&mut slot, options).await?;
        match self.errors(&mut connection, self.deadlines.query).await {
            Ok(errors) => {
                slot.connection = Some(connection);
                Ok(errors)
            }
            Err(failure) => Err(self.give_up(&mut slot, failure, &self.errors_query())),
        }
    }

    fn errors_query(&self) -> String {
        self.protocol.errors.clone().unwrap_or_default()
    }

    /// Takes a connection that is in step. Nothing has been sent on it yet, so a new connection is as good.
    pub(super) async fn take_in_step(
        &self,
        slot: &mut Slot,
        options: ExchangeOptions,
    ) -> Result<Connection, Error> {
        let mut connection = self.take(slot, options).await?;
        match connection.expect_nothing().await {
            Ok(()) => Ok(connection),
            Err(failure) => {
                self.drop_after(slot, &failure);
                self.take(slot, options).await
            }
        }
    }

    /// Records that the connection was lost.
    fn drop_after(&self, slot: &mut Slot, failure: &ExchangeFailure) {
        match failure {
            ExchangeFailure::OutOfStep(found) => self.stray(slot, found.clone()),
            ExchangeFailure::Broken(_) | ExchangeFailure::Silent => self.lose(slot, &failure.reason()),
        }
    }

    pub(super) fn give_up(&self, slot: &mut Slot, failure: ExchangeFailure, command: &str) -> Error {
        self.drop_after(slot, &failure);
        match failure {
            ExchangeFailure::OutOfStep(found) => Error::OutOfStep { found },
            ExchangeFailure::Broken(_) | ExchangeFailure::Silent => {
                Error::Lost { command: command.to_owned(), reason: failure.reason() }
            }
        }
    }

    /// Sends a query for a block of values, and passes the values on while they arrive.
    ///
    /// # Errors
    /// See [`Error`]. A block with another number of values than `points` is [`Error::Lost`].
    pub(in crate::instrument) async fn fetch_block<S: Sample>(
        &self,
        command: &str,
        points: u64,
        values: &mpsc::Sender<Vec<S>>,
        options: ExchangeOptions,
    ) -> Result<(), Error> {
        let waiting = Instant::now();
        let mut slot = self.hold(options).await?;
        if self.shared.activities.is_scanning() {
            return Err(Error::Scanning { command: command.to_owned() });
        }
        // Held until the block begins. From then on the query leaves no further error, and commands may use the other
        // connection.
        let pass = std::sync::Mutex::new(Some(self.shared.ledger.read().await));
        let waited = waiting.elapsed();
        let mut connection = self.take(&mut slot, options).await?;
        let began = Instant::now();
        self.shared.in_doubt.fetch_or(options.is_observer, Ordering::AcqRel);
        let transfer = self.shared.activities.transfer();
        let seen = |arrived, total| {
            drop(pass.lock().unwrap_or_else(PoisonError::into_inner).take());
            transfer.arrived(arrived, total);
        };
        match connection.block(command, points, values, &self.deadlines, seen).await {
            Ok(()) => {
                tracing::debug!(%command, points, ?waited, on_wire = ?began.elapsed(), "block received");
                metrics::exchange(Kind::Block, waited, began.elapsed());
                slot.connection = Some(connection);
                Ok(())
            }
            Err(ExchangeFailure::Silent) => {
                metrics::failed(Kind::Block);
                let back = self.back_in_step(&mut slot, connection, Instant::now()).await;
                let errors = back.map(|silence| silence.errors).unwrap_or_default();
                Err(no_reply(command, self.deadlines.block_start, errors))
            }
            Err(failure) => {
                metrics::failed(Kind::Block);
                Err(self.give_up(&mut slot, failure, command))
            }
        }
    }

    /// After a silence, queries the identity. A single line before this identity and before `until` is the late reply
    /// to the query. Later lines are not used. All this has one deadline. Without an identity the connection is dropped,
    /// because a late reply could not be told from the next one.
    async fn back_in_step(
        &self,
        slot: &mut Slot,
        mut connection: Connection,
        until: Instant,
    ) -> Result<Silence, ExchangeFailure> {
        let Some(identify) = &self.protocol.identify else {
            self.drop_after(slot, &ExchangeFailure::Silent);
            return Err(ExchangeFailure::Silent);
        };
        let give_up = until.max(Instant::now()) + self.deadlines.query;
        let in_step = async {
            connection.send_query(&identify.query).await?;
            let (mut late, mut last) = (Vec::new(), None);
            loop {
                let reply = match connection.line_until(give_up.into()).await {
                    Ok(reply) if Instant::now() < give_up => reply,
                    Ok(reply) => {
                        return Err(ExchangeFailure::OutOfStep(shown::beginning(&reply).into_owned()));
                    }
                    Err(ExchangeFailure::Silent) => {
                        return Err(last.map_or(ExchangeFailure::Silent, ExchangeFailure::OutOfStep));
                    }
                    Err(failure) => return Err(failure),
                };
                if identify.read(&reply).ok() == slot.identity {
                    break;
                }
                if Instant::now() <= until && late.len() < 2 {
                    late.push(reply.clone());
                }
                last = Some(shown::beginning(&reply).into_owned());
            }
            let errors = self.errors(&mut connection, self.deadlines.query).await?;
            let late = if late.len() == 1 { late.pop() } else { None };
            Ok(Silence { late, errors })
        };
        match in_step.await {
            Ok(silence) => {
                slot.connection = Some(connection);
                Ok(silence)
            }
            Err(failure) => {
                self.drop_after(slot, &failure);
                Err(failure)
            }
        }
    }
}

/// The result of a query without a reply in time.
struct Silence {
    /// The reply, if it came late.
    late: Option<String>,
    /// The errors in the queue, which explain the missing reply.
    errors: Vec<ErrorEntry>,
}

fn no_reply(command: &str, waited: Duration, errors: Vec<ErrorEntry>) -> Error {
    let command = command.to_owned();
    if errors.is_empty() {
        return Error::NoReply { command, seconds: waited.as_secs_f64() };
    }
    Error::Refused { command, errors }
}
