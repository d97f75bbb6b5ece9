//! Requests to an object store. Unlike the requests of recipes, they reuse connections, and bodies of any size are
//! passed on piece by piece. The address comes from `ctp10.toml`, so `allow_http` does not apply.

use std::time::Duration;

use ::http::{Request, Response};
use bytes::Bytes;
use http_body_util::BodyExt;
use http_body_util::combinators::BoxBody;

use super::{CONNECT_LIMIT, root};

/// Longest silence of the server, also in the middle of a reply.
const SILENCE_LIMIT: Duration = Duration::from_secs(30);
/// Longest time for one request with its reply.
const WHOLE_LIMIT: Duration = Duration::from_secs(900);

/// How an exchange failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TransportFailure {
    /// No connection was made.
    Connect,
    /// The server was silent for too long.
    Timeout,
    /// The connection was lost.
    Lost,
}

/// Why an exchange has no complete reply. The text contains no address, because an address may contain a signature.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{cause}")]
pub struct TransportError {
    /// The kind of the failure.
    pub failure: TransportFailure,
    cause: String,
}

impl From<reqwest::Error> for TransportError {
    fn from(error: reqwest::Error) -> Self {
        let failure = match (error.is_connect(), error.is_timeout()) {
            (true, _) => TransportFailure::Connect,
            (false, true) => TransportFailure::Timeout,
            (false, false) => TransportFailure::Lost,
        };
        let cause = match failure {
            TransportFailure::Connect => format!("cannot connect: {}", root(&error)),
            TransportFailure::Timeout => format!("no reply within {} s", SILENCE_LIMIT.as_secs()),
            TransportFailure::Lost => format!("the connection was lost: {}", root(&error)),
        };
        Self { failure, cause }
    }
}

/// Sends requests to an object store.
#[derive(Debug, Clone)]
pub struct Transport(reqwest::Client);

impl Transport {
    /// A transport to a server; to one that has no TLS if `is_plain`.
    ///
    /// # Errors
    /// If the certificates of the system are needed, and cannot be read.
    pub fn new(is_plain: bool) -> Result<Self, String> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder();
        let builder = if is_plain { builder.tls_certs_only([]) } else { builder };
        let client = builder
            .user_agent(concat!("ctp10/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT_LIMIT)
            .read_timeout(SILENCE_LIMIT)
            .timeout(WHOLE_LIMIT)
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never());
        client.build().map(Self).map_err(|error| root(&error))
    }

    /// Sends one request, once. The reply has its head; its body arrives while it is read.
    ///
    /// # Errors
    /// If no reply arrives. A reply with an error status is a reply.
    pub async fn send(
        &self,
        request: Request<Bytes>,
    ) -> Result<Response<BoxBody<Bytes, TransportError>>, TransportError> {
        let reply = self.0.execute(request.try_into()?).await?;
        let (parts, body) = Response::<reqwest::Body>::from(reply).into_parts();
        Ok(Response::from_parts(parts, BoxBody::new(body.map_err(TransportError::from))))
    }
}
