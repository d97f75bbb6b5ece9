//! An instrument on the bench that speaks lines of text: a source-meter, a thermostat, a switch. The rules of the link
//! are those of the CTP10.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::connection::Deadlines;
use super::error::Error;
use super::link::{ExchangeOptions, Identify, IdentityRule, Link, LinkShared, Mark, Protocol};
use super::reply::Identity;
use super::scpi::{Action, Query};
use super::transport::{LineEnd, SerialLine, Transport};

/// Longest wait for an instrument that is made safe.
const SAFE_LIMIT: Duration = Duration::from_secs(10);

/// How an instrument is reached and spoken to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextSettings {
    /// The way to the instrument.
    pub address: Transport,
    /// The query for the identity; `None` for an instrument without one.
    pub identify: Option<String>,
    /// The text that the reply to the query must contain.
    pub identity: String,
    /// The lines that are sent when the instrument was identified.
    pub setup: Vec<String>,
    /// The lines that make the instrument safe.
    pub safe: Vec<String>,
    /// The query for the next entry of the error queue.
    pub errors: Option<String>,
}

/// A handle for an instrument. Clones are cheap and share the connection.
#[derive(Debug, Clone)]
pub struct TextInstrument {
    link: Arc<Link>,
    settings: Arc<TextSettings>,
    deadlines: Deadlines,
    options: ExchangeOptions,
}

impl TextInstrument {
    /// A handle for the instrument. It is not connected yet.
    #[must_use]
    pub fn at(settings: TextSettings, deadlines: Deadlines) -> Self {
        let identify = settings
            .identify
            .clone()
            .map(|query| Identify { query, rule: IdentityRule::Contains(settings.identity.clone()) });
        let line_end = match &settings.address {
            Transport::Serial(SerialLine { end, .. }) => *end,
            Transport::Tcp(_) | Transport::Prologix { .. } => LineEnd::Lf,
        };
        let protocol = Protocol {
            line_end,
            identify,
            setup: settings.setup.clone(),
            errors: settings.errors.clone(),
            shares_errors: true,
        };
        let options = ExchangeOptions {
            reply: deadlines.query,
            refusal_after: deadlines.query,
            confirm: deadlines.action,
            patience: deadlines.reconnect,
            is_observer: false,
        };
        let link = Link::new(settings.address.clone(), protocol, deadlines, Arc::new(LinkShared::default()));
        Self { link: Arc::new(link), settings: Arc::new(settings), deadlines, options }
    }

    /// How the instrument is reached and spoken to.
    #[must_use]
    pub fn settings(&self) -> &TextSettings {
        &self.settings
    }

    /// A handle whose calls do not wait for an instrument that is away.
    #[must_use]
    pub fn impatient(&self) -> Self {
        Self { options: ExchangeOptions { patience: Duration::ZERO, ..self.options }, ..self.clone() }
    }

    /// Connects once, if there is no connection, and returns the identity.
    ///
    /// # Errors
    /// If the instrument does not answer, or another one does.
    pub async fn connect(&self) -> Result<Option<Identity>, Error> {
        let found = self.link.connect(true).await?;
        Ok(self.settings.identify.as_ref().map(|_| found))
    }

    /// The identity of the instrument that answered last.
    #[must_use]
    pub fn last_identity(&self) -> Option<Identity> {
        self.link.last_identity().filter(|found| !found.is_empty())
    }

    /// Makes sure that the instrument is connected. The mark changes when the connection was made again: the instrument
    /// may then have been restarted.
    ///
    /// # Errors
    /// If there is no connection, and none can be made.
    pub async fn mark(&self) -> Result<Mark, Error> {
        self.link.begin(self.options).await
    }

    /// Proves that all replies since `mark` belong to their queries. An instrument without an identity is only checked
    /// for unexpected lines.
    ///
    /// # Errors
    /// If the connection was made again since then, or if queries and replies are out of step.
    pub async fn prove(&self, mark: Mark) -> Result<(), Error> {
        self.link.prove(mark, self.options).await
    }

    /// Sends a query and reads its reply. A lost query is repeated once.
    ///
    /// # Errors
    /// See [`Error`]. A reply that `read` does not accept is an error.
    pub async fn ask<R: 'static>(&self, text: &str, read: fn(&str) -> Option<R>) -> Result<R, Error> {
        self.link.ask(&Query::new(text, read), self.options).await
    }

    /// Sends a command once. If the instrument has an error queue, the queue confirms the command.
    ///
    /// # Errors
    /// See [`Error`].
    pub async fn act(&self, text: &str) -> Result<(), Error> {
        self.link.act(&Action::Raw(text.to_owned()), self.options).await
    }

    /// Sends the lines that make the instrument safe, all of them whatever becomes of one. Then the instrument must still
    /// answer. Bounded in time, and tried on a new connection once.
    ///
    /// # Errors
    /// Why it is unknown whether the instrument is safe.
    pub async fn make_safe(&self) -> Result<(), Error> {
        let limit = SAFE_LIMIT.min(self.options.confirm.max(self.options.reply));
        // The first attempt is short, so that one missing reply delays the other lines only a little. The second one is
        // patient. Another program, or a run that hangs, may use the connection of the first.
        let anew = Self::at((*self.settings).clone(), self.deadlines);
        let mut done = Ok(());
        for (link, patience) in [(&self.link, limit / 4), (&anew.link, limit * 3 / 4)] {
            let attempt = tokio::time::timeout(limit, link.act_on_all(&self.settings.safe, patience));
            done = attempt.await.unwrap_or_else(|_| {
                let command = self.settings.safe.last().cloned().unwrap_or_default();
                Err(Error::NoReply { command, seconds: limit.as_secs_f64() })
            });
            if done.is_ok() {
                break;
            }
        }
        done
    }
}
