//! The sidecar: run status, live power and instrument access over HTTP and WebSockets, and the dashboard. Small handlers
//! over the [`crate::station`]; whatever goes wrong in one of them does not touch a run.

mod access;
mod batch;
mod coerce;
mod dashboard;
mod docs;
mod headers;
mod instrument;
mod intake;
mod listen;
mod live;
mod login;
mod metrics;
mod overview;
mod problem;
mod read;
mod refusals;
mod routes;
mod runs;
mod state;
mod stream;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use metrics::Metrics;
pub use state::{BatchQueue, Defaults, Options};

use crate::station::Station;
use access::Access;
use state::AppState;

/// Clients are given this long to take their leave.
const STOP_LIMIT: Duration = Duration::from_secs(3);
/// A shorter token could be guessed.
const TOKEN_LENGTH: usize = 16;

/// Why a sidecar did not start.
#[derive(Debug, thiserror::Error)]
pub enum SidecarError {
    /// The port cannot be listened on.
    #[error("cannot listen on {0}")]
    Listen(String, #[source] std::io::Error),
    /// Others than this machine could reach it, and nothing protects it.
    #[error("listening on {0} lets others on the network drive the lasers: a token is needed")]
    NoToken(SocketAddr),
    /// The token is too short, or has letters that a header cannot carry.
    #[error(
        "the token must have at least {TOKEN_LENGTH} letters, digits and signs, without spaces, `;` and `,`"
    )]
    BadToken,
}

/// A sidecar that listens.
#[derive(Debug)]
pub struct Sidecar {
    address: SocketAddr,
    closing: watch::Sender<bool>,
    serving: JoinHandle<()>,
    shared: state::App,
}

impl Sidecar {
    /// Listens at an address: `host:port`; port 0 lets the system choose.
    ///
    /// # Errors
    /// See [`SidecarError`].
    pub async fn start(
        listen: &str,
        station: Arc<Station>,
        options: Options,
        metrics: Metrics,
    ) -> Result<Self, SidecarError> {
        let told = |source| SidecarError::Listen(listen.to_owned(), source);
        if let Some(token) = &options.token {
            let plain = |c: char| c.is_ascii_graphic() && !matches!(c, ';' | ',' | '"' | '\\');
            if token.len() < TOKEN_LENGTH || !token.chars().all(plain) {
                return Err(SidecarError::BadToken);
            }
        }
        let listener = TcpListener::bind(listen).await.map_err(told)?;
        let address = listener.local_addr().map_err(told)?;
        if !address.ip().is_loopback() && options.token.is_none() {
            return Err(SidecarError::NoToken(address));
        }
        let (closing, closed) = watch::channel(false);
        let token = options.token.clone();
        let is_local = address.ip().is_loopback();
        let access = Access::new(options.token.clone(), &options.allow_origin);
        let shared = AppState::new(station, options, access, metrics, is_local, closed.clone());
        let router = routes::router(Arc::clone(&shared));
        let serving = tokio::spawn(listen::listen(listener, router, closed));
        tracing::info!(%address, "sidecar listening");
        let sidecar = Self { address, closing, serving, shared };
        // Other programs that want the instrument can now ask this one.
        sidecar.shared.station.sign(sidecar.url(), token);
        Ok(sidecar)
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address for a browser.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Says goodbye to its clients and ends.
    pub async fn stop(self) {
        self.closing.send_replace(true);
        // A WebSocket is no connection of the server's any more; its client is told all the same.
        let _ = tokio::time::timeout(STOP_LIMIT, self.shared.streams.none_left()).await;
        // It ends by itself; a panic in it has been told.
        let _ = self.serving.await;
    }
}
