//! An instrument on the bench with a REST API. The configuration gives its URL, its headers, and how it is made safe.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt, TryFutureExt};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};
use url::Url;

use super::header::Secrets;
use super::{AllowedHosts, Client, Header, HeaderSource, HttpError, HttpRequest, Reply, SecretSource};
use crate::operation::Method;
use crate::units::{ApiPath, is_below};

/// The pause between two requests for the confirmation of a safe end.
const CONFIRM_INTERVAL: Duration = Duration::from_millis(100);
/// The shortest wait between two requests of a safe end, so that they arrive in their order.
const PACE: Duration = Duration::from_millis(100);
/// The status of a request that is accepted and not done yet.
const ACCEPTED: u16 = 202;

/// How an instrument is reached.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ApiSettings {
    /// The URL that all paths are joined to.
    pub url: Url,
    /// The path that tells what the instrument is; `None` for an instrument that is not identified.
    pub identify: Option<ApiPath>,
    /// The text that the reply must contain.
    pub identity: String,
    /// The requests that make the instrument safe.
    pub safe: Vec<SafeRequest>,
    /// What confirms that the instrument is safe, after the requests.
    pub confirm: Option<Confirmation>,
    /// The token for authorization.
    pub token: Option<SecretSource>,
    /// Further headers.
    pub headers: BTreeMap<String, HeaderSource>,
}

impl ApiSettings {
    /// The names of the files with secrets.
    pub fn secret_files(&mut self) -> impl Iterator<Item = &mut String> {
        let of_headers = self.headers.values_mut().filter_map(|source| match source {
            HeaderSource::Secret(source) => Some(source),
            HeaderSource::Text(_) => None,
        });
        self.token.iter_mut().chain(of_headers).filter_map(|source| match source {
            SecretSource::File(file) => Some(file),
            SecretSource::Env(_) => None,
        })
    }
}

/// A request that makes an instrument safe.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SafeRequest {
    /// The method.
    #[serde(default = "post")]
    pub method: Method,
    /// The path.
    pub path: ApiPath,
    /// The body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub json: Option<Value>,
}

fn post() -> Method {
    Method::Post
}

/// A GET whose reply shows that an instrument is safe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Confirmation {
    /// The path.
    pub path: ApiPath,
    /// The text that the reply contains once the instrument is safe.
    pub contains: String,
}

/// Why an instrument with a REST API cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// A request has no reply, or a reply that cannot be read.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// A header has no value, or one that is not allowed.
    #[error("{0}")]
    Header(String),
    /// A status that is not a success.
    #[error("`{request}` returned status {status}: {excerpt}")]
    Status {
        /// Method and path.
        request: String,
        /// The status.
        status: u16,
        /// The beginning of the reply.
        excerpt: String,
    },
    /// Another instrument replied.
    #[error("the reply to `GET {path}` does not contain `{expected}`: {found}")]
    OtherInstrument {
        /// The path that tells what the instrument is.
        path: ApiPath,
        /// The text that was expected.
        expected: String,
        /// The beginning of the reply.
        found: String,
    },
    /// The instrument did not say that it is safe.
    #[error("{0}")]
    NotConfirmed(String),
}

/// A handle for an instrument. Clones are cheap.
#[derive(Debug, Clone)]
pub struct ApiInstrument(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    settings: ApiSettings,
    client: Client,
    headers: Result<(Vec<Header>, Secrets), String>,
    /// The time limit of a request that identifies the instrument or makes it safe.
    limit: Duration,
    /// Counts the requests without a reply. The instrument may have been restarted since then.
    losses: AtomicU64,
}

/// The instrument answered without a loss since this mark was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ApiMark(u64);

impl ApiInstrument {
    /// A handle for the instrument. Nothing is sent yet. The secrets are read now: a file may be gone when the
    /// instrument must be made safe.
    #[must_use]
    pub fn at(settings: ApiSettings, limit: Duration) -> Self {
        let client = Client::new(AllowedHosts::only(&settings.url));
        let headers = headers(&settings);
        Self(Arc::new(Shared { settings, client, headers, limit, losses: AtomicU64::new(0) }))
    }

    /// How the instrument is reached.
    #[must_use]
    pub fn settings(&self) -> &ApiSettings {
        &self.0.settings
    }

    /// The mark changes when a request had no reply.
    #[must_use]
    pub fn mark(&self) -> ApiMark {
        ApiMark(self.0.losses.load(Ordering::Acquire))
    }

    /// Sends one request, once. `url` must lie below the URL of the instrument, because secrets go with it. The reply
    /// contains no secret.
    ///
    /// # Errors
    /// See [`ApiError`]. A reply with an error status is a reply.
    pub async fn send(
        &self,
        method: Method,
        url: &Url,
        json: Option<&Value>,
        limit: Duration,
    ) -> Result<Reply, ApiError> {
        let Shared { settings, client, headers, losses, .. } = &*self.0;
        if !is_below(url, &settings.url) {
            let message = format!("`{url}` is not below `{}`", settings.url);
            return Err(HttpError::Unusable(message).into());
        }
        let (headers, secrets) = headers.as_ref().map_err(|why| ApiError::Header(why.clone()))?;
        let request = HttpRequest { method: method.as_str(), url, json, headers, limit };
        match client.send(request).await {
            Ok(reply) => Ok(secrets.masked(reply)),
            Err(error) => {
                if error.is_loss() {
                    losses.fetch_add(1, Ordering::AcqRel);
                }
                Err(error.into())
            }
        }
    }

