//! HTTP to other instruments and services, and to a service that is watched. This is the only module that uses
//! reqwest. The client reaches only the hosts that the bench allows. It follows no redirect, repeats no request, and
//! uses no proxy and no cookies. Replies are limited in time and size.

use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use url::Url;

mod header;
mod hosts;
mod instrument;
mod lines;
mod reply;
#[cfg(feature = "store")]
mod transport;

pub use header::{Header, HeaderSource, SecretSource};
pub use hosts::{AllowedHosts, host};
pub use instrument::{ApiError, ApiInstrument, ApiMark, ApiSettings, Confirmation, SafeRequest};
pub use lines::Lines;
pub use reply::Reply;
#[cfg(feature = "store")]
pub use transport::{Transport, TransportError, TransportFailure};

/// Longest wait for a connection.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Largest reply, in bytes.
pub const LARGEST_REPLY: usize = 1 << 20;

/// One request.
#[derive(Debug, Clone, Copy)]
pub struct HttpRequest<'a> {
    /// `GET`, `POST` …
    pub method: &'a str,
    /// The address.
    pub url: &'a Url,
    /// The body.
    pub json: Option<&'a Value>,
    /// Further headers.
    pub headers: &'a [Header],
    /// The time from the first byte sent to the last one received.
    pub limit: Duration,
}

/// Why a request has no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// The bench does not allow this host.
    #[error("`{host}` is not an allowed host (`allow_http` in ctp10.toml)")]
    NotAllowed {
        /// Host and port.
        host: String,
        /// How to allow it.
        advice: String,
    },
    /// No connection was made, so nothing was sent.
    #[error("`{host}` cannot be reached: {cause}")]
    Unreachable {
        /// Host and port.
        host: String,
        /// The reason.
        cause: String,
    },
    /// The connection broke. It is not known whether the request arrived.
    #[error("the connection to `{host}` was lost: {cause}")]
    Lost {
        /// Host and port.
        host: String,
        /// The reason.
        cause: String,
    },
    /// The time limit passed. It is not known whether the request arrived.
    #[error("`{host}` did not reply within {} s", limit.as_secs_f64())]
    TimedOut {
        /// Host and port.
        host: String,
        /// The time limit.
        limit: Duration,
    },
    /// The reply is too large.
    #[error("the reply of `{host}` is larger than {} MiB", LARGEST_REPLY >> 20)]
    TooLarge {
        /// Host and port.
        host: String,
    },
    /// The body cannot be decoded.
    #[error("the reply {0}")]
    NotUnderstood(String),
    /// The request cannot be created.
    #[error("cannot send a request: {0}")]
    Unusable(String),
}

impl HttpError {
    /// Whether the other side could not be reached, or the connection was lost.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Lost { .. } | Self::TimedOut { .. } => true,
            Self::NotAllowed { .. } | Self::TooLarge { .. } | Self::NotUnderstood(_) | Self::Unusable(_) => {
                false
            }
        }
    }
}

/// Sends requests. Dropping a request in progress cancels it.
#[derive(Debug, Default)]
pub struct Client {
    hosts: AllowedHosts,
    plain: OnceLock<Result<reqwest::Client, String>>,
    secure: OnceLock<Result<reqwest::Client, String>>,
}

impl Client {
    /// A client for these hosts. It uses no resources before its first request.
    #[must_use]
    pub fn new(hosts: AllowedHosts) -> Self {
        Self { hosts, ..Self::default() }
    }

    /// Sends one request, once.
    ///
    /// # Errors
    /// If no complete reply of allowed size comes in time. A reply with an error status is a reply.
    pub async fn send(&self, request: HttpRequest<'_>) -> Result<Reply, HttpError> {
        let limit = request.limit;
        let (builder, host) = self.builder(&request)?;
        let failed = |error: reqwest::Error| failure(&error, &host, limit);
        let mut response = builder.timeout(limit).send().await.map_err(failed)?;
        let text = |name: &str| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let kind = text("content-type").unwrap_or_default();
        let mut reply = Reply::new(response.status().as_u16(), text("location"), &kind);
        while let Some(piece) = response.chunk().await.map_err(failed)? {
            if reply.body.len() + piece.len() > LARGEST_REPLY {
                return Err(HttpError::TooLarge { host });
            }
            reply.body.extend_from_slice(&piece);
        }
        Ok(reply)
    }

    /// Sends one request, once, whose reply is read line by line. The limit of the request is the longest silence.
    ///
    /// # Errors
    /// If no reply begins in time. A reply with an error status is a reply.
    pub async fn lines(&self, request: HttpRequest<'_>) -> Result<Lines, HttpError> {
        let limit = request.limit;
        let (builder, host) = self.builder(&request)?;
        let sent = tokio::time::timeout(limit, builder.send()).await;
        let response = sent.map_err(|_| HttpError::TimedOut { host: host.clone(), limit })?;
        let response = response.map_err(|error| failure(&error, &host, limit))?;
        Ok(Lines::new(response, host, limit))
    }

    /// The request, if its host is allowed, and the name of the host.
    fn builder(&self, request: &HttpRequest<'_>) -> Result<(reqwest::RequestBuilder, String), HttpError> {
        let HttpRequest { method, url, json, headers, limit: _ } = *request;
        let host = host(url);
        if !self.hosts.allow(url) {
            return Err(HttpError::NotAllowed { host, advice: self.hosts.advice(url) });
        }
        let method = reqwest::Method::from_bytes(method.as_bytes())
            .map_err(|_| HttpError::Unusable(format!("`{method}` is not an HTTP method")))?;
        let mut builder = self.client(url)?.request(method, url.clone());
        if let Some(json) = json {
            builder = builder.header("content-type", "application/json").body(json.to_string());
        }
        for (name, value) in headers.iter().map(Header::parts) {
            builder = builder.header(name, value);
        }
        Ok((builder, host))
    }

    /// The certificates of the system are read only for `https`, so that a system without any can use `http`.
    fn client(&self, url: &Url) -> Result<&reqwest::Client, HttpError> {
        let client = match url.scheme() {
            "https" => self.secure.get_or_init(|| build(reqwest::Client::builder())),
            _ => self.plain.get_or_init(|| build(reqwest::Client::builder().tls_certs_only([]))),
        };
        client.as_ref().map_err(|cause| HttpError::Unusable(cause.clone()))
    }
}

fn build(builder: reqwest::ClientBuilder) -> Result<reqwest::Client, String> {
    // The first client of the process installs the provider; there is only one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = builder
        .user_agent(concat!("ctp10/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_LIMIT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        // Connections are not reused. The server may close an idle connection just when the next request is sent, and
        // then it is not known whether, for example, a stage will move.
        .pool_max_idle_per_host(0);
    client.build().map_err(|error| root(&error))
}

fn failure(error: &reqwest::Error, host: &str, limit: Duration) -> HttpError {
    let host = host.to_owned();
    if error.is_connect() {
        let cause = match error.is_timeout() {
            true => format!("no connection within {} s", CONNECT_LIMIT.min(limit).as_secs_f64()),
            false => root(error),
        };
        return HttpError::Unreachable { host, cause };
    }
    if error.is_timeout() {
        return HttpError::TimedOut { host, limit };
    }
    HttpError::Lost { host, cause: root(error) }
}

/// The innermost cause. The outer errors only repeat the place.
fn root(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}
