//! The encoded wavelength axis. All traces of a sweep, and most traces of a night, have the same one.

use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use parquet::data_type::DoubleType;
use parquet::errors::Result;
use parquet::file::properties::WriterPropertiesPtr;
use parquet::schema::types::ColumnDescPtr;

use super::chunk::{Chunk, ChunkWriter};
use crate::measurement::Grid;

/// Wavelengths that are computed at once.
const PIECE: u64 = 16 * 1024;

/// The axis that was encoded last. One is enough: detectors are fetched one after the other, on the same grid.
static LAST: Mutex<Option<(Grid, Arc<Chunk>)>> = Mutex::new(None);

/// The wavelengths of these rows of a grid. An axis with several row groups is encoded each time, so that the memory for it
/// stays bounded.
pub(super) fn chunk(
    column: &ColumnDescPtr,
    properties: &WriterPropertiesPtr,
    grid: Grid,
    rows: Range<u64>,
) -> Result<Arc<Chunk>> {
    let whole = rows == (0..grid.points);
    let last = || LAST.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, chunk)) = last().as_ref().filter(|(known, _)| whole && *known == grid) {
        return Ok(Arc::clone(chunk));
    }
    let chunk = Arc::new(encode(column, properties, grid, rows)?);
    if whole {
        *last() = Some((grid, Arc::clone(&chunk)));
    }
    Ok(chunk)
}

fn encode(
    column: &ColumnDescPtr,
    properties: &WriterPropertiesPtr,
    grid: Grid,
    rows: Range<u64>,
) -> Result<Chunk> {
    let mut writer = ChunkWriter::<DoubleType>::new(column, properties);
    let axis = grid.axis();
    for first in rows.clone().step_by(PIECE as usize) {
        let piece = first..rows.end.min(first + PIECE);
        let wavelengths: Vec<f64> = piece.map(|index| axis.nm(index)).collect();
        writer.write(&wavelengths, None)?;
    }
    writer.finish()
}
