//! Recorded power: readings of `read_power`, and `record_power`, which records during the whole run.

use std::sync::Arc;
use std::time::Duration;

use crate::declarations::RecordPower;
use crate::measurement::PowerReading;
use crate::power::{PowerMonitor, PowerUpdate, UpdateSchedule};
use crate::run::events::RunEvent;
use crate::run::events::log::RunLog;
use crate::step::Fault;
use crate::store::{PowerLog, PowerSegment, StoreError};
use crate::threads;

/// The run's power, shared by the engine and the recorders.
#[derive(Clone)]
pub(in crate::run) struct SharedPowerLog {
    power: Arc<tokio::sync::Mutex<PowerLog>>,
    log: RunLog,
}

impl SharedPowerLog {
    pub(in crate::run) fn new(power: PowerLog, log: RunLog) -> Self {
        Self { power: Arc::new(tokio::sync::Mutex::new(power)), log }
    }

    /// Adds a reading. A complete segment is written on a thread of its own, and readings wait for that.
    pub(in crate::run) async fn keep(
        &self,
        reading: PowerReading,
        name: &str,
        source: &'static str,
    ) -> Result<(), Fault> {
        let mut power = self.power.lock().await;
        if !power.is_due(&reading) {
            power.add(reading, name, source);
            return Ok(());
        }
        drop(power);
        let written = self.write_segment().await;
        self.power.lock().await.add(reading, name, source);
        match written {
            // The readings wait in memory. The engine holds the run until there is disk space.
            Err(StoreError::Full { .. }) => Ok(()),
            written => self.emit(written?).await,
        }
    }

    /// Writes the readings since the last segment.
    pub(in crate::run) async fn close(&self) -> Result<(), Fault> {
        let written = self.write_segment().await?;
        self.emit(written).await
    }

    async fn write_segment(&self) -> Result<Option<PowerSegment>, StoreError> {
        let mut power = Arc::clone(&self.power).lock_owned().await;
        let path = power.path();
        let written = threads::begin("power", move || power.close()).await;
        written.unwrap_or_else(|panic| Err(StoreError::Write { path, source: std::io::Error::other(panic) }))
    }

    async fn emit(&self, written: Option<PowerSegment>) -> Result<(), Fault> {
        match written {
            Some(segment) => self.log.emit_durable(RunEvent::PowerStored { segment }).await,
            None => Ok(()),
        }
    }
}

/// Records the readings of the monitor until it is dropped. During a scan, during a transfer over the only connection,
/// and without a link there are no readings.
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
                log.keep(reading, "", "recorder").await?;
            }
        }
    }
}
