//! Power that is kept: readings asked for by the recipe, and `record_power`, which logs during the whole run.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::MissedTickBehavior;

use super::event::RunEvent;
use super::publish::Events;
use crate::header::RecordPower;
use crate::instrument::scpi::Query;
use crate::instrument::{Ctp10, Error};
use crate::measurement::PowerReading;
use crate::step::Fault;
use crate::store::{Durability, PowerLog, PowerSegment};

/// The run's power, shared by the engine and the recorder.
#[derive(Clone)]
pub(super) struct SharedPowerLog {
    log: Arc<Mutex<PowerLog>>,
    events: Arc<Events>,
}

impl SharedPowerLog {
    pub(super) fn new(log: PowerLog, events: Arc<Events>) -> Self {
        Self { log: Arc::new(Mutex::new(log)), events }
    }

    pub(super) fn keep(&self, reading: PowerReading, name: &str, source: &'static str) -> Result<(), Fault> {
        let closed = self.log.lock().unwrap_or_else(PoisonError::into_inner).keep(reading, name, source)?;
        self.tell(closed)
    }

    pub(super) fn close(&self) -> Result<(), Fault> {
        let closed = self.log.lock().unwrap_or_else(PoisonError::into_inner).close()?;
        self.tell(closed)
    }

    fn tell(&self, closed: Option<PowerSegment>) -> Result<(), Fault> {
        match closed {
            Some(segment) => self.events.tell(RunEvent::PowerStored { segment }, Durability::Now),
            None => Ok(()),
        }
    }
}

/// Reads power between the run's own exchanges until it is dropped. While a scan runs the detectors refuse, and
/// nothing is asked. A reading that fails is left out: the run itself meets the same fault where it matters.
pub(super) async fn record(
    instrument: Ctp10,
    what: RecordPower,
    log: SharedPowerLog,
    mut scanning: watch::Receiver<bool>,
) -> Result<(), Fault> {
    let interval = what.interval_s.map_or(0.1, |interval| interval.get()).max(0.01);
    let mut ticks = tokio::time::interval(Duration::from_secs_f64(interval));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    // A question that is refused costs its whole time-out, and holds the link meanwhile: it is not asked again
    // before the next scan is over.
    let mut refused = BTreeSet::new();
    loop {
        ticks.tick().await;
        if *scanning.borrow_and_update() {
            refused.clear();
            if scanning.wait_for(|scanning| !scanning).await.is_err() {
                return Ok(());
            }
        }
        for detector in
            what.detectors.iter().filter(|detector| !refused.contains(*detector)).copied().collect::<Vec<_>>()
        {
            let reading = async {
                let unit = instrument.ask(&Query::power_unit(detector)).await?;
                let value = instrument.ask(&Query::power(detector)).await?;
                let value = value.is_finite().then_some(value);
                Ok::<_, Error>(PowerReading { detector, value, unit, time_s: super::unix_time_s() })
            };
            match reading.await {
                Ok(reading) => log.keep(reading, "", "recorder")?,
                Err(error @ (Error::Refused { .. } | Error::NoReply { .. })) => {
                    tracing::warn!(%detector, %error, "not recorded until the next scan is over");
                    refused.insert(detector);
                }
                Err(error) => tracing::debug!(%detector, %error, "no reading"),
            }
        }
    }
}
