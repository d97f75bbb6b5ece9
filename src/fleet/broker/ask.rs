//! Questions to benches, without the bucket: each bench that is connected replies.

use std::time::Duration;

use async_nats::{RequestErrorKind, Subscriber};
use futures_util::StreamExt;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::{Broker, BrokerError};
use crate::error::chain;

/// The largest reply that is read, bytes.
const LARGEST_REPLY: usize = 1 << 20;

/// The reply to a question to one bench.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked<T> {
    /// The bench has replied.
    Replied(T),
    /// No process has this name.
    Nobody,
    /// A process has this name, but does not reply in time.
    Silent,
}

/// A question to all benches that was sent. Their replies wait here until they are read.
pub struct Questioned {
    replies: Subscriber,
    since: Instant,
}

impl Questioned {
    /// The replies, until `enough` or the time since the question is over.
    pub async fn replies<T: DeserializeOwned>(
        mut self,
        limit: Duration,
        mut enough: impl FnMut(&[T]) -> bool,
    ) -> Vec<T> {
        let end = self.since + limit;
        let mut found = Vec::new();
        while !enough(&found) {
            // Replies that have arrived are read also after the end.
            let Ok(Some(reply)) = tokio::time::timeout_at(end, self.replies.next()).await else { break };
            if reply.status == Some(async_nats::StatusCode::NO_RESPONDERS) {
                break;
            }
            if reply.payload.len() <= LARGEST_REPLY
                && let Ok(reply) = serde_json::from_slice(&reply.payload)
            {
                found.push(reply);
            }
        }
        found
    }
}

impl Broker {
    /// Sends a question to all benches.
    ///
    /// # Errors
    /// If the broker does not take the question.
    pub async fn question_all(&self, subject: &str) -> Result<Questioned, BrokerError> {
        let inbox = self.client.new_inbox();
        let replies =
            self.client.subscribe(inbox.clone()).await.map_err(|error| self.failed(chain(&error)))?;
        let asked = self.client.publish_with_reply(subject.to_owned(), inbox, "".into()).await;
        asked.map_err(|error| self.failed(chain(&error)))?;
        Ok(Questioned { replies, since: Instant::now() })
    }

    /// Asks all benches, until `enough` or the time is over.
    ///
    /// # Errors
    /// If the broker does not take the question.
    pub async fn ask_all<T: DeserializeOwned>(
        &self,
        subject: &str,
        limit: Duration,
        enough: impl FnMut(&[T]) -> bool,
    ) -> Result<Vec<T>, BrokerError> {
        Ok(self.question_all(subject).await?.replies(limit, enough).await)
    }

    /// Asks one bench.
    ///
    /// # Errors
    /// If the broker does not take the question.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        subject: &str,
        limit: Duration,
    ) -> Result<Asked<T>, BrokerError> {
        let request = async_nats::Request::new().timeout(Some(limit));
        match self.client.send_request(subject.to_owned(), request).await {
            Ok(reply) => match serde_json::from_slice(&reply.payload) {
                Ok(reply) => Ok(Asked::Replied(reply)),
                Err(error) => Err(self.failed(error)),
            },
            Err(error) => match error.kind() {
                RequestErrorKind::NoResponders => Ok(Asked::Nobody),
                RequestErrorKind::TimedOut => Ok(Asked::Silent),
                RequestErrorKind::InvalidSubject
                | RequestErrorKind::MaxPayloadExceeded
                | RequestErrorKind::Other => Err(self.failed(chain(&error))),
            },
        }
    }

    /// Listens to questions.
    ///
    /// # Errors
    /// If the broker does not allow this.
    pub async fn listen(&self, subject: &str) -> Result<Subscriber, BrokerError> {
        self.client.subscribe(subject.to_owned()).await.map_err(|error| self.failed(chain(&error)))
    }

    /// Publishes a value to everybody who listens. The broker does not keep it.
    pub async fn tell(&self, subject: String, value: &impl Serialize) {
        // Values of before an interruption must not arrive after it.
        if !self.is_connected() {
            return;
        }
        if let Ok(value) = serde_json::to_vec(value) {
            // The next value comes within seconds.
            let _ = self.client.publish(subject, value.into()).await;
        }
    }
}
