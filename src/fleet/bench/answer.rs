//! What a bench tells the others: replies to `fleet status` and `fleet off`, and its status and power once a second. The
//! broker does not keep these messages.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Message, Subscriber};
use chrono::{DateTime, Utc};
use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::Settings;
use super::enlist::{Enlisted, Pong};
use crate::batch::{Queue, span};
use crate::error::chain;
use crate::fleet::broker::Broker;
use crate::fleet::entry::Presence;
use crate::session::Session;
use crate::store::FleetRecord;

/// The subject of the question for the status of all benches.
pub(in crate::fleet) const ALL_STATUS: &str = "ctp10.fleet.ask.status";
/// The subject of the request to darken all benches.
pub(in crate::fleet) const ALL_OFF: &str = "ctp10.fleet.ask.off";
/// Time limit for the state of the lasers. Without a reply in time, the state is unknown.
const LASERS_LIMIT: Duration = Duration::from_secs(1);
/// Interval of the published status and power.
const PUBLISH_EVERY: Duration = Duration::from_secs(1);
/// Numbers of modules that an instrument may have.
const MODULES: std::ops::RangeInclusive<u8> = 1..=20;
/// Older readings of the power are not published.
const FRESH: Duration = Duration::from_secs(2);

/// The item that a bench measures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ItemOfBench {
    /// The batch.
    pub batch: String,
    /// Number of the item.
    pub item: u32,
    /// The epoch of the claim.
    pub epoch: u64,
}

/// The store of a bench.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreOfBench {
    /// Its address.
    pub store: String,
    /// Number of runs that wait for their upload.
    pub waiting: u64,
    /// Why the last attempt to use the store failed; `null` after a success.
    pub trouble: Option<String>,
}

/// The status of a bench. Fields may be added, and no field changes its meaning.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchStatus {
    /// Its name.
    pub bench: String,
    /// Its process.
    pub process: String,
    /// The computer.
    pub host: String,
    /// Its labels.
    pub labels: Vec<String>,
    /// The version of the program.
    pub version: String,
    /// The address of its dashboard.
    pub page: String,
    /// The time of the bench.
    pub time: DateTime<Utc>,
    /// Clock of the bench minus clock of the broker at the start, s.
    pub clock_offset_s: f64,
    /// The instrument: its reply to `*IDN?`.
    pub instrument: Option<String>,
    /// Whether the instrument is a simulator.
    pub simulated: Option<bool>,
    /// Whether the queue of the bench is paused.
    pub paused: bool,
    /// Number of items in the queue of the bench itself.
    pub local: usize,
    /// The item of the fleet.
    pub item: Option<ItemOfBench>,
    /// The active run.
    pub run: Option<String>,
    /// When the run began.
    pub since: Option<DateTime<Utc>>,
    /// When the run is expected to end.
    pub until: Option<DateTime<Utc>>,
    /// Why the bench takes no item now.
    pub waits: Option<String>,
    /// The store for its runs, if it has one.
    #[serde(default)]
    pub store: Option<StoreOfBench>,
    /// The lasers that are on; `null` if the state is unknown. Only replies to questions have it.
    pub lasers_on: Option<Vec<u8>>,
}

/// The reply to `fleet off`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffReply {
    /// The bench.
    pub bench: String,
    /// Its process.
    pub process: String,
    /// Whether the instrument is idle.
    pub aborted: bool,
    /// The lasers that are off, as the instrument confirmed.
    pub lasers_off: Vec<u8>,
    /// The lasers that are not confirmed off.
    pub lasers_unknown: Vec<u8>,
    /// The named instruments that are not confirmed safe.
    pub instruments_unknown: Vec<String>,
    /// The run that was ended.
    pub run: Option<String>,
}

impl OffReply {
    /// Whether everything of the bench is dark and safe.
    #[must_use]
    pub fn is_safe(&self) -> bool {
        self.aborted && self.lasers_unknown.is_empty() && self.instruments_unknown.is_empty()
    }
}

/// What the loop of the bench tells about itself.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) waits: Option<String>,
    pub(super) item: Option<FleetRecord>,
    pub(super) local: usize,
    offset_s: f64,
    /// Why accepted results are not recorded in the store.
    pub(super) not_recorded: Option<String>,
    /// `fleet off` has stopped this bench, whose queue was not paused before.
    pub(super) off_before_pause: bool,
}

impl Shown {
    pub(super) fn new(offset_s: f64) -> Self {
        Self { waits: None, item: None, local: 0, offset_s, not_recorded: None, off_before_pause: false }
    }
}

