//! Recorded power in segments of at most one minute. Each segment is a Parquet file, so that an interrupted run loses
//! at most the last minute.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use serde::{Deserialize, Serialize};

mod read;

pub use read::{PowerRow, not_stored, read_power};

use super::table::TableWriter;
use super::{RunFolder, StoreError};
use crate::measurement::{Detector, PowerLevels, PowerReading};

/// A segment is closed after this time.
const SEGMENT: Duration = Duration::from_secs(60);
/// A segment is closed after this many readings.
const SEGMENT_ROWS: usize = 100_000;
/// The most readings that wait for a disk that takes none.
const MOST_WAITING: usize = 3 * SEGMENT_ROWS;
/// If the disk is full, the segment is written again after this many readings.
const READINGS_BETWEEN_ATTEMPTS: usize = 1000;

/// The time of a reading in the unit of the files.
#[expect(clippy::cast_possible_truncation, reason = "microseconds since 1970 fit into 53 bits")]
fn micros(time_s: f64) -> i64 {
    (time_s * 1e6) as i64
}

/// The source of the readings of `record_power`.
pub const RECORDER: &str = "recorder";

/// A closed segment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PowerSegment {
    /// The file, relative to the run folder.
    pub file: String,
    /// Readings in it.
    pub rows: u64,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// The latest time of its readings, seconds since 1970-01-01 UTC. The clock may have been set later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until_s: Option<f64>,
    /// Readings of `record_power` among them; `None` if an older program wrote the segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded: Option<u64>,
    /// The levels of its readings, for each detector.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<PowerLevels>,
}

/// Collects readings and writes them in segments.
#[derive(Debug)]
pub struct PowerLog {
    folder: PathBuf,
    run: String,
    simulated: bool,
    /// The names that the recipe gives to detectors.
    names: BTreeMap<Detector, String>,
    segments: u64,
    rows: Vec<(PowerReading, String, &'static str)>,
    /// When the first of `rows` was added.
    since: Option<Instant>,
    /// After a full disk, the next segment is written at this number of readings.
    not_before: usize,
    /// The readings that were not kept, because too many waited.
    lost: u64,
}

impl RunFolder {
    /// Starts a record of power. `names`: the names that the recipe gives to detectors.
    #[must_use]
    pub fn power_log(&self, simulated: bool, names: BTreeMap<Detector, String>) -> PowerLog {
        let (folder, run) = (self.path().to_owned(), self.id().to_owned());
        let segments = self.last_segment();
        PowerLog {
            folder,
            run,
            simulated,
            names,
            segments,
            rows: Vec::new(),
            since: None,
            not_before: 0,
            lost: 0,
        }
    }
}

impl PowerLog {
    /// Adds a reading. `source` is `recorder` or `recipe`. If too many readings wait for the disk, this one is lost.
    pub fn add(&mut self, reading: PowerReading, name: &str, source: &'static str, now: Instant) {
        self.since.get_or_insert(now);
        if self.rows.len() < MOST_WAITING {
            self.rows.push((reading, name.to_owned(), source));
        } else {
            self.lost += 1;
        }
    }

    /// The readings that were lost since the last call.
    pub fn take_lost(&mut self) -> u64 {
        std::mem::take(&mut self.lost)
    }

    /// Whether a segment is to be written before the next reading: it is complete, and the disk was not found full a
    /// moment ago.
    #[must_use]
    pub fn is_due(&self, now: Instant) -> bool {
        let is_full = self.since.is_some_and(|since| now.saturating_duration_since(since) >= SEGMENT);
        (is_full || self.rows.len() >= SEGMENT_ROWS) && self.readings() >= self.not_before
    }

    /// The readings since the last segment.
    fn readings(&self) -> usize {
        self.rows.len() + usize::try_from(self.lost).unwrap_or(usize::MAX / 2)
    }

    /// The path of the next segment.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.folder.join(self.file())
    }

    fn file(&self) -> String {
        format!("power/{:04}.parquet", self.segments + 1)
    }

    /// Writes the readings since the last segment; returns `None` if there are none.
    ///
    /// # Errors
    /// If the segment cannot be written.
    pub fn close(&mut self) -> Result<Option<PowerSegment>, StoreError> {
        if self.rows.is_empty() {
            return Ok(None);
        }
        self.not_before = self.readings() + READINGS_BETWEEN_ATTEMPTS;
        let (file, path) = (self.file(), self.path());
        let batch = self.batch().map_err(|error| StoreError::encode(&path, error.into()))?;
        let mut table = TableWriter::create(&path, &batch.schema())?;
        table.add(&batch)?;
        let published = table.publish()?;
        let rows = self.rows.len() as u64;
        let until_s = self.rows.iter().map(|(reading, ..)| reading.time_s).reduce(f64::max);
        let readings: Vec<PowerReading> = self.rows.iter().map(|(reading, ..)| *reading).collect();
        let levels = PowerLevels::of(&readings, &self.names);
        let recorded = self.rows.iter().filter(|(.., source)| *source == RECORDER).count() as u64;
        self.rows.clear();
        self.since = None;
        self.not_before = 0;
        self.segments += 1;
        Ok(Some(PowerSegment {
            file,
            rows,
            sha256: published.sha256,
            until_s,
            recorded: Some(recorded),
            levels,
        }))
    }

    fn name(&self, detector: Detector) -> String {
        self.names.get(&detector).cloned().unwrap_or_else(|| detector.to_string())
    }

    fn batch(&self) -> Result<RecordBatch, arrow_schema::ArrowError> {
        let rows = || self.rows.iter();
        let times =
            TimestampMicrosecondArray::from_iter_values(rows().map(|(reading, ..)| micros(reading.time_s)));
        let columns: Vec<(Field, ArrayRef)> = vec![
            (
                Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
                Arc::new(times.with_timezone("UTC")),
            ),
            (
                Field::new("module", DataType::Int32, false),
                Arc::new(Int32Array::from_iter_values(rows().map(|(r, ..)| i32::from(r.detector.module)))),
            ),
            (
                Field::new("channel", DataType::Int32, false),
                Arc::new(Int32Array::from_iter_values(rows().map(|(r, ..)| i32::from(r.detector.channel)))),
            ),
            (
                Field::new("detector", DataType::Utf8, false),
                Arc::new(StringArray::from_iter_values(rows().map(|(r, ..)| self.name(r.detector)))),
            ),
            (
                Field::new("value", DataType::Float64, true),
                Arc::new(rows().map(|(r, ..)| r.value).collect::<Float64Array>()),
            ),
            (
                Field::new("unit", DataType::Utf8, false),
                Arc::new(StringArray::from_iter_values(rows().map(|(r, ..)| r.unit.symbol()))),
            ),
            (
                Field::new("calibration_nm", DataType::Float64, true),
                Arc::new(rows().map(|(r, ..)| r.calibration_nm).collect::<Float64Array>()),
            ),
            (
                Field::new("name", DataType::Utf8, false),
                Arc::new(StringArray::from_iter_values(rows().map(|(_, name, _)| name))),
            ),
            (
                Field::new("source", DataType::Utf8, false),
                Arc::new(StringArray::from_iter_values(rows().map(|(.., source)| *source))),
            ),
            (
                Field::new("run_id", DataType::Utf8, false),
                Arc::new(StringArray::from_iter_values(rows().map(|_| self.run.as_str()))),
            ),
            (
                Field::new("simulated", DataType::Boolean, false),
                Arc::new(BooleanArray::from(vec![self.simulated; self.rows.len()])),
            ),
        ];
        let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns.into_iter().unzip();
        RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
    }
}
