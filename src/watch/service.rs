//! The HTTP API of the program that measures, as a client.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use url::Url;

use super::replies::{Instrument, Run};
use crate::http::{AllowedHosts, Client, Header, HttpError, HttpRequest, Lines};

/// Longest wait for a reply.
const LIMIT: Duration = Duration::from_secs(10);

/// Where the API is, and how to ask there.
#[derive(Debug, Clone)]
pub struct Service {
    base: Url,
    headers: Vec<Header>,
    client: Arc<Client>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The address is not one of a service.
    #[error("`{0}` is not the address of a service (for example `http://127.0.0.1:8002`)")]
    Address(String),
    /// The token cannot be sent.
    #[error("the token cannot be used: {0}")]
    Token(String),
    /// No complete reply.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// The service refuses.
    #[error("{}", refusal(*status, detail))]
    Refused {
        /// The status code.
        status: u16,
        /// What the service says.
        detail: String,
    },
    /// The reply is not one of this API.
    #[error("`{path}` of this service is not understood: {cause}")]
    NotUnderstood {
        /// The path.
        path: String,
        /// Why.
        cause: String,
    },
}

fn refusal(status: u16, detail: &str) -> String {
    match status {
        401 => "the service wants a token: give it with `--token-file`".to_owned(),
        _ => format!("the service replied with status {status}: {detail}"),
    }
}

impl Service {
    /// A service at an address, which may have a path prefix.
    ///
    /// # Errors
    /// If the address is not one of HTTP, or if the token has characters that are not allowed.
    pub fn new(address: &str, token: Option<&str>) -> Result<Self, ServiceError> {
        let wrong = || ServiceError::Address(address.to_owned());
        let full = if address.contains("://") { address.to_owned() } else { format!("http://{address}") };
        let mut base = Url::parse(&full).map_err(|_| wrong())?;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() || base.password().is_some() {
            return Err(wrong());
        }
        base.set_query(None);
        base.set_fragment(None);
        let prefix = base.path().trim_end_matches('/').to_owned();
        base.set_path(&prefix);
        let headers = token.map(Header::bearer).transpose().map_err(ServiceError::Token)?;
        let client = Arc::new(Client::new(AllowedHosts::only(&base)));
        Ok(Self { base, headers: headers.into_iter().collect(), client })
    }

    /// The address for people.
    pub(super) fn shown_url(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    /// Asks once for the instrument and for the run, if one is given.
    ///
    /// # Errors
    /// If the service does not reply, does not allow it, or does not know the run.
    pub async fn probe(&self, run: Option<&str>) -> Result<(), ServiceError> {
        self.get::<Instrument>("/instrument").await?;
        if let Some(run) = run {
            self.get::<Run>(&format!("/runs/{run}")).await?;
        }
        Ok(())
    }

    /// The reply to a GET request.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ServiceError> {
        let url = self.url(path);
        let request =
            HttpRequest { method: "GET", url: &url, json: None, headers: &self.headers, limit: LIMIT };
        let reply = self.client.send(request).await?;
        let value = reply.value()?;
        if !reply.is_success() {
            let detail = value["detail"].as_str().unwrap_or("no reason is given").to_owned();
            return Err(ServiceError::Refused { status: reply.status, detail });
        }
        serde_json::from_value(value)
            .map_err(|error| ServiceError::NotUnderstood { path: path.to_owned(), cause: error.to_string() })
    }

    /// The lines of a stream of events. `silence` is the longest wait for the next piece.
    pub(super) async fn lines(&self, path: &str, silence: Duration) -> Result<Lines, ServiceError> {
        let url = self.url(path);
        let request =
            HttpRequest { method: "GET", url: &url, json: None, headers: &self.headers, limit: silence };
        let lines = self.client.lines(request).await?;
        match lines.status() {
            200 => Ok(lines),
            status => Err(ServiceError::Refused { status, detail: "no live power".to_owned() }),
        }
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        url.set_query(query);
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_with_and_without_a_scheme_and_a_prefix() {
        for (given, full) in [
            ("127.0.0.1:8002", "http://127.0.0.1:8002/runs/a?points=3"),
            ("http://bench-3:8002/", "http://bench-3:8002/runs/a?points=3"),
            ("https://lab.example/bench-a/", "https://lab.example/bench-a/runs/a?points=3"),
            ("http://[::1]:8002", "http://[::1]:8002/runs/a?points=3"),
        ] {
            let service = Service::new(given, None).unwrap();
            assert_eq!(service.url("/runs/a?points=3").as_str(), full);
        }
        for wrong in ["", "ftp://lab", "http://", "http://user:secret@lab"] {
            assert!(Service::new(wrong, None).is_err(), "{wrong}");
        }
    }
}
