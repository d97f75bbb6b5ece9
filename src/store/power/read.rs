//! Reads recorded power, one reading after the other.

use std::collections::BTreeSet;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, TimestampMicrosecondType};
use arrow_array::{Array as _, Int32Array, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::{PowerSegment, RECORDER, micros};
use crate::files;
use crate::measurement::{Detector, PowerReading};
use crate::store::{StoreError, find};

/// A reading as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerRow {
    /// When it was read, in seconds since 1970-01-01 UTC.
    pub time_s: f64,
    /// The detector.
    pub place: Detector,
    /// The name of the detector in the recipe, or `module/channel`.
    pub detector: String,
    /// The value in `unit`; `None` if the detector had no finite value.
    pub value: Option<f64>,
    /// dBm or mW; dBmA or mA for photocurrent.
    pub unit: String,
    /// The calibration wavelength of the detector, nm.
    pub calibration_nm: Option<f64>,
    /// The name that the recipe gives the reading; may be empty.
    pub name: String,
    /// `recorder` or `recipe`.
    pub source: String,
    /// Whether the value is computed.
    pub simulated: bool,
}

/// Passes the readings of a segment to `take`, in order. Older programs stored no names of detectors.
///
/// # Errors
/// If the file cannot be read, or does not have the columns of recorded power.
pub fn read_power(
    folder: &Path,
    segment: &PowerSegment,
    take: &mut dyn FnMut(PowerRow),
) -> Result<(), StoreError> {
    let path = find(folder, &segment.file)?;
    let bad = |error| StoreError::encode(&path, error);
    let file = files::open(&path).map_err(|source| StoreError::read(&path, source))?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|file| file.build()).map_err(bad)?;
    for batch in reader {
        let batch = batch.map_err(|error| bad(error.into()))?;
        if rows(&batch, take).is_none() {
            let wrong = "it does not have the columns of recorded power".to_owned();
            let wrong = std::io::Error::new(std::io::ErrorKind::InvalidData, wrong);
            return Err(StoreError::read(&path, wrong));
        }
    }
    Ok(())
}

/// The readings of `read_power` that are in none of these segments, each with its name. The readings themselves are
/// compared: their times need not increase, because the clock may have been set.
///
/// # Errors
/// If a segment cannot be read.
pub fn not_stored(
    folder: &Path,
    segments: &[PowerSegment],
    mut readings: Vec<(PowerReading, String)>,
) -> Result<Vec<(PowerReading, String)>, StoreError> {
    // Most recipes with a long record of power read no power themselves.
    if readings.is_empty() {
        return Ok(readings);
    }
    let mut stored = BTreeSet::new();
    for segment in segments {
        read_power(folder, segment, &mut |row| {
            if row.source != RECORDER {
                // A time that was read from a file is a whole number of microseconds, apart from its rounding.
                stored.insert((micros(row.time_s + 0.5e-6), row.place));
            }
        })?;
    }
    readings.retain(|(reading, _)| !stored.contains(&(micros(reading.time_s), reading.detector)));
    Ok(readings)
}

/// `None`: a column is missing or has another type.
fn rows(batch: &RecordBatch, take: &mut dyn FnMut(PowerRow)) -> Option<()> {
    let column = |name: &str| batch.column_by_name(name);
    let text = |name: &str| column(name)?.as_string_opt::<i32>();
    let number = |name: &str| column(name)?.as_primitive_opt::<Float64Type>();
    let whole = |name: &str| column(name)?.as_primitive_opt::<Int32Type>();
    let times = column("time")?.as_primitive_opt::<TimestampMicrosecondType>()?;
    let (module, channel) = (whole("module")?, whole("channel")?);
    let (value, calibration) = (number("value")?, number("calibration_nm")?);
    let (unit, name, source) = (text("unit")?, text("name")?, text("source")?);
    let simulated = column("simulated")?.as_boolean_opt()?;
    let detector = text("detector");
    for row in 0..batch.num_rows() {
        let number = |column: &Int32Array| u8::try_from(column.value(row)).ok();
        let place = Detector { module: number(module)?, channel: number(channel)? };
        take(PowerRow {
            #[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 fit")]
            time_s: times.value(row) as f64 / 1e6,
            place,
            detector: detector.map_or_else(|| place.to_string(), |names| names.value(row).to_owned()),
            value: value.is_valid(row).then(|| value.value(row)),
            unit: unit.value(row).to_owned(),
            calibration_nm: calibration.is_valid(row).then(|| calibration.value(row)),
            name: name.value(row).to_owned(),
            source: source.value(row).to_owned(),
            simulated: simulated.value(row),
        });
    }
    Some(())
}
