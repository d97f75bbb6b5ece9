//! The run under way as everybody beside it sees it: its state as a fold over its events, and the events as they come.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, watch};

use crate::measurement::{Detector, TraceKind, TraceSummary};
use crate::operation::Operation;
use crate::run::Watcher;
use crate::run::control::Control;
use crate::run::events::{Record, RunEvent};
use crate::run::state::status::RunStatus;
use crate::step::FaultKind;
use crate::store::RunState;

/// Events that a follower may be behind; one that is further behind reads the journal.
const BACKLOG: usize = 1024;
/// Instrument errors that are kept for whoever asks for them.
const ERRORS: usize = 32;

/// Whether a run is being held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PauseState {
    /// It holds at its next operation.
    Asked,
    /// It holds.
    Held,
}

/// The run under way, or the last one.
#[derive(Debug)]
pub struct LiveRun {
    id: String,
    folder: PathBuf,
    control: Control,
    unattended: bool,
    seen: Mutex<Seen>,
    records: broadcast::Sender<Arc<Record>>,
    ended: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Seen {
    status: RunStatus,
    /// Stored traces that are what the instrument has in memory now.
    in_memory: BTreeMap<(Detector, TraceKind), TraceSummary>,
    errors: VecDeque<String>,
}

impl LiveRun {
    /// `status` is what is known before its first event: of a run that is taken up, how it was left.
    pub(super) fn new(
        id: String,
        folder: PathBuf,
        control: Control,
        unattended: bool,
        mut status: RunStatus,
    ) -> Arc<Self> {
        status.run.clone_from(&id);
        status.folder = folder.display().to_string();
        status.state = Some(RunState::Running);
        Arc::new(Self {
            id,
            folder,
            control,
            unattended,
            seen: Mutex::new(Seen { status, ..Seen::default() }),
            records: broadcast::channel(BACKLOG).0,
            ended: watch::Sender::new(false),
        })
    }

    /// Takes every event of the run.
    pub(super) fn watcher(self: &Arc<Self>) -> Watcher {
        let run = Arc::clone(self);
        Box::new(move |record| {
            run.seen().take(record);
            // Nobody may be following.
            let _ = run.records.send(Arc::new(record.clone()));
        })
    }

    /// Its identifier.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The strings that steer it.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// Its state so far.
    #[must_use]
    pub fn status(&self) -> RunStatus {
        self.seen().status.clone()
    }

    /// Whether it is being held.
    #[must_use]
    pub fn pause_state(&self) -> Option<PauseState> {
        if self.has_ended() {
            return None;
        }
        match (self.seen().status.held, self.control.is_paused()) {
            (true, _) => Some(PauseState::Held),
            (false, true) => Some(PauseState::Asked),
            (false, false) => None,
        }
    }

    /// Its events from now on. What came before is in the journal.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<Arc<Record>> {
        self.records.subscribe()
    }

    /// The stored trace that is what the instrument has in memory now.
    #[must_use]
    pub fn stored(&self, detector: Detector, kind: TraceKind) -> Option<TraceSummary> {
        self.seen().in_memory.get(&(detector, kind)).cloned()
    }

    /// The instrument's errors that the run has met since this was last asked.
    #[must_use]
    pub fn take_errors(&self) -> Vec<String> {
        self.seen().errors.drain(..).collect()
    }

    /// Whether it is over.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// Waits until it is over.
    pub async fn ended(&self) {
        // The sender is this run's own.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    pub(super) fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Somebody is there to answer, unless nobody is to be asked.
    pub(super) fn attend(&self) {
        if !self.unattended {
            self.control.attend();
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn take(&mut self, record: &Record) {
        self.status.apply(record);
        match &record.event {
            RunEvent::StepStarted { step, .. } => match &step.operation {
                Operation::Sweep(_) => self.in_memory.retain(|(_, kind), _| kind.is_reference()),
                Operation::CreateReference(fields) => self.in_memory.retain(|(detector, kind), _| {
                    *detector != fields.detector && !matches!(kind, TraceKind::Raw | TraceKind::Other(_))
                }),
                Operation::Scpi(_) => self.in_memory.clear(),
                _ => {}
            },
            RunEvent::TraceStored { trace } => {
                self.in_memory.insert((trace.detector, trace.trace), trace.clone());
            }
            RunEvent::StepFailed { fault, .. } if fault.kind == FaultKind::Instrument => {
                self.errors.push_back(fault.to_string());
                if self.errors.len() > ERRORS {
                    self.errors.pop_front();
                }
            }
            _ => {}
        }
    }
}
