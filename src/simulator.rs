//! The embedded simulator: a computed CTP10. It listens on a TCP port and speaks the wire protocol, so that the
//! driver reaches it in the same way as a real unit. It shares no code with the driver: with two independent
//! implementations, a misreading of the protocol cannot be hidden in both.
//!
//! All its identities contain `SIMULATED`. It has two lasers: 1 for the C and L band, 2 for the O band. Module 4 is
//! an IL RL OPM2. Module 5 is a plain detector module, and options can add others.
//!
//! Where the protocol leaves a choice, `commands` and `options` decide:
//!
//! - Absent hardware is refused with −241.
//! - During a scan, a setting or a trace is refused with −221, and a second start with −213.
//! - During the analysis, settings are accepted, and commands that need its result wait.
//! - A trace that was never recorded, or a transmission function without a reference, is refused with −230.
//! - The status registers follow IEEE 488.2, compound lines follow SCPI-99.
//!
//! The faults that can be requested are in `faults`.

mod answer;
mod commands;
mod device;
mod errors;
mod faults;
mod grammar;
mod hardware;
mod headers;
mod log;
mod optics;
mod options;
mod output;
mod registers;
mod scan;
mod session;
mod spectrum;
mod state;
mod status;
mod trace;
mod transfer;
mod value;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::net::{TcpListener, TcpSocket, ToSocketAddrs};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use device::Device;
use faults::Faults;
pub use faults::{BadFault, FaultSpec};
use log::CommandLog;
pub use options::{
    AnalogOutput, BlockEnd, Identifier, LasersAfterScan, Noise, OpticalPath, PowerInScan, SimulatorOptions,
    TlsRange,
};
use session::{SimulatorContext, serve};
use state::SimulatorState;

/// Why the simulator did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// An option is not valid.
    #[error("{0}")]
    Option(String),
    /// The port cannot be opened.
    #[error("cannot listen on the address given")]
    Listen(#[source] std::io::Error),
    /// The command log cannot be created.
    #[error("cannot create the command log")]
    Log(#[source] std::io::Error),
}

/// A running simulator. It stops when it is dropped.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<SimulatorContext>,
    /// False while the simulated instrument restarts.
    present: watch::Receiver<bool>,
    listener: JoinHandle<()>,
}

impl Simulator {
    /// Starts to listen. With port 0, the system chooses a free port.
    ///
    /// # Errors
    /// If an option is not valid, the device cannot be loaded, or the port is in use.
    pub async fn start(
        listen: impl ToSocketAddrs,
        options: SimulatorOptions,
    ) -> Result<Self, SimulatorError> {
        options.check().map_err(SimulatorError::Option)?;
        let device = Device::load(&options.dut).map_err(SimulatorError::Option)?;
        let log = options.log.as_deref().map(CommandLog::create).transpose().map_err(SimulatorError::Log)?;
        let listener = TcpListener::bind(listen).await.map_err(SimulatorError::Listen)?;
        let address = listener.local_addr().map_err(SimulatorError::Listen)?;
        let (reboots, wanted) = mpsc::unbounded_channel();
        let shared = Arc::new(SimulatorContext {
            faults: Mutex::new(Faults::new(&options.faults)),
            state: Mutex::new(SimulatorState::new(options, device)),
            log,
            reboots,
        });
        let (presence, present) = watch::channel(true);
        let listener = tokio::spawn(accept(listener, address, Arc::clone(&shared), wanted, presence));
        Ok(Self { address, shared, present, listener })
    }

    /// The address on which it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The lasers that are on.
    #[must_use]
    pub fn lasers_on(&self) -> Vec<u8> {
        let mut state = self.shared.state();
        // The end of a scan turns its lasers off.
        state.advance_to_now();
        state.lasers.iter().filter(|(_, laser)| laser.on).map(|(number, _)| *number).collect()
    }

    /// Whether no scan is in progress.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.shared.state().is_idle()
    }

    /// The number of commands received.
    #[must_use]
    pub fn commands(&self) -> u64 {
        self.shared.faults().commands()
    }

    /// Ends all faults, and returns when the simulated instrument can be reached.
    pub async fn heal(&self) {
        self.shared.faults().heal();
        // Without a listener it will never be reachable; the next connection shows this.
        let _ = self.present.clone().wait_for(|present| *present).await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Accepts clients. A client beyond the limit is rejected by closing its connection. All sessions end with this task.
async fn accept(
    mut listener: TcpListener,
    address: SocketAddr,
    shared: Arc<SimulatorContext>,
    mut reboots: mpsc::UnboundedReceiver<Duration>,
    presence: watch::Sender<bool>,
) {
    let most = shared.state().options.max_connections;
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
