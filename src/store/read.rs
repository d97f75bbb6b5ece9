//! Reads windows of stored traces in bounded memory.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::types::{Float32Type, Float64Type, Int32Type, Int64Type};
use arrow_array::{Array as _, RecordBatchReader as _};
use arrow_schema::DataType;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection};
use parquet::file::metadata::PageIndexPolicy;

use super::{RunFolder, StoreError, find};
use crate::files;
use crate::measurement::{Grid, TraceSummary};
use crate::step::{Fault, TraceReader};

/// Rows per piece. Buffers below 128 KiB are reused; larger ones come from the system each time, which is slow.
const PIECE: usize = 16 * 1024;

/// The file of a stored trace. Each reading opens the file.
#[derive(Debug)]
pub struct TraceFile {
    path: PathBuf,
    grid: Grid,
}

impl RunFolder {
    /// Opens a trace of this run.
    ///
    /// # Errors
    /// If the file does not exist any more.
    pub fn open_trace(&self, trace: &TraceSummary) -> Result<TraceFile, StoreError> {
        open_trace(self.path(), trace)
    }
}

/// Opens a trace of the run in this folder.
///
/// # Errors
/// If the file does not exist, leads out of the folder, or contradicts the journal.
pub fn open_trace(folder: &Path, trace: &TraceSummary) -> Result<TraceFile, StoreError> {
    let file = locate_trace(folder, trace)?;
    file.open().map(|_| file)
}

/// Finds the file of a trace, for a reader that opens the file once. A contradiction to the journal is an error of the reading.
///
/// # Errors
/// If the file does not exist or leads out of the folder.
pub fn locate_trace(folder: &Path, trace: &TraceSummary) -> Result<TraceFile, StoreError> {
    Ok(TraceFile { path: find(folder, &trace.file)?, grid: trace.grid })
}

impl TraceFile {
    pub(super) fn new(path: PathBuf, grid: Grid) -> Self {
        Self { path, grid }
    }

    /// Checks that the file can be read and has as many values as its grid.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        self.open().map(drop)
    }

    /// The path of the file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the file and checks that it has as many values as the journal says.
    fn open(&self) -> Result<ParquetRecordBatchReaderBuilder<File>, StoreError> {
        let bad = |error| StoreError::encode(&self.path, error);
        let wrong = |reason: String| {
            StoreError::read(&self.path, std::io::Error::new(std::io::ErrorKind::InvalidData, reason))
        };
        let file = files::open(&self.path).map_err(|source| StoreError::read(&self.path, source))?;
        // With the page index, the reader skips pages outside the window without decoding them.
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(bad)?;
        let value = builder.schema().field_with_name("value").ok();
        if value.is_none_or(|value| *value.data_type() != DataType::Float32) {
            return Err(wrong("it has no column `value` of 32-bit floats".to_owned()));
        }
        let rows = builder.metadata().file_metadata().num_rows().unsigned_abs();
        if rows != self.grid.points {
            return Err(wrong(format!("it has {rows} rows, but the journal records {}", self.grid.points)));
        }
        Ok(builder)
    }

    fn visit(&self, range: Range<u64>, take: &mut dyn FnMut(u64, &[f32])) -> Result<(), StoreError> {
        let bad = |error| StoreError::encode(&self.path, error);
        let builder = self.open()?;
        let total = usize::try_from(self.grid.points).unwrap_or(usize::MAX);
        let window =
            usize::try_from(range.start).unwrap_or(total)..usize::try_from(range.end).unwrap_or(total);
        let only_values = ProjectionMask::columns(builder.parquet_schema(), ["value"]);
        let reader = builder
            .with_projection(only_values)
            .with_row_selection(RowSelection::from_consecutive_ranges(std::iter::once(window), total))
            .with_batch_size(PIECE)
            .build()
            .map_err(bad)?;
        debug_assert_eq!(reader.schema().fields().len(), 1);
        let mut index = range.start;
        let mut piece = Vec::new();
        for batch in reader {
            let batch = batch.map_err(|error| bad(error.into()))?;
            let values = batch.column(0).as_primitive::<Float32Type>();
            if values.null_count() == 0 {
                take(index, values.values());
            } else {
                piece.clear();
                piece.extend(values.iter().map(|value| value.unwrap_or(f32::NAN)));
                take(index, &piece);
            }
            index += values.len() as u64;
        }
        Ok(())
    }
}

impl TraceReader for TraceFile {
    fn grid(&self) -> Grid {
        self.grid
    }

    fn read(&self, range: Range<u64>, take: &mut dyn FnMut(u64, &[f32])) -> Result<(), Fault> {
        Ok(self.visit(range, take)?)
    }
}

/// The number of rows in a Parquet file, from its footer.
pub(super) fn rows(path: &Path) -> Result<u64, StoreError> {
    let file = files::open(path).map_err(|source| StoreError::read(path, source))?;
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| StoreError::encode(path, error))?;
    Ok(builder.metadata().file_metadata().num_rows().unsigned_abs())
}

/// How the first rows of a trace contradict the journal; `None` if they do not.
pub(super) fn contradiction(path: &Path, trace: &TraceSummary) -> Option<String> {
    let file = files::open(path).ok()?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).ok()?.with_limit(2).build().ok()?;
    let batch = reader.into_iter().next()?.ok()?;
    let differs = |name: &str, found: f64, expected: f64| {
        ((found - expected).abs() > 1e-9)
            .then(|| format!("`{name}` is {found}, but the journal records {expected}"))
    };
    let column = |name: &str| batch.column_by_name(name);
    let number = |name: &str| {
        let column = column(name)?;
        let int64 = column.as_primitive_opt::<Int64Type>().and_then(|column| column.iter().next()?);
        int64.or_else(|| Some(i64::from(column.as_primitive_opt::<Int32Type>()?.iter().next()??)))
    };
    let expected = [
        ("trace_index", trace.trace_index),
        ("sweep_index", trace.sweep_index),
        ("attempt", u64::from(trace.attempt)),
        ("module", u64::from(trace.detector.module)),
        ("channel", u64::from(trace.detector.channel)),
    ];
    #[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^53")]
    let mut counts =
        expected.iter().filter_map(|(name, value)| differs(name, number(name)? as f64, *value as f64));
    let wavelengths = column("wavelength_nm")?.as_primitive_opt::<Float64Type>()?;
    let mut axis = (0..).zip(wavelengths.iter().flatten());
    let axis = axis.find_map(|(index, nm)| differs("wavelength_nm", nm, trace.grid.wavelength_nm(index)));
    counts.next().or(axis)
}
