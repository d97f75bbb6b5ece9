//! Where events go: first into the journal, then to whoever watches.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use chrono::Utc;
use serde::Serialize;

use crate::instrument::{Ctp10, LinkEvent};
use crate::run::events::{Record, RunEvent};
use crate::step::{Fault, FaultKind};
use crate::store::{Durability, Journal};

/// Takes every event of a run; it must not block.
pub type Watcher = Box<dyn Fn(&Record) + Send + Sync>;

/// The one way out for events of a run. The journal comes first: nobody sees what is not kept.
pub(in crate::run) struct Events {
    journal: Mutex<Journal>,
    watchers: Vec<Watcher>,
    began: Instant,
    /// How long the run had lasted in earlier processes, s.
    before_s: f64,
}

/// What the journal keeps of an event.
#[derive(Serialize)]
struct Kept<'a> {
    elapsed_s: f64,
    #[serde(flatten)]
    event: &'a RunEvent,
}

impl Events {
    pub(in crate::run) fn new(journal: Journal, watchers: Vec<Watcher>, before_s: f64) -> Self {
        Self { journal: Mutex::new(journal), watchers, began: Instant::now(), before_s }
    }

    /// How long the run has lasted, s.
    pub(in crate::run) fn elapsed_s(&self) -> f64 {
        let here = (self.began.elapsed().as_secs_f64() * 1e3).round() * 1e-3;
        self.before_s + here
    }

    /// Keeps the event and passes it on. `Durability::Now` returns only when it is on the disk.
    pub(in crate::run) fn tell(&self, event: RunEvent, durability: Durability) -> Result<(), Fault> {
        let elapsed_s = self.elapsed_s();
        let mut record = Record { n: 0, time: Utc::now(), elapsed_s: Some(elapsed_s), event };
        // The lock makes the order in the journal the order that watchers see.
        let mut journal = self.journal.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if record.event.is_kept() {
            let kept = journal.append(record.time, &Kept { elapsed_s, event: &record.event }, durability);
            record.n = kept.map_err(|e| Fault::new(FaultKind::Store, crate::error::chain(&e)))?;
        }
        for watcher in &self.watchers {
            watcher(&record);
        }
        Ok(())
    }

    /// What keeps the journal from being there when it is read.
    pub(in crate::run) fn journal_trouble(&self) -> Vec<String> {
        self.journal.lock().unwrap_or_else(std::sync::PoisonError::into_inner).problems()
    }

    /// Keeps an event that need not be on the disk before the run goes on.
    pub(in crate::run) fn say(&self, event: RunEvent) -> Result<(), Fault> {
        self.tell(event, Durability::Soon)
    }
}

/// Tells what happens to the link, until it is dropped.
pub(in crate::run) async fn tell_link_events(instrument: Ctp10, events: Arc<Events>) {
    let mut link = instrument.link_events();
    while let Ok(event) = link.recv().await {
        let event = match event {
            LinkEvent::Lost { reason } => RunEvent::LinkLost { reason },
            LinkEvent::Regained { after } => RunEvent::LinkRegained { after_s: after.as_secs_f64() },
        };
        if let Err(error) = events.say(event) {
            tracing::error!(%error, "the journal cannot be written");
        }
    }
}
