//! The embedded instrument: a CTP10 that is computed. It listens on a TCP port and speaks the wire protocol, so that
//! the driver knows no other way in than to a real unit. It shares no code with the driver: two independent
//! readings of the protocol, so that one misreading cannot hide in both.
//!
//! It says `SIMULATED` in every identity it gives. There are two lasers, 1 for the C and L band and 2 for the O
//! band, an IL RL OPM2 as module 4, and plain detector modules: module 5, or as many as asked for.
//!
//! Choices where the protocol leaves room, all in `commands` and `options`: absent hardware is refused with −241; a
//! setting or a trace is refused with −221 while a scan runs, a second start with −213; while it is analyzed, settings
//! are accepted, and what needs its result waits; a trace that was never recorded, or a transmission function without
//! a reference, is refused with −230. The status registers are those of IEEE 488.2, compound lines those of SCPI-99.
//!
//! What can go wrong on demand is in `faults`.

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

/// Why the embedded instrument did not start.
#[derive(Debug, thiserror::Error)]
pub enum SimulatorError {
    /// An option makes no sense.
    #[error("{0}")]
    Option(String),
    /// The port cannot be listened on.
    #[error("cannot listen on the address given")]
    Listen(#[source] std::io::Error),
    /// The command log cannot be created.
    #[error("cannot create the command log")]
    Log(#[source] std::io::Error),
}

/// A running embedded instrument. It stops when this is dropped.
#[derive(Debug)]
pub struct Simulator {
    address: SocketAddr,
    shared: Arc<SimulatorContext>,
    /// Whether it can be reached, and is not starting anew.
    present: watch::Receiver<bool>,
    listener: JoinHandle<()>,
}

impl Simulator {
    /// Starts listening; port 0 lets the system choose.
    ///
    /// # Errors
    /// When an option makes no sense, the device cannot be loaded, or the port is taken.
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

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The lasers that are on.
    #[must_use]
    pub fn lasers_on(&self) -> Vec<u8> {
        let mut state = self.shared.state();
        // A scan that is over has turned its lasers off.
        state.advance_to_now();
        state.lasers.iter().filter(|(_, laser)| laser.on).map(|(number, _)| *number).collect()
    }

    /// Whether nothing is being scanned.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.shared.state().is_idle()
    }

    /// How many commands it has been sent.
    #[must_use]
    pub fn commands(&self) -> u64 {
        self.shared.faults().commands()
    }

    /// Nothing goes wrong any more; returns when it can be reached.
    pub async fn heal(&self) {
        self.shared.faults().heal();
        // Without a listener it will not come back; whoever connects finds that out.
        let _ = self.present.clone().wait_for(|present| *present).await;
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.listener.abort();
    }
}

/// Takes clients in; one too many is turned away by closing its connection. The sessions end with this task.
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
                            tracing::debug!(%peer, %error, "client left");
                        }
                    });
                }
                Ok((_, peer)) => tracing::debug!(%peer, "turned away: too many connections"),
                Err(error) => tracing::warn!(%error, "cannot accept a connection"),
            },
            Some(away) = reboots.recv() => {
                presence.send_replace(false);
                // First the listener: whoever sees a connection close finds nobody there any more.
                drop(listener);
                let place = keep_place(address);
                sessions.shutdown().await;
                shared.state().restart();
                // Two clients may have asked at once; it is one restart.
                while reboots.try_recv().is_ok() {}
                tokio::time::sleep(away).await;
                listener = listen_again(address, place).await;
                presence.send_replace(true);
            }
            Some(_) = sessions.join_next() => {}
        }
    }
}

/// Holds the port without listening: connections are refused, and nobody else takes it meanwhile.
fn keep_place(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As listeners have it anyway, but on Windows, where it would let others in.
    if cfg!(unix) {
        socket.set_reuseaddr(true)?;
    }
    socket.bind(address)?;
    Ok(socket)
}

/// Listens at the place that was kept, or tries until it is free again.
async fn listen_again(address: SocketAddr, mut place: std::io::Result<TcpSocket>) -> TcpListener {
    /// As many clients may wait as the standard library lets.
    const BACKLOG: u32 = 128;
    loop {
        match place.and_then(|socket| socket.listen(BACKLOG)) {
            Ok(listener) => return listener,
            Err(error) => tracing::warn!(%address, %error, "cannot listen again yet"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        place = keep_place(address);
    }
}
