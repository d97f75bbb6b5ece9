//! The log of a run: the one way out for its events. An event goes into the journal first, then into the history, and
//! then to the watchers, so that nobody sees an event that is not kept.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use chrono::Utc;
use tokio::sync::broadcast::error::RecvError;

use super::{Emitted, Record, RunEvent};
use crate::error::chain;
use crate::instrument::{Ctp10, LinkEvent};
use crate::run::state::history::History;
use crate::step::{Fault, FaultKind};
use crate::store::{Durability, Journal, JournalSync};
use crate::threads;

/// Takes every event of a run. A watcher must not block, and must not use the log itself.
pub type Watcher = Box<dyn Fn(&Arc<Emitted>) + Send + Sync>;

/// The log of a run. Clones are handles to the same log.
#[derive(Clone)]
pub(in crate::run) struct RunLog(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    sync: JournalSync,
    watchers: Vec<Watcher>,
    began: Instant,
    /// How long the run had lasted in earlier processes, s.
    before_s: f64,
}

struct State {
    journal: Journal,
    history: History,
    /// Records that the watchers have not seen yet, because one before them is not on the disk yet.
    waiting: VecDeque<(Arc<Emitted>, Durability)>,
    /// The journal is on the disk up to this record.
    synced: u64,
}

/// What the records of appended events have.
struct Appended {
    /// The number of the last one.
    last: u64,
    /// How long the run had lasted, s.
    elapsed_s: f64,
}

impl RunLog {
    /// The log of a run whose events so far have led to `history`, and which has lasted `before_s` seconds.
    pub(in crate::run) fn new(
        journal: Journal,
        history: History,
        watchers: Vec<Watcher>,
        before_s: f64,
    ) -> Self {
        let sync = journal.sync();
        let state = State { journal, history, waiting: VecDeque::new(), synced: 0 };
        Self(Arc::new(Shared { state: Mutex::new(state), sync, watchers, began: Instant::now(), before_s }))
    }

    /// How long the run has lasted, s.
    pub(in crate::run) fn elapsed_s(&self) -> f64 {
        let here = (self.0.began.elapsed().as_secs_f64() * 1e3).round() * 1e-3;
        self.0.before_s + here
    }

    /// Looks at the history of the run. The look must not emit an event.
    pub(in crate::run) fn history<T>(&self, look: impl FnOnce(&History) -> T) -> T {
        look(&self.state().history)
    }

    /// Emits an event whose record may reach the disk a moment later.
    pub(in crate::run) fn emit(&self, event: RunEvent) -> Result<(), Fault> {
        self.append([event], Durability::Soon).map(drop)
    }

    /// Emits an event, and returns how long the run had lasted, as its record says.
    pub(in crate::run) fn emit_timed(&self, event: RunEvent) -> Result<f64, Fault> {
        self.append([event], Durability::Soon).map(|appended| appended.elapsed_s)
    }

    /// Emits events that belong together, with a single write to the journal. Their records may reach the disk a moment
    /// later.
    pub(in crate::run) fn emit_all(&self, events: Vec<RunEvent>) -> Result<(), Fault> {
        self.append(events, Durability::Soon).map(drop)
    }

    /// Emits an event, and returns when its record is on the disk. The disk is waited for on a thread of its own.
    pub(in crate::run) async fn emit_durable(&self, event: RunEvent) -> Result<(), Fault> {
        let number = self.append([event], Durability::Now)?.last;
        let log = self.clone();
        let synced = threads::begin("journal", move || log.sync(number)).await;
        // Without a thread the disk is waited for here.
        synced.unwrap_or_else(|_| self.sync(number))
    }

    /// Emits an event, and blocks until its record is on the disk.
    pub(in crate::run) fn emit_durable_blocking(&self, event: RunEvent) -> Result<(), Fault> {
        let number = self.append([event], Durability::Now)?.last;
        self.sync(number)
    }

    /// Reasons why the journal may not be complete when it is read.
    pub(in crate::run) fn journal_problems(&self) -> Vec<String> {
        self.state().journal.problems()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes the records of events. The lock makes the order in the journal the
    /// order that watchers see.
    fn append(
        &self,
        events: impl IntoIterator<Item = RunEvent>,
        durability: Durability,
    ) -> Result<Appended, Fault> {
        let mut state = self.state();
        let mut last = state.journal.lines();
        let elapsed_s = self.elapsed_s();
        let records = events.into_iter().map(|event| {
            last += u64::from(event.is_kept());
            let n = if event.is_kept() { last } else { 0 };
            let record = Record { n, time: Utc::now(), elapsed_s: Some(elapsed_s), event };
            Emitted::new(record).map(Arc::new)
        });
        let emitted = records.collect::<Result<Vec<_>, _>>().map_err(|error| store_fault(&error))?;
        let kept = emitted.iter().filter(|emitted| emitted.event.is_kept());
        state.journal.append(kept.map(|emitted| emitted.json()), durability).map_err(|e| store_fault(&e))?;
        for emitted in emitted {
            state.history.apply(&emitted.event);
            state.waiting.push_back((emitted, durability));
        }
        self.publish(&mut state);
        Ok(Appended { last, elapsed_s })
    }

    /// Waits until the journal is on the disk up to this record. What waited for it goes to the watchers even if the disk
    /// fails: the record is in the journal, and the caller gets the fault.
    fn sync(&self, number: u64) -> Result<(), Fault> {
        let synced = self.0.sync.sync();
        let mut state = self.state();
        state.synced = state.synced.max(number);
        self.publish(&mut state);
        drop(state);
        synced.map_err(|error| store_fault(&error))
    }

    /// Shows the watchers the records that wait, up to the first that is not on the disk and has to be.
    fn publish(&self, state: &mut State) {
        while let Some((record, durability)) = state.waiting.front() {
            if *durability == Durability::Now && record.n > state.synced {
                return;
            }
            for watcher in &self.0.watchers {
                watcher(record);
            }
            state.waiting.pop_front();
        }
    }
}

fn store_fault(error: &dyn std::error::Error) -> Fault {
    Fault::new(FaultKind::Store, chain(error))
}

/// Emits an event for each loss and return of the link, until it is dropped.
pub(in crate::run) async fn emit_link_events(instrument: Ctp10, log: RunLog) {
    let mut link = instrument.link_events();
    loop {
        let event = match link.recv().await {
            Ok(LinkEvent::Lost { reason }) => RunEvent::LinkLost { reason },
            Ok(LinkEvent::Regained { after }) => RunEvent::LinkRegained { after_s: after.as_secs_f64() },
            // Events were missed, and later ones follow.
            Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        if let Err(error) = log.emit(event) {
            tracing::error!(%error, "the journal cannot be written");
        }
    }
}
