//! The loop of a bench: compares its own queue with the entries on the broker, reports, and claims the next item.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::Utc;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::answer::{Answers, Shown};
use super::claims::fleet_of;
use super::enlist::Enlisted;
use super::lease::Leases;
use super::recorder::Recorder;
use super::reports::{Need, need};
use super::{Ending, Settings};
use crate::batch::{Decision, Queue, Situation, next_item};
use crate::catalogue::{ItemRow, ItemState};
use crate::error::chain;
use crate::fleet::broker::{Broker, BrokerError, Bucket};
use crate::fleet::choice::{Taken, Taker, take, write};
use crate::fleet::entry::{Entry, ItemKey, Presence};
use crate::fleet::kv::KvError;
use crate::fleet::mirror::{Known, SharedMirror};
use crate::fleet::rules::{self, Claim, Report};
use crate::session::Session;
use crate::store::{free_bytes, runs};

/// Longest pause between two looks. Expired leases of other benches do not announce themselves.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// Pause after the broker has not confirmed.
const PAUSE: Duration = Duration::from_millis(500);

/// The work of a bench.
pub(super) struct Agent {
    pub(super) settings: Settings,
    pub(super) session: Arc<Session>,
    pub(super) queue: Arc<Queue>,
    pub(super) broker: Broker,
    pub(super) bucket: watch::Receiver<Result<Bucket, BrokerError>>,
    pub(super) mirror: Arc<SharedMirror>,
    pub(super) me: Presence,
    shown: Arc<Mutex<Shown>>,
    pub(super) leases: Leases,
    /// Claims whose runs this bench has stopped, because it could not renew their leases.
    pub(super) given_back: BTreeSet<(String, u32, u64)>,
    /// Local items that have ended, and whose entries know everything.
    settled: BTreeSet<u32>,
    /// The entered serial number, and when the last attempt to enter it was made.
    pub(super) serial: (Option<String>, Option<std::time::Instant>),
    /// Verdicts and other messages that were logged.
    said: String,
    /// `fleet off` has paused the queue of this bench.
    paused_by_stop: bool,
    /// The stop flag was set at the last look.
    saw_stop: bool,
    _answers: Answers,
    /// Ends together with the bench.
    _recorder: JoinSet<()>,
    pub(super) enlisted: Enlisted,
}

impl Agent {
    pub(super) fn new(
        settings: Settings,
        session: Arc<Session>,
        queue: Arc<Queue>,
        mut enlisted: Enlisted,
    ) -> Self {
        let shown = Arc::new(Mutex::new(Shown::new(enlisted.offset_s)));
        let answers = Answers::start(&settings, &session, &queue, &mut enlisted, &shown);
        let mut recorder = JoinSet::new();
        recorder.spawn(
            Recorder {
                bench: settings.bench.clone(),
                mirror: Arc::clone(&enlisted.mirror),
                bucket: enlisted.bucket.clone(),
                queue: Arc::clone(&queue),
                uploads: session.setup().uploads.clone(),
                out: session.setup().out.clone(),
                shown: Arc::clone(&shown),
            }
            .work(),
        );
        Self {
            broker: enlisted.broker.clone(),
            bucket: enlisted.bucket.clone(),
            mirror: Arc::clone(&enlisted.mirror),
            me: enlisted.me.clone(),
            settings,
            session,
            queue,
            shown,
            leases: Leases::default(),
            given_back: BTreeSet::new(),
            settled: BTreeSet::new(),
            serial: (None, None),
            said: String::new(),
            paused_by_stop: false,
            saw_stop: false,
            _answers: answers,
            _recorder: recorder,
            enlisted,
        }
    }

    /// Works until the end of the program.
    pub(super) async fn work(mut self, mut ending: watch::Receiver<Ending>) {
        let (mut changes, mut local) = (self.mirror.changes(), self.queue.changes());
        loop {
            changes.borrow_and_update();
            local.borrow_and_update();
            let how = *ending.borrow_and_update();
            let pause = self.turn(how).await;
            if how == Ending::Now {
                self.leave().await;
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = changes.changed() => {}
                _ = local.changed() => {}
                _ = ending.changed() => {}
            }
        }
    }

