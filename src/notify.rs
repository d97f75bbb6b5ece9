//! Sends notifications about the end of a run or a batch: one JSON POST per end. Only the end of the program waits
//! for them. A notification that cannot be delivered is a warning and has no other effect.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::declarations::Notify;
use crate::http::{AllowedHosts, Client, HttpError, HttpRequest};

/// How long and how often delivery is tried.
#[derive(Debug, Clone)]
struct Patience {
    /// Time limit of one try, including its reply.
    each: Duration,
    /// The pauses before the second try, the third, and so on.
    pauses: Vec<Duration>,
    /// Time limit of all tries.
    whole: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            each: Duration::from_secs(10),
            pauses: [1, 2, 4, 8, 16].map(Duration::from_secs).to_vec(),
            whole: Duration::from_secs(60),
        }
    }
}

/// The notifications that are being sent. Clones share them.
#[derive(Debug, Clone, Default)]
pub struct Outbox {
    client: Arc<Client>,
    under_way: Arc<Mutex<JoinSet<()>>>,
    patience: Patience,
    silent: bool,
}

impl Outbox {
    /// An outbox that sends nothing.
    #[must_use]
    pub fn silent() -> Self {
        Self { silent: true, ..Self::default() }
    }

    /// An outbox that may reach these hosts.
    #[must_use]
    pub fn new(hosts: AllowedHosts) -> Self {
        Self { client: Arc::new(Client::new(hosts)), ..Self::default() }
    }

    /// Starts to send a notification, and returns at once. Must be called within a runtime.
    pub fn send(&self, notify: &Notify, body: Value) {
        if self.silent {
            return;
        }
        let (client, patience, url) = (Arc::clone(&self.client), self.patience.clone(), notify.url.clone());
        let mut under_way = self.under_way();
        // Delivered notifications are removed, because a service runs for a long time.
        while under_way.try_join_next().is_some() {}
        under_way.spawn(async move {
            match deliver(&client, url.whole(), &body, &patience).await {
                Ok(()) => tracing::debug!("notification sent to {url}"),
                Err(why) => tracing::warn!("the notification to {url} could not be sent: {why}"),
            }
        });
    }

    /// Whether no notification is being sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let mut under_way = self.under_way();
        while under_way.try_join_next().is_some() {}
        under_way.is_empty()
    }

    /// Waits until all notifications are delivered or have failed. If the future is dropped, outstanding ones are
    /// given up.
    pub async fn emptied(&self) {
        loop {
            let mut under_way = std::mem::take(&mut *self.under_way());
            if under_way.is_empty() {
                return;
            }
            while under_way.join_next().await.is_some() {}
        }
    }

    fn under_way(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of one try.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Try {
    /// Delivered.
    Taken,
    /// A temporary error.
    Again(String),
    /// A permanent error.
    Never(String),
}

/// Sends until the notification is delivered; returns the reason if it is not.
async fn deliver(client: &Client, url: &url::Url, body: &Value, patience: &Patience) -> Result<(), String> {
    persist(patience, |limit| async move {
        let request = HttpRequest { method: "POST", url, json: Some(body), headers: &[], limit };
        judge(client.send(request).await.map(|reply| reply.status))
    })
    .await
}

/// Tries again with growing pauses while this may help.
async fn persist<F: Future<Output = Try>>(
    patience: &Patience,
    mut attempt: impl FnMut(Duration) -> F,
) -> Result<(), String> {
    let give_up = Instant::now() + patience.whole;
    let mut pauses = patience.pauses.iter();
    let mut tries = 0;
    loop {
        tries += 1;
        let why = match attempt(patience.each.min(give_up - Instant::now())).await {
            Try::Taken => return Ok(()),
            Try::Never(why) => return Err(why),
            Try::Again(why) => why,
        };
        let pause = pauses.next().filter(|pause| Instant::now() + **pause < give_up);
        let Some(pause) = pause else { return Err(format!("{why} ({tries} attempts)")) };
        tracing::debug!("{why}; next attempt in {} s", pause.as_secs_f64());
        tokio::time::sleep(*pause).await;
    }
}

/// Interprets the status of a response, or the error.
fn judge(answer: Result<u16, HttpError>) -> Try {
    match answer {
        Ok(200..300) => Try::Taken,
        Ok(status @ (429 | 500..600)) => Try::Again(format!("it replied with status {status}")),
        Ok(status @ 300..400) => {
            Try::Never(format!("it replied with status {status}; redirects are not followed"))
        }
        Ok(status) => Try::Never(format!("it replied with status {status}")),
        // If the reply was lost after delivery, the notification is sent twice.
        Err(
            error @ (HttpError::Unreachable { .. } | HttpError::Lost { .. } | HttpError::TimedOut { .. }),
        ) => Try::Again(error.to_string()),
        Err(HttpError::NotAllowed { host, advice }) => {
            Try::Never(format!("`{host}` is not an allowed host (`allow_http` in ctp10.toml); {advice}"))
        }
        Err(error) => Try::Never(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result of a series of responses with these codes, and the number of requests. The last code repeats.
    async fn tried(codes: &[u16]) -> (Result<(), String>, usize) {
        let patience = Patience { pauses: vec![Duration::ZERO; 3], ..Patience::default() };
        let mut count = 0;
        let told = persist(&patience, |_| {
            let code = codes.get(count).or(codes.last()).unwrap();
            count += 1;
            std::future::ready(judge(Ok(*code)))
        })
        .await;
        (told, count)
    }

    #[tokio::test]
    async fn what_may_pass_is_tried_again_and_what_is_final_is_not() {
        assert_eq!(tried(&[204]).await, (Ok(()), 1));
        assert_eq!(tried(&[503, 429, 200]).await, (Ok(()), 3));
        assert_eq!(tried(&[404]).await, (Err("it replied with status 404".to_owned()), 1));
        assert_eq!(tried(&[302]).await.1, 1);
        assert_eq!(tried(&[500]).await, (Err("it replied with status 500 (4 attempts)".to_owned()), 4));
    }

    #[test]
    fn a_host_that_does_not_answer_may_answer_later_and_one_that_is_not_allowed_will_not() {
        let host = || "hooks".to_owned();
        assert!(matches!(
            judge(Err(HttpError::TimedOut { host: host(), limit: Duration::ZERO })),
            Try::Again(_)
        ));
        assert!(matches!(
            judge(Err(HttpError::Unreachable { host: host(), cause: String::new() })),
            Try::Again(_)
        ));
        let advice = "write it there".to_owned();
        let refused = judge(Err(HttpError::NotAllowed { host: host(), advice }));
        assert!(matches!(refused, Try::Never(why) if why.contains("write it there")));
    }

    #[test]
    fn trying_takes_a_minute_at_most() {
        let patience = Patience::default();
        assert!(patience.pauses.iter().sum::<Duration>() < patience.whole);
        assert!(patience.whole <= Duration::from_secs(60));
    }
}
