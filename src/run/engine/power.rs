//! Recorded power: readings of `read_power`, and `record_power`, which records during the whole run.

use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::declarations::RecordPower;
use crate::measurement::PowerReading;
use crate::power::{PowerMonitor, PowerUpdate, UpdateSchedule};
use crate::run::events::RunEvent;
use crate::run::events::log::RunLog;
use crate::step::Fault;
use crate::store::{PowerLog, RECORDER, StoreError};
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
        self.keep_at(Instant::now(), reading, name, source).await
    }

    async fn keep_at(
        &self,
        now: Instant,
        reading: PowerReading,
        name: &str,
        source: &'static str,
    ) -> Result<(), Fault> {
        let mut power = Arc::clone(&self.power).lock_owned().await;
        if !power.is_due(now) {
            power.add(reading, name, source, now);
            return Ok(());
        }
        // The lock is kept until the reading is added, so that no other reading closes the segment a second time.
        let (log, name) = (self.log.clone(), name.to_owned());
        let work = move || {
            let closed = close(&mut power, &log);
            power.add(reading, &name, source, now);
            closed
        };
        match threads::begin("power", work).await? {
            // The readings wait in memory. The engine holds the run until there is disk space.
            Err(NotClosed::Store(StoreError::Full { .. })) => Ok(()),
            closed => Ok(closed?),
        }
    }

    /// Writes the readings since the last segment.
    pub(in crate::run) async fn close(&self) -> Result<(), Fault> {
        let mut power = Arc::clone(&self.power).lock_owned().await;
        let log = self.log.clone();
        Ok(threads::begin("power", move || close(&mut power, &log)).await??)
    }
}

/// Why a segment was not closed.
enum NotClosed {
    Store(StoreError),
    Told(Fault),
}

impl From<NotClosed> for Fault {
    fn from(reason: NotClosed) -> Self {
        match reason {
            NotClosed::Store(error) => error.into(),
            NotClosed::Told(fault) => fault,
        }
    }
}

/// Writes a segment, and records it in the journal on the same thread: the step that waits for this may be ended.
fn close(power: &mut PowerLog, log: &RunLog) -> Result<(), NotClosed> {
    let Some(segment) = power.close().map_err(NotClosed::Store)? else { return Ok(()) };
    let lost = power.take_lost();
    log.emit_durable_blocking(RunEvent::PowerStored { segment }).map_err(NotClosed::Told)?;
    if lost == 0 {
        return Ok(());
    }
    let message = format!("{lost} readings of power were lost, because the disk took none for too long");
    log.emit(RunEvent::Warning { message }).map_err(NotClosed::Told)
}

/// Records the readings of the monitor until it is dropped. During a scan, during a transfer over the only connection,
/// and without a link there are no readings. If a segment cannot be written, its readings wait for the next attempt.
pub(in crate::run) async fn record(
    monitor: PowerMonitor,
    module: u8,
    what: RecordPower,
    power: SharedPowerLog,
) {
    let interval = what.interval_s.map_or(0.1, |interval| interval.get()).max(0.01);
    let interval = Duration::from_secs_f64(interval);
    let detectors: Vec<_> = what.detectors.iter().filter(|detector| detector.module == module).collect();
    let channels: Vec<u8> = detectors.iter().map(|detector| detector.channel).collect();
    let mut watch = monitor.watch(module, interval, &channels);
    let mut schedule = UpdateSchedule::new(interval);
    loop {
        if let PowerUpdate::Reading(frame) = watch.next(&mut schedule).await {
            for reading in detectors.iter().filter_map(|detector| frame.reading(**detector)) {
                if let Err(fault) = power.keep(reading, "", RECORDER).await {
                    let message = format!("recorded power: {fault}; the readings wait for another attempt");
                    if let Err(fault) = power.log.emit(RunEvent::Warning { message }) {
                        tracing::error!("{fault}");
                    }
                }
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

    /// A record of power in a new run, and the rows of each segment that its journal lists.
    fn recording(out: &std::path::Path) -> (SharedPowerLog, std::sync::mpsc::Receiver<u64>) {
        let folder = RunFolder::create(out, "a", "abcdef", Utc::now()).unwrap();
        let (stored, segments) = std::sync::mpsc::channel();
        let watcher = move |record: &Arc<crate::run::events::Emitted>| {
            if let RunEvent::PowerStored { segment } = &record.event {
                stored.send(segment.rows).unwrap();
            }
        };
        let log = RunLog::new(folder.journal().unwrap(), History::default(), vec![Box::new(watcher)], 0.0);
        (SharedPowerLog::new(folder.power_log(true, Default::default()), log), segments)
    }

    /// Adds a reading as if so many seconds had passed.
    async fn add(power: &SharedPowerLog, seconds: u64) -> Result<(), Fault> {
        power.keep_at(Instant::now() + Duration::from_secs(seconds), reading(), "", "recorder").await
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_segment_is_closed_once_however_many_readings_come_at_its_end() {
        let out = tempfile::tempdir().unwrap();
        let (power, segments) = recording(out.path());
        for _ in 0..10 {
            add(&power, 0).await.unwrap();
        }
        let late = (0..8).map(|_| {
            let power = power.clone();
            tokio::spawn(async move { add(&power, 100).await })
        });
        for kept in late.collect::<Vec<_>>() {
            kept.await.unwrap().unwrap();
        }
        power.close().await.unwrap();
        drop(power);
        assert_eq!(segments.iter().collect::<Vec<_>>(), [10, 8]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn a_segment_is_in_the_journal_also_if_nobody_waits_for_it_any_more() {
        let out = tempfile::tempdir().unwrap();
        let (power, segments) = recording(out.path());
        add(&power, 0).await.unwrap();
        // The step ends after the segment was begun.
        tokio::select! {
            biased;
            _ = add(&power, 100) => {}
            () = std::future::ready(()) => {}
        }
        power.close().await.unwrap();
        drop(power);
        assert_eq!(segments.iter().collect::<Vec<_>>(), [1, 1]);
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn readings_wait_for_a_folder_that_takes_none() {
        let out = tempfile::tempdir().unwrap();
        let (power, segments) = recording(out.path());
        let folder = power.power.lock().await.path().parent().unwrap().to_owned();
        std::fs::remove_dir(&folder).unwrap();
        add(&power, 0).await.unwrap();
        add(&power, 100).await.unwrap_err();
        add(&power, 100).await.unwrap();
        std::fs::create_dir(&folder).unwrap();
        power.close().await.unwrap();
        drop(power);
        assert_eq!(segments.iter().collect::<Vec<_>>(), [3]);
    }
}