/// The tasks that reply. They end together with this.
pub(super) struct Answers(#[expect(dead_code, reason = "the tasks end when it is dropped")] JoinSet<()>);

struct Speaker {
    me: Presence,
    page: String,
    session: Arc<Session>,
    queue: Arc<Queue>,
    broker: Broker,
    shown: Arc<Mutex<Shown>>,
}

impl Answers {
    pub(super) fn start(
        settings: &Settings,
        session: &Arc<Session>,
        queue: &Arc<Queue>,
        enlisted: &mut Enlisted,
        shown: &Arc<Mutex<Shown>>,
    ) -> Self {
        let speaker = Arc::new(Speaker {
            me: enlisted.me.clone(),
            page: settings.page.clone(),
            session: Arc::clone(session),
            queue: Arc::clone(queue),
            broker: enlisted.broker.clone(),
            shown: Arc::clone(shown),
        });
        let mut tasks = JoinSet::new();
        if let Some(pings) = enlisted.pings.take() {
            let speaker = Arc::clone(&speaker);
            tasks.spawn(async move { speaker.reply_to(pings, Question::Ping).await });
        }
        tasks.spawn(Arc::clone(&speaker).answer(ALL_STATUS, Question::Status));
        tasks.spawn(Arc::clone(&speaker).answer(ALL_OFF, Question::Off));
        tasks.spawn(speaker.publish());
        Self(tasks)
    }
}

/// What others ask a bench.
#[derive(Debug, Clone, Copy)]
enum Question {
    /// Which process has the name of the bench.
    Ping,
    /// The status.
    Status,
    /// To turn everything off.
    Off,
}

impl Speaker {
    /// Replies to one kind of question for ever.
    async fn answer(self: Arc<Self>, subject: &'static str, question: Question) {
        loop {
            match self.broker.listen(subject).await {
                Ok(questions) => self.reply_to(questions, question).await,
                Err(error) => tracing::warn!("this bench cannot reply to others: {}", chain(&error)),
            }
            tokio::time::sleep(PUBLISH_EVERY).await;
        }
    }

    async fn reply_to(&self, mut questions: Subscriber, question: Question) {
        while let Some(Message { reply: inbox, .. }) = questions.next().await {
            let Some(inbox) = inbox else { continue };
            let reply = match question {
                Question::Ping => json!(Pong { process: self.me.process.clone() }),
                Question::Status => json!(self.status(true).await),
                Question::Off => json!(self.off().await),
            };
            self.broker.tell(inbox.to_string(), &reply).await;
        }
    }

    /// Publishes status and power, at most once a second.
    async fn publish(self: Arc<Self>) {
        let mut ticks = tokio::time::interval(PUBLISH_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let bench = &self.me.bench;
        loop {
            ticks.tick().await;
            self.broker.tell(format!("ctp10.fleet.status.{bench}"), &self.status(false).await).await;
            let power = self.power();
            if power.as_array().is_some_and(|modules| !modules.is_empty()) {
                self.broker.tell(format!("ctp10.fleet.power.{bench}"), &power).await;
            }
        }
    }

    /// The latest power of each module. Nothing is measured for it.
    fn power(&self) -> Value {
        let monitor = &self.session.endpoint().monitor;
        let latest = MODULES.filter_map(|module| monitor.latest(module));
        let frames = latest.filter(|frame| frame.age() < FRESH);
        let modules: Vec<Value> = frames
            .map(|frame| {
                let channels = frame.channels.iter().map(|(channel, power)| {
                    json!({ "channel": channel, "value": power.value, "unit": power.unit })
                });
                json!({ "module": frame.module, "time_s": frame.time_s, "channels": channels.collect::<Vec<_>>() })
            })
            .collect();
        json!(modules)
    }

    async fn status(&self, with_lasers: bool) -> BenchStatus {
        let identity = self.session.identity();
        let (lasers_on, paused) = tokio::join!(
            async {
                if !with_lasers || identity.is_none() {
                    return None;
                }
                let observer = self.session.observer();
                let status = tokio::time::timeout(LASERS_LIMIT, observer.status()).await.ok()?.ok()?;
                // A laser that does not reply may be on.
                status.silent.is_empty().then_some(())?;
                Some(status.lasers.iter().filter(|laser| laser.on).map(|laser| laser.laser).collect())
            },
            self.queue.with(|catalogue, batch| Ok(catalogue.batch(batch)?.is_some_and(|batch| batch.paused)))
        );
        let run = self.session.current_run();
        let status = run.as_ref().map(|run| run.status());
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        BenchStatus {
            bench: self.me.bench.clone(),
            process: self.me.process.clone(),
            host: self.me.host.clone(),
            labels: self.me.labels.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            page: self.page.clone(),
            time: Utc::now(),
            clock_offset_s: shown.offset_s,
            simulated: identity.as_ref().map(|identity| identity.simulated()),
            instrument: identity.map(|identity| identity.to_string()),
            paused: paused.unwrap_or_default(),
            local: shown.local,
            item: shown.item.as_ref().map(|item| ItemOfBench {
                batch: item.batch.clone(),
                item: item.item,
                epoch: item.epoch,
            }),
            run: run.map(|run| run.id().to_owned()),
            since: status.as_ref().and_then(|status| status.started),
            until: status.and_then(|status| status.remaining_s()).map(|left| Utc::now() + span(left)),
            waits: shown.waits.clone(),
            store: self.session.setup().uploads.status().map(|uploads| {
                let uploads = uploads.borrow();
                StoreOfBench {
                    store: uploads.store.clone(),
                    waiting: uploads.waiting,
                    trouble: uploads.trouble.clone().or_else(|| shown.not_recorded.clone()),
                }
            }),
            lasers_on,
        }
    }

    /// Turns everything off, as `ctp10 off`.
    async fn off(&self) -> OffReply {
        let paused = self.queue.items().await.is_ok_and(|(_, paused)| paused);
        if !paused {
            self.shown.lock().unwrap_or_else(PoisonError::into_inner).off_before_pause = true;
        }
        tracing::warn!("a person has stopped the fleet: the lasers are turned off");
        let done = self.session.off("stopped by `ctp10 fleet off`").await;
        OffReply {
            bench: self.me.bench.clone(),
            process: self.me.process.clone(),
            aborted: done.aborted,
            lasers_off: done.off,
            lasers_unknown: done.unknown,
            instruments_unknown: done.named.unknown,
            run: done.run,
        }
    }
}
