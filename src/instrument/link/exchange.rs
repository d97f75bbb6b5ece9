//! Questions, commands and blocks over the link: each takes the connection out of its slot, and puts it back when
//! the reply has arrived whole.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::{Link, Manner, Slot};
use crate::instrument::connection::{Connection, Cut};
use crate::instrument::error::Error;
use crate::instrument::figures::{self, Kind};
use crate::instrument::frame::Sample;
use crate::instrument::scpi::{Action, ErrorEntry, Query};

impl Link {
    /// Asks a question. It is asked once more when the connection turns out to be dead, or goes silent.
    ///
    /// # Errors
    /// See [`Error`]; a refused question comes back with the errors that it left in the queue.
    pub(in crate::instrument) async fn ask<R>(&self, query: &Query<R>, manner: Manner) -> Result<R, Error> {
        let waiting = Instant::now();
        let mut slot = self.hold(manner).await?;
        let _pass = self.shared.ledger.read().await;
        let waited = waiting.elapsed();
        let deadline = manner.reply;
        let mut repeated = false;
        loop {
            // Asked only now: a scan is announced before its command waits for the lock.
            if query.while_idle && self.shared.activities.is_scanning() {
                return Err(Error::Scanning { command: query.text.clone() });
            }
            let mut connection = self.take(&mut slot, manner).await?;
            let began = Instant::now();
            let cut = match connection.query(&query.text, deadline).await {
                Ok(reply) => {
                    tracing::trace!(command = %query.text, %reply, ?waited, on_wire = ?began.elapsed(), "asked");
                    if let Some(read) = query.read(&reply) {
                        slot.connection = Some(connection);
                        figures::exchange(Kind::Question, waited, began.elapsed());
                        return Ok(read);
                    }
                    Cut::Broken(format!("the reply `{}` makes no sense", reply.escape_default()))
                }
                Err(cut) => cut,
            };
            figures::failed(Kind::Question);
            match cut {
                // A refused question has no reply: get back in step, and ask the queue for the reason.
                Cut::Silent => {
                    let errors = self.back_in_step(&mut slot, connection).await;
                    // The connection was dead, and not the question refused: on another one it may be answered.
                    if errors.is_none() && !repeated {
                        repeated = true;
                        continue;
                    }
                    return Err(match errors {
                        Some(errors) if !errors.is_empty() => {
                            Error::Refused { command: query.text.clone(), errors }
                        }
                        _ => Error::NoReply { command: query.text.clone(), seconds: deadline.as_secs_f64() },
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
    /// within one hold of the locks no error of somebody else's gets between.
    ///
    /// # Errors
    /// See [`Error`]; what was lost on the way is [`Error::FateUnknown`].
    pub(in crate::instrument) async fn act(&self, action: &Action, manner: Manner) -> Result<(), Error> {
        self.act_then(action, manner, async |_, _| Ok(())).await
    }

    /// Starts a scan and looks at the condition register before anything else: a short scan must not be over
    /// before it was seen.
    ///
    /// # Errors
    /// As for [`Link::act`].
    pub(in crate::instrument) async fn act_and_ask<R>(
        &self,
        action: &Action,
        query: &Query<R>,
        manner: Manner,
    ) -> Result<R, Error> {
        self.act_then(action, manner, async |connection: &mut Connection, deadline| {
            let reply = connection.query(&query.text, deadline).await?;
            query.read(&reply).ok_or_else(|| Cut::Broken(format!("the reply `{reply}` makes no sense")))
        })
        .await
    }

    async fn act_then<R>(
        &self,
        action: &Action,
        manner: Manner,
        then: impl AsyncFnOnce(&mut Connection, Duration) -> Result<R, Cut>,
    ) -> Result<R, Error> {
        let command = action.to_string();
        let waiting = Instant::now();
        let mut slot = self.hold(manner).await?;
        // In this order everywhere: a transfer holds the slot for long, and nobody may wait for it with the ledger.
        let _alone = self.shared.ledger.write().await;
        let waited = waiting.elapsed();
        let mut connection = self.take(&mut slot, manner).await?;
        let began = Instant::now();
        let deadline = manner.confirm;
        let done = async {
            connection.send(&command).await?;
            let result = then(&mut connection, deadline).await?;
            let errors = connection.errors(deadline).await?;
            Ok::<_, Cut>((result, errors))
        };
        match done.await {
            Ok((result, errors)) => {
                tracing::debug!(%command, ?waited, on_wire = ?began.elapsed(), errors = errors.len(), "sent");
                figures::exchange(Kind::Command, waited, began.elapsed());
                figures::refusals(errors.len());
                slot.connection = Some(connection);
                if errors.is_empty() { Ok(result) } else { Err(Error::Refused { command, errors }) }
            }
            Err(cut) => {
                let reason = match cut {
                    Cut::Broken(reason) => reason,
                    Cut::Silent => format!("no confirmation within {} s", deadline.as_secs()),
                };
                figures::failed(Kind::Command);
                self.lose(&mut slot, &reason);
                Err(Error::FateUnknown { command, reason })
            }
        }
    }

    /// Empties the error queue.
    ///
    /// # Errors
    /// When the connection is lost.
    pub(in crate::instrument) async fn drain_errors(&self, manner: Manner) -> Result<Vec<ErrorEntry>, Error> {
        let mut slot = self.hold(manner).await?;
        let _alone = self.shared.ledger.write().await;
        let mut connection = self.take(&mut slot, manner).await?;
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
    pub(in crate::instrument) async fn fetch_block<S: Sample>(
        &self,
        command: &str,
        points: u64,
        values: &mpsc::Sender<Vec<S>>,
        manner: Manner,
    ) -> Result<(), Error> {
        let waiting = Instant::now();
        let mut slot = self.hold(manner).await?;
        if self.shared.activities.is_scanning() {
            return Err(Error::Scanning { command: command.to_owned() });
        }
        // Held until the block begins: from then on the question leaves no error any more, and commands may be sent over
        // the other connection.
        let pass = std::sync::Mutex::new(Some(self.shared.ledger.read().await));
        let waited = waiting.elapsed();
        let mut connection = self.take(&mut slot, manner).await?;
        let began = Instant::now();
        let transfer = self.shared.activities.transfer();
        let seen = |arrived, total| {
            drop(pass.lock().unwrap_or_else(PoisonError::into_inner).take());
            transfer.arrived(arrived, total);
        };
        match connection.block(command, points, values, &self.deadlines, seen).await {
            Ok(()) => {
                tracing::debug!(%command, points, ?waited, on_wire = ?began.elapsed(), "block received");
                figures::exchange(Kind::Block, waited, began.elapsed());
                slot.connection = Some(connection);
                Ok(())
            }
            Err(Cut::Silent) => {
                figures::failed(Kind::Block);
                let seconds = self.deadlines.block_start.as_secs_f64();
                match self.back_in_step(&mut slot, connection).await {
                    Some(errors) if !errors.is_empty() => {
                        Err(Error::Refused { command: command.to_owned(), errors })
                    }
                    _ => Err(Error::NoReply { command: command.to_owned(), seconds }),
                }
            }
            Err(Cut::Broken(reason)) => {
                figures::failed(Kind::Block);
                self.lose(&mut slot, &reason);
                Err(Error::Lost { command: command.to_owned(), reason })
            }
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
}
