//! The active run for clients: its state, computed from its events, and the events as they arrive.

use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{broadcast, watch};

use crate::measurement::{Detector, TraceKind, TraceSummary};
use crate::operation::Memory;
use crate::run::Watcher;
use crate::run::control::Control;
use crate::run::events::{Emitted, Record, RunEvent};
use crate::run::state::status::RunStatus;
use crate::step::FaultKind;
use crate::store::RunState;

/// The number of events that a client may be late. A client that is later must read the journal.
const BACKLOG: usize = 1024;
/// The number of instrument errors that are stored for clients.
const ERRORS: usize = 32;

/// The state of a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PauseState {
    /// The run pauses before its next operation.
    Asked,
    /// The run is paused.
    Held,
}

/// The active run, or the last one.
#[derive(Debug)]
pub struct LiveRun {
    id: String,
    folder: PathBuf,
    control: Control,
    unattended: bool,
    seen: Mutex<Seen>,
    records: broadcast::Sender<Arc<Emitted>>,
    ended: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct Seen {
    status: RunStatus,
    /// Stored traces that are still in the memory of the instrument.
    in_memory: BTreeMap<(Detector, TraceKind), TraceSummary>,
    errors: VecDeque<String>,
}

impl LiveRun {
    /// `status` is the state before the first event. For a resumed run, it is the state that the run had when it was
    /// interrupted.
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

    /// Receives every event of the run.
    pub(super) fn watcher(self: &Arc<Self>) -> Watcher {
        let run = Arc::clone(self);
        Box::new(move |record| {
            run.seen().take(record);
            // There may be no client.
            let _ = run.records.send(Arc::clone(record));
        })
    }

    /// The identifier of the run.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The folder of the run.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Controls the run.
    #[must_use]
    pub fn control(&self) -> &Control {
        &self.control
    }

    /// The state of the run so far.
    #[must_use]
    pub fn status(&self) -> RunStatus {
        self.seen().status.clone()
    }

    /// Whether the run is paused.
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

    /// The events from now on. Earlier events are in the journal.
    #[must_use]
    pub fn follow(&self) -> broadcast::Receiver<Arc<Emitted>> {
        self.records.subscribe()
    }

    /// The stored trace that is still in the memory of the instrument.
    #[must_use]
    pub fn stored(&self, detector: Detector, kind: TraceKind) -> Option<TraceSummary> {
        self.seen().in_memory.get(&(detector, kind)).cloned()
    }

    /// The errors of the instrument since the last call.
    #[must_use]
    pub fn take_errors(&self) -> Vec<String> {
        self.seen().errors.drain(..).collect()
    }

    /// Whether the run has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        *self.ended.borrow()
    }

    /// Waits for the end of the run.
    pub async fn ended(&self) {
        // The channel cannot be closed because the run itself holds the sender.
        let _ = self.ended.subscribe().wait_for(|ended| *ended).await;
    }

    pub(super) fn end(&self) {
        self.ended.send_replace(true);
    }

    /// Notes that an operator is present, unless the run is unattended by request.
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
            RunEvent::StepStarted { step, .. } => match step.operation.traits().memory {
                Memory::ReplacesLive => self.in_memory.retain(|(_, kind), _| kind.is_reference()),
                Memory::ReplacesReference(fields) => self.in_memory.retain(|(detector, kind), _| {
                    !fields.detectors.contains(detector) && kind.outlasts_reference_scan()
                }),
                Memory::Unknown => self.in_memory.clear(),
                Memory::Keeps | Memory::Reads(_) => {}
            },
            RunEvent::TraceStored { trace } => {
                self.in_memory.insert((trace.detector, trace.trace), trace.clone());
            }
            RunEvent::TraceWithdrawn { file, .. } => self.in_memory.retain(|_, trace| trace.file != *file),
            RunEvent::StepFailed { fault, .. } => {
                if fault.kind == FaultKind::Instrument {
                    self.errors.push_back(fault.to_string());
                }
                if self.errors.len() > ERRORS {
                    self.errors.pop_front();
                }
            }
            RunEvent::Started { .. }
            | RunEvent::RunResumed { .. }
            | RunEvent::SweepRepeated { .. }
            | RunEvent::PowerStored { .. }
            | RunEvent::PowerWithdrawn { .. }
            | RunEvent::Decided { .. }
            | RunEvent::SettingsRead { .. }
            | RunEvent::ReferenceTaken { .. }
            | RunEvent::ReferenceUsed { .. }
            | RunEvent::WaitsUntil { .. }
            | RunEvent::Progress { .. }
            | RunEvent::ColumnsDecided { .. }
            | RunEvent::StepFinished { .. }
            | RunEvent::Question { .. }
            | RunEvent::Answered { .. }
            | RunEvent::Log { .. }
            | RunEvent::Warning { .. }
            | RunEvent::Now { .. }
            | RunEvent::LinkLost { .. }
            | RunEvent::LinkRegained { .. }
            | RunEvent::Paused
            | RunEvent::LasersPaused { .. }
            | RunEvent::PauseEnded { .. }
            | RunEvent::DiskFull { .. }
            | RunEvent::DiskSpaceAgain { .. }
            | RunEvent::Suspended { .. }
            | RunEvent::SuspensionOver
            | RunEvent::Stopping { .. }
            | RunEvent::Finally
            | RunEvent::LasersOff { .. }
            | RunEvent::InstrumentsSafe { .. }
            | RunEvent::Finished { .. } => {}
        }
    }
}
