//! One simulated instrument on its TCP port.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::SimulatorError;
use super::faults::Faults;
use super::log::CommandLog;
use super::options::SimulatorOptions;
use super::part::Part;
use super::session::{Context, serve};
use super::simulated::Simulated;

/// A simulated instrument that listens. It stops when it is dropped.
#[derive(Debug)]
pub(super) struct Server<I> {
    address: SocketAddr,
    shared: Arc<Context<I>>,
    /// False while the simulated instrument restarts.
    present: watch::Receiver<bool>,
    listener: JoinHandle<()>,
}

impl<I: Simulated> Server<I> {
    /// Starts to listen. With port 0, the system chooses a free port.
    pub(super) async fn start(
        listen: &str,
        part: Part,
        instrument: I,
        options: &SimulatorOptions,
        log: Option<CommandLog>,
    ) -> Result<Self, SimulatorError> {
        let refuse = |source| SimulatorError::Listen { address: listen.to_owned(), source };
        let listener = TcpListener::bind(listen).await.map_err(refuse)?;
        let address = listener.local_addr().map_err(refuse)?;
        let (reboots, wanted) = mpsc::unbounded_channel();
        let shared = Arc::new(Context {
            faults: Mutex::new(Faults::new(&options.faults, part)),
            state: Mutex::new(instrument),
            log,
            options: options.clone(),
            reboots,
        });
        let (presence, present) = watch::channel(true);
        let listener = tokio::spawn(accept(listener, address, Arc::clone(&shared), wanted, presence));
        Ok(Self { address, shared, present, listener })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn state(&self) -> MutexGuard<'_, I> {
        self.shared.state()
    }

    /// The number of commands received.
    pub(super) fn commands(&self) -> u64 {
        self.shared.faults().commands()
    }

    /// The number of faults that have occurred.
    pub(super) fn faults_occurred(&self) -> u64 {
        self.shared.faults().occurred()
    }

    /// Ends all faults, and returns when the simulated instrument can be reached.
    pub(super) async fn heal(&self) {
        self.shared.faults().heal();
        // Without a listener it will never be reachable; the next connection shows this.
        let _ = self.present.clone().wait_for(|present| *present).await;
    }
}

impl<I> Drop for Server<I> {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Accepts clients. A client beyond the limit is rejected by closing its connection. All sessions end with this task.
async fn accept<I: Simulated>(
    mut listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Context<I>>,
    mut reboots: mpsc::UnboundedReceiver<Duration>,
    presence: watch::Sender<bool>,
) {
    let most = shared.options.max_connections;
    let mut sessions = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) if sessions.len() < most => {
                    let shared = Arc::clone(&shared);
                    sessions.spawn(async move {
                        if let Err(error) = serve(stream, peer, shared).await {
                            tracing::debug!(%peer, %error, "client disconnected");
                        }
                    });
                }
                Ok((_, peer)) => tracing::debug!(%peer, "connection refused: too many connections"),
                Err(error) => tracing::warn!(%error, "cannot accept a connection"),
            },
            Some(away) = reboots.recv() => {
                presence.send_replace(false);
                // The listener is closed first. When a client sees its connection close, it cannot connect again.
                drop(listener);
                let place = keep_place(address);
                sessions.shutdown().await;
                shared.state().restart();
                // Two clients may have requested a restart at the same time; it is done once.
                while reboots.try_recv().is_ok() {}
                tokio::time::sleep(away).await;
                listener = listen_again(address, place).await;
                presence.send_replace(true);
            }
            Some(_) = sessions.join_next() => {}
        }
    }
}

/// Binds the port without listening. Connections are refused, and no other program can take the port.
fn keep_place(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // The same option that listeners have. On Windows it would allow others to bind the port.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    Ok(socket)
}

/// Listens on the bound socket, or retries until the port is free again.
async fn listen_again(address: SocketAddr, mut place: std::io::Result<TcpSocket>) -> TcpListener {
    /// The same number of waiting clients as in the standard library.
    const BACKLOG: u32 = 128;
    loop {
        match place.and_then(|socket| socket.listen(BACKLOG)) {
            Ok(listener) => return listener,
            Err(error) => tracing::warn!(%address, %error, "cannot listen again yet; next attempt follows"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        place = keep_place(address);
    }
}
