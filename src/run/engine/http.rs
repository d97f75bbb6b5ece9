//! Requests to other instruments on the bench.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::Engine;
use crate::error::chain;
use crate::http::{HttpError, HttpRequest, Reply, host};
use crate::operation::{Http, Method, Poll};
use crate::run::context::StepContext;
use crate::run::events::Activity;
use crate::script::{Condition, Mistake};
use crate::step::{Fault, FaultKind, Outcome};

/// Time limit of a request, if the step has none.
const REQUEST_LIMIT: Duration = Duration::from_secs(30);
/// Time limit of one poll. The limit does not shrink with the time left, because an interrupted poll would report less
/// than the one before it.
const POLL_LIMIT: Duration = Duration::from_secs(5);
/// Largest reply that becomes the result of a step, bytes. The journal keeps the whole reply, because a resumed run
/// must get the same result.
const LARGEST_RESULT: usize = 64 << 10;

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

impl Engine {
    pub(super) async fn http(&self, ctx: &StepContext, http: &Http) -> Result<Outcome, Fault> {
        let limit =
            ctx.step.options.timeout_s.map_or(REQUEST_LIMIT, |limit| Duration::from_secs_f64(limit.get()));
        let request = HttpRequest {
            method: http.method.as_str(),
            url: &http.url,
            json: http.json.as_ref(),
            token: None,
            limit,
        };
        let mut reply = self.http.send(request).await?;
        if !http.expects(reply.status) {
            return Err(unexpected(request, &reply));
        }
        if let Some(poll) = &http.poll {
            reply = self.poll(ctx, poll, request, &reply).await?;
        }
        if reply.body.len() > LARGEST_RESULT {
            let message = format!(
                "the reply of `{}` has {} bytes; the result of a step may have at most {LARGEST_RESULT}",
                host(&http.url),
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
        ctx: &StepContext,
        poll: &Poll,
        request: HttpRequest<'_>,
        reply: &Reply,
    ) -> Result<Reply, Fault> {
        let refused = |why: String| Fault::new(FaultKind::Instrument, format!("cannot poll: {why}"));
        let url =
            poll.target(request.url, reply.location.as_deref(), &value_or_nothing(reply)).map_err(refused)?;
        let ready = Condition::compile("http", &poll.ready)
            .map_err(|mistake| wrong("ready", &poll.ready, mistake))?;
        let failed = poll.failed.as_deref().map(|text| (text, Condition::compile("http", text)));
        let (began, total) = (Instant::now(), Duration::from_secs_f64(poll.timeout_s.get()));
        let interval = Duration::from_secs_f64(poll.interval_s.get());
        let ask = HttpRequest {
            method: Method::Get.as_str(),
            url: &url,
            json: None,
            token: None,
            limit: POLL_LIMIT,
        };
        loop {
            let (kind, last) = match self.http.send(ask).await {
                Ok(reply) if !reply.is_success() => return Err(unexpected(ask, &reply)),
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
                Err(error) => {
                    let fault = Fault::from(error);
                    if !matches!(fault.kind, FaultKind::Link | FaultKind::Timeout) {
                        return Err(fault);
                    }
                    (fault.kind, fault.message)
                }
            };
            let left = total.saturating_sub(began.elapsed());
            if left <= interval {
                let message = format!("`{url}` was not ready within {}: {last}", poll.timeout_s);
                return Err(Fault::new(kind, message));
            }
            let done = 1.0 - left.as_secs_f64() / total.as_secs_f64();
            self.progress(ctx, Activity::Wait, Some(done), Some(left.as_secs_f64()))?;
            tokio::time::sleep(interval).await;
        }
    }
}

fn unexpected(request: HttpRequest<'_>, reply: &Reply) -> Fault {
    let HttpRequest { method, url, .. } = request;
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
