//! Recorded power: readings of `read_power`, and `record_power`, which records during the whole run.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::declarations::RecordPower;
use crate::measurement::PowerReading;
use crate::power::{PowerMonitor, PowerUpdate, UpdateSchedule};
use crate::run::events::RunEvent;
use crate::run::events::log::RunLog;
use crate::step::Fault;
use crate::store::{PowerLog, PowerSegment, RECORDER, StoreError};
use crate::threads::{self, Unfinished};

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
        let mut power = Arc::clone(&self.power).lock_owned().await;
        let now = Instant::now();
        if !power.is_due(now) {
            power.add(reading, name, source, now);
            return Ok(());
        }
        // The lock is kept until the reading is added, so that no other reading closes the segment a second time.
        let (path, name) = (power.path(), name.to_owned());
        let written = threads::begin("power", move || {
            let written = power.close();
            power.add(reading, &name, source, now);
            written
        });
        match finished(written.await, path) {
            // The readings wait in memory. The engine holds the run until there is disk space.
            Err(StoreError::Full { .. }) => Ok(()),
            written => self.emit(written?).await,
        }
    }

    /// Writes the readings since the last segment.
    pub(in crate::run) async fn close(&self) -> Result<(), Fault> {
        let mut power = Arc::clone(&self.power).lock_owned().await;
        let path = power.path();
        let written = threads::begin("power", move || power.close()).await;
        self.emit(finished(written, path)?).await
    }

    async fn emit(&self, written: Option<PowerSegment>) -> Result<(), Fault> {
        match written {
            Some(segment) => self.log.emit_durable(RunEvent::PowerStored { segment }).await,
            None => Ok(()),
        }
    }
}

/// The segment that a thread has written.
fn finished(
    written: Result<Result<Option<PowerSegment>, StoreError>, Unfinished>,
    path: PathBuf,
) -> Result<Option<PowerSegment>, StoreError> {
    written.unwrap_or_else(|panic| Err(StoreError::Write { path, source: std::io::Error::other(panic) }))
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
                log.keep(reading, "", RECORDER).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::Utc;

    use super::*;
    use crate::measurement::PowerUnit;
    use crate::run::state::history::History;
    use crate::store::RunFolder;

    fn reading() -> PowerReading {
        let detector = "4/1".parse().unwrap();
        PowerReading { detector, value: Some(-3.0), unit: PowerUnit::Dbm, calibration_nm: None, time_s: 0.0 }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_segment_is_closed_once_however_many_readings_come_at_its_end() {
        let out = tempfile::tempdir().unwrap();
        let folder = RunFolder::create(out.path(), "a", "abcdef", Utc::now()).unwrap();
        let (stored, segments) = std::sync::mpsc::channel();
        let watcher = move |record: &Arc<crate::run::events::Emitted>| {
            if let RunEvent::PowerStored { segment } = &record.event {
                stored.send(segment.rows).unwrap();
            }
        };
        let log = RunLog::new(folder.journal().unwrap(), History::default(), vec![Box::new(watcher)], 0.0);
        let power = SharedPowerLog::new(folder.power_log(true, Default::default()), log);
        for _ in 0..crate::store::SEGMENT_ROWS {
            power.keep(reading(), "", "recorder").await.unwrap();
        }
        let late = (0..8).map(|_| {
            let power = power.clone();
            tokio::spawn(async move { power.keep(reading(), "", "recorder").await })
        });
        for kept in late.collect::<Vec<_>>() {
            kept.await.unwrap().unwrap();
        }
        power.close().await.unwrap();
        drop(power);
        assert_eq!(segments.iter().collect::<Vec<_>>(), [crate::store::SEGMENT_ROWS as u64, 8]);
    }
}
