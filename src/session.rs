//! The instrument and its users: who may change it, how a lost connection is restored, which run is active, and whether
//! an operator is present. The terminal and the sidecar both use the instrument through this module.

mod begin;
mod claim;
mod interrupted;
mod lease;
mod live;
mod manual;
mod named;
mod notification;
mod occupy;
mod off;
mod operators;
mod reconnect;
mod records;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use begin::{BegunRun, NotStarted};
pub use claim::{Claim, Holder, find_holder};
pub use interrupted::{Interrupted, NotResumed, Outlook};
pub use lease::{Held, Lease};
pub use live::{LiveRun, PauseState};
pub use manual::{Cut, NotChanged, NotConnected, ScanTicket};
pub use occupy::Occupied;
pub use off::EmergencyStop;
pub use operators::Operator;
pub use reconnect::Reconnector;

use crate::equipment::Live;
use crate::forecast::allowed::Allowed;
use crate::instrument::{Ctp10, Target};
use crate::notify::Outbox;
use crate::power::PowerMonitor;
use crate::remote::Uploads;
use crate::run::Times;
use occupy::Occupancy;
use operators::Operators;

/// The number of connections to an instrument.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ConnectionsText", into = "String")]
pub enum Connections {
    /// A second connection if the instrument accepts it.
    #[default]
    Auto,
    /// One, for units that a second connection disturbs.
    One,
    /// Two; a refused second connection is a warning.
    Two,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ConnectionsText {
    Number(u8),
    Text(String),
}

impl TryFrom<ConnectionsText> for Connections {
    type Error = String;

    fn try_from(given: ConnectionsText) -> Result<Self, String> {
        let text = match given {
            ConnectionsText::Number(number) => number.to_string(),
            ConnectionsText::Text(text) => text,
        };
        text.parse()
    }
}

impl std::str::FromStr for Connections {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "1" => Ok(Self::One),
            "2" => Ok(Self::Two),
            other => Err(format!("connections `{other}` is not allowed (auto, 1 or 2)")),
        }
    }
}

impl From<Connections> for String {
    fn from(connections: Connections) -> Self {
        match connections {
            Connections::Auto => "auto",
            Connections::One => "1",
            Connections::Two => "2",
        }
        .to_owned()
    }
}

/// The settings of a session.
#[derive(Debug, Clone)]
pub struct Setup {
    /// The folder that contains the run folders.
    pub out: PathBuf,
    /// The number of connections.
    pub connections: Connections,
    /// The hosts that recipes may reach, and the limits of the bench.
    pub allowed: Allowed,
    /// Notifications that are being sent.
    pub outbox: Outbox,
    /// Uploads of the runs that have ended.
    pub uploads: Uploads,
    /// How long a run waits before it acts or gives up.
    pub times: Times,
    /// The named instruments of the bench.
    pub live: Live,
    /// The real ones among them that may be used beside a simulated CTP10.
    pub with_real: BTreeSet<String>,
}

/// The instrument at one address.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The driver. Its calls wait for an instrument that is away.
    pub instrument: Ctp10,
    /// Live power.
    pub monitor: PowerMonitor,
    /// Which instrument it is.
    pub target: Target,
}

impl Endpoint {
    fn new(instrument: Ctp10, target: Target) -> Self {
        Self { monitor: PowerMonitor::new(&instrument), instrument, target }
    }
}

/// The instrument and its users.
#[derive(Debug)]
pub struct Session {
    setup: Setup,
    endpoint: watch::Sender<Arc<Endpoint>>,
    lease: Lease,
    run: Mutex<Option<Arc<LiveRun>>>,
    occupied: Mutex<Occupancy>,
    operators: Arc<Operators>,
    /// Set when no new run may begin.
    draining: AtomicBool,
    /// Runs that are not in the catalogue yet.
    unlisted: Arc<records::Unlisted>,
    /// Named instruments that an item of a batch may have left as they were.
    kept: Mutex<BTreeSet<String>>,
    /// Held while the session connects to another address, so that two clients cannot do this at the same time.
    moving: tokio::sync::Mutex<()>,
    /// Grows when transfers and starts from before must end.
    cuts: watch::Sender<u64>,
}

impl Session {
    /// A session for an instrument that may not be connected yet.
    #[must_use]
    pub fn new(instrument: Ctp10, target: Target, setup: Setup) -> Arc<Self> {
        Arc::new(Self {
            setup,
            endpoint: watch::Sender::new(Arc::new(Endpoint::new(instrument, target))),
            lease: Lease::default(),
            run: Mutex::default(),
            occupied: Mutex::default(),
            operators: Arc::default(),
            draining: AtomicBool::new(false),
            unlisted: Arc::default(),
            kept: Mutex::default(),
            moving: tokio::sync::Mutex::default(),
            cuts: watch::Sender::new(0),
        })
    }

    /// The settings.
    #[must_use]
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The instrument at its present address.
    #[must_use]
    pub fn endpoint(&self) -> Arc<Endpoint> {
        Arc::clone(&self.endpoint.borrow())
    }

    /// Changes when the session moves to another address.
    #[must_use]
    pub fn watch_endpoint(&self) -> watch::Receiver<Arc<Endpoint>> {
        self.endpoint.subscribe()
    }

    /// The instrument for observers: if it is away, their calls fail at once.
    #[must_use]
    pub fn observer(&self) -> Ctp10 {
        self.endpoint().instrument.observer()
    }

    /// Whether the instrument is embedded in this process: then its lasers end with the process.
    #[must_use]
    pub fn is_embedded(&self) -> bool {
        self.endpoint().target.is_embedded()
    }

    /// Who may change the instrument.
    #[must_use]
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    /// The active run, or the last one of this process.
    #[must_use]
    pub fn last_run(&self) -> Option<Arc<LiveRun>> {
        self.run().clone()
    }

    /// The active run.
    #[must_use]
    pub fn current_run(&self) -> Option<Arc<LiveRun>> {
        self.last_run().filter(|run| !run.has_ended())
    }

    /// Refuses new runs from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Waits for the end of the active run, also if it is still starting.
    pub async fn run_ended(&self) {
        self.lease.run_released().await;
        if let Some(run) = self.current_run() {
            run.ended().await;
        }
    }

    fn run(&self) -> MutexGuard<'_, Option<Arc<LiveRun>>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
