//! Reads recorded power, one reading after the other.

use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, TimestampMicrosecondType};
use arrow_array::{Array as _, RecordBatch};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::PowerSegment;
use crate::files;
use crate::store::{StoreError, find};

/// A reading as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerRow {
    /// When it was read, in seconds since 1970-01-01 UTC.
    pub time_s: f64,
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
        let place = || format!("{}/{}", module.value(row), channel.value(row));
        take(PowerRow {
            #[expect(clippy::cast_precision_loss, reason = "microseconds since 1970 fit")]
            time_s: times.value(row) as f64 / 1e6,
            detector: detector.map_or_else(place, |names| names.value(row).to_owned()),
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