    /// Asks the instrument what it is. Gives the beginning of the reply; `None` if the configuration does not say how to ask.
    ///
    /// # Errors
    /// If there is no reply, or if another instrument replies.
    pub async fn identify(&self) -> Result<Option<String>, ApiError> {
        let ApiSettings { identify, identity, .. } = &self.0.settings;
        let Some(path) = identify else {
            // A token that cannot be read is told before the first step.
            return self.0.headers.as_ref().map(|_| None).map_err(|why| ApiError::Header(why.clone()));
        };
        let reply = self.ask(Method::Get, path, None).await?;
        match reply.contains(identity) {
            true => Ok(Some(reply.excerpt())),
            false => Err(ApiError::OtherInstrument {
                path: path.clone(),
                expected: identity.clone(),
                found: reply.excerpt(),
            }),
        }
    }

    /// Sends the requests that make the instrument safe, all of them whatever becomes of one. Then the instrument must
    /// confirm that it is safe. Each attempt is bounded in time, and there are two.
    ///
    /// # Errors
    /// Why it is unknown whether the instrument is safe.
    pub async fn make_safe(&self) -> Result<(), ApiError> {
        let limit = self.0.limit;
        // The first attempt is short, so that one missing reply delays the other requests only a little.
        match self.make_safe_in_time(limit / 4).await {
            Err(ApiError::Http(_) | ApiError::Status { .. } | ApiError::NotConfirmed(_)) => {
                self.make_safe_in_time(limit * 3 / 4).await
            }
            done => done,
        }
    }

    async fn make_safe_in_time(&self, patience: Duration) -> Result<(), ApiError> {
        let limit = self.0.limit;
        let late = |_| {
            let message =
                format!("the instrument did not confirm within {} s that it is safe", limit.as_secs_f64());
            Err(ApiError::NotConfirmed(message))
        };
        tokio::time::timeout(limit, self.make_safe_once(patience)).await.unwrap_or_else(late)
    }

    /// Each request waits for the replies to those before. These waits last `patience` in total. After that, the requests
    /// that remain are sent without the replies.
    async fn make_safe_once(&self, patience: Duration) -> Result<(), ApiError> {
        let ApiSettings { safe, confirm, .. } = &self.0.settings;
        let until = Instant::now() + patience;
        let identified = self.identify().map_ok(drop).boxed();
        let requests = safe.iter().map(|request| self.request_safe(request).boxed());
        let mut open = FuturesUnordered::new();
        let mut done = Ok(());
        for request in std::iter::once(identified).chain(requests) {
            open.push(request);
            let until = until.max(Instant::now() + PACE);
            if let Ok(answered) = timeout_at(until, replies(&mut open, &mut done)).await {
                answered?;
            }
        }
        replies(&mut open, &mut done).await?;
        done?;
        let Some(Confirmation { path, contains }) = confirm else { return Ok(()) };
        while !self.ask(Method::Get, path, None).await?.contains(contains) {
            sleep(CONFIRM_INTERVAL).await;
        }
        Ok(())
    }

    async fn request_safe(&self, request: &SafeRequest) -> Result<(), ApiError> {
        let SafeRequest { method, path, json } = request;
        let reply = self.ask(*method, path, json.as_ref()).await?;
        match reply.status == ACCEPTED && self.0.settings.confirm.is_none() {
            true => Err(ApiError::NotConfirmed(format!(
                "`{} {path}` returned status {ACCEPTED}, which does not say that the action is done: give `confirm` in the \
                 configuration of the instrument",
                method.as_str()
            ))),
            false => Ok(()),
        }
    }

    /// Sends a request whose reply must be a success.
    async fn ask(&self, method: Method, path: &ApiPath, json: Option<&Value>) -> Result<Reply, ApiError> {
        let url = path.below(&self.0.settings.url).map_err(HttpError::Unusable)?;
        let reply = self.send(method, &url, json, self.0.limit).await?;
        match reply.is_success() {
            true => Ok(reply),
            false => Err(ApiError::Status {
                request: format!("{} {path}", method.as_str()),
                status: reply.status,
                excerpt: reply.excerpt(),
            }),
        }
    }
}

/// Waits for the replies to all requests that were sent, and keeps the first error.
///
/// # Errors
/// If another instrument replies, or if a header cannot be sent. Then no further request is sent.
async fn replies(
    open: &mut FuturesUnordered<BoxFuture<'_, Result<(), ApiError>>>,
    done: &mut Result<(), ApiError>,
) -> Result<(), ApiError> {
    while let Some(reply) = open.next().await {
        match reply {
            Err(error @ (ApiError::OtherInstrument { .. } | ApiError::Header(_))) => return Err(error),
            Err(error) if done.is_ok() => *done = Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(())
}

fn headers(settings: &ApiSettings) -> Result<(Vec<Header>, Secrets), String> {
    let (mut headers, mut secrets) = (Vec::new(), Secrets::default());
    if let Some(token) = &settings.token {
        let token = token.read()?;
        headers.push(Header::bearer(&token)?);
        secrets.add(token);
    }
    for (name, source) in &settings.headers {
        match source {
            HeaderSource::Text(text) => headers.push(Header::new(name, text)?),
            HeaderSource::Secret(source) => {
                let secret = source.read()?;
                headers.push(Header::new(name, &secret)?);
                secrets.add(secret);
            }
        }
    }
    Ok((headers, secrets))
}