    /// One look at everything; returns the pause before the next one.
    async fn turn(&mut self, ending: Ending) -> Duration {
        let (items, paused) = match self.queue.items().await {
            Ok(found) => found,
            Err(error) => {
                self.wait_for(format!("the catalogue of this bench fails: {}", chain(&error)));
                return PAUSE;
            }
        };
        self.show(&items);
        let busy = self.report(&items).await;
        if !self.mirror.is_synced() {
            self.wait_for(match &*self.bucket.borrow() {
                Err(error) if self.broker.is_connected() => error.to_string(),
                _ => format!("the broker at {} is away", self.broker.address()),
            });
            return LOOK;
        }
        self.resume_after_stop(paused).await;
        if let Some(why) = self.not_alone().await {
            self.wait_for(why);
            return LOOK;
        }
        if ending == Ending::None && self.adopt(&items).await {
            return Duration::ZERO;
        }
        if let Some(why) = self.unable(&items, paused, busy, ending) {
            self.wait_for(why);
            return LOOK;
        }
        self.claim().await
    }

    async fn claim(&mut self) -> Duration {
        let Ok(bucket) = self.bucket.borrow().clone() else { return PAUSE };
        let taker = Taker {
            bench: self.me.bench.clone(),
            labels: self.me.labels.clone(),
            lease: self.settings.lease,
            room: free_bytes(&self.session.setup().out),
        };
        match take(&taker, &bucket, &self.mirror).await {
            Taken::Claimed(_) | Taken::Again => Duration::ZERO,
            Taken::Nothing { until } => {
                self.wait_for(match until {
                    Some(until) => format!("the next item starts at {}", until.to_rfc3339()),
                    None => "no item waits for this bench".to_owned(),
                });
                let left = until.and_then(|until| (until - Utc::now()).to_std().ok());
                left.map_or(LOOK, |left| left.min(LOOK))
            }
            Taken::Unclear(why) => {
                self.wait_for(why);
                PAUSE
            }
        }
    }

    /// Why this bench takes no item now.
    fn unable(&self, items: &[ItemRow], paused: bool, busy: bool, ending: Ending) -> Option<String> {
        let local: Situation<'_> = Situation { items, paused, ..Situation::default() };
        let why = if ending != Ending::None {
            "the program is about to end"
        } else if busy {
            "an item of the fleet is in the queue of this bench"
        } else if self.mirror.lock().is_stopped() {
            "a person has stopped the fleet: `ctp10 fleet clear` ends the stop"
        } else if paused {
            "the queue of this bench is paused"
        } else if matches!(next_item(&local, Utc::now()), Decision::Begin(_) | Decision::Skip { .. }) {
            "the own queue of this bench comes first"
        } else if self.session.current_run().is_some() {
            "a run is active on this bench"
        } else if self.session.identity().is_none() {
            "the instrument is not connected"
        } else {
            return None;
        };
        Some(why.to_owned())
    }

