//! Lets `object_store` send its requests through the HTTP client of this program.

use ::http::Method;
use ::http::header::{HeaderValue, IF_NONE_MATCH};
use ::http::request::Parts;
use async_trait::async_trait;
use http_body_util::BodyExt;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpResponseBody,
    HttpService,
};

use crate::http::{Transport, TransportError, TransportFailure};

/// Gives the same transport to all stores and to the sources of their credentials.
#[derive(Debug, Clone)]
pub(super) struct Connector {
    pub(super) transport: Transport,
    /// Whether the last request of an upload in parts must not replace an object. `object_store` has no option for it. S3 does
    /// not need a signature of this header.
    pub(super) create_only_parts: bool,
}

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (mut parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        if self.create_only_parts && ends_upload(&parts) {
            parts.headers.insert(IF_NONE_MATCH, HeaderValue::from_static("*"));
        }
        let reply = self.transport.send(::http::Request::from_parts(parts, body)).await.map_err(failed)?;
        let (parts, body) = reply.into_parts();
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body.map_err(failed))))
    }
}

/// Whether a request makes the parts of an upload one object.
fn ends_upload(request: &Parts) -> bool {
    request.method == Method::POST && request.uri.query().is_some_and(|query| query.contains("uploadId="))
}

fn failed(error: TransportError) -> HttpError {
    let kind = match error.failure {
        TransportFailure::Connect => HttpErrorKind::Connect,
        TransportFailure::Timeout => HttpErrorKind::Timeout,
        TransportFailure::Lost => HttpErrorKind::Interrupted,
    };
    HttpError::new(kind, error)
}
