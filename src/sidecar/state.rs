//! The state that all handlers share.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::access::{Access, Tokens, TrustedProxy};
use super::base_path::BasePath;
use super::intake::Intake;
use super::live::power::{Groups, ReadingTexts};
use super::overview::Overview;
use super::problem::Problem;
use super::runs::{FiguresOfRuns, Views};
use super::stream::Downloads;
use crate::batch::Queue;
use crate::instrument::scpi::Condition;
use crate::instrument::{Address, Ctp10};
use crate::measurement::{Detector, TraceKind};
use crate::metrics;
use crate::session::Session;
use crate::store::TraceIndexes;

/// A value of the condition register is used by all clients up to this age.
const CONDITION_AGE: Duration = Duration::from_millis(20);

/// Defaults for requests that do not name a detector or a trace.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    /// The module.
    pub module: u8,
    /// The channel.
    pub channel: u8,
    /// Number of the trace type.
    pub trace_type: u8,
}

impl Default for Defaults {
    fn default() -> Self {
        Self { module: 4, channel: 1, trace_type: 1 }
    }
}

/// The options of a sidecar.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Defaults for requests.
    pub defaults: Defaults,
    /// Folders with the recipes that clients may run by path.
    pub recipes: Vec<PathBuf>,
    /// Origins of pages that may send requests, in addition to loopback.
    pub allow_origin: Vec<String>,
    /// The tokens for clients.
    pub tokens: Tokens,
    /// The path prefix of all addresses.
    pub base: BasePath,
    /// The proxies whose headers tell the address of the client.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// Whether raw commands are allowed.
    pub allow_scpi: bool,
    /// Options of the embedded simulator, if this process started one.
    pub simulator: Option<serde_json::Value>,
    /// Instruments in the configuration. Clients on other computers can choose only among these.
    pub instruments: Vec<Address>,
    /// The queue of the batch of this process.
    pub batch: Option<BatchQueue>,
}

/// The queue of a batch, and what clients may change.
#[derive(Debug, Clone)]
pub struct BatchQueue {
    /// The queue.
    pub queue: Arc<Queue>,
    /// Whether items may be added. A batch with a file is changed in its file.
    pub open: bool,
}

/// The state that all handlers share.
#[derive(Debug)]
pub(super) struct AppState {
    pub(super) session: Arc<Session>,
    pub(super) options: Options,
    pub(super) access: Access,
    pub(super) streams: Streams,
    pub(super) overview: Overview,
    pub(super) intake: Intake,
    pub(super) downloads: Downloads,
    pub(super) traces: Arc<TraceIndexes>,
    pub(super) views: Views,
    pub(super) figures: FiguresOfRuns,
    pub(super) readings: ReadingTexts,
    pub(super) groups: Groups,
    /// The instruments that clients may choose; `None` if all clients are on this computer.
    pub(super) instruments: Option<Vec<Address>>,
    /// True when the sidecar is about to stop.
    pub(super) closing: watch::Receiver<bool>,
    condition: tokio::sync::Mutex<Option<Seen>>,
}

/// A value of the condition register.
#[derive(Debug, Clone, Copy)]
struct Seen {
    at: Instant,
    /// Number of commands sent before the register was read. A later command makes the value out of date.
    changes: u64,
    condition: Condition,
}

pub(super) type App = Arc<AppState>;

impl AppState {
    pub(super) fn new(
        session: Arc<Session>,
        options: Options,
        access: Access,
        is_local: bool,
        closing: watch::Receiver<bool>,
    ) -> App {
        let mut instruments = options.instruments.clone();
        instruments.push(session.endpoint().instrument.address().clone());
        Arc::new(Self {
            instruments: (!is_local).then_some(instruments),
            session,
            options,
            access,
            streams: Streams::default(),
            overview: Overview::default(),
            intake: Intake::default(),
            downloads: Downloads::default(),
            traces: Arc::default(),
            views: Views::default(),
            figures: FiguresOfRuns::default(),
            readings: ReadingTexts::default(),
            groups: Groups::default(),
            closing,
            condition: tokio::sync::Mutex::default(),
        })
    }

    /// The instrument as an observer: an unreachable instrument is an error at once.
    pub(super) fn instrument(&self) -> Ctp10 {
        self.session.observer()
    }

    /// The condition register. Clients that read it at the same time share one value.
    pub(super) async fn condition(&self) -> Result<Condition, Problem> {
        let mut known = self.condition.lock().await;
        let instrument = self.instrument();
        let changes = instrument.changes();
        if let Some(seen) = *known
            && seen.at.elapsed() < CONDITION_AGE
            && seen.changes == changes
            && self.session.identity().is_some()
        {
            return Ok(seen.condition);
        }
        let condition = instrument.condition().await?;
        *known = Some(Seen { at: Instant::now(), changes, condition });
        Ok(condition)
    }

    /// Makes sure that no later response uses values from before this moment.
    pub(super) async fn forget_answers(&self) {
        // The lock waits for a query that began earlier.
        *self.condition.lock().await = None;
        self.overview.forget();
    }

    pub(super) fn detector(&self, module: Option<u8>, channel: Option<u8>) -> Detector {
        let Defaults { module: usual_module, channel: usual_channel, .. } = self.options.defaults;
        Detector { module: module.unwrap_or(usual_module), channel: channel.unwrap_or(usual_channel) }
    }

    pub(super) fn trace_kind(&self, code: Option<u8>) -> TraceKind {
        let code = code.unwrap_or(self.options.defaults.trace_type);
        TraceKind::from_code(code).unwrap_or(TraceKind::Other(code))
    }
}

/// Counts the open streams of each kind.
#[derive(Debug, Default)]
pub(super) struct Streams {
    kinds: Mutex<BTreeMap<&'static str, Arc<AtomicUsize>>>,
    all: Arc<watch::Sender<usize>>,
}

/// One open stream.
#[derive(Debug)]
pub(super) struct Stream {
    kind: &'static str,
    count: Arc<AtomicUsize>,
    all: Arc<watch::Sender<usize>>,
}

impl Streams {
    pub(super) fn open(&self, kind: &'static str) -> Stream {
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let count = Arc::clone(kinds.entry(kind).or_default());
        let open = count.fetch_add(1, Ordering::AcqRel) + 1;
        tracing::debug!(kind, open, "stream added");
        metrics::STREAMS.set_of(kind, open);
        self.all.send_modify(|all| *all += 1);
        Stream { kind, count, all: Arc::clone(&self.all) }
    }

    /// Waits until all streams are closed.
    pub(super) async fn none_left(&self) {
        // The sender belongs to this struct, so it is not closed.
        let _ = self.all.subscribe().wait_for(|all| *all == 0).await;
    }

    /// The number of open streams of a kind.
    pub(super) fn count(&self, kind: &'static str) -> usize {
        let kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        kinds.get(kind).map_or(0, |count| count.load(Ordering::Acquire))
    }
}

impl Stream {
    /// The number of open streams of the same kind.
    pub(super) fn open(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let left = self.count.fetch_sub(1, Ordering::AcqRel) - 1;
        tracing::debug!(kind = self.kind, left, "stream removed");
        metrics::STREAMS.set_of(self.kind, left);
        self.all.send_modify(|all| *all -= 1);
    }
}
