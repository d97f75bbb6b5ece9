//! Reads stored traces: a window at a time, in bounded memory.

use std::fs::File;
use std::ops::Range;
use std::path::{Path, PathBuf};

use arrow_array::RecordBatchReader as _;
use arrow_array::cast::AsArray;
use arrow_array::types::Float32Type;
use parquet::arrow::ProjectionMask;
use parquet::arrow::arrow_reader::{ArrowReaderOptions, ParquetRecordBatchReaderBuilder, RowSelection};
use parquet::file::metadata::PageIndexPolicy;

use super::{RunFolder, StoreError};
use crate::measurement::{Grid, TraceSummary};
use crate::step::{Fault, TraceReader};

/// Rows handed on at once.
const PIECE: usize = 64 * 1024;

/// A stored trace, open for reading.
#[derive(Debug)]
pub struct TraceFile {
    path: PathBuf,
    grid: Grid,
}

impl RunFolder {
    /// Opens a trace of this run.
    ///
    /// # Errors
    /// When the file is not there any more.
    pub fn open_trace(&self, trace: &TraceSummary) -> Result<TraceFile, StoreError> {
        open_trace(self.path(), trace)
    }
}

/// Opens a trace of the run in this folder.
///
/// # Errors
/// When the file is not there any more.
pub fn open_trace(folder: &Path, trace: &TraceSummary) -> Result<TraceFile, StoreError> {
    let path = folder.join(&trace.file);
    File::open(&path).map_err(|source| StoreError::read(&path, source))?;
    Ok(TraceFile { path, grid: trace.grid })
}

impl TraceFile {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl TraceFile {
    fn visit(&self, range: Range<u64>, take: &mut dyn FnMut(u64, &[f32])) -> Result<(), StoreError> {
        let bad = |error| StoreError::encode(&self.path, error);
        let file = File::open(&self.path).map_err(|source| StoreError::read(&self.path, source))?;
        // The page index lets the reader skip what lies outside the window without decoding it.
        let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
        let builder = ParquetRecordBatchReaderBuilder::try_new_with_options(file, options).map_err(bad)?;
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
        let mut piece = Vec::with_capacity(PIECE);
        for batch in reader {
            let batch = batch.map_err(|error| bad(error.into()))?;
            let values = batch.column(0).as_primitive::<Float32Type>();
            piece.clear();
            piece.extend(values.iter().map(|value| value.unwrap_or(f32::NAN)));
            take(index, &piece);
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
    let file = File::open(path).map_err(|source| StoreError::read(path, source))?;
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(file).map_err(|error| StoreError::encode(path, error))?;
    Ok(builder.metadata().file_metadata().num_rows().unsigned_abs())
}
