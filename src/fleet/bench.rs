//! A bench of the fleet: takes one item at a time from the queue of many benches, and lets its own queue measure it.

mod agent;
mod alone;
mod answer;
mod claims;
mod enlist;
mod lease;
mod recorder;
mod reports;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::broker::{Access, BrokerError};
use crate::batch::Queue;
use crate::error::chain;
use crate::session::Session;
use agent::Agent;
use enlist::{Enlisted, enlist};

pub(super) use answer::{ALL_OFF, ALL_STATUS};
pub use answer::{BenchStatus, OffReply, StoreOfBench};

/// Pause before another attempt to reach the broker.
const PAUSE: Duration = Duration::from_secs(3);
/// Time limit for the last report and the goodbye at the end of the program.
const END_LIMIT: Duration = Duration::from_secs(10);
/// After the heartbeat has ended, the watchdog needs this long to turn the lasers off.
const DARKEN: Duration = Duration::from_secs(60);
/// The shortest lease. A shorter one would be lost at every delay of the network.
const SHORTEST_LEASE: Duration = Duration::from_secs(3);

/// The settings of a bench.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How to reach the broker.
    pub access: Access,
    /// Name of the bench.
    pub bench: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// The lease for items that may be measured elsewhere.
    pub lease: Duration,
    /// The address of the dashboard.
    pub page: String,
}

/// Why a bench cannot work for the fleet.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// The broker cannot be used.
    #[error(transparent)]
    Broker(#[from] BrokerError),
    /// Another process has the name.
    #[error("another process uses the name of bench `{bench}`: process {pid} on {host}")]
    NameTaken {
        /// The name.
        bench: String,
        /// The computer of the other process.
        host: String,
        /// The other process.
        pid: u32,
    },
    /// The clock is off.
    #[error(
        "the clock of this computer differs from the clock of the broker by {offset_s:.1} s (at most 60 s are allowed)"
    )]
    Clock {
        /// Clock of this computer minus clock of the broker, s.
        offset_s: f64,
    },
}

impl BenchError {
    /// Whether another attempt may succeed without a person.
    fn may_pass(&self) -> bool {
        match self {
            Self::Broker(error) => error.may_pass(),
            Self::NameTaken { .. } | Self::Clock { .. } => false,
        }
    }
}

/// The shortest lease for a bench with this watchdog: the lasers must be off before another bench begins.
#[must_use]
pub fn shortest_lease(guard_after: Option<Duration>) -> Duration {
    guard_after.map_or(SHORTEST_LEASE, |silence| silence + DARKEN)
}

/// The work of this process for the fleet.
#[derive(Debug)]
pub struct Bench {
    ending: watch::Sender<Ending>,
    task: JoinHandle<()>,
}

/// How the work of a bench ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Ending {
    #[default]
    None,
    /// No further item is claimed.
    Draining,
    /// The last reports are sent.
    Now,
}

impl Bench {
    /// Starts to work for the fleet. Without a broker the bench keeps trying.
    ///
    /// # Errors
    /// If only a person can help: wrong credentials, a name that is taken, a clock that is off.
    pub async fn start(
        settings: Settings,
        session: Arc<Session>,
        queue: Arc<Queue>,
    ) -> Result<Self, BenchError> {
        let (ending, ended) = watch::channel(Ending::None);
        let first = match enlist(&settings).await {
            Err(error) if !error.may_pass() => return Err(error),
            first => first,
        };
        let task = tokio::spawn(work(settings, session, queue, first, ended));
        Ok(Self { ending, task })
    }

    /// Claims no further item. The present one is finished.
    pub fn drain(&self) {
        self.ending.send_replace(Ending::Draining);
    }

    /// Sends the last reports and ends.
    pub async fn finish(self) {
        self.ending.send_replace(Ending::Now);
        if tokio::time::timeout(END_LIMIT, self.task).await.is_err() {
            tracing::warn!("the broker does not reply: the next start of this bench sends the last report");
        }
    }
}

async fn work(
    settings: Settings,
    session: Arc<Session>,
    queue: Arc<Queue>,
    first: Result<Enlisted, BenchError>,
    mut ending: watch::Receiver<Ending>,
) {
    let mut enlisted = first;
    let mut said = String::new();
    loop {
        match enlisted {
            Ok(enlisted) => {
                tracing::info!(bench = settings.bench, "this bench takes items of the fleet");
                Agent::new(settings, session, queue, enlisted).work(ending).await;
                return;
            }
            Err(error) => {
                let told = chain(&error);
                if !error.may_pass() {
                    tracing::error!("this bench takes no items of the fleet: {told}");
                    return;
                }
                if told != said {
                    tracing::warn!("waiting for the fleet: {told}{}", hint(&error));
                    said = told;
                }
            }
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = ending.wait_for(|ending| *ending == Ending::Now) => return,
        }
        enlisted = enlist(&settings).await;
    }
}

fn hint(error: &BenchError) -> &'static str {
    match error {
        BenchError::Broker(BrokerError::NoQueue { .. }) => "; `ctp10 fleet submit` creates it",
        _ => "",
    }
}
