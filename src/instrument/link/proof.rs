//! The proof that each reply belongs to its query.

use super::{ExchangeOptions, Link, Mark};
use crate::instrument::connection::ExchangeFailure;
use crate::instrument::error::Error;
use crate::shown;

impl Link {
    /// Makes sure that the connection is in step. The replies from here on can be proved.
    ///
    /// # Errors
    /// If there is no connection, and none can be made.
    pub(in crate::instrument) async fn begin(&self, options: ExchangeOptions) -> Result<Mark, Error> {
        let mut slot = self.hold(options).await?;
        slot.connection = Some(self.take_in_step(&mut slot, options).await?);
        Ok(self.mark())
    }

    /// Proves that all replies since `mark` belong to their queries. All of them came over one connection, and a last
    /// query gets its own reply, with nothing behind it. An instrument without an identity has no such query.
    ///
    /// # Errors
    /// If this cannot be proved.
    pub(in crate::instrument) async fn prove(
        &self,
        mark: Mark,
        options: ExchangeOptions,
    ) -> Result<(), Error> {
        let mut slot = self.hold(options).await?;
        let _pass = self.shared.ledger.read().await;
        if self.mark() != mark {
            return Err(self.unproved(mark, "the step"));
        }
        let Some(mut connection) = slot.connection.take() else {
            return Err(self.unproved(mark, "the step"));
        };
        let identify = self.protocol.identify.as_ref();
        let proof = async {
            if let Some(identify) = identify {
                let reply = connection.query(&identify.query, options.reply).await?;
                if identify.read(&reply).ok() != slot.identity {
                    return Err(ExchangeFailure::OutOfStep(shown::beginning(&reply).into_owned()));
                }
            }
            connection.expect_nothing().await
        };
        match proof.await {
            Ok(()) => {
                slot.connection = Some(connection);
                Ok(())
            }
            Err(failure) => {
                let query = identify.map_or("the step", |identify| &identify.query);
                Err(self.give_up(&mut slot, failure, query))
            }
        }
    }

    /// The error after the connection was reopened since `mark`, or lost.
    fn unproved(&self, mark: Mark, command: &str) -> Error {
        let history = self.history();
        match &history.stray {
            Some((connection, found)) if *connection >= mark.connection => {
                Error::OutOfStep { found: found.clone() }
            }
            _ => {
                let reason = history.loss.clone().unwrap_or_else(|| "it was made anew".to_owned());
                Error::Lost { command: command.to_owned(), reason }
            }
        }
    }
}
