//! Requests to other instruments on the bench, with the polls after them.

use std::time::Duration;

use serde_json::Value;
use url::Url;

use super::{Pace, of, refused};
use crate::error::chain;
use crate::http::{ApiInstrument, Client, HttpError, HttpRequest, Reply, host};
use crate::operation::{Http, Method, Poll};
use crate::run::bench::Bench;
use crate::script::{Condition, Mistake};
use crate::step::{Fault, FaultKind, Outcome};
use crate::units::ApiPath;

/// Time limit of a request, if the step has none.
pub(in crate::run) const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// Time limit of one poll. The limit does not shrink with the time left, because an interrupted poll would report less
/// than the one before it.
const POLL_LIMIT: Duration = Duration::from_secs(5);
/// Largest reply that becomes the result of a step, bytes. The journal keeps the whole reply, because a resumed run
/// must get the same result.
const LARGEST_RESULT: usize = 64 << 10;

/// Who sends the requests of a step.
pub(in crate::run) enum Sender<'a> {
    /// The client for the hosts that the bench allows.
    Allowed(&'a Client),
    /// A named instrument, with its headers.
    Named(&'a ApiInstrument),
}

impl From<HttpError> for Fault {
    fn from(error: HttpError) -> Self {
        let kind = match &error {
            HttpError::NotAllowed { .. } | HttpError::TooLarge { .. } | HttpError::Unusable(_) => {
                FaultKind::Refused
            }
            HttpError::Unreachable { .. } | HttpError::Lost { .. } => FaultKind::Link,
            HttpError::TimedOut { .. } => FaultKind::Timeout,
            HttpError::NotUnderstood(_) => FaultKind::Instrument,
        };
        let fault = Self::new(kind, chain(&error));
        match error {
            HttpError::NotAllowed { advice, .. } => fault.hint(advice),
            _ => fault,
        }
    }
}

impl Sender<'_> {
    async fn send(
        &self,
        method: Method,
        url: &Url,
        json: Option<&Value>,
        limit: Duration,
    ) -> Result<Reply, Fault> {
        match self {
            Self::Allowed(client) => {
                let request = HttpRequest { method: method.as_str(), url, json, headers: &[], limit };
                Ok(client.send(request).await?)
            }
            Self::Named(api) => Ok(api.send(method, url, json, limit).await?),
        }
    }

    /// The URL that no request may leave.
    fn base(&self) -> Option<&Url> {
        match self {
            Self::Allowed(_) => None,
            Self::Named(api) => Some(&api.settings().url),
        }
    }
}

impl Bench {
    /// Sends a request to a named instrument.
    pub(in crate::run) async fn request_to(
        &mut self,
        number: Option<u64>,
        name: &str,
        path: &ApiPath,
        http: &Http,
        limit: Duration,
    ) -> Result<Outcome, Fault> {
        let live = self.named.get(name)?;
        let api = live.api().map_err(|why| refused(name, why))?;
        let url = path.below(&api.settings().url).map_err(|why| refused(name, why))?;
        self.ready(name).await?;
        let sent = self.request(number, &Sender::Named(api), &url, http, limit).await;
        sent.map_err(|fault| of(name, fault))
    }

    /// Sends a request, and polls until its action is done. `number` is the step whose progress is told.
    pub(in crate::run) async fn request(
        &self,
        number: Option<u64>,
        sender: &Sender<'_>,
        url: &Url,
        http: &Http,
        limit: Duration,
    ) -> Result<Outcome, Fault> {
        let sent = sender.send(http.method, url, http.json.as_ref(), limit);
        let mut reply = self.heartbeat.during(sent).await?;
        if !http.expects(reply.status) {
            return Err(unexpected(http.method, url, &reply));
        }
        if let Some(poll) = &http.poll {
            reply = self.poll(number, poll, sender, url, &reply).await?;
        }
        if reply.body.len() > LARGEST_RESULT {
            let message = format!(
                "the reply of `{}` has {} bytes; the result of a step may have at most {LARGEST_RESULT}",
                host(url),
                reply.body.len(),
            );
            return Err(Fault::new(FaultKind::Refused, message).hint("request a smaller reply"));
        }
        Ok(Outcome::Http { status: reply.status, reply: reply.value()? })
    }

    /// Polls until the reply is ready. An unreachable instrument does not end the polling: the task continues there,
    /// and polling again does no harm.
    async fn poll(
        &self,
        number: Option<u64>,
        poll: &Poll,
        sender: &Sender<'_>,
        request: &Url,
        reply: &Reply,
    ) -> Result<Reply, Fault> {
        let url = poll
            .target(request, sender.base(), reply.location.as_deref(), &value_or_nothing(reply))
            .map_err(|why| Fault::new(FaultKind::Instrument, format!("cannot poll: {why}")))?;
        let ready = Condition::compile("http", &poll.ready)
            .map_err(|mistake| wrong("ready", &poll.ready, mistake))?;
        let failed = poll.failed.as_deref().map(|text| (text, Condition::compile("http", text)));
        let pace = Pace::new(poll.interval_s, poll.timeout_s);
        loop {
            let (kind, last) =
                match self.heartbeat.during(sender.send(Method::Get, &url, None, POLL_LIMIT)).await {
                    Ok(reply) if !reply.is_success() => return Err(unexpected(Method::Get, &url, &reply)),
                    Ok(reply) => {
                        let value = reply.value()?;
                        if let Some((text, failed)) = &failed {
                            let failed = failed.as_ref().map_err(Clone::clone);
                            let holds = failed.and_then(|failed| failed.holds(Some(reply.status), &value));
                            if holds.map_err(|mistake| wrong("failed", text, mistake))? {
                                let message = format!("`{url}` says that it has failed: {}", reply.excerpt());
                                return Err(Fault::new(FaultKind::Instrument, message));
                            }
                        }
                        let holds = ready.holds(Some(reply.status), &value);
                        if holds.map_err(|mistake| wrong("ready", &poll.ready, mistake))? {
                            return Ok(reply);
                        }
                        (FaultKind::Timeout, format!("its last reply was {}", reply.excerpt()))
                    }
                    Err(fault) if matches!(fault.kind, FaultKind::Link | FaultKind::Timeout) => {
                        (fault.kind, fault.message)
                    }
                    Err(fault) => return Err(fault),
                };
            if !self.rest(&pace, number).await? {
                let message = format!("`{url}` was not ready within {}: {last}", poll.timeout_s);
                return Err(Fault::new(kind, message));
            }
        }
    }
}

fn unexpected(method: Method, url: &Url, reply: &Reply) -> Fault {
    let method = method.as_str();
    let message = format!("`{method} {url}` returned status {}: {}", reply.status, reply.excerpt());
    let fault = Fault::new(FaultKind::Instrument, message);
    match &reply.location {
        Some(elsewhere) if (300..400).contains(&reply.status) => {
            fault.hint(format!("redirects are not followed; this one points to `{elsewhere}`"))
        }
        _ => fault,
    }
}

/// A body that is not readable gives no value, but the reply may still have a `Location`.
fn value_or_nothing(reply: &Reply) -> Value {
    reply.value().unwrap_or_default()
}

fn wrong(name: &str, text: &str, mistake: Mistake) -> Fault {
    let message = format!("{name} `{text}`: {}", mistake.message);
    Fault { hint: mistake.hint, ..Fault::new(FaultKind::Recipe, message) }
}
