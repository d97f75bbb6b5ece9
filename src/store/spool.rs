//! A trace in a temporary file without a name. The file disappears with its last reader, even if the process is
//! killed.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;

use crate::measurement::Grid;
use crate::step::{Fault, FaultKind, TraceReader};

/// Values per read. Buffers below 128 KiB are reused; larger ones come from the system each time, which is slow.
const PIECE: usize = 16 * 1024;

/// Values of a trace in a temporary file.
#[derive(Debug)]
pub struct Spool {
    file: File,
    grid: Grid,
}

impl Spool {
    /// Creates an empty file for a trace with this grid.
    ///
    /// # Errors
    /// If no temporary file can be created.
    pub fn new(grid: Grid) -> io::Result<Self> {
        Ok(Self { file: tempfile::tempfile()?, grid })
    }

    /// Appends values.
    ///
    /// # Errors
    /// If there is not enough disk space.
    pub fn push(&mut self, values: &[f32]) -> io::Result<()> {
        let bytes: Vec<[u8; 4]> = values.iter().map(|value| value.to_le_bytes()).collect();
        self.file.write_all(bytes.as_flattened())
    }

    fn visit(&self, range: Range<u64>, take: &mut dyn FnMut(u64, &[f32])) -> io::Result<()> {
        let mut file = self.file.try_clone()?;
        file.seek(SeekFrom::Start(range.start * 4))?;
        let mut file = file.take((range.end - range.start) * 4);
        let (mut bytes, mut values, mut index) = (vec![0; PIECE * 4], Vec::with_capacity(PIECE), range.start);
        while index < range.end {
            let left = usize::try_from(range.end - index).unwrap_or(PIECE).min(PIECE);
            file.read_exact(&mut bytes[..left * 4])?;
            values.clear();
            values.extend(bytes[..left * 4].as_chunks().0.iter().copied().map(f32::from_le_bytes));
            take(index, &values);
            index += left as u64;
        }
        Ok(())
    }
}

impl TraceReader for Spool {
    fn grid(&self) -> Grid {
        self.grid
    }

    fn read(&self, range: Range<u64>, take: &mut dyn FnMut(u64, &[f32])) -> Result<(), Fault> {
        self.visit(range, take).map_err(|error| Fault::new(FaultKind::Store, error.to_string()))
    }
}
