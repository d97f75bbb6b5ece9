//! Lines that make an instrument safe, or that end light. All of them are sent, whatever the instrument replies, and also if it is silent.

use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::{BACKOFF, ExchangeOptions, Link, Slot, expect};
use crate::instrument::connection::{Connection, ExchangeFailure};
use crate::instrument::error::Error;
use crate::instrument::reply::Identity;

/// How long this tries to connect. The instrument may need a moment to notice that an earlier connection is closed.
const CONNECT_PATIENCE: Duration = Duration::from_secs(1);
/// The shortest wait for a reply. An instrument without flow control could lose lines that follow each other at once.
const PACE: Duration = Duration::from_millis(100);

/// How long lines that end light wait for another exchange, and for the identity of an instrument that was reached again.
const HASTE: Duration = Duration::from_secs(1);
/// The time that an instrument may need for each of these lines before it replies to anything.
const EACH_LINE: Duration = Duration::from_secs(1);

impl Link {
    /// Sends lines that can only end light, all of them before any question: a reply that does not come delays none of
    /// them. Then this waits until the instrument has worked through them. It confirms nothing: the errors of the lines are
    /// discarded.
    ///
    /// # Errors
    /// If the lines could not be sent.
    pub(in crate::instrument) async fn send_first(
        &self,
        lines: &[String],
        options: ExchangeOptions,
    ) -> Result<(), Error> {
        self.shared.in_doubt.store(true, Ordering::Release);
        let Ok(held) = timeout(HASTE, self.hold(options)).await else {
            // An exchange that may be silent holds the connection, so the lines get one of their own.
            return self.send_all(&mut self.reach_within(HASTE).await?, lines).await;
        };
        let mut slot = held?;
        if let Some(mut connection) = slot.connection.take()
            && self.send_all(&mut connection, lines).await.is_ok()
        {
            self.settle(&mut slot, connection, lines.len()).await;
            return Ok(());
        }
        let Some(expected) = slot.identity.clone() else {
            let mut connection = self.reach_within(HASTE).await?;
            self.send_all(&mut connection, lines).await?;
            self.identify_after(&mut slot, connection, lines.len()).await;
            return Ok(());
        };
        // They must not reach another instrument. One that is silent receives them after a moment.
        let (mut connection, _) = self.reach_for_all(Some(&expected), Instant::now() + HASTE).await?;
        self.send_all(&mut connection, lines).await
    }

    async fn send_all(&self, connection: &mut Connection, lines: &[String]) -> Result<(), Error> {
        for line in lines {
            connection.send(line).await.map_err(|failure| self.unreachable(failure.reason()))?;
        }
        Ok(())
    }

    /// Waits until the instrument replies again. Otherwise the next exchange makes a new connection.
    async fn settle(&self, slot: &mut Slot, mut connection: Connection, lines: usize) {
        let limit = self.deadlines.query + EACH_LINE * u32::try_from(lines).unwrap_or(u32::MAX);
        match timeout(limit, self.errors(&mut connection, limit)).await {
            Ok(Ok(_)) => slot.connection = Some(connection),
            Ok(Err(failure)) => self.lose(slot, &failure.reason()),
            Err(_) => self.lose(slot, &ExchangeFailure::Silent.reason()),
        }
    }

    /// Keeps a connection whose instrument was not known before the lines were sent.
    async fn identify_after(&self, slot: &mut Slot, mut connection: Connection, lines: usize) {
        let limit = self.deadlines.query + EACH_LINE * u32::try_from(lines).unwrap_or(u32::MAX);
        let Some(identify) = &self.protocol.identify else { return };
        let Ok(reply) = connection.query(&identify.query, limit).await else { return };
        if let Ok(identity) = self.identity_in(&reply, identify) {
            self.history().connections += 1;
            self.regain(slot, identity);
            self.settle(slot, connection, lines).await;
        }
    }

