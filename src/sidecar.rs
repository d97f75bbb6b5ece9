//! The sidecar: run status, live power and instrument access over HTTP and WebSockets, and the dashboard. Its
//! handlers are small and use the [`crate::session`]. An error in a handler never affects a run.

mod accept;
mod access;
mod api;
mod assets;
mod base_path;
mod batch;
mod coerce;
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
mod range;
mod read;
mod reply;
mod routes;
mod runs;
mod state;
mod stream;
mod stream_end;
mod wire;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use access::{Tokens, TrustedProxy, WrongToken};
pub use base_path::BasePath;
pub use state::{BatchQueue, Defaults, Options};

use crate::session::Session;
use access::Access;
use state::AppState;

/// Time for clients to disconnect when the sidecar stops.
const STOP_LIMIT: Duration = Duration::from_secs(3);

/// Why a sidecar did not start.
#[derive(Debug, thiserror::Error)]
pub enum SidecarError {
    /// The port cannot be opened.
    #[error("cannot listen on {0}")]
    Listen(String, #[source] std::io::Error),
    /// Other computers could connect, and no token protects the sidecar.
    #[error("other computers could control the lasers through {0}: a token is required")]
    NoToken(SocketAddr),
    /// The tokens cannot be used.
    #[error(transparent)]
    Token(#[from] WrongToken),
    /// The path prefix begins like a path of the API.
    #[error("the path prefix `{}` begins with `/{name}`, which is a path of the API", base.as_str())]
    Base {
        /// The prefix.
        base: BasePath,
        /// Its first name.
        name: String,
    },
}

/// A running sidecar.
#[derive(Debug)]
pub struct Sidecar {
    address: SocketAddr,
    closing: watch::Sender<bool>,
    serving: JoinHandle<()>,
    shared: state::App,
}

impl Sidecar {
    /// Listens at an address `host:port`. With port 0, the system chooses a free port.
    ///
    /// # Errors
    /// See [`SidecarError`].
    pub async fn start(listen: &str, session: Arc<Session>, options: Options) -> Result<Self, SidecarError> {
        let told = |source| SidecarError::Listen(listen.to_owned(), source);
        options.tokens.check()?;
        if let Some(name) = options.base.first_name().filter(|name| routes::has_first_name(name)) {
            return Err(SidecarError::Base { name: name.to_owned(), base: options.base });
        }
        let listener = TcpListener::bind(listen).await.map_err(told)?;
        let address = listener.local_addr().map_err(told)?;
        if !address.ip().is_loopback() && options.tokens.full.is_none() {
            return Err(SidecarError::NoToken(address));
        }
        let (closing, closed) = watch::channel(false);
        let (tokens, proxies) = (options.tokens.clone(), options.trusted_proxies.clone());
        let token = tokens.full.clone();
        let is_local = address.ip().is_loopback();
        let access = Access::new(tokens, &options.allow_origin, proxies, address);
        let base = options.base.clone();
        let shared = AppState::new(session, options, access, is_local, closed.clone());
        let router = routes::router(Arc::clone(&shared));
        let serving = tokio::spawn(listen::listen(listener, router, base, closed));
        tracing::info!(%address, "HTTP server started");
        let sidecar = Self { address, closing, serving, shared };
        // Other programs that want the instrument can now ask this one.
        sidecar.shared.session.sign(sidecar.url(), token);
        Ok(sidecar)
    }

    /// The address on which it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its address for a browser.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}{}", self.address, self.shared.options.base.as_str())
    }

    /// Disconnects its clients and stops.
    pub async fn stop(self) {
        self.closing.send_replace(true);
        // The server does not count WebSockets as connections, so they are waited for here.
        let _ = tokio::time::timeout(STOP_LIMIT, self.shared.streams.none_left()).await;
        // The task ends by itself. A panic in it was already reported.
        let _ = self.serving.await;
    }
}
