//! Lets `object_store` send its requests through the HTTP client of this program.

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
pub(super) struct Connector(pub(super) Transport);

impl HttpConnector for Connector {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

#[async_trait]
impl HttpService for Connector {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        let body = body.collect().await?.to_bytes();
        let reply = self.0.send(::http::Request::from_parts(parts, body)).await.map_err(failed)?;
        let (parts, body) = reply.into_parts();
        Ok(HttpResponse::from_parts(parts, HttpResponseBody::new(body.map_err(failed))))
    }
}

fn failed(error: TransportError) -> HttpError {
    let kind = match error.failure {
        TransportFailure::Connect => HttpErrorKind::Connect,
        TransportFailure::Timeout => HttpErrorKind::Timeout,
        TransportFailure::Lost => HttpErrorKind::Interrupted,
    };
    HttpError::new(kind, error)
}