    /// Sends all lines, one after another, and asks for their confirmation. The waits for replies last `patience` in total.
    /// After that, the lines that remain are sent without their replies. An error that was in the queue before counts as an
    /// error of these lines.
    ///
    /// # Errors
    /// The first reason why the lines are not confirmed. The lines were sent all the same, unless another instrument
    /// replies or none can be reached.
    pub(in crate::instrument) async fn act_on_all(
        &self,
        lines: &[String],
        patience: Duration,
    ) -> Result<(), Error> {
        let until = Instant::now() + patience;
        let in_use = |_| self.unreachable("its connection is in use".to_owned());
        let mut slot = timeout_at(until, self.slot.lock()).await.map_err(in_use)?;
        let _alone = timeout_at(until, self.shared.ledger.write()).await.map_err(in_use)?;
        let expected = slot.identity.clone();
        let in_step = slot.take_in_step().await;
        let was_in_step = in_step.is_some();
        let (mut connection, mut done) = match in_step {
            Some(connection) => (connection, Ok(())),
            None => self.reach_for_all(expected.as_ref(), until).await?,
        };
        for line in lines {
            // A line that a broken connection may have lost is sent again, once.
            for _ in 0..2 {
                let sent = self.send_one(&mut connection, line, until).await;
                let is_lost = matches!(sent, Err(Error::Lost { .. }));
                done = done.and(sent);
                if !is_lost {
                    break;
                }
                (connection, _) = self.reach_for_all(expected.as_ref(), until).await?;
            }
        }
        if done.is_ok() {
            done = self.identify_within(&mut connection, expected.as_ref(), until).await;
        }
        match &done {
            Ok(()) if was_in_step => slot.connection = Some(connection),
            Err(error) if was_in_step => self.lose(&mut slot, &error.to_string()),
            // A new connection is dropped: `setup` was not sent, so the connection is not for measurements.
            Ok(()) | Err(_) => {}
        }
        done
    }

    async fn send_one(&self, connection: &mut Connection, line: &str, until: Instant) -> Result<(), Error> {
        let confirmed = async {
            // An unexpected reply does not keep the line back.
            if let Err(failure @ ExchangeFailure::Broken(_)) = connection.expect_nothing().await {
                return Err(failure);
            }
            connection.send(line).await?;
            self.errors(connection, left(until)).await
        };
        let command = line.to_owned();
        match confirmed.await {
            Ok(errors) if errors.is_empty() => Ok(()),
            Ok(errors) => Err(Error::Refused { command, errors }),
            Err(ExchangeFailure::Broken(reason)) => Err(Error::Lost { command, reason }),
            Err(failure) => Err(Error::FateUnknown { command, reason: failure.reason() }),
        }
    }

    /// A new connection, and whether the expected instrument is at its other end. The lines must not reach another one. An
    /// instrument that is silent may still listen, so it receives them.
    async fn reach_for_all(
        &self,
        expected: Option<&Identity>,
        until: Instant,
    ) -> Result<(Connection, Result<(), Error>), Error> {
        let mut connection = self.reach_within(CONNECT_PATIENCE).await?;
        match self.identify_within(&mut connection, expected, until).await {
            known @ (Ok(()) | Err(Error::NoReply { .. })) => Ok((connection, known)),
            Err(other) => Err(other),
        }
    }

    async fn reach_within(&self, patience: Duration) -> Result<Connection, Error> {
        let give_up = Instant::now() + patience;
        loop {
            match self.reach().await {
                Err(_) if Instant::now() < give_up => sleep(BACKOFF.0).await,
                reached => return reached,
            }
        }
    }

    async fn identify_within(
        &self,
        connection: &mut Connection,
        expected: Option<&Identity>,
        until: Instant,
    ) -> Result<(), Error> {
        if let Some(identify) = &self.protocol.identify {
            let limit = left(until);
            let found = match connection.query(&identify.query, limit).await {
                Ok(reply) => self.identity_in(&reply, identify)?,
                Err(ExchangeFailure::Silent) => {
                    return Err(Error::NoReply {
                        command: identify.query.clone(),
                        seconds: limit.as_secs_f64(),
                    });
                }
                Err(ExchangeFailure::OutOfStep(_)) => return Err(self.no_instrument()),
                Err(failure) => return Err(self.unreachable(failure.reason())),
            };
            expect(expected, &found)?;
        }
        connection.expect_nothing().await.map_err(|failure| self.unreachable(failure.reason()))
    }
}

impl Slot {
    /// The connection, if it stands and has no unexpected reply.
    async fn take_in_step(&mut self) -> Option<Connection> {
        let mut connection = self.connection.take()?;
        connection.expect_nothing().await.ok()?;
        Some(connection)
    }
}

fn left(until: Instant) -> Duration {
    until.saturating_duration_since(Instant::now()).max(PACE)
}
