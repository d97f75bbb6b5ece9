//! Power that is kept: readings asked for by the recipe, and `record_power`, which logs during the whole run.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::header::RecordPower;
use crate::measurement::PowerReading;
use crate::power::{PowerMonitor, PowerUpdate, UpdateSchedule};
use crate::run::events::RunEvent;
use crate::run::events::log::Events;
use crate::step::Fault;
use crate::store::{Durability, PowerLog, PowerSegment, StoreError};

/// The run's power, shared by the engine and the recorder.
#[derive(Clone)]
pub(in crate::run) struct SharedPowerLog {
    log: Arc<Mutex<PowerLog>>,
    events: Arc<Events>,
}

impl SharedPowerLog {
    pub(in crate::run) fn new(log: PowerLog, events: Arc<Events>) -> Self {
        Self { log: Arc::new(Mutex::new(log)), events }
    }

    pub(in crate::run) fn keep(
        &self,
        reading: PowerReading,
        name: &str,
        source: &'static str,
    ) -> Result<(), Fault> {
        let closed = self.log.lock().unwrap_or_else(PoisonError::into_inner).add(reading, name, source);
        match closed {
            Ok(closed) => self.tell(closed),
            // The readings wait in memory; the engine holds the run until there is room.
            Err(StoreError::Full { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    pub(in crate::run) fn close(&self) -> Result<(), Fault> {
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

/// Keeps what the monitor reads until it is dropped. While a scan runs, while a transfer takes the only connection,
/// and while the instrument is away, there is nothing to keep.
pub(in crate::run) async fn record(
    monitor: PowerMonitor,
    module: u8,
    what: RecordPower,
    log: SharedPowerLog,
) -> Result<(), Fault> {
    let interval = what.interval_s.map_or(0.1, |interval| interval.get()).max(0.01);
    let interval = Duration::from_secs_f64(interval);
    let detectors: Vec<_> = what.detectors.iter().filter(|detector| detector.module == module).collect();
    let channels: Vec<u8> = detectors.iter().map(|detector| detector.channel).collect();
    let mut watch = monitor.watch(module, interval, &channels);
    let mut schedule = UpdateSchedule::new(interval);
    loop {
        if let PowerUpdate::Reading(frame) = watch.next(&mut schedule).await {
            for reading in detectors.iter().filter_map(|detector| frame.reading(**detector)) {
                log.keep(reading, "", "recorder")?;
            }
        }
    }
}
