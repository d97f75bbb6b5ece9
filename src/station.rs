//! The instrument and those who use it: who may change it, who looks for it when it is away, which run is under
//! way, and whether anybody is there to answer. Terminal and sidecar both work through here.

mod begin;
mod claim;
mod interrupted;
mod lease;
mod live;
mod manual;
mod notification;
mod occupy;
mod operators;
mod reconnect;
mod records;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use tokio::sync::watch;

pub use begin::{BegunRun, NotStarted};
pub use claim::{Claim, Holder, find_holder};
pub use interrupted::{Interrupted, NotTakenUp, Outlook};
pub use lease::{Held, Lease};
pub use live::{LiveRun, PauseState};
pub use manual::{Cut, EmergencyStop, NotConnected, ScanTicket};
pub use occupy::Occupied;
pub use operators::Operator;
pub use reconnect::Reconnector;

use crate::forecast::allowed::Allowed;
use crate::instrument::{Ctp10, Target};
use crate::notify::Outbox;
use crate::power::PowerMonitor;
use crate::run::Times;
use occupy::Occupancy;
use operators::Operators;

/// How many connections an instrument is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ConnectionsText", into = "String")]
pub enum Connections {
    /// A second one where the instrument takes it.
    #[default]
    Auto,
    /// One, for units that suffer from a second.
    One,
    /// Two; that the second is refused is a warning.
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

/// How a station is set up.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Where run folders go.
    pub out: PathBuf,
    /// How many connections are asked for.
    pub connections: Connections,
    /// What recipes may do here: the hosts that they may ask, and the limits of the bench.
    pub allowed: Allowed,
    /// What is on its way to those who wait for the end of a run.
    pub outbox: Outbox,
    /// How long a run waits before it acts or gives up.
    pub times: Times,
}

/// The instrument as one address has it.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// The driver, for whoever waits for an instrument that is away.
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

/// The instrument and those who use it.
#[derive(Debug)]
pub struct Station {
    setup: Setup,
    endpoint: watch::Sender<Arc<Endpoint>>,
    lease: Lease,
    run: Mutex<Option<Arc<LiveRun>>>,
    occupied: Mutex<Occupancy>,
    operators: Arc<Operators>,
    /// Up when no new run is to begin.
    draining: AtomicBool,
    /// Runs that the catalogue is still to be told of.
    unlisted: Arc<records::Unlisted>,
    /// Grows when transfers of those who watch are to be cut.
    cuts: watch::Sender<u64>,
}

impl Station {
    /// A station at an instrument that may not be connected yet.
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
            cuts: watch::Sender::new(0),
        })
    }

    /// How it is set up.
    #[must_use]
    pub fn setup(&self) -> &Setup {
        &self.setup
    }

    /// The instrument it is at.
    #[must_use]
    pub fn endpoint(&self) -> Arc<Endpoint> {
        Arc::clone(&self.endpoint.borrow())
    }

    /// Tells when the station moves to another address.
    #[must_use]
    pub fn watch_endpoint(&self) -> watch::Receiver<Arc<Endpoint>> {
        self.endpoint.subscribe()
    }

    /// The instrument, for those who watch: an absent one is an error at once.
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

    /// The run under way, or the last one of this process.
    #[must_use]
    pub fn last_run(&self) -> Option<Arc<LiveRun>> {
        self.run().clone()
    }

    /// The run under way.
    #[must_use]
    pub fn current_run(&self) -> Option<Arc<LiveRun>> {
        self.last_run().filter(|run| !run.has_ended())
    }

    /// No new run begins from now on.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Release);
    }

    fn run(&self) -> MutexGuard<'_, Option<Arc<LiveRun>>> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