    /// Reports about all claims; returns whether an item of the fleet is in the local queue.
    async fn report(&mut self, items: &[ItemRow]) -> bool {
        let mut busy = false;
        for item in items {
            let has_ended = matches!(
                item.state,
                ItemState::Done | ItemState::Failed | ItemState::Removed | ItemState::Skipped
            );
            if has_ended && self.settled.contains(&item.number) {
                continue;
            }
            self.settled.remove(&item.number);
            let Some(fleet) = fleet_of(item) else { continue };
            let key = ItemKey { batch: fleet.batch.clone(), number: fleet.item };
            let is_open = matches!(item.state, ItemState::Queued | ItemState::Running);
            busy |= is_open;
            let Some(known) = self.mirror.lock().items.get(&key).cloned() else { continue };
            if is_open && self.keep_lease(item, &fleet, &key, &known).await {
                continue;
            }
            // The lease may have changed the entry.
            let Some(known) = self.mirror.lock().items.get(&key).cloned() else { continue };
            if !self.mirror.is_synced() {
                continue;
            }
            let given_back = self.given_back.contains(&(fleet.batch.clone(), fleet.item, fleet.epoch));
            match need(item, &fleet, &known, given_back) {
                Need::Nothing if has_ended => {
                    self.settled.insert(item.number);
                }
                Need::Nothing => {}
                Need::Withdraw(why) => {
                    self.say(format!("{key}: {why}"));
                    if let Err(error) = self.queue.withdraw(item.number, &why).await {
                        tracing::error!("{key} stays in the queue of this bench: {}", chain(&error));
                    }
                }
                Need::Report(report) => {
                    let report = self.with_verdict(report).await;
                    let claim = Claim { bench: &fleet.bench, epoch: fleet.epoch };
                    self.send(&key, &known, claim, report).await;
                    self.leases.forget(&fleet);
                }
            }
        }
        busy
    }

    /// Sends a report. A report that does not arrive is sent again at the next look.
    pub(super) async fn send(
        &mut self,
        key: &ItemKey,
        known: &Known<Entry>,
        claim: Claim<'_>,
        report: Report,
    ) {
        let Ok(bucket) = self.bucket.borrow().clone() else { return };
        let Ok(next) = rules::report(&known.value, known.revision, claim, report) else { return };
        match write(&bucket, &self.mirror, key, &next, known.revision).await {
            Ok(()) => tracing::info!("{key} is {}", next.state.as_str()),
            Err(KvError::Changed) => {}
            Err(error) => self.say(format!("the report about {key} is sent again: {error}")),
        }
    }

    async fn with_verdict(&self, report: Report) -> Report {
        let Report::Measured(mut run) = report else { return report };
        let folder = self.session.setup().out.join(&run.folder);
        let found = tokio::task::spawn_blocking(move || runs::open(&folder).ok()).await;
        run.verdict = found.ok().flatten().and_then(|found| found.manifest.verdict);
        Report::Measured(run)
    }

    /// `fleet off` pauses the queue of the bench, as every emergency stop. The end of the stop resumes it. The stop flag may
    /// arrive after the pause.
    async fn resume_after_stop(&mut self, paused: bool) {
        let is_stopped = self.mirror.lock().is_stopped();
        self.paused_by_stop |= paused && self.shown().off_before_pause;
        self.saw_stop |= is_stopped;
        let has_ended = !is_stopped && std::mem::take(&mut self.saw_stop);
        let by_hand = !is_stopped && !paused && self.paused_by_stop;
        if has_ended || by_hand {
            self.shown().off_before_pause = false;
            if std::mem::take(&mut self.paused_by_stop) && paused {
                tracing::info!("the stop of the fleet has ended: the queue of this bench resumes");
                if let Err(error) = self.queue.pause(false).await {
                    tracing::error!("the queue stays paused: {}", chain(&error));
                }
            }
        }
    }

    fn shown(&self) -> std::sync::MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The item that this bench measures, for the overview.
    fn show(&self, items: &[ItemRow]) {
        let open = items.iter().filter(|item| matches!(item.state, ItemState::Queued | ItemState::Running));
        let (own, local): (Vec<_>, Vec<_>) = open.partition(|item| fleet_of(item).is_some());
        let mut shown = self.shown();
        shown.item = own.first().and_then(|item| fleet_of(item));
        shown.local = local.len();
    }

    fn wait_for(&self, why: String) {
        self.shown().waits = Some(why);
    }

    /// Logs a message, but not the same one again and again.
    pub(super) fn say(&mut self, message: String) {
        if self.said != message {
            tracing::warn!("{message}");
            self.said = message;
        }
    }
}
